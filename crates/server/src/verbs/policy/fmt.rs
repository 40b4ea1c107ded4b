//! `portcullis policy fmt`: files of policies in Cedar's own layout.

use std::fs;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::Args;
use policy::Problem;

use super::files::{PolicyFile, read_policies};
use crate::terminal::{Failure, say, visible};

#[derive(Args)]
pub(super) struct Arguments {
    /// Files or folders with *.cedar, which are written in place, or - to print what standard input holds
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Change nothing; fail when a file is laid out in another way
    #[arg(long)]
    check: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let files = read_policies(&arguments.files)?;
    // All of them, before the first is written.
    let formatted =
        files.iter().map(|file| policy::format(&file.text).map_err(|problems| unreadable(file, &problems)));
    let formatted = formatted.collect::<Result<Vec<String>, Failure>>()?;
    let mut differing = 0;
    for (file, text) in files.iter().zip(formatted) {
        let differs = text != file.text;
        differing += usize::from(differs);
        match (arguments.check, file.name.as_str()) {
            (true, _) if differs => {
                let yellow = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
                say(format!("{yellow}would change{yellow:#} {}", file.name))?;
            }
            (true, _) => {}
            (false, "-") => say(text.trim_end_matches('\n'))?,
            (false, name) if differs => {
                fs::write(name, text)
                    .map_err(|error| Failure::new(format!("cannot write {name}: {error}")))?;
                say(format!("changed {name}"))?;
            }
            (false, _) => {}
        }
    }
    match (arguments.check, differing) {
        (false, _) | (_, 0) => Ok(()),
        (true, count) => Err(Failure::new(format!(
            "{count} of {} files are laid out in another way: `portcullis policy fmt` changes them",
            files.len()
        ))),
    }
}

fn unreadable(file: &PolicyFile, problems: &[Problem]) -> Failure {
    let Some(problem) = problems.first() else {
        return Failure::new(format!("{} cannot be formatted", file.name));
    };
    let place = problem.location.map(|place| format!(":{}:{}", place.line, place.column));
    Failure::new(format!("{}{}: {}", file.name, place.unwrap_or_default(), visible(&problem.message)))
}
