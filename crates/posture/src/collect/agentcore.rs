//! AgentCore's own resources.

use serde_json::{Value, json};

use crate::client::{AGENTCORE, Access, CallError, encoded};
use crate::inventory::text;
use crate::{Engine, Gateway, Inventory, Runtime};

const TOKEN: (&str, &str) = ("nextToken", "nextToken");

pub(super) async fn gateways(access: &Access<'_>, inventory: &mut Inventory) {
    let listed = access.all(AGENTCORE, "/gateways/", false, "items", TOKEN).await;
    for summary in inventory.read("ListGateways", listed) {
        let path = format!("/gateways/{}/", encoded(text(&summary, "/gatewayId")));
        let Some(body) = one(inventory, "GetGateway", access.rest(AGENTCORE, &path, &[], None).await) else {
            continue;
        };
        let listed = access.all(AGENTCORE, &format!("{path}targets/"), false, "items", TOKEN).await;
        let mut targets = Vec::new();
        for summary in inventory.read("ListGatewayTargets", listed) {
            let path = format!("{path}targets/{}/", encoded(text(&summary, "/targetId")));
            let read = access.rest(AGENTCORE, &path, &[], None).await;
            targets.extend(one(inventory, "GetGatewayTarget", read));
        }
        inventory.gateways.push(Gateway { body, targets });
    }
}

pub(super) async fn engines(access: &Access<'_>, inventory: &mut Inventory) {
    let listed = access.all(AGENTCORE, "/policy-engines", false, "policyEngines", TOKEN).await;
    for body in inventory.read("ListPolicyEngines", listed) {
        let path = format!("/policy-engines/{}/policies", encoded(text(&body, "/policyEngineId")));
        let listed = access.all(AGENTCORE, &path, false, "policies", TOKEN).await;
        let policies = inventory.read("ListPolicies", listed);
        inventory.engines.push(Engine { body, policies });
    }
}

pub(super) async fn identities(access: &Access<'_>, inventory: &mut Inventory) {
    inventory.oauth_providers =
        named(access, inventory, "Oauth2CredentialProvider", "credentialProviders").await;
    inventory.key_providers =
        named(access, inventory, "ApiKeyCredentialProvider", "credentialProviders").await;
    inventory.workloads = named(access, inventory, "WorkloadIdentity", "workloadIdentities").await;
    let vault = access.rest(AGENTCORE, "/identities/get-token-vault", &[], Some(&json!({}))).await;
    inventory.vault = one(inventory, "GetTokenVault", vault);
}

pub(super) async fn runtimes(access: &Access<'_>, inventory: &mut Inventory) {
    let listed = access.all(AGENTCORE, "/runtimes/", true, "agentRuntimes", TOKEN).await;
    for summary in inventory.read("ListAgentRuntimes", listed) {
        let path = format!("/runtimes/{}/", encoded(text(&summary, "/agentRuntimeId")));
        let read = access.rest(AGENTCORE, &path, &[], None).await;
        if let Some(body) = one(inventory, "GetAgentRuntime", read) {
            inventory.runtimes.push(Runtime { body });
        }
    }
}

/// Everything of a kind that is listed by name and got by name.
async fn named(access: &Access<'_>, inventory: &mut Inventory, kind: &str, member: &str) -> Vec<Value> {
    let plural = match kind {
        "WorkloadIdentity" => "ListWorkloadIdentities".to_owned(),
        kind => format!("List{kind}s"),
    };
    let listed = access.all(AGENTCORE, &format!("/identities/{plural}"), true, member, TOKEN).await;
    let mut found = Vec::new();
    for summary in inventory.read(&plural, listed) {
        let body = json!({ "name": text(&summary, "/name") });
        let operation = format!("Get{kind}");
        let read = access.rest(AGENTCORE, &format!("/identities/{operation}"), &[], Some(&body)).await;
        found.extend(one(inventory, &operation, read));
    }
    found
}

/// What was read, unless it is gone meanwhile.
fn one(inventory: &mut Inventory, operation: &str, read: Result<Value, CallError>) -> Option<Value> {
    match read {
        Err(error) if error.is_absent() && operation != "GetTokenVault" => None,
        read => inventory.read(operation, read.map(Some)),
    }
}
