//! Gateways and their targets through signed requests: what is configured, what is refused, and why.

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

mod generations;
mod rate_limits;
mod targets;

use serde_json::{Value, json};
use support::{Actor, World, trust};

const SERVICE: &str = "bedrock-agentcore-control";

/// A gateway of root's, by its settings beside the role and the name; gives its id.
async fn gateway(root: &Actor, settings: Value) -> String {
    let role = root.makes_role("gate", trust("Service", "bedrock-agentcore.amazonaws.com"), None).await;
    let mut request = json!({ "name": "gate", "roleArn": role, "authorizerType": "NONE" });
    for (name, value) in settings.as_object().unwrap() {
        request[name] = value.clone();
    }
    let made = root.call(SERVICE, "CreateGateway", request).await.good();
    made["gatewayId"].as_str().unwrap().to_owned()
}

async fn world() -> (World, Actor) {
    let world = World::new().await;
    let root = world.root();
    (world, root)
}
