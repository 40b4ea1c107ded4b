//! What a verdict says about itself.

use super::*;
use crate::{FailedCondition, Miss, PolicySource, StatementRef};

const GATEWAY: &str = "arn:aws:bedrock-agentcore:us-west-2:111122223333:gateway/g";

fn asked() -> Ask {
    Ask::by(user(HOME, "eve")).to("bedrock-agentcore:InvokeGateway").on(GATEWAY)
}

#[test]
fn the_deciding_statement_is_named() {
    let verdict = asked()
        .holding(ALLOW_NOTHING)
        .holding(&format!(
            r#"{ALLOW_NOTHING}, {{"Sid": "Invoke", "Effect": "Allow", "Action": "bedrock-agentcore:Invoke*", "Resource": "*"}}"#
        ))
        .verdict();
    assert_eq!(
        verdict.deciding,
        Some(StatementRef { policy: "the requester's".to_owned(), sid: Some("Invoke".to_owned()), index: 1 })
    );
    assert_eq!(verdict.source, Some(PolicySource::Identity));
    assert_eq!(verdict.to_string(), "allowed by statement Invoke of the requester's");
    assert_eq!(verdict.tail("any"), None);

    let denied = asked().holding(ALLOW_ALL).holding(DENY_ALL).verdict();
    assert_eq!(denied.effect, Effect::ExplicitDeny);
    assert_eq!(denied.to_string(), "denied by statement 0 of the requester's");
    assert_eq!(denied.near_misses, Vec::new());
}

#[test]
fn the_message_is_awss() {
    assert_eq!(
        asked().denial().unwrap(),
        "User: arn:aws:iam::111122223333:user/eve is not authorized to perform: bedrock-agentcore:InvokeGateway \
         on resource: arn:aws:bedrock-agentcore:us-west-2:111122223333:gateway/g because no identity-based policy \
         allows the bedrock-agentcore:InvokeGateway action"
    );
    assert_eq!(
        Ask::by(session(HOME, "R", "s"))
            .to("bedrock-agentcore:ListGateways")
            .on("*")
            .holding(DENY_ALL)
            .denial()
            .unwrap(),
        "User: arn:aws:sts::111122223333:assumed-role/R/s is not authorized to perform: \
         bedrock-agentcore:ListGateways with an explicit deny in an identity-based policy"
    );
    assert_eq!(asked().holding(ALLOW_ALL).denial(), None);
}

#[test]
fn near_misses_come_nearest_first() {
    let verdict = asked()
        .with("aws:SourceIp", "198.51.100.7")
        .holding(
            r#"{"Sid": "Elsewhere", "Effect": "Allow", "Action": "bedrock-agentcore:*", "Resource": "arn:aws:bedrock-agentcore:*:*:gateway/other"},
               {"Sid": "TwoConditions", "Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "StringEquals": {"aws:PrincipalTag/team": ["a", "b"]}}},
               {"Sid": "OneCondition", "Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "StringNotEquals": {"aws:PrincipalTag/team": "a"}}},
               {"Sid": "Unrelated", "Effect": "Allow", "Action": "s3:*", "Resource": "*"},
               {"Sid": "DenyIsNoMiss", "Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::x"}"#,
        )
        .resource_says(
            r#"{"Sid": "Bob", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}, "Action": "*", "Resource": "*"}"#,
        )
        .verdict();
    let sids: Vec<_> =
        verdict.near_misses.iter().map(|near| near.statement.sid.as_deref().unwrap()).collect();
    assert_eq!(sids, ["OneCondition", "TwoConditions", "Elsewhere", "Bob"]);
    assert_eq!(
        verdict.near_misses[0].miss,
        Miss::Conditions(vec![FailedCondition {
            operator: "IpAddress".to_owned(),
            key: "aws:SourceIp".to_owned(),
            expected: vec!["203.0.113.0/24".to_owned()],
            actual: vec!["198.51.100.7".to_owned()],
        }])
    );
    assert_eq!(verdict.near_misses[3].source, PolicySource::Resource);
    assert_eq!(
        verdict.to_string(),
        "denied because no identity-based policy allows it; \
         statement OneCondition of the requester's, an identity-based policy, allows it where aws:SourceIp \
         IpAddress `203.0.113.0/24` (the request has `198.51.100.7`); \
         statement TwoConditions of the requester's, an identity-based policy, allows it where aws:SourceIp \
         IpAddress `203.0.113.0/24` (the request has `198.51.100.7`) and aws:PrincipalTag/team StringEquals `a`, \
         `b` (the request has no such key); \
         statement Elsewhere of the requester's, an identity-based policy, allows it on other resources: \
         `arn:aws:bedrock-agentcore:*:*:gateway/other`; \
         statement Bob of the resource's, a resource-based policy, allows it to somebody else"
    );
}

#[test]
fn near_misses_are_bounded() {
    let statement = r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::x"}"#;
    let many = vec![statement; 50].join(", ");
    assert_eq!(asked().holding(&many).verdict().near_misses.len(), 8);
}
