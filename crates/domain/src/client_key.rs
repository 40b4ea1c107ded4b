//! The key by which a client proves who it is (RFC 7523, section 2.2; API type `PrivateKeyJwtConfig`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a client's assertions are signed, and what they say besides who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientKey {
    /// By which algorithm.
    pub algorithm: ClientKeyAlgorithm,
    /// More members of the header.
    pub header: BTreeMap<String, String>,
    /// More claims.
    pub claims: BTreeMap<String, String>,
}

/// By which algorithm a client's assertions are signed (RFC 7518, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientKeyAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}
