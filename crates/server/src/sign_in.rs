//! The OpenID provider for people: pages to sign in and out, and what a client may ask about whoever did.

use std::collections::HashMap;
use std::net::IpAddr;

use domain::RequestId;
use gateway::Body;
use http::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use identity::provider::{BrowserAnswer, BrowserRequest, PoolHint, Shown};
use identity::token::bearer;
use serde_json::json;

use crate::arriving::Arriving;
use crate::composition::House;
use crate::oidc::Purpose;
use crate::route::Endpoint;
use crate::{oidc, response};

/// The headers that every page has beside its own: no other site may frame it, guess what it is or learn its address.
const GUARDS: [(&str, &str); 3] =
    [("x-frame-options", "DENY"), ("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin")];

/// Answers a browser, or a client that asks about a user.
pub(crate) async fn answer(
    house: &House,
    endpoint: Endpoint,
    hint: PoolHint,
    request: Request<Arriving>,
    peer: IpAddr,
) -> Response<Body> {
    match endpoint {
        Endpoint::Revoke => oidc::submission(house, Purpose::Revocation, hint, request, peer).await,
        Endpoint::Register => oidc::submission(house, Purpose::Registration, hint, request, peer).await,
        Endpoint::UserInfo => user_info(house, &hint, &request.into_parts().0).await,
        endpoint => browser(house, endpoint, hint, request, peer).await,
    }
}

async fn browser(
    house: &House,
    endpoint: Endpoint,
    hint: PoolHint,
    request: Request<Arriving>,
    peer: IpAddr,
) -> Response<Body> {
    let request_id = RequestId::mint(&*house.random);
    let is_form = endpoint == Endpoint::Login && request.method() == Method::POST;
    if !is_form && request.method() != Method::GET {
        let mut refused = response::text(StatusCode::METHOD_NOT_ALLOWED, "This page is read with GET.\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return refused;
    }
    let (head, form) = if is_form {
        match oidc::posted(request, &request_id).await {
            Ok((head, body)) => {
                let form: HashMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
                (head, Some(form))
            }
            Err(refused) => return *refused,
        }
    } else {
        (request.into_parts().0, None)
    };
    let cookies = cookies(&head);
    let asked = BrowserRequest {
        hint,
        query: head.uri.query().unwrap_or_default(),
        form,
        cookies: &cookies,
        from_elsewhere: is_from_elsewhere(house, &head),
        source_ip: Some(peer.to_string()),
        request_id: &request_id,
    };
    let answer = match endpoint {
        Endpoint::Authorize => house.provider.authorize(&asked).await,
        Endpoint::Logout => house.provider.logout(asked).await,
        _ => house.provider.login(asked).await,
    };
    let status = if is_form { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
    response::never_stored(response::with_request_id(written(answer, status), &request_id))
}

/// The cookies of a request, as one header.
pub(crate) fn cookies(head: &Parts) -> String {
    let cookies = head.headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    cookies.collect::<Vec<_>>().join(";")
}

/// What browsers say about where a form comes from, where they say it (Fetch, `Origin` and `Sec-Fetch-Site`).
fn is_from_elsewhere(house: &House, head: &Parts) -> bool {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let host_of = |url: &str| url.split_once("://").map(|(_, rest)| rest.to_ascii_lowercase());
    let here = [text("host").map(str::to_ascii_lowercase), host_of(house.names.public_url())];
    let other_origin = text("origin").is_some_and(|origin| !here.contains(&host_of(origin)));
    let other_site = text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    other_origin || other_site
}

pub(crate) fn written(answer: BrowserAnswer, redirect: StatusCode) -> Response<Body> {
    let response = match answer.shown {
        Shown::Address(address) => {
            let mut response = Response::new(Body::whole(""));
            *response.status_mut() = redirect;
            match HeaderValue::from_str(&address) {
                Ok(address) => drop(response.headers_mut().insert(LOCATION, address)),
                Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
            }
            response
        }
        Shown::Page(page) => {
            let mut response = Response::new(Body::whole(page.html));
            *response.status_mut() = StatusCode::from_u16(page.status).unwrap_or(StatusCode::BAD_REQUEST);
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            // A policy that cannot be written is one that allows nothing.
            let policy = HeaderValue::from_str(&page.policy);
            let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
            headers.insert(CONTENT_SECURITY_POLICY, policy.unwrap_or(nothing));
            response
        }
    };
    let mut response = response::again_later(response);
    for (name, value) in GUARDS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    for cookie in answer.cookies {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

/// `/oauth2/userInfo`, for the bearer of an access token (RFC 6750, section 3).
async fn user_info(house: &House, hint: &PoolHint, head: &Parts) -> Response<Body> {
    let request_id = RequestId::mint(&*house.random);
    let found = match bearer(&head.headers) {
        Some(token) => house.provider.user_info(hint, token).await,
        None => Ok(None),
    };
    let answered = match found {
        Ok(Some(claims)) => response::json(StatusCode::OK, &claims, &request_id),
        Ok(None) => {
            let told = "the access token is no longer good, or was not given the scope openid";
            let error = json!({ "error": "invalid_token", "error_description": told });
            let mut refused = response::json(StatusCode::UNAUTHORIZED, &error, &request_id);
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            refused.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            refused
        }
        Err(error) => {
            tracing::error!(%error, request.id = %request_id, "A user cannot be read.");
            let told = error.outage().unwrap_or_else(|| "try again".to_owned());
            let told = json!({ "error": "temporarily_unavailable", "error_description": told });
            response::json(StatusCode::SERVICE_UNAVAILABLE, &told, &request_id)
        }
    };
    response::never_stored(answered)
}
