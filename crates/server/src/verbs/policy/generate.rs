//! `portcullis policy generate`: plain language becomes policies, to be looked at before they are made.

use std::path::Path;

use clap::Args;
use control::generation_subject;
use generation::{Asset, ControlledEnglish, FindingKind, Generator as _, Request};
use serde_json::{Value, json};
use store::Page;

use super::verdict::Verdict;
use crate::command_line::Settings;
use crate::terminal::{Failure, say, visible};
use crate::verbs::input::read;
use crate::verbs::open::{block_on, open};
use crate::verbs::target::find_gateway;

/// The longest text, in characters: a file of rules, not a book, and no more than a model should be asked at once.
const LONGEST_TEXT: usize = 20_000;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    /// What is to be allowed or forbidden, one sentence a policy; `-` reads it from standard input
    #[arg(value_name = "TEXT")]
    text: String,
    /// The gateway that the policies are for
    #[arg(long, value_name = "ID")]
    gateway: String,
    /// Use the grammar of controlled English also where a model is configured
    #[arg(long)]
    without_model: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let text = match arguments.text.as_str() {
        "-" => read(Path::new("-"))?,
        text => text.to_owned(),
    };
    // Nothing is no question, also to a model.
    if !text.chars().any(char::is_alphanumeric) {
        return Err(Failure::usage(
            "the text says nothing; say what is to be allowed or forbidden, one sentence a policy",
        ));
    }
    let length = text.chars().count();
    if length > LONGEST_TEXT {
        return Err(Failure::usage(format!(
            "the text has {length} characters and may have {LONGEST_TEXT}; make several of it"
        )));
    }
    let assets = block_on(generate(arguments, text))?;
    if arguments.json {
        say(json!({ "assets": assets.iter().map(as_json).collect::<Vec<_>>() }))?;
    } else {
        assets.iter().try_for_each(show)?;
    }
    let unmade = assets.iter().filter(|asset| !is_usable(asset)).count();
    Ok(match (assets.len(), unmade) {
        (1.., 0) => Verdict::Good,
        (0 | 1, _) => Verdict::Bad("no policy could be made of the text".to_owned()),
        (all, unmade) => Verdict::Bad(format!("no policy could be made of {unmade} of {all} sentences")),
    })
}

async fn generate(arguments: &Arguments, text: String) -> Result<Vec<Asset>, Failure> {
    let opened = open(&arguments.settings).await?;
    let mut tx = opened.store.read().await?;
    let gateway = find_gateway(&mut tx, &arguments.gateway).await?;
    let targets = tx.targets(&gateway.scope, &gateway.id, Page::ALL).await?;
    drop(tx);
    let request = Request { text, gateway: generation_subject(&gateway, &targets) };
    let made = if arguments.without_model {
        ControlledEnglish.generate(&request).await
    } else {
        opened.configuration.generator(&opened.client()?).generate(&request).await
    };
    made.map_err(|error| Failure::new(error.to_string()))
}

/// The statement with what it was made of and what is to be said of it as comments, so that the output is a file of policies.
fn show(asset: &Asset) -> Result<(), Failure> {
    say(format!("// {}", visible(&asset.fragment)))?;
    for finding in &asset.findings {
        say(format!("// {}: {}", finding.kind.as_str(), visible(&finding.description)))?;
    }
    match &asset.statement {
        Some(statement) if is_usable(asset) => say(format!("{}\n", lines(statement))),
        // What cannot be made a policy is shown, and is none in a file.
        Some(statement) => say(format!("// {}\n", lines(statement).replace('\n', "\n// "))),
        None => say(""),
    }
}

/// Whether a policy can be made of it.
fn is_usable(asset: &Asset) -> bool {
    asset.statement.is_some() && asset.findings.iter().all(|finding| finding.kind != FindingKind::Invalid)
}

/// A statement with its line breaks kept and nothing else that a terminal would not show as it is.
fn lines(statement: &str) -> String {
    statement.lines().map(visible).collect::<Vec<_>>().join("\n")
}

fn as_json(asset: &Asset) -> Value {
    let findings = asset.findings.iter();
    let findings =
        findings.map(|finding| json!({ "type": finding.kind.as_str(), "description": finding.description }));
    json!({
        "fragment": asset.fragment,
        "statement": asset.statement,
        "findings": findings.collect::<Vec<_>>(),
    })
}
