//! Holds a call's arguments against the input schema of its tool, in one pass over the text and without a tree.
//!
//! What a policy reads must be what the upstream will read. So repeated members are refused for every tool, and so is a
//! member whose name is a property's but for its case: there are servers that match names regardless of case, and would
//! take `Amount` for the `amount` that no policy saw. Names are compared in objects, not in the elements of lists. Types
//! and required members are checked for tools whose schema is AgentCore's own subset (`type`, `properties`, `required`,
//! `items`); an MCP server checks its own tools' schemas, which may be anything.

use std::borrow::Cow;
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

/// How much of a schema is held against the arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// All of it.
    Whole,
    /// The names of properties alone.
    Names,
}

/// AgentCore's subset of JSON Schema, compiled.
pub(crate) enum Shape {
    Any,
    /// Anything; where it is an object, these are the names it knows.
    Named(HashMap<String, Shape>),
    Text,
    Number,
    Integer,
    Boolean,
    List(Box<Shape>),
    Object {
        properties: HashMap<String, Shape>,
        required: Vec<String>,
    },
}

impl Arguments {
    /// The check for a schema of AgentCore's subset.
    pub(crate) fn of_schema(schema: &str) -> Self {
        Self::read(schema, Depth::Whole)
    }

    /// The check for any other schema, whose server checks it: the names of its properties alone.
    pub(crate) fn of_names(schema: &str) -> Self {
        Self::read(schema, Depth::Names)
    }

    fn read(schema: &str, depth: Depth) -> Self {
        serde_json::from_str::<Value>(schema)
            .map_or(Self::AnyObject, |schema| Self::Schema(Shape::read(&schema, depth)))
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
    fn read(schema: &Value, depth: Depth) -> Self {
        let inner = |schema: &Value| Self::read(schema, depth);
        let properties = || {
            let properties = schema.get("properties").and_then(Value::as_object);
            properties.into_iter().flatten().map(|(name, schema)| (name.clone(), inner(schema))).collect()
        };
        if depth == Depth::Names {
            return Self::Named(properties());
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => Self::Text,
            Some("number") => Self::Number,
            Some("integer") => Self::Integer,
            Some("boolean") => Self::Boolean,
            Some("array") => Self::List(Box::new(schema.get("items").map_or(Self::Any, inner))),
            Some("object") => {
                let required = schema.get("required").and_then(Value::as_array);
                Self::Object {
                    properties: properties(),
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
            Self::Any | Self::Named(_) => "a value",
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::List(_) => "an array",
            Self::Object { .. } => "an object",
        }
    }
}

/// Where nothing is asked for.
static NOTHING: Shape = Shape::Any;

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
        let anything = matches!(self.shape, Shape::Any | Shape::Named(_));
        if allowed || anything { Ok(()) } else { Err(self.wrong()) }
    }
}

/// Whether two names are one to a reader that does not mind case.
fn same_but_for_case(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    // Letters such as the long s and the Kelvin sign have an ordinary letter only by way of their capital.
    let fold = |text: &str| text.to_uppercase().to_lowercase();
    fold(one) == fold(other)
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
            Shape::Named(_) => &NOTHING,
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
        let empty = (&HashMap::new(), &Vec::new());
        let (properties, required) = match self.shape {
            Shape::Object { properties, required } => (properties, required),
            Shape::Named(properties) => (properties, empty.1),
            Shape::Any => empty,
            _ => return Err(self.wrong()),
        };
        let mut seen = strict_json::Names::default();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            if !properties.contains_key(&*name)
                && let Some(meant) = properties.keys().find(|known| same_but_for_case(known, &name))
            {
                return Err(A::Error::custom(format_args!("field '{name}' must be spelt '{meant}'")));
            }
            let shape = properties.get(&*name).unwrap_or(&NOTHING);
            if matches!(shape, Shape::Any) {
                members.next_value_seed(Check { shape, path: "" })?;
            } else if self.path.is_empty() {
                members.next_value_seed(Check { shape, path: &name })?;
            } else {
                members.next_value_seed(Check { shape, path: &format!("{}.{name}", self.path) })?;
            }
            if let Err(name) = seen.add(name) {
                return Err(A::Error::custom(format_args!("field '{name}' is given more than once")));
            }
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

    #[test]
    fn a_wide_object_costs_no_more_than_its_size() {
        let members: Vec<_> = (0..300_000).map(|number| format!("\"m{number}\":0")).collect();
        let text = format!("{{{}}}", members.join(","));
        let raw = RawValue::from_string(text.clone()).unwrap();
        assert_eq!(Arguments::AnyObject.check(Some(&raw)), Ok(()));
        let raw = RawValue::from_string(text.replace("\"m299999\"", "\"m7\"")).unwrap();
        let problem = Arguments::AnyObject.check(Some(&raw)).unwrap_err();
        assert!(problem.ends_with("field 'm7' is given more than once"), "{problem}");
    }

    #[test]
    fn a_name_is_no_other_name_in_disguise() {
        for (arguments, spelt) in [
            (r#"{"id":"a","Count":5000}"#, "field 'Count' must be spelt 'count'"),
            (r#"{"id":"a","place":{"city":"x","CITY":"y"}}"#, "field 'CITY' must be spelt 'city'"),
            (r#"{"id":"a","tag\u017f":[]}"#, "field 'tag\u{17f}' must be spelt 'tags'"),
        ] {
            let raw = RawValue::from_string(arguments.to_owned()).unwrap();
            for check in [Arguments::of_schema(SCHEMA), Arguments::of_names(SCHEMA)] {
                let problem = check.check(Some(&raw)).unwrap_err();
                assert!(problem.ends_with(spelt), "{problem}");
            }
        }
        let raw = RawValue::from_string(r#"{"id":7,"other":{"Id":1},"tags":"none"}"#.to_owned()).unwrap();
        assert_eq!(Arguments::of_names(SCHEMA).check(Some(&raw)), Ok(()));
    }

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
