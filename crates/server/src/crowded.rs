//! What somebody is told whom the server cannot serve now, because it has too much to do: at once, in the words of the API
//! that was called, and with when to come again.

use aws::Fault;
use gateway::Body;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};

use crate::arriving::Arriving;
use crate::composition::House;
use crate::control_edge;
use crate::response;
use crate::route::Route;

/// The largest body that is read only to be thrown away, so that its connection can be kept.
const SMALL: usize = 64 * 1024;
/// What clients of MCP are told; the code is that of "internal error", which is what MCP has for it.
const TO_MCP: &str = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,\"message\":\
     \"The server has more requests than it can serve at the moment: try again in a second\"}}";
/// What S3's clients are told (S3, "Error responses").
const TO_S3: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
     <Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
const TO_OTHERS: &str =
    "The server has more requests than it can serve at the moment. Try again in a second.";

/// Whether a request is taken whatever there is to do: by them it is seen how the server is.
pub(crate) fn is_always_taken(route: &Route) -> bool {
    matches!(route, Route::Health | Route::Ready | Route::Metrics)
}

/// Refuses a request.
pub(crate) async fn refuse(house: &House, route: &Route, head: &Parts, body: Arriving) -> Response<Body> {
    let mut answer = worded(house, route, head);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    if head.version < Version::HTTP_2 && !is_taken_away(body).await {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

fn worded(house: &House, route: &Route, head: &Parts) -> Response<Body> {
    let document = |kind, text: &'static str| {
        let mut response = response::text(StatusCode::SERVICE_UNAVAILABLE, text);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    };
    match route {
        Route::Mcp(_) => document("application/json", TO_MCP),
        Route::Objects => document("application/xml", TO_S3),
        Route::Control | Route::Runtime(_) | Route::Inference => {
            let fault = Fault::new("ServiceUnavailableException", TO_OTHERS).with_status(503);
            control_edge::refuse(house, head, &fault)
        }
        _ => document("text/plain; charset=utf-8", TO_OTHERS),
    }
}

/// Reads a small body away; one that is large, or fails, stays, and its connection has to end.
async fn is_taken_away(body: Arriving) -> bool {
    if body.is_end_stream() {
        return true;
    }
    let is_small = body.size_hint().upper().is_some_and(|upper| upper <= SMALL as u64);
    is_small && Limited::new(body, SMALL).collect().await.is_ok()
}
