//! Targets and their tools.

use serde_json::Value;

use super::authorizer::is_plain;
use super::secrets::is_named_like_a_secret;
use super::{breach, word};
use crate::inventory::{list, text};
use crate::rule::{Breach, Rule, Severity};
use crate::{Gateway, Inventory};

pub(super) const TOKEN_ARGUMENT: Rule = Rule {
    id: "tool-argument-named-like-a-token",
    severity: Severity::Medium,
    title: "No tool takes an argument that is named like a token.",
    rationale: "A model would have to be told the secret, and what a model is told it may repeat. Credential providers attach secrets where no model sees them.",
    check: |inventory| {
        each(inventory, |gateway, target| {
            let names = tools(target).iter().flat_map(|tool| {
                let properties = tool.pointer("/inputSchema/properties").and_then(Value::as_object);
                properties.into_iter().flatten().map(move |(name, _)| (text(tool, "/name"), name))
            });
            let found: Vec<_> = names
                .filter(|(_, name)| is_named_like_a_secret(name))
                .map(|(tool, name)| format!("{tool}.{name}"))
                .collect();
            (!found.is_empty()).then(|| {
                breach(arn(gateway, target), format!("arguments {}", found.join(", ")), [
                    "aws bedrock-agentcore-control create-api-key-credential-provider --name PROVIDER --api-key KEY".to_owned(),
                    update(gateway, target, "take the argument out of the tool's schema, and name the provider in credentialProviderConfigurations"),
                ])
            })
        })
    },
};

pub(super) const NO_WHEN: Rule = Rule {
    id: "tool-description-without-when",
    severity: Severity::Low,
    title: "A tool's description says when to use it.",
    rationale: "A model chooses by the description. One that does not say when the tool is meant is chosen when it should not be.",
    check: |inventory| {
        each(inventory, |gateway, target| {
            let vague = |tool: &&Value| {
                let description = text(tool, "/description").to_ascii_lowercase();
                let mut words = description.split(|it: char| !it.is_alphanumeric());
                !words.any(|word| matches!(word, "when" | "whenever" | "if" | "before" | "after" | "instead"))
            };
            let found: Vec<_> = tools(target).iter().filter(vague).map(|tool| text(tool, "/name")).collect();
            (!found.is_empty()).then(|| {
                breach(
                    arn(gateway, target),
                    format!("tools {}", found.join(", ")),
                    [update(gateway, target, "say in each description when the tool is to be used")],
                )
            })
        })
    },
};

pub(super) const UNPINNED: Rule = Rule {
    id: "target-mcp-unpinned",
    severity: Severity::Medium,
    title: "The tools of an MCP target are pinned.",
    rationale: "With listingMode DYNAMIC callers see whatever the server lists at that moment: a tool that changed its meaning is offered before anybody has looked at it.",
    check: |inventory| {
        each(inventory, |gateway, target| {
            let dynamic = text(target, "/targetConfiguration/mcp/mcpServer/listingMode") == "DYNAMIC";
            dynamic.then(|| {
                breach(
                    arn(gateway, target),
                    "mcpServer.listingMode is DYNAMIC",
                    [update(gateway, target, "targetConfiguration.mcp.mcpServer.listingMode = \"DEFAULT\"")],
                )
            })
        })
    },
};

pub(super) const PLAIN_ENDPOINT: Rule = Rule {
    id: "target-endpoint-plain-http",
    severity: Severity::High,
    title: "A target's endpoint is https.",
    rationale: "Arguments, results and the credential that the gateway attaches can be read and changed on the way.",
    check: |inventory| {
        each(inventory, |gateway, target| {
            let urls = [
                "/targetConfiguration/mcp/mcpServer/endpoint",
                "/targetConfiguration/http/passthrough/endpoint",
            ];
            let plain = urls.map(|it| text(target, it)).into_iter().find(|url| is_plain(url))?;
            let shown = plain.split('?').next().unwrap_or_default();
            Some(breach(
                arn(gateway, target),
                format!("endpoint {shown}"),
                [update(gateway, target, "endpoint = \"https://…\"")],
            ))
        })
    },
};

pub(super) const NO_CREDENTIAL: Rule = Rule {
    id: "target-without-credential",
    severity: Severity::Medium,
    title: "A target's service is shown a credential.",
    rationale: "A service that asks nobody who they are is open to whoever finds it, past the gateway and its policies.",
    check: |inventory| {
        each(inventory, |gateway, target| {
            let of = |kind: &str| target.pointer(&format!("/targetConfiguration/{kind}")).is_some();
            let asks = ["mcp/mcpServer", "mcp/openApiSchema", "http/passthrough"].into_iter().any(of);
            (asks && list(target, "/credentialProviderConfigurations").is_empty()).then(|| {
                breach(
                    arn(gateway, target),
                    "no credentialProviderConfigurations",
                    [update(
                        gateway,
                        target,
                        "credentialProviderConfigurations = [{\"credentialProviderType\": \"OAUTH\", …}]",
                    )],
                )
            })
        })
    },
};

pub(super) const KEY_IN_QUERY: Rule = Rule {
    id: "target-key-in-query",
    severity: Severity::Medium,
    title: "An API key is sent in a header.",
    rationale: "URLs are written into the logs of every proxy and server on the way.",
    check: |inventory| {
        each(inventory, |gateway, target| {
            let in_query = |it: &Value| {
                text(it, "/credentialProvider/apiKeyCredentialProvider/credentialLocation")
                    == "QUERY_PARAMETER"
            };
            list(target, "/credentialProviderConfigurations").iter().any(in_query).then(|| {
                breach(
                    arn(gateway, target),
                    "credentialLocation is QUERY_PARAMETER",
                    [update(gateway, target, "credentialLocation = \"HEADER\", if the service takes one")],
                )
            })
        })
    },
};

pub(super) const PASSED_CREDENTIAL: Rule = Rule {
    id: "target-passes-credentials",
    severity: Severity::High,
    title: "Callers' credentials are not passed on to targets.",
    rationale: "A token that was made for the gateway works at the gateway: whoever it is passed on to can use it there.",
    check: |inventory| {
        each(inventory, |gateway, target| {
            let headers = list(target, "/metadataConfiguration/allowedRequestHeaders").iter();
            let parameters = list(target, "/metadataConfiguration/allowedQueryParameters").iter();
            let names = headers.chain(parameters).filter_map(Value::as_str);
            let of_credentials = |name: &&str| {
                let lower = name.to_ascii_lowercase();
                matches!(lower.as_str(), "authorization" | "cookie" | "proxy-authorization")
                    || is_named_like_a_secret(name)
            };
            let found: Vec<_> = names.filter(of_credentials).collect();
            (!found.is_empty()).then(|| {
                breach(
                    arn(gateway, target),
                    format!("metadataConfiguration passes {}", found.join(", ")),
                    [update(gateway, target, "take them out of metadataConfiguration")],
                )
            })
        })
    },
};

fn each(inventory: &Inventory, check: impl Fn(&Gateway, &Value) -> Option<Breach>) -> Vec<Breach> {
    let check = &check;
    let of =
        |gateway: &Gateway| gateway.targets.iter().filter_map(|it| check(gateway, it)).collect::<Vec<_>>();
    inventory.gateways.iter().flat_map(of).collect()
}

/// The tools that the API shows: those of a function whose schema is inline.
fn tools(target: &Value) -> &[Value] {
    list(target, "/targetConfiguration/mcp/lambda/toolSchema/inlinePayload")
}

fn arn(gateway: &Gateway, target: &Value) -> String {
    format!("{}/target/{}", gateway.text("/gatewayArn"), text(target, "/targetId"))
}

fn update(gateway: &Gateway, target: &Value, change: &str) -> String {
    let (id, target) = (word(gateway.text("/gatewayId")), word(text(target, "/targetId")));
    format!(
        "aws bedrock-agentcore-control get-gateway-target --gateway-identifier {id} --target-id {target} > target.json; edit it ({change}); aws bedrock-agentcore-control update-gateway-target --gateway-identifier {id} --target-id {target} --cli-input-json file://target.json"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(rule: Rule, target: Value) -> usize {
        let gateway = Gateway { body: json!({"gatewayArn": "arn:g"}), targets: vec![target] };
        (rule.check)(&Inventory { gateways: vec![gateway], ..Inventory::default() }).len()
    }

    fn lambda(tool: &Value) -> Value {
        json!({"targetConfiguration": {"mcp": {"lambda": {"toolSchema": {"inlinePayload": [tool]}}}}})
    }

    fn mcp(server: &Value) -> Value {
        json!({"targetConfiguration": {"mcp": {"mcpServer": server}}})
    }

    #[test]
    fn each_rule_tells_a_target_that_breaks_it_from_one_that_does_not() {
        let argument = |name: &str| {
            lambda(&json!({"name": "t", "inputSchema": {"properties": {name: {"type": "string"}}}}))
        };
        let described = |text: &str| lambda(&json!({"name": "t", "description": text}));
        let credential = |it: Value| json!({"credentialProviderConfigurations": [{"credentialProvider": {"apiKeyCredentialProvider": it}}]});
        let passing = |it: &str| json!({"metadataConfiguration": {"allowedRequestHeaders": [it]}});
        let mut with_credential = mcp(&json!({"endpoint": "https://a"}));
        with_credential["credentialProviderConfigurations"] = json!([{"credentialProviderType": "OAUTH"}]);
        for (rule, bad, good) in [
            (TOKEN_ARGUMENT, argument("access_token"), argument("page_token_count")),
            (TOKEN_ARGUMENT, argument("apiKey"), argument("key")),
            (
                NO_WHEN,
                described("Sends a mail."),
                described("Sends a mail. Use it when a person asked for one."),
            ),
            (UNPINNED, mcp(&json!({"listingMode": "DYNAMIC"})), mcp(&json!({"listingMode": "DEFAULT"}))),
            (
                PLAIN_ENDPOINT,
                mcp(&json!({"endpoint": "http://tools.example.com/mcp"})),
                mcp(&json!({"endpoint": "https://tools.example.com/mcp"})),
            ),
            (NO_CREDENTIAL, mcp(&json!({"endpoint": "https://a"})), with_credential),
            (
                KEY_IN_QUERY,
                credential(json!({"credentialLocation": "QUERY_PARAMETER"})),
                credential(json!({"credentialLocation": "HEADER"})),
            ),
            (PASSED_CREDENTIAL, passing("Authorization"), passing("X-Request-Id")),
        ] {
            assert_eq!(found(rule, bad), 1, "{}", rule.id);
            assert_eq!(found(rule, good), 0, "{}", rule.id);
        }
        assert_eq!(found(NO_CREDENTIAL, lambda(&json!({}))), 0, "a function is invoked as the role");
    }
}
