//! What roles and users may do.

use super::{breach, word};
use crate::document::{Statement, statements};
use crate::rule::{Breach, Rule, Severity};
use crate::{Inventory, NamedDocument};

/// Services that assume execution roles.
const SERVICES: [&str; 3] =
    ["bedrock-agentcore.amazonaws.com", "lambda.amazonaws.com", "ecs-tasks.amazonaws.com"];
/// What manages rather than works.
const MANAGING: [&str; 9] = [
    "bedrock-agentcore:CreateGateway",
    "bedrock-agentcore:UpdateGateway",
    "bedrock-agentcore:DeleteGateway",
    "bedrock-agentcore:CreateGatewayTarget",
    "bedrock-agentcore:UpdatePolicy",
    "bedrock-agentcore:DeletePolicy",
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
];
/// Where a request comes from.
const PLACES: [&str; 4] = ["aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp"];

pub(super) const WILDCARD: Rule = Rule {
    id: "policy-wildcard-actions",
    severity: Severity::High,
    title: "Permissions name their actions.",
    rationale: "A wildcard over a whole service allows what nobody thought of, and what the service will add.",
    check: |inventory| {
        each(inventory, |_, statement| {
            let whole = |it: &&String| {
                it.as_str() == "*" || it.as_str() == "bedrock-agentcore:*" || it.as_str() == "iam:*"
            };
            let found: Vec<_> = statement.actions.iter().filter(whole).map(String::as_str).collect();
            (!found.is_empty()).then(|| format!("Action {}", found.join(", ")))
        })
    },
};

pub(super) const MANAGING_ROLE: Rule = Rule {
    id: "execution-role-manages",
    severity: Severity::High,
    title: "An execution role does not manage what it runs in.",
    rationale: "Whoever makes an agent or a function do something does it with its role: one that may change gateways or policies can take away what guards it.",
    check: |inventory| {
        each(inventory, |holder, statement| {
            let found: Vec<_> = MANAGING.into_iter().filter(|action| statement.covers(action)).collect();
            (holder.is_execution_role && !found.is_empty()).then(|| format!("it may {}", found.join(", ")))
        })
    },
};

pub(super) const NO_SOURCE_IP: Rule = Rule {
    id: "control-calls-from-anywhere",
    severity: Severity::Low,
    title: "Control calls are allowed from known places only.",
    rationale: "With a condition on aws:SourceIp or the VPC, a key that leaked cannot change gateways from elsewhere.",
    check: |inventory| {
        each(inventory, |holder, statement| {
            let changes = MANAGING.into_iter().filter(|it| it.starts_with("bedrock-agentcore:"));
            let changes = changes.filter(|it| statement.covers(it)).count() > 0;
            let anywhere = !PLACES.iter().any(|key| statement.looks_at(key));
            (!holder.is_execution_role && changes && anywhere)
                .then(|| "it changes gateways and has no condition on where calls come from".to_owned())
        })
    },
};

pub(super) const NARROWED_ECR: Rule = Rule {
    id: "ecr-token-narrowed",
    severity: Severity::Medium,
    title: "ecr:GetAuthorizationToken is allowed on every resource.",
    rationale: "The action knows no resource: narrowed to a repository it is allowed to nobody, and images cannot be pulled.",
    check: |inventory| {
        each(inventory, |_, statement| {
            let named =
                statement.actions.iter().any(|it| it.eq_ignore_ascii_case("ecr:GetAuthorizationToken"));
            (named && !statement.of_everything())
                .then(|| format!("ecr:GetAuthorizationToken on {}", statement.resources.join(", ")))
        })
    },
};

pub(super) const PASS_ANY_ROLE: Rule = Rule {
    id: "pass-any-role",
    severity: Severity::High,
    title: "iam:PassRole names roles or services.",
    rationale: "Whoever may pass every role to every service has the rights of all of them.",
    check: |inventory| {
        each(inventory, |_, statement| {
            let named = statement.actions.iter().any(|it| {
                it == "*" || it.eq_ignore_ascii_case("iam:PassRole") || it.eq_ignore_ascii_case("iam:*")
            });
            (named && statement.of_everything() && !statement.looks_at("iam:PassedToService"))
                .then(|| "iam:PassRole on * without iam:PassedToService".to_owned())
        })
    },
};

pub(super) const INVOKES_EVERYTHING: Rule = Rule {
    id: "execution-role-invokes-everything",
    severity: Severity::Medium,
    title: "An execution role names the functions, gateways and secrets that it uses.",
    rationale: "With * a gateway reaches functions and secrets that were never meant for agents.",
    check: |inventory| {
        each(inventory, |holder, statement| {
            const USES: [&str; 3] =
                ["lambda:InvokeFunction", "bedrock-agentcore:InvokeGateway", "secretsmanager:GetSecretValue"];
            let found: Vec<_> = USES.into_iter().filter(|it| statement.covers(it)).collect();
            (holder.is_execution_role && statement.of_everything() && !found.is_empty())
                .then(|| format!("{} on *", found.join(", ")))
        })
    },
};

pub(super) const UNREADABLE: Rule = Rule {
    id: "policy-document-unreadable",
    severity: Severity::Medium,
    title: "A policy document is one that can be read.",
    rationale: "What is no JSON, or has no statement, allows nothing and denies nothing, whatever its author meant.",
    check: |inventory| {
        let of = |holder: &Holder<'_>| {
            let broken = holder
                .policies
                .iter()
                .filter(|it| !it.document.is_empty() && statements(&it.document).is_empty());
            let breach = |it: &NamedDocument| {
                breach(
                    holder.arn,
                    format!("the policy {} has no statement that can be read", it.name),
                    [holder.put(&it.name)],
                )
            };
            broken.map(breach).collect::<Vec<_>>()
        };
        holders(inventory).iter().flat_map(of).collect()
    },
};

/// Somebody with policies.
struct Holder<'i> {
    arn: &'i str,
    name: &'i str,
    policies: &'i [NamedDocument],
    is_role: bool,
    is_execution_role: bool,
}

impl Holder<'_> {
    /// The command that writes a policy anew.
    fn put(&self, policy: &str) -> String {
        let (kind, flag) = if self.is_role { ("role", "--role-name") } else { ("user", "--user-name") };
        if policy.starts_with("arn:") {
            let policy = word(policy);
            return format!(
                "aws iam create-policy-version --policy-arn {policy} --policy-document file://policy.json --set-as-default"
            );
        }
        format!(
            "aws iam put-{kind}-policy {flag} {} --policy-name {} --policy-document file://policy.json",
            word(self.name),
            word(policy)
        )
    }
}

fn holders(inventory: &Inventory) -> Vec<Holder<'_>> {
    let roles = inventory.roles.iter().map(|role| {
        let services = statements(&role.trust).into_iter().flat_map(|it| it.services);
        let is_execution_role = services.into_iter().any(|it| SERVICES.contains(&it.as_str()));
        Holder {
            arn: &role.arn,
            name: &role.name,
            policies: &role.policies,
            is_role: true,
            is_execution_role,
        }
    });
    let users = inventory.users.iter().map(|user| Holder {
        arn: &user.arn,
        name: &user.name,
        policies: &user.policies,
        is_role: false,
        is_execution_role: false,
    });
    roles.chain(users).collect()
}

/// One breach for each policy of which a statement that allows breaks a rule.
fn each(inventory: &Inventory, check: impl Fn(&Holder<'_>, &Statement) -> Option<String>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for holder in holders(inventory) {
        for policy in holder.policies {
            let statements = statements(&policy.document);
            let found = statements.iter().filter(|it| it.allows).find_map(|it| check(&holder, it));
            if let Some(evidence) = found {
                breaches.push(breach(
                    holder.arn,
                    format!("policy {}: {evidence}", policy.name),
                    [
                        "# write policy.json with the statements narrowed as the rule says".to_owned(),
                        holder.put(&policy.name),
                    ],
                ));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, User};

    const TRUST: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"}}}"#;

    fn found(rule: Rule, statement: &str, of_role: bool) -> usize {
        let document = format!(r#"{{"Statement":[{statement}]}}"#);
        let policies = vec![NamedDocument { name: "p".to_owned(), document }];
        let mut inventory = Inventory::default();
        if of_role {
            inventory.roles.push(Role { policies, trust: TRUST.to_owned(), ..Role::default() });
        } else {
            inventory.users.push(User { policies, ..User::default() });
        }
        (rule.check)(&inventory).len()
    }

    fn allow(action: &str, resource: &str, more: &str) -> String {
        format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"{more}}}"#)
    }

    #[test]
    fn each_rule_tells_a_policy_that_breaks_it_from_one_that_does_not() {
        let ip = r#","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#;
        let service =
            r#","Condition":{"StringEquals":{"iam:PassedToService":"bedrock-agentcore.amazonaws.com"}}"#;
        for (rule, of_role, bad, good) in [
            (
                WILDCARD,
                false,
                allow("bedrock-agentcore:*", "*", ""),
                allow("bedrock-agentcore:Get*", "*", ""),
            ),
            (WILDCARD, true, allow("*", "*", ""), allow("s3:GetObject", "*", "")),
            (
                MANAGING_ROLE,
                true,
                allow("bedrock-agentcore:*", "*", ""),
                allow("bedrock-agentcore:InvokeGateway", "*", ""),
            ),
            (
                NO_SOURCE_IP,
                false,
                allow("bedrock-agentcore:CreateGateway", "*", ""),
                allow("bedrock-agentcore:CreateGateway", "*", ip),
            ),
            (
                NO_SOURCE_IP,
                false,
                allow("bedrock-agentcore:Update*", "*", ""),
                allow("bedrock-agentcore:Get*", "*", ""),
            ),
            (
                NARROWED_ECR,
                true,
                allow("ecr:GetAuthorizationToken", "arn:aws:ecr:x", ""),
                allow("ecr:GetAuthorizationToken", "*", ""),
            ),
            (PASS_ANY_ROLE, false, allow("iam:PassRole", "*", ""), allow("iam:PassRole", "*", service)),
            (
                PASS_ANY_ROLE,
                false,
                allow("iam:*", "*", ""),
                allow("iam:PassRole", "arn:aws:iam::1:role/a", ""),
            ),
            (
                INVOKES_EVERYTHING,
                true,
                allow("lambda:InvokeFunction", "*", ""),
                allow("lambda:InvokeFunction", "arn:f", ""),
            ),
        ] {
            assert_eq!(found(rule, &bad, of_role), 1, "{} {bad}", rule.id);
            assert_eq!(found(rule, &good, of_role), 0, "{} {good}", rule.id);
            assert_eq!(found(rule, &bad.replace("Allow", "Deny"), of_role), 0, "{} denies", rule.id);
        }
        assert_eq!(
            found(MANAGING_ROLE, &allow("bedrock-agentcore:*", "*", ""), false),
            0,
            "a person may manage"
        );
        assert_eq!(found(UNREADABLE, "oops", true), 1);
        assert_eq!(found(UNREADABLE, &allow("s3:GetObject", "*", ""), true), 0);
    }
}
