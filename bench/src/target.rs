//! What is wanted, and whether it is so.

use std::fmt::{self, Display, Formatter};
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::policy::{say, write};

/// Something that is wanted.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    /// What was found, and what is wanted of it.
    what: String,
    met: bool,
}

impl Target {
    pub(crate) fn new(met: bool, what: impl Into<String>) -> Self {
        Self { what: what.into(), met }
    }
}

impl Display for Target {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.what, verdict(self.met))
    }
}

pub(crate) fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Prints a table and the targets under it, and writes everything as JSON into a folder.
pub(crate) fn tell(
    (results, name): (&Path, &str),
    table: &str,
    figures: &Value,
    targets: &[Target],
) -> Result<(), Failure> {
    let machine = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    say(table.trim_end());
    say("");
    for target in targets {
        say(&format!("- {target}"));
    }
    let document = json!({ "load": machine.trim(), "figures": figures, "targets": targets });
    let path = write(results, name, &document)?;
    hint(&format!("the figures are in {}", path.display()));
    Ok(())
}

/// An error that names the targets that were missed, if any was.
pub(crate) fn demand(targets: &[Target]) -> Result<(), Failure> {
    let missed: Vec<_> = targets.iter().filter(|target| !target.met).map(ToString::to_string).collect();
    if missed.is_empty() { Ok(()) } else { Err(Failure::new(missed.join("; "))) }
}

/// Says how far things are, beside the figures.
pub(crate) fn hint(what: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "[bench] {what}");
}
