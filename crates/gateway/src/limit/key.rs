//! What requests are told apart by, and what a request says about it.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde_json::{Map, Value};

/// A dimension (API type `DimensionKey`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Target,
    Tool,
    Principal,
    /// A claim of the caller's token, by its name or by a path of names.
    Claim(String),
    /// A header, in lower case.
    Header(String),
    /// A member of the body, by a path of names.
    Body(String),
    /// Something that no request here has.
    Nothing,
}

impl Key {
    pub(crate) fn parse(key: &str) -> Self {
        let under = |prefix: &str| key.strip_prefix("$.context.").and_then(|rest| rest.strip_prefix(prefix));
        match key {
            "targetName" => Self::Target,
            "toolName" => Self::Tool,
            "$.context.iam.principal" => Self::Principal,
            _ => {
                if let Some(claim) = under("jwt.") {
                    Self::Claim(claim.to_owned())
                } else if let Some(header) = under("request.header.") {
                    Self::Header(header.to_ascii_lowercase())
                } else if let Some(path) = under("request.body.") {
                    Self::Body(path.to_owned())
                } else {
                    Self::Nothing
                }
            }
        }
    }

    /// Whether a request without it is none of the limit's business.
    pub(super) fn must_be_there(&self) -> bool {
        matches!(self, Self::Target | Self::Tool)
    }
}

/// What a request says.
pub(crate) struct Facts<'a> {
    /// Its target, where it has one.
    pub(crate) target: Option<&'a str>,
    /// Its tool's names: the whole one first.
    pub(crate) tool: Option<[&'a str; 2]>,
    /// The caller's ARNs: without a session's name first.
    pub(crate) principal: Option<[&'a str; 2]>,
    /// What the caller's token says, as far as a limit asks for it.
    pub(crate) claims: &'a BTreeMap<String, String>,
    pub(crate) headers: &'a HeaderMap,
    /// Its body; read when a limit asks for it.
    pub(crate) body: Option<Value>,
}

impl Facts<'_> {
    /// The value of a dimension by all its names, the one under which it is counted first.
    pub(super) fn value(&self, key: &Key) -> Option<Vec<String>> {
        let both = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        match key {
            Key::Target => self.target.map(|name| vec![name.to_owned()]),
            Key::Tool => self.tool.map(both),
            Key::Principal => self.principal.map(both),
            Key::Claim(name) => self.claims.get(name).map(|value| vec![value.clone()]),
            Key::Header(name) => {
                let values: Vec<_> =
                    self.headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
                let joined = (!values.is_empty()).then(|| values.join(&b", "[..]))?;
                Some(vec![String::from_utf8_lossy(&joined).into_owned()])
            }
            Key::Body(path) => {
                let found = path.split('.').try_fold(self.body.as_ref()?, |value, name| value.get(name))?;
                Some(vec![text(found)])
            }
            Key::Nothing => None,
        }
    }
}

/// A claim by its whole name, which may have dots of its own, else by a path of names.
pub(crate) fn claim(all: &Map<String, Value>, name: &str) -> Option<String> {
    let found = all.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(all.get(first)?, |value, name| value.get(name))
    });
    found.map(text)
}

/// A text stands for itself, everything else for its JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
