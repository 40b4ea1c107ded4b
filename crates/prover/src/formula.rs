//! Which policies are too large as formulas.
//!
//! The symbolic compiler writes an operand down again wherever it asks whether an operation overflows or which branch is
//! taken, so a formula doubles with each level of arithmetic or of `if`. It cannot be stopped while it does, so what would
//! grow beyond measure is not begun.

use cedar_policy::Policy;
use serde_json::Value;

use crate::undecided::Undecided;

/// How many levels of arithmetic and of `if` may lie within each other. People write two or three.
const LEVELS: usize = 6;
/// What doubles a formula, as Cedar's JSON names it.
const DOUBLING: [&str; 5] = ["neg", "+", "-", "*", "if-then-else"];

/// Refuses a policy whose formula would be too large. The work needs a deep stack.
pub(crate) fn keep_small(policy: &Policy) -> Result<(), Undecided> {
    let json = policy.to_json().map_err(|error| Undecided::Unsupported(error.to_string()))?;
    let conditions = json.get("conditions").unwrap_or(&Value::Null);
    if levels(conditions) > LEVELS {
        return Err(Undecided::Unsupported(format!(
            "more than {LEVELS} levels of arithmetic or of `if` lie within each other"
        )));
    }
    Ok(())
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Object(members) => {
            let deepest = members
                .iter()
                .map(|(name, inner)| levels(inner) + usize::from(DOUBLING.contains(&name.as_str())));
            deepest.max().unwrap_or(0)
        }
        Value::Array(elements) => elements.iter().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(condition: &str) -> bool {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        keep_small(&Policy::parse(None, text).unwrap()).is_ok()
    }

    #[test]
    fn what_doubles_too_often_is_not_begun() {
        assert!(fits(
            "context.input.a + context.input.b * 2 < 500 && (if context.input.a < 3 then true else false)"
        ));
        assert!(fits("1 + 2 + 3 + 4 + 5 + 6 < 30"));
        assert!(!fits("1 + (2 + (3 + (4 + (5 + (6 + (7 + 8)))))) < 30"));
        let negated = format!("{}context.input.a{} == 1", "-(".repeat(12), ")".repeat(12));
        assert!(!fits(&negated));
    }
}
