//! Agent runtimes.

use serde_json::Value;

use super::authorizer::{has_jwt, takes_any_client};
use super::secrets::is_secret_variable;
use super::{breach, word};
use crate::inventory::{list, text};
use crate::rule::{Breach, Rule, Severity};
use crate::{Inventory, Runtime};

pub(super) const NO_AUTHORIZER: Rule = Rule {
    id: "runtime-without-authorizer",
    severity: Severity::High,
    title: "A runtime has an authorizer.",
    rationale: "Without a JWT authorizer the agent cannot learn from a token which person asks, and must believe what the payload says.",
    check: |inventory| {
        each(inventory, |runtime| {
            (!has_jwt(&runtime.body)).then(|| {
                breach(arn(runtime), "no authorizerConfiguration", [
                    update(runtime, "authorizerConfiguration.customJWTAuthorizer = {\"discoveryUrl\": …, \"allowedClients\": […]}"),
                ])
            })
        })
    },
};

pub(super) const ANY_CLIENT: Rule = Rule {
    id: "runtime-jwt-any-client",
    severity: Severity::High,
    title: "A runtime's JWT authorizer names clients, audiences, scopes or claims.",
    rationale: "Without any of them every token of the issuer reaches the agent, also one that was made for another application.",
    check: |inventory| {
        each(inventory, |runtime| {
            takes_any_client(&runtime.body).then(|| {
                breach(arn(runtime), "customJWTAuthorizer has neither allowedClients nor allowedAudience, allowedScopes nor customClaims", [
                    update(runtime, "authorizerConfiguration.customJWTAuthorizer.allowedClients = [\"CLIENT_ID\"]"),
                ])
            })
        })
    },
};

pub(super) const NO_AUTHORIZATION_HEADER: Rule = Rule {
    id: "runtime-authorization-not-passed",
    severity: Severity::Medium,
    title: "A runtime passes Authorization to the agent.",
    rationale: "An agent that does not see the token cannot prefer its sub over what the payload says of the person, and can be lied to.",
    check: |inventory| {
        each(inventory, |runtime| {
            let passed = list(&runtime.body, "/requestHeaderConfiguration/requestHeaderAllowlist").iter();
            let passed = passed.filter_map(Value::as_str).any(|it| it.eq_ignore_ascii_case("authorization"));
            (has_jwt(&runtime.body) && !passed).then(|| {
                breach(
                    arn(runtime),
                    "requestHeaderAllowlist has no Authorization",
                    [update(
                        runtime,
                        "requestHeaderConfiguration.requestHeaderAllowlist = [\"Authorization\"]",
                    )],
                )
            })
        })
    },
};

pub(super) const SECRET_IN_ENVIRONMENT: Rule = Rule {
    id: "runtime-secret-in-environment",
    severity: Severity::High,
    title: "A runtime's environment holds no secret.",
    rationale: "Whoever may read the runtime reads its environment, and so do its agent, its dependencies and its crash reports. Credential providers give secrets out by name.",
    check: |inventory| {
        each(inventory, |runtime| {
            let variables = runtime.body.get("environmentVariables").and_then(Value::as_object);
            let secret = |(name, value): &(&String, &Value)| {
                is_secret_variable(name, value.as_str().unwrap_or_default())
            };
            let found: Vec<_> =
                variables.into_iter().flatten().filter(secret).map(|(name, _)| name.as_str()).collect();
            (!found.is_empty()).then(|| {
                breach(arn(runtime), format!("variables {}", found.join(", ")), [
                    "aws bedrock-agentcore-control create-api-key-credential-provider --name PROVIDER --api-key KEY".to_owned(),
                    update(runtime, "take the variables out of environmentVariables"),
                ])
            })
        })
    },
};

fn each(inventory: &Inventory, check: impl Fn(&Runtime) -> Option<Breach>) -> Vec<Breach> {
    inventory.runtimes.iter().filter_map(check).collect()
}

fn arn(runtime: &Runtime) -> &str {
    text(&runtime.body, "/agentRuntimeArn")
}

fn update(runtime: &Runtime, change: &str) -> String {
    let id = word(text(&runtime.body, "/agentRuntimeId"));
    format!(
        "aws bedrock-agentcore-control get-agent-runtime --agent-runtime-id {id} > runtime.json; edit it ({change}); aws bedrock-agentcore-control update-agent-runtime --agent-runtime-id {id} --cli-input-json file://runtime.json"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_rule_tells_a_runtime_that_breaks_it_from_one_that_does_not() {
        let jwt = |members: Value, headers: Value| {
            json!({
                "authorizerConfiguration": {"customJWTAuthorizer": members},
                "requestHeaderConfiguration": {"requestHeaderAllowlist": headers},
            })
        };
        let with = |name: &str, value: &str| json!({"environmentVariables": {name: value}});
        for (rule, bad, good) in [
            (NO_AUTHORIZER, json!({}), jwt(json!({}), json!([]))),
            (ANY_CLIENT, jwt(json!({}), json!([])), jwt(json!({"allowedClients": ["a"]}), json!([]))),
            (
                NO_AUTHORIZATION_HEADER,
                jwt(json!({}), json!(["X-A"])),
                jwt(json!({}), json!(["authorization"])),
            ),
            (SECRET_IN_ENVIRONMENT, with("API_KEY", "correct-horse"), with("LOG_LEVEL", "debug")),
        ] {
            let found = |body: Value| {
                (rule.check)(&Inventory { runtimes: vec![Runtime { body }], ..Inventory::default() })
            };
            assert_eq!(found(bad).len(), 1, "{}", rule.id);
            assert_eq!(found(good), [], "{}", rule.id);
        }
    }

    #[test]
    fn a_value_is_no_evidence() {
        let body = json!({"environmentVariables": {"API_KEY": "correct-horse"}});
        let inventory = Inventory { runtimes: vec![Runtime { body }], ..Inventory::default() };
        assert!(!format!("{:?}", (SECRET_IN_ENVIRONMENT.check)(&inventory)).contains("correct-horse"));
    }
}
