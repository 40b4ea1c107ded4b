//! The Cedar type of a tool's arguments, read from the tool's JSON Schema.
//!
//! The mapping is the table of "Schema constraints" in the AgentCore developer guide: `string` is String,
//! `integer` Long, `boolean` Bool, `number` decimal, `object` a record with its `required` respected, `array`
//! a Set. A `null` argument is omitted (developer guide, "Resource configuration for examples"), so a type
//! that is nullable is a property that may be absent. What has no single Cedar type (unions, arrays of
//! anything, recursion) is left out and remembered with the reason: a policy cannot read it, and is told why.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// How deep records may nest. Deeper parts of a tool's schema are left out.
const MAX_DEPTH: usize = 16;
/// How many schemas one tool's schema may consist of once its references are followed. Further ones are left
/// out: a few references to references would otherwise make a schema without end.
const MAX_SCHEMAS: usize = 5_000;

/// The Cedar type of a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum InputType {
    /// Any string, whatever its `format` or `enum` says.
    String,
    /// An integer of 64 bits.
    Long,
    /// `true` or `false`.
    Bool,
    /// A number with four decimal places.
    Decimal,
    /// An array, of which Cedar knows neither order nor repetition.
    Set(Box<InputType>),
    /// An object with known properties.
    Record(Record),
}

/// The properties of an object. Properties that are not listed are not visible to policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) fields: BTreeMap<String, Field>,
}

/// One property.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Field {
    pub(crate) input_type: InputType,
    pub(crate) required: bool,
}

/// A part of a tool's arguments that no policy can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The names that lead to it; empty for the arguments as a whole.
    pub(crate) path: Vec<String>,
    /// Why, as the end of a sentence that begins with the argument.
    pub(crate) why: String,
}

/// What a tool takes, as policies see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToolInput {
    pub(crate) record: Record,
    pub(crate) unreadable: Vec<Unreadable>,
}

/// Reads the `inputSchema` of a tool. Nothing is refused: what cannot be expressed is unreadable.
pub(crate) fn read(input_schema: &str) -> ToolInput {
    let document: Value = match serde_json::from_str(input_schema) {
        Ok(document) => document,
        Err(error) => return all_unreadable(format!("its input schema is not JSON ({error})")),
    };
    let mut reader = Reader { document: &document, schemas: 0, unreadable: Vec::new() };
    match reader.read(&document, &mut Vec::new(), &mut Vec::new()) {
        Ok(Found { input_type: InputType::Record(record), .. }) => {
            ToolInput { record, unreadable: reader.unreadable }
        }
        Ok(_) => all_unreadable("its input schema does not describe an object".to_owned()),
        Err(why) => all_unreadable(why),
    }
}

fn all_unreadable(why: String) -> ToolInput {
    ToolInput { record: Record::default(), unreadable: vec![Unreadable { path: Vec::new(), why }] }
}

/// A type, and whether `null` may stand in its place.
struct Found {
    input_type: InputType,
    nullable: bool,
}

impl Found {
    fn plain(input_type: InputType) -> Self {
        Self { input_type, nullable: false }
    }
}

struct Reader<'a> {
    document: &'a Value,
    schemas: usize,
    unreadable: Vec<Unreadable>,
}

impl<'a> Reader<'a> {
    /// The type of what `schema` describes, or why it has none. `references` are the `$ref`s being followed.
    fn read(
        &mut self,
        schema: &'a Value,
        path: &mut Vec<String>,
        references: &mut Vec<&'a str>,
    ) -> Result<Found, String> {
        self.schemas += 1;
        if self.schemas > MAX_SCHEMAS {
            return Err(format!("the tool's schema has more than {MAX_SCHEMAS} parts"));
        }
        if path.len() > MAX_DEPTH || references.len() > MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        let Some(schema) = schema.as_object() else {
            return Err("it may have any type".to_owned());
        };
        let mut found = self.read_keywords(schema, path, references)?;
        if schema.get("nullable") == Some(&Value::Bool(true)) {
            found.nullable = true;
        }
        Ok(found)
    }

    fn read_keywords(
        &mut self,
        schema: &'a Map<String, Value>,
        path: &mut Vec<String>,
        references: &mut Vec<&'a str>,
    ) -> Result<Found, String> {
        if let Some(reference) = schema.get("$ref") {
            return self.follow(reference, path, references);
        }
        if let Some(Value::Array(branches)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
            return self.unite(branches, path, references);
        }
        if let Some(Value::Array(branches)) = schema.get("allOf") {
            return match branches.as_slice() {
                [only] if !schema.contains_key("properties") => self.read(only, path, references),
                _ => Err("it combines several schemas with `allOf`".to_owned()),
            };
        }
        match schema.get("type") {
            Some(Value::String(name)) => self.named(name, schema, path, references).map(Found::plain),
            Some(Value::Array(names)) => self.one_of_names(names, schema, path, references),
            Some(_) => Err("its `type` is neither a name nor a list of names".to_owned()),
            None => self.inferred(schema, path, references).map(Found::plain),
        }
    }

    /// A reference inside the same document: `#/$defs/Name` and the like (RFC 6901).
    fn follow(
        &mut self,
        reference: &'a Value,
        path: &mut Vec<String>,
        references: &mut Vec<&'a str>,
    ) -> Result<Found, String> {
        let name = reference.as_str().unwrap_or_default();
        let Some(pointer) = name.strip_prefix('#') else {
            return Err("its `$ref` points outside the tool's schema".to_owned());
        };
        if references.contains(&pointer) {
            return Err("it contains itself".to_owned());
        }
        let target =
            self.document.pointer(pointer).ok_or_else(|| format!("its `$ref` to `{name}` leads nowhere"))?;
        references.push(pointer);
        let found = self.read(target, path, references);
        references.pop();
        found
    }

    /// A union has a Cedar type when its branches agree on one, `null` aside.
    fn unite(
        &mut self,
        branches: &'a [Value],
        path: &mut Vec<String>,
        references: &mut Vec<&'a str>,
    ) -> Result<Found, String> {
        let is_null = |branch: &&Value| branch.get("type").and_then(Value::as_str) == Some("null");
        let mut nullable = branches.iter().any(|branch| is_null(&branch));
        let mut united = None;
        for branch in branches.iter().filter(|branch| !is_null(branch)) {
            let found = self.read(branch, path, references)?;
            nullable |= found.nullable;
            match &united {
                None => united = Some(found.input_type),
                Some(before) if *before == found.input_type => {}
                Some(_) => return Err("it may have one of several types".to_owned()),
            }
        }
        let input_type = united.ok_or_else(only_null)?;
        Ok(Found { input_type, nullable })
    }

    fn one_of_names(
        &mut self,
        names: &'a [Value],
        schema: &'a Map<String, Value>,
        path: &mut Vec<String>,
        references: &mut Vec<&'a str>,
    ) -> Result<Found, String> {
        let mut names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        let nullable = names.contains(&"null");
        names.retain(|name| *name != "null");
        names.sort_unstable();
        names.dedup();
        let input_type = match names.as_slice() {
            [] => return Err(only_null()),
            [only] => self.named(only, schema, path, references)?,
            ["integer", "number"] => InputType::Decimal,
            _ => return Err("it may have one of several types".to_owned()),
        };
        Ok(Found { input_type, nullable })
    }

    fn named(
        &mut self,
        name: &str,
        schema: &'a Map<String, Value>,
        path: &mut Vec<String>,
        references: &mut Vec<&'a str>,
    ) -> Result<InputType, String> {
        match name {
            "string" => Ok(InputType::String),
            "integer" => Ok(InputType::Long),
            "number" | "float" => Ok(InputType::Decimal),
            "boolean" => Ok(InputType::Bool),
            "object" => self.object(schema, path, references),
            "array" => self.array(schema, path, references),
            "null" => Err(only_null()),
            _ => Err(format!("its type `{name}` is not one of JSON Schema's")),
        }
    }

    /// A schema without `type` whose other keywords leave one. (A value of another type is refused when the
    /// call is made, so that reading more out of the schema than it says cannot let anything through.)
    fn inferred(
        &mut self,
        schema: &'a Map<String, Value>,
        path: &mut Vec<String>,
        references: &mut Vec<&'a str>,
    ) -> Result<InputType, String> {
        if schema.contains_key("properties") {
            return self.object(schema, path, references);
        }
        let values = match (schema.get("const"), schema.get("enum")) {
            (Some(value), _) => std::slice::from_ref(value),
            (None, Some(Value::Array(values))) => values.as_slice(),
            _ => return Err("it may have any type".to_owned()),
        };
        let mut types = values.iter().map(|value| match value {
            Value::String(_) => Some(InputType::String),
            Value::Bool(_) => Some(InputType::Bool),
            Value::Number(number) if number.is_i64() => Some(InputType::Long),
            _ => None,
        });
        let first = types.next().flatten();
        match first {
            Some(first) if types.all(|other| other.as_ref() == Some(&first)) => Ok(first),
            _ => Err("its values have several types".to_owned()),
        }
    }

    fn array(
        &mut self,
        schema: &'a Map<String, Value>,
        path: &mut Vec<String>,
        references: &mut Vec<&'a str>,
    ) -> Result<InputType, String> {
        if schema.contains_key("prefixItems") {
            return Err("it is a tuple".to_owned());
        }
        let items = schema.get("items").ok_or("it is an array of anything")?;
        path.push("[]".to_owned());
        let found = self.read(items, path, references);
        path.pop();
        let found = found.map_err(|why| format!("it is an array, and of an element: {why}"))?;
        if found.nullable {
            return Err("it is an array that may contain `null`".to_owned());
        }
        Ok(InputType::Set(Box::new(found.input_type)))
    }

    fn object(
        &mut self,
        schema: &'a Map<String, Value>,
        path: &mut Vec<String>,
        references: &mut Vec<&'a str>,
    ) -> Result<InputType, String> {
        let required: Vec<&str> = match schema.get("required") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut record = Record::default();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            path.push(name.clone());
            match self.read(property, path, references) {
                Ok(found) => {
                    let field = Field {
                        required: !found.nullable && required.contains(&name.as_str()),
                        input_type: found.input_type,
                    };
                    record.fields.insert(name.clone(), field);
                }
                Err(why) => self.unreadable.push(Unreadable { path: path.clone(), why }),
            }
            path.pop();
        }
        Ok(InputType::Record(record))
    }
}

fn only_null() -> String {
    "it is always `null`, which is omitted".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(schema: &Value) -> ToolInput {
        read(&schema.to_string())
    }

    fn property(schema: &Value) -> Result<(InputType, bool), String> {
        let tool = input(&json!({"type": "object", "properties": {"x": schema}, "required": ["x"]}));
        match tool.record.fields.get("x") {
            Some(field) => Ok((field.input_type.clone(), field.required)),
            None => Err(tool.unreadable.into_iter().find(|part| part.path == ["x"]).unwrap().why),
        }
    }

    #[test]
    fn the_documented_types() {
        let set = |of| InputType::Set(Box::new(of));
        for (schema, expected) in [
            (json!({"type": "string"}), InputType::String),
            (json!({"type": "string", "enum": ["a"]}), InputType::String),
            (json!({"type": "string", "format": "date-time"}), InputType::String),
            (json!({"type": "integer"}), InputType::Long),
            (json!({"type": "boolean"}), InputType::Bool),
            (json!({"type": "number"}), InputType::Decimal),
            (json!({"type": ["integer", "number"]}), InputType::Decimal),
            (json!({"type": "array", "items": {"type": "string"}}), set(InputType::String)),
            (json!({"enum": ["a", "b"]}), InputType::String),
            (json!({"const": 4}), InputType::Long),
            (json!({"anyOf": [{"const": "a"}, {"const": "b"}]}), InputType::String),
            (json!({"allOf": [{"type": "boolean"}]}), InputType::Bool),
        ] {
            assert_eq!(property(&schema), Ok((expected, true)), "{schema}");
        }
    }

    #[test]
    fn what_may_be_null_may_be_absent() {
        for schema in [
            json!({"type": ["string", "null"]}),
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            json!({"type": "string", "nullable": true}),
        ] {
            assert_eq!(property(&schema), Ok((InputType::String, false)), "{schema}");
        }
    }

    #[test]
    fn what_has_no_type_says_why() {
        for (schema, why) in [
            (json!({}), "it may have any type"),
            (json!(true), "it may have any type"),
            (json!({"type": "null"}), "it is always `null`"),
            (json!({"type": ["string", "integer"]}), "one of several types"),
            (json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}), "one of several types"),
            (json!({"type": "array"}), "an array of anything"),
            (json!({"type": "array", "items": {}}), "of an element: it may have any type"),
            (json!({"type": "array", "prefixItems": []}), "a tuple"),
            (json!({"type": "array", "items": {"type": ["string", "null"]}}), "may contain `null`"),
            (json!({"enum": ["a", 1]}), "several types"),
            (json!({"$ref": "https://example.com/x"}), "outside the tool's schema"),
            (json!({"$ref": "#/$defs/none"}), "leads nowhere"),
        ] {
            let said = property(&schema).unwrap_err();
            assert!(said.contains(why), "{schema}: {said}");
        }
    }

    #[test]
    fn references_are_followed_and_recursion_ends() {
        let tool = input(&json!({
            "$defs": {
                "Money": {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]},
                "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "id": {"type": "string"}}},
            },
            "type": "object",
            "properties": {"price": {"$ref": "#/$defs/Money"}, "tree": {"$ref": "#/$defs/Node"}},
        }));
        let InputType::Record(price) = &tool.record.fields["price"].input_type else { panic!("{tool:?}") };
        assert!(price.fields["cents"].required);
        assert_eq!(tool.unreadable[0].path, ["tree", "next"]);
        assert_eq!(tool.unreadable[0].why, "it contains itself");
    }

    #[test]
    fn a_schema_that_multiplies_itself_is_cut_off() {
        let mut definitions = Map::new();
        for level in 0..14 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            let properties: Map<String, Value> =
                (0..10).map(|name| (format!("p{name}"), next.clone())).collect();
            definitions.insert(format!("d{level}"), json!({"type": "object", "properties": properties}));
        }
        definitions.insert("d14".to_owned(), json!({"type": "string"}));
        let tool = input(&json!({
            "$defs": definitions,
            "type": "object",
            "properties": {"x": {"$ref": "#/$defs/d0"}},
        }));
        assert!(tool.unreadable.iter().any(|part| part.why.contains("more than 5000 parts")));
    }

    #[test]
    fn a_schema_that_describes_no_object_leaves_nothing_to_read() {
        for schema in ["", "[]", "true", "{\"type\":\"string\"}", "{}"] {
            let tool = read(schema);
            assert!(tool.record.fields.is_empty(), "{schema}");
            assert!(tool.unreadable[0].path.is_empty(), "{schema}");
        }
        assert_eq!(read("{\"type\":\"object\"}"), ToolInput::default());
    }
}
