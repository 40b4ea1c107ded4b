//! What the checker says of a statement, as findings.
//!
//! A generated statement is one policy about this gateway that fits its schema. A policy without any condition about every tool
//! allows or denies everything that the gateway has, which hardly anybody asks for.

use policy::{Checked, Effect, ResourceScope, Schema, Validation};

use crate::{Finding, FindingKind};

/// The findings about a statement: `VALID` first when it fits, `INVALID` for each thing that is wrong when it does not.
pub(crate) fn findings(statement: &str, schema: &Schema) -> Vec<Finding> {
    match policy::check(statement, schema, Validation::IgnoreAllFindings) {
        Ok(checked) => {
            let mut findings = structural(&checked);
            if findings.is_empty() {
                let description = "The policy fits the gateway's schema".to_owned();
                findings.push(Finding { kind: FindingKind::Valid, description });
            }
            findings
        }
        Err(problems) => {
            let finding = |problem: policy::Problem| Finding {
                kind: FindingKind::Invalid,
                description: problem.to_string(),
            };
            problems.into_iter().map(finding).collect()
        }
    }
}

fn structural(checked: &Checked) -> Vec<Finding> {
    let mut findings: Vec<Finding> = checked
        .findings
        .iter()
        .map(|finding| Finding { kind: finding.kind.into(), description: finding.message.clone() })
        .collect();
    let everything = checked.unconditional && checked.actions.is_empty();
    if findings.is_empty() && everything && matches!(checked.resource, ResourceScope::Gateway(_)) {
        let (kind, description) = match checked.effect {
            Effect::Permit => (
                FindingKind::AllowAll,
                "Overly Permissive: every call of every tool of the gateway is allowed",
            ),
            Effect::Forbid => (
                FindingKind::DenyAll,
                "Overly Restrictive: every call of every tool of the gateway is denied",
            ),
        };
        findings.push(Finding { kind, description: description.to_owned() });
    }
    findings
}
