//! Tools out of the documents that describe a service: its operations become tools, and each tool carries the plan by
//! which it is called.

use std::collections::HashSet;

use aws_shapes::bedrock_agentcore_control::ApiGatewayToolConfiguration;
use domain::Tool;

use crate::fault::{Failure, invalid};

/// What a document gives.
pub(super) struct Imported {
    /// Its operations.
    pub(super) tools: Vec<Tool>,
    /// What calls are signed for, where the document says so.
    pub(super) signing_name: Option<String>,
    /// What its owner should know: what AWS would refuse, and is served here.
    pub(super) remarks: Vec<String>,
    /// The headers that its operations set themselves, in lower case.
    pub(super) headers: HashSet<String>,
    /// The query parameters that its operations set themselves.
    pub(super) queries: HashSet<String>,
}

impl Imported {
    /// Tools and nothing else.
    pub(super) fn of(tools: Vec<Tool>) -> Self {
        Self {
            tools,
            signing_name: None,
            remarks: Vec::new(),
            headers: HashSet::new(),
            queries: HashSet::new(),
        }
    }
}

/// The operations of an OpenAPI document.
pub(super) fn openapi(_text: &str, field: &str) -> Result<Imported, Failure> {
    Err(not_yet(field, "OpenAPI documents"))
}

/// The operations of a Smithy model.
pub(super) fn smithy(_text: &str, field: &str) -> Result<Imported, Failure> {
    Err(not_yet(field, "Smithy models"))
}

/// The operations of a stage's export that its filters name.
pub(super) fn api_gateway(
    _text: &str,
    _configuration: &ApiGatewayToolConfiguration,
    field: &str,
) -> Result<Imported, Failure> {
    Err(not_yet(field, "API Gateway stages"))
}

fn not_yet(field: &str, what: &str) -> Failure {
    invalid(field, format!("{what} are not supported by Portcullis yet."))
}
