//! AWS CloudTrail: audit events as its records, and those of management looked up.
//!
//! A record is made of an event when somebody asks for it; nothing is kept twice. `responseElements` of management events
//! is `null`: an event is committed with its change, before there is an answer.

mod identity;
mod lookup;
mod record;

pub use record::record;

/// The operations of the service.
pub(crate) struct CloudTrail;
