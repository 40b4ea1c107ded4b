//! OpenAPI documents: each is imported or refused within its bounds; whatever arguments a tool gets, its request goes
//! to the document's host, its path has as many segments as the document's, and its headers are the document's.
//!
//! The parts of an input: a document; texts for arguments, a line each; the body of an answer.
#![no_main]

use std::collections::BTreeSet;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use libfuzzer_sys::fuzz_target;
use openapi::{Operation, Options, OutputSchemas, Strictness};
use portcullis_fuzz::{Choices, parts};
use serde_json::{Map, Value};

/// The most operations that are called of one document.
const CALLED: usize = 8;

fuzz_target!(|input: &[u8]| {
    let Some(mut parts) = parts(input) else { return };
    let document = parts.next().unwrap_or_default();
    let options = Options {
        max_document_bytes: 64 * 1024,
        max_operations: 50,
        max_schema_bytes: 64 * 1024,
        max_total_schema_bytes: 256 * 1024,
        strictness: if document.len() % 4 == 0 { Strictness::Refuse } else { Strictness::Skip },
        output_schemas: OutputSchemas::UpTo(16 * 1024),
        target: Some("target".to_owned()),
        ..Options::default()
    };
    let Ok(api) = openapi::import(document, &options) else { return };
    assert!(api.operations.len() <= options.max_operations);
    let names: BTreeSet<_> = api.operations.iter().map(|operation| &operation.name).collect();
    assert_eq!(names.len(), api.operations.len(), "two tools have one name");
    let texts = parts.next().unwrap_or_default();
    let mut choices = Choices::new(texts);
    let answer = parts.next().unwrap_or_default();
    for operation in api.operations.iter().take(CALLED) {
        described(operation, &options);
        for _ in 0..3 {
            called(operation, &choices.arguments(&operation.input_schema));
        }
        answered(operation, answer);
    }
});

fn described(operation: &Operation, options: &Options) {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
    assert!(!operation.name.is_empty() && operation.name.chars().all(fits), "{}", operation.name);
    assert_eq!(operation.input_schema.get("type"), Some(&Value::from("object")));
    assert!(Value::Object(operation.input_schema.clone()).to_string().len() <= options.max_schema_bytes);
    let stored = serde_json::to_value(operation).expect("an operation can be stored");
    let read: Operation = serde_json::from_value(stored).expect("and read");
    assert_eq!(read, *operation);
}

fn called(operation: &Operation, arguments: &Map<String, Value>) {
    let Ok(request) = operation.request(arguments) else { return };
    let server: Uri = operation.server().parse().expect("a server is a URL");
    let uri = request.uri();
    assert_eq!((uri.scheme(), uri.authority()), (server.scheme(), server.authority()), "{uri}");
    assert_eq!(request.method().as_str(), operation.method);
    let slashes = |path: &str| path.bytes().filter(|byte| *byte == b'/').count();
    let base = server.path().trim_end_matches('/');
    assert_eq!(slashes(uri.path()), slashes(base) + slashes(&template(&operation.path)), "{uri}");
    let dots =
        |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    assert!(!uri.path().strip_prefix(base).expect("it is below the server").split('/').any(dots), "{uri}");
    let stored = serde_json::to_value(operation).expect("an operation can be stored");
    let declared: BTreeSet<String> = stored["plan"]["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|parameter| parameter["location"] == "header")
        .filter_map(|parameter| Some(parameter["name"].as_str()?.to_ascii_lowercase()))
        .collect();
    for (name, value) in request.headers() {
        let ours = ["accept", "content-type", "cookie"].contains(&name.as_str());
        assert!(ours || declared.contains(name.as_str()), "the header {name} is nobody's");
        assert!(value.to_str().is_ok());
    }
}

/// The document's path with a letter for each parameter, without what follows it.
fn template(path: &str) -> String {
    let mut rest = path.split('#').next().unwrap_or_default();
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}').expect("it was imported");
        plain.push_str(before);
        plain.push('x');
        rest = after;
    }
    plain.push_str(rest);
    plain.split('?').next().unwrap_or_default().to_owned()
}

fn answered(operation: &Operation, body: &str) {
    for (status, media) in [
        (StatusCode::OK, "application/json"),
        (StatusCode::OK, "application/xml"),
        (StatusCode::BAD_GATEWAY, "text/html; charset=utf-8"),
        (StatusCode::OK, "image/png"),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))]);
        let answer = operation.result(status, &headers, body.as_bytes());
        assert_eq!(answer.is_error, !status.is_success());
    }
}
