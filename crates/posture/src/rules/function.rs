//! Functions.

use serde_json::Value;

use super::secrets::is_secret_variable;
use super::{breach, word};
use crate::document::statements;
use crate::inventory::text;
use crate::rule::{Breach, Rule, Severity};
use crate::{Function, Inventory};

pub(super) const SECRET_IN_ENVIRONMENT: Rule = Rule {
    id: "function-secret-in-environment",
    severity: Severity::High,
    title: "A function's environment holds no secret.",
    rationale: "Whoever may read the function reads its environment. Secrets Manager gives secrets out to roles, and says who took them.",
    check: |inventory| {
        each(inventory, |function| {
            let variables = function.body.pointer("/Environment/Variables").and_then(Value::as_object);
            let secret = |(name, value): &(&String, &Value)| {
                is_secret_variable(name, value.as_str().unwrap_or_default())
            };
            let found: Vec<_> =
                variables.into_iter().flatten().filter(secret).map(|(name, _)| name.as_str()).collect();
            let name = word(text(&function.body, "/FunctionName"));
            (!found.is_empty()).then(|| {
                breach(arn(function), format!("variables {}", found.join(", ")), [
                    "aws secretsmanager create-secret --name SECRET --secret-string VALUE".to_owned(),
                    format!("aws lambda update-function-configuration --function-name {name} --environment 'Variables={{SECRET_ARN=…}}'"),
                ])
            })
        })
    },
};

pub(super) const OPEN_POLICY: Rule = Rule {
    id: "function-invoked-by-anybody",
    severity: Severity::Critical,
    title: "A function may be invoked by those whom it names.",
    rationale: "A resource policy whose principal is * lets every account call the function, past the gateway and its policies.",
    check: |inventory| {
        each(inventory, |function| {
            let policy = function.policy.as_deref().unwrap_or_default();
            let open =
                statements(policy).iter().any(|it| it.allows && it.anybody && it.conditions.is_empty());
            let name = word(text(&function.body, "/FunctionName"));
            open.then(|| {
                breach(
                    arn(function),
                    "the resource policy's principal is *",
                    [
                        format!("aws lambda get-policy --function-name {name}"),
                        format!(
                            "aws lambda remove-permission --function-name {name} --statement-id STATEMENT"
                        ),
                    ],
                )
            })
        })
    },
};

fn each(inventory: &Inventory, check: impl Fn(&Function) -> Option<Breach>) -> Vec<Breach> {
    inventory.functions.iter().filter_map(check).collect()
}

fn arn(function: &Function) -> &str {
    text(&function.body, "/FunctionArn")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_rule_tells_a_function_that_breaks_it_from_one_that_does_not() {
        let found = |rule: Rule, body: Value, policy: Option<&str>| {
            let function = Function { body, policy: policy.map(str::to_owned) };
            (rule.check)(&Inventory { functions: vec![function], ..Inventory::default() }).len()
        };
        let with = |name: &str| json!({"Environment": {"Variables": {name: "correct-horse"}}});
        assert_eq!(found(SECRET_IN_ENVIRONMENT, with("DB_PASSWORD"), None), 1);
        assert_eq!(found(SECRET_IN_ENVIRONMENT, with("GREETING"), None), 0);
        let open = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction"}]}"#;
        assert_eq!(found(OPEN_POLICY, json!({}), Some(open)), 1);
        let narrow = open.replace("\"*\"", "{\"Service\":\"bedrock-agentcore.amazonaws.com\"}");
        assert_eq!(found(OPEN_POLICY, json!({}), Some(&narrow)), 0);
        assert_eq!(found(OPEN_POLICY, json!({}), None), 0);
    }
}
