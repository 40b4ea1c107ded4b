//! `portcullis policy test`: a suite of calls, decided by the policies, and how much of policies and tools it covers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::Args;
use domain::{Clock as _, SystemClock};
use policy::{Call, Engine, Explanation, Reason};
use serde_json::{Value, json};

use super::explain::Candidates;
use super::files::read_statements;
use super::junit;
use super::sources::{Ground, Sources, Standing};
use super::suite::{Case, Expected, Suite};
use super::verdict::Verdict;
use crate::terminal::{Failure, say, visible};
use crate::verbs::open::block_on;

#[derive(Args)]
pub(super) struct Arguments {
    /// The suite: YAML or JSON
    #[arg(value_name = "SUITE")]
    suite: PathBuf,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    candidates: Candidates,
    /// Fail when less than this part of the policies decides some call of the suite, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
    /// Fail when less than this part of the tools is called in the suite, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_tool_coverage: Option<u8>,
    /// Write a report in JUnit's format too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What became of a case.
pub(super) struct Outcome {
    pub(super) label: String,
    tool: String,
    /// What the policies decided; nothing where they could not be asked.
    decided: Option<Expected>,
    listed: bool,
    /// The policies that decided, by name.
    determining: Vec<String>,
    /// What was not as expected; empty when all was.
    pub(super) faults: Vec<String>,
}

/// How much of something was reached.
struct Coverage {
    reached: usize,
    all: usize,
    missed: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let suite = Suite::read(&arguments.suite)?;
    let ground = block_on(arguments.sources.ground())?;
    let policies = policies(arguments, &suite, &ground)?;
    let guarded = ground.guarded(&policies)?;
    let engine = guarded.engine(&policies)?;
    let present = SystemClock.now();
    let outcomes = suite
        .tests
        .iter()
        .map(|case| {
            let (principal, sent) = (suite.caller(case)?, case.arguments());
            let call = Call { tool: &case.tool, arguments: &sent, now: case.now(present)? };
            Ok(judge(case, &engine, &engine.explain(&principal, &call), &policies))
        })
        .collect::<Result<Vec<Outcome>, Failure>>()?;
    let decided: BTreeSet<&str> =
        outcomes.iter().flat_map(|it| &it.determining).map(String::as_str).collect();
    let called: BTreeSet<&str> = outcomes.iter().map(|it| it.tool.as_str()).collect();
    let of_policies = Coverage::of(policies.iter().map(|it| it.name.as_str()), &decided);
    let of_tools = Coverage::of(guarded.tools(), &called);
    if let Some(file) = &arguments.junit {
        let report = junit::report(&arguments.suite.display().to_string(), &outcomes);
        std::fs::write(file, report)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", file.display())))?;
    }
    if arguments.json {
        say(json!({
            "tests": outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
            "coverage": { "policies": of_policies.json(), "tools": of_tools.json() },
        }))?;
    } else {
        outcomes.iter().try_for_each(Outcome::show)?;
        of_policies.show("policies decide a call")?;
        of_tools.show("tools are called")?;
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.faults.is_empty()).count();
    match (outcomes.len(), failed) {
        (0, _) => return Err(Failure::usage("the suite has no tests")),
        (_, 0) => {}
        (all, failed) => return Ok(Verdict::Bad(format!("{failed} of {all} tests failed"))),
    }
    let short = of_policies.falls_short_of(arguments.min_coverage, "the policies");
    let short = short.or_else(|| of_tools.falls_short_of(arguments.min_tool_coverage, "the tools"));
    Ok(short.map_or(Verdict::Good, Verdict::Bad))
}

/// The policies under test: those of the command line, those that the suite names, or those in force.
fn policies(arguments: &Arguments, suite: &Suite, ground: &Ground) -> Result<Vec<Standing>, Failure> {
    if arguments.candidates.are_given() || suite.policies.is_empty() {
        return arguments.candidates.of(ground);
    }
    read_statements(&suite.policies)
}

fn judge(case: &Case, engine: &Engine, explanation: &Explanation, policies: &[Standing]) -> Outcome {
    let decision = &explanation.decision;
    let mut faults = Vec::new();
    // A call that could not be put before the policies says nothing about them, whatever was expected.
    let decided = match &decision.reason {
        Reason::Arguments(_) => None,
        _ => Some(Expected::of(decision.allow)),
    };
    if let Reason::Arguments(unfit) = &decision.reason {
        faults.push(format!(
            "the arguments do not fit the tool's input schema, and no policy was asked: {unfit}"
        ));
    }
    if let Some(decided) = decided.filter(|decided| *decided != case.expect) {
        faults.push(format!(
            "expected {}, and it is {}: {}",
            case.expect.as_str(),
            decided.as_str(),
            decision.audit_text()
        ));
    }
    if !engine.tools().any(|tool| tool == case.tool) {
        faults.push("there is no such tool".to_owned());
    }
    let standing: Vec<&Standing> =
        policies.iter().filter(|it| decision.determining.contains(&it.id)).collect();
    let determining: Vec<String> = standing.iter().map(|it| it.name.clone()).collect();
    if let (Some(expected), Some(_)) = (&case.policies, decided) {
        let is = |it: &Standing, name: &String| it.name == *name || it.id.as_str() == name;
        let all_found = expected.iter().all(|name| standing.iter().any(|it| is(it, name)));
        let all_expected = standing.iter().all(|it| expected.iter().any(|name| is(it, name)));
        if !all_found || !all_expected {
            let words = |names: &[String]| match names {
                [] => "no policy".to_owned(),
                names => names.join(", "),
            };
            faults.push(format!("expected {} to decide, and it is {}", words(expected), words(&determining)));
        }
    }
    if let Some(expected) = case.listed
        && expected != explanation.listed
    {
        let words = |listed| if listed { "listed" } else { "not listed" };
        faults.push(format!("expected the tool to be {}, and it is {}", words(expected), words(!expected)));
    }
    Outcome {
        label: case.label(),
        tool: case.tool.clone(),
        decided,
        listed: explanation.listed,
        determining,
        faults,
    }
}

impl Outcome {
    fn show(&self) -> Result<(), Failure> {
        let (word, colour) = match self.faults.is_empty() {
            true => ("ok  ", AnsiColor::Green),
            false => ("FAIL", AnsiColor::Red),
        };
        let style = Style::new().fg_color(Some(colour.into()));
        say(format!("{style}{word}{style:#}  {}", visible(&self.label)))?;
        self.faults.iter().try_for_each(|fault| say(format!("      {}", visible(fault))))
    }

    fn json(&self) -> Value {
        json!({
            "name": self.label,
            "tool": self.tool,
            "passed": self.faults.is_empty(),
            "decision": self.decided.map(Expected::as_str),
            "listed": self.listed,
            "policies": self.determining,
            "faults": self.faults,
        })
    }
}

impl Coverage {
    fn of<'a>(all: impl Iterator<Item = &'a str>, reached: &BTreeSet<&str>) -> Self {
        let all: Vec<&str> = all.collect();
        let missed: Vec<String> =
            all.iter().filter(|name| !reached.contains(*name)).map(|name| (*name).to_owned()).collect();
        Self { reached: all.len() - missed.len(), all: all.len(), missed }
    }

    /// In percent, rounded down; everything of nothing is all of it.
    fn percent(&self) -> usize {
        (self.reached * 100).checked_div(self.all).unwrap_or(100)
    }

    fn show(&self, what: &str) -> Result<(), Failure> {
        let Self { reached, all, missed } = self;
        let missed = match missed.as_slice() {
            [] => String::new(),
            missed => format!("; not {}", visible(&missed.join(", "))),
        };
        say(format!("{reached} of {all} {what} ({} %){missed}", self.percent()))
    }

    fn json(&self) -> Value {
        json!({ "reached": self.reached, "all": self.all, "percent": self.percent(), "missed": self.missed })
    }

    /// What is missing, where more is wanted.
    fn falls_short_of(&self, wanted: Option<u8>, what: &str) -> Option<String> {
        let wanted = wanted.filter(|wanted| self.percent() < usize::from(*wanted))?;
        Some(format!("the suite covers {} % of {what}, and {wanted} % are wanted", self.percent()))
    }
}
