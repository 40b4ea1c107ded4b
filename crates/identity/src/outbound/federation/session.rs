//! Authorization sessions: begun for a person, looked at by the workload, completed for the same person.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{
    AuthorizationSession, AuthorizationStatus, CredentialKind, CredentialSettings, RequestId, Scope, Secret,
    UserToken, WorkloadUser,
};
use serde::{Deserialize, Serialize};
use store::{StoreError, Tx};

use super::tokens::Tokens;
use super::{UserAsk, client_of};
use crate::outbound::{Outbound, Refusal};
use crate::provider::{hashed, opaque, sha256};

/// How long a session is good, and with it the URL of its page ("OAuth 2.0 authorization URL session binding").
pub(super) const LIFE: Duration = Duration::from_secs(10 * 60);
/// How the handles of sessions begin on the wire (RFC 9126, section 2.2).
pub(super) const URN: &str = "urn:ietf:params:oauth:request_uri:";

/// A session that is about to be kept.
pub struct NewSession {
    /// Its row.
    pub session: AuthorizationSession,
    /// `authorizationUrl`: where the person is to be sent.
    pub url: String,
    /// `sessionUri`.
    pub uri: String,
}

/// How far a session is, as its workload may know it.
pub enum Progress {
    /// The person has not come back.
    Waiting {
        /// Where the person is to be sent.
        url: String,
    },
    /// Somebody came back, and it is still to be said who.
    Underway,
    /// It came to nothing.
    Failed,
}

/// A session that is about to be completed.
pub struct Pending {
    pub(super) session: AuthorizationSession,
    pub(super) details: Details,
}

/// What is known of a session.
#[derive(Serialize, Deserialize)]
pub(super) struct Details {
    /// What its tokens are to be found by.
    pub(super) handle: String,
    /// The handle of its page.
    pub(super) page: String,
    /// `sessionUri`.
    pub(super) uri: String,
    pub(super) provider: String,
    pub(super) provider_id: String,
    /// The client and its server, as they were when it began.
    pub(super) client: String,
    pub(super) workload: String,
    pub(super) workload_id: String,
    pub(super) user: WorkloadUser,
    pub(super) scopes: Vec<String>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) return_url: String,
    /// `customState`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    /// What the code gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<Tokens>,
}

impl Details {
    pub(super) fn sealed(&self) -> Result<Secret, StoreError> {
        serde_json::to_string(self).map(Secret::new).map_err(|error| StoreError::Refused(error.to_string()))
    }
}

impl Pending {
    pub(super) fn open(session: AuthorizationSession) -> Result<Self, StoreError> {
        // What the parser says of it may quote it.
        let details = serde_json::from_str(session.details.expose()).map_err(|_| StoreError::Corrupt {
            table: "authorization_sessions",
            detail: "its details cannot be read".to_owned(),
        })?;
        Ok(Self { session, details })
    }

    /// The name of the workload for which it was begun.
    #[must_use]
    pub fn workload(&self) -> &str {
        &self.details.workload
    }

    /// Whether it was begun for this person: for somebody with a token, the same issuer and subject, so that one who
    /// refreshed it in between is still the same.
    #[must_use]
    pub fn is_for(&self, user: &WorkloadUser) -> bool {
        *user != WorkloadUser::Nobody && self.details.user == *user
    }

    /// How far it is.
    #[must_use]
    pub fn status(&self) -> AuthorizationStatus {
        self.session.status
    }

    /// Takes the session a step further, once.
    pub(super) async fn advance(&mut self, tx: &mut Tx, to: AuthorizationStatus) -> Result<(), StoreError> {
        let from = self.session.status;
        self.session.status = to;
        self.session.details = self.details.sealed()?;
        tx.advance_authorization_session(&self.session, from).await
    }

    /// Puts what the code gave into the vault, for the person and the workload of the session. It can be done once.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was done before, there is nothing, or the provider or the workload is another now: what
    /// it gave would end with neither.
    pub async fn complete(mut self, tx: &mut Tx) -> Result<(), StoreError> {
        let (scope, details) = (&self.session.scope, &self.details);
        let provider = tx.credential_provider(scope, CredentialKind::OAuth2, &details.provider).await?;
        let is_same = provider.is_some_and(|provider| match &provider.settings {
            CredentialSettings::OAuth2(settings) => {
                provider.id == details.provider_id && client_of(settings) == details.client
            }
            CredentialSettings::ApiKey => false,
        });
        let workload = tx.workload_identity(scope, &details.workload).await?;
        if !is_same || workload.is_none_or(|workload| workload.id != details.workload_id) {
            return Err(StoreError::Stale);
        }
        let tokens = self.details.tokens.take().ok_or(StoreError::Stale)?;
        let token = UserToken {
            handle: self.details.handle.clone(),
            scope: self.session.scope.clone(),
            provider: self.details.provider.clone(),
            workload: self.details.workload.clone(),
            revision: 1,
            tokens: tokens.sealed()?,
        };
        self.advance(tx, AuthorizationStatus::Completed).await?;
        tx.put_user_token(&token).await
    }
}

impl Outbound {
    /// A new session for what is asked, which ends by sending the person to `return_url` with `state`.
    ///
    /// # Errors
    /// [`Refusal`] when the provider gives no tokens.
    pub fn new_session(
        &self,
        ask: &UserAsk<'_>,
        return_url: &str,
        state: Option<&str>,
    ) -> Result<NewSession, Refusal> {
        let CredentialSettings::OAuth2(settings) = &ask.provider.settings else {
            return Err(Refusal::OtherKind { provider: ask.provider.arn(), gives: "an API key" });
        };
        let random = &*self.servers.random;
        let (page, session) = (opaque(random), opaque(random));
        let uri = format!("{URN}{}", session.expose());
        let details = Details {
            handle: ask.handle()?,
            page: page.expose().to_owned(),
            uri: uri.clone(),
            provider: ask.provider.name.clone(),
            provider_id: ask.provider.id.clone(),
            client: client_of(settings),
            workload: ask.workload.name.clone(),
            workload_id: ask.workload.id.clone(),
            user: ask.user.clone(),
            scopes: ask.scopes.to_vec(),
            parameters: ask.parameters.clone(),
            return_url: return_url.to_owned(),
            state: state.map(str::to_owned),
            tokens: None,
        };
        let session = AuthorizationSession {
            request: hashed(&page),
            session: hashed(&session),
            handle: details.handle.clone(),
            scope: ask.scope().clone(),
            status: AuthorizationStatus::Waiting,
            expires_at: self.clock.now().plus(LIFE),
            details: details.sealed()?,
        };
        Ok(NewSession { session, url: self.page_url(&details), uri })
    }

    /// How far the session of a `sessionUri` is; nothing when there is none for what is asked, or its time is over.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn progress(&self, ask: &UserAsk<'_>, uri: &str) -> Result<Option<Progress>, StoreError> {
        let found = self.pending(ask.scope(), uri).await?;
        let handle = ask.handle()?;
        let Some(found) = found.filter(|found| found.details.handle == handle) else { return Ok(None) };
        Ok(Some(match found.status() {
            AuthorizationStatus::Waiting => Progress::Waiting { url: self.page_url(&found.details) },
            AuthorizationStatus::Exchanging | AuthorizationStatus::Consented => Progress::Underway,
            // What it gave is not in the vault any more.
            AuthorizationStatus::Completed | AuthorizationStatus::Failed => Progress::Failed,
        }))
    }

    /// The session of a `sessionUri`, if its time is not over.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn pending(&self, scope: &Scope, uri: &str) -> Result<Option<Pending>, StoreError> {
        let Some(handle) = uri.strip_prefix(URN) else { return Ok(None) };
        let mut tx = self.store.read().await?;
        let found = tx.authorization_session(scope, &sha256(handle), self.clock.now()).await?;
        found.map(Pending::open).transpose()
    }

    /// Ends a session that somebody else than its person came to complete: what a browser brought back in it is not that
    /// person's.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn disown(&self, pending: Pending, request_id: &RequestId) -> Result<(), StoreError> {
        let why = ("access_denied", "somebody else than the session's user came to complete it");
        self.fail(pending, why, None, request_id).await
    }

    fn page_url(&self, details: &Details) -> String {
        let urn = format!("{URN}{}", details.page);
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("request_uri", &urn).finish();
        format!("{}/identities/oauth2/authorize?{query}", self.servers.names.public_url())
    }
}
