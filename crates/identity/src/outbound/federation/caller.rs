//! What a gateway's caller allowed: its token for a target, or the page where it consents first.

use std::collections::BTreeMap;

use domain::{Actor, Arn, CredentialProvider, RequestId, Scope, Secret, WorkloadIdentity, WorkloadUser};

use super::UserAsk;
use super::record::About;
use crate::outbound::{Outbound, Refusal};

/// Whose token a gateway needs, for what.
pub struct CallerAsk<'a> {
    /// Whose the gateway is, and where.
    pub scope: &'a Scope,
    /// The gateway's workload identity, by its name.
    pub workload: &'a str,
    /// The provider.
    pub provider: &'a Arn,
    /// Who calls, by a token that was verified.
    pub user: &'a WorkloadUser,
    /// The scopes to ask for.
    pub scopes: &'a [String],
    /// More parameters of the authorization request.
    pub parameters: &'a BTreeMap<String, String>,
    /// Where the caller is sent after consenting: one of the return URLs of the workload identity.
    pub return_url: &'a str,
    /// Whether to ask anew, whatever is there (`forceAuthentication`).
    pub anew: bool,
}

/// What a caller allowed.
pub enum Allowed {
    /// This token.
    Token(Secret),
    /// Nothing yet.
    Ask {
        /// The page where to consent.
        url: String,
    },
}

impl Outbound {
    /// What a gateway's caller allowed.
    ///
    /// # Errors
    /// [`Refusal`] when the provider cannot be used, or the caller may not be sent where it would be.
    pub async fn of_caller(&self, ask: &CallerAsk<'_>) -> Result<Allowed, Refusal> {
        let held = self.find(ask.scope, ask.provider).await?;
        let workload = self.workload_of(ask).await?;
        let wanted = ask.wanted(&held.provider, &workload);
        if !ask.anew
            && let Some(token) = self.user_token(&wanted).await?
        {
            return Ok(Allowed::Token(token));
        }
        let new = self.new_session(&wanted, ask.return_url, None)?;
        let mut tx = self.store.begin().await?;
        if ask.anew {
            self.forget_user_token(&mut tx, &wanted).await?;
        }
        tx.insert_authorization_session(&new.session, self.clock.now()).await?;
        let actor = match ask.user {
            WorkloadUser::Token { issuer, subject } => {
                Actor::Token { issuer: issuer.clone(), subject: Some(subject.clone()), client_id: None }
            }
            _ => Actor::Anonymous,
        };
        let provider = &held.provider.name;
        let about =
            About { action: "authorization_request", scope: ask.scope, provider, actor, source_ip: None };
        tx.commit(&self.event(about, None, &RequestId::mint(&*self.servers.random))).await?;
        Ok(Allowed::Ask { url: new.url })
    }

    /// Takes out of use what a caller allowed, because its target answered it with 401. Answers whether asking again may give
    /// another token, or the page where to consent again.
    ///
    /// # Errors
    /// [`Refusal`] as for [`Outbound::of_caller`].
    pub async fn refused_of_caller(&self, ask: &CallerAsk<'_>, refused: &Secret) -> Result<bool, Refusal> {
        let held = self.find(ask.scope, ask.provider).await?;
        let workload = self.workload_of(ask).await?;
        self.refuse_user_token(&ask.wanted(&held.provider, &workload), refused).await
    }

    /// The gateway's workload identity, if its callers may be sent where they would be.
    async fn workload_of(&self, ask: &CallerAsk<'_>) -> Result<WorkloadIdentity, Refusal> {
        let workload = self.store.read().await?.workload_identity(ask.scope, ask.workload).await?;
        let workload = workload.filter(|it| it.return_urls.iter().any(|url| url == ask.return_url));
        workload.ok_or_else(|| Refusal::ReturnUrl(ask.workload.to_owned()))
    }
}

impl<'a> CallerAsk<'a> {
    fn wanted(&self, provider: &'a CredentialProvider, workload: &'a WorkloadIdentity) -> UserAsk<'a> {
        UserAsk { provider, workload, user: self.user, scopes: self.scopes, parameters: self.parameters }
    }
}
