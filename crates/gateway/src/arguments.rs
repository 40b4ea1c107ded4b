//! Holds a call's arguments against the input schema of its tool, in one pass over the text and without a tree.
//!
//! Repeated members are refused for every tool, because what a policy reads must be what the upstream will read. Types
//! and required members are checked for tools whose schema is AgentCore's own subset (`type`, `properties`, `required`,
//! `items`); an MCP server checks its own tools' schemas, which may be anything.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// What a tool's arguments must be.
pub(crate) enum Arguments {
    /// An object without repeated members.
    AnyObject,
    /// What the schema says.
    Schema(Shape),
}

/// AgentCore's subset of JSON Schema, compiled.
pub(crate) enum Shape {
    Any,
    Text,
    Number,
    Integer,
    Boolean,
    List(Box<Shape>),
    Object { properties: HashMap<String, Shape>, required: Vec<String> },
}

impl Arguments {
    /// The check for a schema of AgentCore's subset.
    pub(crate) fn of_schema(schema: &str) -> Self {
        serde_json::from_str::<Value>(schema)
            .map_or(Self::AnyObject, |schema| Self::Schema(Shape::read(&schema)))
    }

    /// Checks a call's arguments.
    pub(crate) fn check(&self, arguments: Option<&RawValue>) -> Result<(), String> {
        let text = arguments.map_or("{}", RawValue::get);
        let any = Shape::Object { properties: HashMap::new(), required: Vec::new() };
        let shape = match self {
            Self::AnyObject => &any,
            Self::Schema(shape) => shape,
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        Check { shape, path: "" }.deserialize(&mut reader).map_err(|error| {
            format!("Parameter validation failed: Invalid request parameters: {}", words(&error))
        })
    }
}

/// serde_json appends where in the text it was; the path says it better.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text.get(..at).unwrap_or_default().to_owned(),
        None => text,
    }
}

impl Shape {
    fn read(schema: &Value) -> Self {
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => Self::Text,
            Some("number") => Self::Number,
            Some("integer") => Self::Integer,
            Some("boolean") => Self::Boolean,
            Some("array") => Self::List(Box::new(schema.get("items").map_or(Self::Any, Self::read))),
            Some("object") => {
                let properties = schema.get("properties").and_then(Value::as_object);
                let required = schema.get("required").and_then(Value::as_array);
                Self::Object {
                    properties: properties
                        .into_iter()
                        .flatten()
                        .map(|(name, schema)| (name.clone(), Self::read(schema)))
                        .collect(),
                    required: required
                        .into_iter()
                        .flatten()
                        .filter_map(|name| name.as_str().map(str::to_owned))
                        .collect(),
                }
            }
            _ => Self::Any,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::List(_) => "an array",
            Self::Object { .. } => "an object",
        }
    }
}

/// One value and what it must be.
#[derive(Clone, Copy)]
struct Check<'a> {
    shape: &'a Shape,
    path: &'a str,
}

impl Check<'_> {
    fn wrong<E: serde::de::Error>(self) -> E {
        let subject = if self.path.is_empty() { "the arguments" } else { "field" };
        let quoted = if self.path.is_empty() { String::new() } else { format!(" '{}'", self.path) };
        E::custom(format_args!("{subject}{quoted} must be {}", self.shape.name()))
    }

    fn allows<E: serde::de::Error>(self, allowed: bool) -> Result<(), E> {
        if allowed || matches!(self.shape, Shape::Any) { Ok(()) } else { Err(self.wrong()) }
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.shape.name())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.allows(matches!(self.shape, Shape::Boolean))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.allows(matches!(self.shape, Shape::Number | Shape::Integer))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.allows(matches!(self.shape, Shape::Number | Shape::Integer))
    }

    /// JSON Schema, validation, section 6.1.1: a number with a zero fraction is an integer.
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        let whole = value.fract() == 0.0;
        self.allows(matches!(self.shape, Shape::Number) || (whole && matches!(self.shape, Shape::Integer)))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.allows(matches!(self.shape, Shape::Text))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.allows(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let element = match self.shape {
            Shape::List(element) => &**element,
            Shape::Any => self.shape,
            _ => return Err(self.wrong()),
        };
        let mut at = 0_usize;
        loop {
            // A path is only spelt out where something can be wrong with the element.
            let path =
                if matches!(element, Shape::Any) { String::new() } else { format!("{}[{at}]", self.path) };
            if elements.next_element_seed(Check { shape: element, path: &path })?.is_none() {
                return Ok(());
            }
            at += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        static NOTHING: Shape = Shape::Any;
        let empty = (&HashMap::new(), &Vec::new());
        let (properties, required) = match self.shape {
            Shape::Object { properties, required } => (properties, required),
            Shape::Any => empty,
            _ => return Err(self.wrong()),
        };
        let mut seen: Vec<String> = Vec::new();
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            if seen.iter().any(|known| *known == name) {
                return Err(A::Error::custom(format_args!("field '{name}' is given more than once")));
            }
            let shape = properties.get(&*name).unwrap_or(&NOTHING);
            if matches!(shape, Shape::Any) {
                members.next_value_seed(Check { shape, path: "" })?;
            } else if self.path.is_empty() {
                members.next_value_seed(Check { shape, path: &name })?;
            } else {
                members.next_value_seed(Check { shape, path: &format!("{}.{name}", self.path) })?;
            }
            seen.push(name.into_owned());
        }
        match required.iter().find(|name| !seen.contains(name)) {
            Some(missing) => Err(A::Error::custom(format_args!("field '{missing}' is required but missing"))),
            None => Ok(()),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(IgnoredAny).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"object","required":["id"],"properties":{
        "id":{"type":"string"},"count":{"type":"integer"},"ratio":{"type":"number"},"on":{"type":"boolean"},
        "tags":{"type":"array","items":{"type":"string"}},
        "place":{"type":"object","required":["city"],"properties":{"city":{"type":"string"}}}}}"#;

    fn problem(arguments: &str) -> Option<String> {
        let raw = RawValue::from_string(arguments.to_owned()).unwrap();
        let found = Arguments::of_schema(SCHEMA).check(Some(&raw)).err();
        found.map(|text| {
            text.trim_start_matches("Parameter validation failed: Invalid request parameters: ").to_owned()
        })
    }

    #[test]
    fn sound_arguments_pass() {
        for arguments in [
            r#"{"id":"a"}"#,
            r#"{"id":"a","count":5,"ratio":1.5,"on":true,"tags":["x"],"place":{"city":"Ulm"},"more":[{"a":1}]}"#,
            r#"{"id":"a","count":5.0,"ratio":2}"#,
        ] {
            assert_eq!(problem(arguments), None, "{arguments}");
        }
        assert!(Arguments::AnyObject.check(None).is_ok());
    }

    #[test]
    fn unsound_arguments_are_named() {
        for (arguments, expected) in [
            ("{}", "field 'id' is required but missing"),
            (r#"{"id":1}"#, "field 'id' must be a string"),
            (r#"{"id":null}"#, "field 'id' must be a string"),
            (r#"{"id":"a","count":1.5}"#, "field 'count' must be an integer"),
            (r#"{"id":"a","tags":["x",2]}"#, "field 'tags[1]' must be a string"),
            (r#"{"id":"a","place":{}}"#, "field 'city' is required but missing"),
            (r#"{"id":"a","place":{"city":7}}"#, "field 'place.city' must be a string"),
            (r#"{"id":"a","id":"b"}"#, "field 'id' is given more than once"),
            (r#"{"id":"a","x":{"y":1,"y":2}}"#, "field 'y' is given more than once"),
        ] {
            assert_eq!(problem(arguments).as_deref(), Some(expected), "{arguments}");
        }
        let twice = RawValue::from_string(r#"{"a":[{"b":1,"b":2}]}"#.to_owned()).unwrap();
        assert!(Arguments::AnyObject.check(Some(&twice)).is_err());
    }
}
