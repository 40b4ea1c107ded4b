//! `portcullis audit`: the audit trail, read beside the running server.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use domain::{Actor, AuditEvent, Decision, Outcome};
use store::{AuditFilter, Store};

use super::open::{block_on, open};
use crate::command_line::{Audit, AuditVerb};
use crate::terminal::{Failure, say};

/// How often new events are looked for.
const INTERVAL: Duration = Duration::from_millis(300);

/// Shows events.
pub(crate) fn run(arguments: Audit) -> Result<(), Failure> {
    let AuditVerb::Tail { settings, lines, follow, account, json } = arguments.verb;
    block_on(async {
        let opened = open(&settings).await?;
        let mut filter = AuditFilter { account, ..AuditFilter::default() };
        filter.after = place_before_last(&opened.store, &filter, lines).await?;
        loop {
            let events = opened.store.events(&filter, 1000).await?;
            for stored in &events {
                filter.after = stored.seq;
                say(if json { line_of_json(&stored.event)? } else { line(&stored.event) })?;
            }
            match (follow, events.is_empty()) {
                (false, true) => return Ok(()),
                (true, true) => tokio::time::sleep(INTERVAL).await,
                (_, false) => {}
            }
        }
    })
}

/// Where the last `count` events that the filter lets through begin.
async fn place_before_last(store: &Store, filter: &AuditFilter, count: u32) -> Result<i64, Failure> {
    if filter.account.is_none() {
        return Ok(store.place_before_last(i64::from(count)).await?);
    }
    let mut last = std::collections::VecDeque::new();
    let mut reading = filter.clone();
    loop {
        let events = store.events(&reading, 1000).await?;
        let Some(newest) = events.last() else { break };
        reading.after = newest.seq;
        for stored in events {
            last.push_back(stored.seq);
            if last.len() > usize::try_from(count).unwrap_or(usize::MAX) {
                last.pop_front();
            }
        }
    }
    Ok(last.front().map_or(reading.after, |first| first - 1))
}

fn line_of_json(event: &AuditEvent) -> Result<String, Failure> {
    serde_json::to_string(event).map_err(|error| Failure::new(error.to_string()))
}

/// One event as a line: when, what was decided, who, what, with what outcome.
pub(crate) fn line(event: &AuditEvent) -> String {
    let (word, colour) = match event.decision {
        Decision::Allow => ("allow", AnsiColor::Green),
        Decision::Deny => ("DENY", AnsiColor::Red),
        Decision::WouldDeny => ("would-deny", AnsiColor::Yellow),
        Decision::None => ("-", AnsiColor::BrightBlack),
    };
    let style = Style::new().fg_color(Some(colour.into()));
    let who = match &event.actor {
        Actor::Iam { arn, .. } => arn.clone(),
        Actor::Token { subject, client_id, .. } => {
            subject.clone().or_else(|| client_id.clone()).unwrap_or_else(|| "?".to_owned())
        }
        Actor::Client { client_id } => client_id.clone(),
        Actor::System => "portcullis".to_owned(),
        Actor::Anonymous => "anonymous".to_owned(),
    };
    let outcome = match event.outcome {
        Outcome::Success => "success",
        Outcome::Refused => "refused",
        Outcome::Failure => "failure",
        Outcome::Abandoned => "abandoned",
    };
    let mut line = format!("{}  {style}{word:<10}{style:#} {}", event.time, plain(&event.action));
    if let Some(tool) = &event.tool {
        line.push_str(&format!(" {}", plain(tool)));
    }
    line.push_str(&format!("  by {}  {outcome}", plain(&who)));
    if let Some(error) = &event.error {
        line.push_str(&format!(" ({})", plain(error)));
    }
    if !event.policies.is_empty() {
        line.push_str(&format!("  policies {}", plain(&event.policies.join(", "))));
    }
    if let Some(reason) = &event.reason {
        line.push_str(&format!("  because {}", plain(reason)));
    }
    line.push_str(&format!("  {} µs", event.latency_us));
    line
}

/// What callers named themselves must not steer the terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
