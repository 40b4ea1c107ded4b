//! `portcullis completions`: the completions of a shell.

use clap::CommandFactory as _;

use crate::command_line::{CommandLine, Completions};
use crate::terminal::{Failure, say};

/// Prints them.
pub(crate) fn run(arguments: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "portcullis", &mut script);
    say(String::from_utf8_lossy(&script).trim_end())
}
