//! Amazon Simple Email Service, as an outbox: what is sent is kept for its owner to read, and nothing is delivered.

mod address;
mod email;

/// The operations of the service.
pub(crate) struct Ses;
