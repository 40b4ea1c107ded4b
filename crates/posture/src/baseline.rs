//! A baseline: the findings of an earlier run, so that a run tells only of what is new.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Finding;

/// Findings by their rule and resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    findings: BTreeSet<(String, String)>,
}

impl Baseline {
    /// The findings of a run.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let key = |finding: &Finding| (finding.rule.to_owned(), finding.resource.clone());
        Self { findings: findings.iter().map(key).collect() }
    }

    /// A baseline that was written before.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// As it is written.
    #[must_use]
    pub fn written(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Whether a finding was there before.
    #[must_use]
    pub fn has(&self, finding: &Finding) -> bool {
        self.findings.contains(&(finding.rule.to_owned(), finding.resource.clone()))
    }
}
