//! The bridge between a tree of JSON values and the generated types.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes: base64 in the tree of values, as in JSON protocols.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blob(pub Vec<u8>);

impl TryFrom<String> for Blob {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, base64::DecodeError> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Blob> for String {
    fn from(blob: Blob) -> Self {
        STANDARD.encode(blob.0)
    }
}

/// A request that fits its schema and not its type, or an answer that cannot be written: a mistake of ours.
#[derive(Debug, thiserror::Error)]
#[error("a request or an answer does not fit its generated type: {0}")]
pub struct Mismatch(String);

impl Mismatch {
    /// An operation that the service's table does not have.
    #[must_use]
    pub fn unknown(operation: &str) -> Self {
        Self(format!("no operation `{operation}`"))
    }
}

pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Mismatch> {
    serde_json::from_value(value).map_err(|error| Mismatch(error.to_string()))
}

pub(crate) fn untyped<T: Serialize>(value: &T) -> Result<Value, Mismatch> {
    serde_json::to_value(value).map_err(|error| Mismatch(error.to_string()))
}
