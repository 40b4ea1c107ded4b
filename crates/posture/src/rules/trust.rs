//! Who may assume roles.

use super::{breach, word};
use crate::document::{Statement, statements};
use crate::rule::{Breach, Rule, Severity};
use crate::{Inventory, Role};

/// The services that act for others here.
const SERVICES: [&str; 2] = ["bedrock-agentcore.amazonaws.com", "bedrock.amazonaws.com"];

pub(super) const NO_SOURCE: Rule = Rule {
    id: "role-trust-without-source",
    severity: Severity::High,
    title: "A role that AgentCore assumes says for which account and resource.",
    rationale: "Without aws:SourceAccount and aws:SourceArn the service can be made to use the role for somebody else's gateway (the confused deputy).",
    check: |inventory| {
        each(inventory, |role, statement| {
            let of_service = statement.services.iter().any(|it| SERVICES.contains(&it.as_str()));
            let missing: Vec<_> = ["aws:SourceAccount", "aws:SourceArn"]
                .into_iter()
                .filter(|key| !statement.looks_at(key))
                .collect();
            (of_service && !missing.is_empty()).then(|| {
                breach(&role.arn, format!("the trust policy has no condition on {}", missing.join(" and ")), [
                    format!("aws iam get-role --role-name {} --query Role.AssumeRolePolicyDocument > trust.json", word(&role.name)),
                    "# add to the statement: \"Condition\": {\"StringEquals\": {\"aws:SourceAccount\": \"ACCOUNT\"}, \"ArnLike\": {\"aws:SourceArn\": \"arn:aws:bedrock-agentcore:REGION:ACCOUNT:*\"}}".to_owned(),
                    format!("aws iam update-assume-role-policy --role-name {} --policy-document file://trust.json", word(&role.name)),
                ])
            })
        })
    },
};

pub(super) const ANYBODY: Rule = Rule {
    id: "role-trust-anybody",
    severity: Severity::Critical,
    title: "No role may be assumed by anybody.",
    rationale: "A trust policy whose principal is * and that has no condition hands the role to every account there is.",
    check: |inventory| {
        each(inventory, |role, statement| {
            (statement.anybody && statement.conditions.is_empty()).then(|| {
                breach(&role.arn, "the trust policy's principal is *", [
                    format!("aws iam get-role --role-name {} --query Role.AssumeRolePolicyDocument > trust.json", word(&role.name)),
                    "# name the principals in the statement".to_owned(),
                    format!("aws iam update-assume-role-policy --role-name {} --policy-document file://trust.json", word(&role.name)),
                ])
            })
        })
    },
};

fn each(inventory: &Inventory, check: impl Fn(&Role, &Statement) -> Option<Breach>) -> Vec<Breach> {
    let check = &check;
    let of =
        |role: &Role| statements(&role.trust).iter().filter(|it| it.allows).find_map(|it| check(role, it));
    inventory.roles.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rule: Rule, trust: &str) -> usize {
        let role = Role { trust: trust.to_owned(), ..Role::default() };
        (rule.check)(&Inventory { roles: vec![role], ..Inventory::default() }).len()
    }

    #[test]
    fn each_rule_tells_a_role_that_breaks_it_from_one_that_does_not() {
        let trust = |condition: &str| {
            format!(
                r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"Service":"bedrock-agentcore.amazonaws.com"}},"Action":"sts:AssumeRole"{condition}}}]}}"#
            )
        };
        let whole =
            r#","Condition":{"StringEquals":{"aws:SourceAccount":"1"},"ArnLike":{"aws:SourceArn":"a"}}"#;
        assert_eq!(found(NO_SOURCE, &trust("")), 1);
        assert_eq!(found(NO_SOURCE, &trust(r#","Condition":{"StringEquals":{"aws:SourceAccount":"1"}}"#)), 1);
        assert_eq!(found(NO_SOURCE, &trust(whole)), 0);
        let lambda = trust("").replace("bedrock-agentcore.", "lambda.");
        assert_eq!(found(NO_SOURCE, &lambda), 0);
        let anybody = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#;
        assert_eq!(found(ANYBODY, anybody), 1);
        assert_eq!(found(ANYBODY, &anybody.replace("\"*\"", "{\"AWS\":\"arn:aws:iam::1:root\"}")), 0);
        assert_eq!(found(ANYBODY, &anybody.replace("Allow", "Deny")), 0);
    }
}
