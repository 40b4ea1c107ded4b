//! What is known of the way that a request took.

/// Marks a request whose client sent it over TLS: `aws:SecureTransport` of conditions. A listener that ends TLS puts it
/// there, or one whose proxy does and is believed; nothing that a client writes can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecureTransport;
