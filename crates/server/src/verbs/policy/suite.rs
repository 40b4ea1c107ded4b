//! A suite of calls with the decisions that are expected of the policies: YAML or JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::Timestamp;
use policy::Principal;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::caller::{document, of_claims, of_role};
use crate::terminal::Failure;
use crate::verbs::input;

/// A suite.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Suite {
    /// Files or folders of the policies under test, from where the suite is.
    #[serde(default)]
    pub(super) policies: Vec<PathBuf>,
    /// Callers that several cases share, by name.
    #[serde(default)]
    callers: BTreeMap<String, Caller>,
    /// The calls.
    pub(super) tests: Vec<Case>,
}

/// Who calls: the claims of a token, or who signs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Caller {
    claims: Option<Map<String, Value>>,
    role: Option<String>,
}

/// A caller of the suite by name, or one of the case's own.
#[derive(Deserialize)]
#[serde(untagged)]
enum NamedOrOwn {
    Named(String),
    Own(Caller),
}

/// One call, and what is expected.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Case {
    /// What people call it.
    name: Option<String>,
    caller: NamedOrOwn,
    pub(super) tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    /// When the call is made.
    now: Option<String>,
    pub(super) expect: Expected,
    /// The policies that decide, all of them, by name or id.
    pub(super) policies: Option<Vec<String>>,
    /// Whether the tool is in the caller's list.
    pub(super) listed: Option<bool>,
}

/// The decision that is expected.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expected {
    Allow,
    Deny,
}

impl Expected {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    pub(super) fn of(allow: bool) -> Self {
        if allow { Self::Allow } else { Self::Deny }
    }
}

impl Suite {
    /// Reads a suite. Its policies are found from where it is.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let name = file.display().to_string();
        let value = document(&name, &input::read(file)?)?;
        let mut suite: Self = serde_json::from_value(value)
            .map_err(|error| Failure::usage(format!("{name} is no suite of tests: {error}")))?;
        if let Some(folder) = file.parent() {
            suite.policies.iter_mut().for_each(|path| *path = folder.join(&*path));
        }
        Ok(suite)
    }

    /// Who calls in a case.
    pub(super) fn caller(&self, case: &Case) -> Result<Principal, Failure> {
        let caller = match &case.caller {
            NamedOrOwn::Own(caller) => caller,
            NamedOrOwn::Named(name) => self.callers.get(name).ok_or_else(|| {
                Failure::usage(format!("{}: the suite has no caller `{name}` under `callers`", case.label()))
            })?,
        };
        match (&caller.claims, &caller.role) {
            (Some(claims), None) => of_claims(claims),
            (None, Some(arn)) => of_role(arn),
            _ => Err(Failure::usage(format!("{}: a caller has either `claims` or `role`", case.label()))),
        }
    }
}

impl Case {
    /// What to call it.
    pub(super) fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{} {}", self.expect.as_str(), self.tool))
    }

    /// The arguments as a caller would write them.
    pub(super) fn arguments(&self) -> String {
        Value::Object(self.arguments.clone()).to_string()
    }

    /// When the call is made, or `present`.
    pub(super) fn now(&self, present: Timestamp) -> Result<Timestamp, Failure> {
        self.now.as_deref().map_or(Ok(present), |text| {
            Timestamp::parse(text).ok_or_else(|| {
                Failure::usage(format!(
                    "{}: `{text}` is no moment: write one such as \"2026-11-21T09:30:00Z\"",
                    self.label()
                ))
            })
        })
    }
}
