//! The tokens of people in the vault: given while they are good, refreshed by one request at a time, dropped when their server
//! takes them back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Actor, CredentialSettings, RequestId, Secret, Timestamp, UserToken};
use serde::{Deserialize, Serialize};
use store::StoreError;

use super::record::About;
use super::{UserAsk, client_of, parameters};
use crate::outbound::client_form::ClientForm;
use crate::outbound::grant_request::GrantRequest;
use crate::outbound::tokens::{Issued, REFUSED_PAUSE};
use crate::outbound::vault::Held;
use crate::outbound::{Outbound, Refusal};

/// How long before its end a token is no longer used, at most; of short-lived ones it is a tenth of their life.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is used whose server says nothing of its life, where another can be got without asking anybody.
const ASSUMED_LIFE: Duration = Duration::from_secs(5 * 60);
/// How long one request alone may refresh tokens: longer than a token endpoint is waited for.
const LEASE: Duration = Duration::from_secs(20);
/// How long after a failure the next attempt waits.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
/// How often those who wait for a refresh look again, and how many times.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: usize = 400;

/// Tokens, as they are sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Tokens {
    access: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    /// When the access token was asked for.
    asked: Timestamp,
    /// When it ends, as far as its server said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    /// The client and the server that they are of.
    client: String,
}

impl Tokens {
    pub(super) fn new(issued: &Issued, client: String) -> Self {
        Self {
            access: issued.secret.expose().to_owned(),
            refresh: issued.refresh.as_ref().map(|refresh| refresh.expose().to_owned()),
            asked: issued.asked,
            expires: issued.expires,
            client,
        }
    }

    pub(super) fn sealed(&self) -> Result<Secret, StoreError> {
        serde_json::to_string(self).map(Secret::new).map_err(|error| StoreError::Refused(error.to_string()))
    }

    fn open(token: &UserToken) -> Result<Self, StoreError> {
        // What the parser says of them may quote them.
        serde_json::from_str(token.tokens.expose()).map_err(|_| StoreError::Corrupt {
            table: "user_tokens",
            detail: "they cannot be read".to_owned(),
        })
    }

    /// Whether the access token is good now. One whose end nobody named is, until its server says otherwise or a refresh
    /// token can get another.
    fn is_usable(&self, now: Timestamp) -> bool {
        match self.expires {
            Some(expires) => {
                let life = expires.since(self.asked);
                let used = life.saturating_sub(MARGIN.min(life / 10));
                now < self.asked.plus(used)
            }
            None => self.refresh.is_none() || now < self.asked.plus(ASSUMED_LIFE),
        }
    }
}

impl Outbound {
    /// A person's token out of the vault, refreshed where that is due; nothing when somebody must consent first.
    ///
    /// # Errors
    /// [`Refusal`] when there is a refresh token and its server cannot be asked now.
    pub async fn user_token(&self, ask: &UserAsk<'_>) -> Result<Option<Secret>, Refusal> {
        let held = self.find(ask.scope(), &ask.provider.arn()).await?;
        if let Some(refusal) = &held.unusable {
            return Err(refusal.clone());
        }
        let CredentialSettings::OAuth2(settings) = &held.provider.settings else {
            return Err(Refusal::OtherKind { provider: held.provider.arn(), gives: "an API key" });
        };
        let (handle, client) = (ask.handle()?, client_of(settings));
        for _ in 0..LOOKS {
            let found = self.store.read().await?.user_token(ask.scope(), &handle).await?;
            let Some(found) = found else { return Ok(None) };
            let tokens = Tokens::open(&found)?;
            if tokens.client != client {
                return Ok(None);
            }
            let now = self.clock.now();
            if tokens.is_usable(now) {
                return Ok(Some(Secret::new(tokens.access)));
            }
            let Some(refresh) = tokens.refresh else { return Ok(None) };
            if self.store.lease_user_token(&found, now, now.plus(LEASE)).await? {
                let parameters = parameters::of_tokens(ask.parameters);
                return self.refreshed(held, found, Secret::new(refresh), client, parameters).await;
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(Refusal::Interrupted)
    }

    /// Forgets a person's tokens, because somebody has to be asked again. Commits nothing by itself.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn forget_user_token(&self, tx: &mut store::Tx, ask: &UserAsk<'_>) -> Result<(), StoreError> {
        match tx.user_token(ask.scope(), &ask.handle()?).await? {
            Some(found) => tx.delete_user_token(&found).await,
            None => Ok(()),
        }
    }

    /// Takes a person's access token out of use, because it was not accepted where it was shown. Answers whether asking again
    /// may give another: a token that is seconds old is not replaced. One without a refresh token is forgotten, so that the
    /// person is asked again.
    ///
    /// # Errors
    /// [`Refusal`] when the provider cannot be read or the store fails.
    pub async fn refuse_user_token(&self, ask: &UserAsk<'_>, refused: &Secret) -> Result<bool, Refusal> {
        let mut tx = self.store.begin().await?;
        let Some(mut found) = tx.user_token(ask.scope(), &ask.handle()?).await? else { return Ok(true) };
        let (mut tokens, now) = (Tokens::open(&found)?, self.clock.now());
        if !Secret::new(tokens.access.as_str()).same_as(refused) {
            return Ok(true);
        }
        if now.since(tokens.asked) < REFUSED_PAUSE {
            return Ok(false);
        }
        let done = if tokens.refresh.is_some() {
            tokens.expires = Some(now);
            found.tokens = tokens.sealed()?;
            tx.update_user_token(&found).await
        } else {
            tx.delete_user_token(&found).await
        };
        match done {
            // Somebody else was faster.
            Err(StoreError::Stale) => return Ok(true),
            done => done?,
        }
        let about = About {
            action: "refuse_token",
            scope: ask.scope(),
            provider: &ask.provider.name,
            actor: Actor::System,
            source_ip: None,
        };
        tx.commit(&self.event(about, None, &RequestId::mint(&*self.servers.random))).await?;
        Ok(true)
    }

    /// Refreshes tokens in a task of its own: what the server gave must be kept, also when the caller hangs up, because it may
    /// have taken back what was there (RFC 6749, section 6; RFC 9700, section 4.14.2).
    async fn refreshed(
        &self,
        held: Arc<Held>,
        found: UserToken,
        refresh: Secret,
        client: String,
        parameters: BTreeMap<String, String>,
    ) -> Result<Option<Secret>, Refusal> {
        let outbound = self.clone();
        let refreshing =
            tokio::spawn(async move { outbound.refresh(&held, found, &refresh, client, &parameters).await });
        refreshing.await.unwrap_or(Err(Refusal::Interrupted))
    }

    async fn refresh(
        &self,
        held: &Held,
        mut found: UserToken,
        refresh: &Secret,
        client: String,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Option<Secret>, Refusal> {
        let request_id = RequestId::mint(&*self.servers.random);
        let (scope, provider) = (found.scope.clone(), found.provider.clone());
        let about = || About {
            action: "refresh_token",
            scope: &scope,
            provider: &provider,
            actor: Actor::System,
            source_ip: None,
        };
        let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
        match self.granted(held, &grant, parameters).await {
            Ok(issued) => {
                let mut tokens = Tokens::new(&issued, client);
                // A server that sends no other leaves the one that is there in force.
                tokens.refresh.get_or_insert_with(|| refresh.expose().to_owned());
                found.tokens = tokens.sealed()?;
                let mut tx = self.store.begin().await?;
                match tx.update_user_token(&found).await {
                    Ok(()) => tx.commit(&self.event(about(), None, &request_id)).await?,
                    // Somebody wants the person asked again.
                    Err(StoreError::Stale) => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
                Ok(Some(issued.secret))
            }
            Err(refusal) if refusal.code() == Some("invalid_grant") => {
                let mut tx = self.store.begin().await?;
                match tx.delete_user_token(&found).await {
                    Ok(()) => {
                        let why = "the authorization server takes the refresh token no longer";
                        let event = self.event(about(), Some(("invalid_grant", why)), &request_id);
                        tx.commit(&event).await?;
                    }
                    Err(StoreError::Stale) => {}
                    Err(error) => return Err(error.into()),
                }
                Ok(None)
            }
            Err(refusal) => {
                tracing::warn!(provider.arn = %held.provider.arn(), error = %refusal, "A person's token cannot be refreshed.");
                self.store.release_user_token(&found, self.clock.now().plus(FAILURE_PAUSE)).await?;
                Err(refusal)
            }
        }
    }

    /// What a provider's token endpoint gives for a grant.
    pub(super) async fn granted(
        &self,
        held: &Held,
        grant: &[(&'static str, &str)],
        parameters: &BTreeMap<String, String>,
    ) -> Result<Issued, Refusal> {
        let provider = &held.provider;
        let (CredentialSettings::OAuth2(settings), Some(secret)) = (&provider.settings, &provider.secret)
        else {
            return Err(Refusal::OtherKind { provider: provider.arn(), gives: "an API key" });
        };
        let endpoint = self.servers.endpoint_of(held, settings).await?;
        // Nobody's identity speaks here: a browser came back, or a token is refreshed for a person.
        let proof = self.servers.proof(provider, secret, &endpoint, settings, None).await?;
        let form = ClientForm::new(&settings.client_id, &proof, &GrantRequest::of_a_code(grant, parameters));
        self.servers.ask(&endpoint, settings.vendor.facts().answer, &form).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(life: Option<i64>, refresh: Option<&str>) -> Tokens {
        let asked = Timestamp::from_seconds(1_000);
        Tokens {
            access: "a".to_owned(),
            refresh: refresh.map(str::to_owned),
            asked,
            expires: life.map(|life| Timestamp::from_seconds(1_000 + life)),
            client: String::new(),
        }
    }

    #[test]
    fn a_token_is_used_until_shortly_before_its_end() {
        let at = Timestamp::from_seconds;
        assert!(tokens(Some(3_600), None).is_usable(at(1_000 + 3_539)));
        assert!(!tokens(Some(3_600), None).is_usable(at(1_000 + 3_540)));
        assert!(tokens(Some(100), None).is_usable(at(1_089)));
        assert!(!tokens(Some(100), None).is_usable(at(1_090)));
        assert!(!tokens(Some(0), None).is_usable(at(1_000)));
        // Nobody said how long it lives.
        assert!(tokens(None, None).is_usable(at(1_000_000)));
        assert!(tokens(None, Some("r")).is_usable(at(1_299)));
        assert!(!tokens(None, Some("r")).is_usable(at(1_300)));
    }
}
