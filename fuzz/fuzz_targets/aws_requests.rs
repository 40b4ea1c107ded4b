//! Calls of AWS's APIs in all their protocols: whatever comes breaks nothing, what is read of a request fits into it, and
//! holding it against its model a second time finds the same.
//!
//! The parts of an input: the request line's method, path and query on a line each; headers, a line each; the body.
#![no_main]

use domain::{RequestId, SystemRandom};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::parts;

fuzz_target!(|input: &[u8]| {
    let Some(mut parts) = parts(input) else { return };
    let mut line = parts.next().unwrap_or_default().lines();
    let (method, path, query) =
        (line.next().unwrap_or_default(), line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    for (name, value) in parts.next().unwrap_or_default().lines().filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let body = parts.next().unwrap_or_default().as_bytes();
    let _ = aws::unsigned_action(&headers, body);
    let service = aws::service_by_signature(method, path, &headers).or(aws::service_by_path(method, path));
    let Some(service) = service else { return };
    let routed = match aws::operation(service, method, path, &headers, body) {
        Ok(routed) => routed,
        Err(fault) => return told(service, &fault),
    };
    let mut value = match aws::decode(&routed, query, &headers, body) {
        Ok(value) => value,
        Err(fault) => return told(service, &fault),
    };
    assert!(value.is_object(), "a request is its members");
    let Some(schema) = routed.operation.input else { return };
    let faults = aws::check(schema, &mut value);
    let mut again = value.clone();
    assert_eq!(aws::check(schema, &mut again), faults, "what was looked at is looked at otherwise");
    assert_eq!(again, value);
    if !faults.is_empty() {
        told(service, &aws::Fault::validation(service, faults));
    }
});

/// A refusal is an answer, with a body, whatever its message repeats.
fn told(service: &'static aws_shapes::ServiceSpec, fault: &aws::Fault) {
    let id = RequestId::mint(&SystemRandom);
    let answer = aws::encode_fault(Some(service), service.protocol, fault, &id);
    assert!(answer.status().as_u16() >= 400 && !answer.body().is_empty());
}
