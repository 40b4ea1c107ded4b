//! `portcullis policy check`: policies in files, held against the schema and against AgentCore's rules.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::Args;
use policy::{Checked, Problem, Schema, Validation};
use serde_json::{Value, json};

use super::files::{PolicyFile, read_policies};
use super::sources::Sources;
use super::verdict::Verdict;
use crate::terminal::{Failure, say, visible};
use crate::verbs::open::block_on;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// Files, folders with *.cedar, or - for standard input
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Accept policies that allow or deny everything or nothing, and say so (IGNORE_ALL_FINDINGS)
    #[arg(long)]
    ignore_findings: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What became of one statement.
struct Outcome<'a> {
    file: &'a PolicyFile,
    name: String,
    checked: Result<Checked, Vec<Problem>>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let files = read_policies(&arguments.files)?;
    let schema = block_on(arguments.sources.ground())?.schema()?;
    let validation = match arguments.ignore_findings {
        true => Validation::IgnoreAllFindings,
        false => Validation::FailOnAnyFindings,
    };
    let outcomes: Vec<Outcome<'_>> =
        files.iter().flat_map(|file| check_file(file, &schema, validation)).collect();
    if arguments.json {
        say(json!({ "policies": outcomes.iter().map(Outcome::json).collect::<Vec<_>>() }))?;
    } else {
        outcomes.iter().try_for_each(Outcome::show)?;
    }
    let wrong = outcomes.iter().filter(|outcome| outcome.checked.is_err()).count();
    match (outcomes.len(), wrong) {
        (0, _) => Err(Failure::usage("there is no policy in what was given")),
        (_, 0) if arguments.json => Ok(Verdict::Good),
        (1, 0) => say("The policy is good.").map(|()| Verdict::Good),
        (all, 0) => say(format!("All {all} policies are good.")).map(|()| Verdict::Good),
        (1, _) => Ok(Verdict::Bad("the policy is not good".to_owned())),
        (all, wrong) => Ok(Verdict::Bad(format!("{wrong} of {all} policies are not good"))),
    }
}

fn check_file<'a>(file: &'a PolicyFile, schema: &Schema, validation: Validation) -> Vec<Outcome<'a>> {
    let pieces = policy::split(&file.text);
    let named = file.statements().into_iter().zip(pieces);
    named
        .map(|(standing, piece)| {
            let checked = policy::check(piece.text, schema, validation);
            let checked = checked.map_err(|problems| piece.place(&file.text, problems));
            Outcome { file, name: standing.name, checked }
        })
        .collect()
}

impl Outcome<'_> {
    fn show(&self) -> Result<(), Failure> {
        match &self.checked {
            Ok(checked) => checked.findings.iter().try_for_each(|finding| {
                let (file, name) = (self.file.shown(), visible(&self.name));
                say(format!("{file} ({name}): {}", visible(&finding.message)))
            }),
            Err(problems) => problems.iter().try_for_each(|problem| say(self.problem(problem))),
        }
    }

    /// A problem with its place, the line there, and what of it is meant.
    fn problem(&self, problem: &Problem) -> String {
        let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
        let blue = Style::new().fg_color(Some(AnsiColor::Blue.into()));
        let message = visible(&problem.message);
        let Some(place) = problem.location else {
            let help = problem.help.as_ref().map(|help| format!("\n  = {}", visible(help)));
            let (file, name) = (self.file.shown(), visible(&self.name));
            return format!("{file} ({name}): {red}error{red:#}: {message}{}", help.unwrap_or_default());
        };
        let source = self.file.text.lines().nth(place.line - 1).unwrap_or_default();
        // Before the place stand as many columns as the terminal takes for the line; a tab keeps its width.
        let before = source.chars().take(place.column - 1);
        let indent: String = before.map(|it| if it == '\t' { '\t' } else { ' ' }).collect();
        let marks = "^".repeat(problem.width.max(1));
        let margin = place.line.to_string().len();
        let shown: String =
            source.chars().map(|it| if it.is_control() && it != '\t' { ' ' } else { it }).collect();
        let mut text = format!(
            "{}:{}:{}: {red}error{red:#}: {message}\n{blue}{:margin$} |{blue:#}\n{blue}{} |{blue:#} {shown}\n{blue}{:margin$} |{blue:#} {indent}{red}{marks}{red:#}",
            self.file.shown(),
            place.line,
            place.column,
            "",
            place.line,
            ""
        );
        if let Some(help) = &problem.help {
            text.push_str(&format!("\n{blue}{:margin$} ={blue:#} {}", "", visible(help)));
        }
        text
    }

    fn json(&self) -> Value {
        let found = |findings: &[policy::Finding]| -> Vec<Value> {
            findings.iter().map(|it| json!({ "kind": it.kind.as_str(), "message": it.message })).collect()
        };
        match &self.checked {
            Ok(checked) => json!({
                "file": self.file.name,
                "name": self.name,
                "good": true,
                "effect": checked.effect.as_str(),
                "actions": checked.actions,
                "gateway": checked.gateway(),
                "findings": found(&checked.findings),
                "problems": [],
            }),
            Err(problems) => json!({
                "file": self.file.name,
                "name": self.name,
                "good": false,
                "findings": [],
                "problems": problems.iter().map(problem_json).collect::<Vec<_>>(),
            }),
        }
    }
}

fn problem_json(problem: &Problem) -> Value {
    let place = problem.location;
    json!({
        "kind": problem.kind.as_str(),
        "message": problem.message,
        "help": problem.help,
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "width": place.map(|_| problem.width),
    })
}
