//! Exceptions: findings that somebody has accepted, each with a reason and an end. One that is over counts for nothing and is
//! said to be over, so that no exception outlives the reason for it unseen.

use domain::Timestamp;
use serde::Deserialize;

use crate::document::fits;
use crate::{Finding, RULES};

/// The exceptions of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    #[serde(default, rename = "exception")]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    rule: String,
    /// An ARN or a name, in which `*` stands for anything.
    resource: String,
    reason: String,
    /// The last day, as `2026-12-31`.
    expires: String,
}

/// An exceptions file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidExceptions(String);

impl Exceptions {
    /// Reads a file of TOML.
    ///
    /// # Errors
    /// [`InvalidExceptions`] for what is no such file, for a rule that there is not, for an exception without a reason, and for
    /// an end that is no day.
    pub fn parse(text: &str) -> Result<Self, InvalidExceptions> {
        let read: Self = toml::from_str(text).map_err(|error| InvalidExceptions(error.to_string()))?;
        for exception in &read.exceptions {
            let Exception { rule, reason, expires, .. } = exception;
            if !RULES.iter().any(|known| known.id == rule) {
                return Err(InvalidExceptions(format!("there is no rule `{rule}`")));
            }
            if reason.trim().is_empty() {
                return Err(InvalidExceptions(format!("the exception from `{rule}` has no reason")));
            }
            if end(expires).is_none() {
                return Err(InvalidExceptions(format!("`{expires}` is no day: write it as 2026-12-31")));
            }
        }
        Ok(read)
    }

    /// The reason for which a finding is accepted, if it is.
    #[must_use]
    pub fn accept(&self, finding: &Finding, now: Timestamp) -> Option<&str> {
        let accepts = |it: &&Exception| {
            it.rule == finding.rule
                && fits(&it.resource, &finding.resource)
                && end(&it.expires).is_some_and(|end| now < end)
        };
        self.exceptions.iter().find(accepts).map(|it| it.reason.as_str())
    }

    /// Those that are over, in words.
    #[must_use]
    pub fn over(&self, now: Timestamp) -> Vec<String> {
        let is_over = |it: &&Exception| end(&it.expires).is_some_and(|end| now >= end);
        let told = |it: &Exception| {
            format!("the exception from {} for {} ended on {}", it.rule, it.resource, it.expires)
        };
        self.exceptions.iter().filter(is_over).map(told).collect()
    }
}

/// The end of a day.
fn end(day: &str) -> Option<Timestamp> {
    let began = Timestamp::parse(&format!("{day}T00:00:00Z")).filter(|_| day.len() == 10)?;
    Some(began.plus(std::time::Duration::from_secs(24 * 60 * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    fn finding(resource: &str) -> Finding {
        Finding {
            rule: "gateway-authorizer-none",
            severity: Severity::Critical,
            resource: resource.to_owned(),
            evidence: String::new(),
            title: "",
            rationale: "",
            remediation: Vec::new(),
        }
    }

    #[test]
    fn exceptions_have_a_reason_and_an_end() {
        let text = "[[exception]]\nrule = \"gateway-authorizer-none\"\nresource = \"*gateway/demo-*\"\n\
                    reason = \"a demo on a laptop\"\nexpires = \"2026-11-22\"\n";
        let exceptions = Exceptions::parse(text).unwrap();
        let on = |day: &str| Timestamp::parse(&format!("{day}T23:59:59Z")).unwrap();
        let mine = finding("arn:aws:x:gateway/demo-1");
        assert_eq!(exceptions.accept(&mine, on("2026-11-22")), Some("a demo on a laptop"));
        assert_eq!(exceptions.accept(&mine, on("2026-11-23")), None);
        assert_eq!(exceptions.accept(&finding("arn:aws:x:gateway/real"), on("2026-11-22")), None);
        assert_eq!(exceptions.over(on("2026-11-23")).len(), 1);
        for (from, to, said) in [
            ("gateway-authorizer-none", "no-such-rule", "no rule"),
            ("a demo on a laptop", " ", "no reason"),
            ("2026-11-22", "soon", "no day"),
            ("reason", "because", "because"),
        ] {
            let error = Exceptions::parse(&text.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
