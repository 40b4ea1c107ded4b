//! How the tools of REST services are called: the plans that the import stored with them, read once.

use std::sync::Arc;

use domain::{Scope, Target, Tool, Upstream};
use serde::Deserialize;
use serde_json::Value;
use smithy::Endpoint;

/// How a tool of a REST service is called.
pub(crate) enum Plan {
    /// By the operation of an OpenAPI document.
    OpenApi(Arc<openapi::Operation>),
    /// By the operation of a Smithy model, where the model says that its service is, or why nobody knows.
    Smithy(Arc<smithy::Operation>, Result<Endpoint, String>),
}

/// What is said of a plan that was made before plans said where their service is.
const OF_BEFORE: &str =
    "the tool was made by an earlier version, which kept the address elsewhere: update the target";

/// Where the plan of a Smithy operation says that its service is (`control` writes it).
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Service {
    endpoint: Option<String>,
    endpoint_prefix: Option<String>,
}

impl Plan {
    /// The plan of a tool; `None` for tools that have none, and for a plan that cannot be read.
    pub(super) fn of(target: &Target, tool: &Tool) -> Option<Self> {
        let plan = &tool.plan.as_ref()?.0;
        let read = match target.upstream {
            Upstream::Smithy { .. } => of_model(plan, &target.scope),
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

fn of_model(plan: &str, scope: &Scope) -> serde_json::Result<Plan> {
    let mut plan: Value = serde_json::from_str(plan)?;
    let service = plan.as_object_mut().and_then(|members| members.remove("service")).unwrap_or_default();
    let service: Service = serde_json::from_value(service)?;
    let mut operation: smithy::Operation = serde_json::from_value(plan)?;
    // The catalogue has it already.
    operation.input_schema = Value::Null;
    // At the address that the model gives, or where AWS has it.
    let endpoint = match (service.endpoint, service.endpoint_prefix) {
        (Some(endpoint), _) => Endpoint::explicit(&endpoint).map(Endpoint::with_host_prefixes),
        (None, Some(prefix)) => Endpoint::regional(&prefix, scope.region.as_str()),
        (None, None) => return Ok(Plan::Smithy(Arc::new(operation), Err(OF_BEFORE.to_owned()))),
    };
    Ok(Plan::Smithy(Arc::new(operation), endpoint.map_err(|error| error.to_string())))
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
