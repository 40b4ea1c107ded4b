//! Amazon Simple Email Service, as an outbox: what is sent is kept for its owner to read, and delivered by a relay if the
//! operator names one.

mod address;
mod deliver;
mod email;
mod raw;

/// The operations of the service.
pub(crate) struct Ses;
