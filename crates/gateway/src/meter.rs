//! Counts what policies decide, for `/metrics`: by gateway and mode, and by policy for what is rare.
//!
//! What is counted is what AgentCore counts for a policy engine ("AgentCore generated Policy in AgentCore observability
//! data"), so each series says AWS's name in its help. A decision costs two additions; a lock is taken only for a policy
//! that failed or that does not bind. The counts belong to a gateway for as long as this process serves it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{PolicyId, PolicyMode};

use crate::authorize::Decided;

/// How many policies of one gateway are counted by themselves: ten times what an engine may have.
const POLICIES: usize = 10_000;

/// The counts of one gateway.
#[derive(Default)]
pub(crate) struct Meter {
    enforce: Counts,
    log_only: Counts,
    policies: Mutex<BTreeMap<PolicyId, PolicyCounts>>,
}

/// What was decided in one mode.
#[derive(Default)]
struct Counts {
    allowed: AtomicU64,
    denied: AtomicU64,
    undetermined: AtomicU64,
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
struct Family<T> {
    name: &'static str,
    help: &'static str,
    /// What tells its numbers apart from others of the same family, if anything.
    label: &'static str,
    read: fn(&T) -> u64,
}

const DECISIONS: [Family<Counts>; 7] = [
    Family {
        name: "decisions_total",
        help: "Calls that were decided (AllowDecisions, DenyDecisions).",
        label: ",decision=\"allow\"",
        read: |counts| counts.allowed.load(Ordering::Relaxed),
    },
    Family {
        name: "decisions_total",
        help: "",
        label: ",decision=\"deny\"",
        read: |counts| counts.denied.load(Ordering::Relaxed),
    },
    Family {
        name: "undetermined_total",
        help: "Calls that were denied although no policy forbade them (NoDeterminingPolicies).",
        label: "",
        read: |counts| counts.undetermined.load(Ordering::Relaxed),
    },
    Family {
        name: "mismatch_errors_total",
        help: "Calls for which a policy failed to evaluate (MismatchErrors).",
        label: "",
        read: |counts| counts.mismatched.load(Ordering::Relaxed),
    },
    Family {
        name: "mismatched_policies_total",
        help: "Policies that failed to evaluate, over all calls (TotalMismatchedPolicies).",
        label: "",
        read: |counts| counts.mismatched_policies.load(Ordering::Relaxed),
    },
    Family {
        name: "unavailable_total",
        help: "Calls for which no policy could be asked (SystemErrors).",
        label: "",
        read: |counts| counts.unavailable.load(Ordering::Relaxed),
    },
    Family {
        name: "lists_total",
        help: "Lists of tools that policies were asked about (PartiallyAuthorizeActions).",
        label: "",
        read: |counts| counts.lists.load(Ordering::Relaxed),
    },
];

const POLICY: [Family<PolicyCounts>; 4] = [
    Family {
        name: "mismatches_total",
        help: "Calls for which this policy failed to evaluate (PolicyMismatch).",
        label: "",
        read: |counts| counts.mismatches,
    },
    Family {
        name: "log_only_matches_total",
        help: "Calls that this policy, which does not bind, matched (LogOnlyMatches).",
        label: "",
        read: |counts| counts.matches,
    },
    Family {
        name: "log_only_decision_flips_total",
        help: "Calls whose decision this policy would change if it were active (LogOnlyDecisionFlips).",
        label: "",
        read: |counts| counts.flips,
    },
    Family {
        name: "log_only_incomplete_total",
        help: "Calls for which this policy, which does not bind, could not be evaluated (LogOnlyEvalIncomplete).",
        label: "",
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

/// The counts of gateways, by id, in the text format that Prometheus reads (version 0.0.4). What never happened is left
/// out, as is a gateway of which nothing was asked.
pub(crate) fn render<'m>(meters: &(impl Iterator<Item = (&'m str, &'m Meter)> + Clone)) -> String {
    let mut text = String::new();
    for family in &DECISIONS {
        let mut numbers = Vec::new();
        for (gateway, meter) in meters.clone() {
            for (mode, counts) in [("ENFORCE", &meter.enforce), ("LOG_ONLY", &meter.log_only)] {
                let labels = format!("gateway=\"{gateway}\",mode=\"{mode}\"{}", family.label);
                numbers.push((labels, (family.read)(counts)));
            }
        }
        write_family(&mut text, family.name, family.help, &numbers);
    }
    for family in &POLICY {
        let mut numbers = Vec::new();
        for (gateway, meter) in meters.clone() {
            let Ok(policies) = meter.policies.lock() else { continue };
            for (policy, counts) in &*policies {
                numbers.push((format!("gateway=\"{gateway}\",policy=\"{policy}\""), (family.read)(counts)));
            }
        }
        write_family(&mut text, family.name, family.help, &numbers);
    }
    text
}

/// Ids are letters, digits, `-` and `_`: nothing of them needs an escape.
fn write_family(text: &mut String, name: &str, help: &str, numbers: &[(String, u64)]) {
    if !help.is_empty() {
        text.push_str(&format!(
            "# HELP portcullis_policy_{name} {help}\n# TYPE portcullis_policy_{name} counter\n"
        ));
    }
    for (labels, number) in numbers.iter().filter(|(_, number)| *number > 0) {
        text.push_str(&format!("portcullis_policy_{name}{{{labels}}} {number}\n"));
    }
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

        let text = render(&[("gw-1", &meter), ("gw-2", &Meter::default())].into_iter());
        let numbers: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            numbers,
            [
                r#"portcullis_policy_decisions_total{gateway="gw-1",mode="ENFORCE",decision="allow"} 3"#,
                r#"portcullis_policy_decisions_total{gateway="gw-1",mode="LOG_ONLY",decision="deny"} 1"#,
                r#"portcullis_policy_undetermined_total{gateway="gw-1",mode="LOG_ONLY"} 1"#,
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
