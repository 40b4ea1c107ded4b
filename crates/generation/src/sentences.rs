//! Cuts a text into sentences, each of which becomes an asset.
//!
//! A sentence ends with a full stop, an exclamation mark, a semicolon or a line break. A full stop inside a number, a name or quotes
//! ends nothing, and the mark of a list (`-`, `*`, `1.`) belongs to no sentence.

/// The sentences of `text`, as they are written, without the marks around them.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut quote: Option<char> = None;
    let mut before: Option<char> = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let ends = match quote {
            Some(_) if character == '\n' => true,
            Some(open) => {
                if character == open && !next.is_some_and(char::is_alphanumeric) {
                    quote = None;
                }
                false
            }
            None => match character {
                '"' | '\'' | '`' if !before.is_some_and(char::is_alphanumeric) => {
                    quote =
                        text.get(at + 1..).is_some_and(|rest| closes(rest, character)).then_some(character);
                    false
                }
                '\n' | ';' => true,
                '.' | '!' => next.is_none_or(char::is_whitespace),
                _ => false,
            },
        };
        if ends {
            sentences.extend(text.get(start..at));
            start = at + character.len_utf8();
            quote = None;
        }
        before = Some(character);
    }
    sentences.extend(text.get(start..));
    sentences
        .into_iter()
        .map(unmarked)
        .filter(|sentence| sentence.chars().any(char::is_alphanumeric))
        .collect()
}

/// Whether a quote that was opened is closed on its line.
fn closes(rest: &str, quote: char) -> bool {
    rest.split('\n').next().is_some_and(|line| line.contains(quote))
}

/// Without the mark of a list.
fn unmarked(sentence: &str) -> &str {
    let sentence = sentence.trim();
    let number = sentence.trim_start_matches(|character: char| character.is_ascii_digit());
    let marked = match number.strip_prefix(')') {
        Some(rest) if number.len() < sentence.len() => rest,
        _ => sentence.trim_start_matches(['-', '*', '•']),
    };
    marked.trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        let cut = |text| split(text);
        assert_eq!(
            cut("Allow a. Never b!\nForbid c; allow d"),
            ["Allow a", "Never b", "Forbid c", "allow d"]
        );
        assert_eq!(cut("allow amounts below 1.5. Never more."), ["allow amounts below 1.5", "Never more"]);
        assert_eq!(cut("to ends with '. x' or \"a;b\""), ["to ends with '. x' or \"a;b\""]);
        assert_eq!(cut("- allow a\n* allow b\n1) allow c"), ["allow a", "allow b", "allow c"]);
        assert_eq!(cut("2. "), ["2"]);
        assert!(cut(" .;\n!").is_empty());
        assert_eq!(cut("the user's tools. and more"), ["the user's tools", "and more"]);
    }
}
