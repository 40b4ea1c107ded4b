//! IAM policy documents: parsed, compiled once, evaluated, explained.
//!
//! A document becomes a [`Policy`] or a [`MalformedPolicy`] that says what is wrong, where, and what to do.
//! [`evaluate`] answers a [`Question`] (who, which action, which resource, in which [`Context`]) from the
//! [`PolicySets`] that apply to it, and [`evaluate_trust`] answers whether a role may be assumed. The
//! [`Verdict`] names the statement that decided, or the kind of policy that was missing an allow, in AWS's
//! words, with the statements that nearly allowed it.
//!
//! Nothing here does I/O, reads a clock or knows a store: whoever asks brings the policies and the context.
//! Source: the IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic" and the
//! "IAM JSON policy elements reference". Not covered: service control policies, resource control policies
//! and endpoint policies, which Portcullis does not have.

mod evaluate;
mod question;
mod verdict;

mod explain;
mod matching;
mod outline;
mod place;

mod policy;

mod document;
mod malformed;

mod action;
mod principal;
mod resource;

mod condition;
mod context;

mod arn_pattern;
mod pattern;

#[cfg(test)]
mod tests;

pub use context::Context;
pub use evaluate::{evaluate, evaluate_trust};
pub use explain::{FailedCondition, Miss, NearMiss};
pub use malformed::MalformedPolicy;
pub use matching::{Matched, matching};
pub use outline::Outline;
pub use place::{Place, statement_places};
pub use policy::{Policy, PolicyKind, Version};
pub use question::{Named, PolicySets, Question, Requester};
pub use verdict::{Effect, PolicySource, StatementRef, Verdict};
