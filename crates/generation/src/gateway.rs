//! The gateway that a text is about: what can be named, and who can call.

use policy::{PrincipalKind, SchemaError, ToolDefinition};

/// A gateway and its tools.
#[derive(Clone, Debug)]
pub struct GatewayTools {
    /// Its ARN.
    pub arn: String,
    /// Its tools.
    pub tools: Vec<Tool>,
    /// The kinds of caller that its authorizer lets in; both when that is not known.
    pub principals: Vec<PrincipalKind>,
}

/// A tool as the gateway offers it.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its full name, `{target}___{tool}`.
    pub name: String,
    /// What it is for, in its owner's words; may be empty.
    pub description: String,
    /// Its `inputSchema`: JSON text.
    pub input_schema: String,
}

impl GatewayTools {
    /// The schema that statements about this gateway are checked against.
    ///
    /// # Errors
    /// [`SchemaError`] as [`policy::Schema::build`].
    pub fn schema(&self) -> Result<policy::Schema, SchemaError> {
        let tools = self.tools.iter();
        let tools = tools.map(|tool| ToolDefinition { name: &tool.name, input_schema: &tool.input_schema });
        policy::Schema::build(&[policy::GatewayTools { arn: &self.arn, tools: tools.collect() }])
    }
}
