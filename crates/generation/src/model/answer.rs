//! What becomes of a model's answer.
//!
//! A stranger's JSON: it has one form, its lists and texts are bounded, and each fragment has to be a piece of what was asked. A statement
//! has to name this gateway; one about another gateway, or about any, is refused before it is looked at further.

use policy::{ResourceScope, Schema, Validation};
use serde::Deserialize;

use super::is_faulty;
use crate::{Asset, Finding, FindingKind, Request, judge, sentences};

/// The most policies that one text becomes.
const MOST_ASSETS: usize = 50;
/// The longest statement, in bytes (`CedarPolicy.statement` on AWS).
const LONGEST_STATEMENT: usize = 10_000;
/// The longest reason that is passed on, in characters.
const LONGEST_REASON: usize = 300;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    assets: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fragment: String,
    statement: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

/// The assets of an answer, or why it cannot be used at all.
pub(super) fn judge(said: &str, request: &Request, schema: &Schema) -> Result<Vec<Asset>, String> {
    let answer: Answer = serde_json::from_str(object(said))
        .map_err(|error| format!("it is not the JSON object that was asked for: {error}"))?;
    if answer.assets.is_empty() {
        return Err("it has no assets".to_owned());
    }
    if answer.assets.len() > MOST_ASSETS {
        return Err(format!("it has more than {MOST_ASSETS} assets"));
    }
    let assets: Result<Vec<_>, _> =
        answer.assets.into_iter().map(|written| asset(written, request, schema)).collect();
    assets.map(|assets| with_what_is_left(assets, &request.text))
}

/// The assets, and one for each sentence of which the model made nothing.
fn with_what_is_left(mut assets: Vec<Asset>, text: &str) -> Vec<Asset> {
    let is_covered = |sentence: &&str| {
        let overlaps =
            |asset: &Asset| sentence.contains(&asset.fragment) || asset.fragment.contains(*sentence);
        assets.iter().any(overlaps)
    };
    let left: Vec<_> = sentences::split(text).into_iter().filter(|sentence| !is_covered(sentence)).collect();
    assets.extend(
        left.into_iter().map(|it| Asset::not_translatable(it, "the model made nothing of it".to_owned())),
    );
    assets
}

/// The object, without the fence that models like to put around it.
fn object(said: &str) -> &str {
    let said = said.trim();
    let fenced = said.strip_prefix("```json").or_else(|| said.strip_prefix("```"));
    fenced.and_then(|rest| rest.trim_end().strip_suffix("```")).unwrap_or(said).trim()
}

fn asset(written: Written, request: &Request, schema: &Schema) -> Result<Asset, String> {
    let fragment = written.fragment.trim();
    if fragment.is_empty() || !request.text.contains(fragment) {
        return Err("a fragment is no literal excerpt of the rules".to_owned());
    }
    let Some(statement) = written.statement else {
        let reason: String = written.reason.unwrap_or_default().chars().take(LONGEST_REASON).collect();
        let reason = if reason.trim().is_empty() { "the model gave no reason".to_owned() } else { reason };
        return Ok(Asset::not_translatable(fragment, reason));
    };
    if statement.len() > LONGEST_STATEMENT {
        return Err(format!("a statement has more than {LONGEST_STATEMENT} bytes"));
    }
    match foreign(&statement, request, schema) {
        // A statement that is not for this gateway is not shown as one that could be used.
        Some(why) => Ok(Asset {
            fragment: fragment.to_owned(),
            statement: None,
            findings: vec![Finding { kind: FindingKind::Invalid, description: why }],
        }),
        None => {
            let findings = judge::findings(&statement, schema);
            Ok(Asset { fragment: fragment.to_owned(), statement: Some(statement), findings })
        }
    }
}

/// Why a statement is not one about this gateway alone.
fn foreign(statement: &str, request: &Request, schema: &Schema) -> Option<String> {
    let arn = &request.gateway.arn;
    let named = policy::named_gateways(statement);
    if let Some(other) = named.iter().find(|named| *named != arn) {
        return Some(format!(
            "the statement is about the gateway `{other}`; it has to say `resource == AgentCore::Gateway::\"{arn}\"`"
        ));
    }
    let checked = policy::check(statement, schema, Validation::IgnoreAllFindings).ok()?;
    match checked.resource {
        ResourceScope::Gateway(_) => None,
        _ => Some(format!(
            "the statement is about every gateway; it has to say `resource == AgentCore::Gateway::\"{arn}\"`"
        )),
    }
}

/// What the model is told of an answer that is not good.
pub(super) fn faults(judged: &Result<Vec<Asset>, String>) -> Vec<String> {
    match judged {
        Err(why) => vec![why.clone()],
        Ok(assets) => {
            let faulty = assets.iter().filter(|asset| is_faulty(asset));
            let finding = |asset: &Asset| {
                let said: Vec<&str> =
                    asset.findings.iter().map(|finding| finding.description.as_str()).collect();
                format!("the statement for `{}`: {}", asset.fragment, said.join("; "))
            };
            faulty.map(finding).collect()
        }
    }
}
