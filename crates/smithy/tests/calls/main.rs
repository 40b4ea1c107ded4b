//! Calls over each protocol: what a request is for given arguments, and what a result is for a given answer.
//!
//! The models are ours; what is expected follows the cases of Smithy's protocol tests (`smithy-aws-protocol-tests`,
//! Apache-2.0), whose facts about the wire are the reference.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test may fail by panicking"
)]

mod aws_json;
mod rest_json;
mod rest_xml;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use smithy::{Api, Endpoint, Operation, Options, import};

/// A model with one service: shapes are named without their namespace, which is put in here.
fn api(service_traits: Value, shapes: Value) -> Api {
    let operations: Vec<Value> = shapes
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, shape)| shape["type"] == "operation")
        .map(|(name, _)| json!({"target": name}))
        .collect();
    let mut all = shapes.as_object().unwrap().clone();
    all.insert(
        "Service".to_owned(),
        json!({"type": "service", "version": "1", "operations": operations, "traits": service_traits}),
    );
    let all: Map<String, Value> =
        all.into_iter().map(|(name, shape)| (format!("t#{name}"), qualified(shape))).collect();
    let model = sorted(json!({"smithy": "2.0", "shapes": all})).to_string();
    let api = import(&model, &Options::default()).unwrap();
    assert_eq!(api.refused, []);
    // What is called is what was stored.
    serde_json::from_str(&serde_json::to_string(&api).unwrap()).unwrap()
}

/// Targets without a namespace are the model's own if they begin with `My`, an operation's structure otherwise, or the
/// prelude's.
fn qualified(value: Value) -> Value {
    const PRELUDE: [&str; 12] = [
        "String",
        "Blob",
        "Boolean",
        "Byte",
        "Short",
        "Integer",
        "Long",
        "Float",
        "Double",
        "Timestamp",
        "Document",
        "Unit",
    ];
    match value {
        Value::Object(object) => {
            let entries = object.into_iter().map(|(key, value)| match value {
                Value::String(name) if key == "target" => {
                    let space = if PRELUDE.contains(&name.as_str()) { "smithy.api" } else { "t" };
                    (key, Value::String(format!("{space}#{name}")))
                }
                value => (key, qualified(value)),
            });
            Value::Object(entries.collect())
        }
        Value::Array(values) => values.into_iter().map(qualified).collect(),
        other => other,
    }
}

/// A member with traits of `smithy.api`.
fn member(target: &str, traits: &[(&str, Value)]) -> Value {
    let traits: Map<String, Value> =
        traits.iter().map(|(name, value)| (format!("smithy.api#{name}"), value.clone())).collect();
    json!({"target": target, "traits": traits})
}

fn operation<'a>(api: &'a Api, name: &str) -> &'a Operation {
    api.operations.iter().find(|operation| operation.name == name).unwrap()
}

/// A request as a few lines: the request line, the headers in alphabetical order, and the body.
fn request(api: &Api, name: &str, arguments: Value) -> String {
    try_request(api, name, arguments).unwrap_or_else(|error| panic!("{error}"))
}

fn try_request(api: &Api, name: &str, arguments: Value) -> Result<String, String> {
    let endpoint = Endpoint::explicit("https://h.example").unwrap();
    call(operation(api, name), arguments, &endpoint)
}

/// Members by their names, whether or not the JSON library keeps their order: what is sent follows the order of the
/// model.
fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

fn call(operation: &Operation, arguments: Value, endpoint: &Endpoint) -> Result<String, String> {
    let arguments = sorted(arguments).as_object().unwrap().clone();
    let request = operation.request(&arguments, endpoint, &|| "token-1".to_owned());
    let request = request.map_err(|error| error.to_string())?;
    let mut headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("\n{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    let target = request.uri().to_string().replace("https://h.example", "");
    let body = String::from_utf8_lossy(request.body()).into_owned();
    Ok(format!("{} {target}{}\n\n{body}", request.method(), headers.concat()))
}

/// The result of an answer.
fn answer(api: &Api, name: &str, status: u16, headers: &[(&str, &str)], body: &str) -> (bool, Value) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let answer = operation(api, name).answer(StatusCode::from_u16(status).unwrap(), &map, body.as_bytes());
    (answer.is_error, answer.content)
}

/// The result of a success.
fn output(api: &Api, name: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let (is_error, content) = answer(api, name, 200, headers, body);
    assert!(!is_error, "{content}");
    content
}
