//! Tokens that come without an authorizer that names their issuer: whose are believed.
//!
//! Believed are the pools of the caller's own account, and issuers that somebody of the installation named before: an
//! authorizer of a gateway, or its operator. What another issuer signed is refused without asking it anything, so that no
//! token makes Portcullis dial.

use domain::{Scope, UserPoolId};
use serde_json::Value;

use super::discovery::is_of_issuer;
use super::{Issuers, VerifyError};
use crate::token::{self, Claims, Jws, TokenError};

impl Issuers {
    /// Proves that a token is of a pool of this account and region, or of the issuer behind one of these discovery URLs,
    /// and is valid now. `None` when it is of nobody who is believed.
    ///
    /// # Errors
    /// As [`Issuers::verify`].
    pub async fn verify_trusted(
        &self,
        scope: &Scope,
        discovery_urls: &[String],
        token: &str,
    ) -> Result<Option<Claims>, VerifyError> {
        let issuer = claimed_issuer(token)?;
        let own = format!("{issuer}/.well-known/openid-configuration");
        if let Some(pool) = self.names.pool_of_discovery_url(&own)
            && self.is_pool_of(scope, &pool).await?
        {
            return self.verify(&own, token).await.map(Some);
        }
        match discovery_urls.iter().find(|url| is_of_issuer(url, &issuer)) {
            Some(url) => self.verify(url, token).await.map(Some),
            None => Ok(None),
        }
    }

    async fn is_pool_of(&self, scope: &Scope, pool: &UserPoolId) -> Result<bool, VerifyError> {
        let found = async { self.store.read().await?.user_pool(pool).await };
        let found = found.await.map_err(super::IssuerError::from)?;
        Ok(found.is_some_and(|pool| pool.scope == *scope))
    }
}

/// The issuer that a token claims, which nothing has proven yet.
///
/// # Errors
/// [`TokenError`] for what is no token.
pub fn claimed_issuer(text: &str) -> Result<String, TokenError> {
    let jws = Jws::parse(text)?;
    match token::object(&jws.payload)?.get("iss") {
        Some(Value::String(issuer)) => Ok(issuer.clone()),
        Some(_) => Err(TokenError::Claim("iss", "not a text")),
        None => Err(TokenError::Claim("iss", "missing")),
    }
}
