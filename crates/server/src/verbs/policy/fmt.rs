//! `portcullis policy fmt`: files of policies in Cedar's own layout.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::Args;
use policy::Problem;

use super::files::{PolicyFile, read_policies};
use super::rewrite;
use super::verdict::Verdict;
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

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let files = read_policies(&arguments.files)?;
    // All of them, before the first is written.
    let formatted =
        files.iter().map(|file| policy::format(&file.text).map_err(|problems| unreadable(file, &problems)));
    let formatted = match formatted.collect::<Result<Vec<String>, String>>() {
        Ok(formatted) => formatted,
        Err(what) => return Ok(Verdict::Bad(what)),
    };
    if !arguments.check
        && let Some(link) = files.iter().find(|file| rewrite::is_link(&file.path))
    {
        return Err(Failure::usage(format!(
            "{} is a symbolic link, and nothing was changed: name the file that it leads to",
            link.shown()
        )));
    }
    let mut differing = 0;
    for (file, text) in files.iter().zip(formatted) {
        let differs = text != file.text;
        differing += usize::from(differs);
        match (arguments.check, file.name.as_str()) {
            (true, _) if differs => {
                let yellow = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
                say(format!("{yellow}would change{yellow:#} {}", file.shown()))?;
            }
            (true, _) => {}
            (false, "-") => say(text.trim_end_matches('\n'))?,
            (false, _) if differs => {
                rewrite::replace(&file.path, &text)
                    .map_err(|error| Failure::new(format!("cannot write {}: {error}", file.shown())))?;
                say(format!("changed {}", file.shown()))?;
            }
            (false, _) => {}
        }
    }
    match (arguments.check, differing) {
        (false, _) | (_, 0) => Ok(Verdict::Good),
        (true, count) => Ok(Verdict::Bad(format!(
            "{count} of {} files are laid out in another way: `portcullis policy fmt` changes them",
            files.len()
        ))),
    }
}

fn unreadable(file: &PolicyFile, problems: &[Problem]) -> String {
    let Some(problem) = problems.first() else {
        return format!("{} cannot be formatted", file.shown());
    };
    let place = problem.location.map(|place| format!(":{}:{}", place.line, place.column));
    format!("{}{}: {}", file.shown(), place.unwrap_or_default(), visible(&problem.message))
}
