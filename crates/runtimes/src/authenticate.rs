//! Who calls? Each version of a runtime has one way of recognising its callers: signatures, or tokens of one issuer; and,
//! where the operator says so, the key of a partner.
//!
//! A token is verified before anything of the body is read. What was verified is remembered by the hash of the whole token
//! until it ends, ten minutes at most, so that keys that were withdrawn and issuers that changed are noticed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws::sigv4::Presigned;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Actor, Authorizer, JwtAuthorizer, Secret, Timestamp, WorkloadUser};
use http::header::{AUTHORIZATION, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use identity::issuer::{IssuerError, VerifyError};
use identity::token::{self, Claims, LEEWAY, Rejection, bearer};

use crate::body::Payload;
use crate::edge::House;
use crate::partner;
use crate::permission::{self, Part, Subject};
use crate::place::{Asked, Place};
use crate::record::Record;
use crate::refusal::{Kind, Refusal};
use crate::registry::Served;
use crate::signature::{self, Way};

/// How long a verified token is believed without a look at its issuer's keys.
const BELIEVED: Duration = Duration::from_secs(10 * 60);
/// What a browser calls a token that it offers as a protocol of a WebSocket.
pub(crate) const OFFERED: &str = "base64UrlBearerAuthorization";
/// What a caller is told who is recognised in another way than this runtime's ("Authorization method mismatch").
const MISMATCH: &str = "Authorization method mismatch. The agent is configured for a different authorization method than \
     what was used in your request. Check the agent's authorization configuration and ensure your request uses the \
     matching method (OAuth or SigV4)";

/// A caller that was recognised.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    /// Who its sessions belong to.
    pub(crate) owner: String,
    /// Who that is, whoever it speaks for.
    pub(crate) principal: String,
    /// For whom it speaks, where it says so and may.
    pub(crate) user_id: Option<String>,
    /// For whom the agent works.
    pub(crate) user: WorkloadUser,
    /// Its token, where it has one.
    pub(crate) token: Option<Secret>,
    /// The header in which it showed what is not an agent's to see.
    pub(crate) shown_in: Option<HeaderName>,
    /// Whether it signs.
    pub(crate) signs: bool,
    /// Until when it is believed.
    pub(crate) until: Timestamp,
}

/// What a request shows of its caller.
enum Shown {
    Token(String),
    Signature(Way),
    Nothing,
}

fn shown(head: &Parts, asked: Asked) -> Shown {
    if let Some(token) = bearer(&head.headers) {
        return Shown::Token(token.to_owned());
    }
    if signs(head) {
        return Shown::Signature(Way::Header);
    }
    if asked != Asked::Open {
        return Shown::Nothing;
    }
    if Presigned::is_claimed(head.uri.query().unwrap_or_default()) {
        return Shown::Signature(Way::Query);
    }
    offered(head).map_or(Shown::Nothing, Shown::Token)
}

/// Whether the header holds a signature, right or wrong. What is neither that nor a token shows nobody.
fn signs(head: &Parts) -> bool {
    head.headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS4-"))
}

/// The token that a browser offers as a protocol.
fn offered(head: &Parts) -> Option<String> {
    let protocols =
        head.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let encoded = protocols
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(OFFERED)?.strip_prefix('.'))?;
    let token = URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).ok()?;
    String::from_utf8(token).ok().filter(|token| !token.is_empty())
}

/// Recognises the caller of what is served; gives what it sends, which a signature covers and which was read for it.
pub(crate) async fn recognise(
    house: &Arc<House>,
    served: &Served,
    place: &Place,
    head: &Parts,
    payload: Payload,
    peer: IpAddr,
    record: &mut Record,
) -> Result<(Arc<Caller>, Payload), Refusal> {
    let shown = shown(head, place.asked);
    let (runtime, endpoint) = (served.runtime.arn(), served.endpoint.arn());
    let [of_runtime, of_endpoint] = &served.attached;
    let subject = Subject {
        parts: [
            Part { arn: runtime.as_str(), attached: of_runtime },
            Part { arn: endpoint.as_str(), attached: of_endpoint },
        ],
        scope: &served.runtime.scope,
    };
    let now = house.setup.clock.now();
    let action = place.asked.action();
    let unsigned = permission::Request { subject, action: &action, head, peer, now };
    if matches!(shown, Shown::Nothing)
        && let Some(caller) = partner::recognise(house, served, head, record).await?
    {
        record.allowed(permission::unsigned(&unsigned)?);
        record.allowed(caller.user_id.as_ref().map(|principal| format!("partner {principal}")));
        return Ok((Arc::new(caller), payload));
    }
    match (&served.version.authorizer, shown) {
        (Authorizer::CustomJwt(jwt), Shown::Token(token)) => {
            let caller = by_token(house, served, jwt, &token).await?;
            record.caller(&caller);
            record.allowed(permission::unsigned(&unsigned)?);
            Ok((caller, payload))
        }
        (Authorizer::CustomJwt(_), Shown::Nothing) => {
            Err(Refusal::new(Kind::Unauthorized, "Missing Bearer token")
                .with_challenge(served.challenge.missing()))
        }
        (Authorizer::AwsIam, Shown::Signature(way)) => {
            let request = signature::Request { way, head, subject, asked: place.asked, peer };
            let (caller, body) = signature::recognise(house, &request, payload, record).await?;
            Ok((Arc::new(caller), Payload::Whole(body)))
        }
        (Authorizer::AwsIam | Authorizer::None, Shown::Nothing) => {
            Err(Refusal::denied("Missing Authentication Token"))
        }
        (Authorizer::CustomJwt(_), Shown::Signature(_)) | (Authorizer::AwsIam, Shown::Token(_)) => {
            Err(Refusal::denied(MISMATCH))
        }
        (Authorizer::None, _) => Err(Refusal::denied("This agent runtime lets nobody in.")),
    }
}

/// Of a runtime that does not exist, whoever signs and may call it learns that it does not.
pub(crate) async fn of_nothing(
    house: &Arc<House>,
    subject: Subject<'_>,
    place: &Place,
    head: &Parts,
    payload: Payload,
    peer: IpAddr,
    record: &mut Record,
) -> Result<(), Refusal> {
    match shown(head, place.asked) {
        Shown::Signature(way) => {
            let request = signature::Request { way, head, subject, asked: place.asked, peer };
            signature::recognise(house, &request, payload, record).await.map(|_| ())
        }
        Shown::Token(_) => Ok(()),
        Shown::Nothing => Err(Refusal::denied("Missing Authentication Token")),
    }
}

/// Several words as one, so that no others make the same.
pub(crate) fn one(words: &[&str]) -> String {
    serde_json::json!(words).to_string()
}

async fn by_token(
    house: &House,
    served: &Served,
    jwt: &JwtAuthorizer,
    token: &str,
) -> Result<Arc<Caller>, Refusal> {
    let now = house.setup.clock.now();
    let hash: [u8; 32] = digest(&SHA256, token.as_bytes()).as_ref().try_into().unwrap_or_default();
    if let Some(caller) = served.callers.get(&hash).filter(|caller| now < caller.until) {
        return Ok(caller);
    }
    let runtime = &served.runtime.id;
    let invalid = |why: &dyn std::fmt::Display| {
        tracing::info!(runtime.id = %runtime, error = %why, "A token is refused.");
        Refusal::new(Kind::Unauthorized, "Invalid Bearer token").with_challenge(served.challenge.invalid())
    };
    let claims = match house.setup.issuers.verify(&jwt.discovery_url, token).await {
        Ok(claims) => claims,
        Err(VerifyError::Token(error)) => return Err(invalid(&error)),
        Err(VerifyError::Issuer(IssuerError::Store(error))) => return Err(Refusal::of_store(&error)),
        Err(VerifyError::Issuer(error)) => {
            tracing::warn!(runtime.id = %runtime, %error, "A token cannot be verified.");
            return Err(Refusal::new(
                Kind::Internal,
                "The token's issuer cannot be reached, so the token cannot be verified. Try again.",
            ));
        }
    };
    match token::check(&claims, jwt) {
        Ok(()) => {}
        Err(Rejection::Scope) => {
            let refusal = Refusal::denied("The token lacks a scope that this agent runtime asks for.");
            return Err(refusal.with_challenge(served.challenge.insufficient()));
        }
        Err(rejection) => return Err(invalid(&rejection)),
    }
    let caller = Arc::new(bearer_of(&claims, token, &hash, now));
    served.callers.insert(hash, Arc::clone(&caller));
    Ok(caller)
}

fn bearer_of(claims: &Claims, token: &str, hash: &[u8; 32], now: Timestamp) -> Caller {
    let client_id = claims.text("client_id").map(str::to_owned);
    let subject = claims.subject.clone().filter(|subject| !subject.is_empty());
    let issuer = &claims.issuer;
    // A token of nobody is its own bearer's alone.
    let owner = match &subject {
        Some(subject) => one(&["token", issuer, subject]),
        None => one(&["bearer", issuer, &hex::encode(hash)]),
    };
    Caller {
        actor: Actor::Token { issuer: issuer.clone(), subject: claims.subject.clone(), client_id },
        principal: owner.clone(),
        owner,
        user_id: None,
        user: match subject {
            Some(subject) => WorkloadUser::Token { issuer: issuer.clone(), subject },
            None => WorkloadUser::Nobody,
        },
        token: Some(Secret::new(token)),
        shown_in: None,
        signs: false,
        until: claims.expires_at.plus(LEEWAY).min(now.plus(BELIEVED)),
    }
}
