//! Callers who sign. A signature covers the body, so the body is read first, but only for a key that exists.

use std::net::IpAddr;
use std::sync::Arc;

use aws::sigv4::{PathStyle, Presigned, Request as Covered, SignatureError, Signed, claimed_access_key};
use bytes::Bytes;
use domain::{Actor, Principal, Timestamp, WorkloadUser};
use http::header::HeaderName;
use http::request::Parts;
use identity::principal::{Identity, PrincipalError};

use crate::authenticate::{Caller, one};
use crate::body::Payload;
use crate::edge::House;
use crate::headers::{CUSTOM, MCP_SESSION, SESSION, USER};
use crate::permission::{self, Subject};
use crate::place::Asked;
use crate::record::Record;
use crate::refusal::{Kind, Refusal};

/// The service that is signed for.
const SERVICE: &str = "bedrock-agentcore";
/// The longest id of a user, in bytes (API type `StringType`).
const LONGEST_USER: usize = 1_024;

/// Where a signature stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In the header `Authorization`.
    Header,
    /// In the query string.
    Query,
}

/// A request that claims to be signed.
pub(crate) struct Request<'a> {
    pub(crate) way: Way,
    pub(crate) head: &'a Parts,
    /// What it is about.
    pub(crate) subject: Subject<'a>,
    pub(crate) asked: Asked,
    pub(crate) peer: IpAddr,
}

/// Recognises who signed, and asks its policies.
///
/// # Errors
/// AWS's AccessDeniedException when the signature is not right, or nothing allows the call.
pub(crate) async fn recognise(
    house: &Arc<House>,
    request: &Request<'_>,
    payload: Payload,
    record: &mut Record,
) -> Result<(Caller, Bytes), Refusal> {
    let text = |name: &str| request.head.headers.get(name).and_then(|value| value.to_str().ok());
    let query = request.head.uri.query().unwrap_or_default();
    let presigned = match request.way {
        Way::Query => Some(Presigned::parse(query).map_err(|error| refused(&error))?),
        Way::Header => None,
    };
    let identity = match &presigned {
        Some(presigned) => {
            let claims = presigned.of(covered(request, &[], &[])).map_err(|error| refused(&error))?;
            find(house, claims.access_key_id(), claims.session_token()).await?
        }
        None => {
            let key = text("authorization").and_then(claimed_access_key);
            let key = key.ok_or_else(|| {
                Refusal::denied("The Authorization header is no AWS4-HMAC-SHA256 signature")
            })?;
            find(house, key, text("x-amz-security-token")).await?
        }
    };
    let body = payload.whole(&house.large).await?;
    let now = house.setup.clock.now();
    let headers: Vec<_> =
        request.head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let whole = covered(request, &headers, &body);
    let signed = match &presigned {
        Some(presigned) => presigned.of(whole),
        None => Signed::read(whole),
    };
    let signed = signed.map_err(|error| refused(&error))?;
    signed.verify(&identity.secret, now, PathStyle::Normalized).map_err(|error| refused(&error))?;
    record.actor(actor(&identity));
    let region = &request.subject.scope.region;
    if signed.service() != SERVICE || signed.region() != region {
        let scope = format!("Credential should be scoped to {region}/{SERVICE}");
        return Err(refused(&SignatureError::Scope(scope)));
    }
    let user = user_id(request.head)?;
    if user.is_some() && !signed.covers(USER) {
        return Err(Refusal::denied(format!("The header {USER} must be one of the signed headers.")));
    }
    if let Some(name) = head_decides(request).find(|name| !signed.covers(name)) {
        return Err(Refusal::denied(format!(
            "The header {name} must be one of the signed headers, or a parameter of the signed URL."
        )));
    }
    let caller = caller(&identity, user, now);
    permitted(&identity, &caller, request, now, record)?;
    Ok((caller, body))
}

/// The headers that say what a signed URL says too: whoever has the URL must not decide it anew.
fn head_decides<'a>(request: &Request<'a>) -> impl Iterator<Item = &'a str> {
    let names = request.head.headers.keys().map(HeaderName::as_str);
    let is_url = request.way == Way::Query;
    names.filter(move |name| is_url && (*name == SESSION || *name == MCP_SESSION || name.starts_with(CUSTOM)))
}

fn covered<'a>(request: &Request<'a>, headers: &'a [(&'a str, &'a [u8])], body: &'a [u8]) -> Covered<'a> {
    let head = request.head;
    Covered {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers,
        body,
    }
}

async fn find(house: &House, key: &str, session: Option<&str>) -> Result<Arc<Identity>, Refusal> {
    match house.setup.principals.find(key, session).await {
        Ok(identity) => Ok(identity),
        Err(PrincipalError::Unknown) => {
            Err(Refusal::denied("The security token included in the request is invalid."))
        }
        Err(PrincipalError::Expired) => {
            Err(Refusal::denied("The security token included in the request is expired"))
        }
        Err(PrincipalError::Store(error)) => {
            tracing::error!(%error, "An identity cannot be read.");
            Err(Refusal::new(Kind::Unavailable, "The caller's identity cannot be read now. Try again."))
        }
        Err(error) => Err(Refusal::internal(&error)),
    }
}

/// The actions that the caller needs, and whether its policies allow each.
fn permitted(
    identity: &Identity,
    caller: &Caller,
    request: &Request<'_>,
    now: Timestamp,
    record: &mut Record,
) -> Result<(), Refusal> {
    let action = request.asked.action();
    let &Request { subject, head, peer, .. } = request;
    let asked = |action: &str| {
        permission::signed(identity, &permission::Request { subject, action, head, peer, now })
    };
    let by = asked(&action)?;
    if caller.user_id.is_some() && matches!(request.asked, Asked::Invoke | Asked::Open) {
        asked(&format!("{action}ForUser"))?;
    }
    record.allowed(by);
    Ok(())
}

/// For whom the caller says that it speaks.
fn user_id(head: &Parts) -> Result<Option<String>, Refusal> {
    let Some(value) = head.headers.get(USER) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=LONGEST_USER).contains(&text.len()));
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        Refusal::invalid(format!(
            "The id of a user has 1 to {LONGEST_USER} visible characters: see the header {USER}."
        ))
    })
}

fn actor(identity: &Identity) -> Actor {
    Actor::Iam {
        arn: identity.caller.arn().to_string(),
        access_key_id: identity.caller.access_key.to_string(),
    }
}

fn caller(identity: &Identity, user_id: Option<String>, now: Timestamp) -> Caller {
    let account = &identity.caller.account;
    // Sessions of one role come and go; what they opened is the role's.
    let principal = match &identity.caller.principal {
        Principal::AssumedRole { id, .. } => one(&["role", account.as_str(), id]),
        Principal::User { id, .. } => one(&["user", account.as_str(), id]),
        Principal::Root => one(&["root", account.as_str()]),
    };
    Caller {
        actor: actor(identity),
        owner: one(&[&principal, user_id.as_deref().unwrap_or_default()]),
        principal,
        user: match &user_id {
            Some(id) => WorkloadUser::Id { id: id.clone() },
            None => WorkloadUser::Nobody,
        },
        user_id,
        token: None,
        shown_in: None,
        signs: true,
        until: now,
    }
}

fn refused(error: &SignatureError) -> Refusal {
    Refusal::denied(error.to_string())
}
