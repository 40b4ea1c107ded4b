//! The tools that a gateway offers, by the names that policies know them by, kept where a schema can borrow them.

use domain::{Arn, Gateway, NO_INPUT, Target, Upstream, tool_name};

use crate::schema::{GatewayTools, ToolDefinition};

/// A gateway and its tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    arn: String,
    tools: Vec<(String, String)>,
}

impl Offered {
    /// What a gateway of the store offers by these targets: their tools as `{target}___{tool}`, and an HTTP target as an
    /// action of its own, without an input.
    #[must_use]
    pub fn by_targets(gateway: &Gateway, targets: &[Target]) -> Self {
        let own = targets.iter().flat_map(|target| {
            target.tools.iter().map(|tool| (tool_name(&target.name, &tool.name), tool.input_schema.0.clone()))
        });
        let passages = targets.iter().filter(|target| matches!(target.upstream, Upstream::Http(_)));
        let tools = own.chain(passages.map(|target| (target.name.clone(), NO_INPUT.to_owned())));
        Self { arn: Arn::gateway(&gateway.scope, &gateway.id).to_string(), tools: tools.collect() }
    }

    /// Tools that are known by other means: full names with their `inputSchema`s.
    pub fn by_tools(arn: impl Into<String>, tools: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { arn: arn.into(), tools: tools.into_iter().collect() }
    }

    /// The gateway's ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The full names of the tools.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|(name, _)| name.as_str())
    }

    /// What a schema, or an engine, is made from.
    #[must_use]
    pub fn tools(&self) -> GatewayTools<'_> {
        let tools = self.tools.iter().map(|(name, schema)| ToolDefinition { name, input_schema: schema });
        GatewayTools { arn: &self.arn, tools: tools.collect() }
    }
}
