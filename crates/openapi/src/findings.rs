//! What an import has to say: which operations were left out, what AWS would refuse, and why a document is no document.
//!
//! A finding that AWS would refuse something rests on "OpenAPI schema targets" and "Amazon API Gateway REST API stages
//! as targets" in the AgentCore developer guide.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that whoever imports a document should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The operation it is about; the document when absent.
    pub operation: Option<Place>,
    /// How grave it is.
    pub severity: Severity,
    /// What is so and what can be done, as one sentence without a full stop.
    pub reason: String,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It is not served here.
    RefusedHere,
    /// It is served here, and AWS would refuse it.
    RefusedByAws,
    /// It is served, in a way that may surprise.
    Note,
}

/// An operation of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The method in upper case.
    pub method: String,
    /// The path as the document writes it.
    pub path: String,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// Why a document cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The text is too long.
    #[error("the document has {bytes} bytes and the limit is {limit}: leave out what no tool needs")]
    TooLarge {
        /// The size of the text.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The text is neither JSON nor YAML, repeats a member, or is too deep or too large when read.
    #[error("the document cannot be read: {0}")]
    Unreadable(String),
    /// It is no OpenAPI document, or one of a version that is not served.
    #[error("{0}")]
    Version(String),
    /// It has no operations at all, or none that pass the filters.
    #[error("{0}")]
    NoOperations(String),
    /// It has more operations than may become tools.
    #[error(
        "the document has {count} operations and a target has at most {limit} tools: choose operations by filters, or split the document"
    )]
    TooManyOperations {
        /// How many operations it has.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// All schemas and plans together are too large.
    #[error(
        "the tools' schemas and requests have more than {limit} bytes together: choose operations by filters, or split the document"
    )]
    SchemasTooLarge {
        /// The limit.
        limit: usize,
    },
    /// Two operations would have the same name.
    #[error(
        "the operations `{first}` and `{second}` are both named `{name}`: give each an operationId of its own"
    )]
    DuplicateName {
        /// The name.
        name: String,
        /// One operation.
        first: Place,
        /// The other.
        second: Place,
    },
    /// A filter or an override fits no operation.
    #[error("{0}")]
    Selection(String),
    /// An operation cannot be served, and the import is strict.
    #[error("the operation `{operation}` cannot be served: {reason}")]
    Operation {
        /// The operation.
        operation: Place,
        /// Why.
        reason: String,
    },
}
