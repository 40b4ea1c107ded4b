//! The callers that a gateway's own user pool knows: its clients, each with the widest token that it can get.
//!
//! Only what is exact is told. A client that acts for itself (`client_credentials`) has a token whose claims the pool's
//! settings decide: `sub`, `client_id` and its scopes. Where a function of the pool's shapes the claims, or where a person
//! is behind the token, settings do not say what a token will hold, and nothing is said.

use domain::{Authorizer, PoolClient};
use serde_json::{Map, Value, json};
use store::Page;

use super::sources::Found;
use crate::terminal::Failure;

/// A caller, and what to call it.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) claims: Map<String, Value>,
}

/// The clients that act for themselves, or why they are not told.
pub(super) async fn clients(found: &Found) -> Result<Result<Vec<Member>, String>, Failure> {
    let [gateway] = found.gateways.as_slice() else {
        return Ok(Err("the policy engine guards several gateways: name one with --gateway".to_owned()));
    };
    let names = found.opened.names();
    let Authorizer::CustomJwt(authorizer) = &gateway.authorizer else {
        return Ok(Err("the gateway looks at no tokens".to_owned()));
    };
    let Some(id) = names.pool_of_discovery_url(&authorizer.discovery_url) else {
        return Ok(Err("another issuer knows who the gateway's callers are".to_owned()));
    };
    let mut tx = found.opened.store.read().await?;
    let Some(pool) = tx.user_pool(&id).await? else {
        return Ok(Err(format!("there is no user pool {id}")));
    };
    if pool.pre_token.is_some() {
        return Ok(Err("a function of the user pool shapes what tokens hold".to_owned()));
    }
    let clients = tx.pool_clients(&pool.id, Page::ALL).await?;
    let issuer = names.issuer(&pool.id, &pool.scope.region);
    let accepted = |client: &&PoolClient| {
        let allowed = &authorizer.allowed_clients;
        let acts = client.oauth_enabled && client.flows.iter().any(|flow| flow == "client_credentials");
        acts && (allowed.is_empty() || allowed.iter().any(|id| id == client.id.as_str()))
    };
    let members = clients.iter().filter(accepted).map(|client| member(client, &issuer));
    Ok(Ok(members.collect()))
}

fn member(client: &PoolClient, issuer: &str) -> Member {
    let claims = json!({
        "sub": client.id.as_str(),
        "client_id": client.id.as_str(),
        "iss": issuer,
        "scope": client.scopes.join(" "),
        "token_use": "access",
        "version": 2,
    });
    let claims = match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    };
    Member { name: format!("{} ({})", client.name, client.id), claims }
}
