//! One event as a line for people, or as one of JSON.

use anstyle::{AnsiColor, Style};
use domain::{Actor, AuditEvent, AuditKind, Decision, Outcome};

use crate::terminal::{Failure, visible};

/// One event as a line of JSON.
pub(super) fn line_of_json(event: &AuditEvent) -> Result<String, Failure> {
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
    let (who, outcome) = (who(&event.actor), outcome(event.outcome));
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

/// Who asked, in one word.
pub(super) fn who(actor: &Actor) -> String {
    match actor {
        Actor::Iam { arn, .. } => arn.clone(),
        Actor::Token { subject, client_id, .. } => {
            subject.clone().or_else(|| client_id.clone()).unwrap_or_else(|| "?".to_owned())
        }
        Actor::Client { client_id } => client_id.clone(),
        Actor::System => "portcullis".to_owned(),
        Actor::Anonymous => "anonymous".to_owned(),
    }
}

/// A decision as the trail writes it.
pub(super) fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
        Decision::WouldDeny => "wouldDeny",
        Decision::None => "none",
    }
}

/// An outcome as the trail writes it.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Refused => "refused",
        Outcome::Failure => "failure",
        Outcome::Abandoned => "abandoned",
    }
}

/// The plane, as the trail writes it.
pub(super) fn kind(kind: AuditKind) -> &'static str {
    match kind {
        AuditKind::Control => "control",
        AuditKind::Gateway => "gateway",
        AuditKind::Token => "token",
        AuditKind::Runtime => "runtime",
    }
}

/// What callers named themselves must not steer the terminal.
pub(crate) fn plain(text: &str) -> String {
    visible(text)
}
