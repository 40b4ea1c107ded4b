//! Permissions boundaries and session policies: what they limit, and what they do not.

use super::*;

const SESSION_ARN: &str = "arn:aws:sts::111122223333:assumed-role/R/s";
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/R";
const USER_ARN: &str = "arn:aws:iam::111122223333:user/eve";

fn for_principal(principal: &str) -> String {
    format!(r#"{{"Effect": "Allow", "Principal": {{"AWS": "{principal}"}}, "Action": "*", "Resource": "*"}}"#)
}

#[test]
fn they_intersect_with_identity_policies() {
    let session = || Ask::by(session(HOME, "R", "s"));
    session().holding(ALLOW_ALL).bounded_by(ALLOW_ALL).in_session(ALLOW_ALL).is_allowed();
    session().holding(ALLOW_ALL).bounded_by(ALLOW_NOTHING).is_denied(NO_BOUNDARY);
    session().holding(ALLOW_ALL).in_session(ALLOW_NOTHING).is_denied(NO_SESSION);
    session().bounded_by(ALLOW_ALL).is_denied(NO_IDENTITY);
    session().in_session(ALLOW_ALL).is_denied(NO_IDENTITY);
}

#[test]
fn session_policies_are_one_set() {
    let asked = Ask::by(session(HOME, "R", "s")).holding(ALLOW_ALL);
    asked.clone().in_session(ALLOW_NOTHING).in_session(ALLOW_ALL).is_allowed();
    let mut empty = asked;
    empty.session = Some(Vec::new());
    empty.is_denied(NO_SESSION);
}

/// The user guide's table "Resource-based policies and implicit denies in other policy types (same account)".
#[test]
fn what_a_resource_policy_grants_past_them() {
    let session = || Ask::by(session(HOME, "R", "s"));
    let eve = || Ask::by(user(HOME, "eve"));
    let everyone = r#"{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}"#;

    session().resource_says(&for_principal(ROLE_ARN)).is_allowed();
    session().resource_says(&for_principal(ROLE_ARN)).bounded_by(ALLOW_NOTHING).is_denied(NO_BOUNDARY);
    session().resource_says(&for_principal(ROLE_ARN)).in_session(ALLOW_NOTHING).is_denied(NO_SESSION);
    session()
        .resource_says(&for_principal(ROLE_ARN))
        .bounded_by(ALLOW_ALL)
        .in_session(ALLOW_ALL)
        .is_allowed();

    session()
        .resource_says(&for_principal(SESSION_ARN))
        .bounded_by(ALLOW_NOTHING)
        .in_session(ALLOW_NOTHING)
        .is_allowed();
    eve().resource_says(&for_principal(USER_ARN)).bounded_by(ALLOW_NOTHING).is_allowed();
    eve().resource_says(everyone).bounded_by(ALLOW_NOTHING).is_allowed();

    eve()
        .resource_says(&for_principal(HOME))
        .holding(ALLOW_ALL)
        .bounded_by(ALLOW_NOTHING)
        .is_denied(NO_BOUNDARY);
    session().resource_says(&for_principal(SESSION_ARN)).in_session(DENY_ALL).is_denied(SESSION_DENIES);
}

#[test]
fn the_firmest_grip_counts() {
    let both = format!("{}, {}", for_principal(ROLE_ARN), for_principal(SESSION_ARN));
    Ask::by(session(HOME, "R", "s")).resource_says(&both).bounded_by(ALLOW_NOTHING).is_allowed();
    let one = for_principal(ROLE_ARN)
        .replace(&format!("\"{ROLE_ARN}\""), &format!("[\"{HOME}\", \"{ROLE_ARN}\", \"{SESSION_ARN}\"]"));
    Ask::by(session(HOME, "R", "s")).resource_says(&one).bounded_by(ALLOW_NOTHING).is_allowed();
}
