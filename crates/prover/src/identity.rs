//! What the formulas do not know: a caller's attribute `id` is the id that the caller is named by.
//!
//! To the symbolic compiler they are two texts, so that it would tell `principal.id == "ann"` from
//! `principal == AgentCore::OAuthUser::"ann"`. The comparison with a literal is therefore turned into the
//! other one before the policy is compiled. Other uses of the attribute stay; a request that only their
//! difference makes possible is found out when Cedar decides it.

use cedar_policy::Policy;
use policy::PrincipalKind;
use serde_json::{Value, json};

/// The policy with `principal.id == "…"` in terms of the caller. What cannot be rewritten stays as it is.
pub(crate) fn by_name(policy: Policy) -> Policy {
    let Ok(mut json) = policy.to_json() else {
        return policy;
    };
    let mut changed = false;
    rewrite(&mut json, &mut changed);
    if !changed {
        return policy;
    }
    Policy::from_json(Some(policy.id().clone()), json).unwrap_or(policy)
}

fn rewrite(value: &mut Value, changed: &mut bool) {
    for (operator, negated) in [("==", false), ("!=", true)] {
        if let Some(id) = value.get(operator).and_then(compared_id) {
            let same = is_named(id);
            *value = if negated { json!({"!": {"arg": same}}) } else { same };
            *changed = true;
            return;
        }
    }
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| rewrite(element, changed)),
        Value::Object(members) => members.values_mut().for_each(|member| rewrite(member, changed)),
        _ => {}
    }
}

/// The literal with which a comparison compares `principal.id`.
fn compared_id(comparison: &Value) -> Option<&str> {
    let (left, right) = (comparison.get("left")?, comparison.get("right")?);
    let is_id = |side: &Value| *side == json!({".": {"left": {"Var": "principal"}, "attr": "id"}});
    let literal = |side: &'_ Value| side.get("Value").is_some_and(Value::is_string);
    let text = match (is_id(left), is_id(right)) {
        (true, _) if literal(right) => right,
        (_, true) if literal(left) => left,
        _ => return None,
    };
    text.get("Value")?.as_str()
}

fn is_named(id: &str) -> Value {
    let [first, second] = PrincipalKind::ALL.map(|kind| {
        let caller = json!({"Var": "principal"});
        let name = json!({"Value": {"__entity": {"type": kind.entity_type(), "id": id}}});
        json!({"&&": {
            "left": {"is": {"left": caller, "entity_type": kind.entity_type()}},
            "right": {"==": {"left": caller, "right": name}},
        }})
    });
    json!({"||": {"left": first, "right": second}})
}
