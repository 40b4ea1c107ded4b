//! What an answer's headers and status say. Source: "HTTP bindings" in the Smithy 2.0 specification.

use base64::Engine as _;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::xml::from_text;
use crate::plan::{Binding, Member, Plan, Shape, Structure, TimestampFormat};

pub(super) fn read(
    plan: &Plan,
    output: &Structure,
    status: StatusCode,
    headers: &HeaderMap,
    content: &mut Map<String, Value>,
) {
    for member in &output.members {
        let found = match &member.binding {
            Binding::Header(name) => header(plan, member, headers, name),
            Binding::PrefixHeaders(prefix) => prefixed(headers, prefix),
            Binding::ResponseCode => Some(Value::from(status.as_u16())),
            _ => None,
        };
        if let Some(value) = found {
            content.insert(member.name.clone(), value);
        }
    }
}

fn header(plan: &Plan, member: &Member, headers: &HeaderMap, name: &str) -> Option<Value> {
    let values =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let values: Vec<_> = values.collect();
    if values.is_empty() {
        return None;
    }
    let text = values.join(", ");
    match plan.shape(member.shape) {
        Some(Shape::List(part)) => {
            let parts = match plan.shape(part.shape) {
                Some(Shape::Timestamp(format))
                    if part.timestamp.or(*format).unwrap_or(TimestampFormat::HttpDate)
                        == TimestampFormat::HttpDate =>
                {
                    dates(&text)
                }
                _ => elements(&text),
            };
            Some(parts.iter().map(|text| from_text(plan, part, text, TimestampFormat::HttpDate)).collect())
        }
        // A string with a media type is base64 in a header ("mediaType trait").
        Some(Shape::String(media)) if media.0.is_some() => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(&text).ok();
            Some(decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(text).into())
        }
        _ => Some(from_text(plan, member, &text, TimestampFormat::HttpDate)),
    }
}

fn prefixed(headers: &HeaderMap, prefix: &str) -> Option<Value> {
    let prefix = prefix.to_ascii_lowercase();
    let mut found = Map::new();
    for (name, value) in headers {
        // With an empty prefix every header is one of these; cookies are a session's and stay out.
        let key = name.as_str().strip_prefix(&prefix).filter(|_| name != http::header::SET_COOKIE);
        if let Some(key) = key {
            found.insert(key.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned().into());
        }
    }
    (!found.is_empty()).then_some(Value::Object(found))
}

/// The elements of a list, which may be quoted (RFC 9110, section 5.6.4).
fn elements(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut element = String::new();
    let (mut quoted, mut was_quoted, mut escaped) = (false, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                element.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' if quoted => quoted = false,
            '"' if element.trim().is_empty() => {
                element.clear();
                (quoted, was_quoted) = (true, true);
            }
            ',' if !quoted => {
                found.push(finished(&mut element, &mut was_quoted));
            }
            c if was_quoted && !quoted && c.is_whitespace() => {}
            c => element.push(c),
        }
    }
    if !element.trim().is_empty() || was_quoted || !found.is_empty() {
        found.push(finished(&mut element, &mut was_quoted));
    }
    found
}

fn finished(element: &mut String, was_quoted: &mut bool) -> String {
    let text = std::mem::take(element);
    if std::mem::take(was_quoted) { text } else { text.trim().to_owned() }
}

/// The moments of a list, each of which holds a comma itself.
fn dates(text: &str) -> Vec<String> {
    let pieces: Vec<_> = text.split(',').map(str::trim).collect();
    pieces.chunks(2).map(|pair| pair.join(", ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_apart() {
        assert_eq!(elements("a, b,c"), ["a", "b", "c"]);
        assert_eq!(elements(r#""b,c", "\"def\"" , a"#), ["b,c", "\"def\"", "a"]);
        assert_eq!(elements(r#""", x"#), ["", "x"]);
        assert!(elements(" ").is_empty());
        assert_eq!(
            dates("Mon, 16 Dec 2019 23:48:18 GMT, Tue, 17 Dec 2019 23:48:18 GMT"),
            ["Mon, 16 Dec 2019 23:48:18 GMT", "Tue, 17 Dec 2019 23:48:18 GMT"]
        );
    }
}
