//! What holds for all policies: denies win, allows only add, nothing panics, globs are globs.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::pattern::{Case, Pattern};

const ACTIONS: [&str; 5] = ["*", "s3:*", "s3:Get*", "s3:GetObject", "lambda:InvokeFunction"];
const RESOURCES: [&str; 4] =
    ["*", "arn:aws:s3:::*", "arn:aws:s3::111122223333:bucket/*", "arn:aws:lambda:*:*:function:f"];
const CONDITIONS: [&str; 5] = [
    "{}",
    r#"{"StringEquals": {"k:color": "red"}}"#,
    r#"{"StringNotEquals": {"k:color": "red"}}"#,
    r#"{"ForAllValues:StringLike": {"k:color": "r*"}}"#,
    r#"{"Null": {"k:color": "true"}}"#,
];
const PRINCIPALS: [&str; 5] = [
    r#""*""#,
    r#"{"AWS": "111122223333"}"#,
    r#"{"AWS": "arn:aws:iam::111122223333:role/R"}"#,
    r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/R/s"}"#,
    r#"{"AWS": "444455556666"}"#,
];

fn statement(effect: &'static str) -> impl Strategy<Value = String> {
    (select(&ACTIONS), select(&RESOURCES), select(&CONDITIONS)).prop_map(move |(action, resource, condition)| {
        format!(r#"{{"Effect": "{effect}", "Action": "{action}", "Resource": "{resource}", "Condition": {condition}}}"#)
    })
}

fn statements() -> impl Strategy<Value = String> {
    vec(prop_oneof![statement("Allow"), statement("Deny")], 1..4).prop_map(|all| all.join(", "))
}

fn resource_statements() -> impl Strategy<Value = String> {
    (statements(), select(&PRINCIPALS)).prop_map(|(statements, principal)| {
        statements.replace(r#""Effect""#, &format!(r#""Principal": {principal}, "Effect""#))
    })
}

fn requesters() -> impl Strategy<Value = Who> {
    prop_oneof![
        Just(user(HOME, "eve")),
        Just(session(HOME, "R", "s")),
        Just(session(AWAY, "R", "s")),
        Just(root(HOME)),
        Just(Who::Service("s3.amazonaws.com")),
        Just(Who::Nobody),
    ]
}

fn asks() -> impl Strategy<Value = Ask> {
    (
        requesters(),
        vec(statements(), 0..3),
        proptest::option::of(statements()),
        proptest::option::of(statements()),
        proptest::option::of(resource_statements()),
        proptest::option::of(select(&["red", "blue", ""])),
    )
        .prop_map(|(who, held, boundary, session, resource, color)| {
            let mut asked = Ask::by(who);
            for statements in held {
                asked = asked.holding(&statements);
            }
            if let Some(statements) = boundary {
                asked = asked.bounded_by(&statements);
            }
            if let Some(statements) = session {
                asked = asked.in_session(&statements);
            }
            if let Some(statements) = resource {
                asked = asked.resource_says(&statements);
            }
            match color {
                Some(color) => asked.with("k:color", color),
                None => asked,
            }
        })
}

/// What a glob means, said as simply as can be.
fn naive_glob(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=text.len()).any(|at| naive_glob(rest, &text[at..])),
        (['?', rest @ ..], [_, after @ ..]) => naive_glob(rest, after),
        ([literal, rest @ ..], [character, after @ ..]) => literal == character && naive_glob(rest, after),
        _ => false,
    }
}

/// JSON that resembles a policy, with the wrong thing in any place.
fn nearly_policies() -> impl Strategy<Value = String> {
    let word = select(&[
        "\"Version\"",
        "\"Statement\"",
        "\"Effect\"",
        "\"Action\"",
        "\"Resource\"",
        "\"Principal\"",
        "\"Condition\"",
        "\"StringEquals\"",
        "\"ForAnyValue:ArnLikeIfExists\"",
        "\"IpAddress\"",
        "\"DateLessThan\"",
        "\"2012-10-17\"",
        "\"Allow\"",
        "\"*\"",
        "\"s3:*\"",
        "\"arn:aws:s3:::${aws:username, 'é'}\"",
        "\"AWS\"",
        "\"10.0.0.0/99\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "true",
        "1e400",
        "-1",
        "\"\\ud83d\\ude00\"",
    ]);
    vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn an_explicit_deny_is_never_outvoted(asked in asks()) {
        let denying = asked.clone().resource_says(
            r#"{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
               {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}"#,
        );
        prop_assert_eq!(denying.verdict().effect, Effect::ExplicitDeny);
        // A requester of an account is bound by its own denies too.
        if matches!(asked.who, Who::Caller(ref caller) if caller.principal != Principal::Root) {
            prop_assert_eq!(asked.clone().holding(DENY_ALL).verdict().effect, Effect::ExplicitDeny);
            prop_assert_eq!(asked.clone().bounded_by(DENY_ALL).verdict().effect, Effect::ExplicitDeny);
            prop_assert_eq!(asked.in_session(DENY_ALL).verdict().effect, Effect::ExplicitDeny);
        }
    }

    #[test]
    fn adding_an_allow_never_takes_away(asked in asks(), more in statement("Allow")) {
        let before = asked.verdict().effect;
        let after = asked.holding(&more).verdict().effect;
        prop_assert!(before != Effect::Allow || after == Effect::Allow);
        prop_assert_eq!(before == Effect::ExplicitDeny, after == Effect::ExplicitDeny);
    }

    #[test]
    fn limits_never_add(asked in asks(), limit in statements()) {
        let before = asked.verdict();
        // A boundary instead of another, or another session policy, may well allow more.
        if asked.boundary.is_none() && asked.clone().bounded_by(&limit).verdict().is_allowed() {
            prop_assert!(before.is_allowed());
        }
        if asked.session.is_none() && asked.in_session(&limit).verdict().is_allowed() {
            prop_assert!(before.is_allowed());
        }
    }

    #[test]
    fn every_denial_has_its_reason(asked in asks()) {
        let verdict = asked.verdict();
        prop_assert_eq!(verdict.is_allowed(), verdict.tail("s3:GetObject").is_none());
        prop_assert_eq!(verdict.effect == Effect::ExplicitDeny, !verdict.is_allowed() && verdict.deciding.is_some());
        prop_assert!(verdict.is_allowed() || !verdict.to_string().is_empty());
    }

    #[test]
    fn parsing_never_panics(text in any::<String>(), nearly in nearly_policies(), bytes in vec(any::<u8>(), 0..200)) {
        for kind in [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust] {
            for document in [&text, &nearly, &String::from_utf8_lossy(&bytes).into_owned()] {
                if let Err(error) = Policy::parse(document, kind) {
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }
    }

    #[test]
    fn evaluating_never_panics(
        action in any::<String>(),
        resource in any::<String>(),
        pattern in any::<String>(),
        value in any::<String>(),
    ) {
        let quoted = serde_json::to_string(&pattern).unwrap();
        let condition: Vec<String> = [
            "StringLike", "StringEqualsIgnoreCase", "NumericLessThan", "Bool", "BinaryEquals", "IpAddress",
            "ArnNotLike", "Null", "ForAnyValue:StringNotLike",
        ]
        .iter()
        .map(|operator| format!(r#""{operator}": {{"k:x": [{quoted}, "${{k:x}}*"]}}"#))
        .collect();
        let statement = format!(
            r#"{{"Effect": "Deny", "Action": "*", "Resource": ["*", "arn:aws:s3:::${{k:x}}"], "Condition": {{{}}}}}"#,
            condition.join(", ")
        );
        Ask::by(user(HOME, "eve")).to(&action).on(&resource).with("k:x", &value).holding(&statement).verdict();
    }

    #[test]
    fn globs_agree_with_the_naive_matcher(pattern in "[ab*?é]{0,10}", text in "[abé]{0,14}") {
        let characters: Vec<char> = pattern.chars().collect();
        let expected = naive_glob(&characters, &text.chars().collect::<Vec<_>>());
        let context = Context::new();
        prop_assert_eq!(Pattern::glob(&pattern).matches(&text, Case::Exact, &context), expected);
        prop_assert_eq!(Pattern::glob(&pattern.to_uppercase()).matches(&text.to_uppercase(), Case::AsciiIgnored, &context), expected);
    }
}

/// A pattern that would take a backtracking matcher longer than the universe has.
#[test]
fn hostile_globs_are_cheap() {
    let pattern = Pattern::glob(&format!("{}b", "a*".repeat(1_000)));
    assert!(!pattern.matches(&"a".repeat(4_000), Case::Exact, &Context::new()));
    let pattern = Pattern::glob(&format!("*{}b", "a".repeat(1_000)));
    assert!(!pattern.matches(&"a".repeat(4_000), Case::Exact, &Context::new()));
}
