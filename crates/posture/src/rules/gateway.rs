//! Gateways.

use std::collections::BTreeMap;

use serde_json::Value;

use super::authorizer::{discovery_url, is_plain, takes_any_client};
use super::{breach, word};
use crate::rule::{Breach, Rule, Severity};
use crate::{Gateway, Inventory};

pub(super) const AUTHORIZER_NONE: Rule = Rule {
    id: "gateway-authorizer-none",
    severity: Severity::Critical,
    title: "A gateway's authorizer is not NONE.",
    rationale: "Whoever can reach the gateway may call its tools with the gateway's own rights, and no policy can tell callers apart.",
    check: |inventory| {
        each(inventory, |gateway| {
            let targets = gateway.targets.len();
            let id = word(gateway.text("/gatewayId"));
            (gateway.text("/authorizerType") == "NONE").then(|| {
                breach(arn(gateway), format!("authorizerType is NONE; {targets} targets are open to everybody"), [
                    "# authorizerType cannot be changed: export the gateway, make it anew, and delete this one".to_owned(),
                    format!("portcullis audit posture --export-gateway {id} --export-to gateway-{id}"),
                    format!("cd gateway-{id} && sh recreate.sh"),
                ])
            })
        })
    },
};

pub(super) const ANY_CLIENT: Rule = Rule {
    id: "gateway-jwt-any-client",
    severity: Severity::High,
    title: "A gateway's JWT authorizer names clients, audiences, scopes or claims.",
    rationale: "Without any of them every token of the issuer opens the gateway, also one that was made for another application.",
    check: |inventory| {
        each(inventory, |gateway| {
            takes_any_client(&gateway.body).then(|| {
                breach(arn(gateway), "customJWTAuthorizer has neither allowedClients nor allowedAudience, allowedScopes nor customClaims", [
                    update(gateway, "authorizerConfiguration.customJWTAuthorizer.allowedClients = [\"CLIENT_ID\"]"),
                ])
            })
        })
    },
};

pub(super) const PLAIN_DISCOVERY: Rule = Rule {
    id: "gateway-discovery-plain-http",
    severity: Severity::High,
    title: "A gateway's discovery URL is https.",
    rationale: "Whoever is on the way can put keys of their own in the place of the issuer's, and sign tokens that the gateway accepts.",
    check: |inventory| {
        each(inventory, |gateway| {
            let url = discovery_url(&gateway.body);
            is_plain(url).then(|| {
                breach(
                    arn(gateway),
                    format!("discoveryUrl is {url}"),
                    [update(
                        gateway,
                        "authorizerConfiguration.customJWTAuthorizer.discoveryUrl = \"https://…\"",
                    )],
                )
            })
        })
    },
};

pub(super) const NO_POLICY: Rule = Rule {
    id: "gateway-without-policy-engine",
    severity: Severity::Medium,
    title: "A gateway has a policy engine.",
    rationale: "Without one every caller who is let in may call every tool with every argument.",
    check: |inventory| {
        each(inventory, |gateway| {
            let open = gateway.text("/policyEngineConfiguration/arn").is_empty();
            open.then(|| {
                breach(arn(gateway), "no policyEngineConfiguration", [
                    "aws bedrock-agentcore-control create-policy-engine --name ENGINE".to_owned(),
                    update(gateway, "policyEngineConfiguration = {\"arn\": \"ENGINE_ARN\", \"mode\": \"LOG_ONLY\"}, and ENFORCE when its decisions are right"),
                ])
            })
        })
    },
};

pub(super) const LOG_ONLY: Rule = Rule {
    id: "gateway-policy-log-only",
    severity: Severity::Medium,
    title: "A gateway's policies are enforced.",
    rationale: "Under LOG_ONLY what the policies deny is done all the same. It is for trying policies out, not for production.",
    check: |inventory| {
        each(inventory, |gateway| {
            (gateway.text("/policyEngineConfiguration/mode") == "LOG_ONLY").then(|| {
                breach(
                    arn(gateway),
                    "policyEngineConfiguration.mode is LOG_ONLY",
                    [update(gateway, "policyEngineConfiguration.mode = \"ENFORCE\"")],
                )
            })
        })
    },
};

pub(super) const UNGUARDED_PROMPTS: Rule = Rule {
    id: "gateway-prompts-beside-policies",
    severity: Severity::Low,
    title: "Policies guard prompts and resources, too.",
    rationale: "Cedar has no action for prompts and resources of MCP servers: whoever may call the gateway may read them all, whatever its policies.",
    check: |inventory| {
        each(inventory, |gateway| {
            let guarded = gateway.text("/policyEngineConfiguration/mode") == "ENFORCE";
            let is_server = |target: &&Value| target.pointer("/targetConfiguration/mcp/mcpServer").is_some();
            let servers = gateway.targets.iter().filter(is_server).count();
            (guarded && servers > 0 && !inventory.prompts_refused).then(|| {
                breach(arn(gateway), format!("{servers} targets are MCP servers behind policies"), [
                    "# in the configuration of the server, under [policy]: prompts-and-resources = \"refuse\"".to_owned(),
                ])
            })
        })
    },
};

pub(super) const DEBUG: Rule = Rule {
    id: "gateway-exception-level-debug",
    severity: Severity::Low,
    title: "A gateway does not tell callers the details of failures.",
    rationale: "With exceptionLevel DEBUG callers, and the models behind them, learn addresses and errors of the services behind the gateway.",
    check: |inventory| {
        each(inventory, |gateway| {
            (gateway.text("/exceptionLevel") == "DEBUG").then(|| {
                breach(arn(gateway), "exceptionLevel is DEBUG", [update(gateway, "exceptionLevel left out")])
            })
        })
    },
};

pub(super) const SHARED_ROLE: Rule = Rule {
    id: "gateway-shared-role",
    severity: Severity::Medium,
    title: "Each gateway has a role of its own.",
    rationale: "What one gateway may do its neighbour may, too, and the trail of the role does not say which of them did it.",
    check: |inventory| {
        let mut by_role: BTreeMap<&str, Vec<&Gateway>> = BTreeMap::new();
        for gateway in inventory.gateways.iter().filter(|it| !it.text("/roleArn").is_empty()) {
            by_role.entry(gateway.text("/roleArn")).or_default().push(gateway);
        }
        let shared = by_role.into_iter().filter(|(_, gateways)| gateways.len() > 1);
        let breach = |(role, gateways): (&str, Vec<&Gateway>)| {
            let names: Vec<_> = gateways.iter().map(|it| it.text("/name")).collect();
            let mut remediation = vec![
                "aws iam create-role --role-name ROLE --assume-role-policy-document file://trust.json"
                    .to_owned(),
            ];
            remediation.extend(
                gateways.iter().skip(1).map(|it| update(it, "roleArn = \"arn:aws:iam::ACCOUNT:role/ROLE\"")),
            );
            Breach {
                resource: role.to_owned(),
                evidence: format!("it is the role of {}", names.join(", ")),
                remediation,
            }
        };
        shared.map(breach).collect()
    },
};

pub(super) const NO_KEY: Rule = Rule {
    id: "gateway-without-customer-key",
    severity: Severity::Low,
    title: "A gateway's targets are sealed under a key of the customer's.",
    rationale: "With a KMS key of one's own, taking the key away shuts the gateway, and each use of it is on record.",
    check: |inventory| {
        each(inventory, |gateway| {
            gateway
                .text("/kmsKeyArn")
                .is_empty()
                .then(|| breach(arn(gateway), "no kmsKeyArn", [update(gateway, "kmsKeyArn = \"KEY_ARN\"")]))
        })
    },
};

pub(super) const NOT_LOGGED: Rule = Rule {
    id: "gateway-without-log-delivery",
    severity: Severity::Low,
    title: "A gateway's application logs are delivered.",
    rationale: "What a gateway was asked and what went wrong can only be looked up where it was kept.",
    check: |inventory| {
        let Some(logged) = &inventory.logged else { return Vec::new() };
        each(inventory, |gateway| {
            let id = word(gateway.text("/gatewayId"));
            (!logged.iter().any(|it| it == gateway.text("/gatewayArn"))).then(|| {
                breach(arn(gateway), "no delivery source has its APPLICATION_LOGS", [
                    format!("aws logs create-log-group --log-group-name /aws/vendedlogs/bedrock-agentcore/gateway/APPLICATION_LOGS/{id}"),
                    format!("aws logs put-delivery-source --name {id}-logs-source --resource-arn {} --log-type APPLICATION_LOGS", arn(gateway)),
                    format!("aws logs put-delivery-destination --name {id}-logs-destination --delivery-destination-type CWL --delivery-destination-configuration destinationResourceArn=LOG_GROUP_ARN"),
                    format!("aws logs create-delivery --delivery-source-name {id}-logs-source --delivery-destination-arn DESTINATION_ARN"),
                ])
            })
        })
    },
};

fn each(inventory: &Inventory, check: impl Fn(&Gateway) -> Option<Breach>) -> Vec<Breach> {
    inventory.gateways.iter().filter_map(check).collect()
}

fn arn(gateway: &Gateway) -> &str {
    gateway.text("/gatewayArn")
}

/// UpdateGateway replaces all settings, so the command begins with those that there are.
fn update(gateway: &Gateway, change: &str) -> String {
    let id = word(gateway.text("/gatewayId"));
    format!(
        "aws bedrock-agentcore-control get-gateway --gateway-identifier {id} > gateway.json; edit it ({change}); aws bedrock-agentcore-control update-gateway --gateway-identifier {id} --cli-input-json file://gateway.json"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inventory(body: Value) -> Inventory {
        let gateway = |mut body: Value, id: &str| {
            body["gatewayArn"] = json!(format!("arn:{id}"));
            body["gatewayId"] = json!(id);
            Gateway { body, targets: Vec::new() }
        };
        Inventory {
            gateways: vec![gateway(body, "g")],
            logged: Some(vec!["arn:logged".into()]),
            ..Inventory::default()
        }
    }

    fn jwt(members: &Value) -> Value {
        json!({ "authorizerType": "CUSTOM_JWT", "authorizerConfiguration": { "customJWTAuthorizer": members } })
    }

    #[test]
    fn each_rule_tells_a_gateway_that_breaks_it_from_one_that_does_not() {
        let https = "https://idp.example.com/.well-known/openid-configuration";
        for (rule, bad, good) in [
            (AUTHORIZER_NONE, json!({"authorizerType": "NONE"}), json!({"authorizerType": "AWS_IAM"})),
            (
                ANY_CLIENT,
                jwt(&json!({"discoveryUrl": https})),
                jwt(&json!({"discoveryUrl": https, "allowedClients": ["a"]})),
            ),
            (ANY_CLIENT, jwt(&json!({"allowedClients": []})), jwt(&json!({"allowedAudience": ["a"]}))),
            (
                PLAIN_DISCOVERY,
                jwt(&json!({"discoveryUrl": "http://idp.example.com/x"})),
                jwt(&json!({"discoveryUrl": https})),
            ),
            (NO_POLICY, json!({}), json!({"policyEngineConfiguration": {"arn": "arn:e", "mode": "ENFORCE"}})),
            (
                LOG_ONLY,
                json!({"policyEngineConfiguration": {"arn": "e", "mode": "LOG_ONLY"}}),
                json!({"policyEngineConfiguration": {"arn": "e", "mode": "ENFORCE"}}),
            ),
            (DEBUG, json!({"exceptionLevel": "DEBUG"}), json!({})),
            (NO_KEY, json!({}), json!({"kmsKeyArn": "arn:k"})),
        ] {
            assert_eq!((rule.check)(&inventory(bad)).len(), 1, "{}", rule.id);
            assert_eq!((rule.check)(&inventory(good)), [], "{}", rule.id);
        }
        let mut served = inventory(json!({"policyEngineConfiguration": {"arn": "e", "mode": "ENFORCE"}}));
        assert_eq!((UNGUARDED_PROMPTS.check)(&served), []);
        for gateway in &mut served.gateways {
            gateway
                .targets
                .push(json!({"targetConfiguration": {"mcp": {"mcpServer": {"endpoint": "https://m"}}}}));
        }
        assert_eq!((UNGUARDED_PROMPTS.check)(&served).len(), 1);
        assert_eq!((UNGUARDED_PROMPTS.check)(&Inventory { prompts_refused: true, ..served }), []);
        assert_eq!((NOT_LOGGED.check)(&inventory(json!({}))).len(), 1);
        let logged = Inventory { logged: Some(vec!["arn:g".into()]), ..inventory(json!({})) };
        assert_eq!((NOT_LOGGED.check)(&logged), []);
        assert_eq!(
            (NOT_LOGGED.check)(&Inventory { logged: None, ..inventory(json!({})) }),
            [],
            "nobody knows"
        );
    }

    #[test]
    fn a_role_is_one_gateways() {
        let mut both = inventory(json!({"roleArn": "arn:r", "name": "one"}));
        both.gateways.extend(inventory(json!({"roleArn": "arn:r", "name": "two"})).gateways);
        let found = (SHARED_ROLE.check)(&both);
        assert_eq!((found.len(), found[0].resource.as_str()), (1, "arn:r"));
        assert!(found[0].evidence.contains("one, two"));
        assert_eq!((SHARED_ROLE.check)(&inventory(json!({"roleArn": "arn:r"}))), []);
    }
}
