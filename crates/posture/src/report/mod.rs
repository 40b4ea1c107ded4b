//! Findings for programs and for code scanners. (For people, the command line writes a table.)

use serde_json::{Value, json};

use crate::{Finding, Inventory, Rule, Severity};

/// One JSON object: the findings, what could not be read, and the counts.
#[must_use]
pub fn json(findings: &[Finding], accepted: &[(Finding, String)], inventory: &Inventory) -> Value {
    let count = |severity| findings.iter().filter(|it: &&Finding| it.severity == severity).count();
    let counts: serde_json::Map<_, _> =
        Severity::ALL.iter().map(|it| (it.as_str().to_owned(), count(*it).into())).collect();
    let unread = inventory.unread.iter().map(|it| json!({ "operation": it.operation, "why": it.why }));
    let accepted = accepted
        .iter()
        .map(|(finding, why)| json!({ "rule": finding.rule, "resource": finding.resource, "reason": why }));
    json!({
        "region": inventory.region,
        "time": inventory.now.to_string(),
        "counts": counts,
        "findings": findings,
        "accepted": accepted.collect::<Vec<_>>(),
        "unread": unread.collect::<Vec<_>>(),
    })
}

/// A log of SARIF 2.1.0 (OASIS), as code scanning reads it.
#[must_use]
pub fn sarif(rules: &[Rule], findings: &[Finding]) -> Value {
    let described = rules.iter().map(|rule| {
        json!({
            "id": rule.id,
            "shortDescription": { "text": rule.title },
            "fullDescription": { "text": rule.rationale },
            "defaultConfiguration": { "level": level(rule.severity) },
            "properties": { "security-severity": score(rule.severity), "tags": ["security"] },
        })
    });
    let results = findings.iter().map(|finding| {
        let index = rules.iter().position(|rule| rule.id == finding.rule);
        json!({
            "ruleId": finding.rule,
            "ruleIndex": index,
            "level": level(finding.severity),
            "message": { "text": format!("{}: {}", finding.resource, finding.evidence) },
            "locations": [{
                "physicalLocation": { "artifactLocation": { "uri": uri(&finding.resource) } },
                "logicalLocations": [{ "fullyQualifiedName": finding.resource, "kind": "resource" }],
            }],
            "partialFingerprints": { "resource/v1": format!("{}|{}", finding.rule, finding.resource) },
            "properties": { "remediation": finding.remediation },
        })
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "portcullis-posture",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": described.collect::<Vec<_>>(),
            } },
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

/// A resource as a relative reference: an ARN is no URI.
fn uri(resource: &str) -> String {
    crate::client::encoded(resource).replace("%2F", "/")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// What code scanning sorts by.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    }
}
