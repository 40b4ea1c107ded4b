//! `portcullis target preflight`: what AWS would refuse of a document, operation by operation, before anything is
//! deployed there. A document that passes is served alike here and there.

use domain::{Document, Target, Upstream, tool_name};
use openapi::{Options, Severity, Strictness, short_alias};
use serde_json::{Value, json};

use crate::terminal::{Failure, say, table};

/// The most tools of a target ("Quotas for Amazon Bedrock AgentCore").
const MAX_TOOLS: usize = 1_000;
/// The largest schema in a request, and the largest in S3, in bytes (the same page).
const MAX_INLINE: usize = 1024 * 1024;
const MAX_S3: usize = 10 * 1024 * 1024;
/// The longest name of a tool with its target's (the same page).
const MAX_NAME: usize = 256;

/// How grave a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Aws,
    Here,
    Note,
}

impl Weight {
    fn word(self) -> &'static str {
        match self {
            Self::Aws => "AWS refuses",
            Self::Here => "not served",
            Self::Note => "note",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Aws => "refusedByAws",
            Self::Here => "refusedHere",
            Self::Note => "note",
        }
    }
}

/// One line of a report.
struct Line {
    /// The operation or the tool; the document when absent.
    about: Option<String>,
    weight: Weight,
    reason: String,
    /// A shorter name, where the tool's is too long for the APIs of models.
    alias: Option<String>,
}

/// What there is to say about one document or target.
pub(super) struct Report {
    subject: String,
    operations: usize,
    lines: Vec<Line>,
}

impl Report {
    /// Reads a document as it would become a target of this name.
    pub(super) fn of_document(subject: &str, target: &str, text: &str) -> Self {
        let mut report = Self { subject: subject.to_owned(), operations: 0, lines: Vec::new() };
        report.sizes(text.len());
        let is_smithy = serde_json::from_str::<Value>(text).is_ok_and(|value| value.get("smithy").is_some());
        if is_smithy {
            report.smithy(target, text);
        } else {
            report.openapi(target, text);
        }
        report
    }

    /// Looks at a target that is there: at its document where the request gave it, else at its tools.
    pub(super) fn of_target(target: &Target) -> Self {
        let subject = format!("{} of {}", target.name, target.gateway);
        if let Some(text) = inline_document(&target.upstream, &target.configuration) {
            return Self::of_document(&subject, &target.name, &text);
        }
        let mut report = Self { subject, operations: target.tools.len(), lines: Vec::new() };
        for tool in &target.tools {
            report.name(&target.name, &tool.name);
        }
        report.tools(target.tools.len());
        if matches!(target.upstream, Upstream::OpenApi | Upstream::Smithy { .. }) {
            report.say(
                None,
                Weight::Note,
                "its document is in the object store and only its tools were looked at: give the document as FILE",
            );
        }
        report
    }

    /// How much of it AWS would refuse.
    pub(super) fn refused_by_aws(&self) -> usize {
        self.lines.iter().filter(|line| line.weight != Weight::Note).count()
    }

    /// The report as JSON.
    pub(super) fn json(&self) -> Value {
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                json!({
                    "operation": line.about,
                    "severity": line.weight.code(),
                    "reason": line.reason,
                    "alias": line.alias,
                })
            })
            .collect();
        json!({ "subject": self.subject, "operations": self.operations, "findings": lines })
    }

    /// Prints the report.
    pub(super) fn show(&self) -> Result<(), Failure> {
        if self.lines.is_empty() {
            return say(format!("{}: {} operations, nothing to say", self.subject, self.operations));
        }
        say(format!("{}: {} operations", self.subject, self.operations))?;
        let mut shown = table(&["OPERATION", "VERDICT", "WHY"]);
        for line in &self.lines {
            let why = match &line.alias {
                Some(alias) => format!("{}; a shorter name would be {alias}", line.reason),
                None => line.reason.clone(),
            };
            let about = line.about.clone().unwrap_or_else(|| "(document)".to_owned());
            shown.add_row([about, line.weight.word().to_owned(), why]);
        }
        say(shown)
    }

    fn openapi(&mut self, target: &str, text: &str) {
        // Everything is looked at, also what is over a quota: the quotas are lines of their own.
        let options = Options {
            max_operations: usize::MAX,
            strictness: Strictness::Skip,
            target: Some(target.to_owned()),
            ..Options::default()
        };
        let api = match openapi::import(text, &options) {
            Ok(api) => api,
            Err(error) => return self.say(None, Weight::Here, &error.to_string()),
        };
        self.operations = api.operations.len();
        for finding in &api.findings {
            let weight = match finding.severity {
                Severity::RefusedHere => Weight::Here,
                Severity::RefusedByAws => Weight::Aws,
                Severity::Note => Weight::Note,
            };
            let about = finding.operation.as_ref().map(ToString::to_string);
            // What is said of long names is said below, with the alias apart.
            let names_alias = finding.reason.contains("64 characters");
            if !names_alias {
                self.say(about, weight, &finding.reason);
            }
        }
        for operation in &api.operations {
            self.name(target, &operation.name);
        }
        self.tools(api.operations.len());
    }

    fn smithy(&mut self, target: &str, text: &str) {
        let api = match smithy::import(text, &smithy::Options::default()) {
            Ok(api) => api,
            Err(error) => return self.say(None, Weight::Here, &error.to_string()),
        };
        self.operations = api.operations.len();
        for refusal in &api.refused {
            self.say(Some(refusal.operation.clone()), Weight::Here, &refusal.why);
        }
        for operation in &api.operations {
            self.name(target, &operation.name);
        }
        self.tools(api.operations.len());
    }

    fn sizes(&mut self, bytes: usize) {
        if bytes > MAX_S3 {
            let why = format!("it has {bytes} bytes, and a schema has at most {MAX_S3}");
            self.say(None, Weight::Aws, &why);
        } else if bytes > MAX_INLINE {
            let why = format!(
                "it has {bytes} bytes: over {MAX_INLINE} it must be given by its s3 URI, not in the request"
            );
            self.say(None, Weight::Note, &why);
        }
    }

    fn tools(&mut self, count: usize) {
        if count > MAX_TOOLS {
            let why = format!("it has {count} operations, and a target has at most {MAX_TOOLS} tools");
            self.say(None, Weight::Aws, &why);
        }
    }

    fn name(&mut self, target: &str, tool: &str) {
        let full = tool_name(target, tool);
        let length = full.chars().count();
        if length > MAX_NAME {
            let why = format!("its name {full} has {length} characters, and at most {MAX_NAME} are allowed");
            self.say(Some(tool.to_owned()), Weight::Aws, &why);
        } else if let Some(alias) = short_alias(target, tool) {
            self.lines.push(Line {
                about: Some(tool.to_owned()),
                weight: Weight::Note,
                reason: format!("its name {full} has {length} characters, and the APIs of models accept 64"),
                alias: Some(alias),
            });
        }
    }

    fn say(&mut self, about: Option<String>, weight: Weight, reason: &str) {
        self.lines.push(Line { about, weight, reason: reason.to_owned(), alias: None });
    }
}

/// The document of a target whose request held it.
fn inline_document(upstream: &Upstream, configuration: &Document) -> Option<String> {
    let member = match upstream {
        Upstream::OpenApi => "openApiSchema",
        Upstream::Smithy { .. } => "smithyModel",
        _ => return None,
    };
    let configuration: Value = serde_json::from_str(&configuration.0).ok()?;
    let text = configuration.pointer(&format!("/mcp/{member}/inlinePayload"))?;
    text.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(paths: &Value) -> Report {
        let document = json!({
            "openapi": "3.0.3",
            "info": { "title": "t", "version": "1" },
            "servers": [{ "url": "https://api.example.com" }],
            "paths": paths,
        });
        Report::of_document("it", "target", &document.to_string())
    }

    #[test]
    fn a_plain_document_passes() {
        let ok = json!({ "description": "ok" });
        let report = report(&json!({ "/a": { "get": { "operationId": "a", "responses": { "200": ok } } } }));
        assert_eq!((report.operations, report.refused_by_aws()), (1, 0), "{}", report.json());
    }

    #[test]
    fn what_aws_refuses_and_long_names_are_told() {
        let ok = json!({ "description": "ok" });
        let long = "o".repeat(70);
        let report = report(&json!({
            "/a": { "get": { "responses": { "200": ok } } },
            "/b": { "get": { "operationId": long, "responses": { "200": ok } } },
        }));
        assert_eq!(report.operations, 2);
        assert!(report.refused_by_aws() >= 1, "{}", report.json());
        let alias = report.lines.iter().find_map(|line| line.alias.clone()).unwrap();
        assert_eq!(alias.chars().count(), 64);
    }

    #[test]
    fn what_is_no_document_is_refused() {
        assert_eq!(Report::of_document("it", "target", "{}").refused_by_aws(), 1);
        assert_eq!(
            Report::of_document("it", "target", r#"{"smithy":"2.0","shapes":{}}"#).refused_by_aws(),
            1
        );
    }
}
