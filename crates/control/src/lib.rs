//! The AWS control planes.
//!
//! One folder a service, one file a resource; an operation is a method of the resource's generated trait and reads as
//! check, load, decide, write, answer. Only this crate translates between AWS's shapes and the domain.
//!
//! There is no operation without a policy evaluation: the only way to a transaction is an [`Authorized`], and the only
//! way to that is [`Context::authorize`] and its siblings.

mod agentcore;
mod agentcore_data;
mod authorized;
pub mod cloudtrail;
mod cognito;
mod context;
mod fault;
mod fetched;
mod iam;
mod idempotency;
mod in_force;
mod kms;
mod lambda;
mod logs;
mod paging;
pub mod pinning;
mod plane;
mod policies;
mod quotas;
mod roles;
mod secrets_manager;
mod ses;
mod settle;
mod sts;
mod sweep;
mod telling;
mod told;
mod xray;

pub use agentcore::{generation_subject, policy_impact, target_proposal, vendor_name};
pub use authorized::Authorized;
pub use context::Context;
pub use fault::unavailable;
pub use plane::{ControlPlane, Request, Setup};
pub use policies::common_policies;
pub use quotas::Quotas;
