//! Counts the requests of one gateway, for whoever reads metrics: by method and by tool.
//!
//! What is counted is what AgentCore counts for a gateway ("AgentCore generated Gateway metrics"). Only methods that are
//! known and tools that exist have numbers of their own, so that no caller can make them many; a tool's name is counted
//! when its call was not denied, so that the numbers say nothing about tools that nobody may use.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use telemetry::{Family, Histogram, Kind, Label, Namespace, Point, PointValue};

/// How many numbers of one kind a gateway may have: ten times the tools that a target may have.
const SERIES: usize = 10_000;

/// What a request to a gateway was, and what came of it.
pub(crate) struct Handled<'a> {
    /// The protocol: `MCP` or `HTTP`.
    pub(crate) protocol: &'static str,
    /// The method, one of few.
    pub(crate) method: &'static str,
    /// The tool or the HTTP target, if there is one of that name.
    pub(crate) name: &'a str,
    pub(crate) result: HandledResult,
    /// Until the first thing was said.
    pub(crate) latency: Duration,
    /// Until the last.
    pub(crate) duration: Duration,
    /// The kind of target that was asked, and how long that took.
    pub(crate) target: Option<(&'static str, Duration)>,
}

/// What came of a request, as far as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandledResult {
    Good,
    /// A limit turned it away.
    Throttled,
    /// The caller's fault.
    UserError,
    /// Ours, or the target's.
    SystemError,
    /// The client went away.
    Abandoned,
}

/// The counts of one gateway.
#[derive(Default)]
pub(crate) struct Tally(Mutex<Methods>);

/// By protocol and method, then by name.
type Methods = HashMap<(&'static str, &'static str), HashMap<String, Counts>>;

#[derive(Default)]
struct Counts {
    invocations: u64,
    throttles: u64,
    user_errors: u64,
    system_errors: u64,
    latency: Histogram,
    duration: Histogram,
    target: Histogram,
    target_type: Option<&'static str>,
}

impl Tally {
    /// Counts a request.
    pub(crate) fn count(&self, handled: &Handled<'_>) {
        let Ok(mut methods) = self.0.lock() else { return };
        let names = methods.entry((handled.protocol, handled.method)).or_default();
        let counts = if let Some(counts) = names.get_mut(handled.name) {
            counts
        } else if names.len() < SERIES {
            names.entry(handled.name.to_owned()).or_default()
        } else {
            names.entry("(others)".to_owned()).or_default()
        };
        counts.invocations += 1;
        match handled.result {
            HandledResult::Good | HandledResult::Abandoned => {}
            HandledResult::Throttled => counts.throttles += 1,
            HandledResult::UserError => counts.user_errors += 1,
            HandledResult::SystemError => counts.system_errors += 1,
        }
        counts.latency.observe(handled.latency);
        counts.duration.observe(handled.duration);
        if let Some((kind, took)) = handled.target {
            counts.target.observe(took);
            counts.target_type = Some(kind);
        }
    }
}

/// A family and how its points are read.
struct Read {
    name: &'static str,
    aws_name: &'static str,
    help: &'static str,
    value: fn(&Counts) -> PointValue,
}

const COUNTERS: [Read; 4] = [
    Read {
        name: "invocations_total",
        aws_name: "Invocations",
        help: "Requests to gateways.",
        value: |counts| PointValue::Number(counts.invocations),
    },
    Read {
        name: "throttles_total",
        aws_name: "Throttles",
        help: "Requests that a limit turned away.",
        value: |counts| PointValue::Number(counts.throttles),
    },
    Read {
        name: "user_errors_total",
        aws_name: "UserErrors",
        help: "Requests that failed by their caller's fault, denials among them.",
        value: |counts| PointValue::Number(counts.user_errors),
    },
    Read {
        name: "system_errors_total",
        aws_name: "SystemErrors",
        help: "Requests that failed here or at their target.",
        value: |counts| PointValue::Number(counts.system_errors),
    },
];

const HISTOGRAMS: [Read; 3] = [
    Read {
        name: "latency_seconds",
        aws_name: "Latency",
        help: "From a request to the first of its answer.",
        value: |counts| PointValue::Histogram(counts.latency.value()),
    },
    Read {
        name: "duration_seconds",
        aws_name: "Duration",
        help: "From a request to the last of its answer.",
        value: |counts| PointValue::Histogram(counts.duration.value()),
    },
    Read {
        name: "target_execution_seconds",
        aws_name: "TargetExecutionTime",
        help: "How long targets took.",
        value: |counts| PointValue::Histogram(counts.target.value()),
    },
];

/// What the tallies of gateways have counted.
pub(crate) fn families(tallies: &[(&str, &Tally)]) -> Vec<Family> {
    let mut families = Vec::new();
    for (kind, reads) in [(Kind::Counter, &COUNTERS[..]), (Kind::Histogram, &HISTOGRAMS[..])] {
        for read in reads {
            families.push(family(read.name, read.aws_name, read.help, kind, tallies, |labels, counts| {
                Some(Point { labels, value: (read.value)(counts) })
            }));
        }
    }
    families.push(family(
        "target_type_total",
        "TargetType",
        "Requests by the type of their target.",
        Kind::Counter,
        tallies,
        |mut labels, counts| {
            labels.push(Label::new("target_type", "TargetType", counts.target_type?));
            Some(Point { labels, value: PointValue::Number(counts.target.value().count) })
        },
    ));
    families
}

fn family(
    name: &'static str,
    aws_name: &'static str,
    help: &'static str,
    kind: Kind,
    tallies: &[(&str, &Tally)],
    point: impl Fn(Vec<Label>, &Counts) -> Option<Point>,
) -> Family {
    let mut points = Vec::new();
    for (gateway, tally) in tallies {
        let Ok(methods) = tally.0.lock() else { continue };
        for ((protocol, method), names) in &*methods {
            for (name, counts) in names {
                let labels = vec![
                    Label::new("gateway", "Resource", *gateway),
                    Label::new("operation", "Operation", "InvokeGateway"),
                    Label::new("protocol", "Protocol", *protocol),
                    Label::new("method", "Method", *method),
                    Label::new("name", "Name", name.as_str()),
                ];
                points.extend(point(labels, counts));
            }
        }
    }
    // A map has no order; what is read has.
    let key = |point: &Point| point.labels.iter().map(|label| label.value.clone()).collect::<Vec<_>>();
    points.sort_by_cached_key(key);
    Family { namespace: Namespace::Gateway, name, aws_name, help, kind, points }
}

/// A method as it is counted: strangers' words are not.
pub(crate) fn method(action: &str) -> &'static str {
    const KNOWN: [&str; 21] = [
        "tools/call",
        "tools/list",
        "initialize",
        "ping",
        "server/discover",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "completion/complete",
        "logging/setLevel",
        "notifications/initialized",
        "notifications/cancelled",
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
    ];
    KNOWN.into_iter().find(|known| *known == action).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_were() {
        let tally = Tally::default();
        let second = Duration::from_secs(1);
        let handled = |name, result, target| Handled {
            protocol: "MCP",
            method: method("tools/call"),
            name,
            result,
            latency: second,
            duration: second,
            target,
        };
        tally.count(&handled("a___b", HandledResult::Good, Some(("Lambda", second))));
        tally.count(&handled("a___b", HandledResult::SystemError, Some(("Lambda", second))));
        tally.count(&handled("", HandledResult::UserError, None));
        tally.count(&handled("", HandledResult::Throttled, None));
        let text = telemetry::write_prometheus(&families(&[("gw-1", &tally)]));
        let of = |name: &str| {
            format!(
                "gateway=\"gw-1\",operation=\"InvokeGateway\",protocol=\"MCP\",method=\"tools/call\",name=\"{name}\""
            )
        };
        for line in [
            format!("portcullis_gateway_invocations_total{{{}}} 2", of("a___b")),
            format!("portcullis_gateway_system_errors_total{{{}}} 1", of("a___b")),
            format!("portcullis_gateway_user_errors_total{{{}}} 1", of("")),
            format!("portcullis_gateway_throttles_total{{{}}} 1", of("")),
            format!("portcullis_gateway_latency_seconds_count{{{}}} 2", of("a___b")),
            format!("portcullis_gateway_target_execution_seconds_sum{{{}}} 2", of("a___b")),
            format!("portcullis_gateway_target_type_total{{{},target_type=\"Lambda\"}} 2", of("a___b")),
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }

    #[test]
    fn names_do_not_grow_without_bound() {
        let tally = Tally::default();
        for number in 0..SERIES + 10 {
            tally.count(&Handled {
                protocol: "MCP",
                method: method("x"),
                name: &number.to_string(),
                result: HandledResult::Good,
                latency: Duration::ZERO,
                duration: Duration::ZERO,
                target: None,
            });
        }
        let families = families(&[("gw-1", &tally)]);
        let points = families.iter().find(|it| it.name == "invocations_total").unwrap().points.len();
        assert_eq!(points, SERIES + 1);
    }
}
