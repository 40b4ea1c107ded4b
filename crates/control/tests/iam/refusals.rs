//! Every promised operation, unsigned, signed by a stranger, by a user whom no policy allows anything, and malformed.

use std::collections::BTreeSet;

use aws_shapes::SERVICES;
use domain::{Actor, Decision, Outcome};
use serde_json::{Value, json};

use crate::support::{World, trust};

/// An operation with a request that is sound and, if it has parameters, one that is not.
struct Case {
    service: &'static str,
    operation: &'static str,
    sound: Value,
    malformed: Option<Value>,
}

fn cases() -> Vec<Case> {
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let trust = trust("AWS", "000000000000").to_string();
    let mail = json!({
        "Source": "a@example.com",
        "Destination": {"ToAddresses": ["b@example.com"]},
        "Message": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}},
    });
    let required = |service, operation, sound| Case { service, operation, sound, malformed: Some(json!({})) };
    let optional = |operation, malformed| Case {
        service: "iam",
        operation,
        sound: json!({}),
        malformed: Some(malformed),
    };
    let memberless = |service, operation| Case { service, operation, sound: json!({}), malformed: None };
    vec![
        required("iam", "CreateUser", json!({"UserName": "u"})),
        optional("GetUser", json!({"UserName": "two words"})),
        optional("ListUsers", json!({"MaxItems": 0})),
        required("iam", "DeleteUser", json!({"UserName": "u"})),
        required(
            "iam",
            "PutUserPolicy",
            json!({"UserName": "u", "PolicyName": "p", "PolicyDocument": policy}),
        ),
        required("iam", "GetUserPolicy", json!({"UserName": "u", "PolicyName": "p"})),
        required("iam", "ListUserPolicies", json!({"UserName": "u"})),
        required("iam", "DeleteUserPolicy", json!({"UserName": "u", "PolicyName": "p"})),
        required("iam", "AttachUserPolicy", json!({"UserName": "u", "PolicyArn": arn})),
        required("iam", "DetachUserPolicy", json!({"UserName": "u", "PolicyArn": arn})),
        required("iam", "ListAttachedUserPolicies", json!({"UserName": "u"})),
        optional("CreateAccessKey", json!({"UserName": "two words"})),
        optional("ListAccessKeys", json!({"MaxItems": 1001})),
        required(
            "iam",
            "UpdateAccessKey",
            json!({"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "Status": "Active"}),
        ),
        required("iam", "DeleteAccessKey", json!({"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA"})),
        required("iam", "CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": trust})),
        required("iam", "GetRole", json!({"RoleName": "r"})),
        optional("ListRoles", json!({"PathPrefix": "team"})),
        required("iam", "UpdateAssumeRolePolicy", json!({"RoleName": "r", "PolicyDocument": trust})),
        required("iam", "DeleteRole", json!({"RoleName": "r"})),
        required(
            "iam",
            "PutRolePolicy",
            json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": policy}),
        ),
        required("iam", "GetRolePolicy", json!({"RoleName": "r", "PolicyName": "p"})),
        required("iam", "ListRolePolicies", json!({"RoleName": "r"})),
        required("iam", "DeleteRolePolicy", json!({"RoleName": "r", "PolicyName": "p"})),
        required("iam", "AttachRolePolicy", json!({"RoleName": "r", "PolicyArn": arn})),
        required("iam", "DetachRolePolicy", json!({"RoleName": "r", "PolicyArn": arn})),
        required("iam", "ListAttachedRolePolicies", json!({"RoleName": "r"})),
        required("iam", "CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": policy})),
        required("iam", "GetPolicy", json!({"PolicyArn": arn})),
        required("iam", "GetPolicyVersion", json!({"PolicyArn": arn, "VersionId": "v1"})),
        optional("ListPolicies", json!({"Scope": "Everything"})),
        required("iam", "DeletePolicy", json!({"PolicyArn": "arn:aws:iam::000000000000:policy/p"})),
        required(
            "sts",
            "AssumeRole",
            json!({"RoleArn": "arn:aws:iam::000000000000:role/r", "RoleSessionName": "session"}),
        ),
        memberless("iam", "EnableOutboundWebIdentityFederation"),
        memberless("iam", "DisableOutboundWebIdentityFederation"),
        memberless("iam", "GetOutboundWebIdentityFederationInfo"),
        memberless("sts", "GetCallerIdentity"),
        required(
            "sts",
            "GetWebIdentityToken",
            json!({"Audience": ["https://api.example"], "SigningAlgorithm": "ES384"}),
        ),
        required("ses", "SendEmail", mail),
    ]
}

/// Each operation of all services is asked in these ways by a client of AWS's, too (`e2e/test_surface.py`).
#[test]
fn the_cases_are_operations_that_are_promised() {
    let known: BTreeSet<_> = cases().iter().map(|case| (case.service, case.operation)).collect();
    let promised: BTreeSet<_> = SERVICES
        .iter()
        .filter(|service| ["iam", "sts", "ses"].contains(&service.name))
        .flat_map(|service| service.operations.iter().map(|operation| (service.name, operation.name)))
        .collect();
    assert!(known.is_subset(&promised), "{:?}", known.difference(&promised));
}

#[tokio::test]
async fn nobody_unsigned_gets_anything() {
    let world = World::new().await;
    for case in cases() {
        let answered = world.anonymous().call(case.service, case.operation, case.sound).await;
        let message = answered.refused(403, "MissingAuthenticationToken");
        assert_eq!(message, "Missing Authentication Token", "{}", case.operation);
    }
}

#[tokio::test]
async fn nobody_with_an_unknown_key_or_another_ones_secret_gets_anything() {
    let world = World::new().await;
    let forger = world.actor(world.root().access_key_id(), "a guess", None);
    for case in cases() {
        let answered = world.stranger().call(case.service, case.operation, case.sound.clone()).await;
        answered.refused(403, "InvalidClientTokenId");
        let answered = forger.call(case.service, case.operation, case.sound).await;
        answered.refused(403, "SignatureDoesNotMatch");
    }
}

#[tokio::test]
async fn a_user_without_policies_may_only_ask_who_it_is() {
    let world = World::new().await;
    let nobody = world.user("nobody", None).await;
    for case in cases() {
        let answered = nobody.call(case.service, case.operation, case.sound).await;
        if case.operation == "GetCallerIdentity" {
            answered.good();
            continue;
        }
        let message = answered.refused(403, "AccessDenied");
        let action = format!("{}:{}", case.service, case.operation);
        let expected = format!(
            "User: arn:aws:iam::000000000000:user/nobody is not authorized to perform: {action} on resource: "
        );
        assert!(message.starts_with(&expected), "{message}");
        let event = world.event(&action).await;
        assert_eq!((event.decision, event.outcome), (Decision::Deny, Outcome::Refused), "{action}");
        assert!(matches!(event.actor, Actor::Iam { arn, .. } if arn.ends_with("user/nobody")), "{action}");
    }
}

#[tokio::test]
async fn malformed_requests_are_refused_before_anything_else() {
    let world = World::new().await;
    for case in cases() {
        let Some(malformed) = case.malformed else { continue };
        let answered = world.root().call(case.service, case.operation, malformed).await;
        let message = answered.refused(400, "ValidationError");
        assert!(message.contains("failed to satisfy constraint"), "{}: {message}", case.operation);
    }
}

#[tokio::test]
async fn what_is_not_honoured_yet_is_said_so() {
    let world = World::new().await;
    let vouched = json!({
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "RoleSessionName": "session",
        "ProvidedContexts": [{"ContextAssertion": "a"}],
    });
    let message = world.root().call("sts", "AssumeRole", vouched).await.refused(400, "ValidationError");
    assert!(
        message.contains("'/ProvidedContexts'") && message.contains("not supported by Portcullis yet"),
        "{message}"
    );
}
