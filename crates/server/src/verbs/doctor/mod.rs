//! `portcullis doctor`: looks at everything that a server stands on, and says what to do about what is not as it should
//! be. It changes nothing, and runs beside a server or without one.

mod address;
mod database;
mod machine;

use clap::Args;
use serde_json::{Value, json};

use super::open::block_on;
use crate::command_line::Settings;
use crate::configuration::Configuration;
use crate::terminal::{Failure, Shown, say, visible};

#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    settings: Settings,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Looks at everything; fails when there is a problem.
pub(crate) fn run(arguments: &Doctor) -> Result<(), Failure> {
    let checks = block_on(look_at_everything(&arguments.settings))?;
    let problems = checks.iter().filter(|check| check.verdict == Verdict::Problem).count();
    match Shown::of(arguments.json) {
        Shown::Json => {
            let all: Vec<Value> = checks.iter().map(Check::json).collect();
            say(json!({ "healthy": problems == 0, "problems": problems, "checks": all }))?;
        }
        Shown::Text => checks.iter().try_for_each(Check::show)?,
    }
    match problems {
        0 => Ok(()),
        1 => Err(Failure::new("there is 1 problem")),
        many => Err(Failure::new(format!("there are {many} problems"))),
    }
}

async fn look_at_everything(settings: &Settings) -> Result<Vec<Check>, Failure> {
    let configuration = match Configuration::read(settings) {
        Ok(configuration) => configuration,
        Err(failure) => {
            let remedy = "correct them: docs/configuration.md has them all";
            return Ok(vec![Check::problem("settings", failure.to_string(), remedy)]);
        }
    };
    let mut checks = machine::settings(settings);
    checks.extend(machine::data_dir(&configuration));
    checks.push(machine::room(&configuration));
    checks.extend(database::all(&configuration).await);
    checks.extend(address::all(&configuration).await?);
    checks.push(machine::open_files(&configuration));
    checks.extend(machine::interpreters(&configuration).await);
    checks.push(machine::solver(&configuration));
    Ok(checks)
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// It works, and could be better, or is as it should be only for some.
    Advice,
    Problem,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Advice => "advice",
            Self::Problem => "problem",
        }
    }
}

/// Something that was looked at.
#[derive(Debug)]
struct Check {
    about: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do; nothing for what is good.
    remedy: Option<String>,
}

impl Check {
    fn good(about: &'static str, found: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Good, found: found.into(), remedy: None }
    }

    fn advice(about: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (found, remedy) = (found.into(), Some(remedy.into()));
        Self { about, verdict: Verdict::Advice, found, remedy }
    }

    fn problem(about: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Problem, ..Self::advice(about, found, remedy) }
    }

    fn json(&self) -> Value {
        json!({
            "about": self.about,
            "verdict": self.verdict.word(),
            "found": self.found,
            "remedy": self.remedy,
        })
    }

    fn show(&self) -> Result<(), Failure> {
        let mut lines = self.found.lines();
        let (word, first) = (self.verdict.word(), visible(lines.next().unwrap_or_default()));
        say(format!("{word:<8} {:<15} {first}", self.about))?;
        for line in lines {
            say(format!("{:<24} {}", "", visible(line)))?;
        }
        match &self.remedy {
            Some(remedy) => say(format!("{:<24} -> {}", "", visible(remedy))),
            None => Ok(()),
        }
    }
}
