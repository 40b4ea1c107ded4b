//! What the audit trail is told of a decision: which policies decided, and of a plain denial the permit that came nearest.
//!
//! Callers learn none of it. The words are found for denials alone, by bounded work
//! ([`policy::Engine::nearest_permit`]), and hold no value of the call.

use policy::{Call, Decision, Engine, Principal, Reason};

use crate::authorize::Decided;

/// Why, for the audit trail: nothing for a plain permit, whose policies say it all.
pub(crate) fn reason(
    engine: &Engine,
    principal: &Principal,
    call: &Call<'_>,
    decision: &Decision,
) -> Option<String> {
    if decision.allow && decision.errors.is_empty() {
        return None;
    }
    Some(told(engine, principal, call, decision))
}

/// The denial of a call whose tool is not in the caller's list. No arguments could have changed it, and they were not held
/// against the tool's schema.
pub(crate) fn unlisted(
    engine: &Engine,
    principal: &Principal,
    call: &Call<'_>,
    decision: Decision,
    binds: bool,
) -> Decided {
    let reason = match decision.reason {
        // What is wrong with the arguments is not why.
        Reason::Arguments(_) | Reason::PermittedBy => {
            with_nearest(engine, principal, call, policy::DENIED.to_owned())
        }
        _ => told(engine, principal, call, &decision),
    };
    let policies = if decision.allow { Vec::new() } else { decision.determining };
    Decided { allowed: Some(false), binds, policies, reason: Some(reason), ..Decided::default() }
}

fn told(engine: &Engine, principal: &Principal, call: &Call<'_>, decision: &Decision) -> String {
    let text = decision.audit_text();
    match decision.reason {
        Reason::DefaultDeny => with_nearest(engine, principal, call, text),
        _ => text,
    }
}

fn with_nearest(engine: &Engine, principal: &Principal, call: &Call<'_>, text: String) -> String {
    match engine.nearest_permit(principal, call) {
        Some(nearest) => format!("{text} {}", nearest.audit_text()),
        None => text,
    }
}
