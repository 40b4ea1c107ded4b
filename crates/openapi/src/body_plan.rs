//! The request body of an operation: which media type is sent, and which arguments it is made of.
//!
//! The members of a body that is an object stand beside the parameters, as on AWS and in FastMCP; any other body is
//! the argument `body`. Of several media types the first of JSON, form, multipart, XML, text and anything else is
//! taken.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::document::{Document, list, object, short, shortened};
use crate::media::{Kind, content_type, kind};
use crate::operation::{Body, Encoding, Format, Part, Source};
use crate::parameter_plan::{explode, style};

/// The argument that is the body when the body is no object.
const WHOLE: &str = "body";
/// How deep `allOf` may nest.
const MAX_DEPTH: usize = 16;
/// The most schemas that a body is merged from.
const MAX_MERGED: usize = 1_000;
/// The most members of a body.
const MAX_MEMBERS: usize = 2_000;

/// A body as the document has it; schemas are the document's.
#[derive(Debug)]
pub(crate) struct DeclaredBody {
    pub(crate) plan: Body,
    /// The arguments and their schemas.
    pub(crate) arguments: Vec<(String, Value)>,
    /// The schema of further members, when the body takes any.
    pub(crate) further: Option<Value>,
    /// What a tool that takes the body whole may say of it.
    pub(crate) description: Option<String>,
    /// The schema of the body itself.
    pub(crate) schema: Value,
}

/// The body of an operation, if it has one.
pub(crate) fn read(document: &Document, operation: &Value) -> Result<Option<DeclaredBody>, String> {
    let Some(raw) = operation.get("requestBody") else { return Ok(None) };
    let raw = document.follow(raw)?;
    let content = object(raw, "content");
    let Some((media_type, media)) =
        content.and_then(|content| content.iter().min_by_key(|(name, _)| kind(name)))
    else {
        return Ok(None);
    };
    let content_type = content_type(media_type)
        .ok_or_else(|| format!("its body's media type `{}` is none", shortened(media_type)))?;
    let required = raw.get("required") == Some(&json!(true));
    let schema = media.get("schema").cloned().unwrap_or_else(|| json!({}));
    let kind = kind(media_type);
    let mut merged = None;
    if !matches!(kind, Kind::Text | Kind::Binary) {
        merged =
            merge(document, &schema, 0, &mut { MAX_MERGED })?.filter(|merged| !merged.properties.is_empty());
    }
    let format = format(document, kind, media, &schema, merged.as_ref())?;
    let description = raw.get("description").and_then(Value::as_str).map(str::to_owned);
    let Some(mut merged) = merged else {
        if matches!(kind, Kind::Form | Kind::Multipart) && !may_be_object(document, &schema) {
            return Err("its form body is no object".to_owned());
        }
        let schema_of_argument = match kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Binary => json!({"type": "string", "contentEncoding": "base64"}),
            _ => schema.clone(),
        };
        let plan = Body { required, content_type, source: Source::Whole(WHOLE.to_owned()), format };
        let arguments = vec![(WHOLE.to_owned(), schema_of_argument)];
        return Ok(Some(DeclaredBody { plan, arguments, further: None, description, schema }));
    };
    merged.required.retain(|name| !merged.read_only.contains(name));
    // A member may be required and described nowhere: then it is anything.
    for name in &merged.required {
        if !merged.properties.iter().any(|(known, _)| known == name) {
            merged.properties.push((name.clone(), json!({})));
        }
    }
    let names = merged.properties.iter().map(|(name, _)| name.clone()).collect();
    let source = Source::Members { names, required: merged.required, open: merged.further.is_some() };
    let plan = Body { required, content_type, source, format };
    Ok(Some(DeclaredBody {
        plan,
        arguments: merged.properties,
        further: merged.further,
        description,
        schema,
    }))
}

/// The members of an object's schema, those of `allOf` included.
#[derive(Debug, Default)]
struct Merged {
    properties: Vec<(String, Value)>,
    required: Vec<String>,
    further: Option<Value>,
    read_only: Vec<String>,
}

/// Merges a schema that can be said as one list of members; nothing when it cannot.
fn merge(
    document: &Document,
    schema: &Value,
    depth: usize,
    left: &mut usize,
) -> Result<Option<Merged>, String> {
    *left = left
        .checked_sub(1)
        .ok_or_else(|| format!("its body is combined by `allOf` from more than {MAX_MERGED} schemas"))?;
    let schema = document.follow(schema)?;
    let choices = ["not", "if", "patternProperties"];
    let chooses_members = ["oneOf", "anyOf"].iter().any(|word| !only_requires(list(schema, word)));
    let is_object = match schema.get("type") {
        None => true,
        Some(Value::Array(names)) => names.contains(&json!("object")),
        Some(name) => name == "object",
    };
    if depth > MAX_DEPTH
        || !is_object
        || chooses_members
        || choices.iter().any(|word| schema.get(word).is_some())
    {
        return Ok(None);
    }
    let mut merged = Merged::default();
    for branch in list(schema, "allOf") {
        let Some(branch) = merge(document, branch, depth + 1, left)? else { return Ok(None) };
        for (name, property) in branch.properties {
            document.work()?;
            add(&mut merged, name, property);
        }
        merged.required.extend(branch.required);
        merged.read_only.extend(branch.read_only);
        merged.further = merged.further.or(branch.further);
    }
    let own = object(schema, "properties");
    if own.map_or(0, serde_json::Map::len) + merged.properties.len() + list(schema, "required").len()
        > MAX_MEMBERS
    {
        return Err(format!("its body has more than {MAX_MEMBERS} members"));
    }
    let wanted = list(schema, "required").iter().filter_map(Value::as_str);
    // Each of the schemas that a body is merged from may name the same members again.
    for name in own.into_iter().flatten().map(|(name, _)| name.as_str()).chain(wanted.clone()) {
        short(name)?;
    }
    for (name, property) in own.into_iter().flatten() {
        let target = document.follow(property)?;
        let read_only = [property, target].iter().any(|schema| schema.get("readOnly") == Some(&json!(true)));
        if read_only {
            merged.read_only.push(name.clone());
        } else {
            add(&mut merged, name.clone(), property.clone());
        }
    }
    merged.required.extend(wanted.map(str::to_owned));
    merged.further = match schema.get("additionalProperties") {
        Some(Value::Bool(true)) => Some(json!(true)),
        Some(further @ Value::Object(_)) => Some(further.clone()),
        _ => merged.further,
    };
    merged.required.sort_unstable();
    merged.required.dedup();
    merged.read_only.sort_unstable();
    merged.read_only.dedup();
    if merged.required.len().max(merged.read_only.len()) > MAX_MEMBERS {
        return Err(format!("its body has more than {MAX_MEMBERS} members"));
    }
    Ok(Some(merged))
}

/// Whether the branches of a choice only say which members must come together. That is the upstream's to check, and
/// does not change what the members are.
fn only_requires(branches: &[Value]) -> bool {
    let plain = ["required", "title", "description", "type"];
    branches.iter().all(|branch| {
        branch.as_object().is_some_and(|branch| {
            branch.contains_key("required") && branch.keys().all(|word| plain.contains(&word.as_str()))
        })
    })
}

fn add(merged: &mut Merged, name: String, property: Value) {
    match merged.properties.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) if *known != property => *known = json!({"allOf": [known.take(), property]}),
        Some(_) => {}
        None => merged.properties.push((name, property)),
    }
}

fn may_be_object(document: &Document, schema: &Value) -> bool {
    let schema = document.follow(schema).unwrap_or(schema);
    schema.get("type").is_none_or(|name| name == "object" || name.is_array())
}

fn format(
    document: &Document,
    kind: Kind,
    media: &Value,
    schema: &Value,
    merged: Option<&Merged>,
) -> Result<Format, String> {
    let encodings = object(media, "encoding");
    let properties = merged.map(|merged| merged.properties.as_slice()).unwrap_or_default();
    let encoding_of = |name: &str| encodings.and_then(|encodings| encodings.get(name));
    Ok(match kind {
        Kind::Json => Format::Json,
        Kind::Text => Format::Text,
        Kind::Binary => Format::Binary,
        Kind::Form => {
            let mut written = BTreeMap::new();
            for (name, _) in properties {
                if let Some(encoding) = encoding_of(name).map(form_encoding).transpose()?.flatten() {
                    written.insert(name.clone(), encoding);
                }
            }
            Format::Form(written)
        }
        Kind::Multipart => {
            let part = |(name, property): &(String, Value)| {
                Some((name.clone(), part(document, property, encoding_of(name))?))
            };
            Format::Multipart(properties.iter().filter_map(part).collect())
        }
        // The schema is filled in once it is converted.
        Kind::Xml => {
            Format::Xml { root: short(root_name(document, schema))?.to_owned(), schema: Value::Null }
        }
    })
}

/// The style of a form's member; JSON where its encoding has a JSON content type and no style.
fn form_encoding(raw: &Value) -> Result<Option<Encoding>, String> {
    if let Some(style) = style(raw)? {
        return Ok(Some(explode(raw, style)));
    }
    let json = raw.get("contentType").and_then(Value::as_str).is_some_and(|name| kind(name) == Kind::Json);
    Ok(json.then_some(Encoding {
        style: crate::operation::Style::Json,
        explode: false,
        allow_reserved: false,
    }))
}

/// How a member of a multipart body is written, when not as plain text (3.1.1, "Encoding Object").
fn part(document: &Document, property: &Value, encoding: Option<&Value>) -> Option<Part> {
    let given = encoding.and_then(|encoding| encoding.get("contentType")).and_then(Value::as_str);
    let first = given.and_then(|types| types.split(',').map(str::trim).find_map(content_type));
    let mut schema = document.follow(property).unwrap_or(property);
    if schema.get("type").is_some_and(|name| name == "array") {
        let items = schema.get("items")?;
        schema = document.follow(items).unwrap_or(items);
    }
    let format = schema.get("format").and_then(Value::as_str);
    let is_text = schema.get("type").is_none_or(|name| name == "string");
    let binary = format == Some("binary")
        || schema.get("contentMediaType").is_some() && is_text
        || schema.get("contentEncoding").is_some_and(|encoding| encoding == "base64");
    let fallback = if binary {
        "application/octet-stream"
    } else if schema.get("type").is_some_and(|name| name == "object") || schema.get("properties").is_some() {
        "application/json"
    } else {
        return first.map(|content_type| Part { content_type, binary: false });
    };
    Some(Part { content_type: first.unwrap_or_else(|| fallback.to_owned()), binary })
}

/// The name of an XML body's root: the schema's own, or that of the component it is.
fn root_name<'a>(document: &'a Document, schema: &'a Value) -> &'a str {
    let target = document.follow(schema).unwrap_or(schema);
    let own = target.get("xml").and_then(|xml| xml.get("name")).and_then(Value::as_str);
    let component =
        schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next());
    own.or(component).unwrap_or("root")
}
