//! `Principal` and `NotPrincipal`.

use super::*;

#[test]
fn who_is_meant_by_what() {
    // Nobody holds a policy here, so that only a grip on the requester itself or its role is enough.
    let cases: [(&str, Who, bool); 17] = [
        (r#""*""#, user(HOME, "eve"), true),
        (r#"{"AWS": "*"}"#, Who::Nobody, true),
        (r#"{"AWS": "arn:aws:iam::111122223333:user/eve"}"#, user(HOME, "eve"), true),
        (r#"{"AWS": "arn:aws:iam::111122223333:user/Eve"}"#, user(HOME, "eve"), false),
        (r#"{"AWS": "arn:aws:iam::111122223333:user/eve"}"#, user(AWAY, "eve"), false),
        (r#"{"AWS": "arn:aws:iam::111122223333:role/R"}"#, session(HOME, "R", "s"), true),
        (r#"{"AWS": "arn:aws:iam::111122223333:role/r"}"#, session(HOME, "R", "s"), false),
        (r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/R/s"}"#, session(HOME, "R", "s"), true),
        (r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/R/s"}"#, session(HOME, "R", "t"), false),
        (r#"{"AWS": ["444455556666", "arn:aws:iam::111122223333:role/R"]}"#, session(HOME, "R", "t"), true),
        (r#"{"AWS": "AIDAEVE"}"#, user(HOME, "eve"), true),
        (r#"{"AWS": "AROAR"}"#, session(HOME, "R", "s"), true),
        (r#"{"AWS": "AROAX"}"#, session(HOME, "R", "s"), false),
        (r#"{"Federated": "accounts.google.com"}"#, Who::Federated("accounts.google.com"), true),
        (r#"{"Federated": "accounts.google.com"}"#, Who::Service("accounts.google.com"), false),
        (r#"{"CanonicalUser": "79a59df900b949e55d96a1e698fbaced"}"#, user(HOME, "eve"), false),
        (
            r#"{"AWS": "444455556666", "Service": ["a.amazonaws.com", "b.amazonaws.com"]}"#,
            Who::Service("b.amazonaws.com"),
            true,
        ),
    ];
    for (principal, who, expected) in cases {
        let statement =
            format!(r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "*", "Resource": "*"}}"#);
        let verdict = Ask::by(who).resource_says(&statement).verdict();
        assert_eq!(verdict.is_allowed(), expected, "{principal}: {verdict}");
    }
}

#[test]
fn a_deny_reaches_everyone_who_belongs_to_whom_it_names() {
    for principal in [
        "111122223333",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:role/R",
        "arn:aws:sts::111122223333:assumed-role/R/s",
    ] {
        let deny = format!(
            r#"{{"Effect": "Deny", "Principal": {{"AWS": "{principal}"}}, "Action": "*", "Resource": "*"}}"#
        );
        Ask::by(session(HOME, "R", "s")).holding(ALLOW_ALL).resource_says(&deny).is_denied(RESOURCE_DENIES);
        Ask::by(session(AWAY, "R", "s"))
            .on("arn:aws:s3::444455556666:bucket/key")
            .holding(ALLOW_ALL)
            .resource_says(&deny)
            .is_allowed();
    }
}

#[test]
fn not_principal_excepts_whom_it_names_and_nobody_else() {
    let deny = |listed: &str| {
        format!(
            r#"{{"Effect": "Deny", "NotPrincipal": {{"AWS": {listed}}}, "Action": "*", "Resource": "*"}}"#
        )
    };
    let bob = deny(r#"["arn:aws:iam::111122223333:user/bob", "arn:aws:iam::111122223333:root"]"#);
    Ask::by(user(HOME, "bob")).holding(ALLOW_ALL).resource_says(&bob).is_allowed();
    Ask::by(user(HOME, "eve")).holding(ALLOW_ALL).resource_says(&bob).is_denied(RESOURCE_DENIES);
    // "Will always deny any IAM principal that has a permissions boundary attached."
    Ask::by(user(HOME, "bob"))
        .holding(ALLOW_ALL)
        .bounded_by(ALLOW_ALL)
        .resource_says(&bob)
        .is_denied(RESOURCE_DENIES);

    let all_but_root = deny(r#""arn:aws:iam::111122223333:root""#);
    Ask::by(root(HOME)).resource_says(&all_but_root).is_allowed();
    Ask::by(root(AWAY)).resource_says(&all_but_root).is_denied(RESOURCE_DENIES);

    let app = deny(
        r#"["arn:aws:sts::111122223333:assumed-role/R/app", "arn:aws:iam::111122223333:role/R", "111122223333"]"#,
    );
    Ask::by(session(HOME, "R", "app")).holding(ALLOW_ALL).resource_says(&app).is_allowed();
    Ask::by(session(HOME, "R", "other")).holding(ALLOW_ALL).resource_says(&app).is_denied(RESOURCE_DENIES);

    let allow =
        r#"{"Effect": "Allow", "NotPrincipal": {"AWS": "444455556666"}, "Action": "*", "Resource": "*"}"#;
    Ask::by(user(HOME, "eve")).resource_says(allow).is_allowed();
    Ask::by(user(AWAY, "bob")).holding(ALLOW_ALL).resource_says(allow).is_denied(NO_RESOURCE);
}

/// "Lock a runtime to its gateway": everyone but one role is denied by `aws:PrincipalArn`.
#[test]
fn principal_arn_is_the_roles() {
    let lock = r#"{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/GatewayRole"}}}"#;
    for (who, expected) in [
        (session(HOME, "GatewayRole", "s"), true),
        (session(HOME, "Other", "s"), false),
        (user(HOME, "eve"), false),
    ] {
        let context = context_of(&who);
        let verdict = Ask::by(who).within(context).holding(ALLOW_ALL).resource_says(lock).verdict();
        assert_eq!(verdict.is_allowed(), expected, "{verdict}");
    }
}
