//! How many requests each runtime had, by what came of them, for those who read the metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::Outcome;
use telemetry::{Family, Kind, Label, Namespace, Point, PointValue};

/// The counts of all runtimes. Only runtimes that exist are counted, so strangers cannot make it grow.
#[derive(Default)]
pub(crate) struct Meter(Mutex<BTreeMap<(String, &'static str, &'static str), u64>>);

impl Meter {
    /// Counts one request.
    pub(crate) fn count(&self, runtime: &str, operation: &'static str, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Success => "success",
            Outcome::Refused => "refused",
            Outcome::Failure => "failure",
            Outcome::Abandoned => "abandoned",
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((runtime.to_owned(), operation, outcome)).or_default() += 1;
    }

    /// The counts, as they stand now.
    pub(crate) fn family(&self) -> Family {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let points = counts.iter().map(|((runtime, operation, outcome), count)| Point {
            labels: vec![
                Label::new("runtime", "Resource", runtime),
                Label::new("operation", "Operation", *operation),
                Label::new("outcome", "Outcome", *outcome),
            ],
            value: PointValue::Number(*count),
        });
        Family {
            namespace: Namespace::Runtime,
            name: "requests_total",
            aws_name: "Invocations",
            help: "Requests to agent runtimes",
            kind: Kind::Counter,
            points: points.collect(),
        }
    }
}
