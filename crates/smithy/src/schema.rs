//! The JSON Schema of a tool's arguments, from the operation's input.
//!
//! What is used once stands where it is used; a structure, union or nested collection that is used several times, and
//! so whatever refers to itself, stands in `$defs`. Lengths, ranges and enumerations are carried over; patterns are
//! not, because Smithy's regular expressions are of another dialect than many readers of JSON Schema accept.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value, json};

use crate::documentation::{self, MAX_MEMBER};
use crate::model::{Member, Model, Shape};

/// The largest schema, in bytes of JSON. Larger inputs are no tool that a model could use.
const MAX_BYTES: usize = 1024 * 1024;
/// How deep shapes stand within one another before `$defs` is used.
const MAX_INLINE: usize = 10;
/// The most shapes of an input.
const MAX_SHAPES: usize = 4_000;

/// The schema of an input, without the optional members `hidden`; the error is the end of a sentence that begins with
/// the operation.
pub(crate) fn of_input(
    model: &Model,
    input: Option<&str>,
    hidden: &[String],
    spent: &mut usize,
) -> Result<Value, String> {
    let root = input.filter(|id| *id != "smithy.api#Unit").and_then(|id| model.shape(id));
    let Some(root) = root else {
        return Ok(json!({"type": "object", "properties": {}, "additionalProperties": false}));
    };
    let shared = shared(model, root)?;
    let mut writer = Writer {
        model,
        shared,
        names: HashMap::new(),
        taken: BTreeSet::new(),
        pending: VecDeque::new(),
        bytes: 0,
    };
    let schema = writer.document(root, hidden);
    *spent += writer.bytes;
    schema.map(Value::Object)
}

/// The shapes that have parts and are used more than once.
fn shared<'a>(model: &'a Model, root: Shape<'a>) -> Result<BTreeSet<&'a str>, String> {
    let (mut seen, mut shared) = (BTreeSet::from([root.id]), BTreeSet::new());
    let mut work = vec![root];
    while let Some(shape) = work.pop() {
        for member in parts(model, shape) {
            let target = model.shape(member.target);
            let Some(target) = target.filter(|target| !is_flat(model, *target)) else { continue };
            if seen.insert(target.id) {
                work.push(target);
            } else {
                shared.insert(target.id);
            }
        }
        if seen.len() > MAX_SHAPES {
            return Err(format!("needs more than {MAX_SHAPES} shapes"));
        }
    }
    Ok(shared)
}

fn parts<'a>(model: &'a Model, shape: Shape<'a>) -> Vec<Member<'a>> {
    match shape.kind {
        "structure" | "union" => model.members(shape),
        "list" | "set" => model.part(shape, "member").into_iter().collect(),
        "map" => model.part(shape, "key").into_iter().chain(model.part(shape, "value")).collect(),
        _ => Vec::new(),
    }
}

/// Whether a shape is cheap to write where it is used: a simple one, or a collection of simple ones.
fn is_flat(model: &Model, shape: Shape<'_>) -> bool {
    let simple = |kind: &str| !matches!(kind, "structure" | "union" | "list" | "set" | "map");
    match shape.kind {
        "list" | "set" | "map" => parts(model, shape)
            .iter()
            .all(|part| model.shape(part.target).is_none_or(|target| simple(target.kind))),
        kind => simple(kind),
    }
}

struct Writer<'a> {
    model: &'a Model,
    shared: BTreeSet<&'a str>,
    /// The names in `$defs`, by shape.
    names: HashMap<&'a str, String>,
    taken: BTreeSet<String>,
    pending: VecDeque<(String, Shape<'a>)>,
    /// About how many bytes were written.
    bytes: usize,
}

impl<'a> Writer<'a> {
    /// The schema of a structure, with all definitions that it refers to.
    fn document(&mut self, root: Shape<'a>, hidden: &[String]) -> Result<Map<String, Value>, String> {
        let mut schema = self.structure(root, 0)?;
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.retain(|name, _| !hidden.contains(name));
        }
        let mut definitions = BTreeMap::new();
        while let Some((name, shape)) = self.pending.pop_front() {
            definitions.insert(name, Value::Object(self.complex(shape, 0)?));
        }
        if !definitions.is_empty() {
            schema.insert("$defs".to_owned(), Value::Object(definitions.into_iter().collect()));
        }
        Ok(schema)
    }

    fn shape(&mut self, shape: Shape<'a>, depth: usize) -> Result<Map<String, Value>, String> {
        self.count(40)?;
        let deep = depth >= MAX_INLINE && !is_flat(self.model, shape);
        if !deep && !self.shared.contains(shape.id) {
            return self.complex(shape, depth);
        }
        let name = match self.names.get(shape.id) {
            Some(name) => name.clone(),
            None => self.name(shape),
        };
        self.count(name.len())?;
        Ok(object(json!({"$ref": format!("#/$defs/{name}")})))
    }

    /// A name in `$defs` for a shape, which is written there later.
    fn name(&mut self, shape: Shape<'a>) -> String {
        let plain: String =
            shape.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let names = std::iter::once(plain.clone()).chain((2..).map(|number| format!("{plain}_{number}")));
        let name = names.take(MAX_SHAPES).find(|name| !self.taken.contains(name)).unwrap_or(plain);
        self.taken.insert(name.clone());
        self.names.insert(shape.id, name.clone());
        self.pending.push_back((name.clone(), shape));
        name
    }

    fn complex(&mut self, shape: Shape<'a>, depth: usize) -> Result<Map<String, Value>, String> {
        match shape.kind {
            "structure" => self.structure(shape, depth),
            "union" => {
                let mut schema = self.structure(shape, depth)?;
                schema.remove("required");
                schema
                    .extend([("minProperties".to_owned(), 1.into()), ("maxProperties".to_owned(), 1.into())]);
                Ok(schema)
            }
            "list" | "set" => {
                let mut schema = object(json!({"type": "array"}));
                if let Some(member) = self.model.part(shape, "member") {
                    schema.insert("items".to_owned(), self.member(member, depth)?);
                }
                if shape.kind == "set" || shape.has("smithy.api#uniqueItems") {
                    schema.insert("uniqueItems".to_owned(), true.into());
                }
                bounds(&mut schema, shape.get("smithy.api#length"), ["minItems", "maxItems"]);
                Ok(schema)
            }
            "map" => {
                let mut schema = object(json!({"type": "object"}));
                if let Some(value) = self.model.part(shape, "value") {
                    schema.insert("additionalProperties".to_owned(), self.member(value, depth)?);
                }
                let key = self.model.part(shape, "key").and_then(|key| self.model.shape(key.target));
                if let Some(values) = key.and_then(|key| enumerated(self.model, key)) {
                    self.count(size(&values))?;
                    schema.insert("propertyNames".to_owned(), json!({"enum": values}));
                }
                bounds(&mut schema, shape.get("smithy.api#length"), ["minProperties", "maxProperties"]);
                Ok(schema)
            }
            _ => {
                let schema = simple(self.model, shape);
                let values = schema.get("enum").and_then(Value::as_array);
                self.count(values.map_or(0, |values| size(values)))?;
                Ok(schema)
            }
        }
    }

    fn structure(&mut self, shape: Shape<'a>, depth: usize) -> Result<Map<String, Value>, String> {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for member in self.model.members(shape) {
            let filled = member.has("smithy.api#idempotencyToken") || member.has("smithy.api#default");
            if member.has("smithy.api#required") && !filled {
                required.push(member.name);
            }
            properties.insert(member.name.to_owned(), self.member(member, depth)?);
        }
        let mut schema =
            object(json!({"type": "object", "properties": properties, "additionalProperties": false}));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        Ok(schema)
    }

    fn member(&mut self, member: Member<'a>, depth: usize) -> Result<Value, String> {
        let Some(shape) = self.model.shape(member.target) else { return Ok(json!({})) };
        let mut schema = self.shape(shape, depth + 1)?;
        bounds(&mut schema, member.get("smithy.api#range"), ["minimum", "maximum"]);
        let length = match shape.kind {
            "list" | "set" => ["minItems", "maxItems"],
            "map" => ["minProperties", "maxProperties"],
            _ => ["minLength", "maxLength"],
        };
        if shape.kind != "blob" {
            bounds(&mut schema, member.get("smithy.api#length"), length);
        }
        if let Some(default @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) =
            member.get("smithy.api#default")
            && !matches!(shape.kind, "timestamp" | "blob" | "document")
        {
            self.count(default.as_str().map_or(20, str::len))?;
            schema.insert("default".to_owned(), default.clone());
        }
        let text = member.text("smithy.api#documentation").or_else(|| shape.text("smithy.api#documentation"));
        let mut text = documentation::plain(text.unwrap_or_default(), MAX_MEMBER);
        if shape.kind == "blob" {
            text = if text.is_empty() {
                "Bytes, in base64.".to_owned()
            } else {
                format!("{text}\nBytes, in base64.")
            };
        }
        self.count(text.len() + member.name.len())?;
        if !text.is_empty() {
            schema.insert("description".to_owned(), text.into());
        }
        Ok(Value::Object(schema))
    }

    fn count(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            return Err(format!("has an input whose schema is larger than {MAX_BYTES} bytes"));
        }
        Ok(())
    }
}

/// About how many bytes a list of values takes.
fn size(values: &[Value]) -> usize {
    let of = |value: &Value| value.as_str().map_or_else(|| value.to_string().len(), str::len) + 3;
    values.iter().map(of).sum()
}

fn simple(model: &Model, shape: Shape<'_>) -> Map<String, Value> {
    let mut schema = object(match shape.kind {
        "string" | "enum" => json!({"type": "string"}),
        "boolean" => json!({"type": "boolean"}),
        "byte" | "short" | "integer" | "long" | "intEnum" | "bigInteger" => json!({"type": "integer"}),
        "float" | "double" | "bigDecimal" => json!({"type": "number"}),
        "timestamp" => json!({"type": "string", "format": "date-time"}),
        "blob" => json!({"type": "string", "contentEncoding": "base64"}),
        _ => json!({}),
    });
    if let Some(values) = enumerated(model, shape) {
        schema.insert("enum".to_owned(), values.into());
    }
    bounds(&mut schema, shape.get("smithy.api#range"), ["minimum", "maximum"]);
    // The length of a blob is that of its bytes, not that of their base64.
    if shape.kind == "string" {
        bounds(&mut schema, shape.get("smithy.api#length"), ["minLength", "maxLength"]);
    }
    schema
}

/// The values of an enumeration: `enum` and `intEnum` shapes, and version 1.0's trait.
fn enumerated(model: &Model, shape: Shape<'_>) -> Option<Vec<Value>> {
    let values: Vec<Value> = match shape.kind {
        "enum" | "intEnum" => {
            let value = |member: Member<'_>| {
                member.get("smithy.api#enumValue").cloned().unwrap_or_else(|| member.name.into())
            };
            model.members(shape).into_iter().map(value).collect()
        }
        "string" => {
            let listed = shape.get("smithy.api#enum").and_then(Value::as_array);
            listed.into_iter().flatten().filter_map(|entry| entry.get("value").cloned()).collect()
        }
        _ => Vec::new(),
    };
    (!values.is_empty()).then_some(values)
}

fn bounds(schema: &mut Map<String, Value>, bounds: Option<&Value>, [least, most]: [&str; 2]) {
    for (from, to) in [("min", least), ("max", most)] {
        if let Some(bound @ Value::Number(_)) = bounds.and_then(|bounds| bounds.get(from)) {
            schema.insert(to.to_owned(), bound.clone());
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
