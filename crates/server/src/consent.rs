//! The pages of AgentCore Identity that a person's browser passes through: to someone else's authorization server and back.

use std::net::IpAddr;

use domain::RequestId;
use gateway::Body;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use identity::outbound::federation::Visit;

use crate::arriving::Arriving;
use crate::composition::House;
use crate::route::Consent;
use crate::{response, sign_in};

/// Answers a browser.
pub(crate) async fn answer(
    house: &House,
    consent: Consent,
    request: Request<Arriving>,
    peer: IpAddr,
) -> Response<Body> {
    let request_id = RequestId::mint(&*house.random);
    if request.method() != Method::GET {
        let mut refused = response::text(StatusCode::METHOD_NOT_ALLOWED, "This page is read with GET.\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return refused;
    }
    let (head, _) = request.into_parts();
    let source_ip = peer.to_string();
    let visit = Visit {
        query: head.uri.query().unwrap_or_default(),
        cookies: &sign_in::cookies(&head),
        source_ip: &source_ip,
        request_id: &request_id,
    };
    let answer = match consent {
        Consent::Page => house.outbound.open_page(&visit).await,
        Consent::Callback(provider) => house.outbound.come_back(&provider, &visit).await,
    };
    let written = sign_in::written(answer, StatusCode::FOUND);
    response::never_stored(response::with_request_id(written, &request_id))
}
