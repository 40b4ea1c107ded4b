//! Writes the schema in Cedar's own syntax.
//!
//! The shape is the one of "Schema constraints" in the AgentCore developer guide, with `context.system.now`
//! from "Time-based policy support" and the targets as groups of actions from "Policy scope". The text is
//! both what people read and what Cedar parses: there is no second description that could disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::input_type::{InputType, Record};
use crate::names::{CALL_TOOL, MCP, NAMESPACE, target_of};

/// The action that stands for tools yet to come while there is none: a policy about every tool must be
/// checkable before the first target exists. (AgentCore's own findings call it so.)
pub(crate) const ANY_FUTURE_TOOLS: &str = "Any Future Tools";

const PROLOGUE: &str = "  entity OAuthUser = { id: String } tags String;
  entity IamEntity = { id: String };
  entity Gateway;

  type SystemContext = { now: datetime };
";

/// The words that cannot be attribute names without quotes.
const RESERVED: [&str; 9] = ["true", "false", "if", "then", "else", "in", "is", "like", "has"];

/// Writes the schema of `tools`, in their order. `others` are actions that exist somewhere else: a policy may
/// name them, and no request is ever about them.
pub(crate) fn write<'a>(
    tools: &BTreeMap<&'a str, &'a Record>,
    others: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut text = format!("namespace {NAMESPACE} {{\n{PROLOGUE}");
    let mut type_names = TypeNames::default();
    let typed: Vec<_> =
        tools.iter().map(|(tool, record)| (*tool, *record, type_names.for_tool(tool))).collect();
    for (_, record, type_name) in &typed {
        text.push_str("\n  type ");
        text.push_str(type_name);
        text.push_str(" = ");
        write_record(&mut text, record);
        text.push(';');
    }
    text.push_str("\n\n");
    text.push_str(&format!("  action \"{MCP}\";\n"));
    text.push_str(&format!("  action \"{CALL_TOOL}\" in [Action::\"{MCP}\"];\n"));
    let groups: BTreeSet<&str> = tools.keys().filter_map(|tool| target_of(tool)).collect();
    for group in groups.iter().filter(|group| !tools.contains_key(*group)) {
        text.push_str("  action ");
        write_string(&mut text, group);
        text.push_str(&format!(" in [Action::\"{CALL_TOOL}\"];\n"));
    }
    for (tool, _, type_name) in &typed {
        write_tool(&mut text, tool, target_of(tool), type_name);
    }
    if typed.is_empty() {
        write_tool(&mut text, ANY_FUTURE_TOOLS, None, "{}");
    }
    for other in others {
        let known = tools.contains_key(other) || groups.contains(other) || other == MCP || other == CALL_TOOL;
        if !known {
            text.push_str("  action ");
            write_string(&mut text, other);
            text.push_str(";\n");
        }
    }
    text.push_str("}\n");
    text
}

fn write_tool(text: &mut String, tool: &str, group: Option<&str>, input: &str) {
    text.push_str("  action ");
    write_string(text, tool);
    text.push_str(&format!(" in [Action::\"{CALL_TOOL}\""));
    if let Some(group) = group {
        text.push_str(", Action::");
        write_string(text, group);
    }
    text.push_str("] appliesTo {\n    principal: [OAuthUser, IamEntity],\n    resource: [Gateway],\n");
    text.push_str(&format!("    context: {{ input: {input}, system: SystemContext }}\n  }};\n"));
}

fn write_record(text: &mut String, record: &Record) {
    if record.fields.is_empty() {
        text.push_str("{}");
        return;
    }
    text.push_str("{ ");
    for (index, (name, field)) in record.fields.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        if is_plain_name(name) {
            text.push_str(name);
        } else {
            write_string(text, name);
        }
        text.push_str(if field.required { ": " } else { "?: " });
        write_type(text, &field.input_type);
    }
    text.push_str(" }");
}

fn write_type(text: &mut String, input_type: &InputType) {
    match input_type {
        InputType::String => text.push_str("String"),
        InputType::Long => text.push_str("Long"),
        InputType::Bool => text.push_str("Bool"),
        InputType::Decimal => text.push_str("decimal"),
        InputType::Set(element) => {
            text.push_str("Set<");
            write_type(text, element);
            text.push('>');
        }
        InputType::Record(record) => write_record(text, record),
    }
}

/// Writes a string literal. Cedar knows Rust's escapes.
fn write_string(text: &mut String, value: &str) {
    // Writing into a string cannot fail.
    let _ = write!(text, "\"{}\"", value.escape_debug());
}

fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    begins
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__cedar")
        && !RESERVED.contains(&name)
}

/// Names of types: `{tool}Input`, with what cannot stand in a name replaced, and numbered when two tools'
/// names become one.
#[derive(Default)]
struct TypeNames {
    taken: BTreeSet<String>,
}

impl TypeNames {
    fn for_tool(&mut self, tool: &str) -> String {
        let mut stem: String = tool
            .chars()
            .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
            .collect();
        if stem.starts_with(|first: char| first.is_ascii_digit()) || stem.starts_with("__cedar") {
            stem.insert_str(0, "Tool_");
        }
        let mut name = format!("{stem}Input");
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{stem}_{number}Input");
        }
        name
    }
}
