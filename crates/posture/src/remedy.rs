//! What becomes of a gateway that lets everybody in. Its authorizer cannot be changed, so it is made anew: its targets and
//! policies are exported, and commands say how the new one is made from them.

use serde_json::{Map, Value, json};

use crate::Gateway;
use crate::inventory::text;

/// A gateway's configuration as requests, and the commands that send them.
pub struct Export {
    /// Files by name: requests for `--cli-input-json`.
    pub files: Vec<(String, Value)>,
    /// What is run, in order.
    pub commands: Vec<String>,
}

/// What `CreateGateway` and `UpdateGateway` take of what `GetGateway` says.
const OF_GATEWAY: [&str; 9] = [
    "name",
    "description",
    "roleArn",
    "protocolType",
    "protocolConfiguration",
    "kmsKeyArn",
    "interceptorConfigurations",
    "policyEngineConfiguration",
    "exceptionLevel",
];
/// The same of targets.
const OF_TARGET: [&str; 5] = [
    "name",
    "description",
    "targetConfiguration",
    "credentialProviderConfigurations",
    "metadataConfiguration",
];

/// Exports a gateway, with an IAM authorizer in the place of none: it needs nothing that only its owner knows. `policies` are
/// those of the engine that guards it, or would: a gateway of this kind can have none attached.
#[must_use]
pub fn export_gateway(gateway: &Gateway, policies: &[Value]) -> Export {
    let name = gateway.text("/name");
    let mut request = taken(&gateway.body, &OF_GATEWAY);
    // The name is the old gateway's until that is gone.
    let new_name: String = format!("{}-auth", name.chars().take(43).collect::<String>());
    request.insert("name".to_owned(), new_name.into());
    request.insert("authorizerType".to_owned(), "AWS_IAM".into());
    let mut files = vec![("gateway.json".to_owned(), Value::Object(request))];
    let id = gateway.text("/gatewayId");
    let control = "aws bedrock-agentcore-control";
    let mut commands = vec![
        "# AWS_IAM lets in who signs. For tokens, write authorizerType CUSTOM_JWT and authorizerConfiguration into gateway.json.".to_owned(),
        format!(
            "NEW=$({control} create-gateway --cli-input-json file://gateway.json --query gatewayId --output text)"
        ),
        format!(
            "until [ \"$({control} get-gateway --gateway-identifier \"$NEW\" --query status --output text)\" = READY ]; do sleep 2; done"
        ),
    ];
    for target in &gateway.targets {
        let file = format!("target-{}.json", text(target, "/targetId"));
        commands.push(format!(
            "{control} create-gateway-target --gateway-identifier \"$NEW\" --cli-input-json file://{file}"
        ));
        files.push((file, Value::Object(taken(target, &OF_TARGET))));
    }
    if !policies.is_empty() {
        let kept = policies
            .iter()
            .map(|policy| Value::Object(taken(policy, &["name", "definition", "description"])));
        files.push(("policies.json".to_owned(), Value::Array(kept.collect())));
        commands.push("# The policies are those of the engine and stay in it; those that name the old gateway are in policies.json and have to name the new one.".to_owned());
    }
    commands.push("# When callers use the new gateway's URL, the old one goes:".to_owned());
    for target in &gateway.targets {
        commands.push(format!(
            "{control} delete-gateway-target --gateway-identifier {id} --target-id {}",
            text(target, "/targetId")
        ));
    }
    commands.push(format!("{control} delete-gateway --gateway-identifier {id}"));
    Export { files, commands }
}

/// The members that a request takes.
fn taken(body: &Value, members: &[&str]) -> Map<String, Value> {
    let found = members.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone())));
    found.filter(|(_, value)| !value.is_null() && *value != json!([])).collect()
}
