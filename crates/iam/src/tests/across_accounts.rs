//! Across accounts: the requester's policies and the resource's.

use super::*;

fn for_principal(principal: &str) -> String {
    format!(r#"{{"Effect": "Allow", "Principal": {{"AWS": "{principal}"}}, "Action": "*", "Resource": "*"}}"#)
}

#[test]
fn both_sides_are_needed() {
    for principal in
        ["arn:aws:iam::444455556666:user/bob", "arn:aws:iam::444455556666:root", "444455556666", "*"]
    {
        let asked = Ask::by(user(AWAY, "bob")).resource_says(&for_principal(principal));
        asked.clone().holding(ALLOW_ALL).is_allowed();
        asked.is_denied(NO_IDENTITY);
    }
    Ask::by(user(AWAY, "bob")).holding(ALLOW_ALL).is_denied(NO_RESOURCE);
    Ask::by(user(AWAY, "bob")).is_denied(NO_IDENTITY);
    Ask::by(user(AWAY, "bob"))
        .holding(ALLOW_ALL)
        .resource_says(&for_principal("111122223333"))
        .is_denied(NO_RESOURCE);
}

#[test]
fn limits_bind_what_the_other_side_grants() {
    let asked = Ask::by(session(AWAY, "R", "s")).holding(ALLOW_ALL);
    for principal in ["arn:aws:iam::444455556666:role/R", "arn:aws:sts::444455556666:assumed-role/R/s"] {
        let asked = asked.clone().resource_says(&for_principal(principal));
        asked.clone().is_allowed();
        asked.clone().bounded_by(ALLOW_NOTHING).is_denied(NO_BOUNDARY);
        asked.in_session(ALLOW_NOTHING).is_denied(NO_SESSION);
    }
}

#[test]
fn a_foreign_root_needs_the_resource_policy() {
    Ask::by(root(AWAY)).is_denied(NO_RESOURCE);
    Ask::by(root(AWAY)).resource_says(&for_principal(AWAY)).is_allowed();
    Ask::by(root(AWAY))
        .resource_says(&for_principal("arn:aws:iam::444455556666:user/bob"))
        .is_denied(NO_RESOURCE);
}

#[test]
fn the_owner_may_be_told() {
    let context = Context::new();
    let Who::Caller(caller) = user(HOME, "eve") else { panic!("a user is a caller") };
    let away = AccountId::parse(AWAY).unwrap();
    let identity = [identity(ALLOW_ALL)];
    let sets = PolicySets { identity: &identity, ..PolicySets::default() };
    let bucket = Question {
        requester: Requester::Iam(&caller),
        action: "s3:GetObject",
        resource: "arn:aws:s3:::bucket/key",
        resource_account: None,
        context: &context,
    };
    assert!(evaluate(&bucket, &sets).is_allowed());
    let foreign = Question { resource_account: Some(&away), ..bucket };
    assert_eq!(evaluate(&foreign, &sets).effect, Effect::ImplicitDeny);
}
