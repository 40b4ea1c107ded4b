//! Who may assume a role.

use super::*;
use crate::evaluate_trust;

const ROLE: &str = "arn:aws:iam::111122223333:role/Target";

fn assuming(who: Who) -> Ask {
    Ask::by(who).to("sts:AssumeRole").on(ROLE)
}

fn for_principal(principal: &str) -> String {
    format!(
        r#"{{"Effect": "Allow", "Principal": {principal}, "Action": ["sts:AssumeRole", "sts:TagSession"]}}"#
    )
}

const BY_ACCOUNT: &str = r#"{"AWS": "arn:aws:iam::111122223333:root"}"#;

#[test]
fn the_trust_policy_must_speak_even_within_the_account() {
    let bob = for_principal(r#"{"AWS": "arn:aws:iam::111122223333:user/bob"}"#);
    assuming(user(HOME, "eve")).holding(ALLOW_ALL).trusted_by(&bob).is_denied(NO_TRUST);
    assuming(user(HOME, "bob")).trusted_by(&bob).is_allowed();
    assuming(user(HOME, "bob")).to("sts:TagSession").trusted_by(&bob).is_allowed();
    assuming(user(HOME, "bob")).to("sts:SetSourceIdentity").trusted_by(&bob).is_denied(NO_TRUST);
}

#[test]
fn naming_the_account_leaves_the_rest_to_its_policies() {
    let trust = for_principal(BY_ACCOUNT);
    assuming(user(HOME, "eve")).trusted_by(&trust).is_denied(NO_IDENTITY);
    assuming(user(HOME, "eve"))
        .holding(&format!(r#"{{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "{ROLE}"}}"#))
        .trusted_by(&trust)
        .is_allowed();
    assuming(user(HOME, "eve"))
        .holding(ALLOW_ALL)
        .bounded_by(ALLOW_NOTHING)
        .trusted_by(&trust)
        .is_denied(NO_BOUNDARY);
    assuming(root(HOME)).trusted_by(&trust).is_allowed();
    assuming(root(HOME)).trusted_by(&for_principal(r#"{"AWS": "444455556666"}"#)).is_denied(NO_TRUST);
}

#[test]
fn roles_chain() {
    let trust = for_principal(r#"{"AWS": "arn:aws:iam::111122223333:role/R"}"#);
    assuming(session(HOME, "R", "s")).trusted_by(&trust).is_allowed();
    assuming(session(HOME, "R", "s")).in_session(ALLOW_NOTHING).trusted_by(&trust).is_denied(NO_SESSION);
    assuming(session(HOME, "X", "s")).trusted_by(&trust).is_denied(NO_TRUST);
}

#[test]
fn other_accounts_need_both_sides() {
    for principal in
        [r#"{"AWS": "444455556666"}"#, r#"{"AWS": "arn:aws:iam::444455556666:user/bob"}"#, r#"{"AWS": "*"}"#]
    {
        let trust = for_principal(principal);
        assuming(user(AWAY, "bob")).trusted_by(&trust).is_denied(NO_IDENTITY);
        assuming(user(AWAY, "bob")).holding(ALLOW_ALL).trusted_by(&trust).is_allowed();
    }
    assuming(user(AWAY, "bob")).holding(ALLOW_ALL).trusted_by(&for_principal(BY_ACCOUNT)).is_denied(NO_TRUST);
}

#[test]
fn an_external_id_is_a_condition() {
    let trust = r#"{"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "12345"}}}"#;
    let asked = assuming(user(AWAY, "bob")).holding(ALLOW_ALL).trusted_by(trust);
    asked.clone().with("sts:ExternalId", "12345").is_allowed();
    asked.clone().with("sts:ExternalId", "1234").is_denied(NO_TRUST);
    asked.is_denied(NO_TRUST);
}

#[test]
fn services_and_providers_are_trusted_by_name() {
    let trust = for_principal(r#"{"Service": "bedrock-agentcore.amazonaws.com"}"#);
    assuming(Who::Service("bedrock-agentcore.amazonaws.com")).trusted_by(&trust).is_allowed();
    assuming(Who::Service("lambda.amazonaws.com")).trusted_by(&trust).is_denied(NO_TRUST);
    let provider = "arn:aws:iam::111122223333:oidc-provider/idp.example";
    let trust = format!(
        r#"{{"Effect": "Allow", "Principal": {{"Federated": "{provider}"}}, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {{"StringEquals": {{"idp.example:aud": "me"}}}}}}"#
    );
    let asked =
        Ask::by(Who::Federated(provider)).to("sts:AssumeRoleWithWebIdentity").on(ROLE).trusted_by(&trust);
    asked.clone().with("idp.example:aud", "me").is_allowed();
    asked.with("idp.example:aud", "you").is_denied(NO_TRUST);
}

#[test]
fn denies_are_explicit_here_too() {
    let trust = format!(
        r#"{}, {{"Effect": "Deny", "Principal": {{"AWS": "111122223333"}}, "Action": "sts:*",
            "Condition": {{"Bool": {{"aws:MultiFactorAuthPresent": "false"}}}}}}"#,
        for_principal(BY_ACCOUNT)
    );
    let asked = assuming(user(HOME, "eve")).holding(ALLOW_ALL).trusted_by(&trust);
    asked.clone().with("aws:MultiFactorAuthPresent", "false").is_denied(TRUST_DENIES);
    asked.with("aws:MultiFactorAuthPresent", "true").is_allowed();
}

#[test]
fn the_trust_policy_can_be_given_by_itself() {
    let trust = named("trust policy of Target", &for_principal(BY_ACCOUNT), PolicyKind::Trust);
    let answer = |asked: Ask| asked.put(|question, sets| evaluate_trust(question, &trust, sets));
    assert!(answer(assuming(user(HOME, "eve")).holding(ALLOW_ALL)).is_allowed());
    assert!(!answer(assuming(user(HOME, "eve"))).is_allowed());
    let verdict = answer(assuming(user(AWAY, "bob")).holding(ALLOW_ALL));
    assert_eq!(
        verdict.tail("sts:AssumeRole").unwrap(),
        "because no role trust policy allows the sts:AssumeRole action"
    );
}
