//! A minimal MCP server over streamable HTTP, which does nothing but answer: the floor under the floor.
//!
//! `/{tools}/mcp` offers so many tools. Answers are written once and sent as they are, around the request's id; a
//! notification is accepted. There is no session, and nothing is checked.

use std::sync::Arc;

use bytes::buf::Chain;
use bytes::{Buf as _, Bytes};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::serve::serve;
use crate::tools::{self, ANSWER, SIZES};

/// What is sent: what differs, and what does not.
type Body = Full<Chain<Bytes, Bytes>>;

/// The answers, but for their beginning.
struct Answers {
    initialize: Bytes,
    call: Bytes,
    lists: Vec<(String, Bytes)>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: &'a str,
}

pub(crate) fn run() -> Result<(), Failure> {
    let answers = Arc::new(Answers::written());
    serve(move |request| answer(Arc::clone(&answers), request))
}

async fn answer(answers: Arc<Answers>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return empty(StatusCode::BAD_REQUEST) };
    let body = body.to_bytes();
    let Ok(message) = serde_json::from_slice::<Message<'_>>(&body) else {
        return empty(StatusCode::BAD_REQUEST);
    };
    let Some(id) = message.id else { return empty(StatusCode::ACCEPTED) };
    let result = match message.method {
        "initialize" => Some(&answers.initialize),
        "tools/call" => Some(&answers.call),
        "tools/list" => answers.list(head.uri.path()),
        _ => None,
    };
    let Some(result) = result else { return empty(StatusCode::NOT_FOUND) };
    let before = [b"{\"jsonrpc\":\"2.0\",\"id\":", id.get().as_bytes(), b",\"result\":"].concat();
    let mut response = Response::new(Full::new(Bytes::from(before).chain(result.clone())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::new().chain(Bytes::new())));
    *response.status_mut() = status;
    response
}

impl Answers {
    fn written() -> Self {
        let ending = |result: serde_json::Value| Bytes::from(format!("{result}}}"));
        let list = |size: usize| {
            let tools: Vec<_> = (0..size).map(tools::definition).collect();
            (format!("/{size}/mcp"), ending(json!({ "tools": tools })))
        };
        Self {
            initialize: ending(json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "bench", "version": "1" },
            })),
            call: ending(json!({ "content": [{ "type": "text", "text": ANSWER }], "isError": false })),
            lists: SIZES.map(list).into(),
        }
    }

    fn list(&self, path: &str) -> Option<&Bytes> {
        self.lists.iter().find(|(known, _)| known == path).map(|(_, list)| list)
    }
}
