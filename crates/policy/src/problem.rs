//! What is wrong with a statement, where, and what to do about it.

use std::fmt;

use cedar_policy::ffi::DetailedError;

use crate::findings::FindingKind;
use crate::hints::hint;

/// One thing that is wrong with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What sort of thing.
    pub kind: ProblemKind,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    /// Where in the statement.
    pub location: Option<Location>,
    /// How many characters of the line there it is about; at least one.
    pub width: usize,
}

/// The sort of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The text is not exactly one static Cedar policy.
    Syntax,
    /// The scope breaks one of AgentCore's rules.
    Scope,
    /// The policy does not fit the schema.
    Schema,
    /// The policy is valid and does something that is hardly meant.
    Finding(FindingKind),
    /// The check itself failed.
    Internal,
}

impl ProblemKind {
    /// The sort in one word; a finding has the word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Scope => "scope",
            Self::Schema => "schema",
            Self::Finding(kind) => kind.as_str(),
            Self::Internal => "internal",
        }
    }
}

/// A place in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The line, counted from 1.
    pub line: usize,
    /// The character in the line, counted from 1.
    pub column: usize,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, location: None, width: 1 }
    }

    /// A problem that Cedar found.
    pub(crate) fn from_cedar(kind: ProblemKind, error: &DetailedError, locator: &Locator<'_>) -> Self {
        // The policy has no name yet that anybody knows.
        let message = match error.message.split_once("`, ") {
            Some((policy, rest)) if policy.starts_with("for policy `") => rest.to_owned(),
            _ => error.message.clone(),
        };
        let label = error.source_locations.first();
        let hint = hint(&message, locator.text, label.map(|label| label.loc.start));
        let told = || error.help.clone().or_else(|| label.and_then(|label| label.label.clone()));
        let help = hint.or_else(told);
        Self {
            kind,
            message,
            help,
            location: label.map(|label| locator.locate(label.loc.start)),
            width: label.map_or(1, |label| locator.width(label.loc.start, label.loc.end)),
        }
    }

    pub(crate) fn at(mut self, locator: &Locator<'_>, offset: usize) -> Self {
        self.location = Some(locator.locate(offset));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// `line 3, column 5: message; help`. A message of AgentCore's is a sentence, and keeps its full stop.
impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Location { line, column }) = self.location {
            write!(formatter, "line {line}, column {column}: ")?;
        }
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) if self.message.ends_with('.') => write!(formatter, " ({help})"),
            Some(help) => write!(formatter, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Turns byte offsets of a statement into lines and columns.
pub(crate) struct Locator<'a> {
    text: &'a str,
}

impl<'a> Locator<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// How many characters stand between two offsets, on the first's line.
    fn width(&self, start: usize, end: usize) -> usize {
        let text = self.text.get(start..end).unwrap_or_default();
        text.lines().next().unwrap_or_default().chars().count().max(1)
    }

    /// An offset past the end, or inside a character, is taken for the nearest place before it.
    pub(crate) fn locate(&self, offset: usize) -> Location {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(..end).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Location {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters() {
        let locator = Locator::new("ä\nöx\n");
        assert_eq!(locator.locate(0), Location { line: 1, column: 1 });
        assert_eq!(locator.locate(5), Location { line: 2, column: 2 });
        assert_eq!(locator.locate(4), Location { line: 2, column: 1 });
        assert_eq!(locator.locate(99), Location { line: 3, column: 1 });
    }

    #[test]
    fn a_problem_reads_as_one_line() {
        let problem = Problem::new(ProblemKind::Syntax, "unexpected token `x`")
            .at(&Locator::new("a\nb"), 2)
            .help("remove it");
        assert_eq!(problem.to_string(), "line 2, column 1: unexpected token `x`; remove it");
    }
}
