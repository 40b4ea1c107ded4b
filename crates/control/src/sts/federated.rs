//! Sessions for whoever an OpenID Connect provider vouches for. Nobody signs the call: the token takes the place of the
//! signature.
//!
//! The provider must be one of the role's account, by the token's issuer; the token is verified by the issuer's keys as
//! the tokens of gateways are; its audience must be one that the provider was registered with; and the role's trust policy
//! must name the provider, under conditions that see what the token says as `{provider}:aud`, `:sub`, `:oaud` and `:amr`
//! (IAM User Guide, "Available keys for AWS OIDC federation").

use std::collections::BTreeMap;

use ::iam::{Context as Conditions, PolicySets, Question, Requester};
use aws::Fault;
use aws_shapes::sts::{
    AssumeRoleWithWebIdentityRequest, AssumeRoleWithWebIdentityResponse, FederatedSessionOperations,
};
use domain::{AccountId, Actor, Arn, OidcProvider, Role, SessionFacts};
use identity::issuer::{IssuerError, VerifyError, claimed_issuer};
use identity::principal::{Lasts, issue};
use identity::token::{Claims, TokenError};
use serde_json::Value;

use super::opening::{Narrowed, asked_of, assumed, denied, find, lifetime, read_role, wire};
use super::{Sts, of_role};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::{Failure, sentence};
use crate::roles;

/// The claim in which a provider gives a session its tags.
const TAGS_CLAIM: &str = "https://aws.amazon.com/tags";
/// The claim in which a provider says who is behind a session.
const SOURCE_IDENTITY_CLAIM: &str = "https://aws.amazon.com/source_identity";
/// How many tags a session may have.
const MOST_TAGS: usize = 50;

impl FederatedSessionOperations<Context> for Sts {
    type Error = Failure;

    async fn assume_role_with_web_identity(
        &self,
        context: &Context,
        input: AssumeRoleWithWebIdentityRequest,
    ) -> Result<AssumeRoleWithWebIdentityResponse, Failure> {
        let arn = read_role(&input.role_arn)?;
        let narrowed = Narrowed::read(input.policy.as_deref(), input.policy_arns)?;
        let (provider, claims) = verified(context, &arn, &input.web_identity_token).await?;
        let audience = audience(&provider, &claims)?;
        let role = find(context, &arn).await?.ok_or_else(|| denied(context, &arn))?;
        let facts = facts(&provider, &claims, &audience)?;
        let allowed = permit(context, &role, &provider, &claims, &facts, &input.role_session_name)?;
        let lasts = Lasts::from(context.now, lifetime(&role, input.duration_seconds)?);
        let percent = narrowed.percent(&facts);
        let mut facts = facts;
        let policies = narrowed.narrow(context, &role, &mut facts).await?;
        let (setup, source_identity) = (context.setup(), facts.source_identity.clone());
        let name = &input.role_session_name;
        let session = issue(&setup.store, &*setup.random, &role, name, policies, facts, lasts)?;
        allowed.commit(allowed.begin().await?).await?;
        Ok(AssumeRoleWithWebIdentityResponse {
            credentials: Some(wire(&session)),
            assumed_role_user: Some(assumed(&session)),
            subject_from_web_identity_token: claims.subject,
            packed_policy_size: percent,
            provider: Some(provider.arn().into()),
            audience: Some(audience),
            source_identity,
        })
    }
}

/// The provider of a token, and what the token says.
async fn verified(context: &Context, role: &Arn, token: &str) -> Result<(OidcProvider, Claims), Failure> {
    let issuer = claimed_issuer(token).map_err(|error| invalid_token(sentence(&error)))?;
    let name = issuer.split_once("://").map_or(issuer.as_str(), |(_, name)| name);
    let found = match AccountId::parse(role.account()) {
        Ok(account) => context.setup().store.read().await?.oidc_provider(&account, name).await?,
        Err(_) => None,
    };
    let provider = found.filter(|provider| provider.url == issuer).ok_or_else(|| {
        invalid_token(format!("No OpenIDConnect provider found in your account for {issuer}"))
    })?;
    let discovery = format!("{}/.well-known/openid-configuration", provider.url);
    match context.setup().issuers.verify(&discovery, token).await {
        Ok(claims) if claims.issuer == provider.url => Ok((provider, claims)),
        Ok(_) => Err(invalid_token("The token is of another issuer.".to_owned())),
        Err(VerifyError::Token(TokenError::Claim("exp", why))) => {
            Err(Fault::new("ExpiredTokenException", format!("Token is not valid any more: its exp is {why}"))
                .into())
        }
        Err(VerifyError::Token(error)) => Err(invalid_token(sentence(&error))),
        Err(VerifyError::Issuer(IssuerError::Store(error))) => Err(Failure::from(&*error)),
        Err(VerifyError::Issuer(error)) => {
            tracing::warn!(%error, "The issuer of a web identity token cannot be reached.");
            let message = "The identity provider cannot be reached, so the token cannot be verified. Retry.";
            Err(Fault::new("IDPCommunicationErrorException", message).into())
        }
    }
}

/// The audience that a token is for, which the provider must have been registered with: `azp` where it is, else `aud`,
/// and `client_id` of access tokens that have neither, as user pools issue them.
fn audience(provider: &OidcProvider, claims: &Claims) -> Result<String, Failure> {
    let meant: Vec<&str> = match (claims.text("azp"), claims.all.get("aud")) {
        (Some(party), _) => vec![party],
        (None, Some(Value::String(one))) => vec![one],
        (None, Some(Value::Array(several))) => several.iter().filter_map(Value::as_str).collect(),
        (None, _) => claims.text("client_id").into_iter().collect(),
    };
    let known = meant.into_iter().find(|audience| provider.client_ids.iter().any(|known| known == audience));
    known.map(str::to_owned).ok_or_else(|| invalid_token("Incorrect token audience".to_owned()))
}

/// What is said of the session: what the token says that conditions may look at, and the tags that the provider gives.
fn facts(provider: &OidcProvider, claims: &Claims, audience: &str) -> Result<SessionFacts, Failure> {
    let name = provider.name();
    let mut keys = BTreeMap::from([(format!("{name}:aud"), audience.to_owned())]);
    if let Some(subject) = &claims.subject {
        keys.insert(format!("{name}:sub"), subject.clone());
    }
    if let (Some(_), Some(other)) = (claims.text("azp"), claims.text("aud")) {
        keys.insert(format!("{name}:oaud"), other.to_owned());
    }
    let (mut tags, mut transitive) = (BTreeMap::new(), Vec::new());
    if let Some(given) = claims.all.get(TAGS_CLAIM) {
        for (key, value) in given.get("principal_tags").and_then(Value::as_object).into_iter().flatten() {
            // Tags come as lists of one, as SAML has them, or as they are.
            let one = value.as_str().or_else(|| value.as_array()?.first()?.as_str());
            tags.insert(key.clone(), one.ok_or_else(unsound_tags)?.to_owned());
        }
        let listed = given.get("transitive_tag_keys").and_then(Value::as_array).into_iter().flatten();
        transitive = listed
            .filter_map(Value::as_str)
            .filter(|key| tags.contains_key(*key))
            .map(str::to_owned)
            .collect();
    }
    if tags.len() > MOST_TAGS || tags.iter().any(|(key, value)| key.len() > 128 || value.len() > 256) {
        return Err(unsound_tags());
    }
    Ok(SessionFacts {
        tags,
        transitive,
        source_identity: claims.text(SOURCE_IDENTITY_CLAIM).map(str::to_owned),
        policies: Vec::new(),
        federated_provider: Some(provider.arn().into()),
        claims: keys,
    })
}

/// Whether the role trusts the provider with this token, with its tags, and with whom it names behind the session.
fn permit<'a>(
    context: &'a Context,
    role: &Role,
    provider: &OidcProvider,
    claims: &Claims,
    facts: &SessionFacts,
    session: &str,
) -> Result<Authorized<'a>, Failure> {
    let trust = roles::trust_policy(role)?;
    let (arn, vouching) = (role.arn(), provider.arn());
    let requester = Requester::Federated(vouching.as_str());
    let conditions = context.of_request(Conditions::of(&requester));
    let conditions = of_role(conditions, role)
        .with("sts:RoleSessionName", session)
        .with("aws:FederatedProvider", vouching.as_str());
    let conditions = asked_of(conditions, &facts.tags, &facts.transitive);
    let conditions =
        facts.claims.iter().fold(conditions, |conditions, (key, value)| conditions.with(key, value.as_str()));
    let methods =
        claims.all.get("amr").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let conditions = conditions.with_many(&format!("{}:amr", provider.name()), methods);
    let conditions = match &facts.source_identity {
        Some(identity) => conditions.with("sts:SourceIdentity", identity.as_str()),
        None => conditions,
    };
    let needed = [
        ("sts:AssumeRoleWithWebIdentity", true),
        ("sts:TagSession", !facts.tags.is_empty()),
        ("sts:SetSourceIdentity", facts.source_identity.is_some()),
    ];
    let mut deciding = None;
    for (action, _) in needed.into_iter().filter(|(_, is_needed)| *is_needed) {
        let question = Question {
            requester,
            action,
            resource: arn.as_str(),
            resource_account: Some(&role.account),
            context: &conditions,
        };
        let verdict = ::iam::evaluate_trust(&question, &trust, &PolicySets::default());
        if !verdict.is_allowed() {
            tracing::info!(action, role = %arn, verdict = %verdict, "A web identity is not trusted.");
            return Err(denied(context, &arn));
        }
        deciding.get_or_insert(verdict);
    }
    let verdict = deciding.ok_or_else(|| denied(context, &arn))?;
    let actor = Actor::Token {
        issuer: claims.issuer.clone(),
        subject: claims.subject.clone(),
        client_id: claims.text("client_id").map(str::to_owned),
    };
    Ok(Authorized::by(context, arn, &verdict).of(actor))
}

fn unsound_tags() -> Failure {
    invalid_token(format!(
        "The token's claim {TAGS_CLAIM} is not sound: it has {MOST_TAGS} tags of text at most."
    ))
}

fn invalid_token(message: String) -> Failure {
    Fault::new("InvalidIdentityTokenException", message).into()
}
