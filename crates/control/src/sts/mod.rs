//! AWS Security Token Service: sessions of roles, and who somebody is.

mod session;
mod web_identity;

pub(crate) use web_identity::own_session;

/// The operations of the service.
pub(crate) struct Sts;
