//! Tools out of the documents that describe a service: its operations become tools, and each tool carries the plan by
//! which it is called.

use std::collections::HashSet;

use aws_shapes::bedrock_agentcore_control::ApiGatewayToolConfiguration;
use domain::{Document, Tool};
use openapi::{Filter, Finding, Options, Override, Severity};
use serde::Serialize;
use serde_json::{Value, json};

use super::schema_source::MAX_OBJECT;
use crate::fault::{Failure, invalid, sentence};

/// How many operations a remark names.
const NAMED: usize = 5;
/// The member of a Smithy model's metadata that says where its service is called, where that is not AWS's host.
const ENDPOINT: &str = "/metadata/portcullis.endpoint";

/// What a document gives.
#[derive(Default)]
pub(super) struct Imported {
    /// Its operations.
    pub(super) tools: Vec<Tool>,
    /// What the calls of a Smithy model are signed for.
    pub(super) signing_name: Option<String>,
    /// What its owner should know: what AWS would refuse, and is served here.
    pub(super) remarks: Vec<String>,
    /// The headers that its operations set themselves, in lower case.
    pub(super) headers: HashSet<String>,
    /// The query parameters that its operations set themselves.
    pub(super) queries: HashSet<String>,
}

impl Imported {
    /// Tools and nothing else.
    pub(super) fn of(tools: Vec<Tool>) -> Self {
        Self { tools, ..Self::default() }
    }
}

/// The operations of an OpenAPI document.
pub(super) fn openapi(text: &str, most: usize, field: &str) -> Result<Imported, Failure> {
    let options = Options { max_document_bytes: MAX_OBJECT, max_operations: most, ..Options::default() };
    of_openapi(text, &options, field)
}

/// The operations of a stage's export that its filters name.
pub(super) fn api_gateway(
    text: &str,
    configuration: &ApiGatewayToolConfiguration,
    most: usize,
    field: &str,
) -> Result<Imported, Failure> {
    let filters = configuration.tool_filters.iter().map(|filter| Filter {
        path: filter.filter_path.clone(),
        methods: filter.methods.iter().map(|method| method.as_str().to_owned()).collect(),
    });
    let overrides = configuration.tool_overrides.iter().flatten().map(|one| Override {
        path: one.path.clone(),
        method: one.method.as_str().to_owned(),
        name: one.name.clone(),
        description: one.description.clone(),
    });
    let options = Options {
        max_document_bytes: MAX_OBJECT,
        max_operations: most,
        filters: filters.collect(),
        overrides: overrides.collect(),
        ..Options::default()
    };
    of_openapi(text, &options, field)
}

fn of_openapi(text: &str, options: &Options, field: &str) -> Result<Imported, Failure> {
    let api = openapi::import(text, options).map_err(|error| invalid(field, sentence(&error)))?;
    let mut imported = Imported::default();
    for operation in &api.operations {
        let mut definition = json!({ "inputSchema": operation.input_schema });
        if !operation.description.is_empty() {
            set(&mut definition, "description", json!(operation.description));
        }
        if let Some(output) = &operation.output_schema {
            set(&mut definition, "outputSchema", json!(output));
        }
        let plan = planned(operation)?;
        own_names(&plan, &mut imported);
        imported.tools.push(tool(&operation.name, &definition, &json!(operation.input_schema), &plan));
    }
    let of = |severity| api.findings.iter().filter(move |finding| finding.severity == severity);
    let left_out: Vec<_> = of(Severity::RefusedHere).collect();
    if !left_out.is_empty() {
        let named: Vec<_> = left_out.iter().take(NAMED).map(|finding| told(finding)).collect();
        imported.remarks.push(bounded(&format!(
            "{} operations of the document are no tools: {}.",
            left_out.len(),
            named.join("; ")
        )));
    }
    let refused: Vec<_> = of(Severity::RefusedByAws).collect();
    if let Some(first) = refused.first() {
        imported.remarks.push(bounded(&format!(
            "AWS would refuse {} of what this document holds, which is served here; the first is {}. \
             `portcullis target preflight` lists all.",
            refused.len(),
            told(first)
        )));
    }
    Ok(imported)
}

fn told(finding: &Finding) -> String {
    let place = finding.operation.as_ref().map_or_else(|| "the document".to_owned(), ToString::to_string);
    format!("{place}: {}", finding.reason)
}

/// The operations of a Smithy model.
pub(super) fn smithy(text: &str, field: &str) -> Result<Imported, Failure> {
    let api = smithy::import(text, &smithy::Options::default())
        .map_err(|error| invalid(field, sentence(&error)))?;
    let service = service_of(text, &api, field)?;
    let mut imported = Imported::default();
    for operation in &api.operations {
        let definition =
            json!({ "description": operation.description, "inputSchema": operation.input_schema });
        let mut plan = planned(operation)?;
        // Where a call goes is part of what is approved.
        set(&mut plan, "service", service.clone());
        imported.tools.push(tool(&operation.name, &definition, &operation.input_schema, &plan));
    }
    if !api.refused.is_empty() {
        let named: Vec<_> = api
            .refused
            .iter()
            .take(NAMED)
            .map(|refusal| format!("{} {}", refusal.operation, refusal.why))
            .collect();
        imported.remarks.push(bounded(&format!(
            "{} operations of the model are no tools: {}.",
            api.refused.len(),
            named.join("; ")
        )));
    }
    imported.signing_name = Some(api.signing_name.or(api.endpoint_prefix).unwrap_or_default());
    Ok(imported)
}

/// Where the service of a model is called, as plans have it: at the address that the model gives, or where AWS has it.
fn service_of(text: &str, api: &smithy::Api, field: &str) -> Result<Value, Failure> {
    let endpoint = serde_json::from_str::<Value>(text)
        .ok()
        .and_then(|model| model.pointer(ENDPOINT).and_then(Value::as_str).map(str::to_owned));
    if let Some(endpoint) = &endpoint {
        smithy::Endpoint::explicit(endpoint).map_err(|error| invalid(field, sentence(&error)))?;
    } else if api.endpoint_prefix.is_none() {
        return Err(invalid(
            field,
            "The Smithy model does not say where its service is: give the service the trait aws.api#service with an \
             endpointPrefix, or put its address into the model's metadata as portcullis.endpoint.",
        ));
    }
    Ok(json!({ "endpoint": endpoint, "endpointPrefix": api.endpoint_prefix }))
}

fn tool(name: &str, definition: &Value, input_schema: &Value, plan: &Value) -> Tool {
    Tool {
        name: name.to_owned(),
        definition: Document(definition.to_string()),
        input_schema: Document(input_schema.to_string()),
        plan: Some(Document(plan.to_string())),
    }
}

fn planned<T: Serialize>(operation: &T) -> Result<Value, Failure> {
    serde_json::to_value(operation).map_err(|error| Failure::internal(&error))
}

/// Notes the headers and query parameters that an operation's plan sets itself.
fn own_names(plan: &Value, imported: &mut Imported) {
    for parameter in plan.pointer("/plan/parameters").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = parameter.get("name").and_then(Value::as_str) else { continue };
        match parameter.get("location").and_then(Value::as_str) {
            Some("header") => imported.headers.insert(name.to_ascii_lowercase()),
            Some("query") => imported.queries.insert(name.to_owned()),
            _ => continue,
        };
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// A status reason has 2,048 characters at most.
fn bounded(text: &str) -> String {
    text.chars().take(1_024).collect()
}
