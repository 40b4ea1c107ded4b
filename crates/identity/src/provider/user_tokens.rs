//! The tokens that a user's sign-in gives a client, with the claims of Cognito's.
//!
//! Sources: "Understanding the access token", "Understanding the identity (ID) token" and "Understanding the refresh
//! token" in the Cognito developer guide; OpenID Connect Core 1.0, section 2.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::{PoolClient, PoolUser, Random, Secret, Ticket, TicketKind, Timestamp, UserPool, uuid};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::{Page, StoreError, Tx};

use super::Provider;
use super::signer::SignError;
use super::trigger::Shape;

/// The scope of a token of a sign-in through the API.
pub(super) const OF_THE_API: &str = "aws.cognito.signin.user.admin";

/// What is kept of a sign-in, to make tokens of it later.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SignIn {
    /// When the password was typed, in seconds.
    pub(super) auth_time: i64,
    /// What was allowed.
    pub(super) scopes: Vec<String>,
    /// `nonce` of the authorization request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nonce: Option<String>,
    /// `resource` of the authorization request (RFC 8707): the audience of access tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<String>,
    /// Whether each refresh token is good once.
    pub(super) rotates: bool,
}

/// Whose tokens are made, for whom.
pub(super) struct Bearer<'a> {
    pub(super) pool: &'a UserPool,
    pub(super) client: &'a PoolClient,
    pub(super) user: &'a PoolUser,
    /// The names of the user's groups, the most important first.
    pub(super) groups: Vec<String>,
    /// What came of one sign-in: `origin_jti`.
    pub(super) family: &'a str,
    /// What the pool's function makes of them.
    pub(super) shape: &'a Shape,
}

/// Tokens for a client.
pub struct UserTokens {
    /// The access token.
    pub access: Secret,
    /// The id token.
    pub id: Secret,
    /// The refresh token, when there is a new one.
    pub refresh: Option<Secret>,
    /// How long the access token lives, in seconds.
    pub expires_in: i64,
    /// The scopes of the access token.
    pub scopes: Vec<String>,
}

impl Provider {
    /// Signs the tokens of a sign-in.
    pub(super) async fn user_tokens(
        &self,
        bearer: &Bearer<'_>,
        sign_in: &SignIn,
        refresh: Option<Secret>,
    ) -> Result<UserTokens, SignError> {
        let now = self.clock.now().seconds();
        let life = i64::from(bearer.client.access_token_seconds);
        let signer = self.signers.of(&self.store, &bearer.pool.id).await?;
        let issuer = self.names.issuer(&bearer.pool.id, &bearer.pool.scope.region);
        let event = uuid(&*self.random);
        let shared = |claims: Value, life: i64| {
            let mut all = Map::new();
            all.insert("sub".into(), json!(bearer.user.sub));
            if !bearer.groups.is_empty() {
                all.insert("cognito:groups".into(), json!(bearer.groups));
            }
            let Value::Object(own) = claims else { return all };
            all.extend(own);
            all.insert("iss".into(), json!(issuer));
            all.insert("origin_jti".into(), json!(bearer.family));
            all.insert("event_id".into(), json!(event));
            all.insert("auth_time".into(), json!(sign_in.auth_time));
            all.insert("exp".into(), json!(now + life));
            all.insert("iat".into(), json!(now));
            all.insert("jti".into(), json!(uuid(&*self.random)));
            all
        };
        let mut scopes = bearer.shape.scopes(&sign_in.scopes);
        if bearer.client.origin.is_third_party() {
            // A stranger's client gets what the person allowed it, whatever a function would add.
            scopes.retain(|scope| sign_in.scopes.contains(scope));
        }
        let access = json!({
            "client_id": bearer.client.id,
            "token_use": "access",
            "scope": scopes.join(" "),
            "username": bearer.user.name,
            "version": 2,
        });
        let mut access = shared(access, life);
        if let Some(resource) = &sign_in.resource {
            access.insert("aud".into(), json!(resource));
        }
        bearer.shape.shape_access(&mut access);
        let identified = json!({
            "aud": bearer.client.id,
            "token_use": "id",
            "cognito:username": bearer.user.name,
        });
        let mut identified = shared(identified, i64::from(bearer.client.id_token_seconds));
        identified.extend(profile(bearer.user, &sign_in.scopes));
        if let Some(nonce) = &sign_in.nonce {
            identified.insert("nonce".into(), json!(nonce));
        }
        bearer.shape.shape_id(&mut identified);
        let signing = tokio::task::spawn_blocking(move || {
            let access = signer.sign(&Value::Object(access))?;
            // OpenID Connect Core, section 3.1.3.6: the left half of the access token's hash.
            let hash = digest::digest(&digest::SHA256, access.as_bytes());
            let half = hash.as_ref().get(..16).unwrap_or_default();
            identified.insert("at_hash".into(), json!(URL_SAFE_NO_PAD.encode(half)));
            let id = signer.sign(&Value::Object(identified))?;
            Ok::<_, SignError>((access, id))
        });
        let (access, id) = signing.await.map_err(|_| SignError::NoKey)??;
        let (access, id) = (Secret::new(access), Secret::new(id));
        Ok(UserTokens { access, id, refresh, expires_in: life, scopes })
    }

    /// A refresh token of a family, kept in `tx` as its hash.
    pub(super) async fn keep_refresh_token(
        &self,
        tx: &mut Tx,
        bearer: &Bearer<'_>,
        sign_in: &SignIn,
        expires_at: Timestamp,
    ) -> Result<Secret, StoreError> {
        let token = opaque(&*self.random);
        let ticket = Ticket {
            hash: hashed(&token),
            kind: TicketKind::Refresh,
            pool: bearer.pool.id.clone(),
            client: bearer.client.id.to_string(),
            user: bearer.user.key(),
            family: bearer.family.to_owned(),
            spent: false,
            expires_at,
            details: written(sign_in)?,
        };
        tx.insert_ticket(&ticket, self.clock.now()).await?;
        Ok(token)
    }
}

/// The claims about a user that its scopes allow (OpenID Connect Core, section 5.4). A sign-in through the API allows all.
pub(super) fn profile(user: &PoolUser, scopes: &[String]) -> Map<String, Value> {
    let has = |scope: &str| scopes.iter().any(|it| it == scope || it == OF_THE_API);
    let allowed = |name: &str| match name {
        "email" | "email_verified" => has("email"),
        "phone_number" | "phone_number_verified" => has("phone"),
        _ => has("profile"),
    };
    let claim = |name: &str, value: &str| match name {
        "email_verified" | "phone_number_verified" => json!(value.eq_ignore_ascii_case("true")),
        _ => json!(value),
    };
    let attributes = user.attributes.iter().filter(|it| allowed(&it.name));
    attributes.map(|it| (it.name.clone(), claim(&it.name, &it.value))).collect()
}

/// The names of a user's groups, the most important first.
pub(super) async fn groups_of(tx: &mut Tx, user: &PoolUser) -> Result<Vec<String>, StoreError> {
    let mut groups = tx.groups_of_user(&user.pool, &user.name, Page::ALL).await?;
    groups.sort_by_key(|group| (group.precedence.unwrap_or(i64::MAX), group.name.clone()));
    Ok(groups.into_iter().map(|group| group.name).collect())
}

/// A new secret of 256 bits, in base64url.
pub(crate) fn opaque(random: &dyn Random) -> Secret {
    let mut bytes = [0_u8; 32];
    random.fill(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// The hash by which such a secret is known. It is random, so that no salt and no slow hash is needed.
pub(crate) fn hashed(secret: &Secret) -> String {
    sha256(secret.expose())
}

/// SHA-256 in base64url, as PKCE writes it, too (RFC 7636, section 4.2).
pub(crate) fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// SHA-256 as a content security policy writes it.
pub(super) fn sha256_standard(text: &str) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// Details of a ticket as the store keeps them.
pub(super) fn written<T: Serialize>(details: &T) -> Result<String, StoreError> {
    serde_json::to_string(details).map_err(|error| corrupt(&error))
}

/// The same, read back.
pub(super) fn read<'a, T: Deserialize<'a>>(details: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(details).map_err(|error| corrupt(&error))
}

fn corrupt(error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt { table: "pool_tickets", detail: error.to_string() }
}
