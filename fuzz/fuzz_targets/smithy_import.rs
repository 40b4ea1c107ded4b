//! Smithy models: each is imported or refused; whatever arguments a tool gets, its request goes to the endpoint's host
//! and below the endpoint's path; whatever a service answers is read or said to be unreadable.
//!
//! The parts of an input: a model; texts for arguments, a line each; the body of an answer.
#![no_main]

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::{Choices, parts};
use serde_json::{Map, Value};
use smithy::{Endpoint, Operation, Options};

/// The most operations that are called of one model.
const CALLED: usize = 8;

fuzz_target!(|input: &[u8]| {
    let Some(mut parts) = parts(input) else { return };
    let model = parts.next().unwrap_or_default();
    let Ok(api) = smithy::import(model, &Options::default()) else { return };
    let mut choices = Choices::new(parts.next().unwrap_or_default());
    let answer = parts.next().unwrap_or_default();
    let endpoint = Endpoint::explicit("https://service.example:8443/base").expect("an endpoint");
    for operation in api.operations.iter().take(CALLED) {
        let stored = serde_json::to_value(operation).expect("an operation can be stored");
        let read: Operation = serde_json::from_value(stored).expect("and read");
        assert_eq!(read, *operation);
        let Value::Object(schema) = &operation.input_schema else { panic!("a schema is an object") };
        for _ in 0..3 {
            called(operation, &choices.arguments(schema), &endpoint);
        }
        answered(operation, answer);
    }
});

fn called(operation: &Operation, arguments: &Map<String, Value>, endpoint: &Endpoint) {
    let Ok(request) = operation.request(arguments, endpoint, &|| "token".to_owned()) else { return };
    let uri = request.uri();
    assert_eq!(uri.authority().map(|authority| authority.as_str()), Some(endpoint.authority()), "{uri}");
    let below = uri.path().strip_prefix("/base").expect("it is below the endpoint");
    assert!(below.is_empty() || below.starts_with('/'), "{uri}");
    let dots =
        |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    assert!(!below.split('/').any(dots), "{uri}");
}

fn answered(operation: &Operation, body: &str) {
    for (status, media) in [
        (StatusCode::OK, "application/json"),
        (StatusCode::OK, "application/xml"),
        (StatusCode::BAD_REQUEST, "application/json"),
        (StatusCode::SERVICE_UNAVAILABLE, "application/xml"),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))]);
        let _ = operation.answer(status, &headers, body.as_bytes());
    }
}
