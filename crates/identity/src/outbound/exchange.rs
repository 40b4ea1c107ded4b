//! Tokens on behalf of a person: theirs becomes one for someone else's service ("On-behalf-of token exchange with
//! AgentCore Identity" in the developer guide). What is got is remembered for the workload and for that very token.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{ActorToken, CredentialSettings, OnBehalfOf, OnBehalfOfGrant};

use super::client_form::check_parameter;
use super::party::{Acting, ActorKind, Exchange, Party, PartyKey};
use super::tokens::TokenKey;
use super::vault::Held;
use super::{Ask, Grant, Granted, OAuthNeed, Outbound, Refusal};

impl Outbound {
    /// A token for the person whose token was brought.
    pub(super) async fn token_of_the_person(
        &self,
        held: &Arc<Held>,
        ask: &Ask<'_>,
        need: OAuthNeed<'_>,
    ) -> Result<Granted, Refusal> {
        let how = how(held)?;
        for name in need.parameters.keys() {
            check_parameter(name)?;
        }
        let subject = ask.brought.token.ok_or(Refusal::NoPerson)?.clone();
        let key = key(ask, need);
        let issued = match held.known(&key, self.clock.now()) {
            Some(issued) => issued,
            None => {
                let actor = self.acting(held, &how).await?;
                let party = Party { exchange: Some(Exchange { how, subject, actor }) };
                held.token(key, party, &self.servers).await?
            }
        };
        Ok(Granted::Token { secret: issued.secret.clone(), expires: issued.expires })
    }

    /// The token of who acts for the person: that of the client is remembered like its others.
    async fn acting(&self, held: &Arc<Held>, how: &OnBehalfOf) -> Result<Option<Acting>, Refusal> {
        let OnBehalfOfGrant::TokenExchange(ActorToken::Client { scopes }) = &how.grant else {
            return Ok(None);
        };
        let key = TokenKey { scopes: scopes.clone(), parameters: BTreeMap::new(), party: None };
        let issued = held.token(key, Party::default(), &self.servers).await?;
        Ok(Some(Acting { token: issued.secret.clone(), kind: ActorKind::AccessToken }))
    }
}

/// How the provider exchanges tokens: as its owner says, or as its vendor does.
fn how(held: &Held) -> Result<OnBehalfOf, Refusal> {
    let provider = &held.provider;
    match &provider.settings {
        CredentialSettings::OAuth2(settings) => {
            let how = settings.on_behalf_of.clone().or_else(|| settings.vendor.facts().exchange());
            how.ok_or_else(|| Refusal::NoExchange(provider.arn()))
        }
        CredentialSettings::ApiKey => {
            Err(Refusal::OtherKind { provider: provider.arn(), gives: "an API key" })
        }
    }
}

/// Under what a token is remembered.
pub(super) fn key(ask: &Ask<'_>, need: OAuthNeed<'_>) -> TokenKey {
    let party = match (need.grant, ask.brought.token) {
        (Grant::TokenExchange, Some(token)) => {
            Some(PartyKey::of(&[ask.workload.unwrap_or_default(), token.expose()]))
        }
        _ => None,
    };
    TokenKey { party, ..TokenKey::of_the_client(need) }
}

impl TokenKey {
    /// Of a token of the client itself.
    pub(super) fn of_the_client(need: OAuthNeed<'_>) -> Self {
        Self { scopes: need.scopes.to_vec(), parameters: need.parameters.clone(), party: None }
    }
}
