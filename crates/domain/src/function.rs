//! Functions: code that runs as a supervised process and speaks the AWS Lambda Runtime API.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Arn, Document, Scope, Timestamp};

/// A function, as Lambda's API makes it. Its environment may hold secrets, so the store keeps it sealed,
/// apart from this document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name, unique in its scope.
    pub name: String,
    /// Whose it is and where.
    pub scope: Scope,
    /// What people say about it.
    pub description: String,
    /// What runs it.
    pub runtime: FunctionRuntime,
    /// The entry point: `module.function` for Python, free text for `provided` runtimes.
    pub handler: String,
    /// The role whose credentials it runs with.
    pub role: Arn,
    /// How long one invocation may take, in seconds.
    pub timeout_seconds: u32,
    /// How much memory one instance may use, in MiB.
    pub memory_mib: u32,
    /// The SHA-256 of its zip archive, in base64.
    pub code_sha256: String,
    /// The size of its zip archive, in bytes.
    pub code_size: u64,
    /// When it was made or changed.
    pub updated_at: Timestamp,
    /// Names this state of the function: a UUID.
    pub revision_id: String,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

impl Function {
    /// Its ARN, without a version.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::function(&self.scope, &self.name)
    }
}

/// What runs a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FunctionRuntime {
    /// `python3.N`, with its minor version.
    Python(u8),
    /// `provided.*`: an executable called `bootstrap` in the archive.
    Provided(String),
}

impl FunctionRuntime {
    /// Recognises `python3.N` and `provided.NAME`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(minor) = name.strip_prefix("python3.") {
            return minor.parse().ok().map(Self::Python);
        }
        name.strip_prefix("provided.").map(|kind| Self::Provided(kind.to_owned()))
    }
}

impl fmt::Display for FunctionRuntime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Python(minor) => write!(formatter, "python3.{minor}"),
            Self::Provided(kind) => write!(formatter, "provided.{kind}"),
        }
    }
}

impl TryFrom<String> for FunctionRuntime {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name).ok_or_else(|| format!("`{name}` is not a runtime that Portcullis runs"))
    }
}

impl From<FunctionRuntime> for String {
    fn from(runtime: FunctionRuntime) -> Self {
        runtime.to_string()
    }
}

/// One statement of a function's resource policy, as `AddPermission` wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionStatement {
    /// `StatementId`, unique in the function's policy.
    pub id: String,
    /// The statement as IAM writes it: a JSON object.
    pub statement: Document,
}
