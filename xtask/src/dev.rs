//! `cargo xtask dev`: a server for development, with its data in the target folder.

use crate::chore::{Chore, Failure, cargo};

pub(crate) fn run(chore: &Chore, arguments: &[String]) -> Result<(), Failure> {
    chore.say("building and starting; its data are in target/dev-data");
    let mut command = cargo();
    command.args([
        "run",
        "--quiet",
        "--package",
        "portcullis",
        "--",
        "serve",
        "--data-dir",
        "target/dev-data",
    ]);
    chore.run(command.args(arguments))
}
