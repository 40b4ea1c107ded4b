//! Says aloud that policies fail, and not at every call: a policy that fails once mostly fails always, and a log that
//! repeats it a thousand times a second hides everything else.
//!
//! Each policy is named at once and then at most once a minute, with how many times it was left out since. What is
//! counted for `/metrics` and what the audit trail has of each call is all of it, whatever is said here.

use std::collections::BTreeMap;
use std::sync::Mutex;

use domain::{PolicyMode, Timestamp};
use policy::{Decision, Reason};

use crate::snapshot::Gate;

/// How long nothing is said of what was said, in seconds.
const SILENCE: i64 = 60;
/// How many subjects are remembered. Beyond them they share one, which is said as seldom as any.
const SUBJECTS: usize = 10_000;

/// What was said of one gateway. It outlives a change of its configuration.
#[derive(Default)]
pub(crate) struct Alarms(Mutex<BTreeMap<(bool, String), Said>>);

/// When something was said, and how often it was not said since.
struct Said {
    at: Timestamp,
    left_out: u64,
}

impl Alarms {
    /// Whether to say something about a subject now: how many times it was left out since it was said; `None` when it is
    /// to be left out. What happens in one mode is not said by what happened in the other.
    fn due(&self, mode: PolicyMode, subject: &str, now: Timestamp) -> Option<u64> {
        let Ok(mut said) = self.0.lock() else { return Some(0) };
        let binds = mode == PolicyMode::Enforce;
        let mut key = (binds, subject.to_owned());
        if said.len() >= SUBJECTS && !said.contains_key(&key) {
            said.retain(|_, said| now.seconds() - said.at.seconds() < SILENCE || said.left_out > 0);
            if said.len() >= SUBJECTS {
                key = (binds, String::new());
            }
        }
        match said.get_mut(&key) {
            Some(known) if now.seconds() - known.at.seconds() < SILENCE => {
                known.left_out = known.left_out.saturating_add(1);
                None
            }
            Some(known) => {
                known.at = now;
                Some(std::mem::take(&mut known.left_out))
            }
            None => {
                said.insert(key, Said { at: now, left_out: 0 });
                Some(0)
            }
        }
    }
}

/// Says that policies failed, where they did. What they decide is denied where decisions bind; where they do not, the call
/// is made, and this is how somebody hears of it before they do.
pub(crate) fn failed(gate: &Gate, mode: PolicyMode, tool: &str, decision: &Decision, now: Timestamp) {
    for error in &decision.errors {
        let Some(left_out) = gate.alarms().due(mode, error.policy.as_str(), now) else { continue };
        tracing::warn!(
            gateway.id = %gate.gateway.id, mode = ?mode, tool, policy.id = %error.policy, reason = %error.message, left_out,
            "A policy failed to evaluate."
        );
    }
    if matches!(decision.reason, Reason::Unseen(_))
        && let Some(left_out) = gate.alarms().due(mode, tool, now)
    {
        let reason = decision.audit_text();
        tracing::warn!(
            gateway.id = %gate.gateway.id, mode = ?mode, tool, %reason, left_out, "A policy cannot be asked about a tool."
        );
    }
}

/// Says that no policy could be asked.
pub(crate) fn unavailable(gate: &Gate, mode: PolicyMode, problem: &str, now: Timestamp) {
    let Some(left_out) = gate.alarms().due(mode, "", now) else { return };
    tracing::error!(
        gateway.id = %gate.gateway.id, mode = ?mode, error = %problem, left_out, "The policies cannot be evaluated."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_named_once_a_minute_with_what_was_left_out() {
        let alarms = Alarms::default();
        let due = |mode, policy: &str, second| alarms.due(mode, policy, Timestamp::from_seconds(second));
        let bound = PolicyMode::Enforce;
        assert_eq!(due(bound, "a", 100), Some(0));
        assert_eq!(due(bound, "a", 100), None);
        assert_eq!(due(bound, "a", 159), None);
        assert_eq!(due(bound, "b", 159), Some(0), "another policy is named at once");
        assert_eq!(due(PolicyMode::LogOnly, "a", 159), Some(0), "so is the same in the other mode");
        assert_eq!(due(bound, "a", 160), Some(2));
        assert_eq!(due(bound, "a", 161), None);
        assert_eq!(due(bound, "a", 400), Some(1));
        assert_eq!(due(bound, "a", 500), Some(0), "what was told is not told again");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let alarms = Alarms::default();
        let due = |subject: usize, second| {
            alarms.due(PolicyMode::Enforce, &format!("p{subject}"), Timestamp::from_seconds(second))
        };
        let told = (0..SUBJECTS + 100).filter(|subject| due(*subject, 100).is_some()).count();
        assert_eq!(told, SUBJECTS + 1, "those beyond are said once together");
        assert_eq!(alarms.0.lock().unwrap().len(), SUBJECTS + 1);
        assert_eq!(due(SUBJECTS + 500, 200), Some(0), "old ones make room");
    }
}
