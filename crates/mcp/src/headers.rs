//! The headers that say what a message's body says, for whoever stands between: `Mcp-Method`, `Mcp-Name`, and
//! `Mcp-Param-*` for the parameters of a tool that its schema marks.
//!
//! Source: 2026-07-28, "Streamable HTTP", "Request Metadata".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// What an encoded value begins with.
const OPEN: &str = "=?base64?";
/// What an encoded value ends with.
const CLOSE: &str = "?=";
/// The most parameters of one tool that are headers too.
const MOST: usize = 64;
/// How deep a marked parameter may stand.
const DEEPEST: usize = 16;

/// A value as a header says it: itself where it is plain ASCII, wrapped where it is not ("Value Encoding").
#[must_use]
pub fn encode(value: &str) -> Option<HeaderValue> {
    let plain = value.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
        && value.trim() == value
        && !(value.starts_with(OPEN) && value.ends_with(CLOSE));
    if plain {
        HeaderValue::from_str(value).ok()
    } else {
        HeaderValue::from_str(&format!("{OPEN}{}{CLOSE}", STANDARD.encode(value))).ok()
    }
}

/// The value that a header says; `None` when what is wrapped is no base64 of UTF-8, or the bytes are no text.
#[must_use]
pub fn decode(header: &HeaderValue) -> Option<String> {
    let text = header.to_str().ok()?.trim();
    match text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)) {
        Some(wrapped) => String::from_utf8(STANDARD.decode(wrapped).ok()?).ok(),
        None => Some(text.to_owned()),
    }
}

/// The parameters of a tool that are headers too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamHeaders(Vec<Marked>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Marked {
    header: HeaderName,
    path: Vec<String>,
}

impl ParamHeaders {
    /// The parameters that an input schema marks with `x-mcp-header`.
    ///
    /// # Errors
    /// When a mark breaks the rules ("Schema Extension"), in words for the tool's owner.
    pub fn of_schema(schema: &Value) -> Result<Self, String> {
        let mut found = Vec::new();
        let mut path = Vec::new();
        walk(schema, &mut path, &mut found)?;
        let marks = count(schema, 0);
        if marks != found.len() {
            return Err("`x-mcp-header` stands where no chain of `properties` leads".to_owned());
        }
        let mut names: Vec<_> = found.iter().map(|marked| marked.header.clone()).collect();
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err("two parameters have the same `x-mcp-header`".to_owned());
        }
        Ok(Self(found))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The headers of a call with these arguments.
    #[must_use]
    pub fn of_arguments(&self, arguments: &Value) -> Vec<(HeaderName, HeaderValue)> {
        let header = |marked: &Marked| {
            let value = written(value_at(arguments, &marked.path)?)?;
            Some((marked.header.clone(), encode(&value)?))
        };
        self.0.iter().filter_map(header).collect()
    }

    /// Whether a call's headers say what its arguments say.
    ///
    /// # Errors
    /// What does not, in words for the caller.
    pub fn check(&self, headers: &HeaderMap, arguments: &Value) -> Result<(), String> {
        for marked in &self.0 {
            let name = &marked.header;
            let mut given = headers.get_all(name).iter();
            let (first, more) = (given.next(), given.next());
            if more.is_some() {
                return Err(format!("the header {name} stands twice"));
            }
            let value = value_at(arguments, &marked.path).filter(|value| written(value).is_some());
            match (first, value) {
                (None, None) => {}
                (None, Some(_)) => return Err(format!("the header {name} is missing")),
                (Some(_), None) => {
                    return Err(format!("the header {name} is about a parameter that is not given"));
                }
                (Some(header), Some(expected)) => {
                    let said = decode(header).ok_or_else(|| format!("the header {name} cannot be read"))?;
                    if !same(&said, expected) {
                        return Err(format!("the header {name} does not match the argument"));
                    }
                }
            }
        }
        Ok(())
    }
}

fn walk(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Marked>) -> Result<(), String> {
    if path.len() > DEEPEST {
        return Ok(());
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Ok(()) };
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(mark) = property.get("x-mcp-header") {
            let mark = mark.as_str().filter(|mark| !mark.is_empty());
            let mark = mark.ok_or_else(|| format!("`x-mcp-header` of `{name}` must be a name"))?;
            let header = HeaderName::from_bytes(format!("mcp-param-{mark}").to_ascii_lowercase().as_bytes())
                .map_err(|_| format!("`x-mcp-header` of `{name}` is no name of a header"))?;
            let kind = property.get("type").and_then(Value::as_str);
            if !matches!(kind, Some("string" | "integer" | "boolean")) {
                return Err(format!("`{name}` has an `x-mcp-header` and is no string, integer or boolean"));
            }
            if found.len() == MOST {
                return Err(format!("more than {MOST} parameters have an `x-mcp-header`"));
            }
            found.push(Marked { header, path: path.clone() });
        }
        walk(property, path, found)?;
        path.pop();
    }
    Ok(())
}

/// How many marks there are anywhere. The name of a property is no mark.
fn count(schema: &Value, depth: usize) -> usize {
    if depth > 4 * DEEPEST {
        return 0;
    }
    match schema {
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("x-mcp-header", _) => 1,
                ("properties", Value::Object(properties)) => {
                    properties.values().map(|property| count(property, depth + 1)).sum()
                }
                ("default" | "const" | "enum" | "example" | "examples", _) => 0,
                (_, value) => count(value, depth + 1),
            })
            .sum(),
        Value::Array(items) => items.iter().map(|item| count(item, depth + 1)).sum(),
        _ => 0,
    }
}

fn value_at<'v>(arguments: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(arguments, |value, name| value.get(name)).filter(|value| !value.is_null())
}

fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Numbers are compared as numbers ("Server Validation").
fn same(said: &str, value: &Value) -> bool {
    match value.as_f64() {
        Some(number) => said.parse::<f64>().is_ok_and(|said| said.is_finite() && said == number),
        None => written(value).is_some_and(|value| value == said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_encoded_as_the_table_says() {
        for (value, header) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            let encoded = encode(value).unwrap();
            assert_eq!(encoded, header);
            assert_eq!(decode(&encoded).as_deref(), Some(value));
        }
        for wrong in ["=?base64?SGVsbG8?=", "=?base64?@@@@?=", "=?base64?/w==?="] {
            assert_eq!(decode(&HeaderValue::from_static(wrong)), None, "{wrong}");
        }
        assert_eq!(decode(&HeaderValue::from_static("=?base64?abc")).as_deref(), Some("=?base64?abc"));
    }

    #[test]
    fn headers_and_arguments_say_the_same() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
        }});
        let marked = ParamHeaders::of_schema(&schema).unwrap();
        let arguments = json!({"region": "é", "deep": {"n": 42}});
        let headers: HeaderMap = marked.of_arguments(&arguments).into_iter().collect();
        assert_eq!(headers.get("mcp-param-n").unwrap(), "42");
        marked.check(&headers, &arguments).unwrap();
        marked.check(&headers, &json!({"region": "é", "deep": {"n": 42.0}})).unwrap();
        assert!(marked.check(&headers, &json!({"region": "e", "deep": {"n": 42}})).is_err());
        assert!(marked.check(&headers, &json!({"deep": {"n": 42}})).is_err());
        assert!(marked.check(&HeaderMap::new(), &arguments).is_err());
        marked.check(&HeaderMap::new(), &json!({"region": null})).unwrap();
    }

    #[test]
    fn marks_that_break_the_rules_are_refused() {
        for schema in [
            json!({"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": ""}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "a b"}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": 1}}}),
            json!({"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}}),
            json!({"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}}}),
        ] {
            assert!(ParamHeaders::of_schema(&schema).is_err(), "{schema}");
        }
        assert!(
            ParamHeaders::of_schema(&json!({"properties": {"x-mcp-header": {"type": "string"}}}))
                .unwrap()
                .is_empty()
        );
    }
}
