//! Reads a Cedar schema back into tools: for those who have the schema and no gateway, such as a check of policies in CI.
//!
//! Whatever the text says, only tools count: the actions of the namespace that calls can be about, each with the type of
//! its `context.input`. From these the schema is written again, so that policies are checked against AgentCore's rules
//! whoever wrote the file. A type that no tool's arguments can have is unreadable, as it is in a tool's schema.

use std::collections::BTreeMap;

use cedar_policy::SchemaFragment;
use serde_json::{Map, Value};

use crate::input_type::{Field, InputType, Record, ToolInput, Unreadable};
use crate::names::{NAMESPACE, is_built_in};
use crate::schema::SchemaError;
use crate::schema_text::ANY_FUTURE_TOOLS;

/// How many types may refer to each other in a row.
const MAX_DEPTH: usize = 32;

/// The tools of a schema, in Cedar's syntax or as Cedar's JSON.
pub(crate) fn read(text: &str) -> Result<BTreeMap<String, ToolInput>, SchemaError> {
    let invalid = |error: &dyn std::fmt::Display| SchemaError::Invalid(error.to_string());
    let document = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| invalid(&error))?
    } else {
        let (fragment, _) = SchemaFragment::from_cedarschema_str(text).map_err(|error| invalid(&error))?;
        fragment.to_json_value().map_err(|error| invalid(&error))?
    };
    let namespace = document.get(NAMESPACE).and_then(Value::as_object).ok_or_else(|| {
        invalid(&format!("it has no namespace `{NAMESPACE}`: `portcullis policy schema` prints one that has"))
    })?;
    let types = Types { common: namespace.get("commonTypes").and_then(Value::as_object) };
    let actions = namespace.get("actions").and_then(Value::as_object).into_iter().flatten();
    let tools = actions.filter(|(name, _)| !is_built_in(name) && *name != ANY_FUTURE_TOOLS);
    let called = tools.filter_map(|(name, action)| Some((name, callable(action.get("appliesTo")?)?)));
    Ok(called.map(|(name, applies_to)| (name.clone(), types.input(applies_to))).collect())
}

/// What an action applies to, if anybody can call it. A group of actions applies to nothing.
fn callable(applies_to: &Value) -> Option<&Value> {
    let callers = applies_to.get("principalTypes")?.as_array()?;
    (!callers.is_empty()).then_some(applies_to)
}

/// The named types of the schema.
struct Types<'a> {
    common: Option<&'a Map<String, Value>>,
}

impl<'a> Types<'a> {
    /// The arguments of an action that applies to something.
    fn input(&self, applies_to: &'a Value) -> ToolInput {
        let mut unreadable = Vec::new();
        let context = applies_to.get("context").map(|context| self.resolve(context));
        let input = context.and_then(|context| context.get("attributes")?.get("input"));
        let record = match input.map(|input| self.read(input, &mut Vec::new(), &mut unreadable)) {
            None => Record::default(),
            Some(Ok(InputType::Record(record))) => record,
            Some(Ok(_)) => {
                unreadable.push(Unreadable { path: Vec::new(), why: "it is no record".to_owned() });
                Record::default()
            }
            Some(Err(why)) => {
                unreadable.push(Unreadable { path: Vec::new(), why });
                Record::default()
            }
        };
        ToolInput { record, unreadable }
    }

    /// Follows names to what they stand for, as far as they are known.
    fn resolve(&self, mut written: &'a Value) -> &'a Value {
        for _ in 0..MAX_DEPTH {
            let name = match kind(written) {
                "EntityOrCommon" => written.get("name").and_then(Value::as_str).unwrap_or_default(),
                other => other,
            };
            let name = name.strip_prefix("AgentCore::").unwrap_or(name);
            match self.common.and_then(|common| common.get(name)) {
                Some(meant) => written = meant,
                None => return written,
            }
        }
        written
    }

    fn read(
        &self,
        written: &'a Value,
        path: &mut Vec<String>,
        unreadable: &mut Vec<Unreadable>,
    ) -> Result<InputType, String> {
        if path.len() > MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        let meant = self.resolve(written);
        let name = match kind(meant) {
            "EntityOrCommon" | "Extension" => meant.get("name").and_then(Value::as_str).unwrap_or_default(),
            other => other,
        };
        match name.strip_prefix("__cedar::").unwrap_or(name) {
            "String" => Ok(InputType::String),
            "Long" => Ok(InputType::Long),
            "Bool" | "Boolean" => Ok(InputType::Bool),
            "decimal" => Ok(InputType::Decimal),
            "Set" => {
                path.push("[]".to_owned());
                let element = meant.get("element").ok_or("it is a set of nothing")?;
                let element = self.read(element, path, unreadable);
                path.pop();
                Ok(InputType::Set(Box::new(element?)))
            }
            "Record" => Ok(InputType::Record(self.record(meant, path, unreadable))),
            other => Err(format!("no argument of a tool has the type `{other}`")),
        }
    }

    fn record(&self, written: &'a Value, path: &mut Vec<String>, unreadable: &mut Vec<Unreadable>) -> Record {
        let mut record = Record::default();
        let attributes = written.get("attributes").and_then(Value::as_object);
        for (name, attribute) in attributes.into_iter().flatten() {
            path.push(name.clone());
            match self.read(attribute, path, unreadable) {
                Ok(input_type) => {
                    let required = attribute.get("required").and_then(Value::as_bool).unwrap_or(true);
                    record.fields.insert(name.clone(), Field { input_type, required });
                }
                Err(why) => unreadable.push(Unreadable { path: path.clone(), why }),
            }
            path.pop();
        }
        record
    }
}

fn kind(written: &Value) -> &str {
    written.get("type").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input_type;
    use crate::schema_text;

    #[test]
    fn what_is_written_is_read_again() {
        let input = serde_json::json!({
            "type": "object",
            "properties": {
                "amount": {"type": "number"},
                "count": {"type": "integer"},
                "in": {"type": "string"},
                "urgent": {"type": "boolean"},
                "labels": {"type": "array", "items": {"type": "string"}},
                "to": {"type": "object", "properties": {"zip code": {"type": "integer"}}, "required": ["zip code"]},
            },
            "required": ["amount", "to"],
        });
        let record = input_type::read(&input.to_string()).record;
        let empty = Record::default();
        let tools = BTreeMap::from([
            ("Office___transfer", &record),
            ("Office___x y\"z", &empty),
            ("Passage", &empty),
        ]);
        let text = schema_text::write(&tools, []);
        let again = read(&text).unwrap();
        assert_eq!(again.len(), 3);
        for (name, record) in tools {
            assert_eq!(again[name].record, *record, "{name}");
            assert!(again[name].unreadable.is_empty());
        }
        let fragment = SchemaFragment::from_cedarschema_str(&text).unwrap().0;
        assert_eq!(read(&fragment.to_json_string().unwrap()).unwrap(), again);
    }

    #[test]
    fn a_schema_without_tools_has_none() {
        assert!(read(&schema_text::write(&BTreeMap::new(), [])).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_schema_of_agentcore_is_refused() {
        for text in ["", "entity A;", "{}", "namespace AgentCore {", "{\"AgentCore\": 1}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn types_that_refer_to_themselves_end() {
        let text = r#"{"AgentCore": {"entityTypes": {}, "commonTypes": {"A": {"type": "B"}, "B": {"type": "A"},
            "R": {"type": "Record", "attributes": {"r": {"type": "R"}}}},
            "actions": {"T___a": {"appliesTo": {"principalTypes": ["OAuthUser"], "resourceTypes": [], "context": {"type": "A"}}},
            "T___b": {"appliesTo": {"principalTypes": ["OAuthUser"], "context": {"type": "Record", "attributes": {"input": {"type": "R"}}}}}}}}"#;
        let tools = read(text).unwrap();
        assert_eq!(tools["T___a"], ToolInput::default());
        assert!(!tools["T___b"].unreadable.is_empty());
    }
}
