//! `portcullis completions`: the completions of a shell.

use clap::{Command, CommandFactory as _};

use crate::command_line::{CommandLine, Completions};
use crate::terminal::{Failure, say};

/// Prints them. Verbs that are hidden from people are not completed either.
pub(crate) fn run(arguments: &Completions) -> Result<(), Failure> {
    let whole = CommandLine::command();
    let shown = whole.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned();
    let mut command = Command::new("portcullis")
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "portcullis", &mut script);
    say(String::from_utf8_lossy(&script).trim_end())
}
