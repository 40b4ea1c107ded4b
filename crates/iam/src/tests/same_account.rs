//! Within one account: the requester's policies or the resource's.

use super::*;

const BY_USER: &str = r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/eve"}, "Action": "s3:*", "Resource": "arn:aws:s3::111122223333:*"}"#;
const BY_ACCOUNT: &str =
    r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "s3:*", "Resource": "*"}"#;

#[test]
fn nothing_is_allowed_until_something_allows() {
    Ask::by(user(HOME, "eve")).is_denied(NO_IDENTITY);
    Ask::by(session(HOME, "R", "s")).is_denied(NO_IDENTITY);
    Ask::by(user(HOME, "eve")).holding(ALLOW_ALL).is_allowed();
    Ask::by(user(HOME, "eve")).holding(ALLOW_NOTHING).is_denied(NO_IDENTITY);
}

#[test]
fn either_side_is_enough() {
    Ask::by(user(HOME, "eve")).resource_says(BY_USER).is_allowed();
    Ask::by(user(HOME, "eve")).holding(ALLOW_ALL).resource_says(&BY_USER.replace("eve", "bob")).is_allowed();
    Ask::by(user(HOME, "bob")).resource_says(BY_USER).is_denied(NO_IDENTITY);
}

#[test]
fn a_resource_policy_for_the_account_delegates_to_its_policies() {
    Ask::by(user(HOME, "eve")).resource_says(BY_ACCOUNT).is_denied(NO_IDENTITY);
    Ask::by(user(HOME, "eve")).holding(ALLOW_ALL).resource_says(BY_ACCOUNT).is_allowed();
}

#[test]
fn an_explicit_deny_wins_wherever_it_is() {
    let deny = r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}"#;
    let asked = Ask::by(user(HOME, "eve")).holding(ALLOW_ALL);
    asked.clone().holding(DENY_ALL).is_denied(IDENTITY_DENIES);
    asked.clone().bounded_by(DENY_ALL).is_denied(BOUNDARY_DENIES);
    asked.clone().in_session(DENY_ALL).is_denied(SESSION_DENIES);
    asked.resource_says(deny).is_denied(RESOURCE_DENIES);
    Ask::by(user(HOME, "eve")).holding(DENY_ALL).resource_says(BY_USER).is_denied(IDENTITY_DENIES);
}

#[test]
fn the_root_is_bound_by_resource_policies_alone() {
    Ask::by(root(HOME)).is_allowed();
    Ask::by(root(HOME)).holding(DENY_ALL).bounded_by(ALLOW_NOTHING).is_allowed();
    Ask::by(root(HOME))
        .resource_says(r#"{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}"#)
        .is_denied(RESOURCE_DENIES);
    Ask::by(root(HOME)).resource_says(BY_USER).is_allowed();
    assert_eq!(Ask::by(root(HOME)).verdict().source, None);
}

#[test]
fn services_and_strangers_have_only_the_resource_policy() {
    let service = Who::Service("bedrock-agentcore.amazonaws.com");
    let says = r#"{"Effect": "Allow", "Principal": {"Service": "bedrock-agentcore.amazonaws.com"}, "Action": "s3:GetObject", "Resource": "*"}"#;
    Ask::by(service.clone()).holding(ALLOW_ALL).is_denied(NO_RESOURCE);
    Ask::by(service.clone()).resource_says(says).is_allowed();
    Ask::by(Who::Service("lambda.amazonaws.com")).resource_says(says).is_denied(NO_RESOURCE);
    Ask::by(Who::Nobody).holding(ALLOW_ALL).resource_says(says).is_denied(NO_RESOURCE);
    let everyone = r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}"#;
    for who in [service, Who::Nobody, user(HOME, "eve"), session(HOME, "R", "s")] {
        Ask::by(who).resource_says(everyone).is_allowed();
    }
    Ask::by(Who::Nobody).resource_says(BY_ACCOUNT).is_denied(NO_RESOURCE);
}

#[test]
fn policies_in_the_wrong_place_grant_nothing() {
    let mut asked = Ask::by(user(HOME, "eve"));
    asked.resource_policy = Some(identity(ALLOW_ALL));
    asked.is_denied(NO_IDENTITY);
    let mut asked = Ask::by(user(HOME, "bob"));
    asked.identity = vec![named("misplaced", BY_USER, PolicyKind::Resource)];
    asked.is_denied(NO_IDENTITY);
}

/// The user guide's example of Carlos and his buckets ("Example identity-based and resource-based policy
/// evaluation"), with its two answers.
#[test]
fn carlos_and_his_buckets() {
    let carlos = || {
        Ask::by(user("123456789012", "carlossalazar"))
            .to("s3:PutObject")
            .holding(
                r#"{"Sid": "AllowS3Self", "Effect": "Allow", "Action": "s3:*",
                    "Resource": ["arn:aws:s3:::carlossalazar/*", "arn:aws:s3:::carlossalazar"]},
                   {"Sid": "DenyS3Logs", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::*log*"}"#,
            )
            .resource_says(
                r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/carlossalazar"},
                    "Action": "s3:*", "Resource": ["arn:aws:s3:::carlossalazar/*", "arn:aws:s3:::carlossalazar"]}"#,
            )
    };
    carlos().on("arn:aws:s3:::carlossalazar-logs/today").is_denied(IDENTITY_DENIES);
    carlos().on("arn:aws:s3:::carlossalazar/today").is_allowed();
}
