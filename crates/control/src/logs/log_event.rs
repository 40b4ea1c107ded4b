//! Events: written by their owners, read in the order of their times.

use aws_shapes::logs::{
    FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent, GetLogEventsRequest,
    GetLogEventsResponse, InputLogEvent, LogEventOperations, OutputLogEvent, PutLogEventsRequest,
    PutLogEventsResponse, RejectedLogEventsInfo,
};
use domain::Timestamp;
use store::{LogEvent, LogQuery};

use super::filter::Pattern;
use super::named::{find, group_arn, name_of, stream_arn};
use super::{Logs, invalid, not_found};
use crate::context::Context;
use crate::fault::Failure;

/// What one call may write: bytes of messages with 26 for each (`PutLogEvents`).
const LARGEST_BATCH: usize = 1_048_576;
const OVERHEAD: usize = 26;
/// How old and how new an event may be, in milliseconds.
const OLDEST: i64 = 14 * 24 * 60 * 60 * 1000;
const NEWEST: i64 = 2 * 60 * 60 * 1000;
/// How many events a page has when the caller does not say.
const EVENTS: i64 = 10_000;
/// How many events one call looks at.
const LOOKED_AT: usize = 20_000;
/// How many of them at a time.
const AT_A_TIME: i64 = 1_000;

impl LogEventOperations<Context> for Logs {
    type Error = Failure;

    async fn put_log_events(
        &self,
        context: &Context,
        input: PutLogEventsRequest,
    ) -> Result<PutLogEventsResponse, Failure> {
        let (scope, group, stream) = (&context.scope, &input.log_group_name, &input.log_stream_name);
        check_batch(&input.log_events)?;
        let allowed = context.authorize(&stream_arn(scope, group, stream))?;
        let mut tx = allowed.begin().await?;
        find(&mut tx, scope, group).await?;
        if tx.log_stream(scope, group, stream).await?.is_none() {
            return Err(not_found("The specified log stream does not exist."));
        }
        let now = context.now.millis();
        let place = |outside: &dyn Fn(i64) -> bool| {
            let count = input.log_events.iter().filter(|event| outside(event.timestamp)).count();
            (count > 0).then(|| i64::try_from(count).unwrap_or(i64::MAX))
        };
        let too_old = place(&|time| time < now - OLDEST);
        let too_new = place(&|time| time > now + NEWEST);
        let all = i64::try_from(input.log_events.len()).unwrap_or(i64::MAX);
        for event in
            input.log_events.iter().filter(|it| (now - OLDEST..=now + NEWEST).contains(&it.timestamp))
        {
            let event = LogEvent {
                seq: 0,
                stream: stream.clone(),
                time: Timestamp::from_millis(event.timestamp),
                taken_at: context.now,
                message: event.message.clone(),
            };
            tx.insert_log_event(scope, group, &event).await?;
        }
        allowed.commit(tx).await?;
        let rejected = (too_old.is_some() || too_new.is_some()).then(|| RejectedLogEventsInfo {
            too_new_log_event_start_index: too_new.map(|count| all - count),
            too_old_log_event_end_index: too_old,
            expired_log_event_end_index: None,
        });
        Ok(PutLogEventsResponse {
            next_sequence_token: Some(context.request_id.to_string()),
            rejected_log_events_info: rejected,
        })
    }

    async fn get_log_events(
        &self,
        context: &Context,
        input: GetLogEventsRequest,
    ) -> Result<GetLogEventsResponse, Failure> {
        let scope = &context.scope;
        let group = name_of(context, input.log_group_name, input.log_group_identifier)?;
        let stream = &input.log_stream_name;
        let allowed = context.authorize(&stream_arn(scope, &group, stream))?;
        let mut tx = allowed.read().await?;
        find(&mut tx, scope, &group).await?;
        if tx.log_stream(scope, &group, stream).await?.is_none() {
            return Err(not_found("The specified log stream does not exist."));
        }
        let token = input.next_token.as_deref().map(|token| Place::read(token).ok_or_else(bad_token));
        let token = token.transpose()?;
        // A token says in which direction it goes; without one the newest page is the first.
        let newest_first = token.map_or(input.start_from_head != Some(true), |token| token.direction == 'b');
        let query = LogQuery {
            group: &group,
            stream: Some(stream),
            from: input.start_time.unwrap_or(0),
            until: input.end_time.unwrap_or(i64::MAX),
            past: token.map(|token| (token.time, token.seq)),
            newest_first,
            limit: input.limit.unwrap_or(EVENTS),
        };
        let mut found = tx.log_events(scope, &query).await?;
        if newest_first {
            found.reverse();
        }
        let at = |event: Option<&LogEvent>, direction| match (event, token) {
            (Some(event), _) => Place { direction, time: event.time.millis(), seq: event.seq },
            (None, Some(token)) => Place { direction, ..token },
            (None, None) => Place { direction, time: query.from, seq: -1 },
        };
        let (backward, forward) = (at(found.first(), 'b'), at(found.last(), 'f'));
        let events = found.into_iter().map(|event| OutputLogEvent {
            timestamp: Some(event.time.millis()),
            message: Some(event.message),
            ingestion_time: Some(event.taken_at.millis()),
        });
        Ok(GetLogEventsResponse {
            events: Some(events.collect()),
            next_forward_token: Some(forward.written()),
            next_backward_token: Some(backward.written()),
        })
    }

    async fn filter_log_events(
        &self,
        context: &Context,
        input: FilterLogEventsRequest,
    ) -> Result<FilterLogEventsResponse, Failure> {
        let scope = &context.scope;
        let group = name_of(context, input.log_group_name, input.log_group_identifier)?;
        let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default()).map_err(invalid)?;
        let (streams, prefix) = (input.log_stream_names, input.log_stream_name_prefix);
        if streams.is_some() && prefix.is_some() {
            return Err(invalid("logStreamNames and logStreamNamePrefix are mutually exclusive."));
        }
        let allowed = context.authorize(&group_arn(scope, &group))?;
        let mut tx = allowed.read().await?;
        find(&mut tx, scope, &group).await?;
        let token = input.next_token.as_deref().map(|token| Place::read(token).ok_or_else(bad_token));
        let mut past = token.transpose()?.map(|token| (token.time, token.seq));
        let most = usize::try_from(input.limit.unwrap_or(EVENTS)).unwrap_or_default();
        let wanted = |event: &LogEvent| {
            streams.as_ref().is_none_or(|streams| streams.contains(&event.stream))
                && prefix.as_ref().is_none_or(|prefix| event.stream.starts_with(prefix))
                && pattern.matches(&event.message)
        };
        let (mut events, mut looked_at, mut next) = (Vec::new(), 0, None);
        loop {
            let query = LogQuery {
                group: &group,
                stream: None,
                from: input.start_time.unwrap_or(0),
                until: input.end_time.map_or(i64::MAX, |end| end.saturating_add(1)),
                past,
                newest_first: false,
                limit: AT_A_TIME,
            };
            let found = tx.log_events(scope, &query).await?;
            let ended = i64::try_from(found.len()).unwrap_or(i64::MAX) < AT_A_TIME;
            for event in found {
                let place = (event.time.millis(), event.seq);
                past = Some(place);
                looked_at += 1;
                if wanted(&event) {
                    events.push(shown(event));
                }
                if events.len() >= most || looked_at >= LOOKED_AT {
                    next = Some(Place { direction: 'f', time: place.0, seq: place.1 }.written());
                    break;
                }
            }
            if ended || next.is_some() {
                break;
            }
        }
        Ok(FilterLogEventsResponse {
            events: Some(events),
            searched_log_streams: Some(Vec::new()),
            next_token: next,
        })
    }
}

fn shown(event: LogEvent) -> FilteredLogEvent {
    FilteredLogEvent {
        event_id: Some(format!("{:056}", event.seq)),
        log_stream_name: Some(event.stream),
        timestamp: Some(event.time.millis()),
        message: Some(event.message),
        ingestion_time: Some(event.taken_at.millis()),
    }
}

fn bad_token() -> Failure {
    invalid("The specified nextToken is invalid.")
}

fn check_batch(events: &[InputLogEvent]) -> Result<(), Failure> {
    let size: usize = events.iter().map(|event| event.message.len() + OVERHEAD).sum();
    if size > LARGEST_BATCH {
        return Err(invalid(format!("Upload too large: {size} bytes exceeds limit of {LARGEST_BATCH}")));
    }
    let mut pairs = events.iter().zip(events.iter().skip(1));
    if pairs.any(|(one, next)| one.timestamp > next.timestamp) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    Ok(())
}

/// A place among events, as a token names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// `f` for what comes after, `b` for what came before.
    direction: char,
    time: i64,
    seq: i64,
}

impl Place {
    fn read(token: &str) -> Option<Self> {
        let (direction, place) = token.split_once('/')?;
        let (time, seq) = place.split_once(':')?;
        let direction = match direction {
            "f" => 'f',
            "b" => 'b',
            _ => return None,
        };
        Some(Self { direction, time: time.parse().ok()?, seq: seq.parse().ok()? })
    }

    fn written(self) -> String {
        format!("{}/{}:{}", self.direction, self.time, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_are_written() {
        let place = Place { direction: 'b', time: 5, seq: -1 };
        assert_eq!(Place::read(&place.written()), Some(place));
        for wrong in ["", "f/", "x/1:2", "f/1", "f/a:b"] {
            assert_eq!(Place::read(wrong), None, "{wrong}");
        }
    }
}
