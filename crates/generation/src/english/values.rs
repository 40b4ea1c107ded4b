//! Values that things are compared with, and lists of them.

use super::cursor::{Cursor, Understood, shown};

/// How the values of a list are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// By `or`, or there is only one.
    Or,
    And,
}

/// Words that are no values when they are not quoted.
const NO_VALUES: &[&str] = &[
    "a",
    "an",
    "the",
    "is",
    "are",
    "not",
    "and",
    "or",
    "when",
    "if",
    "unless",
    "to",
    "from",
    "of",
    "in",
    "on",
    "with",
    "without",
    "than",
    "by",
    "for",
    "their",
    "its",
    "any",
    "all",
    "only",
    "who",
    "that",
    "whose",
    "either",
    "neither",
    "nor",
    "both",
    "one",
    ",",
    "(",
    ")",
    "<",
    ">",
    "=",
    "==",
    "<=",
    ">=",
    "!=",
    "except",
    "can",
    "may",
    "must",
    "should",
    "at",
    "less",
    "more",
    "equal",
    "where",
    "while",
    "reasonable",
    "small",
    "large",
    "high-risk",
    "low-risk",
    "big",
    "huge",
    "valid",
    "invalid",
    "empty",
    "null",
    "role",
    "roles",
    "scope",
    "scopes",
    "group",
    "groups",
    "claim",
    "claims",
    "have",
    "has",
    "having",
    "but",
    "like",
    "between",
    "before",
    "after",
    "during",
    "until",
    "as",
    "also",
];

/// One value. `allowed` are the only ones there are, when it is not empty: these are recognised in any case, and nothing else
/// is taken.
pub(crate) fn value(cursor: &mut Cursor<'_>, allowed: &[String]) -> Understood<String> {
    let begin = cursor.at;
    if !allowed.is_empty() {
        return one_of(cursor, allowed);
    }
    match cursor.peek() {
        Some(token) if token.quoted && !token.text.is_empty() => {
            cursor.next();
            Ok(token.text.clone())
        }
        Some(token) if !token.quoted && is_value(&token.lower) => {
            cursor.next();
            Ok(token.text.clone())
        }
        Some(token) => {
            cursor.at = begin;
            cursor.fail(format!("{} is no value; put it in quotes if it is one", shown(&token.text)))
        }
        None => cursor.fail("a value is missing at the end"),
    }
}

pub(crate) fn is_value(word: &str) -> bool {
    !NO_VALUES.contains(&word) && word.chars().any(char::is_alphanumeric) && !word.ends_with("'s")
}

fn one_of(cursor: &mut Cursor<'_>, allowed: &[String]) -> Understood<String> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], " ");
    let mut said = String::new();
    let mut found = None;
    let mut ahead = *cursor;
    for _ in 0..4 {
        let Some(token) = ahead.next() else { break };
        if !said.is_empty() {
            said.push(' ');
        }
        said.push_str(&token.text);
        let exact = allowed.iter().find(|value| **value == said);
        let alike: Vec<_> = allowed.iter().filter(|value| plain(value) == plain(&said)).collect();
        let meant = match (exact, alike.as_slice()) {
            (Some(exact), _) => Some(exact),
            (None, [only]) => Some(*only),
            _ => None,
        };
        if let Some(value) = meant {
            found = Some((value.clone(), ahead.at));
        }
    }
    match found {
        Some((value, at)) => {
            cursor.at = at;
            Ok(value)
        }
        None => {
            let said = cursor.peek().map_or("the end of the sentence".to_owned(), |token| shown(&token.text));
            let all = super::tools::some(allowed.iter().map(String::as_str));
            cursor.fail(format!("{said} is none of the values that are possible: {all}"))
        }
    }
}

/// One or more values with commas, `or`, `and` between them. `begins_other` is whether what comes next is something else than a value.
pub(crate) fn values<T: PartialEq>(
    cursor: &mut Cursor<'_>,
    read: impl Fn(&mut Cursor<'_>) -> Understood<T>,
    begins_other: impl Fn(Cursor<'_>) -> bool,
) -> Understood<(Vec<T>, Joined)> {
    let bracketed = cursor.take("(");
    let mut all = vec![read(cursor)?];
    let mut joined = None;
    let mut commas = false;
    loop {
        let before = *cursor;
        let comma = cursor.take(",");
        let how = match cursor.take_any(&["or", "and", "nor", "or else"]) {
            Some("and") => Some(Joined::And),
            Some(_) => Some(Joined::Or),
            None if comma => None,
            None => break,
        };
        let clash = how.is_some() && joined.is_some() && how != joined;
        let more = if begins_other(*cursor) || clash { None } else { read(cursor).ok() };
        let Some(more) = more else {
            *cursor = before;
            break;
        };
        commas |= how.is_none();
        joined = joined.or(how);
        all.push(more);
    }
    if bracketed && !cursor.take(")") {
        return cursor.fail("a bracket is not closed");
    }
    if commas && joined.is_none() && !bracketed {
        return cursor.fail("a list needs `or` or `and` before its last value");
    }
    Ok((all, joined.unwrap_or(Joined::Or)))
}
