//! Policy engines and Cedar policies.

use serde_json::Value;

use super::{breach, word};
use crate::inventory::text;
use crate::rule::{Breach, Rule, Severity};
use crate::{Engine, Inventory};

pub(super) const PERMITS_EVERYTHING: Rule = Rule {
    id: "policy-permits-everything",
    severity: Severity::High,
    title: "No policy permits everything.",
    rationale: "A permit without principal, action, resource and condition decides for everybody about every tool, also about those that are added later.",
    check: |inventory| {
        each_policy(inventory, |engine, policy| {
            permits_everything(text(policy, "/definition/cedar/statement")).then(|| {
                breach(arn(engine, policy), "permit(principal, action, resource) without a condition", [
                    format!("portcullis policy summary --engine {}", word(text(&engine.body, "/policyEngineId"))),
                    update(engine, policy, "name the action, the gateway and who may: permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::\\\"Target___tool\\\", resource == AgentCore::Gateway::\\\"GATEWAY_ARN\\\") when { … };"),
                ])
            })
        })
    },
};

pub(super) const UNUSED_ENGINE: Rule = Rule {
    id: "policy-engine-unused",
    severity: Severity::Low,
    title: "A policy engine guards a gateway.",
    rationale: "Policies of an engine that is attached nowhere look like protection and are none.",
    check: |inventory| {
        let attached = |engine: &&Engine| {
            let arn = text(&engine.body, "/policyEngineArn");
            inventory.gateways.iter().any(|it| it.text("/policyEngineConfiguration/arn") == arn)
        };
        let unused = inventory.engines.iter().filter(|engine| !attached(engine));
        unused
            .map(|engine| {
                let id = word(text(&engine.body, "/policyEngineId"));
                breach(text(&engine.body, "/policyEngineArn"), "it is attached to no gateway", [
                    "# attach it in a gateway's policyEngineConfiguration, or delete its policies and then:".to_owned(),
                    format!("aws bedrock-agentcore-control delete-policy-engine --policy-engine-id {id}"),
                ])
            })
            .collect()
    },
};

pub(super) const NOT_BINDING: Rule = Rule {
    id: "policy-log-only",
    severity: Severity::Low,
    title: "A policy binds.",
    rationale: "A policy whose enforcementMode is LOG_ONLY is watched and decides nothing; a forbid among them forbids nothing.",
    check: |inventory| {
        each_policy(inventory, |engine, policy| {
            (text(policy, "/enforcementMode") == "LOG_ONLY").then(|| {
                breach(arn(engine, policy), "enforcementMode is LOG_ONLY", [format!(
                    "aws bedrock-agentcore-control update-policy --policy-engine-id {} --policy-id {} --enforcement-mode ACTIVE",
                    word(text(&engine.body, "/policyEngineId")),
                    word(text(policy, "/policyId"))
                )])
            })
        })
    },
};

pub(super) const NOT_IN_FORCE: Rule = Rule {
    id: "policy-not-in-force",
    severity: Severity::Medium,
    title: "A policy that was written is in force.",
    rationale: "A policy whose creation or update failed decides nothing, or what it decided before.",
    check: |inventory| {
        each_policy(inventory, |engine, policy| {
            let status = text(policy, "/status");
            status.ends_with("_FAILED").then(|| {
                breach(arn(engine, policy), format!("its status is {status}"), [
                    format!(
                        "aws bedrock-agentcore-control get-policy --policy-engine-id {} --policy-id {} --query statusReasons",
                        word(text(&engine.body, "/policyEngineId")),
                        word(text(policy, "/policyId"))
                    ),
                    update(engine, policy, "what the reasons say"),
                ])
            })
        })
    },
};

/// Whether a statement is a permit whose head is open and that has no condition.
fn permits_everything(statement: &str) -> bool {
    let code: String = statement.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code: String = code.chars().filter(|it| !it.is_whitespace()).collect();
    let mut code = code.as_str();
    // Annotations say nothing about whom it permits.
    while let Some((_, rest)) = code.strip_prefix('@').and_then(|it| it.split_once("\")")) {
        code = rest;
    }
    let Some(rest) = code.strip_prefix("permit(principal,action,resource)") else { return false };
    matches!(rest, ";" | "" | "when{true};" | "unless{false};")
}

fn each_policy(inventory: &Inventory, check: impl Fn(&Engine, &Value) -> Option<Breach>) -> Vec<Breach> {
    let check = &check;
    let of = |engine: &Engine| engine.policies.iter().filter_map(|it| check(engine, it)).collect::<Vec<_>>();
    inventory.engines.iter().flat_map(of).collect()
}

fn arn(engine: &Engine, policy: &Value) -> String {
    match text(policy, "/policyArn") {
        "" => format!("{}/policy/{}", text(&engine.body, "/policyEngineArn"), text(policy, "/policyId")),
        arn => arn.to_owned(),
    }
}

fn update(engine: &Engine, policy: &Value, change: &str) -> String {
    let (engine, policy) = (word(text(&engine.body, "/policyEngineId")), word(text(policy, "/policyId")));
    format!(
        "aws bedrock-agentcore-control update-policy --policy-engine-id {engine} --policy-id {policy} --definition '{{\"cedar\": {{\"statement\": \"…\"}}}}'  # {change}"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(rule: Rule, policy: Value) -> usize {
        let engine = Engine { body: json!({"policyEngineArn": "arn:e"}), policies: vec![policy] };
        (rule.check)(&Inventory { engines: vec![engine], ..Inventory::default() }).len()
    }

    #[test]
    fn each_rule_tells_a_policy_that_breaks_it_from_one_that_does_not() {
        let cedar = |text: &str| json!({"definition": {"cedar": {"statement": text}}});
        for bad in [
            "permit(principal, action, resource);",
            "@id(\"a\")\n// open\npermit (\n  principal,\n  action,\n  resource\n);",
            "permit(principal, action, resource) when { true };",
        ] {
            assert_eq!(found(PERMITS_EVERYTHING, cedar(bad)), 1, "{bad}");
        }
        for good in [
            "forbid(principal, action, resource);",
            "permit(principal, action, resource) when { principal.hasTag(\"x\") };",
            "permit(principal, action == AgentCore::Action::\"a\", resource);",
        ] {
            assert_eq!(found(PERMITS_EVERYTHING, cedar(good)), 0, "{good}");
        }
        assert_eq!(found(NOT_BINDING, json!({"enforcementMode": "LOG_ONLY"})), 1);
        assert_eq!(found(NOT_BINDING, json!({"enforcementMode": "ACTIVE"})), 0);
        assert_eq!(found(NOT_IN_FORCE, json!({"status": "CREATE_FAILED"})), 1);
        assert_eq!(found(NOT_IN_FORCE, json!({"status": "ACTIVE"})), 0);
    }

    #[test]
    fn an_engine_guards_something() {
        let engine = Engine { body: json!({"policyEngineArn": "arn:e"}), policies: Vec::new() };
        let mut inventory = Inventory { engines: vec![engine], ..Inventory::default() };
        assert_eq!((UNUSED_ENGINE.check)(&inventory).len(), 1);
        let body = json!({"policyEngineConfiguration": {"arn": "arn:e"}});
        inventory.gateways.push(crate::Gateway { body, targets: Vec::new() });
        assert_eq!((UNUSED_ENGINE.check)(&inventory), []);
    }
}
