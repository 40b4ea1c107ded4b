//! What a statement says, however it is written: without space, comments, annotations and its name.

use cedar_policy::Policy;
use serde_json::Value;

use crate::nesting::{keep_shallow, on_a_deep_stack};

/// The statement in one form, in which two that differ only in how they are written are equal; `None` for one that is no
/// policy. (Two that are not equal may still mean the same: that takes a proof.)
#[must_use]
pub fn normalised(statement: &str) -> Option<String> {
    keep_shallow(statement).ok()?;
    on_a_deep_stack(|| {
        let policy: Policy = statement.parse().ok()?;
        let mut document = policy.to_json().ok()?;
        if let Value::Object(members) = &mut document {
            members.remove("annotations");
        }
        Some(document.to_string())
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_written_differently_is_equal() {
        let one = normalised("permit(principal,action,resource)when{1<2};").unwrap();
        let same = "// said again\n@id(\"other\")\npermit (principal, action, resource)\nwhen { (1 < 2) };";
        assert_eq!(normalised(same).unwrap(), one);
        for other in [
            "forbid(principal, action, resource) when { 1 < 2 };",
            "permit(principal, action, resource) unless { 1 < 2 };",
            "permit(principal, action, resource) when { 2 < 1 };",
            "permit(principal, action, resource);",
        ] {
            assert_ne!(normalised(other).unwrap(), one, "{other}");
        }
        assert_eq!(normalised("permit"), None);
    }
}
