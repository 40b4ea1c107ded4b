//! Cognito as its clients see it: pools, domains, resource servers and app clients through signed requests, and the
//! tokens that come of them. On SQLite always, on PostgreSQL too when `PORTCULLIS_TEST_POSTGRES` names a server on which
//! databases may be made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and asks its environment for a server"
)]

#[path = "../support/mod.rs"]
mod support;

mod refusals;

mod clients;
mod domains;
mod pools;
mod resource_servers;

mod tokens;

use serde_json::{Value, json};
use support::{Actor, Answered};

/// The account of the first actor.
const ACCOUNT: &str = support::ACCOUNT;

async fn call(actor: &Actor, operation: &str, params: Value) -> Answered {
    actor.call("cognito-idp", operation, params).await
}

/// Makes a pool, and gives its id.
async fn make_pool(actor: &Actor, name: &str) -> String {
    let made = call(actor, "CreateUserPool", json!({"PoolName": name})).await.good();
    made["UserPool"]["Id"].as_str().unwrap().to_owned()
}

/// Makes the resource server of the documents, with the scopes `read` and `write`.
async fn make_server(actor: &Actor, pool: &str) -> Value {
    let params = json!({
        "UserPoolId": pool,
        "Identifier": "gateway-resource-server",
        "Name": "GatewayResourceServer",
        "Scopes": [
            {"ScopeName": "read", "ScopeDescription": "Read access"},
            {"ScopeName": "write", "ScopeDescription": "Write access"},
        ],
    });
    call(actor, "CreateResourceServer", params).await.good()
}

/// The client of the documents.
fn machine(pool: &str) -> Value {
    json!({
        "UserPoolId": pool,
        "ClientName": "gateway-client",
        "GenerateSecret": true,
        "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthScopes": ["gateway-resource-server/read", "gateway-resource-server/write"],
        "AllowedOAuthFlowsUserPoolClient": true,
        "SupportedIdentityProviders": ["COGNITO"],
    })
}

/// `params` with other members.
fn with(params: &Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("{changes} are no members") };
    let mut changed = params.clone();
    changed.as_object_mut().unwrap().extend(changes);
    changed
}
