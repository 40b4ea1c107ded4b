//! A minimal MCP server over streamable HTTP, which does nothing but answer: the floor under the floor. And a REST
//! service that does as little.
//!
//! `/{tools}/mcp` offers so many tools, `/stream/mcp` one whose call is answered by a stream of progress, an event a
//! piece. Answers are written once and sent as they are, around the request's id; a notification is accepted. There is
//! no session, and nothing is checked. The REST service gives back the `id` that stands in what it gets, if one does.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::buf::Chain;
use bytes::{Buf as _, Bytes};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::serve::serve;
use crate::tools::{self, ANSWER, EVENTS, REST_PATH, SIZES, STREAM_PATH};

/// What is sent: what differs, and what does not.
type Body = Either<Full<Chain<Bytes, Bytes>>, Events>;

/// An answer in pieces.
struct Events(VecDeque<Bytes>);

impl HttpBody for Events {
    type Data = Chain<Bytes, Bytes>;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|event| Ok(Frame::data(event.chain(Bytes::new())))))
    }
}

/// The answers, but for their beginning.
struct Answers {
    initialize: Bytes,
    call: Bytes,
    rest: Bytes,
    lists: Vec<(String, Bytes)>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: &'a str,
    #[serde(borrow, default)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
}

pub(crate) fn run() -> Result<(), Failure> {
    let answers = Arc::new(Answers::written());
    serve("127.0.0.1:0", move |request| answer(Arc::clone(&answers), request))
}

async fn answer(answers: Arc<Answers>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return empty(StatusCode::BAD_REQUEST) };
    let body = body.to_bytes();
    let Ok(message) = serde_json::from_slice::<Message<'_>>(&body) else {
        return empty(StatusCode::BAD_REQUEST);
    };
    if head.uri.path() == REST_PATH {
        let id = message.id.map_or("null", RawValue::get);
        return whole(format!("{{\"id\":{id}").into(), answers.rest.clone());
    }
    let Some(id) = message.id else { return empty(StatusCode::ACCEPTED) };
    let result = match message.method {
        "initialize" => Some(&answers.initialize),
        "tools/call" => Some(&answers.call),
        "tools/list" => answers.list(head.uri.path()),
        _ => None,
    };
    let Some(result) = result else { return empty(StatusCode::NOT_FOUND) };
    let before = [b"{\"jsonrpc\":\"2.0\",\"id\":", id.get().as_bytes(), b",\"result\":"].concat();
    let token = message.params.and_then(|params| params.meta).and_then(|meta| meta.progress_token);
    match token.filter(|_| head.uri.path() == STREAM_PATH) {
        Some(token) => streamed(token.get(), &before, result),
        None => whole(before.into(), result.clone()),
    }
}

fn whole(before: Bytes, rest: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(before.chain(rest))));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Progress, and then the answer.
fn streamed(token: &str, before: &[u8], result: &[u8]) -> Response<Body> {
    let progress = (1..=EVENTS).map(|done| {
        Bytes::from(format!(
            "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":\
             {{\"progressToken\":{token},\"progress\":{done},\"total\":{EVENTS}}}}}\n\n"
        ))
    });
    let answer = Bytes::from([b"data: ", before, result, b"\n\n"].concat());
    let mut response = Response::new(Either::Right(Events(progress.chain([answer]).collect())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::new().chain(Bytes::new()))));
    *response.status_mut() = status;
    response
}

impl Answers {
    fn written() -> Self {
        let ending = |result: serde_json::Value| Bytes::from(format!("{result}}}"));
        let list = |path: String, size: usize| {
            let tools: Vec<_> = (0..size).map(tools::definition).collect();
            (path, ending(json!({ "tools": tools })))
        };
        let sized = SIZES.map(|size| list(format!("/{size}/mcp"), size));
        Self {
            initialize: ending(json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "bench", "version": "1" },
            })),
            call: ending(json!({ "content": [{ "type": "text", "text": ANSWER }], "isError": false })),
            rest: Bytes::from(format!(",\"filed\":\"{ANSWER}\"}}")),
            lists: sized.into_iter().chain([list(STREAM_PATH.to_owned(), 1)]).collect(),
        }
    }

    fn list(&self, path: &str) -> Option<&Bytes> {
        self.lists.iter().find(|(known, _)| known == path).map(|(_, list)| list)
    }
}
