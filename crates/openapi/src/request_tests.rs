//! Arguments as requests, and arguments that try to be more than that.

use serde_json::json;

use super::*;
use crate::{Options, import};

fn operation(method: &str, path: &str, operation: &Value) -> Operation {
    let mut operation = operation.clone();
    operation["operationId"] = json!("call");
    let document = json!({"openapi": "3.1.0", "servers": [{"url": "https://api.example:8443/base"}], "paths": {path: {method: operation}}});
    import(&document.to_string(), &Options::default()).unwrap().operations.remove(0)
}

fn parameters(list: &Value) -> Operation {
    operation("get", "/p/{id}/x", &json!({"parameters": list}))
}

fn call(operation: &Operation, arguments: &Value) -> Result<Request<Bytes>, ArgumentFault> {
    operation.request(arguments.as_object().unwrap())
}

fn body(media_type: &str, media: &Value, arguments: &Value) -> (String, String) {
    let operation =
        operation("post", "/p", &json!({"requestBody": {"required": true, "content": {media_type: media}}}));
    let request = call(&operation, arguments).unwrap();
    let content_type = request.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    (content_type, String::from_utf8(request.into_body().to_vec()).unwrap())
}

#[test]
fn every_place_of_a_parameter() {
    let operation = parameters(&json!([
        {"name": "id", "in": "path", "required": true},
        {"name": "q", "in": "query", "schema": {"type": "array"}},
        {"name": "f", "in": "query", "style": "deepObject", "explode": true},
        {"name": "j", "in": "query", "content": {"application/json": {}}},
        {"name": "X-List", "in": "header", "schema": {"type": "array"}},
        {"name": "X-Json", "in": "header", "content": {"application/json": {}}},
        {"name": "c", "in": "cookie"}, {"name": "d", "in": "cookie"},
    ]));
    let request = call(&operation, &json!({"id": "a/b c", "q": [1, "x&y"], "f": {"k": "v"}, "j": {"a": 1}, "X-List": ["a", 2], "X-Json": {"b": 1}, "c": "v;w", "d": ["1", "2"]})).unwrap();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(
        request.uri(),
        "https://api.example:8443/base/p/a%2Fb%20c/x?q=1&q=x%26y&f%5Bk%5D=v&j=%7B%22a%22%3A1%7D"
    );
    assert_eq!(request.headers()["x-list"], "a,2");
    assert_eq!(request.headers()["x-json"], "{\"b\":1}");
    assert_eq!(request.headers()[COOKIE], "c=v%3Bw; d=1; d=2");
    assert_eq!(request.headers()[ACCEPT], "application/json, */*;q=0.8");
    assert!(request.body().is_empty());
    let least = call(&operation, &json!({"id": 7, "q": null})).unwrap();
    assert_eq!(least.uri(), "https://api.example:8443/base/p/7/x");
}

#[test]
fn arguments_that_fit_nowhere_are_refused_by_name() {
    let operation =
        parameters(&json!([{"name": "id", "in": "path", "required": true}, {"name": "X-A", "in": "header"}]));
    for (arguments, why) in [
        (json!({}), "the argument `id` is required"),
        (json!({"id": null}), "the argument `id` is required"),
        (json!({"id": ""}), "the argument `id` is empty"),
        (json!({"id": []}), "the argument `id` is empty"),
        (json!({"id": ".."}), "the argument `id` holds `.` or `..`"),
        (json!({"id": "%2e%2E"}), "the argument `id` holds"),
        (json!({"id": "a/../b"}), "the argument `id` holds"),
        (json!({"id": "..\\b"}), "the argument `id` holds"),
        (json!({"id": "x", "other": 1}), "the argument `other` is none of this tool's"),
        (json!({"id": "x", "X-A": "a\r\nX-B: c"}), "the argument `X-A` holds a character"),
        (json!({"id": "x", "X-A": "é"}), "the argument `X-A` holds a character"),
        (json!({"id": "x", "X-A": "a".repeat(20_000)}), "the argument `X-A` is too long"),
        (json!({"id": "x".repeat(40_000)}), "longer than 32 KB"),
    ] {
        let fault = call(&operation, &arguments).unwrap_err().to_string();
        assert!(fault.contains(why), "{arguments}: {fault}");
        assert!(!fault.contains("X-B"), "a fault repeats no values");
    }
}

#[test]
fn segments_of_several_parameters_make_no_dots() {
    let operation = operation("get", "/{a}{b}/.{c}", &json!({}));
    assert!(call(&operation, &json!({"a": "x", "b": "y", "c": "z"})).is_ok());
    assert!(call(&operation, &json!({"a": ".x", "b": "y", "c": "."})).is_err());
}

#[test]
fn bodies_by_media_type() {
    let object = json!({"schema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "array"}, "c": {"type": "object"}}},
        "encoding": {"c": {"style": "deepObject", "explode": true}, "b": {"style": "form", "explode": false}}});
    let arguments = json!({"a": "x y&", "b": [1, 2], "c": {"k": "v"}});
    assert_eq!(
        body("application/json", &object, &arguments),
        ("application/json".to_owned(), arguments.to_string())
    );
    assert_eq!(
        body("application/x-www-form-urlencoded", &object, &arguments),
        ("application/x-www-form-urlencoded".to_owned(), "a=x%20y%26&b=1,2&c%5Bk%5D=v".to_owned())
    );
    let (content_type, sent) = body("multipart/form-data", &object, &arguments);
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(sent.starts_with(&format!("--{boundary}\r\n")) && sent.ends_with(&format!("--{boundary}--\r\n")));
    assert!(sent.contains("name=\"c\"\r\nContent-Type: application/json\r\n\r\n{\"k\":\"v\"}\r\n"), "{sent}");
    let file = json!({"schema": {"properties": {"f": {"type": "string", "contentMediaType": "application/octet-stream"}}}});
    let (_, sent) = body("multipart/form-data", &file, &json!({"f": "aGk="}));
    assert!(
        sent.contains("filename=\"f\"\r\nContent-Type: application/octet-stream\r\n\r\nhi\r\n"),
        "{sent}"
    );
    let (_, sent) = body(
        "application/xml",
        &json!({"schema": {"xml": {"name": "pet"}, "properties": {"n": {"xml": {"attribute": true}}, "t": {}}}}),
        &json!({"n": 1, "t": "<"}),
    );
    assert_eq!(sent, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><pet n=\"1\"><t>&lt;</t></pet>");
    assert_eq!(
        body("text/plain", &json!({}), &json!({"body": "hi"})),
        ("text/plain".to_owned(), "hi".to_owned())
    );
    assert_eq!(
        body("application/pdf", &json!({}), &json!({"body": "aGk="})),
        ("application/pdf".to_owned(), "hi".to_owned())
    );
    assert_eq!(
        body("application/json", &json!({"schema": {"type": "array"}}), &json!({"body": [1]})).1,
        "[1]"
    );
}

#[test]
fn bodies_that_are_missing_or_wrong() {
    let required = |wanted: bool| {
        let schema =
            json!({"schema": {"type": "object", "required": ["a"], "properties": {"a": {}, "b": {}}}});
        operation(
            "post",
            "/p",
            &json!({"requestBody": {"required": wanted, "content": {"application/json": schema}}}),
        )
    };
    assert_eq!(
        call(&required(true), &json!({"b": 1})).unwrap_err().to_string(),
        "the argument `a` is required"
    );
    assert_eq!(
        call(&required(false), &json!({"b": 1})).unwrap_err().to_string(),
        "the argument `a` is required"
    );
    let empty = call(&required(false), &json!({})).unwrap();
    assert!(empty.body().is_empty() && !empty.headers().contains_key(CONTENT_TYPE));
    let sent = call(&required(true), &json!({"a": null})).unwrap();
    assert_eq!(&sent.body()[..], b"{\"a\":null}");
    let binary = operation("post", "/p", &json!({"requestBody": {"content": {"image/png": {}}}}));
    assert!(call(&binary, &json!({"body": "no base64!"})).unwrap_err().to_string().contains("base64"));
    assert!(call(&binary, &json!({"body": 5})).is_err());
}

#[test]
fn open_bodies_take_further_members() {
    let schema =
        json!({"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}});
    let operation = operation(
        "post",
        "/p",
        &json!({"parameters": [{"name": "q", "in": "query"}], "requestBody": {"content": {"application/json": {"schema": schema}}}}),
    );
    assert_eq!(operation.input_schema["additionalProperties"], json!({"type": "string"}));
    let request = call(&operation, &json!({"q": "1", "z": "2"})).unwrap();
    assert_eq!(&request.body()[..], b"{\"z\":\"2\"}");
    assert_eq!(request.uri().query(), Some("q=1"));
}
