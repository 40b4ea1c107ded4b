//! A document as a tree with references that can be followed.
//!
//! Only references within the document are followed (RFC 6901 pointers in a URI fragment): a reference to a file or
//! to another host would make the import fetch what its author chose.

use std::borrow::Cow;
use std::cell::Cell;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::findings::ImportError;

/// How many references may lead to each other before something that is no reference.
const MAX_CHAIN: usize = 32;
/// The most parts of schemas that are looked at in one import, each as often as it is: schemas that refer to each other
/// can make a small document much work.
const MAX_WORK: usize = 2_000_000;

/// The longest name of a parameter, of a body's member or of an XML element: plans have copies of them.
const MAX_NAME: usize = 1_024;

/// Which words the document's schemas are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OpenAPI 3.0: a dialect of its own, with `nullable` and boolean `exclusiveMinimum`.
    V30,
    /// OpenAPI 3.1: JSON Schema 2020-12.
    V31,
}

/// A document of a version that is served.
#[derive(Debug)]
pub(crate) struct Document {
    root: Value,
    pub(crate) dialect: Dialect,
    work: Cell<usize>,
}

impl Document {
    pub(crate) fn new(root: Value) -> Result<Self, ImportError> {
        let refused = |reason: String| Err(ImportError::Version(reason));
        if let Some(version) = root.get("swagger") {
            let version = shortened(&version.as_str().map_or_else(|| version.to_string(), str::to_owned));
            return refused(format!(
                "this is a Swagger {version} document: convert it to OpenAPI 3.0 or 3.1 (`swagger2openapi` does)"
            ));
        }
        let dialect = match root.get("openapi") {
            Some(Value::String(version)) if is_version(version, "3.0") => Dialect::V30,
            Some(Value::String(version)) if is_version(version, "3.1") => Dialect::V31,
            Some(Value::String(version)) => {
                let version = shortened(version);
                return refused(format!("OpenAPI `{version}` is not served: use a document of 3.0 or 3.1"));
            }
            Some(_) => return refused("`openapi` is no text: write `\"3.0.3\"` or `\"3.1.0\"`".to_owned()),
            None => return refused("this is no OpenAPI document: it has no member `openapi`".to_owned()),
        };
        Ok(Self { root, dialect, work: Cell::new(0) })
    }

    pub(crate) fn root(&self) -> &Value {
        &self.root
    }

    /// Counts one part of a schema that is looked at.
    pub(crate) fn work(&self) -> Result<(), String> {
        let done = self.work.get() + 1;
        self.work.set(done);
        if done > MAX_WORK {
            return Err(
                "the document's schemas refer to each other too often: choose fewer operations".to_owned()
            );
        }
        Ok(())
    }

    /// The object itself, or the one its `$ref` leads to.
    pub(crate) fn follow<'a>(&'a self, start: &'a Value) -> Result<&'a Value, String> {
        let mut value = start;
        for _ in 0..MAX_CHAIN {
            match value.get("$ref") {
                Some(Value::String(reference)) => value = self.at(reference)?,
                _ => return Ok(value),
            }
        }
        Err("its `$ref`s lead in a circle".to_owned())
    }

    /// What a reference leads to.
    pub(crate) fn at(&self, reference: &str) -> Result<&Value, String> {
        let pointer = pointer(reference)?;
        self.root
            .pointer(&pointer)
            .ok_or_else(|| format!("its `$ref` to `{}` leads nowhere", shortened(reference)))
    }
}

/// The pointer of a reference within the document.
pub(crate) fn pointer(reference: &str) -> Result<Cow<'_, str>, String> {
    let Some(fragment) = reference.strip_prefix('#') else {
        return Err(format!(
            "its `$ref` to `{}` points outside the document: bundle the document into one file",
            shortened(reference)
        ));
    };
    let decoded = percent_decode_str(fragment)
        .decode_utf8()
        .map_err(|_| format!("its `$ref` to `{}` is no UTF-8", shortened(reference)))?;
    if !decoded.is_empty() && !decoded.starts_with('/') {
        return Err(format!(
            "its `$ref` to the anchor `{}` is not served: refer by path",
            shortened(reference)
        ));
    }
    Ok(decoded)
}

/// The beginning of a text of the document, for a message.
pub(crate) fn shortened(text: &str) -> String {
    let mut start: String = text.chars().filter(|character| !character.is_control()).take(120).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

/// A name that is not too long.
pub(crate) fn short(name: &str) -> Result<&str, String> {
    if name.len() > MAX_NAME {
        return Err(format!("its name `{}` is longer than {MAX_NAME} bytes", shortened(name)));
    }
    Ok(name)
}

/// The object that a member holds, if it does.
pub(crate) fn object<'a>(value: &'a Value, member: &str) -> Option<&'a Map<String, Value>> {
    value.get(member).and_then(Value::as_object)
}

/// The elements of the list that a member holds.
pub(crate) fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text that a member holds, if it does and is not empty.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn is_version(version: &str, line: &str) -> bool {
    version.strip_prefix(line).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions() {
        for (root, dialect) in [
            (json!({"openapi": "3.0.3"}), Some(Dialect::V30)),
            (json!({"openapi": "3.1.1"}), Some(Dialect::V31)),
            (json!({"openapi": "3.10.0"}), None),
            (json!({"openapi": "3.2.0"}), None),
            (json!({"openapi": 3.0}), None),
            (json!({"swagger": "2.0"}), None),
            (json!([]), None),
        ] {
            assert_eq!(Document::new(root.clone()).ok().map(|document| document.dialect), dialect, "{root}");
        }
        let refusal = Document::new(json!({"swagger": "2.0"})).unwrap_err().to_string();
        assert!(refusal.contains("Swagger 2.0") && refusal.contains("convert"), "{refusal}");
    }

    #[test]
    fn references_are_followed_within_the_document_only() {
        let document = Document::new(json!({
            "openapi": "3.0.0",
            "a/b": {"x~y z": {"found": true}},
            "loop": {"$ref": "#/loop"},
            "chain": {"$ref": "#/a~1b/x~0y%20z"},
        }))
        .unwrap();
        assert_eq!(document.at("#/a~1b/x~0y%20z").unwrap(), &json!({"found": true}));
        assert_eq!(document.follow(document.at("#/chain").unwrap()).unwrap(), &json!({"found": true}));
        assert!(document.follow(document.at("#/loop").unwrap()).unwrap_err().contains("circle"));
        for (reference, why) in [
            ("#/nothing", "leads nowhere"),
            ("other.yaml#/a", "outside the document"),
            ("https://evil.example/x", "outside the document"),
            ("#name", "anchor"),
            ("#/%ff", "UTF-8"),
        ] {
            let reference = json!({"$ref": reference});
            assert!(document.follow(&reference).unwrap_err().contains(why), "{reference}");
        }
    }
}
