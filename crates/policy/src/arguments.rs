//! What a policy can read of a tool's arguments, for those who write policies.

use crate::input_type::{InputType, Record};
use crate::schema::Schema;

/// Something that a policy can read of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The names that lead to it from `context.input`, the first one first. Never empty.
    pub path: Vec<Step>,
    /// What it holds.
    pub kind: ArgumentKind,
}

/// One name on the way to an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The property's name.
    pub name: String,
    /// Whether it is always there; where it is not, a policy must ask with `has` before it reads.
    pub required: bool,
}

/// What an argument holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// `String`.
    Text,
    /// `Long`.
    Whole,
    /// `decimal`, with four places.
    Decimal,
    /// `Bool`.
    Truth,
    /// `Set<String>`.
    Texts,
    /// `Set<Long>`.
    Wholes,
    /// A set of something else.
    Set,
    /// A record, whose properties follow it.
    Record,
}

impl Schema {
    /// What can be read of a tool's arguments, in the order of their names; a record stands before its properties. Empty for a
    /// tool that does not exist.
    #[must_use]
    pub fn arguments(&self, tool: &str) -> Vec<Argument> {
        let mut arguments = Vec::new();
        if let Some(tool) = self.scope(None).and_then(|scope| scope.tools.get(tool)) {
            collect(&tool.record, &[], &mut arguments);
        }
        arguments
    }
}

fn collect(record: &Record, before: &[Step], arguments: &mut Vec<Argument>) {
    for (name, field) in &record.fields {
        let step = Step { name: name.clone(), required: field.required };
        let path: Vec<Step> = before.iter().cloned().chain([step]).collect();
        let kind = kind(&field.input_type);
        arguments.push(Argument { path: path.clone(), kind });
        if let InputType::Record(inner) = &field.input_type {
            collect(inner, &path, arguments);
        }
    }
}

fn kind(input_type: &InputType) -> ArgumentKind {
    match input_type {
        InputType::String => ArgumentKind::Text,
        InputType::Long => ArgumentKind::Whole,
        InputType::Decimal => ArgumentKind::Decimal,
        InputType::Bool => ArgumentKind::Truth,
        InputType::Record(_) => ArgumentKind::Record,
        InputType::Set(element) => match element.as_ref() {
            InputType::String => ArgumentKind::Texts,
            InputType::Long => ArgumentKind::Wholes,
            _ => ArgumentKind::Set,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GatewayTools, ToolDefinition};

    #[test]
    fn nested_and_optional_arguments_are_listed_with_their_way() {
        let input_schema = r#"{"type":"object","required":["to"],"properties":{
            "to":{"type":"array","items":{"type":"string"}},
            "cost":{"type":"object","required":["cents"],"properties":{"cents":{"type":"integer"}}}}}"#;
        let tools = vec![ToolDefinition { name: "Mail___send", input_schema }];
        let schema = Schema::build(&[GatewayTools { arn: "g", tools }]).unwrap();
        let said: Vec<_> = schema
            .arguments("Mail___send")
            .into_iter()
            .map(|argument| {
                let path: Vec<_> = argument.path.into_iter().map(|step| (step.name, step.required)).collect();
                (path, argument.kind)
            })
            .collect();
        let step = |name: &str, required| (name.to_owned(), required);
        assert_eq!(
            said,
            [
                (vec![step("cost", false)], ArgumentKind::Record),
                (vec![step("cost", false), step("cents", true)], ArgumentKind::Whole),
                (vec![step("to", true)], ArgumentKind::Texts),
            ]
        );
        assert!(schema.arguments("Mail___burn").is_empty());
    }
}
