//! The built-in OpenID provider: what Cognito's hosts answer to anyone who asks over plain HTTP, for the pools that
//! Cognito's API made.
//!
//! `POST /oauth2/token` gives machines their tokens (`client_credentials`); the metadata and the key set let everyone
//! verify them. Access tokens carry exactly the claims of Cognito's.

mod authorize;
mod browser;
mod client_authentication;
mod client_documents;
mod client_metadata;
mod grants;
mod initiate;
mod names;
mod pages;
mod passwords;
mod pool_keys;
mod registration;
mod sign_in;
mod signer;
mod third_party;
mod third_party_policy;
mod token_endpoint;
mod trail;
mod trigger;
mod user_info;
mod user_tokens;

use std::sync::Arc;

use domain::{ClientOrigin, Clock, Random, SigningKey, UserPool, UserPoolId};
use serde_json::{Value, json};
use store::{AuditLog, Store, StoreError};

pub(crate) use authorize::{once_each, with_query};
pub(crate) use browser::the_cookie;
pub use browser::{BrowserAnswer, BrowserRequest, Shown};
pub use client_documents::ClientDocuments;
pub use initiate::{ApiSignIn, SignedIn, Step};
pub use names::{IssuerStyle, Names, PoolHint};
pub use pages::HtmlPage;
pub(crate) use pages::notice;
use passwords::Passwords;
pub use pool_keys::{PoolKeys, PoolKeysError, revoke_former_keys, rotate_key};
pub use sign_in::SignInError;
use signer::Signers;
pub use signer::{KeyGenerationError, generate_key};
pub use third_party_policy::{ThirdPartyChange, ThirdPartyError, change_third_parties};
pub use token_endpoint::{TokenAnswer, TokenRequest};
pub use trigger::{Answered, TriggerError, Triggers};
pub use user_tokens::UserTokens;
pub(crate) use user_tokens::{hashed, opaque, sha256};

/// The provider of all pools.
pub struct Provider {
    store: Store,
    names: Arc<Names>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    audit: AuditLog,
    signers: Signers,
    passwords: Passwords,
    documents: Option<ClientDocuments>,
    triggers: Option<Arc<dyn Triggers>>,
}

impl Provider {
    /// A provider whose pools are in `store`.
    #[must_use]
    pub fn new(
        store: Store,
        names: Arc<Names>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        audit: AuditLog,
    ) -> Self {
        let (signers, passwords) = (Signers::default(), Passwords::new());
        Self { store, names, clock, random, audit, signers, passwords, documents: None, triggers: None }
    }

    /// The same, for clients whose id is the address of their metadata, too.
    #[must_use]
    pub fn with_client_documents(self, documents: ClientDocuments) -> Self {
        Self { documents: Some(documents), ..self }
    }

    /// The same, for pools with a function that shapes their tokens, too.
    #[must_use]
    pub fn with_triggers(self, triggers: Arc<dyn Triggers>) -> Self {
        Self { triggers: Some(triggers), ..self }
    }

    /// The pool's metadata (OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2).
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn metadata(&self, pool: &UserPoolId) -> Result<Option<Value>, StoreError> {
        let Some(pool) = self.find(&PoolHint::Id(pool.clone())).await? else { return Ok(None) };
        let base = self.names.public(&pool.id);
        let mut tx = self.store.read().await?;
        let servers = tx.resource_servers(&pool.id, store::Page::ALL).await?;
        let standard = ["openid", "email", "phone", "profile"].map(str::to_owned);
        let scopes: Vec<String> = standard
            .into_iter()
            .chain(servers.iter().flat_map(domain::ResourceServer::scope_names))
            .collect();
        let mut metadata = json!({
            "issuer": self.names.issuer(&pool.id, &pool.scope.region),
            "authorization_endpoint": format!("{base}/oauth2/authorize"),
            "token_endpoint": format!("{base}/oauth2/token"),
            "revocation_endpoint": format!("{base}/oauth2/revoke"),
            "userinfo_endpoint": format!("{base}/oauth2/userInfo"),
            "end_session_endpoint": format!("{base}/logout"),
            "jwks_uri": format!("{base}/.well-known/jwks.json"),
            "scopes_supported": scopes,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        if let Value::Object(members) = &mut metadata {
            if pool.third_parties.registration {
                members.insert("registration_endpoint".into(), json!(format!("{base}/oauth2/register")));
            }
            if pool.third_parties.admit(ClientOrigin::MetadataDocument) {
                members.insert("client_id_metadata_document_supported".into(), json!(true));
            }
        }
        Ok(Some(metadata))
    }

    /// The pool's key set (RFC 7517, section 5): the key that signs and those that still verify.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn key_set(&self, pool: &UserPoolId) -> Result<Option<Value>, StoreError> {
        let Some(pool) = self.find(&PoolHint::Id(pool.clone())).await? else { return Ok(None) };
        let keys = self.store.read().await?.signing_keys(&pool.id).await?;
        let keys: Vec<_> = keys.iter().map(published).collect();
        Ok(Some(json!({ "keys": keys })))
    }

    /// The pool that a request means.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn find(&self, hint: &PoolHint) -> Result<Option<UserPool>, StoreError> {
        let mut tx = self.store.read().await?;
        match hint {
            PoolHint::Id(id) => match tx.user_pool(id).await? {
                Some(pool) => Ok(Some(pool)),
                // A pool also answers at its id without the underscore.
                None => tx.user_pool_by_label(id.as_str()).await,
            },
            // The pool's own label first: a prefix is its owner's to choose, and must not stand in another pool's way.
            PoolHint::Domain { label, region } => match tx.user_pool_by_label(label).await? {
                Some(pool) if pool.scope.region == *region => Ok(Some(pool)),
                _ => match tx.pool_domain(region, label).await? {
                    Some(domain) => tx.user_pool(&domain.pool).await,
                    None => Ok(None),
                },
            },
            PoolHint::OfTheClient => Ok(None),
        }
    }

    /// Forgets a pool's key, because the pool changed.
    pub fn forget_pool(&self, pool: &UserPoolId) {
        self.signers.forget(pool);
    }
}

fn published(key: &SigningKey) -> Value {
    json!({
        "kid": key.id,
        "kty": "RSA",
        "alg": "RS256",
        "use": "sig",
        "n": key.modulus,
        "e": key.exponent,
    })
}
