//! The OpenID provider over HTTP.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use domain::{CredentialKind, RequestId, Scope, UserPoolId};
use gateway::Body;
use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use identity::outbound::client_key_set;
use identity::provider::{PoolHint, TokenAnswer, TokenRequest};
use serde_json::{Value, json};
use store::{CUT_OFF, StoreError};

use crate::arriving::Arriving;
use crate::composition::House;
use crate::response;

/// The largest form.
const MAX_BODY: usize = 64 * 1024;
/// How long a form may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client of OAuth is told by a replica without a lease (RFC 6749, section 4.1.2.1).
pub(crate) fn cut_off(house: &House) -> Response<Body> {
    let error = json!({ "error": "temporarily_unavailable", "error_description": CUT_OFF });
    let refused = response::json(StatusCode::SERVICE_UNAVAILABLE, &error, &RequestId::mint(&*house.random));
    response::never_stored(refused)
}

/// A pool's metadata.
pub(crate) async fn metadata(house: &House, pool: &UserPoolId) -> Response<Body> {
    document(house, house.provider.metadata(pool).await)
}

/// A pool's key set.
pub(crate) async fn key_set(house: &House, pool: &UserPoolId) -> Response<Body> {
    document(house, house.provider.key_set(pool).await)
}

fn document(house: &House, found: Result<Option<Value>, StoreError>) -> Response<Body> {
    let request_id = RequestId::mint(&*house.random);
    match found {
        Ok(Some(document)) => response::json(StatusCode::OK, &document, &request_id),
        Ok(None) => {
            let message = json!({ "message": "There is no such issuer." });
            response::json(StatusCode::NOT_FOUND, &message, &request_id)
        }
        Err(error) => {
            tracing::error!(%error, request.id = %request_id, "An issuer cannot be read.");
            let message =
                json!({ "message": "The issuer cannot be read now. Try again, or ask another replica." });
            response::json(StatusCode::SERVICE_UNAVAILABLE, &message, &request_id)
        }
    }
}

/// The metadata of an issuer of web identity tokens.
pub(crate) async fn web_identity_metadata(house: &House, id: &str) -> Response<Body> {
    document(house, house.web_identities.metadata(id).await)
}

/// The key set of an issuer of web identity tokens.
pub(crate) async fn web_identity_keys(house: &House, id: &str) -> Response<Body> {
    document(house, house.web_identities.key_set(id).await)
}

/// The key set of the client of a credential provider.
pub(crate) async fn client_keys(house: &House, scope: &Scope, name: &str) -> Response<Body> {
    let found = async {
        let mut tx = house.store.read().await?;
        let provider = tx.credential_provider(scope, CredentialKind::OAuth2, name).await?;
        Ok(provider.as_ref().and_then(client_key_set))
    };
    document(house, found.await)
}

/// What a client sends a form for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// To get tokens.
    Token,
    /// To give a refresh token back.
    Revocation,
    /// To register itself.
    Registration,
}

/// Answers what a client sends by itself, without a browser.
pub(crate) async fn submission(
    house: &House,
    purpose: Purpose,
    hint: PoolHint,
    request: Request<Arriving>,
    peer: IpAddr,
) -> Response<Body> {
    let request_id = RequestId::mint(&*house.random);
    let (head, body) = match posted(request, &request_id).await {
        Ok(posted) => posted,
        Err(refused) => return *refused,
    };
    let form = form(&head, &body, hint, peer, &request_id);
    let answer = match purpose {
        Purpose::Token => house.provider.token(form).await,
        Purpose::Revocation => house.provider.revoke(form).await,
        Purpose::Registration => house.provider.register(form).await,
    };
    written(&answer, &request_id)
}

/// The head and the body of a form, which is small and comes by `POST`.
pub(crate) async fn posted(
    request: Request<Arriving>,
    request_id: &RequestId,
) -> Result<(Parts, Bytes), Box<Response<Body>>> {
    let (head, incoming) = request.into_parts();
    if head.method != Method::POST {
        let error = json!({ "error": "invalid_request", "error_description": "this endpoint takes POST" });
        let mut refused = response::json(StatusCode::METHOD_NOT_ALLOWED, &error, request_id);
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Err(Box::new(refused));
    }
    let reading = Limited::new(incoming, MAX_BODY).collect();
    let Ok(Ok(body)) = tokio::time::timeout(PATIENCE, reading).await else {
        let error = json!({ "error": "invalid_request", "error_description": "the form is larger than 64 KiB, or did not arrive whole" });
        return Err(Box::new(response::json(StatusCode::PAYLOAD_TOO_LARGE, &error, request_id)));
    };
    Ok((head, body.to_bytes()))
}

fn form<'a>(
    head: &'a Parts,
    body: &'a Bytes,
    hint: PoolHint,
    peer: IpAddr,
    request_id: &'a RequestId,
) -> TokenRequest<'a> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    TokenRequest {
        hint,
        authorization: text("authorization"),
        content_type: text("content-type"),
        body,
        source_ip: Some(peer.to_string()),
        request_id,
    }
}

fn written(answer: &TokenAnswer, request_id: &RequestId) -> Response<Body> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut written = response::json(status, &answer.body, request_id);
    if answer.challenge {
        written.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"oauth2\""));
    }
    response::never_stored(written)
}
