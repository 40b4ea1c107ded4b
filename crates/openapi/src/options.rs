//! How a document is to be imported: its bounds, which operations become tools, and where they are served.
//!
//! The defaults are AWS's quotas where AWS has one ("Quotas for Amazon Bedrock AgentCore", gateway), and otherwise
//! what the largest public documents need.

use std::collections::BTreeMap;

/// The choices of an import.
#[derive(Clone, Debug)]
pub struct Options {
    /// The largest document, in bytes of text (AWS: 10 MB from S3).
    pub max_document_bytes: usize,
    /// The most operations that may become tools (AWS: 1,000 a target).
    pub max_operations: usize,
    /// The largest schema of one tool, in bytes of JSON, with all that it refers to; its plan has the same bound.
    pub max_schema_bytes: usize,
    /// The most bytes of all tools' schemas and plans together.
    pub max_total_schema_bytes: usize,
    /// What a document with an operation that cannot be served becomes.
    pub strictness: Strictness,
    /// Whether tools have output schemas.
    pub output_schemas: OutputSchemas,
    /// The server that is called instead of those that the document names: an absolute URL.
    pub server: Option<String>,
    /// Values of server variables that replace the document's defaults.
    pub server_variables: BTreeMap<String, String>,
    /// Which operations become tools; all of them, when empty.
    pub filters: Vec<Filter>,
    /// Names and descriptions that replace the document's.
    pub overrides: Vec<Override>,
    /// The target's name, which stands before `___` in the names that clients see.
    pub target: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_document_bytes: 10 * 1024 * 1024,
            max_operations: 1000,
            max_schema_bytes: 1024 * 1024,
            max_total_schema_bytes: 32 * 1024 * 1024,
            strictness: Strictness::Refuse,
            output_schemas: OutputSchemas::Omit,
            server: None,
            server_variables: BTreeMap::new(),
            filters: Vec::new(),
            overrides: Vec::new(),
            target: None,
        }
    }
}

/// What a document with an operation that cannot be served becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// It is refused, with the operation and the reason.
    Refuse,
    /// The operation is left out, and a finding says why.
    Skip,
}

/// Whether tools have output schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputSchemas {
    /// They have none, as on AWS. Clients hold answers against an output schema and fail the call when they differ
    /// (MCP 2025-11-25, "Output Schema"), and many public documents are wrong about their answers.
    Omit,
    /// They have the schema of the first 2xx answer that is a JSON object, up to so many bytes.
    UpTo(usize),
}

/// A path and the methods of it that become tools (`ApiGatewayToolFilter`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// A path of the document, or a beginning of paths followed by `*`: `/pets/*` means all below `/pets/`.
    pub path: String,
    /// Methods in upper case.
    pub methods: Vec<String>,
}

/// Another name or description for one operation (`ApiGatewayToolOverride`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The operation's path, to the letter.
    pub path: String,
    /// Its method in upper case.
    pub method: String,
    /// The tool's name.
    pub name: String,
    /// The tool's description; the document's when absent.
    pub description: Option<String>,
}
