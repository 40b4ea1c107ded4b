//! AWS Security Token Service: sessions of roles, and who somebody is.

mod session;

/// The operations of the service.
pub(crate) struct Sts;
