//! One list of arguments from parameters and body.
//!
//! A body's members keep their names. A parameter whose name is taken, by a member or by a parameter that stands
//! earlier in the request (path, query, header, cookie), gets two underscores and its place: `id__path`, which is how
//! FastMCP says it. Names are otherwise the document's, so that a policy reads `context.input.limit`, or
//! `context.input["page[size]"]`.

use serde_json::{Map, Value, json};

use crate::body_plan::DeclaredBody;
use crate::document::Document;
use crate::operation::{Body, Format, Parameter, Source};
use crate::parameter_plan::{Declared, described};
use crate::schema::{Purpose, Schemas};

/// What a tool takes and how its arguments are sent.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) input_schema: Map<String, Value>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
}

/// Makes one list of arguments.
pub(crate) fn combine(
    document: &Document,
    mut declared: Vec<Declared>,
    body: Option<DeclaredBody>,
) -> Result<Arguments, String> {
    declared.sort_by_key(|parameter| parameter.location);
    let is_xml = body.as_ref().is_some_and(|body| matches!(body.plan.format, Format::Xml { .. }));
    let mut schemas = Schemas::new(document, if is_xml { Purpose::XmlInput } else { Purpose::Input });
    let mut properties = Map::new();
    let mut required: Vec<String> = Vec::new();
    let mut of_body: Vec<(String, Value)> = Vec::new();
    for (name, schema) in body.iter().flat_map(|body| &body.arguments) {
        of_body.push((name.clone(), schemas.convert(schema)?));
    }
    let mut parameters = Vec::with_capacity(declared.len());
    for parameter in declared {
        let is_taken =
            |name: &str| properties.contains_key(name) || of_body.iter().any(|(taken, _)| taken == name);
        let mut argument = parameter.name.clone();
        while is_taken(&argument) {
            argument = format!("{argument}__{}", parameter.location.name());
        }
        let schema = schemas.convert(&parameter.schema)?;
        properties.insert(argument.clone(), described(schema, &parameter));
        if parameter.required {
            required.push(argument.clone());
        }
        let Declared { name, location, required, encoding, .. } = parameter;
        parameters.push(Parameter { argument, name, location, required, encoding });
    }
    properties.extend(of_body);
    let mut input_schema = Map::from_iter([("type".to_owned(), json!("object"))]);
    let mut plan = None;
    if let Some(body) = body {
        if body.plan.required {
            match &body.plan.source {
                Source::Whole(argument) => required.push(argument.clone()),
                Source::Members { required: wanted, .. } => required.extend(wanted.iter().cloned()),
            }
        }
        if let (Source::Whole(argument), Some(description)) = (&body.plan.source, &body.description) {
            let schema = properties.get_mut(argument).and_then(Value::as_object_mut);
            schema.map(|schema| schema.entry("description").or_insert_with(|| json!(description)));
        }
        if let Some(further) = &body.further {
            input_schema.insert("additionalProperties".to_owned(), schemas.convert(further)?);
        }
        let mut sent = body.plan;
        if let Format::Xml { schema, .. } = &mut sent.format {
            *schema = schemas.convert(&body.schema)?;
        }
        plan = Some(sent);
    }
    let definitions = schemas.definitions()?;
    input_schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        input_schema.insert("required".to_owned(), json!(required));
    }
    if !definitions.is_empty() {
        input_schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Ok(Arguments { input_schema, parameters, body: plan })
}
