//! `/oauth2/userInfo`: who the bearer of an access token is (OpenID Connect Core 1.0, section 5.3).

use domain::{PoolUser, UserPool};
use serde_json::{Value, json};
use store::StoreError;

use super::user_tokens::profile;
use super::{PoolHint, Provider};
use crate::token::{Claims, Jws, KeySet};

impl Provider {
    /// The claims about the user of an access token, as far as its scopes allow. `None` when the token is not one of a
    /// sign-in that still lives.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn user_info(&self, hint: &PoolHint, token: &str) -> Result<Option<Value>, StoreError> {
        let Ok(parsed) = Jws::parse(token) else { return Ok(None) };
        let Ok(claims) = Claims::read(&parsed.payload, self.clock.now()) else { return Ok(None) };
        let Some(pool) = self.pool_of_bearer(hint, &claims).await? else { return Ok(None) };
        let mut tx = self.store.read().await?;
        let keys = tx.signing_keys(&pool.id).await?;
        let keys = keys.iter().map(|key| (key.id.as_str(), key.modulus.as_str(), key.exponent.as_str()));
        let issued_here = KeySet::of_rsa(keys).verify(&parsed).is_ok()
            && claims.issuer == self.names.issuer(&pool.id, &pool.scope.region);
        let scopes: Vec<String> = claims.scopes().map(str::to_owned).collect();
        let allowed =
            claims.text("token_use") == Some("access") && scopes.iter().any(|scope| scope == "openid");
        if !issued_here || !allowed {
            return Ok(None);
        }
        let family = claims.text("origin_jti").unwrap_or_default();
        if !tx.family_lives(&pool.id, family, self.clock.now()).await? {
            return Ok(None);
        }
        let user = tx.pool_user(&pool.id, claims.text("username").unwrap_or_default()).await?;
        let user = user.filter(|user| claims.subject.as_deref() == Some(user.sub.as_str()));
        Ok(user.map(|user| told(&user, &scopes)))
    }

    async fn pool_of_bearer(&self, hint: &PoolHint, claims: &Claims) -> Result<Option<UserPool>, StoreError> {
        match hint {
            PoolHint::OfTheClient => {
                let client = claims.text("client_id").unwrap_or_default();
                Ok(self.client_and_pool(client).await?.map(|(_, pool)| pool))
            }
            hint => self.find(hint).await,
        }
    }
}

fn told(user: &PoolUser, scopes: &[String]) -> Value {
    let mut claims = profile(user, scopes);
    claims.insert("sub".into(), json!(user.sub));
    claims.insert("username".into(), json!(user.name));
    Value::Object(claims)
}
