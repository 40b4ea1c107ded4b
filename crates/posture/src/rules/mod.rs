//! The rules, one file a group. A rule is a pure function over the inventory; each has a test of a resource that breaks it and
//! of one that does not.

mod authorizer;
mod function;
mod gateway;
mod identity;
mod keys;
mod permission;
mod policy;
mod runtime;
mod secrets;
mod target;
mod trust;

use crate::rule::{Breach, Rule};

/// All rules, in the order of their groups.
pub const RULES: &[Rule] = &[
    gateway::AUTHORIZER_NONE,
    runtime::NO_AUTHORIZER,
    gateway::ANY_CLIENT,
    gateway::PLAIN_DISCOVERY,
    gateway::NO_POLICY,
    gateway::LOG_ONLY,
    gateway::UNGUARDED_PROMPTS,
    gateway::DEBUG,
    gateway::SHARED_ROLE,
    gateway::NO_KEY,
    gateway::NOT_LOGGED,
    target::TOKEN_ARGUMENT,
    target::NO_WHEN,
    target::UNPINNED,
    target::PLAIN_ENDPOINT,
    target::NO_CREDENTIAL,
    target::KEY_IN_QUERY,
    target::PASSED_CREDENTIAL,
    policy::PERMITS_EVERYTHING,
    policy::UNUSED_ENGINE,
    policy::NOT_BINDING,
    policy::NOT_IN_FORCE,
    trust::NO_SOURCE,
    trust::ANYBODY,
    permission::WILDCARD,
    permission::MANAGING_ROLE,
    permission::NO_SOURCE_IP,
    permission::NARROWED_ECR,
    permission::PASS_ANY_ROLE,
    permission::INVOKES_EVERYTHING,
    permission::UNREADABLE,
    keys::NEVER_ROTATED,
    keys::SEVERAL,
    identity::UNUSED_PROVIDER,
    identity::OLD_CREDENTIAL,
    identity::BROKEN_PROVIDER,
    identity::PLAIN_DISCOVERY,
    identity::PLAIN_RETURN,
    identity::VAULT_KEY,
    runtime::ANY_CLIENT,
    runtime::NO_AUTHORIZATION_HEADER,
    runtime::SECRET_IN_ENVIRONMENT,
    function::SECRET_IN_ENVIRONMENT,
    function::OPEN_POLICY,
];

/// What breaks a rule.
fn breach<const N: usize>(
    resource: impl Into<String>,
    evidence: impl Into<String>,
    remediation: [String; N],
) -> Breach {
    Breach { resource: resource.into(), evidence: evidence.into(), remediation: remediation.into() }
}

/// A name as a word of a shell.
fn word(text: &str) -> String {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:@+=".contains(&byte));
    if plain && !text.is_empty() { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rules_are_told_apart_and_say_why() {
        let ids: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), RULES.len());
        assert!(RULES.len() >= 27, "two of the guides' and 25 more");
        for rule in RULES {
            assert!(rule.title.ends_with('.') && rule.rationale.ends_with('.'), "{}", rule.id);
            assert!((rule.check)(&crate::Inventory::default()).is_empty(), "{}", rule.id);
        }
    }

    #[test]
    fn the_page_about_posture_lists_the_rules() {
        let page = include_str!("../../../../docs/posture.md");
        let rows: Vec<_> = RULES
            .iter()
            .map(|rule| format!("| `{}` | {} | {} |", rule.id, rule.severity.as_str(), rule.title))
            .collect();
        let listed: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(listed, rows, "docs/posture.md must have this table:\n{}", rows.join("\n"));
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(word("a-b/c"), "a-b/c");
        assert_eq!(word("it's $HOME"), "'it'\\''s $HOME'");
    }
}
