//! What a gateway shows to its targets: the outbound authorization of a target becomes a [`Credential`] that is put on
//! requests, and a mask that takes it out of what comes back.
//!
//! Nothing else attaches `Authorization` to a call of an upstream, and every call is dressed here, with nothing where
//! nothing is configured: what the caller presented goes further only where the target says so by name. Source:
//! "Set up outbound authorization for your gateway" in the AgentCore developer guide.

mod credential;
mod guard_role;
mod key;
mod masks;
mod role;
mod sessions;

use std::sync::Arc;

use aws::sigv4;
use domain::{
    ApiKeyOutbound, Arn, Clock, OAuthGrant, OAuthOutbound, Outbound, Random, Scope, Secret, Signing,
    WorkloadUser,
};
use identity::outbound::federation::{Allowed, CallerAsk};
use identity::outbound::{self, Ask, Brought as Known, Grant, Granted, OAuthNeed, may_speak, may_use};
use store::Store;

pub use credential::Credential;
pub use guard_role::{GuardRole, UnknownGuardRole};
pub use role::{RoleAccess, Roles};

use masks::Masks;
use sessions::Sessions;

/// Credentials for the targets of gateways.
pub struct Credentials {
    outbound: Arc<outbound::Outbound>,
    sessions: Sessions,
    masks: Masks,
    clock: Arc<dyn Clock>,
}

/// Which credential is needed, by whom.
#[derive(Clone, Copy)]
pub struct Need<'a> {
    /// Whose the gateway is, and where.
    pub scope: &'a Scope,
    /// The gateway.
    pub gateway: &'a Arn,
    /// Its role.
    pub role: &'a RoleAccess,
    /// What the target's settings say.
    pub outbound: &'a Outbound,
    /// What calls of this kind of target are signed for, where its settings name nothing.
    pub service: Option<&'a str>,
    /// What the gateway's caller brought.
    pub brought: Brought<'a>,
}

/// What the caller of a gateway brought to prove who it is.
#[derive(Clone, Copy, Default)]
pub struct Brought<'a> {
    /// What it signs with.
    pub signing: Option<&'a sigv4::Credentials>,
    /// Its bearer token.
    pub token: Option<&'a Secret>,
    /// Who it is, by a token that was verified.
    pub person: Option<&'a WorkloadUser>,
    /// Where it wants to be sent after consenting, in the place of the target's own return URL.
    pub return_url: Option<&'a str>,
    /// Whether it wants to be asked anew (`forceAuthentication`).
    pub anew: bool,
}

/// Why there is no credential: in words for the gateway's owner, without a secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// What is wrong.
    pub why: String,
    /// The endpoint that failed, when one was asked.
    pub endpoint: Option<String>,
    /// The status with which it failed.
    pub status: Option<u16>,
    /// The page where the caller has to consent first.
    pub consent: Option<String>,
}

impl Refused {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), endpoint: None, status: None, consent: None }
    }
}

impl From<outbound::Refusal> for Refused {
    fn from(refusal: outbound::Refusal) -> Self {
        Self {
            why: refusal.to_string(),
            endpoint: refusal.endpoint().map(str::to_owned),
            status: refusal.status(),
            consent: None,
        }
    }
}

impl Credentials {
    /// Credentials out of the token vault, of the roles in `store`, and of callers.
    #[must_use]
    pub fn new(
        outbound: Arc<outbound::Outbound>,
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { outbound, sessions: Sessions::new(store, random), masks: Masks::default(), clock }
    }

    /// The credential that a call needs.
    ///
    /// # Errors
    /// [`Refused`] when there is none: the role may not have it, its server does not give it, the caller brought none.
    pub async fn of(&self, need: &Need<'_>) -> Result<Credential, Refused> {
        match need.outbound {
            Outbound::None => Ok(Credential::none()),
            Outbound::GatewayRole(signing) => self.of_the_role(need, signing),
            Outbound::CallerIam(signing) => self.of_the_caller(need, signing),
            Outbound::JwtPassthrough => self.passed_through(need),
            // Rarely under way for long: what every call carries stays small.
            Outbound::ApiKey(key) => Box::pin(self.api_key(need, key)).await,
            Outbound::OAuth(oauth) => Box::pin(self.token(need, oauth)).await,
        }
    }

    /// Forgets a credential that its target answered with 401. Answers whether asking again may give another.
    ///
    /// # Errors
    /// [`Refused`] when it was allowed by a person, and the vault cannot be asked.
    pub async fn forget(&self, need: &Need<'_>, refused: &Credential) -> Result<bool, Refused> {
        match (need.outbound, refused.token()) {
            (Outbound::OAuth(oauth), Some(token)) if oauth.grant == OAuthGrant::AuthorizationCode => {
                let ask = of_caller(need, oauth)?;
                Ok(Box::pin(self.outbound.refused_of_caller(&ask, token)).await?)
            }
            (Outbound::OAuth(oauth), Some(token)) => Ok(self.outbound.forget(&ask(need, oauth), token)),
            _ => Ok(false),
        }
    }

    /// Signed in the name of the gateway's role; without a service there is nothing to sign for, and the call goes as it
    /// is.
    fn of_the_role(&self, need: &Need<'_>, signing: &Signing) -> Result<Credential, Refused> {
        let Some(service) = signing.service.as_deref().or(need.service) else {
            return Ok(Credential::none());
        };
        let role = need.role.session(need.gateway).map_err(Refused::new)?;
        let session = self.sessions.of(role.caller, self.clock.now())?;
        let region = region(need, signing)?;
        let clock = Arc::clone(&self.clock);
        let mask = session.mask.clone();
        Ok(Credential::signing(session.credentials.clone(), service, region, clock, Some(mask)))
    }

    fn of_the_caller(&self, need: &Need<'_>, signing: &Signing) -> Result<Credential, Refused> {
        let service = signing.service.as_deref().or(need.service);
        let service = service.ok_or_else(|| Refused::new("the target names no service to sign for"))?;
        let caller = need.brought.signing.ok_or_else(|| {
            Refused::new(
                "the caller did not sign its request, so there are no credentials of its to sign with",
            )
        })?;
        let secrets = std::iter::once(&caller.secret).chain(&caller.session_token).cloned().collect();
        let mask = self.masks.of(&format!("caller {}", caller.access_key_id), secrets);
        let clock = Arc::clone(&self.clock);
        Ok(Credential::signing(caller.clone(), service, region(need, signing)?, clock, Some(mask)))
    }

    fn passed_through(&self, need: &Need<'_>) -> Result<Credential, Refused> {
        let token = need
            .brought
            .token
            .ok_or_else(|| Refused::new("the caller presented no token, so there is none to pass through"))?;
        Credential::bearer(token.clone(), mask::Mask::new([token]))
    }

    async fn api_key(&self, need: &Need<'_>, key: &ApiKeyOutbound) -> Result<Credential, Refused> {
        self.may_use(need, &key.provider).await?;
        let ask = Ask {
            scope: need.scope,
            provider: &key.provider,
            need: outbound::Need::ApiKey,
            workload: None,
            user: None,
            brought: Known::default(),
        };
        let Granted::ApiKey(secret) = self.outbound.credential(&ask).await? else {
            return Err(Refused::new(format!("the credential provider `{}` gives no API key", key.provider)));
        };
        let mask = self.masks.of(key.provider.as_str(), vec![secret.clone()]);
        Credential::api_key(key, &secret, mask)
    }

    async fn token(&self, need: &Need<'_>, oauth: &OAuthOutbound) -> Result<Credential, Refused> {
        self.may_use(need, &oauth.provider).await?;
        if oauth.grant == OAuthGrant::AuthorizationCode {
            return self.of_person(need, oauth).await;
        }
        if let Some(endpoint) = self.outbound.web_identity_audience(need.scope, &oauth.provider).await? {
            let role = need.role.session(need.gateway).map_err(Refused::new)?;
            may_speak(role, &endpoint, self.clock.now()).map_err(Refused::new)?;
        }
        match self.outbound.credential(&ask(need, oauth)).await? {
            // One of many people's: what others have is nothing that this call could carry.
            Granted::Token { secret, .. } if oauth.grant == OAuthGrant::TokenExchange => {
                let mask = mask::Mask::new([&secret]);
                Credential::bearer(secret, mask)
            }
            Granted::Token { secret, .. } => {
                let mut secrets = self.outbound.secrets_of(need.scope, &oauth.provider).await?;
                // Another call may have had it forgotten since.
                if !secrets.iter().any(|known| known.same_as(&secret)) {
                    secrets.push(secret.clone());
                }
                Credential::bearer(secret, self.masks.of(oauth.provider.as_str(), secrets))
            }
            Granted::ConsentNeeded { .. } => Err(Refused::new("a person must consent first")),
            Granted::ApiKey(_) => {
                Err(Refused::new(format!("the credential provider `{}` gives no token", oauth.provider)))
            }
        }
    }

    /// What the caller allowed at somebody else's authorization server.
    async fn of_person(&self, need: &Need<'_>, oauth: &OAuthOutbound) -> Result<Credential, Refused> {
        match self.outbound.of_caller(&of_caller(need, oauth)?).await? {
            Allowed::Token(token) => {
                let mask = mask::Mask::new([&token]);
                Credential::bearer(token, mask)
            }
            Allowed::Ask { url } => {
                Err(Refused { consent: Some(url), ..Refused::new("the caller must consent first") })
            }
        }
    }

    /// Whether the gateway's role may use a provider; asked at each call, so that what was withdrawn is gone.
    async fn may_use(&self, need: &Need<'_>, provider: &Arn) -> Result<(), Refused> {
        let role = need.role.session(need.gateway).map_err(Refused::new)?;
        let (provider, tags) = self.outbound.provider(need.scope, provider).await?;
        may_use(role, (&provider, &tags), self.clock.now()).map_err(Refused::new)
    }
}

/// What is asked of the vault for the person who calls.
fn of_caller<'a>(need: &Need<'a>, oauth: &'a OAuthOutbound) -> Result<CallerAsk<'a>, Refused> {
    let user = need.brought.person.ok_or_else(|| {
        Refused::new("the caller's token says of nobody who it is, so there is nobody who could consent")
    })?;
    let return_url = need.brought.return_url.or(oauth.default_return_url.as_deref());
    let return_url = return_url.ok_or_else(|| Refused::new("the target has no defaultReturnUrl"))?;
    let (_, workload) = need.gateway.as_str().rsplit_once('/').unwrap_or_default();
    Ok(CallerAsk {
        scope: need.scope,
        workload,
        provider: &oauth.provider,
        user,
        scopes: &oauth.scopes,
        parameters: &oauth.custom_parameters,
        return_url,
        anew: need.brought.anew,
    })
}

fn ask<'a>(need: &Need<'a>, oauth: &'a OAuthOutbound) -> Ask<'a> {
    let grant = match oauth.grant {
        OAuthGrant::ClientCredentials => Grant::ClientCredentials,
        OAuthGrant::AuthorizationCode => Grant::AuthorizationCode,
        OAuthGrant::TokenExchange => Grant::TokenExchange,
    };
    let wanted = OAuthNeed { grant, scopes: &oauth.scopes, parameters: &oauth.custom_parameters };
    Ask {
        scope: need.scope,
        provider: &oauth.provider,
        need: outbound::Need::OAuth(wanted),
        workload: Some(need.gateway.as_str()),
        user: None,
        // The role is who asks, where the token endpoint is to know.
        brought: Known {
            caller: need.role.session(need.gateway).ok().map(|role| role.caller),
            token: need.brought.token,
        },
    }
}

fn region(need: &Need<'_>, signing: &Signing) -> Result<domain::Region, Refused> {
    match &signing.region {
        None => Ok(need.scope.region.clone()),
        Some(named) => domain::Region::parse(named)
            .map_err(|_| Refused::new(format!("`{named}` is no region that calls can be signed for"))),
    }
}
