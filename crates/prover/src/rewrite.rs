//! Policies turned into others: into a question, or into what their author may have meant.
//!
//! Done on Cedar's JSON form of a policy, whose shape is documented and where a change is a change of a value.

use cedar_policy::{Policy, PolicyId};
use policy::PrincipalKind;
use serde_json::{Value, json};

/// A policy that can be changed.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) json: Value,
}

impl Draft {
    /// `None` for a policy that has no JSON form, which none that was parsed is.
    pub(crate) fn of(policy: &Policy) -> Option<Self> {
        Some(Self { json: policy.to_json().ok()? })
    }

    /// The policy for these tools and targets alone.
    pub(crate) fn about(mut self, actions: &[&str]) -> Self {
        let named = |name: &&str| json!({"type": "AgentCore::Action", "id": name});
        let scope = match actions {
            [one] if self.operator("action") == Some("==") => json!({"op": "==", "entity": named(one)}),
            many => json!({"op": "in", "entities": many.iter().map(named).collect::<Vec<_>>()}),
        };
        self.set("action", scope);
        self
    }

    /// The policy for this kind of caller, if its scope names nothing but a kind.
    pub(crate) fn for_callers(mut self, kind: PrincipalKind) -> Option<Self> {
        let names_a_group = self.json.get("principal").is_some_and(|scope| scope.get("in").is_some());
        let is_a_kind = self.operator("principal") == Some("is") && !names_a_group;
        is_a_kind.then(|| {
            self.set("principal", json!({"op": "is", "entity_type": kind.entity_type()}));
            self
        })
    }

    /// The policy with one condition more.
    pub(crate) fn when(mut self, body: &Value) -> Self {
        if let Some(conditions) = self.json.get_mut("conditions").and_then(Value::as_array_mut) {
            conditions.push(json!({"kind": "when", "body": body}));
        }
        self
    }

    /// The policy as Cedar has it.
    pub(crate) fn policy(&self, id: &str) -> Option<Policy> {
        Policy::from_json(Some(PolicyId::new(id)), self.json.clone()).ok()
    }

    /// The policy as people read it.
    pub(crate) fn text(&self) -> Option<String> {
        let text = self.policy("corrected")?.to_cedar()?;
        Some(policy::format(&text).unwrap_or(text).trim_end().to_owned())
    }

    /// How a part of the scope is constrained: `==`, `in`, `is` or `All`.
    fn operator(&self, part: &str) -> Option<&str> {
        self.json.get(part)?.get("op")?.as_str()
    }

    fn set(&mut self, member: &str, value: Value) {
        if let Some(members) = self.json.as_object_mut() {
            members.insert(member.to_owned(), value);
        }
    }
}
