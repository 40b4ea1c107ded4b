//! restJson1: members stand in the path, the query, headers and the body.

use serde_json::json;
use smithy::Api;

use super::{answer, api, member, output, request, try_request};

fn model() -> Api {
    let part = |target: &str| json!({"target": target});
    let http =
        |method: &str, uri: &str| json!({"smithy.api#http": {"method": method, "uri": uri, "code": 200}});
    let call = |name: &str, method: &str, uri: &str| json!({"type": "operation", "input": part(&format!("{name}IO")), "output": part(&format!("{name}IO")), "traits": http(method, uri), "errors": [part("Greeting")]});
    let mut checked = call("Body", "POST", "/checked");
    checked["traits"]["smithy.api#httpChecksumRequired"] = json!({});
    let header = |target: &str, name: &str| member(target, &[("httpHeader", json!(name))]);
    let query = |target: &str, name: &str| member(target, &[("httpQuery", json!(name))]);
    let required = ("required", json!({}));
    let label = |target: &str| member(target, &[("httpLabel", json!({})), required.clone()]);
    let payload = |target: &str| member(target, &[("httpPayload", json!({}))]);
    let list = |target: &str| json!({"type": "list", "member": part(target)});
    api(
        json!({"aws.protocols#restJson1": {}}),
        json!({
            "Labels": call("Labels", "GET", "/l/{s}/{n}/{t}/{b}?fixed=1&flag"),
            "LabelsIO": {"type": "structure", "members": {"s": label("String"), "n": label("Integer"), "t": label("Timestamp"), "b": label("Boolean")}},
            "Greedy": call("Greedy", "GET", "/g/{one}/x/{rest+}"),
            "GreedyIO": {"type": "structure", "members": {"one": label("String"), "rest": label("String")}},
            "Query": call("Query", "GET", "/q?fixed=1"),
            "QueryIO": {"type": "structure", "members": {
                "text": query("String", "Te xt"), "number": query("Double", "n"), "flag": query("Boolean", "b"),
                "when": query("Timestamp", "t"), "epoch": member("Timestamp", &[("httpQuery", json!("e")), ("timestampFormat", json!("epoch-seconds"))]),
                "texts": query("Texts", "l"), "rest": member("Params", &[("httpQueryParams", json!({}))])}},
            "Headers": call("Headers", "POST", "/h"),
            "HeadersIO": {"type": "structure", "members": {
                "text": header("String", "X-Text"), "texts": header("Texts", "X-Texts"), "numbers": header("Numbers", "X-Numbers"),
                "flags": header("Flags", "X-Flags"), "moments": header("Moments", "X-Moments"), "when": header("Timestamp", "X-When"),
                "epoch": member("Timestamp", &[("httpHeader", json!("X-Epoch")), ("timestampFormat", json!("epoch-seconds"))]),
                "media": header("Json", "X-Json"), "real": header("Float", "X-Real"),
                "meta": member("Meta", &[("httpPrefixHeaders", json!("X-Meta-"))])}},
            "Anything": call("Anything", "GET", "/a"),
            "AnythingIO": {"type": "structure", "members": {"hello": header("String", "hello"), "all": member("Meta", &[("httpPrefixHeaders", json!(""))])}},
            "Body": call("Body", "POST", "/b"),
            "Checked": checked,
            "BodyIO": {"type": "structure", "members": {
                "named": member("String", &[("jsonName", json!("Other"))]), "when": part("Timestamp"), "nested": part("Nested"), "text": header("String", "X-Text")}},
            "Nested": {"type": "structure", "members": {"ignored": header("String", "X-Not"), "again": part("Nested")}},
            "Bytes": call("Bytes", "POST", "/p"),
            "BytesIO": {"type": "structure", "members": {"data": payload("Blob"), "kind": header("String", "Content-Type")}},
            "Picture": call("Picture", "POST", "/p"),
            "PictureIO": {"type": "structure", "members": {"data": payload("Png")}},
            "Text": call("Text", "POST", "/p"),
            "TextIO": {"type": "structure", "members": {"data": payload("String")}},
            "Whole": call("Whole", "PUT", "/p"),
            "WholeIO": {"type": "structure", "members": {"data": payload("Nested")}},
            "Free": call("Free", "PUT", "/p"),
            "FreeIO": {"type": "structure", "members": {"data": payload("Document"), "code": member("Integer", &[("httpResponseCode", json!({}))])}},
            "Empty": {"type": "operation", "traits": http("DELETE", "/")},
            "Texts": list("String"), "Numbers": list("Integer"), "Flags": list("Boolean"), "Moments": list("Timestamp"),
            "Params": {"type": "map", "key": part("String"), "value": part("Texts")},
            "Meta": {"type": "map", "key": part("String"), "value": part("String")},
            "Json": {"type": "string", "traits": {"smithy.api#mediaType": "application/json"}},
            "Png": {"type": "blob", "traits": {"smithy.api#mediaType": "image/png", "smithy.api#streaming": {}}},
            "Greeting": {"type": "structure", "members": {"message": part("String"), "header": header("String", "X-Header"), "detail": member("String", &[("jsonName", json!("Detail"))])},
                "traits": {"smithy.api#error": "client", "smithy.api#httpError": 403}},
        }),
    )
}

#[test]
fn members_stand_where_the_model_binds_them() {
    let api = model();
    let json = "accept: application/json";
    for (name, arguments, expected) in [
        ("Empty", json!({}), format!("DELETE /\n{json}\n\n")),
        (
            "Labels",
            json!({"s": "a b/ü%\u{20}?#&", "n": -1, "t": "2019-12-16T23:48:18Z", "b": true}),
            format!(
                "GET /l/a%20b%2F%C3%BC%25%20%3F%23%26/-1/2019-12-16T23%3A48%3A18Z/true?fixed=1&flag=\n{json}\n\n"
            ),
        ),
        (
            "Greedy",
            json!({"one": "a/b", "rest": "c/d e//f"}),
            format!("GET /g/a%2Fb/x/c/d%20e//f\n{json}\n\n"),
        ),
        ("Query", json!({}), format!("GET /q?fixed=1\n{json}\n\n")),
        (
            "Query",
            json!({"text": "a&b=c", "number": 1.5, "flag": false, "when": 1_576_540_098, "epoch": 1_576_540_098, "texts": ["x", "", "y+"]}),
            format!(
                "GET /q?fixed=1&e=1576540098&b=false&n=1.5&Te%20xt=a%26b%3Dc&l=x&l=&l=y%2B&t=2019-12-16T23%3A48%3A18Z\n{json}\n\n"
            ),
        ),
        // What is bound by name, or fixed, comes before free parameters.
        (
            "Query",
            json!({"number": 1, "rest": {"n": ["2"], "fixed": ["3"], "q&": ["v&", "w"]}}),
            format!("GET /q?fixed=1&n=1&q%26=v%26&q%26=w\n{json}\n\n"),
        ),
        (
            "Headers",
            json!({"text": "Hello", "texts": ["b,c", "\"def\"", "a"], "numbers": [1, 2, 3], "flags": [true, false],
            "moments": [1_576_540_098, 1_576_540_098], "when": 1_576_540_098, "epoch": 1_576_540_098, "media": "true", "real": "NaN",
            "meta": {"Abc": "Abc value", "def": ""}}),
            format!(
                "POST /h\n{json}\nx-epoch: 1576540098\nx-flags: true, false\nx-json: dHJ1ZQ==\nx-meta-abc: Abc value\nx-meta-def: \
                  \nx-moments: Mon, 16 Dec 2019 23:48:18 GMT, Mon, 16 Dec 2019 23:48:18 GMT\nx-numbers: 1, 2, 3\nx-real: NaN\nx-text: Hello\
                  \nx-texts: \"b,c\", \"\\\"def\\\"\", a\nx-when: Mon, 16 Dec 2019 23:48:18 GMT\n\n"
            ),
        ),
        (
            "Anything",
            json!({"hello": "There", "all": {"x-foo": "Foo", "hello": "Hello"}}),
            format!("GET /a\n{json}\nhello: There\nx-foo: Foo\n\n"),
        ),
        ("Body", json!({}), format!("POST /b\n{json}\ncontent-type: application/json\n\n{{}}")),
        (
            "Body",
            json!({"text": "t", "named": "n", "when": 1.5, "nested": {"ignored": "i", "again": {}}}),
            format!(
                "POST /b\n{json}\ncontent-type: application/json\nx-text: t\n\n{{\"Other\":\"n\",\"nested\":{{\"again\":{{}},\"ignored\":\"i\"}},\"when\":1.5}}"
            ),
        ),
        (
            "Checked",
            json!({}),
            format!(
                "POST /checked\n{json}\ncontent-md5: mZFLkyvTelC5g8XnyQrpOw==\ncontent-type: application/json\n\n{{}}"
            ),
        ),
        (
            "Bytes",
            json!({"data": "YmxvYg=="}),
            "POST /p\ncontent-type: application/octet-stream\n\nblob".to_owned(),
        ),
        (
            "Bytes",
            json!({"data": "YmxvYg==", "kind": "text/x"}),
            "POST /p\ncontent-type: text/x\n\nblob".to_owned(),
        ),
        ("Bytes", json!({}), "POST /p\n\n".to_owned()),
        ("Picture", json!({"data": ""}), "POST /p\ncontent-type: image/png\n\n".to_owned()),
        ("Text", json!({"data": "plain"}), "POST /p\ncontent-type: text/plain\n\nplain".to_owned()),
        (
            "Whole",
            json!({"data": {"again": {}}}),
            format!("PUT /p\n{json}\ncontent-type: application/json\n\n{{\"again\":{{}}}}"),
        ),
        ("Whole", json!({}), format!("PUT /p\n{json}\ncontent-type: application/json\n\n{{}}")),
        (
            "Free",
            json!({"data": [1, "two"]}),
            format!("PUT /p\n{json}\ncontent-type: application/json\n\n[1,\"two\"]"),
        ),
    ] {
        assert_eq!(request(&api, name, arguments), expected);
    }
}

#[test]
fn no_argument_leaves_its_place() {
    let api = model();
    for (name, arguments, fault) in [
        ("Labels", json!({"n": 1, "t": 0, "b": true}), "`s` is required"),
        (
            "Labels",
            json!({"s": "", "n": 1, "t": 0, "b": true}),
            "`s` must not be empty: it is a part of the path",
        ),
        (
            "Labels",
            json!({"s": "..", "n": 1, "t": 0, "b": true}),
            "`s` must not hold `.` or `..` as a part of the path",
        ),
        (
            "Greedy",
            json!({"one": "a", "rest": "b/../../c"}),
            "`rest` must not hold `.` or `..` as a part of the path",
        ),
        (
            "Query",
            json!({"rest": {"X-Amz-Signature": ["x"]}}),
            "`rest.X-Amz-Signature` is a parameter that no argument may set",
        ),
        ("Query", json!({"texts": "x"}), "`texts` must be an array"),
        ("Headers", json!({"text": "a\r\nX-Evil: 1"}), "`text` holds characters that no header may hold"),
        ("Headers", json!({"texts": ["a", "b\n"]}), "`texts` holds characters that no header may hold"),
        ("Headers", json!({"meta": {"a": "b\r\nc"}}), "`meta` holds characters that no header may hold"),
        ("Headers", json!({"meta": {"a: b": "c"}}), "`meta.a: b` makes no header's name"),
        (
            "Anything",
            json!({"all": {"Authorization": "x"}}),
            "`all.Authorization` would set the header `authorization`, which no argument may set",
        ),
        (
            "Anything",
            json!({"all": {"HOST": "evil.example"}}),
            "`all.HOST` would set the header `host`, which no argument may set",
        ),
        (
            "Anything",
            json!({"all": {"x-amz-security-token": "x"}}),
            "`all.x-amz-security-token` would set the header `x-amz-security-token`, which no argument may set",
        ),
        ("Bytes", json!({"data": "\u{1}"}), "`data` must be base64"),
    ] {
        assert_eq!(try_request(&api, name, arguments), Err(format!("the argument {fault}")));
    }
}

#[test]
fn answers_come_from_headers_status_and_body() {
    let api = model();
    assert_eq!(
        output(
            &api,
            "Headers",
            &[
                ("X-Text", "Hello"),
                ("X-Texts", "\"b,c\", \"\\\"def\\\"\", a"),
                ("X-Numbers", "1, 2, 3"),
                ("X-Flags", "true, false"),
                ("X-Moments", "Mon, 16 Dec 2019 23:48:18 GMT, Mon, 16 Dec 2019 23:48:18 GMT"),
                ("X-When", "Mon, 16 Dec 2019 23:48:18 GMT"),
                ("X-Epoch", "1576540098"),
                ("X-Json", "dHJ1ZQ=="),
                ("X-Real", "NaN"),
                ("X-Meta-abc", "Abc value"),
                ("Other", "x"),
            ],
            ""
        ),
        json!({"text": "Hello", "texts": ["b,c", "\"def\"", "a"], "numbers": [1, 2, 3], "flags": [true, false],
            "moments": ["2019-12-16T23:48:18Z", "2019-12-16T23:48:18Z"], "when": "2019-12-16T23:48:18Z", "epoch": "2019-12-16T23:48:18Z",
            "media": "true", "real": "NaN", "meta": {"abc": "Abc value"}})
    );
    assert_eq!(
        output(&api, "Headers", &[("X-Texts", "a"), ("X-Texts", "b")], ""),
        json!({"texts": ["a", "b"]})
    );
    assert_eq!(
        output(
            &api,
            "Body",
            &[("X-Text", "t")],
            r#"{"Other":"n","named":"x","when":0,"nested":{"again":{}},"text":"body"}"#
        ),
        json!({"text": "t", "named": "n", "when": "1970-01-01T00:00:00Z", "nested": {"again": {}}})
    );
    assert_eq!(output(&api, "Bytes", &[], "blob"), json!({"data": "YmxvYg=="}));
    assert_eq!(output(&api, "Text", &[], "plain"), json!({"data": "plain"}));
    assert_eq!(output(&api, "Whole", &[], ""), json!({}));
    let created = answer(&api, "Free", 201, &[], "[1,\"two\"]");
    assert_eq!(created, (false, json!({"data": [1, "two"], "code": 201})));
    assert_eq!(
        output(&api, "Anything", &[("X-Foo", "Foo"), ("hello", "There"), ("set-cookie", "s=1")], ""),
        json!({"hello": "There", "all": {"x-foo": "Foo", "hello": "There"}})
    );
}

#[test]
fn errors_have_their_headers_too() {
    let api = model();
    for (headers, body) in [
        (
            &[("X-Amzn-Errortype", "t#Greeting:http://h/"), ("X-Header", "h")][..],
            r#"{"message":"hi","Detail":"d"}"#,
        ),
        (&[("X-Header", "h")], r#"{"__type":"t#Greeting","message":"hi","Detail":"d"}"#),
        (&[("X-Header", "h")], r#"{"code":"Greeting","message":"hi","Detail":"d"}"#),
    ] {
        assert_eq!(
            answer(&api, "Body", 403, headers, body),
            (true, json!({"code": "Greeting", "message": "hi", "status": 403, "header": "h", "detail": "d"}))
        );
    }
    assert_eq!(
        answer(&api, "Body", 307, &[("location", "https://elsewhere.example/")], ""),
        (true, json!({"code": "Temporary Redirect", "message": "", "status": 307}))
    );
}
