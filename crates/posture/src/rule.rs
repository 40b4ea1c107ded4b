//! What a rule is, and what it finds.

use serde::Serialize;

use crate::Inventory;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a thought.
    Low,
    /// A layer of defence is missing.
    Medium,
    /// One mistake away from harm.
    High,
    /// Open to strangers.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name, which never changes: baselines and exceptions hold it.
    pub id: &'static str,
    /// How grave it is not to keep it.
    pub severity: Severity,
    /// What should be, in a sentence.
    pub title: &'static str,
    /// Why.
    pub rationale: &'static str,
    /// What of an inventory does not keep it.
    pub check: fn(&Inventory) -> Vec<Breach>,
}

/// Something that does not keep a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The resource: an ARN, where it has one.
    pub resource: String,
    /// What was seen. No value that may be a secret is in it.
    pub evidence: String,
    /// Commands that mend it.
    pub remediation: Vec<String>,
}

/// A breach, with the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// The resource.
    pub resource: String,
    /// What was seen.
    pub evidence: String,
    /// What should be.
    pub title: &'static str,
    /// Why.
    pub rationale: &'static str,
    /// Commands that mend it.
    pub remediation: Vec<String>,
}

/// Holds an inventory against rules; the gravest findings first.
#[must_use]
pub fn examine(rules: &[Rule], inventory: &Inventory) -> Vec<Finding> {
    let of = |rule: &Rule| {
        let finding = |breach: Breach| Finding {
            rule: rule.id,
            severity: rule.severity,
            resource: breach.resource,
            evidence: breach.evidence,
            title: rule.title,
            rationale: rule.rationale,
            remediation: breach.remediation,
        };
        (rule.check)(inventory).into_iter().map(finding).collect::<Vec<_>>()
    };
    let mut findings: Vec<_> = rules.iter().flat_map(of).collect();
    findings.sort_by(|one, other| {
        (other.severity, one.rule, &one.resource).cmp(&(one.severity, other.rule, &other.resource))
    });
    findings
}
