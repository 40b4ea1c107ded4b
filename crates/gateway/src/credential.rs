//! Sixth stage: what the upstream is shown, and what must not come back.
//!
//! A call carries the query parameters of the caller that its target lets through, and last of all the credential.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use credentials::{Brought, Credential, Need, Refused};
use domain::{Actor, OAuthGrant, Outbound, Secret, WorkloadUser};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request, Uri};
use identity::token::bearer;
use mask::Mask;
use mcp::upstream::{Dress, Sender};

use crate::answer::{Reply, without_secrets};
use crate::fetching::Fetching;
use crate::snapshot::TargetEntry;
use crate::turn::Turn;
use crate::upstream::Failed;

/// How much of its headers an upstream may have handed on, in bytes.
const MAX_HEADERS: usize = 16 * 1024;

/// What calls of one target carry on behalf of one request.
pub(crate) struct Carried<'a> {
    turn: &'a Turn,
    target: &'a TargetEntry,
    credential: Credential,
    /// What takes out of answers what an interceptor gave.
    given: Option<Mask>,
    /// The same together with the credential.
    mask: Option<Mask>,
}

impl<'a> Carried<'a> {
    /// What calls of a target carry.
    pub(crate) async fn of(turn: &'a Turn, target: &'a TargetEntry) -> Result<Self, Failed> {
        let credential = credential(turn, target).await?;
        let given = turn.authorization.as_ref().map(mask_of);
        let mask = both(credential.mask(), given.as_ref());
        Ok(Self { turn, target, credential, given, mask })
    }

    /// The same for a target that has refused it with 401, if there is another: a token that came from its server anew.
    /// Answers whether there is.
    pub(crate) async fn renew(&mut self) -> Result<bool, Failed> {
        if self.turn.authorization.is_some() {
            // It is the interceptor's that was refused: a token of ours would not have been shown.
            return Ok(false);
        }
        let (token, person) = (token(self.turn, self.target), person_for(self.turn, self.target));
        let need = need(self.turn, self.target, token.as_ref(), person.as_ref());
        let forgotten = self.turn.lane.plane.setup.credentials.forget(&need, &self.credential).await;
        if !forgotten.map_err(|refused| failed(self.target, refused))? {
            return Ok(false);
        }
        self.credential = credential(self.turn, self.target).await?;
        self.mask = both(self.credential.mask(), self.given.as_ref());
        Ok(true)
    }

    pub(crate) fn sender(&self) -> Sender<'_> {
        let lane = &self.turn.lane;
        Sender { client: &lane.client, dress: self, largest: lane.plane.setup.largest_payload }
    }

    /// What must not come back, if anything is shown at all.
    pub(crate) fn mask(&self) -> Option<&Mask> {
        self.mask.as_ref()
    }

    /// Masks what another mask does, too.
    pub(crate) fn also(&mut self, mask: Option<&Mask>) {
        self.mask = both(self.mask(), mask);
    }

    /// A message of the upstream without what it was shown.
    pub(crate) fn masked(&self, message: Bytes) -> Bytes {
        match self.mask() {
            Some(mask) => without_secrets(mask, message),
            None => message,
        }
    }

    /// The same of a failure.
    pub(crate) fn masked_failure(&self, failed: Failed) -> Failed {
        match self.mask() {
            Some(mask) => failed.masked(mask),
            None => failed,
        }
    }

    /// What becomes of a call, without what the upstream was shown.
    pub(crate) fn masked_outcome(&self, outcome: Result<Reply, Failed>) -> Result<Reply, Failed> {
        match (self.mask(), outcome) {
            (None, outcome) => outcome,
            (Some(mask), Ok(reply)) => Ok(reply.masked(mask)),
            (Some(_), Err(failed)) => Err(self.masked_failure(failed)),
        }
    }

    /// The headers of an answer that the caller gets.
    pub(crate) fn handed_on(&self, headers: &http::HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let mut room = MAX_HEADERS;
        let named = self.target.propagation.response_headers.iter();
        let named = named.filter_map(|name| HeaderName::try_from(name).ok());
        named
            .flat_map(|name| headers.get_all(&name).iter().map(move |value| (name.clone(), value.clone())))
            .take_while(|(name, value)| {
                let taken = name.as_str().len() + value.len();
                let fits = taken <= room;
                room = room.saturating_sub(taken);
                fits
            })
            .collect()
    }
}

impl Dress for Carried<'_> {
    fn dress(&self, request: &mut Request<Bytes>) -> Result<(), String> {
        let allowed = &self.target.propagation.query_parameters;
        if let Some(uri) = with_parameters(request.uri(), &self.turn.arrival.query, allowed) {
            *request.uri_mut() = uri;
        }
        // In the place of any that the caller sent for itself; before a signature, which covers it.
        if let Some(context) = &self.turn.onwards {
            context.write(request.headers_mut());
        }
        self.credential.dress(request)?;
        // What an interceptor gave goes before it ("Header propagation from interceptor lambda").
        if let Some(given) = &self.turn.authorization {
            request.headers_mut().insert(AUTHORIZATION, given.clone());
        }
        Ok(())
    }
}

fn both(one: Option<&Mask>, other: Option<&Mask>) -> Option<Mask> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other).cloned(),
    }
}

/// What takes an `Authorization` out of answers.
fn mask_of(value: &HeaderValue) -> Mask {
    Mask::new(&secrets_of(value.to_str().unwrap_or_default()))
}

/// What is secret in an `Authorization`: what follows its scheme, and of `Basic` the user's name with the password, and
/// the password (RFC 7617, section 2). The whole is added only where the rest is too short for a mask; else it holds
/// nothing more.
fn secrets_of(value: &str) -> Vec<Secret> {
    let value = value.trim();
    let Some((scheme, rest)) = value.split_once(' ') else { return vec![Secret::new(value)] };
    let rest = rest.trim_start();
    let mut secrets = vec![Secret::new(if rest.len() < mask::SHORTEST { value } else { rest })];
    if scheme.eq_ignore_ascii_case("basic")
        && let Ok(Ok(pair)) = STANDARD.decode(rest).map(String::from_utf8)
    {
        secrets.extend(pair.split_once(':').map(|(_, password)| Secret::new(password)));
        secrets.push(Secret::new(pair));
    }
    secrets
}

/// A URL with those of the caller's query parameters that are allowed and that it does not have itself; `None` when it
/// stays as it is.
fn with_parameters(uri: &Uri, given: &str, allowed: &[String]) -> Option<Uri> {
    if allowed.is_empty() || given.is_empty() {
        return None;
    }
    let name = |pair: &str| form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned());
    let own = uri.query().unwrap_or_default();
    let set: Vec<String> = own.split('&').filter_map(name).collect();
    let added: Vec<&str> = given
        .split('&')
        .filter(|pair| name(pair).is_some_and(|name| allowed.contains(&name) && !set.contains(&name)))
        .collect();
    if added.is_empty() {
        return None;
    }
    let between = if own.is_empty() { "" } else { "&" };
    let written = format!("{}?{own}{between}{}", uri.path(), added.join("&"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(written.parse().ok()?);
    Uri::from_parts(parts).ok()
}

async fn credential(turn: &Turn, target: &TargetEntry) -> Result<Credential, Failed> {
    let (token, person) = (token(turn, target), person_for(turn, target));
    let need = need(turn, target, token.as_ref(), person.as_ref());
    let fetching = Fetching::begin(turn, target);
    let found = turn.lane.plane.setup.credentials.of(&need).await;
    if let Some(fetching) = fetching {
        fetching.done(found.as_ref().err());
    }
    found.map_err(|refused| failed(target, refused))
}

fn failed(target: &TargetEntry, refused: Refused) -> Failed {
    let detail = format!("the credential for the target {} cannot be had: {}", target.name, refused.why);
    let mut failed = Failed::of_credential(detail, refused.endpoint, refused.status);
    failed.consent = refused.consent;
    failed
}

fn need<'a>(
    turn: &'a Turn,
    target: &'a TargetEntry,
    token: Option<&'a Secret>,
    person: Option<&'a WorkloadUser>,
) -> Need<'a> {
    let wish = turn.wish.get();
    let brought = Brought {
        signing: turn.caller.signing(),
        token,
        person,
        return_url: wish.and_then(|wish| wish.return_url.as_deref()),
        anew: wish.is_some_and(|wish| wish.anew),
    };
    Need {
        scope: &turn.gate.gateway.scope,
        gateway: &turn.gate.arn,
        role: &turn.gate.role,
        outbound: &target.outbound,
        service: target.service.as_deref(),
        brought,
    }
}

/// Who calls, for a target that is called with what its caller allowed.
fn person_for(turn: &Turn, target: &TargetEntry) -> Option<WorkloadUser> {
    let Outbound::OAuth(oauth) = &target.outbound else { return None };
    match turn.caller.actor() {
        Actor::Token { issuer, subject: Some(subject), .. }
            if oauth.grant == OAuthGrant::AuthorizationCode && !subject.is_empty() =>
        {
            Some(WorkloadUser::Token { issuer: issuer.clone(), subject: subject.clone() })
        }
        _ => None,
    }
}

/// The token that the caller presented, for a target that gets it, or another in its place.
fn token(turn: &Turn, target: &TargetEntry) -> Option<Secret> {
    let is_needed = match &target.outbound {
        Outbound::JwtPassthrough => true,
        Outbound::OAuth(oauth) => oauth.grant == OAuthGrant::TokenExchange,
        _ => false,
    };
    bearer(&turn.arrival.headers).filter(|_| is_needed).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interceptor_gave_is_masked_beside_the_credential() {
        let given = |value: &'static str| mask_of(&HeaderValue::from_static(value));
        let own = Mask::new([&Secret::new("own-secret-of-the-vault")]);
        for (value, shown) in [
            ("Bearer token-of-the-interceptor", "token-of-the-interceptor"),
            ("token-without-a-scheme", "token-without-a-scheme"),
            ("Token   with-more-spaces", "with-more-spaces"),
            ("Key short", "Key short"),
            ("Basic dXNlcjpwYXNzLXdvcmQtMQ==", "pass-word-1"),
            ("basic dXNlcjpwYXNzLXdvcmQtMQ==", "dXNlcjpwYXNzLXdvcmQtMQ=="),
        ] {
            let said = format!("{{\"echo\":\"{shown}\",\"and\":\"own-secret-of-the-vault\"}}");
            let mask = both(Some(&own), Some(&given(value))).unwrap();
            let masked = mask.text(&said);
            assert!(!masked.contains(shown) && !masked.contains("own-secret"), "{value}: {masked}");
            let alone = both(None, Some(&given(value))).unwrap();
            assert!(!alone.text(&said).contains(shown), "{value}");
        }
        assert!(both(None, None).is_none());
    }

    #[test]
    fn only_parameters_that_are_allowed_and_not_set_pass() {
        let allowed = ["trace".to_owned(), "a b".to_owned()];
        let passed = |uri: &str, given: &str| {
            with_parameters(&uri.parse().unwrap(), given, &allowed).map(|uri| uri.to_string())
        };
        assert_eq!(passed("https://h/p", "trace=1&x=2").as_deref(), Some("https://h/p?trace=1"));
        assert_eq!(
            passed("https://h/p?q=1", "a%20b=%26&trace=3").as_deref(),
            Some("https://h/p?q=1&a%20b=%26&trace=3")
        );
        assert_eq!(passed("https://h/p?%74race=own", "trace=1"), None);
        assert_eq!(passed("https://h/p", "x=1"), None);
        assert_eq!(passed("https://h/p", ""), None);
    }
}
