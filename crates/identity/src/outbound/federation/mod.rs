//! Tokens of people: what somebody consented to at someone else's authorization server, for one workload.
//!
//! A person is sent to a page of ours, from there to the server's, and comes back with a code (RFC 6749, section 4.1; PKCE,
//! RFC 7636). What the code gives is nobody's until the workload has said, by `CompleteResourceTokenAuth`, whose browser
//! brought it back: only the person for whom the session was begun gets it into the vault. Sources: "Get OAuth 2.0 access
//! token" and "OAuth 2.0 authorization URL session binding" of the `AgentCore` developer guide; RFC 9207; RFC 9700.

mod browser;
mod caller;
mod parameters;
mod record;
mod session;
mod tokens;

use std::collections::BTreeMap;

use domain::{CredentialProvider, OAuth2Settings, Scope, WorkloadIdentity, WorkloadUser};
use serde_json::json;
use store::StoreError;

use crate::provider::sha256;
pub use browser::Visit;
pub use caller::{Allowed, CallerAsk};
pub use parameters::check as check_parameters;
pub use session::{NewSession, Pending, Progress};

/// Whose token is wanted, for what.
pub struct UserAsk<'a> {
    /// The provider.
    pub provider: &'a CredentialProvider,
    /// The workload that wants it.
    pub workload: &'a WorkloadIdentity,
    /// The person.
    pub user: &'a WorkloadUser,
    /// The scopes to ask for; none leaves them to the authorization server.
    pub scopes: &'a [String],
    /// More parameters of the authorization request; `resource` and `audience` are in the token requests too.
    pub parameters: &'a BTreeMap<String, String>,
}

impl UserAsk<'_> {
    fn scope(&self) -> &Scope {
        &self.provider.scope
    }

    /// What the tokens are found by in the vault. Scopes are a set.
    fn handle(&self) -> Result<String, StoreError> {
        let mut scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let scope = self.scope();
        let whole = json!([
            scope.account,
            scope.region,
            self.provider.id,
            self.workload.id,
            self.user,
            scopes,
            self.parameters
        ]);
        serde_json::to_string(&whole)
            .map(|whole| sha256(&whole))
            .map_err(|error| StoreError::Refused(error.to_string()))
    }
}

/// What a refresh token is bound to: it must go to no other server and to no other client.
fn client_of(settings: &OAuth2Settings) -> String {
    sha256(&json!([settings.vendor, settings.discovery, settings.client_id]).to_string())
}
