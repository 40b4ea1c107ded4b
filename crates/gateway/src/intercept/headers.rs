//! Headers between HTTP and interceptors, which know them as an object of texts.

use std::collections::BTreeMap;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::upstream::Failed;

/// The most headers that an interceptor may give.
const MOST: usize = 100;
/// The longest value of a header ("Header propagation": 4 KB).
const LONGEST: usize = 4 * 1024;
/// The longest credential.
const LONGEST_CREDENTIAL: usize = 16 * 1024;

/// Headers as an interceptor is shown them: names as HTTP/1 wrote them, because functions look for `Authorization`.
pub(super) fn shown<'h>(
    headers: impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)>,
) -> Map<String, Value> {
    let mut shown: Map<String, Value> = Map::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let value = match shown.get(&written(name)).and_then(Value::as_str) {
            Some(before) => format!("{before}, {text}"),
            None => text,
        };
        shown.insert(written(name), value.into());
    }
    shown
}

/// `Mcp-Session-Id` for `mcp-session-id`.
fn written(name: &HeaderName) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.as_str().split('-').map(word).collect::<Vec<_>>().join("-")
}

/// Headers that an interceptor gave, without those that it merely repeats from `present`. A credential counts even when
/// it is repeated: whoever returns one wants it passed on.
pub(super) fn given(
    given: Option<&RawValue>,
    present: &HeaderMap,
) -> Result<Vec<(HeaderName, HeaderValue)>, Failed> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let refuse =
        |what: &str| Failed::new(format!("the interceptor answered with headers that are none: {what}"));
    let headers: BTreeMap<String, Option<String>> =
        serde_json::from_str(given.get()).map_err(|_| refuse("they must be an object of texts"))?;
    if headers.len() > MOST {
        return Err(refuse("there are too many"));
    }
    let before = shown(present.iter());
    let mut taken = Vec::new();
    for (name, value) in headers {
        let Some(value) = value else { continue };
        let name = HeaderName::try_from(name).map_err(|_| refuse("a name is none"))?;
        let credential = name == AUTHORIZATION;
        if !credential && before.get(&written(&name)).and_then(Value::as_str) == Some(value.as_str()) {
            continue;
        }
        let longest = if credential { LONGEST_CREDENTIAL } else { LONGEST };
        if value.len() > longest || !value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
            return Err(refuse(&format!("{name} must be printable ASCII of {longest} bytes at most")));
        }
        let value = HeaderValue::from_str(&value).map_err(|_| refuse("a value is none"))?;
        taken.push((name, value));
    }
    Ok(taken)
}

/// Headers of the message itself, which are not an interceptor's to set.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("mcp-")
        || matches!(
            name,
            "connection"
                | "content-length"
                | "host"
                | "keep-alive"
                | "proxy-authenticate"
                | "proxy-authorization"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "x-amzn-requestid"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_shown_as_functions_look_for_them() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer t"));
        headers.append("x-many", HeaderValue::from_static("a"));
        headers.append("x-many", HeaderValue::from_static("b"));
        let shown = Value::Object(shown(headers.iter()));
        assert_eq!(shown, serde_json::json!({"Authorization": "Bearer t", "X-Many": "a, b"}));
    }

    #[test]
    fn what_an_interceptor_gives_is_checked() {
        let mut present = HeaderMap::new();
        present.insert(
            "x-same",
            HeaderValue::from_bytes("é is no ASCII but was the client's".as_bytes()).unwrap(),
        );
        present.insert("authorization", HeaderValue::from_static("Bearer t"));
        let read = |text: &str| {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            given(Some(&raw), &present).map(|taken| taken.len())
        };
        assert_eq!(
            read(r#"{"X-Same":"é is no ASCII but was the client's","X-New":"a","X-None":null}"#).ok(),
            Some(1)
        );
        assert_eq!(read(r#"{"Authorization":"Bearer t"}"#).ok(), Some(1));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(5_000));
        for wrong in [r#"{"a":"é"}"#, r#"{"a b":"c"}"#, r#"{"a":1}"#, r#"{"a":"b\r\nc: d"}"#, "[]", &long] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
