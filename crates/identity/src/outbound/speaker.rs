//! An identity of the account that speaks for itself to a token endpoint, by web identity tokens of AWS STS: as the client
//! (`AWS_IAM_ID_TOKEN_JWT` as `clientAuthenticationMethod`), or as who acts for a person (as `actorTokenContent`).

use std::time::Duration;

use domain::{
    ActorToken, Arn, Caller, ClientAuthentication, CredentialSettings, OAuth2Settings, OnBehalfOfGrant,
    Region, Scope, Secret,
};

use super::endpoint::Servers;
use super::{Outbound, Refusal};
use crate::web_identity::{LIFE, WebIdentities, WebIdentityAlgorithm, WebIdentityAsk};

/// By which algorithm its tokens are signed: the one that every server takes.
pub(super) const ALGORITHM: WebIdentityAlgorithm = WebIdentityAlgorithm::Rs256;

/// Who speaks.
#[derive(Clone)]
pub(super) struct Speaker {
    pub(super) caller: Caller,
    pub(super) region: Region,
}

/// Whether the requests of a provider speak of the identity that asks.
pub(super) fn is_needed(settings: &OAuth2Settings) -> bool {
    let acts = matches!(
        settings.on_behalf_of.as_ref().map(|how| &how.grant),
        Some(OnBehalfOfGrant::TokenExchange(ActorToken::IamIdentity))
    );
    acts || settings.authentication == Some(ClientAuthentication::IamIdentity)
}

impl Outbound {
    /// For whom the web identity token is that a provider's requests carry: its token endpoint. Nothing where they carry
    /// none. Whoever asks must be allowed `sts:GetWebIdentityToken` for it.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such provider, or its endpoint is not found.
    pub async fn web_identity_audience(
        &self,
        scope: &Scope,
        provider: &Arn,
    ) -> Result<Option<String>, Refusal> {
        let held = self.find(scope, provider).await?;
        match &held.provider.settings {
            CredentialSettings::OAuth2(settings) if is_needed(settings) => {
                self.servers.token_endpoint(&held, settings).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The issuers of web identity tokens.
    #[must_use]
    pub fn web_identities(&self) -> &std::sync::Arc<WebIdentities> {
        &self.servers.web_identities
    }
}

impl Servers {
    /// A token that says to an endpoint who speaks. It is not good for longer than the session of who does.
    pub(super) async fn spoken(&self, speaker: Option<&Speaker>, endpoint: &str) -> Result<Secret, Refusal> {
        let speaker = speaker.ok_or(Refusal::NoIdentity)?;
        let now = self.clock.now();
        let left = speaker.caller.expires_at.map_or(LIFE, |end| end.since(now));
        let ask = WebIdentityAsk {
            caller: &speaker.caller,
            region: &speaker.region,
            audiences: &[endpoint.to_owned()],
            life: LIFE.min(Duration::from_secs(left.as_secs())),
            algorithm: ALGORITHM,
            tags: &std::collections::BTreeMap::new(),
        };
        let (token, _) = self.web_identities.issue(&ask, now).await?;
        Ok(token)
    }
}
