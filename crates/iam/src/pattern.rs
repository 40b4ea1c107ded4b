//! Text patterns: literals, `*`, `?` and policy variables.
//!
//! A pattern is compiled once into parts and matched without allocating: variables are looked up while
//! matching, and what they stand for is literal text, so that a user named `*` is no wildcard. A mismatch goes
//! back to the last `*` only, which bounds the work by the product of the two lengths.
//! Source: IAM User Guide, "IAM policy elements: Variables and tags".

use crate::Context;

/// A compiled pattern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Box<[Part]>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    /// `?`: any one character.
    One,
    /// `*`: any characters, or none.
    Any,
    /// `${key}` or `${key, 'default'}`; the key is in lower case.
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
}

/// A part whose variable, if it was one, has been looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    Literal(&'a str),
    One,
    Any,
}

/// What `*` and `?` mean in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wildcards {
    Special,
    Literal,
}

/// What `${…}` means in a text: nothing special in documents of version 2008-10-17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variables {
    Replaced,
    Literal,
}

/// How letters are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Exact,
    /// ASCII letters are equal in either case.
    AsciiIgnored,
}

impl Pattern {
    pub(crate) fn compile(text: &str, wildcards: Wildcards, variables: Variables) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        loop {
            if variables == Variables::Replaced
                && let Some((found, after)) = variable(rest)
            {
                match found {
                    Found::Character(character) => literal.push_str(character),
                    Found::Variable { key, default } => {
                        flush(&mut literal, &mut parts);
                        parts.push(Part::Variable { key, default });
                    }
                }
                rest = after;
                continue;
            }
            let mut characters = rest.chars();
            let Some(character) = characters.next() else { break };
            rest = characters.as_str();
            match character {
                '*' if wildcards == Wildcards::Special => {
                    flush(&mut literal, &mut parts);
                    if parts.last() != Some(&Part::Any) {
                        parts.push(Part::Any);
                    }
                }
                '?' if wildcards == Wildcards::Special => {
                    flush(&mut literal, &mut parts);
                    parts.push(Part::One);
                }
                other => literal.push(other),
            }
        }
        flush(&mut literal, &mut parts);
        Self { parts: parts.into_boxed_slice() }
    }

    /// A pattern with wildcards and without variables.
    pub(crate) fn glob(text: &str) -> Self {
        Self::compile(text, Wildcards::Special, Variables::Literal)
    }

    /// Whether the pattern describes the whole of `text`. A variable that has no value, or several, matches
    /// nothing.
    pub(crate) fn matches(&self, text: &str, case: Case, context: &Context) -> bool {
        if let [Part::Literal(literal)] = &*self.parts {
            return literal.len() == text.len() && strip(text, literal, case).is_some();
        }
        let piece = |index: usize| self.parts.get(index).and_then(|part| part.look_up(context));
        wild_match(self.parts.len(), piece, text, case)
    }

    /// Whether the pattern, which has no wildcards, is `text` but for the case of letters.
    pub(crate) fn equals_ignoring_case(&self, text: &str, context: &Context) -> bool {
        let Some(pieces) = self.pieces(context) else {
            return false;
        };
        let letters = pieces.iter().flat_map(|piece| match piece {
            Piece::Literal(literal) => literal.chars(),
            Piece::One => "?".chars(),
            Piece::Any => "*".chars(),
        });
        let folded = text.chars().flat_map(char::to_lowercase);
        letters.flat_map(char::to_lowercase).eq(folded)
    }

    /// The parts with their variables looked up; nothing if one has no value.
    pub(crate) fn pieces<'a>(&'a self, context: &'a Context) -> Option<Vec<Piece<'a>>> {
        self.parts.iter().map(|part| part.look_up(context)).collect()
    }

    pub(crate) fn has_variables(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Variable { .. }))
    }
}

impl Part {
    fn look_up<'a>(&'a self, context: &'a Context) -> Option<Piece<'a>> {
        match self {
            Self::Literal(text) => Some(Piece::Literal(text)),
            Self::One => Some(Piece::One),
            Self::Any => Some(Piece::Any),
            Self::Variable { key, default } => context.single(key).or(default.as_deref()).map(Piece::Literal),
        }
    }
}

/// Matches `text` against `count` pieces; a piece that is absent matches nothing at all.
pub(crate) fn wild_match<'p>(
    count: usize,
    piece: impl Fn(usize) -> Option<Piece<'p>>,
    text: &str,
    case: Case,
) -> bool {
    let mut index = 0;
    let mut rest = text;
    // The piece after the last `*`, and the text that the `*` has left to it so far.
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let after = if index == count {
            if rest.is_empty() {
                return true;
            }
            None
        } else {
            match piece(index) {
                None => return false,
                Some(Piece::Any) => {
                    retry = Some((index + 1, rest));
                    Some(rest)
                }
                Some(Piece::One) => skip_one(rest),
                Some(Piece::Literal(literal)) => strip(rest, literal, case),
            }
        };
        if let Some(after) = after {
            index += 1;
            // A `*` at the end takes whatever is left.
            if index == count && matches!(retry, Some((last, _)) if last == count) {
                return true;
            }
            rest = after;
        } else {
            let Some((resume, from)) = retry else { return false };
            let Some(shorter) = skip_one(from) else {
                return false;
            };
            retry = Some((resume, shorter));
            index = resume;
            rest = shorter;
        }
    }
}

fn skip_one(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next().map(|_| characters.as_str())
}

/// What follows `literal` at the beginning of `text`.
fn strip<'t>(text: &'t str, literal: &str, case: Case) -> Option<&'t str> {
    match case {
        Case::Exact => text.strip_prefix(literal),
        Case::AsciiIgnored => {
            let head = text.as_bytes().get(..literal.len())?;
            head.eq_ignore_ascii_case(literal.as_bytes()).then(|| text.get(literal.len()..)).flatten()
        }
    }
}

fn flush(literal: &mut String, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal).into_boxed_str()));
    }
}

enum Found<'a> {
    /// `${*}`, `${?}` and `${$}` stand for the character itself.
    Character(&'a str),
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
}

/// The variable at the beginning of `text`, and what follows it.
fn variable(text: &str) -> Option<(Found<'_>, &str)> {
    let (inside, after) = text.strip_prefix("${")?.split_once('}')?;
    if matches!(inside, "*" | "?" | "$") {
        return Some((Found::Character(inside), after));
    }
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => (key, quoted(default.trim_start())),
        None => (inside, None),
    };
    let found =
        Found::Variable { key: key.trim().to_ascii_lowercase().into(), default: default.map(Into::into) };
    Some((found, after))
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str, context: &Context) -> bool {
        Pattern::compile(pattern, Wildcards::Special, Variables::Replaced).matches(text, Case::Exact, context)
    }

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything/at:all", true),
            ("a*", "a", true),
            ("a*c", "abcabc", true),
            ("a*c", "abcab", false),
            ("*gateway*", "gateway/x", true),
            ("*gateway*", "my-gateway", true),
            ("*gateway*", "gatewa", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?", "aé", true),
            ("?*?", "a", false),
            ("?*?", "ab", true),
            ("**", "x", true),
            ("a**b", "ab", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            ("*aab", "aaab", true),
            ("GET*", "get", false),
        ] {
            assert_eq!(matches(pattern, text, &Context::new()), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn variables() {
        let context = Context::new()
            .with("aws:username", "david")
            .with("aws:PrincipalTag/star", "*")
            .with_many("aws:TagKeys", ["a", "b"]);
        for (pattern, text, expected) in [
            ("home/${aws:username}/*", "home/david/x", true),
            ("home/${aws:username}/*", "home/eve/x", false),
            ("home/${AWS:UserName}", "home/david", true),
            ("${aws:PrincipalTag/star}", "anything", false),
            ("${aws:PrincipalTag/star}", "*", true),
            ("${aws:absent}", "", false),
            ("*${aws:absent}", "x", false),
            ("${aws:absent, 'all'}", "all", true),
            ("${aws:username, 'all'}", "all", false),
            ("${aws:TagKeys}", "a", false),
            ("${*}${?}${$}", "*?$", true),
            ("${*}", "x", false),
            ("${unclosed", "${unclosed", true),
            ("$", "$", true),
        ] {
            assert_eq!(matches(pattern, text, &context), expected, "{pattern} on {text}");
        }
        let literal = Pattern::glob("${aws:username}");
        assert!(literal.matches("${aws:username}", Case::Exact, &context));
        assert!(!literal.matches("david", Case::Exact, &context));
    }

    #[test]
    fn case() {
        let pattern = Pattern::glob("get*Gateway");
        assert!(pattern.matches("GETMYGATEWAY", Case::AsciiIgnored, &Context::new()));
        assert!(!pattern.matches("GETMYGATEWAY", Case::Exact, &Context::new()));
        let folded = Pattern::compile("STRASSE-É", Wildcards::Literal, Variables::Replaced);
        assert!(folded.equals_ignoring_case("strasse-é", &Context::new()));
        assert!(!folded.equals_ignoring_case("strasse-e", &Context::new()));
    }
}
