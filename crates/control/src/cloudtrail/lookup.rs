//! `LookupEvents`: the management events of the last ninety days, the newest first.
//!
//! One attribute filters, as on AWS. A page is looked for among a bounded number of events: one with fewer than were
//! asked for, and a token, says that there may be more.

use aws::Fault;
use aws_lc_rs::digest::{SHA256, digest};
use aws_shapes::cloudtrail::{
    Event, EventOperations, LookupAttribute, LookupAttributeKey, LookupEventsRequest, LookupEventsResponse,
    Resource,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Actor, Arn, AuditEvent, Timestamp};

use super::CloudTrail;
use super::identity::user_name;
use super::record::{is_management, name, reads, record, resource_type, source};
use crate::context::Context;
use crate::fault::Failure;

/// How many events a page has when the caller does not say, and at most.
const PAGE: i64 = 50;
/// How many events are read at once.
const READ: i64 = 500;
/// How many reads one page may take.
const READS: usize = 20;
/// How far back events are found.
const DAYS: i64 = 90;
/// How long after its request an event is written at most, in milliseconds: events are in the order of their writing.
const LATEST: i64 = 60 * 60 * 1000;

impl EventOperations<Context> for CloudTrail {
    type Error = Failure;

    async fn lookup_events(
        &self,
        context: &Context,
        input: LookupEventsRequest,
    ) -> Result<LookupEventsResponse, Failure> {
        let scope = &context.scope;
        let about = Arn::new("cloudtrail", scope.region.as_str(), scope.account.as_str(), "event");
        context.authorize_without_resource(&about)?;
        let wanted = Wanted::read(context, &input)?;
        let size = usize::try_from(input.max_results.unwrap_or(PAGE)).unwrap_or(1);
        let store = &context.setup().store;
        let (mut before, mut found, mut ended) = (wanted.before, Vec::new(), false);
        for _ in 0..READS {
            let events = store.control_events_back(scope.account.as_str(), before, READ).await?;
            ended = events.len() < usize::try_from(READ).unwrap_or(usize::MAX);
            for stored in events {
                if found.len() == size {
                    return Ok(wanted.page(found, Some(before)));
                }
                before = stored.seq;
                if stored.event.time.millis() < wanted.from.millis().saturating_sub(LATEST) {
                    return Ok(wanted.page(found, None));
                }
                if wanted.takes(context, &stored.event) {
                    found.push(shown(&stored.event));
                }
            }
            if ended {
                break;
            }
        }
        Ok(wanted.page(found, Some(before).filter(|_| !ended)))
    }
}

/// What is looked for.
struct Wanted {
    attribute: Option<LookupAttribute>,
    from: Timestamp,
    to: Timestamp,
    /// The place before which the page begins.
    before: i64,
    /// What a token must be for.
    fingerprint: String,
}

impl Wanted {
    fn read(context: &Context, input: &LookupEventsRequest) -> Result<Self, Failure> {
        let mut attributes = input.lookup_attributes.clone().unwrap_or_default();
        if attributes.len() > 1 {
            return Err(fault("InvalidLookupAttributesException", "Only one lookup attribute can be given."));
        }
        let attribute = attributes.pop();
        let oldest = Timestamp::from_millis(context.now.millis() - DAYS * 24 * 60 * 60 * 1000);
        let (from, to) = (input.start_time, input.end_time);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            let message = "The start time must not be after the end time.";
            return Err(fault("InvalidTimeRangeException", message));
        }
        let asked = format!(
            "{:?} {from:?} {to:?}",
            attribute.as_ref().map(|it| (it.attribute_key.as_str(), &it.attribute_value))
        );
        let fingerprint =
            hex::encode(digest(&SHA256, asked.as_bytes()).as_ref().get(..8).unwrap_or_default());
        let before = match &input.next_token {
            None => i64::MAX,
            Some(token) => place(token, &fingerprint).ok_or_else(|| {
                let message = "The token is not one of a lookup with the same attributes and times.";
                fault("InvalidNextTokenException", message)
            })?,
        };
        let from = from.unwrap_or(oldest).max(oldest);
        Ok(Self { attribute, from, to: to.unwrap_or(context.now), before, fingerprint })
    }

    /// Whether an event is one. Those that belong to no region are found in every one.
    fn takes(&self, context: &Context, event: &AuditEvent) -> bool {
        let region = &event.scope.region;
        let here = *region == context.scope.region || region.as_str() == "aws-global";
        here && is_management(event)
            && (self.from.seconds()..=self.to.seconds()).contains(&event.time.seconds())
            && self.attribute.as_ref().is_none_or(|attribute| fits(event, attribute))
    }

    fn page(&self, events: Vec<Event>, before: Option<i64>) -> LookupEventsResponse {
        let next_token =
            before.map(|before| URL_SAFE_NO_PAD.encode(format!("{}.{before}", self.fingerprint)));
        LookupEventsResponse { events: Some(events), next_token }
    }
}

/// The place in a token of the same lookup.
fn place(token: &str, fingerprint: &str) -> Option<i64> {
    let token = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (known, before) = token.split_once('.')?;
    before.parse().ok().filter(|_| known == fingerprint)
}

fn fits(event: &AuditEvent, attribute: &LookupAttribute) -> bool {
    let value = attribute.attribute_value.as_str();
    match attribute.attribute_key {
        LookupAttributeKey::EventId => event.event_id.as_str() == value,
        LookupAttributeKey::EventName => name(event) == value,
        LookupAttributeKey::ReadOnly => reads(event).to_string() == value,
        LookupAttributeKey::Username => user_name(event).as_deref() == Some(value),
        LookupAttributeKey::ResourceType => event.resource.as_deref().map(resource_type) == Some(value),
        LookupAttributeKey::ResourceName => event
            .resource
            .as_deref()
            .is_some_and(|arn| arn == value || arn.rsplit(['/', ':']).next() == Some(value)),
        LookupAttributeKey::EventSource => source(event) == value,
        LookupAttributeKey::AccessKeyId => {
            matches!(&event.actor, Actor::Iam { access_key_id, .. } if access_key_id == value)
        }
    }
}

fn shown(event: &AuditEvent) -> Event {
    let access_key_id = match &event.actor {
        Actor::Iam { access_key_id, .. } => Some(access_key_id.clone()),
        _ => None,
    };
    let resource = |arn: &String| Resource {
        resource_type: Some(resource_type(arn).to_owned()),
        resource_name: Some(arn.clone()),
    };
    Event {
        event_id: Some(event.event_id.to_string()),
        event_name: Some(name(event).to_owned()),
        read_only: Some(reads(event).to_string()),
        access_key_id,
        event_time: Some(Timestamp::from_seconds(event.time.seconds())),
        event_source: Some(source(event)),
        username: user_name(event),
        resources: Some(event.resource.iter().map(resource).collect()),
        cloud_trail_event: Some(record(event).to_string()),
    }
}

fn fault(code: &'static str, message: &str) -> Failure {
    Fault::new(code, message).into()
}
