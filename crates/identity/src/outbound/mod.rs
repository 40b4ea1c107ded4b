//! Which credential goes with a call to someone else's service.
//!
//! A target names a credential provider; [`Outbound::credential`] turns that, and who asks, into an API key, a token, a
//! page where a person must consent first, or a refusal that says what to do. Providers are read from the store once and
//! remembered until the change feed tells of them ([`Outbound::forget_provider`]); tokens are remembered with their
//! provider, so that a changed provider takes its tokens with it.
//!
//! Of the OAuth grants, client credentials are served here, token exchange in `exchange`, and what people consent to in
//! `federation`.

mod assertion;
mod client_form;
mod endpoint;
mod exchange;
mod external;
pub mod federation;
mod grant_request;
mod party;
mod permission;
mod refusal;
mod speaker;
mod token_answer;
mod tokens;
mod vault;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{
    Arn, Caller, Clock, CredentialKind, CredentialProvider, CredentialSettings, Random, Scope, Secret,
    Timestamp,
};
use egress::Client;
use store::Store;

use crate::provider::{Names, Provider};
use crate::web_identity::WebIdentities;
pub use assertion::client_key_set;
pub use client_form::check_parameter;
use endpoint::Servers;
pub use endpoint::check_url;
pub use external::read_external;
pub use permission::{Role, may_speak, may_use, speaking};
pub use refusal::{Refusal, Said};
use vault::{Held, Vault};

/// Credentials for what is called.
#[derive(Clone)]
pub struct Outbound {
    store: Store,
    vault: Arc<Vault>,
    servers: Arc<Servers>,
    clock: Arc<dyn Clock>,
}

/// Who needs which credential for what.
pub struct Ask<'a> {
    /// Whose the gateway or the agent is, and where. Its providers are there too.
    pub scope: &'a Scope,
    /// The provider.
    pub provider: &'a Arn,
    /// What is needed of it.
    pub need: Need<'a>,
    /// The workload for which it is.
    pub workload: Option<&'a str>,
    /// The person for whom it is; the grants that are served do not look at them.
    pub user: Option<&'a str>,
    /// What those for whom it is brought.
    pub brought: Brought<'a>,
}

/// What those brought for whom a credential is.
#[derive(Clone, Copy, Default)]
pub struct Brought<'a> {
    /// The person's own token, verified.
    pub token: Option<&'a Secret>,
    /// The identity that asks, which was allowed to speak for itself where the provider's requests do
    /// ([`Outbound::web_identity_audience`]).
    pub caller: Option<&'a Caller>,
}

/// What is needed of a provider.
#[derive(Clone, Copy)]
pub enum Need<'a> {
    /// Its API key.
    ApiKey,
    /// A token.
    OAuth(OAuthNeed<'a>),
}

/// A token that is needed.
#[derive(Clone, Copy)]
pub struct OAuthNeed<'a> {
    /// How it is to be had.
    pub grant: Grant,
    /// The scopes to ask for; none leaves them to the authorization server.
    pub scopes: &'a [String],
    /// More parameters of the token request. Those that Portcullis sets itself are refused.
    pub parameters: &'a BTreeMap<String, String>,
}

/// How a token is to be had (`OAuthGrantType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// For the client itself (RFC 6749, section 4.4).
    ClientCredentials,
    /// For a person who consented (RFC 6749, section 4.1).
    AuthorizationCode,
    /// For the person whose token came in (RFC 8693).
    TokenExchange,
}

/// What was asked for, or what must happen before.
pub enum Granted {
    /// An API key.
    ApiKey(Secret),
    /// A bearer token.
    Token {
        /// The token.
        secret: Secret,
        /// When it ends, as far as its server said.
        expires: Option<Timestamp>,
    },
    /// A person must consent on this page, and then ask again.
    ConsentNeeded {
        /// The page.
        url: String,
    },
}

impl Outbound {
    /// Credentials of the providers in `store`. Authorization servers are asked through `client`; pools of our own are
    /// asked in this process, through `provider`.
    #[must_use]
    pub fn new(
        store: Store,
        client: Client,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        names: Arc<Names>,
        provider: Arc<Provider>,
    ) -> Self {
        let web_identities = WebIdentities::new(store.clone(), Arc::clone(&names), Arc::clone(&random));
        let servers = Servers {
            client,
            names,
            provider,
            clock: Arc::clone(&clock),
            random,
            web_identities: Arc::new(web_identities),
        };
        Self { vault: Arc::new(Vault::new(store.clone())), store, servers: Arc::new(servers), clock }
    }

    /// The credential that is asked for.
    ///
    /// # Errors
    /// [`Refusal`], whose text is for the owner of the target and holds no secret.
    pub async fn credential(&self, ask: &Ask<'_>) -> Result<Granted, Refusal> {
        let held = self.find(ask.scope, ask.provider).await?;
        if let Some(refusal) = &held.unusable {
            return Err(refusal.clone());
        }
        match ask.need {
            Need::ApiKey => api_key(&held.provider),
            Need::OAuth(need) => match need.grant {
                Grant::ClientCredentials => self.token_of_the_client(&held, ask, need).await,
                Grant::AuthorizationCode => Err(Refusal::Grant("AUTHORIZATION_CODE")),
                Grant::TokenExchange => self.token_of_the_person(&held, ask, need).await,
            },
        }
    }

    /// Forgets a token, because it was not accepted where it was shown. Answers whether asking again may give another: an
    /// API key has no successor, and a token that is seconds old is not replaced, so that a service which accepts none
    /// cannot make Portcullis ask for one at each call.
    #[must_use]
    pub fn forget(&self, ask: &Ask<'_>, refused: &Secret) -> bool {
        let Need::OAuth(need) = ask.need else { return false };
        match self.vault.remembered(ask.provider) {
            Some(held) => held.forget(&held.key(ask, need), refused, self.clock.now()),
            None => true,
        }
    }

    /// Forgets a provider and its tokens, because it changed. `id` is as the change feed has it: `{kind}/{name}`.
    pub fn forget_provider(&self, scope: &Scope, id: &str) {
        self.vault.forget(&Arn::agentcore(scope, &format!("token-vault/default/{id}")));
    }

    /// Every secret that calls with this provider may carry now: its API key or its client's secret, and the tokens that
    /// are remembered. A token that was handed out and has been forgotten since is known to whoever got it.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such provider, or the store fails.
    pub async fn secrets_of(&self, scope: &Scope, provider: &Arn) -> Result<Vec<Secret>, Refusal> {
        let held = self.find(scope, provider).await?;
        Ok(held.provider.secret.iter().cloned().chain(held.tokens()).collect())
    }

    /// The provider of an ARN, without its secret, and its tags: what [`may_use`] decides about.
    ///
    /// # Errors
    /// As [`Outbound::secrets_of`].
    pub async fn provider(
        &self,
        scope: &Scope,
        provider: &Arn,
    ) -> Result<(CredentialProvider, BTreeMap<String, String>), Refusal> {
        let held = self.find(scope, provider).await?;
        Ok((CredentialProvider { secret: None, ..held.provider.clone() }, held.tags.clone()))
    }

    async fn find(&self, scope: &Scope, arn: &Arn) -> Result<Arc<Held>, Refusal> {
        let (of, kind, name) =
            arn.as_credential_provider().ok_or_else(|| Refusal::NoProvider(arn.clone()))?;
        if of != *scope {
            return Err(Refusal::Elsewhere(arn.clone()));
        }
        self.vault.find(scope, kind, &name).await?.ok_or_else(|| Refusal::Unknown(arn.clone()))
    }

    async fn token_of_the_client(
        &self,
        held: &Arc<Held>,
        ask: &Ask<'_>,
        need: OAuthNeed<'_>,
    ) -> Result<Granted, Refusal> {
        if held.provider.kind() != CredentialKind::OAuth2 {
            return Err(Refusal::OtherKind { provider: held.provider.arn(), gives: "an API key" });
        }
        for name in need.parameters.keys() {
            check_parameter(name)?;
        }
        let issued = held.token(held.key(ask, need), held.party(ask), &self.servers).await?;
        Ok(Granted::Token { secret: issued.secret.clone(), expires: issued.expires })
    }
}

fn api_key(provider: &CredentialProvider) -> Result<Granted, Refusal> {
    match (&provider.settings, &provider.secret) {
        (CredentialSettings::ApiKey, Some(key)) => Ok(Granted::ApiKey(key.clone())),
        _ => Err(Refusal::OtherKind { provider: provider.arn(), gives: "OAuth2 tokens" }),
    }
}
