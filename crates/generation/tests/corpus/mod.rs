//! Reads sentences and the policies that they mean, and judges what was made of them.
//!
//! A statement is judged by its meaning: the symbolic compiler and the solver have to prove that it decides every request as the
//! expected one does. In the files `{user}`, `{tool NAME}`, `{gateway}`, `{scope NAME}` and `{tag NAME}` stand for what would make
//! them hard to read.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of what is here")]

use std::path::Path;

use generation::{Asset, GatewayTools, PrincipalKind, Tool};
use prover::{Equivalence, Prover, SolverSettings, Statement, World};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corpus {
    gateway: Vec<Gateway>,
    pub sentence: Vec<Sentence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gateway {
    name: String,
    arn: String,
    /// `oauth` (the default), `iam` or `both`.
    callers: Option<String>,
    tool: Vec<ToolOf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolOf {
    name: String,
    description: String,
    input: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentence {
    gateway: Option<String>,
    pub text: String,
    /// The policies, one a sentence of the text; none when there should be none.
    pub expected: Vec<String>,
    /// Words of the reason why there is none.
    pub because: Option<String>,
}

/// What became of a text.
#[derive(Debug)]
pub enum Outcome {
    /// Every policy means what is expected.
    Right,
    /// It was said that a part is not understood.
    Declined(String),
    /// A policy means something else, or there is one where there should be none.
    Wrong(String),
}

impl Corpus {
    pub fn read(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub fn gateway_of(&self, sentence: &Sentence) -> GatewayTools {
        let named = |gateway: &&Gateway| sentence.gateway.as_ref().is_none_or(|name| *name == gateway.name);
        let gateway = self.gateway.iter().find(named).unwrap_or_else(|| panic!("{}", sentence.text));
        let tool = |tool: &ToolOf| Tool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            input_schema: tool.input.clone(),
        };
        GatewayTools {
            arn: gateway.arn.clone(),
            tools: gateway.tool.iter().map(tool).collect(),
            principals: match gateway.callers.as_deref() {
                Some("iam") => vec![PrincipalKind::IamEntity],
                Some("both") => PrincipalKind::ALL.to_vec(),
                _ => vec![PrincipalKind::OAuthUser],
            },
        }
    }
}

/// Judges what became of a text.
pub async fn judge(corpus: &Corpus, sentence: &Sentence, assets: &[Asset]) -> Outcome {
    let gateway = corpus.gateway_of(sentence);
    let mut declined = None;
    for (index, asset) in assets.iter().enumerate() {
        let Some(statement) = &asset.statement else {
            declined = Some(asset.findings[0].description.clone());
            continue;
        };
        assert!(sentence.text.contains(&asset.fragment), "{asset:?}");
        let Some(expected) = sentence.expected.get(index) else {
            return Outcome::Wrong(format!("a policy where there should be none:\n{statement}"));
        };
        if let Err(why) = same(&gateway, statement, &written_out(expected, &gateway.arn)).await {
            return Outcome::Wrong(format!("{why}\n{statement}"));
        }
    }
    match declined {
        Some(why) => Outcome::Declined(why),
        None if assets.len() == sentence.expected.len() => Outcome::Right,
        None => Outcome::Wrong(format!("{} policies", assets.len())),
    }
}

/// Whether two statements decide alike whatever other policies there are.
pub async fn same(gateway: &GatewayTools, statement: &str, expected: &str) -> Result<(), String> {
    let schema = gateway.schema().unwrap();
    policy::check(expected, &schema, policy::Validation::IgnoreAllFindings)
        .unwrap_or_else(|problems| panic!("{expected}: {problems:?}"));
    if statement.starts_with("permit") != expected.starts_with("permit") {
        return Err("the effect is the opposite".to_owned());
    }
    // A forbid shows what it does only where something is permitted.
    let others = if expected.starts_with("permit") { "" } else { "permit(principal, action, resource);" };
    let set = |text: &str| {
        let texts = [text, others].into_iter().filter(|text| !text.is_empty());
        texts.enumerate().map(|(index, text)| Statement::new(format!("p{index}"), text)).collect::<Vec<_>>()
    };
    let world = World { schema: schema.to_cedar().to_owned(), gateways: vec![gateway.arn.clone()] };
    match Prover::new(SolverSettings::default()).equivalent(world, set(statement), set(expected)).await {
        Equivalence::Equivalent => Ok(()),
        Equivalence::Different { witness, first_allows } => {
            Err(format!("the first allows it: {first_allows}: {}", witness.to_json()))
        }
        Equivalence::Undecided(why) => panic!("{statement}\n{expected}: {why}"),
    }
}

/// The text with its abbreviations written out.
pub fn written_out(text: &str, arn: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let end = after.find('}').unwrap_or(after.len() - 1);
        let inner = &after[1..end];
        let (name, argument) = inner.split_once(' ').unwrap_or((inner, ""));
        let abbreviation = match name {
            "user" => "principal is AgentCore::OAuthUser".to_owned(),
            "signer" => "principal is AgentCore::IamEntity".to_owned(),
            "gateway" => format!("resource == AgentCore::Gateway::\"{arn}\""),
            "tool" => format!("action == AgentCore::Action::\"{argument}\""),
            "tag" => format!("principal.hasTag(\"{argument}\") && principal.getTag(\"{argument}\")"),
            "scope" => scope(argument),
            "group" => format!("({} || {})", member("cognito:groups", argument), member("groups", argument)),
            _ => {
                out.push('{');
                rest = &after[1..];
                continue;
            }
        };
        out.push_str(&abbreviation);
        rest = &after[end + 1..];
    }
    out + rest
}

fn member(claim: &str, name: &str) -> String {
    let tag = format!("principal.getTag(\"{claim}\")");
    let ways = [vec![format!("{tag} == \"{name}\"")], elements(&tag, &format!("\\\"{name}\\\""))].concat();
    format!("(principal.hasTag(\"{claim}\") && ({}))", ways.join(" || "))
}

/// The text of a list is compact JSON: an element stands between its brackets and commas.
fn elements(tag: &str, element: &str) -> Vec<String> {
    [format!("[{element}]"), format!("[{element},*]"), format!("[*,{element}]"), format!("[*,{element},*]")]
        .map(|it| format!("{tag} like \"{it}\""))
        .into()
}

/// A scope is a whole word of the claim, or a whole element of it; without a slash also behind a resource server's name.
fn scope(name: &str) -> String {
    let tag = "principal.getTag(\"scope\")";
    let mut ways = vec![format!("{tag} == \"{name}\"")];
    ways.extend(
        [format!("{name} *"), format!("* {name}"), format!("* {name} *")]
            .map(|it| format!("{tag} like \"{it}\"")),
    );
    ways.extend(elements(tag, &format!("\\\"{name}\\\"")));
    if !name.contains('/') {
        ways.extend(
            [
                format!("*/{name}"),
                format!("*/{name} *"),
                format!("[\\\"*/{name}\\\"]"),
                format!("[\\\"*/{name}\\\",*]"),
            ]
            .map(|it| format!("{tag} like \"{it}\"")),
        );
    }
    format!("(principal.hasTag(\"scope\") && ({}))", ways.join(" || "))
}
