//! Responses of each kind, as tools answer them.

use super::*;
use crate::{Options, import};

fn operation() -> Operation {
    let document = json!({"openapi": "3.0.0", "servers": [{"url": "https://example.com"}], "paths": {"/a": {"get": {"operationId": "get"}}}});
    import(&document.to_string(), &Options::default()).unwrap().operations.remove(0)
}

fn answer(status: u16, media_type: &str, body: &[u8]) -> Value {
    let mut headers = HeaderMap::new();
    if !media_type.is_empty() {
        headers.insert(CONTENT_TYPE, media_type.parse().unwrap());
    }
    operation().result(StatusCode::from_u16(status).unwrap(), &headers, body).into_value()
}

#[test]
fn answers_by_media_type() {
    for (media_type, body, expected) in [
        (
            "application/json; charset=utf-8",
            &b"{\"a\":1}"[..],
            json!({"content": [{"type": "text", "text": "{\"a\":1}"}], "structuredContent": {"a": 1}, "isError": false}),
        ),
        ("application/json", b"[1]", json!({"content": [{"type": "text", "text": "[1]"}], "isError": false})),
        (
            "application/json",
            b"{\"a\":1,\"a\":2}",
            json!({"content": [{"type": "text", "text": "{\"a\":1,\"a\":2}"}], "isError": false}),
        ),
        ("text/plain", b"{}", json!({"content": [{"type": "text", "text": "{}"}], "isError": false})),
        (
            "",
            b"{}",
            json!({"content": [{"type": "text", "text": "{}"}], "structuredContent": {}, "isError": false}),
        ),
        (
            "image/png",
            b"\x00\x01",
            json!({"content": [{"type": "image", "data": "AAE=", "mimeType": "image/png"}], "isError": false}),
        ),
        (
            "audio/wav",
            b"\x00\x01",
            json!({"content": [{"type": "audio", "data": "AAE=", "mimeType": "audio/wav"}], "isError": false}),
        ),
        (
            "application/pdf",
            b"%PDF",
            json!({"content": [{"type": "resource", "resource": {"uri": "answer:get", "mimeType": "application/pdf", "blob": "JVBERg=="}}], "isError": false}),
        ),
        ("text/plain", b"", json!({"content": [{"type": "text", "text": "HTTP 200 OK"}], "isError": false})),
    ] {
        assert_eq!(answer(200, media_type, body), expected, "{media_type}");
    }
    let text = answer(200, "application/json", b"\xff\xfe");
    assert_eq!(text["content"][0]["resource"]["blob"], "//4=");
    let large = answer(200, "image/png", &vec![0; MAX_EMBEDDED + 1]);
    assert!(large["content"][0]["text"].as_str().unwrap().contains("4194305 bytes of image/png"));
}

#[test]
fn failures_are_errors_of_the_tool() {
    let said = answer(404, "application/json", b"{\"error\":\"no such pet\"}");
    assert_eq!(said["isError"], true);
    assert_eq!(said["content"][0]["text"], "HTTP 404 Not Found\n{\"error\":\"no such pet\"}");
    assert!(said.get("structuredContent").is_none());
    assert!(answer(302, "", b"")["content"][0]["text"].as_str().unwrap().contains("not followed"));
    assert!(
        answer(500, "image/png", b"\xff")["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("1 bytes of image/png")
    );
}
