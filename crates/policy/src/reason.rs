//! The words in which a decision is told.
//!
//! There are two. The audit trail learns which policies decided. The caller learns one sentence, the same for
//! every denial: which policies exist, which failed, and whether a tool exists at all are not for callers.

use crate::decide::{Decision, Reason};

/// What AgentCore says when no policy matches, and what a caller is told of every denial. It stands in the
/// brackets of `Tool Execution Denied: Tool call not allowed due to policy enforcement [..]`.
pub const DENIED: &str = "No policy applies to the request (denied by default).";

impl Decision {
    /// Why, for the audit trail: the policies by id, the argument by name. Never a value.
    #[must_use]
    pub fn audit_text(&self) -> String {
        match &self.reason {
            Reason::PermittedBy => format!("Policy evaluation allowed due to {}", self.list_determining()),
            Reason::ForbiddenBy => format!("Policy evaluation denied due to {}", self.list_determining()),
            Reason::DefaultDeny if self.errors.is_empty() => DENIED.to_owned(),
            Reason::DefaultDeny => format!("{DENIED} Policies that failed: {}", self.list_errors()),
            Reason::ForbidFailed => format!("Policy evaluation failed: {}", self.list_errors()),
            reason @ (Reason::Unseen(_) | Reason::Arguments(_)) => {
                let why = unreadable(reason).unwrap_or_default();
                format!("Policy evaluation was not possible: {why}")
            }
        }
    }

    /// Why, for the caller: `None` when the call is allowed, and otherwise always [`DENIED`].
    #[must_use]
    pub fn caller_text(&self) -> Option<&'static str> {
        (!self.allow).then_some(DENIED)
    }

    fn list_determining(&self) -> String {
        let ids: Vec<&str> = self.determining.iter().map(domain::PolicyId::as_str).collect();
        ids.join(", ")
    }

    fn list_errors(&self) -> String {
        let errors: Vec<String> =
            self.errors.iter().map(|error| format!("{} ({})", error.policy, error.message)).collect();
        errors.join(", ")
    }
}

/// What of the arguments cannot be read: by name, never a value. `None` when that is not the reason.
pub(crate) fn unreadable(reason: &Reason) -> Option<String> {
    match reason {
        Reason::Unseen(argument) => Some(format!(
            "a forbid asks about argument `{argument}`, which the tool's input schema no longer lets policies read"
        )),
        Reason::Arguments(error) => Some(error.to_string()),
        _ => None,
    }
}
