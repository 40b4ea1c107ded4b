//! What the program says to people: failures with their next step, tables and colours that stay off when nobody looks.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};

/// Why a verb was not done, in words for whoever asked for it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    /// 1 for what went wrong, 2 for what was asked wrongly (as clap has it); a command that cannot be run has a shell's.
    code: u8,
}

impl Failure {
    /// Something went wrong.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), code: 1 }
    }

    /// Something was asked that cannot be meant.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { what: what.into(), code: 2 }
    }

    /// The same as trouble of a verb that answers with 0 and 1, as `diff` does: 2.
    pub(crate) fn into_trouble(self) -> Self {
        Self { code: 2, ..self }
    }

    /// A command could not be run; the codes are those of shells (POSIX, "Exit Status for Commands").
    pub(crate) fn of_command(what: impl Into<String>, kind: std::io::ErrorKind) -> Self {
        Self { what: what.into(), code: if kind == std::io::ErrorKind::NotFound { 127 } else { 126 } }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        Self::new(error.to_string())
    }
}

/// Says why, and gives the exit code.
pub(crate) fn complain(failure: &Failure) -> ExitCode {
    let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
    let _ = writeln!(anstream::stderr(), "{red}error{red:#}: {failure}");
    ExitCode::from(failure.code)
}

/// Says beside the output what somebody should know.
pub(crate) fn remark(line: impl fmt::Display) {
    let yellow = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    let _ = writeln!(anstream::stderr(), "{yellow}note{yellow:#}: {line}");
}

/// Writes a line to standard output. A closed pipe ends the output, not the program's good sense.
pub(crate) fn say(line: impl fmt::Display) -> Result<(), Failure> {
    writeln!(anstream::stdout(), "{line}").map_err(|error| Failure::new(format!("cannot write: {error}")))
}

/// How a report is printed.
#[derive(Clone, Copy)]
pub(crate) enum Shown {
    Json,
    Text,
}

impl Shown {
    pub(crate) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// Whether a person looks at standard output.
pub(crate) fn is_watched() -> bool {
    std::io::stdout().is_terminal()
}

/// A table: framed by nothing but space, so that it can be cut up by other programs too.
pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head);
    if is_watched() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

/// A line of what others wrote, with everything escaped that a terminal would not show as it is: what is seen is what is
/// there.
pub(crate) fn visible(line: &str) -> String {
    line.chars()
        .flat_map(|character| {
            let plain = matches!(character, '"' | '\'' | '\\' | ' ');
            let shown: Vec<char> = if plain { vec![character] } else { character.escape_debug().collect() };
            shown
        })
        .collect()
}
