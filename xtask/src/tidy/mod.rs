//! `cargo xtask tidy`: the walls of the house, as tests.
//!
//! What Clippy cannot see is looked at here: which crate may know which, who may read a secret, how large rooms are, and
//! what must not stand in any file.

mod dependencies;
mod files;
mod rooms;
mod secrets;
mod supply;

use crate::chore::{Chore, Failure, project};

pub(crate) fn run(chore: &Chore) -> Result<(), Failure> {
    chore.say("walls");
    let root = project();
    let files = files::tracked(chore, &root)?;
    let mut problems = Vec::new();
    problems.extend(rooms::check(&root)?);
    problems.extend(dependencies::check(&root)?);
    problems.extend(supply::check(chore, &root)?);
    problems.extend(secrets::check(&files));
    problems.extend(files::check(&files));
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} things are out of order:\n  {}", problems.len(), problems.join("\n  "))))
}
