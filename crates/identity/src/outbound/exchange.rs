//! Tokens on behalf of a person: theirs becomes one for someone else's service ("On-behalf-of token exchange with
//! AgentCore Identity" in the developer guide). What is got is remembered for the workload and for that very token.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{ActorToken, CredentialSettings, OAuth2Settings, OnBehalfOf, OnBehalfOfGrant};

use super::client_form::check_parameter;
use super::party::{Acting, Exchange, Party, PartyKey, TokenKind};
use super::speaker::{self, Speaker};
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
        let how = held.how()?;
        for name in need.parameters.keys() {
            check_parameter(name)?;
        }
        let subject = ask.brought.token.ok_or(Refusal::NoPerson)?.clone();
        let key = held.key(ask, need);
        let issued = match held.known(&key, self.clock.now()) {
            Some(issued) => issued,
            None => {
                let actor = self.acting(held, ask, &how).await?;
                let exchange = Some(Exchange { how, subject, actor });
                held.token(key, Party { exchange, ..held.party(ask) }, &self.servers).await?
            }
        };
        Ok(Granted::Token { secret: issued.secret.clone(), expires: issued.expires })
    }

    /// The client's token, where the client acts for the person: it is remembered like its others.
    async fn acting(
        &self,
        held: &Arc<Held>,
        ask: &Ask<'_>,
        how: &OnBehalfOf,
    ) -> Result<Option<Acting>, Refusal> {
        let OnBehalfOfGrant::TokenExchange(ActorToken::Client { scopes }) = &how.grant else {
            return Ok(None);
        };
        let parameters = BTreeMap::new();
        let need = OAuthNeed { grant: Grant::ClientCredentials, scopes, parameters: &parameters };
        let issued = held.token(held.key(ask, need), held.party(ask), &self.servers).await?;
        Ok(Some(Acting { token: issued.secret.clone(), kind: TokenKind::AccessToken }))
    }
}

impl Held {
    /// How the provider exchanges tokens: as its owner says, or as its vendor does.
    fn how(&self) -> Result<OnBehalfOf, Refusal> {
        let arn = || self.provider.arn();
        let settings =
            self.oauth2().ok_or_else(|| Refusal::OtherKind { provider: arn(), gives: "an API key" })?;
        let how = settings.on_behalf_of.clone().or_else(|| settings.vendor.facts().exchange());
        how.ok_or_else(|| Refusal::NoExchange(arn()))
    }

    /// Under what a token is remembered.
    pub(super) fn key(&self, ask: &Ask<'_>, need: OAuthNeed<'_>) -> TokenKey {
        let speaker = self.party(ask).speaker.map(|speaker| speaker.caller.arn().to_string());
        let token = ask.brought.token.filter(|_| need.grant == Grant::TokenExchange);
        let workload = token.and(ask.workload);
        let party = (speaker.is_some() || token.is_some()).then(|| {
            PartyKey::of(&[
                speaker.as_deref().unwrap_or_default(),
                workload.unwrap_or_default(),
                token.map_or("", |token| token.expose()),
            ])
        });
        TokenKey { scopes: need.scopes.to_vec(), parameters: need.parameters.clone(), party }
    }

    /// For whom a token of the client is: for nobody else, unless the server is to know who speaks.
    pub(super) fn party(&self, ask: &Ask<'_>) -> Party {
        let is_told = self.oauth2().is_some_and(speaker::is_needed);
        let caller = ask.brought.caller.filter(|_| is_told);
        let speaker =
            caller.map(|caller| Speaker { caller: caller.clone(), region: ask.scope.region.clone() });
        Party { speaker, exchange: None }
    }

    fn oauth2(&self) -> Option<&OAuth2Settings> {
        match &self.provider.settings {
            CredentialSettings::OAuth2(settings) => Some(settings),
            CredentialSettings::ApiKey => None,
        }
    }
}
