//! Policies that fail to evaluate, as a gateway takes them.
//!
//! Cedar skips a policy that fails, a sum that overflows for instance. A gateway does so with permits alone: a forbid that
//! fails denies, because nobody can say that it would not have forbidden (`policy::Reason::ForbidFailed`). The symbolic
//! compiler knows Cedar's rule only, so the gateway's is written in policies. What a forbid asks becomes an `unless` of each
//! permit: where it is true the permit does not apply, and where it fails the permit fails with it.
//!
//! Only forbids that can fail are moved like this; the others stay what they are.

use cedar_policy::{Effect, Policy, PolicyId, PolicySet};
use serde_json::{Map, Value, json};

use crate::undecided::Undecided;

/// Operations that can fail although types are right, as Cedar's JSON names them: 64 bits may not hold what comes out.
/// Texts that become a decimal, an address or a time are constants in a valid policy, and good ones.
const FAILING: [&str; 7] = ["neg", "+", "-", "*", "offset", "durationSince", "toDate"];

/// A policy, looked at once.
#[derive(Clone, Debug)]
pub(crate) struct Weighed {
    policy: Policy,
    /// A permit of what it matches.
    permit: Policy,
    /// Scope and conditions in one expression, which fails where the policy does.
    condition: Value,
    /// Whether it is a forbid that can fail.
    is_risky: bool,
}

impl Weighed {
    pub(crate) fn of(policy: Policy) -> Result<Self, Undecided> {
        let mut json = policy.to_json().map_err(|error| Undecided::Unsupported(error.to_string()))?;
        let condition = condition(&json);
        let can_fail = json.get("conditions").is_some_and(holds_failing);
        let is_risky = policy.effect() == Effect::Forbid && can_fail;
        if let Some(effect) = json.get_mut("effect") {
            *effect = json!("permit");
        }
        let permit = read(policy.id(), json)?;
        Ok(Self { policy, permit, condition, is_risky })
    }
}

/// Policies that Cedar decides as a gateway decides `policies`.
pub(crate) fn as_decided<'w>(
    policies: impl IntoIterator<Item = &'w Weighed>,
) -> Result<PolicySet, Undecided> {
    let (risky, sure): (Vec<&Weighed>, Vec<&Weighed>) =
        policies.into_iter().partition(|weighed| weighed.is_risky);
    let clauses: Vec<Value> = risky.iter().map(|forbid| unless(&forbid.condition)).collect();
    let guarded = sure.into_iter().map(|weighed| match weighed.policy.effect() {
        Effect::Permit if !clauses.is_empty() => with(&weighed.policy, &clauses),
        _ => Ok(weighed.policy.clone()),
    });
    set(guarded)
}

/// Policies that permit, as Cedar decides, what any of `policies` applies to: what they match, and for forbids also that on
/// which they fail.
pub(crate) fn as_applied<'w>(
    policies: impl IntoIterator<Item = &'w Weighed>,
) -> Result<PolicySet, Undecided> {
    let policies: Vec<&Weighed> = policies.into_iter().collect();
    if !policies.iter().any(|weighed| weighed.is_risky) {
        return set(policies.into_iter().map(|weighed| Ok(weighed.permit.clone())));
    }
    // What none of them applies to is what all of them are known not to apply to.
    let clauses: Vec<Value> = policies.into_iter().map(|weighed| unless(&weighed.condition)).collect();
    let anything = |effect: &str, conditions: &[Value]| {
        let all = json!({"op": "All"});
        let json = json!({"effect": effect, "principal": all, "action": all, "resource": all, "conditions": conditions});
        read(&PolicyId::new(effect), json)
    };
    set([anything("permit", &[]), anything("forbid", &clauses)])
}

/// Whether some member anywhere has the name of an operation that can fail. Data may have such names too: a policy that is
/// taken for a risky one without need means the same.
fn holds_failing(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, inner)| FAILING.contains(&name.as_str()) || holds_failing(inner))
        }
        Value::Array(elements) => elements.iter().any(holds_failing),
        _ => false,
    }
}

/// Scope and conditions of a policy in one expression: it fails where the policy does.
fn condition(policy: &Value) -> Value {
    let scope =
        ["principal", "action", "resource"].into_iter().filter_map(|part| scope(part, policy.get(part)?));
    let own = policy.get("conditions").and_then(Value::as_array).into_iter().flatten().filter_map(|it| {
        let body = it.get("body")?.clone();
        Some(if it.get("kind")? == "unless" { json!({"!": {"arg": body}}) } else { body })
    });
    scope
        .chain(own)
        .reduce(|left, right| json!({"&&": {"left": left, "right": right}}))
        .unwrap_or_else(|| json!({"Value": true}))
}

/// A part of the scope as an expression; `None` for one that is about everything.
fn scope(part: &str, constraint: &Value) -> Option<Value> {
    let variable = json!({"Var": part});
    let literal = |entity: &Value| json!({"Value": {"__entity": entity}});
    let within = |constraint: &Value| match (constraint.get("entity"), constraint.get("entities")) {
        (Some(one), _) => Some(literal(one)),
        (_, Some(many)) => Some(json!({"Set": many.as_array()?.iter().map(literal).collect::<Vec<_>>()})),
        _ => None,
    };
    match constraint.get("op")?.as_str()? {
        "==" => Some(json!({"==": {"left": variable, "right": literal(constraint.get("entity")?)}})),
        "in" => Some(json!({"in": {"left": variable, "right": within(constraint)?}})),
        "is" => {
            let mut asked = Map::new();
            asked.insert("left".to_owned(), variable);
            asked.insert("entity_type".to_owned(), constraint.get("entity_type")?.clone());
            if let Some(container) = constraint.get("in") {
                asked.insert("in".to_owned(), within(container)?);
            }
            Some(json!({"is": asked}))
        }
        _ => None,
    }
}

fn unless(body: &Value) -> Value {
    json!({"kind": "unless", "body": body})
}

/// The policy with more conditions.
fn with(policy: &Policy, clauses: &[Value]) -> Result<Policy, Undecided> {
    let mut json = policy.to_json().map_err(|error| Undecided::Unsupported(error.to_string()))?;
    if let Some(conditions) = json.get_mut("conditions").and_then(Value::as_array_mut) {
        conditions.extend_from_slice(clauses);
    }
    read(policy.id(), json)
}

fn read(id: &PolicyId, json: Value) -> Result<Policy, Undecided> {
    Policy::from_json(Some(id.clone()), json).map_err(|error| Undecided::Unsupported(error.to_string()))
}

/// A set of policies; their names have been told apart before.
fn set(policies: impl IntoIterator<Item = Result<Policy, Undecided>>) -> Result<PolicySet, Undecided> {
    let mut set = PolicySet::new();
    for policy in policies {
        set.add(policy?).map_err(|error| Undecided::Invalid(error.to_string()))?;
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use cedar_policy::{Authorizer, Context, Decision, Entities, Request};

    use super::*;

    /// Which of some amounts Cedar allows.
    fn allowed(policies: &PolicySet) -> Vec<i64> {
        let allows = |amount: &i64| {
            let context = Context::from_json_value(json!({"input": {"amount": amount}}), None).unwrap();
            let uid = |text: &str| text.parse().unwrap();
            let request =
                Request::new(uid("U::\"u\""), uid("Action::\"a\""), uid("G::\"g\""), context, None).unwrap();
            Authorizer::new().is_authorized(&request, policies, &Entities::empty()).decision()
                == Decision::Allow
        };
        [-5, 5, 50, i64::MAX].into_iter().filter(allows).collect()
    }

    fn weighed(texts: &[&str]) -> Vec<Weighed> {
        let named = texts.iter().enumerate();
        named
            .map(|(number, text)| {
                let id = Some(PolicyId::new(format!("p{number}")));
                Weighed::of(Policy::parse(id, text).unwrap()).unwrap()
            })
            .collect()
    }

    const ANYTHING: &str = "permit(principal, action, resource);";
    const OVERFLOWS: &str = "forbid(principal, action, resource) when { context.input.amount + 1 < 0 };";
    const NAMED: &str = r#"forbid(principal is U, action in [Action::"a", Action::"b"], resource == G::"g")
        unless { context.input.amount != 50 };"#;

    #[test]
    fn a_forbid_that_fails_denies() {
        let decided = |texts: &[&str]| allowed(&as_decided(&weighed(texts)).unwrap());
        assert_eq!(decided(&[ANYTHING, OVERFLOWS]), [5, 50]);
        assert_eq!(decided(&[ANYTHING, OVERFLOWS, NAMED]), [5]);
        // A permit that fails permits nothing.
        assert_eq!(
            decided(&["permit(principal, action, resource) when { context.input.amount + 1 > 6 };"]),
            [50]
        );
        // A scope that does not fit keeps a forbid from failing.
        let elsewhere = OVERFLOWS.replace("resource)", "resource == G::\"other\")");
        assert_eq!(decided(&[ANYTHING, &elsewhere]), [-5, 5, 50, i64::MAX]);
    }

    #[test]
    fn what_a_forbid_applies_to_is_what_it_denies() {
        let applied = |texts: &[&str]| allowed(&as_applied(&weighed(texts)).unwrap());
        assert_eq!(applied(&[OVERFLOWS]), [-5, i64::MAX]);
        assert_eq!(applied(&[NAMED]), [50]);
        assert_eq!(applied(&[OVERFLOWS, NAMED]), [-5, 50, i64::MAX]);
        assert_eq!(applied(&[]), [] as [i64; 0]);
    }
}
