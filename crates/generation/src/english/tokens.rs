//! Cuts a sentence into words, values in quotes, and marks.
//!
//! Nothing is thrown away: whatever is not white space becomes a token, so that a grammar that has used up all tokens has understood
//! all that was said. Contractions become the words that they stand for (`don't` is `do` `not`).

use std::ops::Range;

/// One word, quoted value or mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// The word as it was written, without its quotes.
    pub(crate) text: String,
    /// The same in lower case.
    pub(crate) lower: String,
    /// Whether it stood in quotes: then it is a value, and no word of the grammar.
    pub(crate) quoted: bool,
    /// Where it stands in the sentence, in bytes.
    pub(crate) span: Range<usize>,
}

/// What stands alone, longest first.
const MARKS: [&str; 14] = ["<=", ">=", "==", "!=", "≤", "≥", "≠", "<", ">", "=", ",", "(", ")", "&"];
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// The tokens of a sentence.
pub(crate) fn tokens(sentence: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = sentence.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next() else { break };
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if let Some((value, length)) = quoted(rest) {
            tokens.push(token(value, true, at..at + length));
            at += length;
        } else if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            tokens.push(token(mark, false, at..at + mark.len()));
            at += mark.len();
        } else {
            let length = word(rest);
            let written = rest.get(..length).unwrap_or(rest);
            push_word(&mut tokens, written, at);
            at += written.len().max(1);
        }
    }
    tokens
}

fn token(text: &str, quoted: bool, span: Range<usize>) -> Token {
    Token { text: text.to_owned(), lower: text.to_lowercase(), quoted, span }
}

/// A value in quotes, and the length with them. A quote that is not closed, or that is closed inside a word, is a letter.
fn quoted(rest: &str) -> Option<(&str, usize)> {
    let first = rest.chars().next()?;
    let (open, close) = QUOTES.iter().find(|(open, _)| *open == first)?;
    let inner = rest.get(open.len_utf8()..)?;
    let end = inner.char_indices().find_map(|(at, character)| {
        let after = inner.get(at + character.len_utf8()..)?.chars().next();
        (character == *close && !after.is_some_and(char::is_alphanumeric)).then_some(at)
    })?;
    Some((inner.get(..end)?, open.len_utf8() + end + close.len_utf8()))
}

/// The length of the word that a text begins with. A comma inside a number belongs to it.
fn word(rest: &str) -> usize {
    let mut before = None;
    let mut characters = rest.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let after = characters.peek().map(|(_, next)| *next);
        let digit = |character: Option<char>| character.is_some_and(|it| it.is_ascii_digit());
        let inside = character == ',' && digit(before) && digit(after);
        let stands_alone = MARKS.iter().any(|mark| mark.starts_with(character)) && !inside;
        if character.is_whitespace() || (at > 0 && stands_alone) {
            return at;
        }
        before = Some(character);
    }
    rest.len()
}

/// A word without the marks behind it, and a contraction as its words.
fn push_word(tokens: &mut Vec<Token>, written: &str, at: usize) {
    let bare = written.trim_end_matches(['.', ':', ';', '?', '!']);
    let bare = if bare.is_empty() { written } else { bare };
    let span = at..at + bare.len();
    let lower = bare.to_lowercase().replace('’', "'");
    let both: &[&str] = match lower.as_str() {
        "cannot" | "can't" | "cant" => &["can", "not"],
        "won't" => &["will", "not"],
        "and/or" => &["or"],
        other => match other.strip_suffix("n't") {
            Some(verb) => {
                tokens.push(Token {
                    text: verb.to_owned(),
                    lower: verb.to_owned(),
                    quoted: false,
                    span: span.clone(),
                });
                &["not"]
            }
            None => {
                tokens.push(Token { text: bare.to_owned(), lower, quoted: false, span: span.clone() });
                &[]
            }
        },
    };
    tokens.extend(both.iter().map(|word| token(word, false, span.clone())));
    let rest = written.get(bare.len()..).unwrap_or_default();
    if rest.contains(['?', ';', ':']) {
        tokens.push(token(rest, false, span.end..span.end + rest.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(sentence: &str) -> Vec<String> {
        let show = |token: Token| if token.quoted { format!("[{}]", token.text) } else { token.lower };
        tokens(sentence).into_iter().map(show).collect()
    }

    #[test]
    fn nothing_is_lost() {
        assert_eq!(words("Don't allow X, ever."), ["do", "not", "allow", "x", ",", "ever"]);
        assert_eq!(
            words("amount<=1,000.50 and 'a b' (c)"),
            ["amount", "<=", "1,000.50", "and", "[a b]", "(", "c", ")"]
        );
        assert_eq!(
            words("the user's “role” is refund:write"),
            ["the", "user's", "[role]", "is", "refund:write"]
        );
        assert_eq!(words("the users' tools"), ["the", "users'", "tools"]);
        assert_eq!(words("really?"), ["really", "?"]);
        assert_eq!(words("a ;; b"), ["a", ";;", "b"]);
    }

    #[test]
    fn any_text_is_cut() {
        for text in ["'", "\"", "''", "…", "\u{200b}", "a\u{301}'", "<<=>", "n't", "'n't'"] {
            let _ = tokens(text);
        }
    }
}
