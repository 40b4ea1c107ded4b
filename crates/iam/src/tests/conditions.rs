//! Condition operators, as data: a condition block, a context, whether the statement is in force.

use super::*;

/// Whether a statement with this condition applies in this context.
fn holds(condition: &str, context: &Context) -> bool {
    let statement =
        format!(r#"{{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {condition}}}"#);
    Ask::by(user(HOME, "eve")).within(context.clone()).holding(&statement).verdict().is_allowed()
}

#[track_caller]
fn check(cases: &[(&str, &Context, bool)]) {
    for (condition, context, expected) in cases {
        assert_eq!(holds(condition, context), *expected, "{condition} in {context:?}");
    }
}

fn one(key: &str, value: &str) -> Context {
    Context::new().with(key, value)
}

fn many(values: &[&str]) -> Context {
    Context::new().with_many("k:many", values.iter().copied())
}

#[test]
fn texts() {
    let none = &Context::new();
    let red = &one("k:color", "red");
    check(&[
        (r#"{}"#, none, true),
        (r#"{"StringEquals": {}}"#, none, true),
        (r#"{"StringEquals": {"k:color": "red"}}"#, red, true),
        (r#"{"StringEquals": {"K:Color": "red"}}"#, red, true),
        (r#"{"StringEquals": {"k:color": "Red"}}"#, red, false),
        (r#"{"StringEquals": {"k:color": ["blue", "red"]}}"#, red, true),
        (r#"{"StringEquals": {"k:color": "r*"}}"#, red, false),
        (r#"{"StringEquals": {"k:color": "red"}}"#, none, false),
        (r#"{"StringNotEquals": {"k:color": ["blue", "green"]}}"#, red, true),
        (r#"{"StringNotEquals": {"k:color": ["blue", "red"]}}"#, red, false),
        (r#"{"StringNotEquals": {"k:color": "red"}}"#, none, true),
        (r#"{"StringEqualsIgnoreCase": {"k:color": "RED"}}"#, red, true),
        (r#"{"StringNotEqualsIgnoreCase": {"k:color": "RED"}}"#, red, false),
        (r#"{"StringLike": {"k:color": "r*"}}"#, red, true),
        (r#"{"StringLike": {"k:color": "re?"}}"#, red, true),
        (r#"{"StringLike": {"k:color": "R*"}}"#, red, false),
        (r#"{"StringLike": {"k:color": ["", "home/"]}}"#, &one("k:color", ""), true),
        (r#"{"StringNotLike": {"k:color": "b*"}}"#, red, true),
        (r#"{"StringNotLike": {"k:color": "b*"}}"#, none, true),
        // Two keys and two operators must all hold.
        (r#"{"StringEquals": {"k:color": "red", "k:size": "big"}}"#, red, false),
        (
            r#"{"StringEquals": {"k:color": "red"}, "StringLike": {"k:size": "b*"}}"#,
            &red.clone().with("k:size", "big"),
            true,
        ),
    ]);
}

#[test]
fn numbers() {
    let none = &Context::new();
    let ten = &one("k:n", "10");
    check(&[
        (r#"{"NumericEquals": {"k:n": "10.0"}}"#, ten, true),
        (r#"{"NumericEquals": {"k:n": 10}}"#, ten, true),
        (r#"{"NumericNotEquals": {"k:n": ["9", "11"]}}"#, ten, true),
        (r#"{"NumericNotEquals": {"k:n": ["9", "10"]}}"#, ten, false),
        (r#"{"NumericNotEquals": {"k:n": "10"}}"#, none, true),
        (r#"{"NumericLessThan": {"k:n": "10"}}"#, ten, false),
        (r#"{"NumericLessThanEquals": {"k:n": "10"}}"#, ten, true),
        (r#"{"NumericGreaterThan": {"k:n": "9.5"}}"#, ten, true),
        (r#"{"NumericGreaterThanEquals": {"k:n": "10"}}"#, ten, true),
        (r#"{"NumericLessThan": {"k:n": "100"}}"#, none, false),
        // What is no number makes the condition fail, negated or not.
        (r#"{"NumericLessThan": {"k:n": "ten"}}"#, ten, false),
        (r#"{"NumericNotEquals": {"k:n": ["ten", "11"]}}"#, ten, false),
        (r#"{"NumericNotEquals": {"k:n": "10"}}"#, &one("k:n", "many"), false),
    ]);
}

#[test]
fn dates() {
    let now = &Context::new().at(domain::Timestamp::from_seconds(1_763_717_400));
    check(&[
        (
            r#"{"DateGreaterThan": {"aws:CurrentTime": "2025-07-01T00:00:00Z"}, "DateLessThan": {"aws:CurrentTime": "2025-12-31T23:59:59Z"}}"#,
            now,
            true,
        ),
        (r#"{"DateLessThan": {"aws:CurrentTime": "2025-11-21T09:30:00Z"}}"#, now, false),
        (r#"{"DateLessThanEquals": {"aws:CurrentTime": "2025-11-21T09:30:00Z"}}"#, now, true),
        (r#"{"DateEquals": {"aws:CurrentTime": "1763717400"}}"#, now, true),
        (r#"{"DateNotEquals": {"aws:CurrentTime": "1763717400"}}"#, now, false),
        (r#"{"DateGreaterThan": {"aws:EpochTime": "2025-11-21"}}"#, now, true),
        (r#"{"DateGreaterThanEquals": {"aws:EpochTime": 1763717401}}"#, now, false),
        (r#"{"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}}"#, now, false),
    ]);
}

#[test]
fn booleans_binaries_and_nulls() {
    let none = &Context::new();
    let secure = &one("aws:SecureTransport", "true");
    check(&[
        (r#"{"Bool": {"aws:SecureTransport": "true"}}"#, secure, true),
        (r#"{"Bool": {"aws:SecureTransport": true}}"#, secure, true),
        (r#"{"Bool": {"aws:SecureTransport": "True"}}"#, secure, true),
        (r#"{"Bool": {"aws:SecureTransport": "false"}}"#, secure, false),
        (r#"{"Bool": {"aws:SecureTransport": "false"}}"#, none, false),
        (r#"{"Bool": {"aws:SecureTransport": "yes"}}"#, &one("aws:SecureTransport", "yes"), false),
        (r#"{"BoolIfExists": {"aws:SecureTransport": "true"}}"#, none, true),
        (
            r#"{"BinaryEquals": {"k:b": "QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}"#,
            &one("k:b", "QmluYXJ5VmFsdWVJbkJhc2U2NA"),
            true,
        ),
        (
            r#"{"BinaryEquals": {"k:b": "QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}"#,
            &one("k:b", "qmluYXJ5VmFsdWVJbkJhc2U2NA=="),
            false,
        ),
        (r#"{"Null": {"aws:TokenIssueTime": "true"}}"#, none, true),
        (r#"{"Null": {"aws:TokenIssueTime": true}}"#, &one("aws:TokenIssueTime", "2020"), false),
        (r#"{"Null": {"aws:TokenIssueTime": "false"}}"#, &one("aws:TokenIssueTime", "2020"), true),
        (r#"{"Null": {"aws:TokenIssueTime": "false"}}"#, none, false),
        (r#"{"Null": {"k:many": "false"}}"#, &many(&[""]), false),
        (r#"{"Null": {"k:many": "false"}}"#, &many(&["", "a"]), true),
    ]);
}

#[test]
fn addresses() {
    let none = &Context::new();
    let home = &one("aws:SourceIp", "203.0.113.7");
    let six = &one("aws:SourceIp", "2001:db8:1234:5678::1");
    let mixed = r#"{"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:DB8:1234:5678::/64"]}}"#;
    check(&[
        (mixed, home, true),
        (mixed, six, true),
        (mixed, &one("aws:SourceIp", "203.0.114.7"), false),
        (mixed, none, false),
        (r#"{"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}"#, home, false),
        (r#"{"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}"#, six, true),
        (r#"{"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}"#, none, true),
        (r#"{"NotIpAddress": {"aws:SourceIp": "nonsense"}}"#, home, false),
        (r#"{"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}"#, &one("aws:SourceIp", "?"), false),
    ]);
}

#[test]
fn arns() {
    let none = &Context::new();
    let gateway = &one("aws:SourceArn", "arn:aws:bedrock-agentcore:us-west-2:111122223333:gateway/g-1");
    check(&[
        (
            r#"{"ArnLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:us-west-2:111122223333:gateway/g-*"}}"#,
            gateway,
            true,
        ),
        (r#"{"ArnEquals": {"aws:SourceArn": "arn:aws:bedrock-agentcore:*:111122223333:*"}}"#, gateway, true),
        (r#"{"ArnLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:*:gateway/*"}}"#, gateway, false),
        (r#"{"ArnLike": {"aws:SourceArn": "*"}}"#, gateway, true),
        (r#"{"ArnLike": {"aws:SourceArn": "*"}}"#, none, false),
        (r#"{"ArnNotLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:*:444455556666:*"}}"#, gateway, true),
        (r#"{"ArnNotEquals": {"aws:SourceArn": "arn:aws:s3:::b"}}"#, none, true),
        (r#"{"ArnNotLike": {"aws:SourceArn": "gateway"}}"#, gateway, false),
        (r#"{"ArnLike": {"k:color": "*"}}"#, &one("k:color", "red"), false),
        (
            r#"{"ArnLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:*:${aws:PrincipalAccount}:*"}}"#,
            &gateway.clone().with("aws:PrincipalAccount", "111122223333"),
            true,
        ),
        (
            r#"{"ArnLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:*:${aws:PrincipalAccount}:*"}}"#,
            gateway,
            false,
        ),
    ]);
}

#[test]
fn if_exists() {
    let none = &Context::new();
    check(&[
        (r#"{"StringLikeIfExists": {"k:color": "r*"}}"#, none, true),
        (r#"{"StringLikeIfExists": {"k:color": "r*"}}"#, &one("k:color", "red"), true),
        (r#"{"StringLikeIfExists": {"k:color": "r*"}}"#, &one("k:color", "blue"), false),
        (r#"{"StringNotEqualsIfExists": {"k:color": "red"}}"#, none, true),
        (r#"{"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}"#, none, true),
        (r#"{"ForAllValues:StringEqualsIfExists": {"k:many": "a"}}"#, none, true),
        // Observed of AWS: a set operator that needs a value is not satisfied by IfExists.
        (r#"{"ForAnyValue:StringEqualsIfExists": {"k:many": "a"}}"#, none, false),
    ]);
}

#[test]
fn sets_of_values() {
    let none = &Context::new();
    let all = r#"{"ForAllValues:StringEquals": {"k:many": ["PostDateTime", "Message", "Tags"]}}"#;
    let any = r#"{"ForAnyValue:StringEquals": {"k:many": ["ID", "PostDateTime"]}}"#;
    let none_of = r#"{"ForAllValues:StringNotLike": {"k:many": "key1*"}}"#;
    let some_other = r#"{"ForAnyValue:StringNotEquals": {"k:many": ["DataClass", "Owner"]}}"#;
    check(&[
        (all, &many(&["Message", "Tags"]), true),
        (all, &many(&["PostDateTime", "UserName"]), false),
        (all, none, true),
        (all, &many(&[""]), true),
        (all, &one("k:many", "Tags"), true),
        (any, &many(&["UserName", "Message", "PostDateTime"]), true),
        (any, &many(&["UserName"]), false),
        (any, none, false),
        (any, &many(&[""]), false),
        (r#"{"ForAnyValue:StringLike": {"k:many": "*"}}"#, &many(&[""]), false),
        (r#"{"ForAnyValue:StringLike": {"k:many": "*"}}"#, &many(&["", "a"]), true),
        (any, &one("k:many", "ID"), true),
        (none_of, &many(&["key1:legal"]), false),
        (none_of, &many(&["key1:hr", "key2:audit"]), false),
        (none_of, &many(&["key2:audit"]), true),
        (none_of, none, true),
        (some_other, none, false),
        (some_other, &many(&["DataClass", "Owner"]), false),
        (some_other, &many(&["Dept", "DataClass"]), true),
        // A key with several values needs a set operator, negated or not.
        (r#"{"StringEquals": {"k:many": "a"}}"#, &many(&["a"]), false),
        (r#"{"StringNotEquals": {"k:many": "b"}}"#, &many(&["a"]), false),
    ]);
}

/// Access Analyzer's checks "Empty array condition …" say what a list without values matches.
#[test]
fn no_values_at_all() {
    let none = &Context::new();
    let red = &one("k:color", "red");
    check(&[
        (r#"{"StringEquals": {"k:color": []}}"#, red, false),
        (r#"{"StringEqualsIfExists": {"k:color": []}}"#, red, false),
        (r#"{"StringEqualsIfExists": {"k:color": []}}"#, none, true),
        (r#"{"ForAllValues:StringEquals": {"k:color": []}}"#, red, false),
        (r#"{"ForAllValues:StringEquals": {"k:color": []}}"#, none, true),
        (r#"{"ForAnyValue:StringEquals": {"k:color": []}}"#, red, false),
    ]);
}

#[test]
fn variables_in_values() {
    let both = &Context::new().with("k:team", "a*").with("aws:PrincipalTag/Team", "a*");
    let other = &Context::new().with("k:team", "abc").with("aws:PrincipalTag/Team", "a*");
    let untagged = &one("k:team", "abc");
    check(&[
        (r#"{"StringEquals": {"k:team": "${aws:PrincipalTag/Team}"}}"#, both, true),
        (r#"{"StringLike": {"k:team": "${aws:PrincipalTag/Team}"}}"#, both, true),
        // What a variable stands for is no pattern.
        (r#"{"StringLike": {"k:team": "${aws:PrincipalTag/Team}"}}"#, other, false),
        (r#"{"StringEquals": {"k:team": "${aws:PrincipalTag/Team}"}}"#, untagged, false),
        (r#"{"StringNotEquals": {"k:team": "${aws:PrincipalTag/Team}"}}"#, untagged, true),
        (r#"{"StringEquals": {"k:team": "${aws:PrincipalTag/Team, 'abc'}"}}"#, untagged, true),
        (r#"{"StringLike": {"k:team": "a${*}"}}"#, both, true),
        (r#"{"StringLike": {"k:team": "a${*}"}}"#, other, false),
        (r#"{"StringEqualsIgnoreCase": {"k:team": "${aws:PrincipalTag/Team}"}}"#, both, true),
    ]);
}

#[test]
fn the_language_of_2008_has_no_variables() {
    let text =
        r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${aws:username}"}}"#;
    for (version, resource, expected) in [
        ("", "arn:aws:s3:::eve", false),
        ("", "arn:aws:s3:::${aws:username}", true),
        (r#""Version": "2008-10-17","#, "arn:aws:s3:::eve", false),
        (r#""Version": "2012-10-17","#, "arn:aws:s3:::eve", true),
        (r#""Version": "2012-10-17","#, "arn:aws:s3:::bob", false),
    ] {
        let mut asked = Ask::by(user(HOME, "eve")).on(resource).with("aws:username", "eve");
        asked.identity =
            vec![document("P", &text.replacen('{', &format!("{{{version}"), 1), PolicyKind::Identity)];
        assert_eq!(asked.verdict().is_allowed(), expected, "{version} {resource}");
    }
}
