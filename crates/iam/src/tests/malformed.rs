//! Documents that IAM refuses, with its texts and ours.

use super::*;
use crate::Version;

const SYNTAX: &str = "Syntax errors in policy.";
const VENDOR: &str = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
const LEGACY: &str = "The policy failed legacy parsing";

#[track_caller]
fn check(kind: PolicyKind, cases: &[(&str, &str, &str)]) {
    for (document, text, place) in cases {
        match Policy::parse(document, kind) {
            Ok(_) => panic!("accepted: {document}"),
            Err(error) => {
                assert_eq!(error.text(), *text, "{document}");
                assert_eq!(error.place(), *place, "{document}");
                assert!(error.hint().len() > 10, "{document}: {error}");
            }
        }
    }
}

fn statement(elements: &str) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": [{{{elements}}}]}}"#)
}

#[test]
fn what_is_no_policy() {
    let long = format!(r#"{{"Id": "{}"}}"#, "x".repeat(Policy::MAX_BYTES));
    let deep = "[".repeat(100_000);
    check(
        PolicyKind::Identity,
        &[
            ("", SYNTAX, "document"),
            ("not json", SYNTAX, "document"),
            ("[]", SYNTAX, "document"),
            ("\"text\"", SYNTAX, "document"),
            (&deep, SYNTAX, "document"),
            (&long, "The policy document is longer than 131072 bytes.", "document"),
            (r#"{"Version": "2012-10-17"}"#, SYNTAX, "Statement"),
            (r#"{"Statement": []}"#, SYNTAX, "Statement"),
            (r#"{"Statement": ["text"]}"#, SYNTAX, "Statement[0]"),
            (r#"{"Version": "2013-10-17", "Statement": {}}"#, SYNTAX, "Version"),
            (r#"{"Version": 2012, "Statement": {}}"#, SYNTAX, "Version"),
            (r#"{"Id": {}, "Statement": {}}"#, SYNTAX, "Id"),
            (r#"{"Extra": 1, "Statement": {}}"#, SYNTAX, "Extra"),
            (r#"{"Statement": [], "Statement": []}"#, SYNTAX, "document"),
        ],
    );
}

#[test]
fn statements_of_identity_policies() {
    let action = r#""Action": "s3:GetObject""#;
    let resource = r#""Resource": "*""#;
    let cases: Vec<(String, &str, &str)> = [
        (format!("{action}, {resource}"), SYNTAX, ""),
        (format!(r#""Effect": "Permit", {action}, {resource}"#), SYNTAX, ".Effect"),
        (format!(r#""Effect": "allow", {action}, {resource}"#), LEGACY, ".Effect"),
        (format!(r#""Effect": true, {action}, {resource}"#), SYNTAX, ".Effect"),
        (format!(r#""Effect": "Allow", "Extra": 1, {action}, {resource}"#), SYNTAX, ".Extra"),
        (format!(r#""Effect": "Allow", "action": "*", {resource}"#), SYNTAX, ".action"),
        (format!(r#""Effect": "Allow", "Sid": [], {action}, {resource}"#), SYNTAX, ".Sid"),
        (
            format!(r#""Effect": "Allow", "Sid": "my sid", {action}, {resource}"#),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
            ".Sid",
        ),
        (
            format!(r#""Effect": "Allow", "Principal": "*", {action}, {resource}"#),
            "Policy document should not specify a principal.",
            ".Principal",
        ),
        (
            format!(r#""Effect": "Allow", "NotPrincipal": "*", {action}, {resource}"#),
            "Policy document should not specify a principal.",
            ".NotPrincipal",
        ),
        (format!(r#""Effect": "Allow", {resource}"#), "Policy statement must contain actions.", ""),
        (
            format!(r#""Effect": "Allow", "Action": [], {resource}"#),
            "Policy statement must contain actions.",
            ".Action",
        ),
        (format!(r#""Effect": "Allow", "NotAction": "*", {action}, {resource}"#), SYNTAX, ".NotAction"),
        (format!(r#""Effect": "Allow", "Action": {{}}, {resource}"#), SYNTAX, ".Action"),
        (format!(r#""Effect": "Allow", "Action": [[]], {resource}"#), SYNTAX, ".Action"),
        (format!(r#""Effect": "Allow", "Action": [null], {resource}"#), SYNTAX, ".Action"),
        (format!(r#""Effect": "Allow", "Action": "GetObject", {resource}"#), VENDOR, ".Action"),
        (format!(r#""Effect": "Allow", "NotAction": "", {resource}"#), VENDOR, ".NotAction"),
        (format!(r#""Effect": "Allow", "Action": "**", {resource}"#), VENDOR, ".Action"),
        (
            format!(r#""Effect": "Allow", "Action": "s3:Get:Object", {resource}"#),
            "Actions/Condition can contain only one colon.",
            ".Action",
        ),
        (
            format!(r#""Effect": "Allow", "Action": "a a:Get", {resource}"#),
            "Vendor a a is not valid",
            ".Action",
        ),
        (
            format!(r#""Effect": "Allow", "Action": "s3*:Get", {resource}"#),
            "Vendor s3* is not valid",
            ".Action",
        ),
        (format!(r#""Effect": "Allow", {action}"#), "Policy statement must contain resources.", ""),
        (
            format!(r#""Effect": "Allow", {action}, "Resource": []"#),
            "Policy statement must contain resources.",
            ".Resource",
        ),
        (
            format!(r#""Effect": "Allow", {action}, "Resource": [null]"#),
            "Policy statement must contain resources.",
            ".Resource",
        ),
        (format!(r#""Effect": "Allow", {action}, {resource}, "NotResource": "*""#), SYNTAX, ".NotResource"),
        (format!(r#""Effect": "Allow", {action}, "Resource": {{}}"#), SYNTAX, ".Resource"),
    ]
    .into_iter()
    .collect();
    for (elements, text, element) in cases {
        let document = statement(&elements);
        check(PolicyKind::Identity, &[(&document, text, &format!("Statement[0]{element}"))]);
    }
}

#[test]
fn resources_of_identity_policies() {
    for (resource, text) in [
        ("bucket", "Resource bucket must be in ARN format or \"*\"."),
        ("", "Resource  must be in ARN format or \"*\"."),
        ("b*", "Resource b* must be in ARN format or \"*\"."),
        ("arn:oops:s3:::b", "Partition \"oops\" is not valid for resource \"arn:oops:s3:::b\"."),
        ("a:b:c", "Partition \"b\" is not valid for resource \"arn:b:c:*:*:*\"."),
        ("arn:aws", "Resource vendor must be fully qualified and cannot contain regexes."),
        ("arn:aws:s*:::b", "Resource vendor must be fully qualified and cannot contain regexes."),
        ("arn:aws:s3::b", LEGACY),
        ("arn:aws::::b", LEGACY),
        (
            "arn:aws:iam:us-east-1::user/x",
            "IAM resource arn:aws:iam:us-east-1::user/x cannot contain region information.",
        ),
        ("arn:aws:s3:us-east-1::b", "Resource arn:aws:s3:us-east-1::b can not contain region information."),
    ] {
        let document = statement(&format!(
            r#""Effect": "Allow", "Action": "s3:GetObject", "Resource": ["*", "{resource}"]"#
        ));
        check(PolicyKind::Identity, &[(&document, text, "Statement[0].Resource")]);
    }
    let document =
        statement(r#""Effect": "Deny", "Action": "iam:*", "Resource": "arn:aws:iam::111122223333:root""#);
    let refused = Policy::parse(&document, PolicyKind::Identity).unwrap_err();
    assert!(refused.text().starts_with("IAM resource path must either be \"*\" or start with user/,"));
    for resource in [
        "arn:aws:s3",
        "arn:aws:s3:::b",
        "arn:*:s3:::b",
        "arn:aws:invalid-service:us-east-1::x",
        "arn:aws:iam::*:role/AgentCoreRole-*",
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws:iam::*:*",
        "arn:aws:s3:us-west-2:123456789012:accesspoint/my-access-point/object/*",
    ] {
        let document = statement(&format!(
            r#""Effect": "Allow", "Action": "s3:GetObject", "Resource": ["{resource}", null]"#
        ));
        assert!(Policy::parse(&document, PolicyKind::Identity).is_ok(), "{resource}");
    }
}

#[test]
fn conditions() {
    for (condition, text, place) in [
        ("[]", SYNTAX, ""),
        ("\"a\"", SYNTAX, ""),
        (r#"{"StringEquals": "b"}"#, SYNTAX, ".StringEquals"),
        (r#"{"StringEquals": []}"#, SYNTAX, ".StringEquals"),
        (r#"{"StringEquals": {"a:b": {}}}"#, SYNTAX, ".StringEquals.a:b"),
        (r#"{"StringEquals": {"a:b": null}}"#, SYNTAX, ".StringEquals.a:b"),
        (r#"{"StringEquals": {"a:b": [[]]}}"#, SYNTAX, ".StringEquals.a:b"),
        (r#"{"StringMatches": {"a:b": "c"}}"#, SYNTAX, ".StringMatches"),
        (r#"{"ForAnyValue::StringEquals": {"a:b": "c"}}"#, SYNTAX, ".ForAnyValue::StringEquals"),
        (r#"{"NullIfExists": {"a:b": "true"}}"#, SYNTAX, ".NullIfExists"),
        (r#"{"DateLessThan": {"a:b": "tomorrow"}}"#, LEGACY, ".DateLessThan.a:b"),
    ] {
        let document = statement(&format!(
            r#""Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {condition}"#
        ));
        check(PolicyKind::Identity, &[(&document, text, &format!("Statement[0].Condition{place}"))]);
    }
}

#[test]
fn duplicates() {
    let twice = statement(r#""Effect": "Allow", "Effect": "Deny", "Action": "*", "Resource": "*""#);
    let refused = Policy::parse(&twice, PolicyKind::Identity).unwrap_err();
    assert_eq!(refused.text(), SYNTAX);
    assert!(refused.hint().contains("`Effect` is there twice"), "{refused}");
    let key = statement(
        r#""Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"a:b": "1", "a:b": "2"}}"#,
    );
    assert!(Policy::parse(&key, PolicyKind::Identity).is_err());

    let sids = |kind: &str| {
        format!(
            r#"{{"Statement": [{{"Sid": "A", {kind}}}, {{"Sid": "", {kind}}}, {{"Sid": "", {kind}}}, {{"Sid": "A", {kind}}}]}}"#
        )
    };
    check(
        PolicyKind::Identity,
        &[(
            &sids(r#""Effect": "Allow", "Action": "*", "Resource": "*""#),
            "Statement IDs (SID) in a single policy must be unique.",
            "Statement[3].Sid",
        )],
    );
    check(
        PolicyKind::Trust,
        &[(
            &sids(r#""Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}"#),
            "The Statement Ids in the policy are not unique",
            "Statement[3].Sid",
        )],
    );
}

#[test]
fn trust_policies() {
    let by = r#""Principal": {"AWS": "111122223333"}"#;
    let assume = r#""Action": "sts:AssumeRole""#;
    for (elements, text, place) in [
        (format!("{by}, {assume}"), "Missing required field Effect", ""),
        (format!(r#""Effect": "Permit", {by}, {assume}"#), "Invalid effect: Permit", ".Effect"),
        (format!(r#""Effect": "Allow", {assume}"#), "Missing required field Principal", ""),
        (
            format!(r#""Effect": "Allow", "Principal": {{}}, {assume}"#),
            "Missing required field Principal cannot be empty!",
            ".Principal",
        ),
        (
            format!(r#""Effect": "Allow", "Principal": {{"AWS": []}}, {assume}"#),
            "Missing required field Principal cannot be empty!",
            ".Principal",
        ),
        (
            format!(r#""Effect": "Allow", "Principal": "*", {assume}"#),
            "Principal must be a JSON object.",
            ".Principal",
        ),
        (
            format!(r#""Effect": "Allow", "NotPrincipal": {{"AWS": "*"}}, {assume}"#),
            "Allow with NotPrincipal is not allowed.",
            ".NotPrincipal",
        ),
        (
            format!(r#""Effect": "Deny", "NotPrincipal": {{"AWS": "*"}}, {assume}"#),
            "AssumeRole policy must not contain NotPrincipal field.",
            ".NotPrincipal",
        ),
        (format!(r#""Effect": "Allow", {by}"#), "Missing required field Action", ""),
        (
            format!(r#""Effect": "Allow", {by}, "Action": "*""#),
            "AssumeRole policy may only specify STS AssumeRole actions.",
            ".Action",
        ),
        (
            format!(r#""Effect": "Allow", {by}, "Action": ["sts:AssumeRole", "s3:GetObject"]"#),
            "AssumeRole policy may only specify STS AssumeRole actions.",
            ".Action",
        ),
        (
            format!(r#""Effect": "Allow", {by}, "Action": "sts:AssumeRoles""#),
            "AssumeRole policy may only specify STS AssumeRole actions.",
            ".Action",
        ),
        (
            format!(r#""Effect": "Allow", {by}, {assume}, "Resource": "*""#),
            "Has prohibited field Resource",
            ".Resource",
        ),
        (
            format!(r#""Effect": "Allow", {by}, {assume}, "NotResource": "*""#),
            "AssumeRole policy must not contain resources.",
            ".NotResource",
        ),
        (
            format!(r#""Effect": "Allow", {by}, {assume}, "Condition": {{"Oops": {{}}}}"#),
            "Syntax error in policy.",
            ".Condition.Oops",
        ),
    ] {
        check(PolicyKind::Trust, &[(&statement(&elements), text, &format!("Statement[0]{place}"))]);
    }
    for actions in [r#"["sts:TagSession", "STS:assumerole"]"#, r#""sts:Assume*""#, r#""sts:*""#] {
        let document = statement(&format!(r#""Effect": "Allow", {by}, "Action": {actions}"#));
        assert!(Policy::parse(&document, PolicyKind::Trust).is_ok(), "{actions}");
    }
    check(
        PolicyKind::Trust,
        &[
            ("{", "This policy contains invalid Json", "document"),
            (
                r#"{"Version": "1", "Statement": []}"#,
                "The policy must contain a valid version string",
                "Version",
            ),
            (r#"{"Statement": []}"#, "Could not parse the policy: Statement is empty!", "Statement"),
        ],
    );
}

#[test]
fn principals() {
    for (principal, named) in [
        (r#"{"aws": "111122223333"}"#, r#""aws""#),
        (r#"{"AWS": "11112222333"}"#, r#""AWS":"11112222333""#),
        (r#"{"AWS": "eve"}"#, r#""AWS":"eve""#),
        (r#"{"AWS": "arn:aws:iam::111122223333:user/*"}"#, r#""AWS":"arn:aws:iam::111122223333:user/*""#),
        (r#"{"AWS": "arn:aws:iam::111122223333:group/g"}"#, r#""AWS":"arn:aws:iam::111122223333:group/g""#),
        (
            r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/R"}"#,
            r#""AWS":"arn:aws:sts::111122223333:assumed-role/R""#,
        ),
        (
            r#"{"AWS": "arn:aws:iam::<gateway-account>:role/R"}"#,
            r#""AWS":"arn:aws:iam::<gateway-account>:role/R""#,
        ),
        (r#"{"Service": "*"}"#, r#""Service":"*""#),
        (r#"{"Service": "lambda"}"#, r#""Service":"lambda""#),
        (r#"{"Federated": "*"}"#, r#""Federated":"*""#),
    ] {
        let document =
            statement(&format!(r#""Effect": "Allow", "Principal": {principal}, "Action": "sts:AssumeRole""#));
        let refused = Policy::parse(&document, PolicyKind::Trust).unwrap_err();
        assert_eq!(refused.text(), format!("Invalid principal in policy: {named}"), "{principal}");
        assert!(refused.place().starts_with("Statement[0].Principal."), "{principal}");
    }
}

#[test]
fn resource_policies() {
    for (elements, text, place) in [
        (
            r#""Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*""#,
            "Missing required field Principal",
            "",
        ),
        (
            r#""Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction""#,
            "Missing required field Resource",
            "",
        ),
        (
            r#""Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda""#,
            "Resource arn:aws:lambda must be in ARN format or \"*\".",
            ".Resource",
        ),
        (
            r#""Effect": "Allow", "Principal": "eve", "Action": "lambda:InvokeFunction", "Resource": "*""#,
            "Syntax error in policy.",
            ".Principal",
        ),
        (
            r#""Effect": "Deny", "NotPrincipal": {"AWS": []}, "Action": "lambda:InvokeFunction", "Resource": "*""#,
            "Missing required field Principal cannot be empty!",
            ".NotPrincipal",
        ),
    ] {
        check(PolicyKind::Resource, &[(&statement(elements), text, &format!("Statement[0]{place}"))]);
    }
}

#[test]
fn what_is_unusual_but_fine() {
    for document in [
        r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#,
        r#"{"Version": "2008-10-17", "Id": "x y", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#,
        r#"{"Statement": {"Effect": "Deny", "NotAction": "a-b.c:d e f", "NotResource": "*", "Condition": {}}}"#,
        r#"{"Statement": {"Effect": "Allow", "Action": "s3:", "Resource": "*", "Condition": {"DateLessThan": {"a": []}}}}"#,
        r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Oops": {}, "StringEquals": {}}}}"#,
        r#"{"Statement": {"Effect": "Allow", "Action": "*:Get*", "Resource": "*", "Condition": {"Bool": {"a:b": [true, "FALSE"]}}}}"#,
    ] {
        if let Err(error) = Policy::parse(document, PolicyKind::Identity) {
            panic!("{error}: {document}");
        }
    }
}

#[test]
fn managed_policies_must_be_current() {
    let old = Policy::parse(
        r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#,
        PolicyKind::Identity,
    )
    .unwrap();
    assert_eq!(old.version(), Version::V2008);
    assert_eq!(
        old.require_current_version().unwrap_err().text(),
        "Policy document must be version 2012-10-17 or greater."
    );
    assert!(identity(ALLOW_ALL).policy.require_current_version().is_ok());
}

#[test]
fn the_whole_message() {
    let refused = Policy::parse(
        r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Allow", "Action": "*"}]}"#,
        PolicyKind::Identity,
    )
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Policy statement must contain resources. (Statement[1]: add Resource: \"*\", or the ARN of what the \
         statement is about)"
    );
}
