//! Functions: code that runs as a supervised process and speaks the AWS Lambda Runtime API.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Arn, Document, Scope, Timestamp};

/// The version of a function that changes: what is published is a copy of it.
pub const LATEST: &str = "$LATEST";

/// A version of a function, as Lambda's API makes it. Its environment may hold secrets, so the store keeps it sealed,
/// apart from this document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name, unique in its scope.
    pub name: String,
    /// Whose it is and where.
    pub scope: Scope,
    /// Which version it is: `$LATEST`, or the number of a published one, which never changes again.
    #[serde(default = "latest")]
    pub version: String,
    /// The number of the last version that was published; zero for none. Numbers are not given twice.
    #[serde(default)]
    pub last_version: i64,
    /// What people say about it.
    pub description: String,
    /// What runs it.
    pub runtime: FunctionRuntime,
    /// The entry point: `module.function` for Python and JavaScript, free text for `provided` runtimes.
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

    /// Its ARN, with its version if it is a published one.
    #[must_use]
    pub fn qualified_arn(&self) -> Arn {
        Arn::qualified_function(&self.scope, &self.name, self.number().map(|_| self.version.as_str()))
    }

    /// The number of its version; `None` for `$LATEST`.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        version_number(&self.version)
    }

    /// Whether another version would run the same code in the same way.
    #[must_use]
    pub fn runs_like(&self, other: &Self) -> bool {
        self.runtime == other.runtime
            && self.handler == other.handler
            && self.role == other.role
            && self.timeout_seconds == other.timeout_seconds
            && self.memory_mib == other.memory_mib
            && self.code_sha256 == other.code_sha256
    }
}

fn latest() -> String {
    LATEST.to_owned()
}

/// The number that a published version's name is: digits, the first of them no zero. `None` for `$LATEST` and for the
/// names of aliases.
#[must_use]
pub fn version_number(name: &str) -> Option<i64> {
    let digits = name.bytes().all(|byte| byte.is_ascii_digit()) && !name.starts_with('0');
    digits.then(|| name.parse().ok()).flatten()
}

/// A name for a version of a function, which may be moved to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionAlias {
    /// Its name, unique in its function, and no number.
    pub name: String,
    /// The version that it means.
    pub version: String,
    /// Another version that serves a share of its invocations.
    pub beside: Option<VersionShare>,
    /// What people say about it.
    pub description: String,
    /// Names this state of the alias: a UUID.
    pub revision_id: String,
}

/// A share of an alias' invocations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionShare {
    /// The version that serves it.
    pub version: String,
    /// How much of all, from 0 to 1.
    pub weight: f64,
}

/// What runs a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FunctionRuntime {
    /// `python3.N`, with its minor version.
    Python(u8),
    /// `nodejsN.x`, with its major version.
    Node(u8),
    /// `provided.*`: an executable called `bootstrap` in the archive.
    Provided(String),
}

impl FunctionRuntime {
    /// Recognises `python3.N`, `nodejsN.x` and `provided.NAME`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(minor) = name.strip_prefix("python3.") {
            return minor.parse().ok().map(Self::Python);
        }
        if let Some(major) = name.strip_prefix("nodejs") {
            return major.strip_suffix(".x")?.parse().ok().map(Self::Node);
        }
        name.strip_prefix("provided.").map(|kind| Self::Provided(kind.to_owned()))
    }
}

impl fmt::Display for FunctionRuntime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Python(minor) => write!(formatter, "python3.{minor}"),
            Self::Node(major) => write!(formatter, "nodejs{major}.x"),
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
