//! The document's schemas as JSON Schema 2020-12 that stands alone.
//!
//! A schema that is referred to by name stays so: it is put into `$defs` once and referred to as `#/$defs/Name`, which
//! keeps recursive schemas finite and shared ones small, and which both MCP's clients and the policies' schema follow.
//! What 3.0 says in words of its own is said in those of 2020-12. Properties that only answers have (`readOnly`) are
//! left out of what a tool takes, those that only requests have (`writeOnly`) out of what it answers.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::document::{Dialect, Document, pointer};
use crate::schema_keyword::{Keyword, keyword};

/// How deep a schema may nest between two references.
const MAX_DEPTH: usize = 64;
/// The most parts of one tool's schema.
const MAX_PARTS: usize = 50_000;
/// The most bytes that one tool's schemas take over from the document; what a tool may have is less, and is held
/// against the whole schema once it is written.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What a schema is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What a tool takes.
    Input,
    /// What a tool takes and sends as XML: the `xml` keyword is kept.
    XmlInput,
    /// What a tool answers.
    Output,
}

/// Converts the schemas of one tool and gathers what they refer to.
pub(crate) struct Schemas<'d> {
    document: &'d Document,
    purpose: Purpose,
    /// The names in `$defs`, by pointer.
    names: BTreeMap<String, String>,
    taken: HashSet<String>,
    /// The number that is tried next for a name that is taken.
    next: HashMap<String, usize>,
    waiting: Vec<(String, String)>,
    definitions: Map<String, Value>,
    parts: usize,
    /// About how many bytes were taken over.
    bytes: usize,
}

impl<'d> Schemas<'d> {
    pub(crate) fn new(document: &'d Document, purpose: Purpose) -> Self {
        Self {
            document,
            purpose,
            names: BTreeMap::new(),
            taken: HashSet::new(),
            next: HashMap::new(),
            waiting: Vec::new(),
            definitions: Map::new(),
            parts: 0,
            bytes: 0,
        }
    }

    /// The schema in the words of 2020-12.
    pub(crate) fn convert(&mut self, schema: &Value) -> Result<Value, String> {
        self.schema(schema, 0)
    }

    /// What the converted schemas refer to, for `$defs`.
    pub(crate) fn definitions(mut self) -> Result<Map<String, Value>, String> {
        while let Some((pointer, name)) = self.waiting.pop() {
            let target = self.document.root().pointer(&pointer).ok_or("a `$ref` of it leads nowhere")?;
            let converted = self.schema(target, 0)?;
            self.definitions.insert(name, converted);
        }
        Ok(self.definitions)
    }

    fn schema(&mut self, schema: &Value, depth: usize) -> Result<Value, String> {
        self.parts += 1;
        self.document.work()?;
        if depth > MAX_DEPTH {
            return Err(format!("a schema of it is nested deeper than {MAX_DEPTH} levels"));
        }
        if self.parts > MAX_PARTS {
            return Err(format!("its schemas have more than {MAX_PARTS} parts"));
        }
        let members = match schema {
            Value::Object(members) => members,
            Value::Bool(any) => return Ok(Value::Bool(*any)),
            _ => return Ok(json!({})),
        };
        let reference = match members.get("$ref") {
            Some(Value::String(reference)) => Some(self.reference(reference)?),
            _ => None,
        };
        if let (Some(reference), Dialect::V30) = (&reference, self.document.dialect) {
            // Siblings of a 3.0 reference are ignored; a description does no harm and helps a model.
            let mut converted = Map::from_iter([("$ref".to_owned(), reference.clone())]);
            if let Some(Value::String(description)) = members.get("description") {
                self.count(description.len())?;
                converted.insert("description".to_owned(), Value::String(description.clone()));
            }
            return Ok(Value::Object(converted));
        }
        let mut converted = Map::new();
        let dropped = self.dropped(members);
        for (name, value) in members {
            if let Some(value) = self.member(name, value, &dropped, depth)? {
                converted.insert(name.clone(), value);
            }
        }
        if let Some(reference) = reference {
            converted.insert("$ref".to_owned(), reference);
        }
        drop_idle_choices(&mut converted);
        if self.document.dialect == Dialect::V30 {
            modernise(members, &mut converted);
        }
        describe_bytes(members, &mut converted);
        Ok(Value::Object(converted))
    }

    fn member(
        &mut self,
        name: &str,
        value: &Value,
        dropped: &HashSet<&str>,
        depth: usize,
    ) -> Result<Option<Value>, String> {
        Ok(match (keyword(name), value) {
            (Keyword::Schema, value @ (Value::Object(_) | Value::Bool(_))) => {
                Some(self.schema(value, depth + 1)?)
            }
            (Keyword::Schemas, Value::Array(schemas)) if !schemas.is_empty() => {
                let converted = schemas.iter().map(|schema| self.schema(schema, depth + 1));
                Some(Value::Array(converted.collect::<Result<_, _>>()?))
            }
            (Keyword::NamedSchemas, Value::Object(schemas)) => {
                let mut converted = Map::new();
                for (property, schema) in schemas {
                    self.count(property.len())?;
                    if name != "properties" || !dropped.contains(property.as_str()) {
                        converted.insert(property.clone(), self.schema(schema, depth + 1)?);
                    }
                }
                Some(Value::Object(converted))
            }
            (Keyword::Required, Value::Array(names)) => {
                let kept = |name: &&Value| name.as_str().is_some_and(|name| !dropped.contains(name));
                self.count(names.iter().filter_map(Value::as_str).map(str::len).sum())?;
                let names: Vec<Value> = names.iter().filter(kept).cloned().collect();
                (!names.is_empty()).then_some(Value::Array(names))
            }
            (Keyword::Plain(fits), value) if fits(value) => Some(self.copy(value)?),
            (Keyword::Xml, value) if self.purpose == Purpose::XmlInput => Some(self.copy(value)?),
            _ => None,
        })
    }

    fn count(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            return Err(format!("its schemas have more than {MAX_BYTES} bytes"));
        }
        Ok(())
    }

    fn copy(&mut self, value: &Value) -> Result<Value, String> {
        self.count(value.as_str().map_or_else(|| value.to_string().len(), str::len))?;
        Ok(value.clone())
    }

    /// The properties that the other direction alone has.
    fn dropped<'a>(&self, schema: &'a Map<String, Value>) -> HashSet<&'a str> {
        let mark = if self.purpose == Purpose::Output { "writeOnly" } else { "readOnly" };
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_marked = |property: &Value| {
            let target = self.document.follow(property).unwrap_or(property);
            [property, target].iter().any(|schema| schema.get(mark) == Some(&Value::Bool(true)))
        };
        let marked = properties.into_iter().flatten().filter(|(_, property)| is_marked(property));
        marked.map(|(name, _)| name.as_str()).collect()
    }

    /// The reference by which `$defs` names what the document's reference leads to.
    fn reference(&mut self, reference: &str) -> Result<Value, String> {
        self.document.at(reference)?;
        let pointer = pointer(reference)?.into_owned();
        let name = if let Some(name) = self.names.get(&pointer) {
            name.clone()
        } else {
            let name = self.free_name(&pointer);
            self.names.insert(pointer.clone(), name.clone());
            self.waiting.push((pointer, name.clone()));
            name
        };
        Ok(Value::String(format!("#/$defs/{name}")))
    }

    /// A name that needs no escape in a pointer, from the pointer's last part.
    fn free_name(&mut self, pointer: &str) -> String {
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let fits =
            |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
        let plain: String =
            last.chars().take(100).map(|character| if fits(character) { character } else { '_' }).collect();
        let plain = if plain.is_empty() { "document".to_owned() } else { plain };
        let mut name = plain.clone();
        // The count goes on where it stopped, so that many equal names do not all begin at 2.
        while !self.taken.insert(name.clone()) {
            let number = self.next.entry(plain.clone()).or_insert(2);
            name = format!("{plain}_{number}");
            *number += 1;
        }
        name
    }
}

/// A choice of which no value has the schema's type, as of texts for a list, would refuse everything: it is left out.
fn drop_idle_choices(converted: &mut Map<String, Value>) {
    let (Some(Value::String(name)), Some(Value::Array(values))) =
        (converted.get("type"), converted.get("enum"))
    else {
        return;
    };
    let fits = |value: &Value| match name.as_str() {
        "string" => value.is_string(),
        "integer" | "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    if !values.iter().any(fits) {
        converted.remove("enum");
    }
}

/// What 3.0 says of null and of exclusive bounds, in the words of 2020-12.
fn modernise(schema: &Map<String, Value>, converted: &mut Map<String, Value>) {
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        if schema.get(exclusive) == Some(&Value::Bool(true))
            && let Some(limit) = converted.remove(bound)
        {
            converted.insert(exclusive.to_owned(), limit);
        }
    }
    if schema.get("nullable") != Some(&Value::Bool(true)) {
        return;
    }
    if let Some(Value::String(name)) = converted.get("type").cloned() {
        converted.insert("type".to_owned(), json!([name, "null"]));
        if let Some(Value::Array(values)) = converted.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
    } else if ["allOf", "oneOf", "anyOf"].iter().any(|word| converted.contains_key(*word)) {
        let described = converted.remove("description");
        let inner = Value::Object(std::mem::take(converted));
        converted.extend(described.map(|text| ("description".to_owned(), text)));
        converted.insert("anyOf".to_owned(), json!([inner, {"type": "null"}]));
    }
}

/// Bytes are base64 in JSON: `format: binary` and `format: byte` of 3.0 and a media type without encoding of 3.1.
fn describe_bytes(schema: &Map<String, Value>, converted: &mut Map<String, Value>) {
    let format = schema.get("format").and_then(Value::as_str);
    let bytes = matches!(format, Some("binary" | "byte"))
        || schema.contains_key("contentMediaType") && schema.get("type").is_none_or(|name| name == "string");
    if bytes && !converted.contains_key("contentEncoding") {
        converted.insert("type".to_owned(), json!("string"));
        converted.insert("contentEncoding".to_owned(), json!("base64"));
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
