//! How the tools of REST services are called: the plans that the import stored with them, read once.

use std::sync::Arc;

use domain::{Scope, Target, Tool, Upstream};
use smithy::Endpoint;

/// How a tool of a REST service is called.
pub(crate) enum Plan {
    /// By the operation of an OpenAPI document.
    OpenApi(Arc<openapi::Operation>),
    /// By the operation of a Smithy model.
    Smithy(Arc<smithy::Operation>),
}

impl Plan {
    /// The plan of a tool; `None` for tools that have none, and for a plan that cannot be read.
    pub(super) fn of(target: &Target, tool: &Tool) -> Option<Self> {
        let plan = &tool.plan.as_ref()?.0;
        let read = match target.upstream {
            Upstream::Smithy { .. } => serde_json::from_str(plan).map(|mut operation: smithy::Operation| {
                // The catalogue has it already.
                operation.input_schema = serde_json::Value::Null;
                Self::Smithy(Arc::new(operation))
            }),
            _ => serde_json::from_str(plan).map(|mut operation: openapi::Operation| {
                // The catalogue has it already, but for the definitions that bodies are written by.
                operation.input_schema.retain(|name, _| name == "$defs");
                operation.output_schema = None;
                Self::OpenApi(Arc::new(operation))
            }),
        };
        read.inspect_err(|error| {
            tracing::error!(target.id = %target.id, tool = %tool.name, %error, "The plan of a tool cannot be read.");
        })
        .ok()
    }
}

/// A REST service, whose tools have plans.
pub(crate) struct RestEntry {
    /// Where the service of a Smithy model is, or why nobody knows.
    pub(crate) endpoint: Result<Endpoint, String>,
}

impl RestEntry {
    /// A service whose operations say where it is.
    pub(super) fn by_operation() -> Self {
        Self { endpoint: Err("its operations say where it is".to_owned()) }
    }

    /// The service of a Smithy model: at the address that the model gives, or where AWS has it.
    pub(super) fn of_model(scope: &Scope, endpoint: Option<&str>, prefix: Option<&str>) -> Self {
        let endpoint = match (endpoint, prefix) {
            (Some(endpoint), _) => Endpoint::explicit(endpoint).map(Endpoint::with_host_prefixes),
            (None, Some(prefix)) => Endpoint::regional(prefix, scope.region.as_str()),
            (None, None) => Err(smithy::InvalidEndpoint::Unknown),
        };
        Self { endpoint: endpoint.map_err(|error| error.to_string()) }
    }
}

/// What calls of a kind of upstream are signed for, where the target's settings name nothing.
pub(super) fn signed_for(upstream: &Upstream) -> Option<String> {
    match upstream {
        Upstream::Smithy { signing_name, .. } => Some(signing_name.clone()).filter(|name| !name.is_empty()),
        Upstream::ApiGateway { .. } => Some("execute-api".to_owned()),
        Upstream::Http(domain::HttpService::Runtime { .. }) => Some("bedrock-agentcore".to_owned()),
        _ => None,
    }
}
