//! From text to compiled statements.
//!
//! The reader goes through a document once, in its order, and stops at the first thing that IAM would refuse.
//! What each element may say depends on the kind of policy, and so do IAM's texts.
//! Source: IAM User Guide, "Grammar of the IAM JSON policy language".

mod statement;

mod actions;
mod conditions;
mod principals;
mod resources;

mod json;

use json::{Json, describe};

use crate::malformed::{Fault, MalformedPolicy};
use crate::pattern::Variables;
use crate::policy::{Policy, PolicyKind, Statement, Version};

/// Reads a document.
pub(crate) fn read(text: &str, kind: PolicyKind) -> Result<(Version, Box<[Statement]>), MalformedPolicy> {
    let refuse = |fault: &Fault, place: &str, hint: String| MalformedPolicy::new(fault, kind, place, hint);
    if text.len() > Policy::MAX_BYTES {
        let hint = format!("it has {}; split it into several policies", text.len());
        return Err(refuse(&Fault::TooLong, "document", hint));
    }
    let json: Json = serde_json::from_str(text)
        .map_err(|error| refuse(&Fault::Json, "document", format!("correct the JSON: {error}")))?;
    let Json::Map(members) = json else {
        let hint = format!("write an object with Version and Statement, not {}", describe(&json));
        return Err(refuse(&Fault::Json, "document", hint));
    };

    let mut version = Version::V2008;
    let mut statements = None;
    for (name, value) in members {
        match (name.as_str(), value) {
            ("Version", value) => version = read_version(&value, kind)?,
            ("Id", Json::Text(_)) => {}
            ("Id", _) => return Err(refuse(&Fault::Syntax, "Id", "write a string".to_owned())),
            ("Statement", Json::List(list)) => statements = Some(list),
            ("Statement", one) => statements = Some(vec![one]),
            _ => {
                let hint = "remove it; a policy has Version, Id and Statement".to_owned();
                return Err(refuse(&Fault::Syntax, &name, hint));
            }
        }
    }
    let Some(statements) = statements.filter(|list| !list.is_empty()) else {
        return Err(refuse(&Fault::NoStatement, "Statement", "write at least one statement".to_owned()));
    };

    let reader = Reader { kind, version };
    let statements: Box<[Statement]> = statements
        .into_iter()
        .enumerate()
        .map(|(index, json)| reader.statement(index, json))
        .collect::<Result<_, _>>()?;
    reader.unique_sids(&statements)?;
    Ok((version, statements))
}

fn read_version(value: &Json, kind: PolicyKind) -> Result<Version, MalformedPolicy> {
    match value {
        Json::Text(text) if text == "2012-10-17" => Ok(Version::V2012),
        Json::Text(text) if text == "2008-10-17" => Ok(Version::V2008),
        _ => Err(MalformedPolicy::new(
            &Fault::Version,
            kind,
            "Version",
            "write \"2012-10-17\": it is the version of the policy language, not of your policy",
        )),
    }
}

/// What all elements need to know to be read.
#[derive(Clone, Copy)]
struct Reader {
    kind: PolicyKind,
    version: Version,
}

impl Reader {
    fn refuse(self, fault: &Fault, place: &str, hint: impl Into<String>) -> MalformedPolicy {
        MalformedPolicy::new(fault, self.kind, place, hint)
    }

    /// Variables came with version 2012-10-17; before, `${…}` is text like any other.
    fn variables(self) -> Variables {
        match self.version {
            Version::V2008 => Variables::Literal,
            Version::V2012 => Variables::Replaced,
        }
    }

    /// The strings of an element that is a string or a list of strings.
    fn texts(self, value: Json, place: &str) -> Result<Vec<String>, MalformedPolicy> {
        let one = |value| match value {
            Json::Text(text) => Ok(text),
            other => {
                let hint = format!("write a string or a list of strings, not {}", describe(&other));
                Err(self.refuse(&Fault::Syntax, place, hint))
            }
        };
        match value {
            Json::List(list) => list.into_iter().map(one).collect(),
            value => Ok(vec![one(value)?]),
        }
    }
}
