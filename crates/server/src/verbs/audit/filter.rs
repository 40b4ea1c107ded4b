//! Which events are wanted: the same filters for every verb.

use std::str::FromStr;

use clap::Args;
use domain::{Actor, AuditEvent, Clock};
use store::{AuditFilter, Store};

use super::line::{decision, kind, outcome};
use crate::terminal::Failure;
use crate::verbs::policy::period::Since;

/// Filters. An event must pass all of them; in texts, `*` stands for anything.
#[derive(Args, Clone, Default)]
pub(super) struct Filters {
    /// Only events of this caller: an ARN, a user's name, a `sub` or a client id
    #[arg(long, value_name = "WHO")]
    principal: Option<Pattern>,
    /// Only events of tokens with this `sub`
    #[arg(long, value_name = "SUB")]
    sub: Option<Pattern>,
    /// Only events of this OAuth client
    #[arg(long, value_name = "CLIENT")]
    client: Option<Pattern>,
    /// Only events about this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<Pattern>,
    /// Only events of this action, such as tools/call or bedrock-agentcore:CreateGateway
    #[arg(long, value_name = "ACTION")]
    action: Option<Pattern>,
    /// Only events about this resource: its ARN, or how its ARN ends
    #[arg(long, value_name = "ARN")]
    resource: Option<Pattern>,
    /// Only events so decided: allow, deny, wouldDeny or none
    #[arg(long, value_name = "DECISION")]
    decision: Option<Word<Decisions>>,
    /// Only events that came to this: success, refused, failure or abandoned
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<Word<Outcomes>>,
    /// Only events of this kind, such as control, gateway or token
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only events whose error is this
    #[arg(long, value_name = "ERROR")]
    error: Option<Pattern>,
    /// Only the event or the request with this id
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Only events of requests in this trace: 32 hexadecimal digits
    #[arg(long, value_name = "TRACE")]
    trace_id: Option<TraceId>,
    /// Only events of this account
    #[arg(long, value_name = "DIGITS")]
    account: Option<String>,
    /// Only events from this moment on: 90m, 24h, 7d or 2026-11-21T09:30:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Only events before this moment
    #[arg(long, value_name = "WHEN")]
    until: Option<Since>,
}

impl Filters {
    /// What the database can filter, and where the trail is begun.
    pub(super) async fn range(&self, store: &Store, clock: &dyn Clock) -> Result<AuditFilter, Failure> {
        let after = match self.since {
            Some(since) => store.place_before(since.before(clock.now())).await?,
            None => 0,
        };
        Ok(AuditFilter {
            after,
            account: self.account.clone(),
            kind: self.kind.clone(),
            ..AuditFilter::default()
        })
    }

    /// Whether there is nothing to filter but the account.
    pub(super) fn is_open(&self) -> bool {
        let Self { principal, sub, client, tool, action, resource, .. } = self;
        let Self { decision, outcome, kind, error, id, trace_id, since, until, .. } = self;
        let texts = [principal, sub, client, tool, action, resource, error];
        texts.iter().all(|it| it.is_none())
            && decision.is_none()
            && outcome.is_none()
            && kind.is_none()
            && id.is_none()
            && trace_id.is_none()
            && since.is_none()
            && until.is_none()
    }

    /// Whether an event passes.
    pub(super) fn pass(&self, event: &AuditEvent, clock: &dyn Clock) -> bool {
        let now = clock.now();
        let text = |wanted: &Option<Pattern>, found: &[Option<&str>]| {
            wanted.as_ref().is_none_or(|wanted| found.iter().flatten().any(|it| wanted.matches(it)))
        };
        let (sub, client, principals) = names(&event.actor);
        text(&self.principal, &principals)
            && text(&self.sub, &[sub])
            && text(&self.client, &[client])
            && text(&self.tool, &[event.tool.as_deref()])
            && text(&self.action, &[Some(&event.action), event.action.split_once(':').map(|(_, name)| name)])
            && text(&self.resource, &endings(event.resource.as_deref()))
            && text(&self.error, &[event.error.as_deref()])
            && self.decision.as_ref().is_none_or(|wanted| wanted.0 == decision(event.decision))
            && self.outcome.as_ref().is_none_or(|wanted| wanted.0 == outcome(event.outcome))
            && self.kind.as_ref().is_none_or(|wanted| wanted == kind(event.kind))
            && self
                .id
                .as_ref()
                .is_none_or(|id| id == event.event_id.as_str() || id == event.request_id.as_str())
            && self.trace_id.as_ref().is_none_or(|wanted| Some(wanted.0.as_str()) == trace_of(event))
            && self.account.as_ref().is_none_or(|account| account == event.scope.account.as_str())
            && self.since.is_none_or(|since| event.time >= since.before(now))
            && self.until.is_none_or(|until| event.time < until.before(now))
    }
}

/// `sub`, the client, and everything that a caller can be called.
fn names(actor: &Actor) -> (Option<&str>, Option<&str>, Vec<Option<&str>>) {
    match actor {
        Actor::Iam { arn, access_key_id, .. } => {
            let name = arn.rsplit_once('/').map(|(_, name)| name);
            (None, None, vec![Some(arn), Some(access_key_id), name])
        }
        Actor::Token { subject, client_id, .. } => {
            let (subject, client) = (subject.as_deref(), client_id.as_deref());
            (subject, client, vec![subject, client])
        }
        Actor::Client { client_id } => (None, Some(client_id), vec![Some(client_id)]),
        Actor::System => (None, None, vec![Some("system"), Some("portcullis")]),
        Actor::Anonymous => (None, None, vec![Some("anonymous")]),
    }
}

/// An ARN, and what stands after its account and after its last slash.
fn endings(arn: Option<&str>) -> Vec<Option<&str>> {
    let Some(arn) = arn else { return Vec::new() };
    vec![Some(arn), arn.splitn(6, ':').nth(5), arn.rsplit_once('/').map(|(_, name)| name)]
}

/// The trace that the request belonged to.
pub(super) fn trace_of(event: &AuditEvent) -> Option<&str> {
    event.call.as_ref()?.trace.as_ref().map(|trace| trace.trace_id.as_str())
}

/// A trace by its name, as events write it.
#[derive(Clone)]
struct TraceId(String);

impl FromStr for TraceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_one = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_one {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err("a trace is named by 32 hexadecimal digits: the second part of a `traceparent`".to_owned())
    }
}

/// A text in which `*` stands for anything.
#[derive(Clone)]
struct Pattern(String);

impl FromStr for Pattern {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl Pattern {
    /// Takes the shortest match of each part in turn, so that no text takes long.
    fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some(at) = rest.find(part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        true
    }
}

/// One of a few words.
#[derive(Clone)]
struct Word<L>(&'static str, std::marker::PhantomData<L>);

trait Words {
    const ALL: &'static [&'static str];
}

#[derive(Clone)]
struct Decisions;

impl Words for Decisions {
    const ALL: &'static [&'static str] = &["allow", "deny", "wouldDeny", "none"];
}

#[derive(Clone)]
struct Outcomes;

impl Words for Outcomes {
    const ALL: &'static [&'static str] = &["success", "refused", "failure", "abandoned"];
}

impl<L: Words> FromStr for Word<L> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |word: &str| word.to_ascii_lowercase().replace('-', "");
        let found = L::ALL.iter().find(|word| plain(word) == plain(text));
        let word = found.ok_or_else(|| format!("`{text}` is none of {}", L::ALL.join(", ")))?;
        Ok(Self(word, std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use domain::{AccountId, AuditTrace, Scope};

    use super::super::line::line_of_json;
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let matches = |pattern: &str, text: &str| Pattern(pattern.to_owned()).matches(text);
        for (pattern, text) in [
            ("a", "a"),
            ("*", ""),
            ("*", "x"),
            ("a*", "ab"),
            ("*b", "ab"),
            ("a*c*e", "abcde"),
            ("**", "x"),
            ("a*a", "aa"),
            ("*tools*", "my tools!"),
            ("", ""),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("a", "ab"), ("a", "A"), ("a*a", "a"), ("a*c*e", "aec"), ("", "x"), ("*b", "ba")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn words_are_read_as_people_write_them() {
        assert_eq!("would-deny".parse::<Word<Decisions>>().unwrap().0, "wouldDeny");
        assert_eq!("AB".repeat(16).parse::<TraceId>().unwrap().0, "ab".repeat(16));
        assert!("*".parse::<TraceId>().is_err() && "0x".repeat(16).parse::<TraceId>().is_err());
        assert!("maybe".parse::<Word<Outcomes>>().err().unwrap().contains("success, refused"));
    }

    /// Events that were written before there were traces in them are read and written letter by letter as they were.
    #[test]
    fn a_request_is_found_by_its_trace() {
        let clock = domain::FixedClock::at(domain::Timestamp::default());
        let random = domain::FixedRandom::default();
        let mut event = AuditEvent::of_system("x", &Scope::global(&AccountId::first()), clock.now(), &random);
        let former = r#"{"userAgent":"a","status":200}"#;
        event.call = Some(serde_json::from_str(former).unwrap());
        let wanted = Filters { trace_id: Some("Ab".repeat(16).parse().unwrap()), ..Filters::default() };
        assert!(!wanted.is_open() && !wanted.pass(&event, &clock));
        assert!(line_of_json(&event).unwrap().contains(&format!(r#""call":{former}"#)));

        let trace = AuditTrace { trace_id: "ab".repeat(16), span_id: "cd".repeat(8) };
        event.call.as_mut().unwrap().trace = Some(trace);
        assert!(wanted.pass(&event, &clock));
        assert!(line_of_json(&event).unwrap().contains(r#""trace":{"traceId":"abab"#));
        let other = Filters { trace_id: Some("cd".repeat(16).parse().unwrap()), ..Filters::default() };
        assert!(!other.pass(&event, &clock));
    }
}
