//! `cargo xtask bench`: how fast the gateway is, beside a bare reverse proxy in the same run.

use std::process::Command;

use crate::chore::{Chore, Failure, cargo, project};

/// Builds the server and the benchmark as they are shipped, and measures; `arguments` go to `bench run`.
pub(crate) fn run(chore: &Chore, arguments: &[String]) -> Result<(), Failure> {
    chore.say("building, optimised: this takes minutes the first time");
    chore.run(cargo().args(["build", "--release", "--package", "portcullis", "--package", "bench"]))?;
    chore.run(Command::new(project().join("target/release/bench")).arg("run").args(arguments))
}
