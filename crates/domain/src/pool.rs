//! The built-in OpenID provider: user pools and what is in them, as Cognito's API names them.

use serde::{Deserialize, Serialize};

use crate::{
    ClientId, ClientOrigin, Document, PreTokenTrigger, Scope, Secret, ThirdParties, Timestamp, UserPoolId,
};

/// A user pool: one issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPool {
    /// Its identifier, which is also the last part of its issuer.
    pub id: UserPoolId,
    /// Whose it is and where.
    pub scope: Scope,
    /// The name it was given; names need not be unique.
    pub name: String,
    /// The settings that were given, as the API echoes them: a JSON object.
    pub settings: Document,
    /// Whether it may be deleted only after its protection is taken off.
    pub deletion_protected: bool,
    /// The function that shapes tokens before they are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_token: Option<PreTokenTrigger>,
    /// What clients may do that no administrator made.
    #[serde(default)]
    pub third_parties: ThirdParties,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

/// A domain prefix, under which a pool's token endpoint answers: unique in its region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolDomain {
    /// The prefix: `{domain}.auth.{region}.amazoncognito.com`.
    pub domain: String,
    /// The pool it belongs to.
    pub pool: UserPoolId,
    /// Whose it is and where.
    pub scope: Scope,
}

/// A resource server: a namespace of scopes in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceServer {
    /// The pool it belongs to.
    pub pool: UserPoolId,
    /// The identifier, unique in its pool: the first part of its scopes' names.
    pub identifier: String,
    /// What people call it.
    pub name: String,
    /// Its scopes, in the order given.
    pub scopes: Vec<ResourceServerScope>,
}

impl ResourceServer {
    /// The full names of its scopes: `{identifier}/{name}`.
    pub fn scope_names(&self) -> impl Iterator<Item = String> + '_ {
        self.scopes.iter().map(|scope| format!("{}/{}", self.identifier, scope.name))
    }
}

/// One scope of a resource server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceServerScope {
    /// Its name in its resource server.
    pub name: String,
    /// What it allows, for people.
    pub description: String,
}

/// An app client of a pool.
#[derive(Clone, Serialize, Deserialize)]
pub struct PoolClient {
    /// Its identifier: the `client_id` of OAuth, and the `sub` of its own tokens.
    pub id: ClientId,
    /// The pool it belongs to.
    pub pool: UserPoolId,
    /// Whose it is and where.
    pub scope: Scope,
    /// What people call it.
    pub name: String,
    /// Who made it.
    #[serde(default)]
    pub origin: ClientOrigin,
    /// Its secret, when it has one. The store keeps it sealed, apart from this document.
    #[serde(skip)]
    pub secret: Option<Secret>,
    /// `AllowedOAuthFlows`.
    pub flows: Vec<String>,
    /// `AllowedOAuthScopes`.
    pub scopes: Vec<String>,
    /// `AllowedOAuthFlowsUserPoolClient`: whether it may use OAuth at all.
    pub oauth_enabled: bool,
    /// `ExplicitAuthFlows`: how its users may sign in through the API.
    #[serde(default)]
    pub sign_in_flows: Vec<String>,
    /// `CallbackURLs`: where an authorization code may be sent.
    #[serde(default)]
    pub callback_urls: Vec<String>,
    /// `LogoutURLs`: where a browser may be sent after it has signed out.
    #[serde(default)]
    pub logout_urls: Vec<String>,
    /// How long its access tokens live, in seconds.
    pub access_token_seconds: u32,
    /// How long its id tokens live, in seconds.
    #[serde(default = "an_hour")]
    pub id_token_seconds: u32,
    /// How long a sign-in can be refreshed, in seconds.
    #[serde(default = "thirty_days")]
    pub refresh_token_seconds: u32,
    /// The settings that were given, as the API echoes them: a JSON object.
    pub settings: Document,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

/// `IdTokenValidity` when it is not given.
fn an_hour() -> u32 {
    3_600
}

/// `RefreshTokenValidity` when it is not given.
fn thirty_days() -> u32 {
    30 * 86_400
}

/// A key with which a pool signs.
#[derive(Clone)]
pub struct SigningKey {
    /// `kid` in the header and in the key set.
    pub id: String,
    /// The pool it belongs to.
    pub pool: UserPoolId,
    /// The RSA private key, PKCS #8 in DER, as base64: the store keeps it sealed.
    pub private_key: Secret,
    /// The modulus, base64url without padding, as the key set publishes it.
    pub modulus: String,
    /// The public exponent, base64url without padding.
    pub exponent: String,
    /// When it was made: the newest key signs, the others still verify.
    pub created_at: Timestamp,
}
