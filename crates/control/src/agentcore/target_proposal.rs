//! A target as a configuration would make it, for whoever wants to know what that does before it is done.
//!
//! Nothing is written, and no upstream is asked. So what only an upstream can say is not known here, and neither is what a
//! document says that stands elsewhere.

use aws_shapes::bedrock_agentcore_control::TargetConfiguration;
use domain::{
    Document, Gateway, Offers, Outbound, Propagation, Target, TargetId, TargetStatus, Timestamp, Tool,
    Upstream,
};
use serde_json::Value;

use super::imports;
use super::target_settings::respell;
use super::target_upstream::{self, Described, lists_itself};
use super::tools;
use crate::fault::Failure;

/// The most tools that a proposal may have; what a server takes is the quota's matter.
const MOST_TOOLS: usize = 10_000;

/// Why a configuration cannot be judged by itself.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// It is no JSON.
    #[error("the configuration is no JSON: {0}")]
    NoJson(#[source] serde_json::Error),
    /// It is not what CreateGatewayTarget takes.
    #[error("this is no `targetConfiguration`, and holds none: {0}")]
    NoConfiguration(#[source] serde_json::Error),
    /// Its server says what its tools are.
    #[error(
        "the server lists its tools itself, so nobody knows them before it is asked: synchronise the target and look at \
         what is held, or give its `mcpToolSchema`"
    )]
    ListsItself,
    /// Its document is somewhere else.
    #[error("its document stands in the object store: put its text into `inlinePayload`")]
    Elsewhere,
    /// It would be refused.
    #[error("the configuration would be refused: {0}")]
    Refused(String),
}

impl From<Failure> for ProposalError {
    fn from(failure: Failure) -> Self {
        Self::Refused(match failure {
            Failure::Fault(fault) => fault.message,
            Failure::Internal(cause) => cause,
        })
    }
}

/// What the target called `name` would be by this configuration: `targetConfiguration` alone, or a request of
/// CreateGatewayTarget or UpdateGatewayTarget that holds it. `present` is the target, if there is one.
///
/// # Errors
/// [`ProposalError`] when the tools cannot be known from the configuration alone.
pub fn proposed(
    gateway: &Gateway,
    name: &str,
    present: Option<&Target>,
    configuration: &str,
) -> Result<Target, ProposalError> {
    let mut given: Value = serde_json::from_str(configuration).map_err(ProposalError::NoJson)?;
    if given.get("targetConfiguration").is_none() {
        given = serde_json::json!({ "targetConfiguration": given });
    }
    respell(&mut given);
    let given = given.get_mut("targetConfiguration").map(Value::take).unwrap_or_default();
    let given: TargetConfiguration = serde_json::from_value(given).map_err(ProposalError::NoConfiguration)?;
    let (upstream, described) = target_upstream::read(&given)?;
    let tools = match described {
        Described::Here(_) if lists_itself(&upstream) => return Err(ProposalError::ListsItself),
        described => tools_of(described)?,
    };
    Ok(match present {
        Some(target) => Target { upstream, tools, held: None, ..target.clone() },
        None => appearing(gateway, name, upstream, tools),
    })
}

fn tools_of(described: Described) -> Result<Vec<Tool>, ProposalError> {
    Ok(match described {
        Described::Here(tools) => tools,
        Described::Definitions(source) => {
            tools::of_document(source.here().ok_or(ProposalError::Elsewhere)?, source.field())?
        }
        Described::McpTools(source) => {
            tools::of_mcp_document(source.here().ok_or(ProposalError::Elsewhere)?, source.field())?
        }
        Described::OpenApi(source) => {
            imports::openapi(source.here().ok_or(ProposalError::Elsewhere)?, MOST_TOOLS, source.field())?
                .tools
        }
        Described::Smithy(source) => {
            imports::smithy(source.here().ok_or(ProposalError::Elsewhere)?, source.field())?.tools
        }
        Described::ApiGateway(_) => return Err(ProposalError::Elsewhere),
    })
}

/// A target that is not there yet, with no more than its tools.
fn appearing(gateway: &Gateway, name: &str, upstream: Upstream, tools: Vec<Tool>) -> Target {
    Target {
        id: TargetId::from_text(String::new()),
        gateway: gateway.id.clone(),
        scope: gateway.scope.clone(),
        name: name.to_owned(),
        description: None,
        configuration: Document(String::new()),
        credentials: Document(String::new()),
        upstream,
        outbound: Outbound::default(),
        metadata: None,
        propagation: Propagation::default(),
        tools,
        offers: Offers::default(),
        held: None,
        status: TargetStatus::Creating,
        status_reasons: Vec::new(),
        last_synchronized_at: None,
        created_at: Timestamp::from_seconds(0),
        updated_at: Timestamp::from_seconds(0),
        revision: 1,
    }
}
