//! Tokens that say to others who an identity of an account is: `sts:GetWebIdentityToken`, with the metadata and the keys by
//! which anybody verifies them ("Outbound identity federation" in the IAM user guide).
//!
//! An account has one issuer, which keeps its name and its keys for good; whether it issues is read from the store each time,
//! and its parsed keys are remembered. What it said before it was disabled still verifies until its end.

mod keys;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Caller, Random, Region, Secret, Timestamp, uuid};
use serde_json::{Map, Value, json};
use store::{Store, StoreError};

use crate::provider::Names;
use keys::Keys;
pub use keys::make_issuer;

/// The claim under which everything is that is AWS's own.
const NAMESPACE: &str = "https://sts.amazonaws.com/";
/// The largest claims, in bytes: with more than this a token fits no header.
const MOST_CLAIMS: usize = 8 * 1024;
/// How long a token lives when nobody says.
pub const LIFE: Duration = Duration::from_secs(5 * 60);

/// By which algorithm a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebIdentityAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

impl WebIdentityAlgorithm {
    /// The algorithm of a name (RFC 7518, section 3.1).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Es384].into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es384 => "ES384",
        }
    }
}

/// What a token is to say.
pub struct WebIdentityAsk<'a> {
    /// Whom it is about.
    pub caller: &'a Caller,
    /// Where it was asked for.
    pub region: &'a Region,
    /// For whom it is.
    pub audiences: &'a [String],
    /// How long it is good.
    pub life: Duration,
    /// How it is signed.
    pub algorithm: WebIdentityAlgorithm,
    /// What the caller adds.
    pub tags: &'a BTreeMap<String, String>,
}

/// Why there is no token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WebIdentityError {
    /// The account did not enable it.
    #[error(
        "outbound web identity federation is not enabled for the account: call iam:EnableOutboundWebIdentityFederation first"
    )]
    Disabled,
    /// It would outlive the session that asks.
    #[error("the token would be good for longer than the session that asks for it: ask for a shorter time")]
    Outlives,
    /// It would say too much.
    #[error("the claims are larger than {MOST_CLAIMS} bytes: give fewer audiences and tags")]
    TooLarge,
    /// The keys cannot sign.
    #[error("the issuer's keys cannot be used")]
    NoKey,
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(Arc<StoreError>),
}

impl From<StoreError> for WebIdentityError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// The issuers of this installation's accounts.
pub struct WebIdentities {
    store: Store,
    names: Arc<Names>,
    random: Arc<dyn Random>,
    known: Mutex<HashMap<String, Arc<Keys>>>,
}

impl WebIdentities {
    /// The issuers in `store`.
    #[must_use]
    pub fn new(store: Store, names: Arc<Names>, random: Arc<dyn Random>) -> Self {
        Self { store, names, random, known: Mutex::default() }
    }

    /// The URL of an issuer, `iss` of its tokens.
    #[must_use]
    pub fn url(&self, id: &str) -> String {
        format!("{}/web-identity/{id}", self.names.public_url())
    }

    /// A token about a caller, and when it ends. Whether the caller may have it was decided before.
    ///
    /// # Errors
    /// [`WebIdentityError`].
    pub async fn issue(
        &self,
        ask: &WebIdentityAsk<'_>,
        now: Timestamp,
    ) -> Result<(Secret, Timestamp), WebIdentityError> {
        let caller = ask.caller;
        let issuer = self.store.read().await?.web_identity_issuer(&caller.account).await?;
        let issuer = issuer.filter(|issuer| issuer.is_enabled).ok_or(WebIdentityError::Disabled)?;
        let expires = Timestamp::from_seconds(now.seconds()).plus(ask.life);
        if caller.expires_at.is_some_and(|end| end < expires) {
            return Err(WebIdentityError::Outlives);
        }
        let claims = self.claims(&self.url(&issuer.id), ask, now, expires).to_string();
        if claims.len() > MOST_CLAIMS {
            return Err(WebIdentityError::TooLarge);
        }
        let keys = self.keys(&issuer)?;
        let algorithm = ask.algorithm;
        // A signature costs a millisecond of a core.
        let signing = tokio::task::spawn_blocking(move || keys.sign(algorithm, &claims));
        let token = signing.await.ok().flatten().ok_or(WebIdentityError::NoKey)?;
        Ok((Secret::new(token), expires))
    }

    /// What a token says ("Understanding token claims" in the IAM user guide).
    fn claims(&self, issuer: &str, ask: &WebIdentityAsk<'_>, now: Timestamp, expires: Timestamp) -> Value {
        let caller = ask.caller;
        let identity = caller.principal.role_arn(&caller.account).unwrap_or_else(|| caller.arn());
        let mut own = Map::new();
        own.insert("aws_account".to_owned(), json!(caller.account.as_str()));
        own.insert("source_region".to_owned(), json!(ask.region.as_str()));
        own.insert("principal_id".to_owned(), json!(caller.arn().as_str()));
        if let Some(end) = caller.expires_at {
            own.insert("original_session_exp".to_owned(), json!(end.to_string()));
        }
        if !ask.tags.is_empty() {
            own.insert("request_tags".to_owned(), json!(ask.tags));
        }
        let audience = match ask.audiences {
            [one] => json!(one),
            several => json!(several),
        };
        json!({
            "iss": issuer,
            "aud": audience,
            "sub": identity.as_str(),
            "iat": now.seconds(),
            "exp": expires.seconds(),
            "jti": uuid(&*self.random),
            NAMESPACE: own,
        })
    }

    /// The metadata of an issuer (OpenID Connect Discovery 1.0, section 3); nothing where there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn metadata(&self, id: &str) -> Result<Option<Value>, StoreError> {
        let found = self.store.read().await?.web_identity_issuer_of_id(id).await?;
        Ok(found.map(|issuer| {
            let url = self.url(&issuer.id);
            json!({
                "issuer": url,
                "jwks_uri": format!("{url}/.well-known/jwks.json"),
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES384"],
                "claims_supported": ["iss", "sub", "aud", "iat", "exp", "jti", NAMESPACE],
            })
        }))
    }

    /// The keys of an issuer (RFC 7517, section 5); nothing where there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn key_set(&self, id: &str) -> Result<Option<Value>, StoreError> {
        let Some(issuer) = self.store.read().await?.web_identity_issuer_of_id(id).await? else {
            return Ok(None);
        };
        let keys = self.keys(&issuer).map_err(|_| StoreError::Unsealable)?;
        Ok(Some(keys.public()))
    }

    fn keys(&self, issuer: &domain::WebIdentityIssuer) -> Result<Arc<Keys>, WebIdentityError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&issuer.id).map(Arc::clone);
        if let Some(keys) = known {
            return Ok(keys);
        }
        let keys = Arc::new(Keys::parse(issuer).ok_or(WebIdentityError::NoKey)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(issuer.id.clone(), Arc::clone(&keys));
        Ok(keys)
    }
}
