//! A file of policies, cut into its statements.
//!
//! A policy is one statement, and people keep several in a file. A semicolon ends a statement and stands nowhere else in
//! Cedar but in strings and comments, so that a file can be cut before it is parsed, and a mistake in one statement does
//! not hide what is wrong with the next.

use crate::problem::{Locator, Problem};

/// A statement and where in its file it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The statement, with the comments that stand before it and its semicolon.
    pub text: &'a str,
    /// The byte in the file that it begins at.
    pub offset: usize,
}

impl Piece<'_> {
    /// Problems of the statement, told where they are in its file.
    #[must_use]
    pub fn place(&self, file: &str, mut problems: Vec<Problem>) -> Vec<Problem> {
        let begin = Locator::new(file).locate(self.offset);
        for place in problems.iter_mut().filter_map(|problem| problem.location.as_mut()) {
            if place.line == 1 {
                place.column += begin.column - 1;
            }
            place.line += begin.line - 1;
        }
        problems
    }
}

/// The statements of a file, in their order. What follows the last semicolon is one too, if there is anything but space
/// and comments: it is for the parser to say what is wrong with it.
#[must_use]
pub fn split(file: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut begin, mut state, mut said) = (0, State::Plain, false);
    let mut characters = file.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        state = match (state, character) {
            (State::Plain, ';') => {
                push(&mut pieces, file, begin, at + 1);
                begin = at + 1;
                said = false;
                State::Plain
            }
            (State::Plain, '/') if characters.peek().is_some_and(|(_, next)| *next == '/') => State::Comment,
            (State::Plain, '"') => State::Quoted,
            (State::Plain, character) => {
                said |= !character.is_whitespace();
                State::Plain
            }
            (State::Comment, '\n' | '\r') | (State::Quoted, '"') => State::Plain,
            (State::Quoted, '\\') => State::Escaped,
            (State::Escaped, _) => State::Quoted,
            (state, _) => state,
        };
        said |= matches!(state, State::Quoted);
    }
    if said {
        push(&mut pieces, file, begin, file.len());
    }
    pieces
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Comment,
    Quoted,
    Escaped,
}

fn push<'a>(pieces: &mut Vec<Piece<'a>>, file: &'a str, begin: usize, end: usize) {
    let whole = file.get(begin..end).unwrap_or_default();
    let text = whole.trim_start();
    pieces.push(Piece { text, offset: begin + (whole.len() - text.len()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_ends_a_statement_where_it_is_none_of_a_string_or_a_comment() {
        let file = "// one; and\npermit(principal, action, resource)\nwhen { \"a;\\\";\" == \"b\" }; // tail;\n forbid(principal, action, resource);\n// end;\n";
        let pieces = split(file);
        let texts: Vec<&str> = pieces.iter().map(|piece| piece.text).collect();
        assert_eq!(
            texts,
            [
                "// one; and\npermit(principal, action, resource)\nwhen { \"a;\\\";\" == \"b\" };",
                "// tail;\n forbid(principal, action, resource);",
            ]
        );
        for piece in pieces {
            assert_eq!(file.get(piece.offset..piece.offset + piece.text.len()), Some(piece.text));
        }
    }

    #[test]
    fn what_is_not_ended_is_a_statement_too() {
        let texts = |file| split(file).iter().map(|piece| piece.text).collect::<Vec<&str>>();
        assert_eq!(texts("permit(principal, action, resource)"), ["permit(principal, action, resource)"]);
        assert_eq!(texts("\"open"), ["\"open"]);
        assert_eq!(texts(" // nothing\n"), Vec::<&str>::new());
        assert_eq!(texts(";;"), [";", ";"]);
    }
}
