//! Headers that mirror arguments, and event streams: a value that is written is read again, a call's headers fit its
//! own arguments, and events do not depend on how their bytes arrive.
//!
//! The first part of an input is a value, the second a tool's schema, the third arguments; the whole is a stream.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use mcp::Events;
use mcp::headers::{self, ParamHeaders};
use portcullis_fuzz::parts;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    stream(input);
    if let Ok(value) = HeaderValue::from_bytes(input)
        && let Some(text) = headers::decode(&value)
    {
        written(&text);
    }
    let Some(mut parts) = parts(input) else { return };
    if let Some(text) = parts.next() {
        written(text);
    }
    if let (Some(schema), Some(arguments)) = (parts.next(), parts.next()) {
        mirrored(schema, arguments);
    }
});

fn written(text: &str) {
    let header = headers::encode(text).expect("every text can be written");
    assert!(header.to_str().is_ok(), "a header is visible ASCII");
    assert_eq!(headers::decode(&header).as_deref(), Some(text));
}

fn mirrored(schema: &str, arguments: &str) {
    let (Ok(schema), Ok(arguments)) =
        (serde_json::from_str::<Value>(schema), serde_json::from_str::<Value>(arguments))
    else {
        return;
    };
    let Ok(marked) = ParamHeaders::of_schema(&schema) else { return };
    let own: Vec<_> = marked.of_arguments(&arguments);
    let headers: HeaderMap = own.iter().cloned().collect();
    assert_eq!(headers.len(), own.len(), "no header stands for two parameters");
    marked.check(&headers, &arguments).expect("a call fits itself");
    for (name, value) in &own {
        let mut less = headers.clone();
        less.remove(name);
        assert!(marked.check(&less, &arguments).is_err(), "{name} may be left out");
        let mut more = headers.clone();
        more.append(name, value.clone());
        assert!(marked.check(&more, &arguments).is_err(), "{name} may stand twice");
        let mut other = headers.clone();
        other.insert(name, HeaderValue::from_static("=?base64?bm9ib2R5J3M=?="));
        assert!(
            marked.check(&other, &arguments).is_err()
                || headers::decode(value).as_deref() == Some("nobody's")
        );
    }
}

fn stream(bytes: &[u8]) {
    let mut whole = Events::default();
    let found = whole.push(bytes);
    assert_eq!(found, expected(bytes));
    for size in [1, 2, 7] {
        let mut cut = Events::default();
        let pieces: Vec<_> = bytes.chunks(size).flat_map(|piece| cut.push(piece)).collect();
        assert_eq!(pieces, found, "in pieces of {size}");
        assert_eq!(cut.waiting(), whole.waiting());
        assert!(cut.waiting() <= bytes.len());
    }
}

/// The standard's words about a stream, taken literally.
fn expected(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut events, mut data, mut line): (Vec<Vec<u8>>, Vec<u8>, Vec<u8>) = Default::default();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if !matches!(first, b'\r' | b'\n') {
            line.push(*first);
            continue;
        }
        if *first == b'\r' {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        if line.is_empty() {
            if data.pop().is_some() {
                events.push(std::mem::take(&mut data));
            }
        } else if name == b"data" {
            data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            data.push(b'\n');
        }
        line.clear();
    }
    events
}
