//! Second stage: who calls?
//!
//! A token is verified before anything of the body is read; a signature covers the body, so the body is read first, but
//! only for a key that exists. What was verified is remembered by the fingerprint of the whole token until it ends, at most ten
//! minutes, so that keys that were withdrawn and issuers that changed are noticed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws::sigv4::{Credentials, PathStyle, SignatureError, Signed};
use bytes::Bytes;
use domain::{Actor, AuditPrincipal, AuditToken, Authorizer, JwtAuthorizer, Secret, Timestamp};
use http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use identity::issuer::VerifyError;
use identity::principal::{Identity, PrincipalError};
use identity::token::{self, Claims, LEEWAY, Rejection, bearer};
use policy::Principal;

use crate::answer::Reply;
use crate::audit;
use crate::body::Arriving;
use crate::invoke;
use crate::limit::{self, Key};
use crate::pipeline::Lane;
use crate::recording;
use crate::settled::Settled;
use crate::snapshot::{Gate, Visible};

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(60);
/// How long a verified token is believed without a look at its issuer's keys.
const BELIEVED: Duration = Duration::from_secs(10 * 60);

/// A caller that was recognised.
pub(crate) struct Caller {
    actor: Actor,
    key: String,
    /// As policies see it; absent where nobody asked.
    principal: Option<Principal>,
    /// Until when it is believed.
    until: Timestamp,
    /// What its token says, as far as the gateway's rate limits ask for it.
    claims: BTreeMap<String, String>,
    /// The tools that it may see, found out once.
    visible: OnceLock<Arc<Visible>>,
    /// What was decided for all its calls of a tool.
    settled: Settled,
    /// What it signs with, for targets that are called in its name.
    signing: Option<Credentials>,
    /// Its claims as they are recorded, written down once.
    claims_text: OnceLock<Option<Arc<str>>>,
    /// What the audit trail tells of it.
    token: Option<Arc<AuditToken>>,
    identity: Option<AuditPrincipal>,
}

impl Caller {
    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What the audit trail tells of its token.
    pub(crate) fn token(&self) -> Option<&Arc<AuditToken>> {
        self.token.as_ref()
    }

    /// What the audit trail tells of the identity that signed.
    pub(crate) fn identity(&self) -> Option<&AuditPrincipal> {
        self.identity.as_ref()
    }

    /// Who it is, in one word: callers of different keys share nothing.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// What it signs with.
    pub(crate) fn signing(&self) -> Option<&Credentials> {
        self.signing.as_ref()
    }

    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// What its token says of the claims that rate limits ask for.
    pub(crate) fn claims(&self) -> &BTreeMap<String, String> {
        &self.claims
    }

    /// Its claims as they are recorded, where they are.
    pub(crate) fn claims_text(&self) -> Option<Arc<str>> {
        let text = || self.principal.as_ref().and_then(recording::claims_text);
        self.claims_text.get_or_init(text).clone()
    }

    /// The tools of the gateway that this caller may see. A caller belongs to one gate, so they do not change.
    pub(crate) fn visible(&self, gate: &Gate) -> &Arc<Visible> {
        self.visible.get_or_init(|| gate.visible_to(self.principal.as_ref()))
    }

    /// What was decided for all its calls of a tool: as [`Caller::visible`], of one gate.
    pub(crate) fn settled(&self) -> &Settled {
        &self.settled
    }

    fn new(actor: Actor, principal: Option<Principal>, until: Timestamp) -> Self {
        Self {
            key: key_of(&actor),
            actor,
            principal,
            until,
            claims: BTreeMap::new(),
            visible: OnceLock::new(),
            settled: Settled::default(),
            signing: None,
            claims_text: OnceLock::new(),
            token: None,
            identity: None,
        }
    }
}

fn key_of(actor: &Actor) -> String {
    match actor {
        Actor::Token { issuer, subject, client_id } => format!(
            "token {issuer}\n{}\n{}",
            subject.as_deref().unwrap_or_default(),
            client_id.as_deref().unwrap_or_default()
        ),
        Actor::Iam { arn, .. } => format!("iam {arn}"),
        _ => "anyone".to_owned(),
    }
}

/// Recognises the caller and reads the body.
pub(crate) async fn recognise<B: Arriving>(
    lane: &Lane,
    gate: &Arc<Gate>,
    head: &Parts,
    incoming: B,
    peer: IpAddr,
) -> Result<(Arc<Caller>, Bytes), Reply> {
    match &gate.gateway.authorizer {
        Authorizer::None => {
            invoke::unsigned(gate, head, peer, lane.plane.setup.clock.now())?;
            Ok((anyone(gate), read(lane, incoming).await?))
        }
        Authorizer::CustomJwt(jwt) => {
            let caller = by_token(lane, gate, jwt, head).await?;
            invoke::unsigned(gate, head, peer, lane.plane.setup.clock.now())?;
            Ok((caller, read(lane, incoming).await?))
        }
        Authorizer::AwsIam => {
            let (key, session) = claimed_key(head)?;
            let found = Box::pin(lane.plane.setup.principals.find(key, session)).await;
            let identity = found.map_err(|error| not_found(&error))?;
            let body = read(lane, incoming).await?;
            let caller = by_signature(lane, gate, head, &body, &identity, peer)?;
            Ok((caller, body))
        }
    }
}

fn anyone(gate: &Gate) -> Arc<Caller> {
    Arc::clone(
        gate.anyone.get_or_init(|| Arc::new(Caller::new(Actor::Anonymous, None, Timestamp::default()))),
    )
}

async fn by_token(lane: &Lane, gate: &Gate, jwt: &JwtAuthorizer, head: &Parts) -> Result<Arc<Caller>, Reply> {
    let token = bearer(&head.headers).ok_or_else(|| Reply::unauthenticated(gate.challenge.missing()))?;
    let now = lane.plane.setup.clock.now();
    let fingerprint = lane.plane.fingerprints.of(token);
    let known = fingerprint.as_ref().and_then(|fingerprint| gate.callers.get(fingerprint));
    if let Some(caller) = known.filter(|caller| now < caller.until) {
        return Ok(caller);
    }
    let caller = Box::pin(verified(lane, gate, jwt, token)).await?;
    if let Some(fingerprint) = fingerprint {
        gate.callers.insert(fingerprint, Arc::clone(&caller));
    }
    Ok(caller)
}

/// A token that is seen for the first time.
async fn verified(lane: &Lane, gate: &Gate, jwt: &JwtAuthorizer, token: &str) -> Result<Arc<Caller>, Reply> {
    let now = lane.plane.setup.clock.now();
    let claims = match lane.plane.setup.issuers.verify(&jwt.discovery_url, token).await {
        Ok(claims) => claims,
        Err(VerifyError::Token(error)) => {
            tracing::info!(gateway.id = %gate.gateway.id, %error, "A token is refused.");
            return Err(Reply::unauthenticated(gate.challenge.invalid()));
        }
        Err(VerifyError::Issuer(error)) => {
            tracing::warn!(gateway.id = %gate.gateway.id, %error, "A token cannot be verified.");
            return Err(Reply::unavailable(
                "The token's issuer cannot be reached, so the token cannot be verified. Try again",
            ));
        }
    };
    match token::check(&claims, jwt) {
        Ok(()) => {}
        Err(Rejection::Scope) => return Err(Reply::insufficient_scope(gate.challenge.insufficient())),
        Err(rejection) => {
            tracing::info!(gateway.id = %gate.gateway.id, error = %rejection, "A token is refused.");
            return Err(Reply::unauthenticated(gate.challenge.invalid()));
        }
    }
    let caller = bearer_of(gate, &claims, now);
    Ok(Arc::new(Caller { token: Some(Arc::new(audit::token(token, &claims.all))), ..caller }))
}

fn bearer_of(gate: &Gate, claims: &Claims, now: Timestamp) -> Caller {
    let actor = Actor::Token {
        issuer: claims.issuer.clone(),
        subject: claims.subject.clone(),
        client_id: claims.text("client_id").map(str::to_owned),
    };
    let until = claims.expires_at.plus(LEEWAY).min(now.plus(BELIEVED));
    let subject = claims.subject.as_deref().unwrap_or_default();
    let asked = gate.limits.keys().filter_map(|key| match key {
        Key::Claim(name) => Some((name.clone(), limit::claim(&claims.all, name)?)),
        _ => None,
    });
    let caller = Caller::new(actor, Principal::oauth(subject, &claims.all).ok(), until);
    Caller { claims: asked.collect(), ..caller }
}

fn claimed_key(head: &Parts) -> Result<(&str, Option<&str>), Reply> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let header = text("authorization").ok_or_else(|| refused(&SignatureError::Missing))?;
    let key = aws::sigv4::claimed_access_key(header).ok_or_else(|| {
        refused(&SignatureError::Incomplete(
            "The Authorization header is no AWS4-HMAC-SHA256 signature".to_owned(),
        ))
    })?;
    Ok((key, text("x-amz-security-token")))
}

fn by_signature(
    lane: &Lane,
    gate: &Gate,
    head: &Parts,
    body: &Bytes,
    identity: &Identity,
    peer: IpAddr,
) -> Result<Arc<Caller>, Reply> {
    let now = lane.plane.setup.clock.now();
    let headers: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let signed = Signed::read(aws::sigv4::Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &headers,
        body,
    })
    .map_err(|error| refused(&error))?;
    signed.verify(&identity.secret, now, PathStyle::Normalized).map_err(|error| refused(&error))?;
    if signed.service() != "bedrock-agentcore" || *signed.region() != gate.gateway.scope.region {
        let scope = format!("Credential should be scoped to {}/bedrock-agentcore", gate.gateway.scope.region);
        return Err(refused(&SignatureError::Scope(scope)));
    }
    invoke::signed(gate, identity, head, peer, now)?;
    let actor = Actor::Iam {
        arn: identity.caller.arn().to_string(),
        access_key_id: identity.caller.access_key.to_string(),
    };
    let token = head.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok());
    let signing = Credentials {
        access_key_id: identity.caller.access_key.to_string(),
        secret: identity.secret.clone(),
        session_token: token.map(Secret::new),
    };
    let caller = Caller::new(actor, Principal::iam(&identity.caller.arn()).ok(), now);
    let identity = Some(AuditPrincipal::of(&identity.caller));
    Ok(Arc::new(Caller { signing: Some(signing), identity, ..caller }))
}

fn refused(error: &SignatureError) -> Reply {
    Reply::forbidden(&error.to_string())
}

fn not_found(error: &PrincipalError) -> Reply {
    match error {
        PrincipalError::Unknown => Reply::forbidden("The security token included in the request is invalid."),
        PrincipalError::Expired => Reply::forbidden("The security token included in the request is expired"),
        error => {
            tracing::error!(%error, "An identity cannot be read.");
            Reply::unavailable("The caller's identity cannot be read now. Try again")
        }
    }
}

async fn read<B: Arriving>(lane: &Lane, incoming: B) -> Result<Bytes, Reply> {
    let largest = lane.plane.setup.largest_payload;
    let reading = Limited::new(incoming, largest).collect();
    match tokio::time::timeout(BODY_PATIENCE, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Reply::too_large(largest)),
        Ok(Err(_)) | Err(_) => Err(Reply::refused(
            http::StatusCode::REQUEST_TIMEOUT,
            mcp::jsonrpc::INVALID_REQUEST,
            "The request did not arrive whole",
        )),
    }
}
