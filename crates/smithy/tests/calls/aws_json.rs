//! awsJson1_0 and awsJson1_1: one path, the operation in a header, everything in the body.

use serde_json::{Value, json};
use smithy::{Api, Endpoint};

use super::{answer, api, call, member, operation, output, request, try_request};

fn model(protocol: &str) -> Api {
    let part = |target: &str| json!({"target": target});
    api(
        json!({protocol: {}, "aws.auth#sigv4": {"name": "things"}, "aws.api#service": {"endpointPrefix": "thing"}}),
        json!({
            "Put": {"type": "operation", "input": part("PutInput"), "output": part("PutInput"), "errors": [part("Lost")]},
            "Nothing": {"type": "operation", "input": part("Unit"), "output": part("Unit")},
            "Prefixed": {"type": "operation", "input": part("PrefixedInput"), "traits":
                {"smithy.api#endpoint": {"hostPrefix": "{Account}.data-"}}},
            "PutInput": {"type": "structure", "members": {
                "Text": member("String", &[("jsonName", json!("ignored"))]),
                "Flag": part("Boolean"), "Small": part("Byte"), "Whole": part("Long"), "Real": part("Double"),
                "Bytes": part("Blob"), "When": part("Timestamp"),
                "Iso": member("Timestamp", &[("timestampFormat", json!("date-time"))]),
                "Web": member("Timestamp", &[("timestampFormat", json!("http-date"))]),
                "Free": part("Document"), "Kind": part("Kind"), "Level": part("Level"),
                "List": part("Texts"), "Map": part("Trees"), "Tree": part("Tree"), "Choice": part("Choice"),
                "Token": member("String", &[("idempotencyToken", json!({})), ("required", json!({}))]),
            }},
            "PrefixedInput": {"type": "structure", "members": {
                "Account": member("String", &[("hostLabel", json!({})), ("required", json!({}))])}},
            "Kind": {"type": "enum", "members": {"A": member("Unit", &[("enumValue", json!("a"))])}},
            "Level": {"type": "intEnum", "members": {"LOW": member("Unit", &[("enumValue", json!(1))])}},
            "Texts": {"type": "list", "member": part("String")},
            "Trees": {"type": "map", "key": part("String"), "value": part("Tree")},
            "Tree": {"type": "structure", "members": {"Name": member("String", &[("required", json!({}))]), "Below": part("Trees")}},
            "Choice": {"type": "union", "members": {"One": part("String"), "Two": part("Integer")}},
            "Lost": {"type": "structure", "members": {"message": part("String"), "Where": part("String")}, "traits": {"smithy.api#error": "client"}},
        }),
    )
}

#[test]
fn the_operation_stands_in_a_header() {
    for (protocol, version) in [("aws.protocols#awsJson1_0", "1.0"), ("aws.protocols#awsJson1_1", "1.1")] {
        let api = model(protocol);
        assert_eq!(
            request(&api, "Nothing", json!({})),
            format!(
                "POST /\ncontent-type: application/x-amz-json-{version}\nx-amz-target: Service.Nothing\n\n{{}}"
            )
        );
    }
}

#[test]
fn values_are_written_by_their_shapes() {
    let api = model("aws.protocols#awsJson1_0");
    let body = |arguments: Value| -> Value {
        let request = request(&api, "Put", arguments);
        serde_json::from_str(request.split_once("\n\n").unwrap().1).unwrap()
    };
    for (arguments, expected) in [
        (json!({"Token": "mine"}), json!({"Token": "mine"})),
        (json!({"Text": "é\n\"", "Flag": true}), json!({"Text": "é\n\"", "Flag": true, "Token": "token-1"})),
        (
            json!({"Small": -128, "Whole": i64::MIN, "Real": 1.5}),
            json!({"Small": -128, "Whole": i64::MIN, "Real": 1.5, "Token": "token-1"}),
        ),
        (
            json!({"Small": 5.0, "Real": "-Infinity"}),
            json!({"Small": 5, "Real": "-Infinity", "Token": "token-1"}),
        ),
        (
            json!({"When": "2014-04-29T18:30:38Z", "Iso": 1_398_796_238, "Web": "2014-04-29T20:30:38+02:00"}),
            json!({"When": 1_398_796_238, "Iso": "2014-04-29T18:30:38Z", "Web": "Tue, 29 Apr 2014 18:30:38 GMT", "Token": "token-1"}),
        ),
        (json!({"Bytes": "AP8="}), json!({"Bytes": "AP8=", "Token": "token-1"})),
        (
            json!({"Free": {"a": [1, null, {"b": "c"}]}}),
            json!({"Free": {"a": [1, null, {"b": "c"}]}, "Token": "token-1"}),
        ),
        (
            json!({"List": ["a", null], "Kind": "new", "Level": 2}),
            json!({"List": ["a", null], "Kind": "new", "Level": 2, "Token": "token-1"}),
        ),
        (
            json!({"Tree": {"Name": "r", "Below": {"x": {"Name": "c", "Below": null}}}, "Choice": {"Two": 2, "One": null}}),
            json!({"Tree": {"Name": "r", "Below": {"x": {"Name": "c"}}}, "Choice": {"Two": 2}, "Token": "token-1"}),
        ),
    ] {
        assert_eq!(body(arguments), expected);
    }
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let api = model("aws.protocols#awsJson1_1");
    let deep = (0..80).fold(json!({"Name": "x"}), |below, _| json!({"Name": "x", "Below": {"k": below}}));
    for (arguments, fault) in [
        (json!({"Txt": "x"}), "the argument `Txt` is not one of the operation's"),
        (json!({"Text": 1}), "the argument `Text` must be a string"),
        (json!({"Flag": "true"}), "the argument `Flag` must be true or false"),
        (json!({"Small": 128}), "the argument `Small` must be from -128 to 127"),
        (json!({"Whole": 1.5}), "the argument `Whole` must be an integer"),
        (json!({"Whole": 1e300}), "the argument `Whole` must be an integer"),
        (json!({"Real": "1"}), "the argument `Real` must be a number"),
        (json!({"Bytes": "not base64!"}), "the argument `Bytes` must be base64"),
        (
            json!({"When": "now"}),
            "the argument `When` must be a moment as RFC 3339 has it, such as `2026-01-31T12:00:00Z`",
        ),
        (json!({"List": {}}), "the argument `List` must be an array"),
        (json!({"List": ["a", 1]}), "the argument `List[1]` must be a string"),
        (json!({"Map": {"k": {"Below": {}}}}), "the argument `Map.k.Name` is required"),
        (
            json!({"Tree": {"Name": "x", "Other": 1}}),
            "the argument `Tree.Other` is not a member that the model has",
        ),
        (json!({"Choice": {"One": "a", "Two": 2}}), "the argument `Choice` must have exactly one member"),
        (json!({"Choice": {}}), "the argument `Choice` must have exactly one member"),
    ] {
        assert_eq!(try_request(&api, "Put", arguments), Err(fault.to_owned()));
    }
    let fault = try_request(&api, "Put", json!({"Tree": deep})).unwrap_err();
    assert!(fault.ends_with("nests deeper than 64 levels"), "{fault}");
}

#[test]
fn the_host_takes_one_label_and_no_more() {
    let api = model("aws.protocols#awsJson1_0");
    let of = |endpoint: &Endpoint, account: &str| {
        call(operation(&api, "Prefixed"), json!({"Account": account}), endpoint)
    };
    let regional = api.endpoint("eu-west-1", None).unwrap();
    let sent = of(&regional, "a1-b").unwrap();
    assert!(sent.starts_with("POST https://a1-b.data-thing.eu-west-1.amazonaws.com/\n"), "{sent}");
    assert!(sent.ends_with("\n\n{\"Account\":\"a1-b\"}"), "{sent}");
    let own = api.endpoint("eu-west-1", Some("http://127.0.0.1:9/x/")).unwrap();
    assert!(of(&own, "a1").unwrap().starts_with("POST http://127.0.0.1:9/x/\n"));
    for evil in ["", "evil.example/", "a.b", "a@b", "a:1", "-a", "é", &"a".repeat(64)] {
        let fault = of(&regional, evil).unwrap_err();
        assert!(fault.starts_with("the argument `Account` must be letters, digits and hyphens"), "{fault}");
    }
}

#[test]
fn answers_are_read_by_their_shapes() {
    let api = model("aws.protocols#awsJson1_1");
    assert_eq!(
        output(
            &api,
            "Put",
            &[],
            r#"{"Text":"x","When":1398796238.5,"Iso":"2014-04-29T18:30:38Z","Web":"Tue, 29 Apr 2014 18:30:38 GMT",
            "Small":null,"Unknown":1,"Choice":{"__type":"x","One":"a"},"Map":{"k":{"Name":"n"}},"Free":{"a":[null]},"Real":"NaN"}"#
        ),
        json!({"Text": "x", "When": "2014-04-29T18:30:38.5Z", "Iso": "2014-04-29T18:30:38Z", "Web": "2014-04-29T18:30:38Z",
            "Choice": {"One": "a"}, "Map": {"k": {"Name": "n"}}, "Free": {"a": [null]}, "Real": "NaN"})
    );
    assert_eq!(output(&api, "Put", &[], ""), json!({}));
    assert_eq!(output(&api, "Nothing", &[], "whatever"), json!({}));
    for (body, why) in [("<x/>", "its body is not JSON"), ("[]", "its body is not a JSON object")] {
        let (is_error, content) = answer(&api, "Put", 200, &[], body);
        assert!(is_error);
        assert_eq!(content["message"], format!("the service's answer cannot be read: {why}"));
    }
}

#[test]
fn errors_have_their_code_message_and_members() {
    let api = model("aws.protocols#awsJson1_0");
    let lost = json!({"code": "Lost", "message": "gone", "status": 400, "Where": "there"});
    for (headers, body) in [
        (&[][..], r#"{"__type":"t#Lost","message":"gone","Where":"there","Secret":"x"}"#),
        (&[], r#"{"__type":"t#Lost:http://h/","Message":"gone","Where":"there"}"#),
        (&[], r#"{"code":"Lost","errorMessage":"gone","Where":"there"}"#),
        (&[("x-amzn-errortype", "Lost:http://h/")], r#"{"message":"gone","Where":"there"}"#),
    ] {
        assert_eq!(answer(&api, "Put", 400, headers, body), (true, lost.clone()), "{body}");
    }
    let (_, renamed) = answer(
        &api,
        "Put",
        400,
        &[("x-amzn-query-error", "Old.Lost;Sender")],
        r#"{"__type":"Lost","message":"m"}"#,
    );
    assert_eq!(renamed["code"], "Old.Lost");
    assert_eq!(
        answer(&api, "Put", 503, &[], "<html>busy</html>"),
        (true, json!({"code": "Service Unavailable", "message": "<html>busy</html>", "status": 503}))
    );
    assert_eq!(
        answer(&api, "Put", 500, &[], r#"{"__type":"Unheard","message":"m","Where":"there"}"#),
        (true, json!({"code": "Unheard", "message": "m", "status": 500}))
    );
}
