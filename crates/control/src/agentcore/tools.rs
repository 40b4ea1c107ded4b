//! The tools of a target: as its configuration defines them, or as its upstream lists them.

use std::collections::HashSet;

use aws_shapes::bedrock_agentcore_control::{SchemaDefinition, SchemaType, ToolDefinition};
use domain::{Document, Target, Tool, Upstream};
use functions::FunctionName;
use serde_json::{Map, Value};

use crate::fault::{Failure, invalid};
use crate::plane::ControlPlane;

const FIELD: &str = "targetConfiguration/mcp/lambda/toolSchema/inlinePayload";

/// The tools that a configuration defines.
pub(super) fn of_definitions(definitions: &[ToolDefinition]) -> Result<Vec<Tool>, Failure> {
    if definitions.is_empty() {
        return Err(invalid(FIELD, "The tool schema must define at least one tool."));
    }
    let mut seen = HashSet::new();
    definitions
        .iter()
        .map(|definition| {
            if !seen.insert(definition.name.as_str()) {
                return Err(invalid(
                    FIELD,
                    format!("The tool {} is defined more than once.", definition.name),
                ));
            }
            tool(definition)
        })
        .collect()
}

fn tool(definition: &ToolDefinition) -> Result<Tool, Failure> {
    let name = &definition.name;
    check_name(name).map_err(|problem| invalid(FIELD, problem))?;
    check_schema(name, "inputSchema", &definition.input_schema)?;
    if let Some(output) = &definition.output_schema {
        check_schema(name, "outputSchema", output)?;
    }
    let json =
        |value: &SchemaDefinition| serde_json::to_value(value).map_err(|error| Failure::internal(&error));
    let input_schema = json(&definition.input_schema)?;
    let mut shown = Map::new();
    shown.insert("description".to_owned(), Value::String(definition.description.clone()));
    shown.insert("inputSchema".to_owned(), input_schema.clone());
    if let Some(output) = &definition.output_schema {
        shown.insert("outputSchema".to_owned(), json(output)?);
    }
    Ok(Tool {
        name: name.clone(),
        definition: Document(Value::Object(shown).to_string()),
        input_schema: Document(input_schema.to_string()),
    })
}

/// A name must survive being joined to its target's, shown to a model, and written into a policy.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 256 {
        return Err("A tool's name must have 1 to 256 characters.".to_owned());
    }
    if name.chars().any(|character| character.is_control() || character.is_whitespace()) {
        return Err(format!("The tool name {name:?} must not hold white space or control characters."));
    }
    Ok(())
}

/// The root is an object, as MCP's `inputSchema` must be; an array says what it holds.
fn check_schema(tool: &str, which: &str, schema: &SchemaDefinition) -> Result<(), Failure> {
    if schema.r#type != SchemaType::Object {
        return Err(invalid(FIELD, format!("The {which} of the tool {tool} must have the type object.")));
    }
    let mut waiting = vec![schema];
    while let Some(schema) = waiting.pop() {
        if schema.items.is_some() && schema.r#type != SchemaType::Array {
            return Err(invalid(
                FIELD,
                format!("The {which} of the tool {tool} has items outside of an array."),
            ));
        }
        if schema.properties.is_some() && schema.r#type != SchemaType::Object {
            return Err(invalid(
                FIELD,
                format!("The {which} of the tool {tool} has properties outside of an object."),
            ));
        }
        waiting.extend(schema.items.as_deref());
        waiting.extend(schema.properties.iter().flat_map(|properties| properties.values()));
    }
    Ok(())
}

/// What was learnt from an upstream.
pub(super) struct Found {
    /// The tools that it lists; `None` where the configuration defines them.
    pub(super) tools: Option<Vec<Tool>>,
    /// What its owner should know.
    pub(super) remarks: Vec<String>,
}

/// Asks the upstream of a target for its tools, where it lists them itself; looks whether a function is there.
///
/// The error is the reason why the target cannot be used, in words for its owner.
pub(super) async fn of_upstream(plane: &ControlPlane, target: &Target) -> Result<Found, String> {
    match &target.upstream {
        Upstream::Lambda { function } => {
            let name = FunctionName::parse(function.as_str(), &target.scope);
            let known = match name {
                Some(name) => plane.setup.functions.find_named(&name).await.ok().flatten().is_some(),
                None => false,
            };
            let remarks = if known {
                Vec::new()
            } else {
                vec![format!("The function {function} does not exist here yet. Calls fail until it does.")]
            };
            Ok(Found { tools: None, remarks })
        }
        Upstream::Mcp { endpoint } => {
            let upstream = mcp::Upstream::new(plane.setup.client.clone(), endpoint);
            let listed = upstream.list_tools(plane.setup.quotas.tools_per_target).await;
            let listed =
                listed.map_err(|error| format!("The tools of {endpoint} cannot be read: {error}"))?;
            let mut seen = HashSet::new();
            let mut tools = Vec::with_capacity(listed.len());
            for tool in listed {
                check_name(&tool.name)?;
                if !seen.insert(tool.name.clone()) {
                    return Err(format!("{endpoint} lists the tool {} twice.", tool.name));
                }
                tools.push(tool);
            }
            Ok(Found { tools: Some(tools), remarks: Vec::new() })
        }
    }
}
