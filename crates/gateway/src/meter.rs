//! Counts what policies decide, for `/metrics`: by gateway and mode, and by policy for what is rare.
//!
//! What is counted is what AgentCore counts for a policy engine ("AgentCore generated Policy in AgentCore observability
//! data"), so each series says AWS's name in its help. A decision costs two additions; a lock is taken only for a policy
//! that failed or that does not bind. The counts belong to a gateway for as long as this process serves it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::{PolicyId, PolicyMode};

use telemetry::{Family, Histogram, Kind, Label, Namespace, Point, PointValue};

use crate::alarm::Alarms;
use crate::authorize::Decided;
use crate::tally::Tally;

/// How many policies of one gateway are counted by themselves: ten times what an engine may have.
const POLICIES: usize = 10_000;

/// The counts of one gateway.
#[derive(Default)]
pub(crate) struct Meter {
    /// The requests, whatever was decided.
    pub(crate) tally: Tally,
    enforce: Counts,
    log_only: Counts,
    policies: Mutex<BTreeMap<PolicyId, PolicyCounts>>,
    /// What the log was told of what failed.
    pub(crate) alarms: Alarms,
}

/// What was decided in one mode.
#[derive(Default)]
struct Counts {
    allowed: AtomicU64,
    denied: AtomicU64,
    undetermined: AtomicU64,
    determining: AtomicU64,
    latency: Histogram,
    mismatched: AtomicU64,
    mismatched_policies: AtomicU64,
    unavailable: AtomicU64,
    lists: AtomicU64,
}

/// What one policy did that is worth a count of its own.
#[derive(Clone, Copy, Default)]
struct PolicyCounts {
    mismatches: u64,
    matches: u64,
    flips: u64,
    incomplete: u64,
}

/// Numbers of one kind, for a person and for a machine.
struct Numbers<T> {
    name: &'static str,
    aws_name: &'static str,
    help: &'static str,
    read: fn(&T) -> u64,
}

const DECISIONS: [Numbers<Counts>; 6] = [
    Numbers {
        name: "undetermined_total",
        aws_name: "NoDeterminingPolicies",
        help: "Calls that were denied although no policy forbade them.",
        read: |counts| counts.undetermined.load(Ordering::Relaxed),
    },
    Numbers {
        name: "determining_policies_total",
        aws_name: "DeterminingPolicies",
        help: "Policies that decided, over all calls.",
        read: |counts| counts.determining.load(Ordering::Relaxed),
    },
    Numbers {
        name: "mismatch_errors_total",
        aws_name: "MismatchErrors",
        help: "Calls for which a policy failed to evaluate.",
        read: |counts| counts.mismatched.load(Ordering::Relaxed),
    },
    Numbers {
        name: "mismatched_policies_total",
        aws_name: "TotalMismatchedPolicies",
        help: "Policies that failed to evaluate, over all calls.",
        read: |counts| counts.mismatched_policies.load(Ordering::Relaxed),
    },
    Numbers {
        name: "unavailable_total",
        aws_name: "SystemErrors",
        help: "Calls for which no policy could be asked.",
        read: |counts| counts.unavailable.load(Ordering::Relaxed),
    },
    Numbers {
        name: "lists_total",
        aws_name: "PartiallyAuthorizeActions",
        help: "Lists of tools that policies were asked about.",
        read: |counts| counts.lists.load(Ordering::Relaxed),
    },
];

const POLICY: [Numbers<PolicyCounts>; 4] = [
    Numbers {
        name: "mismatches_total",
        aws_name: "PolicyMismatch",
        help: "Calls for which this policy failed to evaluate.",
        read: |counts| counts.mismatches,
    },
    Numbers {
        name: "log_only_matches_total",
        aws_name: "LogOnlyMatches",
        help: "Calls that this policy, which does not bind, matched.",
        read: |counts| counts.matches,
    },
    Numbers {
        name: "log_only_decision_flips_total",
        aws_name: "LogOnlyDecisionFlips",
        help: "Calls whose decision this policy would change if it were active.",
        read: |counts| counts.flips,
    },
    Numbers {
        name: "log_only_incomplete_total",
        aws_name: "LogOnlyEvalIncomplete",
        help: "Calls for which this policy, which does not bind, could not be evaluated.",
        read: |counts| counts.incomplete,
    },
];

impl Meter {
    /// Counts a call that was decided.
    pub(crate) fn decided(&self, mode: PolicyMode, decided: &Decided) {
        let counts = self.counts(mode);
        let add = |counter: &AtomicU64, more: usize| {
            counter.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
        };
        match decided.allowed {
            Some(true) => add(&counts.allowed, 1),
            Some(false) => {
                add(&counts.denied, 1);
                add(&counts.undetermined, usize::from(decided.policies.is_empty()));
            }
            None => return,
        }
        add(&counts.determining, decided.policies.len());
        if !decided.failed.is_empty() {
            add(&counts.mismatched, 1);
            add(&counts.mismatched_policies, decided.failed.len());
            self.count(&decided.failed, |policy| policy.mismatches += 1);
        }
        if let Some(observed) = &decided.observed {
            self.count(&observed.matched, |policy| policy.matches += 1);
            self.count(&observed.flips, |policy| policy.flips += 1);
            let failed: Vec<_> = observed.errors.iter().map(|error| error.policy.clone()).collect();
            self.count(&failed, |policy| policy.incomplete += 1);
        }
    }

    /// Counts a call about which nobody could be asked.
    pub(crate) fn unavailable(&self, mode: PolicyMode) {
        self.counts(mode).unavailable.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts how long a decision took.
    pub(crate) fn took(&self, mode: PolicyMode, took: Duration) {
        self.counts(mode).latency.observe(took);
    }

    /// Counts a list.
    pub(crate) fn listed(&self, mode: PolicyMode) {
        self.counts(mode).lists.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self, mode: PolicyMode) -> &Counts {
        match mode {
            PolicyMode::Enforce => &self.enforce,
            PolicyMode::LogOnly => &self.log_only,
        }
    }

    fn count(&self, policies: &[PolicyId], change: fn(&mut PolicyCounts)) {
        if policies.is_empty() {
            return;
        }
        let Ok(mut counted) = self.policies.lock() else { return };
        for policy in policies {
            if let Some(counts) = counted.get_mut(policy) {
                change(counts);
            } else if counted.len() < POLICIES {
                change(counted.entry(policy.clone()).or_default());
            }
        }
    }
}

/// The counts of gateways, by id.
pub(crate) fn families(meters: &[(&str, &Meter)]) -> Vec<Family> {
    let family = |name, aws_name, help, kind, points| Family {
        namespace: Namespace::Policy,
        name,
        aws_name,
        help,
        kind,
        points,
    };
    let mut decisions = Vec::new();
    let mut latencies = Vec::new();
    for (labels, counts) in modes(meters) {
        for (decision, count) in [("allow", &counts.allowed), ("deny", &counts.denied)] {
            let decision = Label::new("decision", "Decision", decision);
            let value = PointValue::Number(count.load(Ordering::Relaxed));
            decisions.push(Point { labels: [labels.clone(), vec![decision]].concat(), value });
        }
        latencies.push(Point { labels, value: PointValue::Histogram(counts.latency.value()) });
    }
    let help = "Calls that were decided (AllowDecisions, DenyDecisions)";
    let mut families = vec![family("decisions_total", "Invocations", help, Kind::Counter, decisions)];
    for numbers in &DECISIONS {
        let point = |(labels, counts): (Vec<Label>, &Counts)| Point {
            labels,
            value: PointValue::Number((numbers.read)(counts)),
        };
        let points = modes(meters).map(point).collect();
        families.push(family(numbers.name, numbers.aws_name, numbers.help, Kind::Counter, points));
    }
    for numbers in &POLICY {
        let mut points = Vec::new();
        for (gateway, meter) in meters {
            let Ok(policies) = meter.policies.lock() else { continue };
            points.extend(policies.iter().map(|(policy, counts)| Point {
                labels: vec![
                    Label::new("gateway", "TargetResource", *gateway),
                    Label::new("policy", "Policy", policy.to_string()),
                ],
                value: PointValue::Number((numbers.read)(counts)),
            }));
        }
        families.push(family(numbers.name, numbers.aws_name, numbers.help, Kind::Counter, points));
    }
    let help = "How long decisions took.";
    families.push(family("latency_seconds", "Latency", help, Kind::Histogram, latencies));
    families
}

/// What was decided in each mode, with what tells it apart.
fn modes<'m>(meters: &[(&str, &'m Meter)]) -> impl Iterator<Item = (Vec<Label>, &'m Counts)> {
    meters.iter().flat_map(|(gateway, meter)| {
        [("ENFORCE", &meter.enforce), ("LOG_ONLY", &meter.log_only)].map(|(mode, counts)| {
            let gateway = Label::new("gateway", "TargetResource", *gateway);
            (vec![gateway, Label::new("mode", "Mode", mode)], counts)
        })
    })
}

#[cfg(test)]
mod tests {
    use policy::{EvaluationError, Observation};

    use super::*;

    fn id(text: &str) -> PolicyId {
        PolicyId::from_text(text)
    }

    #[test]
    fn what_was_decided_is_counted_by_gateway_mode_and_policy() {
        let meter = Meter::default();
        let allowed = Decided { allowed: Some(true), policies: vec![id("p")], ..Decided::default() };
        meter.decided(PolicyMode::Enforce, &allowed);
        meter.decided(PolicyMode::Enforce, &allowed);
        let denied = Decided { allowed: Some(false), failed: vec![id("a"), id("b")], ..Decided::default() };
        meter.decided(PolicyMode::LogOnly, &denied);
        let observed = Observation {
            matched: vec![id("w")],
            flips: vec![id("w")],
            errors: vec![EvaluationError { policy: id("x"), message: String::new() }],
        };
        meter.decided(PolicyMode::Enforce, &Decided { observed: Some(observed), ..allowed });
        meter.decided(PolicyMode::Enforce, &Decided::default());
        meter.unavailable(PolicyMode::Enforce);
        meter.listed(PolicyMode::LogOnly);

        let text = telemetry::write_prometheus(&families(&[("gw-1", &meter), ("gw-2", &Meter::default())]));
        let numbers: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            numbers,
            [
                r#"portcullis_policy_decisions_total{gateway="gw-1",mode="ENFORCE",decision="allow"} 3"#,
                r#"portcullis_policy_decisions_total{gateway="gw-1",mode="LOG_ONLY",decision="deny"} 1"#,
                r#"portcullis_policy_undetermined_total{gateway="gw-1",mode="LOG_ONLY"} 1"#,
                r#"portcullis_policy_determining_policies_total{gateway="gw-1",mode="ENFORCE"} 3"#,
                r#"portcullis_policy_mismatch_errors_total{gateway="gw-1",mode="LOG_ONLY"} 1"#,
                r#"portcullis_policy_mismatched_policies_total{gateway="gw-1",mode="LOG_ONLY"} 2"#,
                r#"portcullis_policy_unavailable_total{gateway="gw-1",mode="ENFORCE"} 1"#,
                r#"portcullis_policy_lists_total{gateway="gw-1",mode="LOG_ONLY"} 1"#,
                r#"portcullis_policy_mismatches_total{gateway="gw-1",policy="a"} 1"#,
                r#"portcullis_policy_mismatches_total{gateway="gw-1",policy="b"} 1"#,
                r#"portcullis_policy_log_only_matches_total{gateway="gw-1",policy="w"} 1"#,
                r#"portcullis_policy_log_only_decision_flips_total{gateway="gw-1",policy="w"} 1"#,
                r#"portcullis_policy_log_only_incomplete_total{gateway="gw-1",policy="x"} 1"#,
            ]
        );
    }
}
