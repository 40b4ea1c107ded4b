//! The tools of a target as its configuration defines them: in the request, or in a document of the object store.

use std::collections::HashSet;

use aws_shapes::bedrock_agentcore_control::{SchemaDefinition, SchemaType, ToolDefinition};
use domain::{Document, Tool};
use serde_json::{Map, Value};

use crate::fault::{Failure, invalid};

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

/// The tools that a document in the object store defines: the list that a request would hold.
pub(super) fn of_document(text: &str, field: &str) -> Result<Vec<Tool>, Failure> {
    let given: Value = serde_json::from_str(text)
        .map_err(|error| invalid(field, format!("The tool schema is no JSON: {error}.")))?;
    let definitions: Vec<ToolDefinition> = serde_json::from_value(given.clone()).map_err(|error| {
        invalid(field, format!("The tool schema is no list of tool definitions: {error}."))
    })?;
    // A member that is not among AWS's would be lost without a word.
    if serde_json::to_value(&definitions).ok().as_ref() != Some(&given) {
        return Err(invalid(
            field,
            "The tool schema holds members that tool definitions do not have: they have name, description, \
             inputSchema and outputSchema, and schemas have type, description, properties, required and items.",
        ));
    }
    of_definitions(&definitions)
}

/// The tools that `mcpToolSchema` fixes: a list of tools as `tools/list` answers it, or the whole answer.
pub(super) fn of_mcp_document(text: &str, field: &str) -> Result<Vec<Tool>, Failure> {
    let refused = |problem: String| invalid(field, format!("mcpToolSchema {problem}."));
    let given: Value = serde_json::from_str(text).map_err(|error| refused(format!("is no JSON: {error}")))?;
    let listed = given.get("tools").unwrap_or(&given).as_array();
    let listed =
        listed.ok_or_else(|| refused("must be a list of tools, or an object with `tools`".to_owned()))?;
    if listed.is_empty() {
        return Err(refused("must define at least one tool".to_owned()));
    }
    let mut seen = HashSet::new();
    let mut tools = Vec::with_capacity(listed.len());
    for tool in listed {
        let tool = mcp_tool(tool).map_err(|problem| refused(format!("is refused: {problem}")))?;
        if !seen.insert(tool.name.clone()) {
            return Err(refused(format!("defines the tool {} more than once", tool.name)));
        }
        tools.push(tool);
    }
    Ok(tools)
}

fn mcp_tool(given: &Value) -> Result<Tool, String> {
    let Value::Object(definition) = given else { return Err("a tool is no object".to_owned()) };
    let mut definition = definition.clone();
    let Some(Value::String(name)) = definition.remove("name") else {
        return Err("a tool has no name".to_owned());
    };
    check_name(&name)?;
    let schema = definition.get("inputSchema").filter(|it| it.get("type").is_some_and(|it| it == "object"));
    let input_schema =
        schema.ok_or_else(|| format!("the tool {name} has no inputSchema of the type object"))?.to_string();
    Ok(Tool {
        name,
        definition: Document(Value::Object(definition).to_string()),
        input_schema: Document(input_schema),
        plan: None,
    })
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
        plan: None,
    })
}

/// A name must survive being joined to its target's, shown to a model, and written into a policy.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 256 {
        return Err("A tool's name must have 1 to 256 characters.".to_owned());
    }
    // What `escape_debug` escapes is what nobody sees: control characters, marks of direction, and the like.
    let unseen =
        |character: char| !matches!(character, '"' | '\'' | '\\') && character.escape_debug().count() > 1;
    if name.chars().any(|character| character.is_whitespace() || unseen(character)) {
        return Err(format!(
            "The tool name {name:?} must not hold white space or characters that are not seen."
        ));
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
