//! Events as CSV (RFC 4180), for spreadsheets. Texts in events come from callers, and a spreadsheet takes a cell for a
//! formula that begins like one: such a cell begins with an apostrophe here (OWASP, "CSV Injection").

use domain::{Actor, AuditEvent};

use super::filter::trace_of;
use super::line::{decision, kind, outcome, who};

const COLUMNS: [&str; 19] = [
    "time",
    "eventId",
    "requestId",
    "kind",
    "account",
    "region",
    "actorType",
    "actor",
    "clientId",
    "sourceIp",
    "action",
    "resource",
    "tool",
    "decision",
    "outcome",
    "error",
    "policies",
    "reason",
    "traceId",
];

/// The first line.
pub(super) fn head() -> String {
    COLUMNS.join(",")
}

/// An event as a line.
pub(super) fn row(event: &AuditEvent) -> String {
    let (actor, client) = match &event.actor {
        Actor::Iam { .. } => ("iam", None),
        Actor::Token { client_id, .. } => ("token", client_id.as_deref()),
        Actor::Client { client_id } => ("client", Some(client_id.as_str())),
        Actor::System => ("system", None),
        Actor::Anonymous => ("anonymous", None),
    };
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells: [String; COLUMNS.len()] = [
        event.time.to_string(),
        event.event_id.to_string(),
        event.request_id.to_string(),
        kind(event.kind).to_owned(),
        event.scope.account.to_string(),
        event.scope.region.to_string(),
        actor.to_owned(),
        who(&event.actor),
        client.unwrap_or_default().to_owned(),
        some(&event.source_ip),
        event.action.clone(),
        some(&event.resource),
        some(&event.tool),
        decision(event.decision).to_owned(),
        outcome(event.outcome).to_owned(),
        some(&event.error),
        event.policies.join(" "),
        some(&event.reason),
        trace_of(event).unwrap_or_default().to_owned(),
    ];
    let cells: Vec<_> = cells.iter().map(|text| cell(text)).collect();
    cells.join(",")
}

fn cell(text: &str) -> String {
    let formula = text
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_none_ends_early() {
        for (text, wanted) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2,+3", "\"'-2,+3\""),
            ("+x", "'+x"),
            ("a \"b\"\nc", "\"a \"\"b\"\"\nc\""),
            ("\tx", "'\tx"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(cell(text), wanted);
        }
    }
}
