//! Pinning: a tool is what its owner approved. A server that was added for what it listed then may list something else
//! tomorrow, and a model would do what the new description says; so what differs is held, what was approved stays in
//! force, and the owner looks at the difference before approving it.
//!
//! A definition is known by the SHA-256 of its canonical JSON (members in order, no white space).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest as hash};
use domain::{Document, Held, Target, Timestamp, Tool};
use serde_json::Value;

/// How a reason begins that is about what is held.
const PREFIX: &str = "Held for approval: ";
/// The longest reason, in characters. AWS's model lets one have 2,048.
const LONGEST: usize = 1_024;

/// Whose tool definitions are held when they change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pins {
    /// Those that MCP servers list.
    #[default]
    Mcp,
    /// Those of every target, also where its own configuration is changed.
    All,
    /// Nobody's: what is listed is in force.
    Off,
}

/// A word that is none of `mcp`, `all` and `off`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is none of mcp, all and off")]
pub struct UnknownPins(String);

impl FromStr for Pins {
    type Err = UnknownPins;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "mcp" => Ok(Self::Mcp),
            "all" => Ok(Self::All),
            "off" => Ok(Self::Off),
            _ => Err(UnknownPins(text.to_owned())),
        }
    }
}

/// How a tool that is held differs from what is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is defined otherwise.
    Changed {
        /// Its name.
        name: String,
        /// What is in force.
        before: Document,
        /// What is held.
        after: Document,
    },
    /// It is new.
    Added {
        /// Its name.
        name: String,
        /// What is held.
        after: Document,
    },
    /// It has another name, and is defined as before.
    Renamed {
        /// The name in force.
        from: String,
        /// The name that is held.
        to: String,
    },
    /// It is gone.
    Removed {
        /// Its name.
        name: String,
        /// What is in force.
        before: Document,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { name, .. } => write!(formatter, "changed {name}"),
            Self::Added { name, .. } => write!(formatter, "added {name}"),
            Self::Renamed { from, to } => write!(formatter, "renamed {from} to {to}"),
            Self::Removed { name, .. } => write!(formatter, "removed {name}"),
        }
    }
}

/// How the tools in `held` differ from those `in_force`; their order does not count.
#[must_use]
pub fn differences(in_force: &[Tool], held: &[Tool]) -> Vec<Difference> {
    let by_name = |tools: &'_ [Tool]| -> BTreeMap<String, (String, Document)> {
        let entry = |tool: &Tool| (tool.name.clone(), (digest(tool), tool.definition.clone()));
        tools.iter().map(entry).collect()
    };
    let (before, after) = (by_name(in_force), by_name(held));
    let mut gone: BTreeMap<&String, &(String, Document)> =
        before.iter().filter(|(name, _)| !after.contains_key(*name)).collect();
    let mut found = Vec::new();
    for (name, (now, definition)) in &after {
        match before.get(name) {
            Some((known, _)) if known == now => {}
            Some((_, known)) => found.push(Difference::Changed {
                name: name.clone(),
                before: known.clone(),
                after: definition.clone(),
            }),
            None => {
                let former = gone.iter().find(|(_, (known, _))| known == now).map(|(name, _)| *name);
                match former.and_then(|former| gone.remove(former).map(|_| former)) {
                    Some(from) => {
                        found.push(Difference::Renamed { from: from.clone(), to: name.clone() });
                    }
                    None => {
                        found.push(Difference::Added { name: name.clone(), after: definition.clone() });
                    }
                }
            }
        }
    }
    found.extend(
        gone.into_iter()
            .map(|(name, (_, before))| Difference::Removed { name: name.clone(), before: before.clone() }),
    );
    found
}

/// The hash of a tool's definition and of the plan by which it is called, in hexadecimal. Its name is not in it.
#[must_use]
pub fn digest(tool: &Tool) -> String {
    let mut text = String::new();
    let plan = tool.plan.as_ref().map(|plan| plan.0.as_str());
    for document in [Some(tool.definition.0.as_str()), plan].into_iter().flatten() {
        match serde_json::from_str::<Value>(document) {
            Ok(value) => canonical(&value, &mut text),
            Err(_) => text.push_str(document),
        }
        text.push('\n');
    }
    hexadecimal(text.as_bytes())
}

/// The hash of all tools that are held: what an approval can name, so that nothing else is approved.
#[must_use]
pub fn digest_of_all(tools: &[Tool]) -> String {
    let mut lines: Vec<_> = tools.iter().map(|tool| format!("{} {}\n", digest(tool), tool.name)).collect();
    lines.sort();
    hexadecimal(lines.concat().as_bytes())
}

/// Puts listed tools into a target: in force if they are those that are, else held.
pub(crate) fn put(target: &mut Target, tools: Vec<Tool>, now: Timestamp) {
    if differences(&target.tools, &tools).is_empty() {
        // The order, and what the hash leaves out, is the server's.
        target.tools = tools;
        target.held = None;
        return;
    }
    let since = match &target.held {
        Some(held) if digest_of_all(&held.tools) == digest_of_all(&tools) => held.since,
        _ => now,
    };
    target.held = Some(Held { tools, since });
}

/// What is held of a target, in a sentence of bounded length.
#[must_use]
pub fn summary(target: &Target) -> Option<String> {
    let held = target.held.as_ref()?;
    let found: Vec<_> = differences(&target.tools, &held.tools).iter().map(ToString::to_string).collect();
    let mut text =
        format!("{PREFIX}the tools are not what they were when they were approved ({}).", found.join(", "));
    let advice = format!(
        " What was approved stays in force; see `portcullis target diff --gateway {} --target {}`.",
        target.gateway, target.name
    );
    let room = LONGEST.saturating_sub(advice.chars().count());
    if text.chars().count() > room {
        text = text.chars().take(room.saturating_sub(1)).collect();
        text.push('…');
    }
    Some(text + &advice)
}

/// A status reason about what is held: it goes when what is held does.
#[must_use]
pub(crate) fn about_held(reason: &str) -> String {
    format!("{PREFIX}{reason}").chars().take(LONGEST).collect()
}

/// Whether a status reason is about what is held.
#[must_use]
pub fn is_about_held(reason: &str) -> bool {
    reason.starts_with(PREFIX)
}

/// Puts what is held in force. The caller writes the target, with the audit event of the approval.
///
/// Returns how it differed from what was in force; `None` when nothing was held.
pub fn approve(target: &mut Target, now: Timestamp) -> Option<Vec<Difference>> {
    let held = target.held.take()?;
    let found = differences(&target.tools, &held.tools);
    target.tools = held.tools;
    target.status_reasons.retain(|reason| !is_about_held(reason));
    target.updated_at = now;
    Some(found)
}

fn hexadecimal(bytes: &[u8]) -> String {
    hex::encode(hash(&SHA256, bytes))
}

/// JSON with its members in order and nothing between them.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let ordered: BTreeMap<_, _> = members.iter().collect();
            text.push('{');
            for (at, (name, value)) in ordered.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(elements) => {
            text.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                canonical(element, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, definition: &str) -> Tool {
        Tool {
            name: name.to_owned(),
            definition: Document(definition.to_owned()),
            input_schema: Document("{}".to_owned()),
            plan: None,
        }
    }

    #[test]
    fn the_order_of_tools_and_members_does_not_count() {
        let before = [tool("a", r#"{"description":"A","inputSchema":{"type":"object"}}"#), tool("b", "{}")];
        let after =
            [tool("b", "{ }"), tool("a", r#"{"inputSchema": {"type": "object"}, "description": "A"}"#)];
        assert!(differences(&before, &after).is_empty());
        assert_eq!(digest_of_all(&before), digest_of_all(&after));
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let before = [tool("a", "1"), tool("b", "2"), tool("c", "3"), tool("same", "4")];
        let after = [tool("a", "5"), tool("bb", "2"), tool("d", "6"), tool("same", "4")];
        let told: Vec<_> = differences(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["changed a", "renamed b to bb", "added d", "removed c"]);
    }

    #[test]
    fn two_tools_that_are_defined_alike_are_renamed_one_by_one() {
        let told = differences(&[tool("a", "1"), tool("b", "1")], &[tool("c", "1"), tool("d", "1")]);
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|one| matches!(one, Difference::Renamed { .. })), "{told:?}");
    }
}
