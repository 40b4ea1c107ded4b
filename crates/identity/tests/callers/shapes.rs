//! The tokens of real identity providers, claim by claim as their documents show them, before each rule of an
//! authorizer: what is accepted by which, and what never is.

use domain::{ClaimMatch, CustomClaim, JwtAuthorizer};
use identity::issuer::{Finding, Issuers};
use identity::token::{Rejection, check};
use serde_json::{Value, json};

use crate::support::authorizer::{audience, clients, scopes};
use crate::support::idp::Idp;
use crate::support::keys::{merged, rsa};
use crate::support::token::{header, token};
use crate::support::{Database, NOW, client, clock, issuers};

/// A provider's tokens, as a gateway sees them.
struct Provider {
    idp: Idp,
    issuers: Issuers,
    /// What its token claims, but for the issuer and the times.
    claims: Value,
    _database: Database,
}

impl Provider {
    async fn of(claims: Value) -> Self {
        let database = Database::new().await;
        let issuers = issuers(&database, &client(), &clock());
        Self { idp: Idp::with_keys(&[rsa()]).await, issuers, claims, _database: database }
    }

    /// What the rule that is broken is, when the provider's token is shown where these rules are.
    async fn meets(&self, authorizer: JwtAuthorizer) -> Result<(), Rejection> {
        let now = NOW.seconds();
        let standing = json!({ "iss": self.idp.issuer(), "iat": now, "exp": now + 3600 });
        let token = token(&header(rsa()), &merged(self.claims.clone(), standing), rsa());
        let claims = self.issuers.verify(&self.idp.discovery_url(), &token).await.unwrap();
        let met = check(&claims, &authorizer);
        // What the person who debugs is told is what the gateway does.
        let told = JwtAuthorizer { discovery_url: self.idp.discovery_url(), ..authorizer };
        let inspection = self.issuers.inspect(&told, &token).await;
        assert_eq!(
            inspection.refusal().and_then(Finding::reason),
            met.as_ref().err().map(ToString::to_string)
        );
        met
    }

    async fn is_accepted(&self, authorizer: JwtAuthorizer) {
        assert_eq!(self.meets(authorizer.clone()).await, Ok(()), "{} {authorizer:?}", self.claims);
    }

    async fn is_refused(&self, authorizer: JwtAuthorizer, by: Rejection) {
        assert_eq!(self.meets(authorizer.clone()).await, Err(by), "{} {authorizer:?}", self.claims);
    }
}

fn claim(name: &str, matches: ClaimMatch) -> JwtAuthorizer {
    let rule = CustomClaim { name: name.to_owned(), matches };
    JwtAuthorizer { custom_claims: vec![rule], ..JwtAuthorizer::default() }
}

fn equals(name: &str, value: &str) -> JwtAuthorizer {
    claim(name, ClaimMatch::Equals(value.to_owned()))
}

fn contains(name: &str, value: &str) -> JwtAuthorizer {
    claim(name, ClaimMatch::Contains(value.to_owned()))
}

fn no_claim(name: &str) -> Rejection {
    Rejection::CustomClaim(name.to_owned())
}

/// "Sample Cognito Token Claims": `client_id` and no `aud`.
#[tokio::test]
async fn cognito_for_a_machine() {
    let provider = Provider::of(json!({
        "sub": "4q1t", "token_use": "access", "scope": "default-m2m-resource-server-x/read",
        "auth_time": 1_749_679_004, "version": 2, "jti": "j", "client_id": "4q1t",
    }))
    .await;
    provider.is_accepted(clients("4q1t")).await;
    provider.is_accepted(scopes("default-m2m-resource-server-x/read")).await;
    provider.is_accepted(equals("token_use", "access")).await;
    provider.is_refused(audience("4q1t"), Rejection::Audience).await;
    provider.is_refused(scopes("read"), Rejection::Scope).await;
    provider.is_refused(clients("4Q1T"), Rejection::Client).await;
}

#[tokio::test]
async fn cognito_for_a_person() {
    let provider = Provider::of(json!({
        "sub": "8f0a", "cognito:groups": ["managers", "staff"], "token_use": "access",
        "scope": "aws.cognito.signin.user.admin openid", "auth_time": 1_749_679_004, "jti": "j",
        "origin_jti": "o", "event_id": "e", "client_id": "4q1t", "username": "ada",
    }))
    .await;
    provider.is_accepted(clients("4q1t")).await;
    provider.is_accepted(scopes("openid")).await;
    provider.is_accepted(contains("cognito:groups", "managers")).await;
    provider.is_accepted(equals("username", "ada")).await;
    provider.is_refused(contains("cognito:groups", "owners"), no_claim("cognito:groups")).await;
    provider.is_refused(audience("4q1t"), Rejection::Audience).await;
}

#[tokio::test]
async fn cognito_id_token() {
    let provider = Provider::of(json!({
        "sub": "8f0a", "aud": "4q1t", "token_use": "id", "cognito:username": "ada", "email": "ada@example.com",
        "email_verified": true, "auth_time": 1_749_679_004, "at_hash": "h",
    }))
    .await;
    provider.is_accepted(audience("4q1t")).await;
    provider.is_refused(clients("4q1t"), Rejection::IdToken).await;
    provider.is_refused(scopes("openid"), Rejection::IdToken).await;
    provider.is_refused(equals("email", "ada@example.com"), Rejection::IdToken).await;
    let both = JwtAuthorizer { allowed_audience: audience("4q1t").allowed_audience, ..clients("4q1t") };
    provider.is_refused(both, Rejection::Client).await;
}

/// An ID token that names a client is not accepted for that.
#[tokio::test]
async fn cognito_id_token_with_a_client() {
    let provider =
        Provider::of(json!({ "sub": "8f0a", "aud": "4q1t", "client_id": "4q1t", "token_use": "id" })).await;
    provider.is_accepted(audience("4q1t")).await;
    provider.is_refused(clients("4q1t"), Rejection::IdToken).await;
}

/// "Sample Auth0 Token Claims".
#[tokio::test]
async fn auth0_for_a_machine() {
    let provider = Provider::of(json!({
        "sub": "abc@clients", "aud": "gateway123", "scope": "invoke:gateway read:gateway", "jti": "j",
        "client_id": "abc", "permissions": ["invoke:gateway", "read:gateway"],
    }))
    .await;
    provider.is_accepted(audience("gateway123")).await;
    provider.is_accepted(clients("abc")).await;
    provider.is_accepted(scopes("invoke:gateway")).await;
    provider.is_accepted(contains("permissions", "read:gateway")).await;
    provider.is_refused(audience("Gateway123"), Rejection::Audience).await;
    provider.is_refused(scopes("write:gateway"), Rejection::Scope).await;
}

/// Auth0's own profile of access tokens: the client is in `azp`, and a person's token is also for the user info endpoint.
#[tokio::test]
async fn auth0_for_a_person() {
    let provider = Provider::of(json!({
        "sub": "auth0|5f", "aud": ["gateway123", "https://dev-x.us.auth0.com/userinfo"], "azp": "abc",
        "scope": "openid profile invoke:gateway", "gty": "password", "https://example.com/roles": ["admin"],
    }))
    .await;
    provider.is_accepted(audience("gateway123")).await;
    provider.is_accepted(scopes("invoke:gateway")).await;
    provider.is_accepted(equals("azp", "abc")).await;
    provider.is_accepted(contains("https://example.com/roles", "admin")).await;
    provider.is_refused(clients("abc"), Rejection::Client).await;
}

#[tokio::test]
async fn auth0_id_token() {
    let provider = Provider::of(json!({
        "sub": "auth0|5f", "aud": "abc", "nickname": "ada", "email": "ada@example.com", "sid": "s", "nonce": "n",
    }))
    .await;
    provider.is_accepted(audience("abc")).await;
    provider.is_refused(audience("gateway123"), Rejection::Audience).await;
    provider.is_refused(clients("abc"), Rejection::Client).await;
    provider.is_refused(scopes("openid"), Rejection::Scope).await;
}

/// Okta's custom authorization servers: `cid`, and scopes as a list in `scp`.
#[tokio::test]
async fn okta_access_token() {
    let provider = Provider::of(json!({
        "ver": 1, "jti": "AT.x", "aud": "api://default", "cid": "0oa1", "sub": "0oa1", "scp": ["InvokeGateway", "read"],
    }))
    .await;
    provider.is_accepted(audience("api://default")).await;
    provider.is_accepted(scopes("InvokeGateway")).await;
    provider.is_accepted(contains("scp", "InvokeGateway")).await;
    provider.is_accepted(equals("cid", "0oa1")).await;
    provider.is_refused(clients("0oa1"), Rejection::Client).await;
    provider.is_refused(scopes("invokegateway"), Rejection::Scope).await;
}

/// "By default, Okta does not include client_id": the guide has it added as a claim.
#[tokio::test]
async fn okta_with_a_client_claim() {
    let provider =
        Provider::of(json!({ "aud": "api://default", "cid": "0oa1", "client_id": "0oa1", "scp": ["a"] }))
            .await;
    provider.is_accepted(clients("0oa1")).await;
}

#[tokio::test]
async fn okta_id_token() {
    let provider = Provider::of(json!({
        "sub": "00u1", "ver": 1, "aud": "0oa1", "jti": "ID.x", "amr": ["pwd"], "idp": "00o1", "auth_time": 1_749_679_004,
    }))
    .await;
    provider.is_accepted(audience("0oa1")).await;
    provider.is_refused(audience("api://default"), Rejection::Audience).await;
    provider.is_refused(clients("0oa1"), Rejection::Client).await;
}

/// Entra 2.0: the audience is the application's id, scopes are a text in `scp`.
#[tokio::test]
async fn entra_2_for_a_person() {
    let provider = Provider::of(json!({
        "aud": "6e74172b", "azp": "a1b2", "azpacr": "1", "name": "Ada", "oid": "o", "preferred_username": "ada@x.com",
        "roles": ["Agent.Invoke"], "scp": "invoke read", "sub": "s", "tid": "t", "uti": "u", "ver": "2.0", "nbf": NOW.seconds(),
    }))
    .await;
    provider.is_accepted(audience("6e74172b")).await;
    provider.is_accepted(scopes("invoke")).await;
    provider.is_accepted(contains("roles", "Agent.Invoke")).await;
    provider.is_accepted(equals("azp", "a1b2")).await;
    provider.is_accepted(equals("tid", "t")).await;
    provider.is_refused(audience("api://6e74172b"), Rejection::Audience).await;
    provider.is_refused(scopes("api://6e74172b/invoke"), Rejection::Scope).await;
    provider.is_refused(clients("a1b2"), Rejection::Client).await;
}

/// Entra 1.0: the audience may be the application's URI, the client is in `appid`.
#[tokio::test]
async fn entra_1_for_a_machine() {
    let provider = Provider::of(json!({
        "aud": "api://6e74172b", "aio": "x", "appid": "a1b2", "appidacr": "1", "idp": "https://sts.windows.net/t/",
        "oid": "o", "rh": "r", "roles": ["Agent.Invoke"], "sub": "o", "tid": "t", "uti": "u", "ver": "1.0",
    }))
    .await;
    provider.is_accepted(audience("api://6e74172b")).await;
    provider.is_accepted(equals("appid", "a1b2")).await;
    provider.is_accepted(contains("roles", "Agent.Invoke")).await;
    provider.is_refused(audience("6e74172b"), Rejection::Audience).await;
    provider.is_refused(clients("a1b2"), Rejection::Client).await;
    provider.is_refused(scopes("Agent.Invoke"), Rejection::Scope).await;
}

#[tokio::test]
async fn entra_id_token() {
    let provider = Provider::of(json!({
        "aud": "6e74172b", "name": "Ada", "nonce": "n", "oid": "o", "preferred_username": "ada@x.com", "sub": "s",
        "tid": "t", "ver": "2.0",
    }))
    .await;
    provider.is_accepted(audience("6e74172b")).await;
    provider.is_refused(clients("6e74172b"), Rejection::Client).await;
    provider.is_refused(scopes("openid"), Rejection::Scope).await;
}

/// Keycloak: `aud` is what mappers make it, the client is in `azp`, roles lie in objects.
#[tokio::test]
async fn keycloak_for_a_person() {
    let provider = Provider::of(json!({
        "jti": "j", "aud": ["gateway", "account"], "sub": "s", "typ": "Bearer", "azp": "agent", "session_state": "x",
        "acr": "1", "allowed-origins": ["*"], "realm_access": { "roles": ["admin"] },
        "resource_access": { "account": { "roles": ["view-profile"] } }, "scope": "openid email invoke",
        "groups": ["/staff"], "email_verified": false, "preferred_username": "ada",
    }))
    .await;
    provider.is_accepted(audience("gateway")).await;
    provider.is_accepted(scopes("invoke")).await;
    provider.is_accepted(equals("azp", "agent")).await;
    provider.is_accepted(contains("groups", "/staff")).await;
    provider.is_refused(clients("agent"), Rejection::Client).await;
    provider.is_refused(contains("realm_access", "admin"), no_claim("realm_access")).await;
    provider.is_refused(contains("realm_access.roles", "admin"), no_claim("realm_access.roles")).await;
}

/// Keycloak's service accounts carry `client_id` by a mapper of their own.
#[tokio::test]
async fn keycloak_for_a_machine() {
    let provider = Provider::of(json!({
        "aud": "account", "sub": "s", "typ": "Bearer", "azp": "agent", "client_id": "agent", "clientHost": "10.0.0.1",
        "scope": "email profile",
    }))
    .await;
    provider.is_accepted(clients("agent")).await;
    provider.is_refused(audience("gateway"), Rejection::Audience).await;
}

#[tokio::test]
async fn keycloak_id_token() {
    let provider =
        Provider::of(json!({ "aud": "agent", "sub": "s", "typ": "ID", "azp": "agent", "sid": "x" })).await;
    provider.is_accepted(audience("agent")).await;
    provider.is_refused(clients("agent"), Rejection::Client).await;
}
