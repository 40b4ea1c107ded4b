//! The words of a text.
//!
//! A word is a run of letters and digits, cut where camelCase and digits begin something new. Words that say nothing about
//! what a tool does are left out, and what remains is reduced to its stem.

use crate::stem::stem;

/// Longer words are none that anybody asks for.
const LONGEST: usize = 40;
/// Digits behind so few letters, and letters behind so few digits, belong to a name (`s3`, `ec2`, `k8s`).
const SHORT: usize = 2;

/// Words without content, in questions and in descriptions. Sorted.
const STOP: &[&str] = &[
    "a",
    "about",
    "all",
    "already",
    "also",
    "am",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "been",
    "but",
    "by",
    "can",
    "could",
    "did",
    "do",
    "does",
    "else",
    "for",
    "from",
    "had",
    "has",
    "have",
    "he",
    "her",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "just",
    "many",
    "may",
    "me",
    "much",
    "my",
    "not",
    "now",
    "of",
    "off",
    "on",
    "once",
    "only",
    "or",
    "other",
    "our",
    "out",
    "please",
    "s",
    "she",
    "should",
    "so",
    "some",
    "someone",
    "something",
    "than",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "to",
    "up",
    "us",
    "use",
    "used",
    "using",
    "via",
    "want",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "will",
    "with",
    "would",
    "yet",
    "you",
    "your",
];

/// The stems of the text's words, in order.
pub(crate) fn stems(text: &str) -> impl Iterator<Item = String> + '_ {
    words(text).filter(|word| !is_stop(word)).map(|word| stem(&word))
}

/// Whether the word has no content.
pub(crate) fn is_stop(word: &str) -> bool {
    STOP.binary_search(&word).is_ok()
}

/// The text's words in lower case, in order.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|character: char| !character.is_alphanumeric() && character != '\'').flat_map(parts)
}

/// The parts of one run, in lower case; what follows an apostrophe is left out.
fn parts(run: &str) -> Vec<String> {
    let run = run.trim_matches('\'');
    let run = run.split_once('\'').map_or(run, |(before, _)| before);
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut before: Option<char> = None;
    let mut characters = run.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied();
        if before.is_some_and(|before| begins(before, character, after, part.chars().count() <= SHORT)) {
            parts.push(std::mem::take(&mut part));
        }
        part.extend(character.to_lowercase());
        before = Some(character);
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty() && part.len() <= LONGEST);
    parts
}

/// Whether `character` begins a new part behind one that is short or not.
fn begins(before: char, character: char, after: Option<char>, is_short: bool) -> bool {
    let camel = character.is_uppercase()
        && (before.is_lowercase()
            || before.is_numeric()
            || after.is_some_and(char::is_lowercase) && before.is_uppercase());
    let digits = !is_short && before.is_numeric() != character.is_numeric();
    camel || digits || is_ideograph(character) || is_ideograph(before)
}

/// Scripts that write words without spaces: each character counts for itself.
fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_cut_into_words() {
        for (text, expected) in [
            ("createPullRequest", "create pull request"),
            ("list_user-emails", "list user emails"),
            ("getHTTPServerV2", "get http server v2"),
            ("oauth2Token", "oauth 2 token"),
            ("s3 EC2 k8s", "s3 ec2 k8s"),
            ("PostCustomersCustomerBankAccountsId", "post customers customer bank accounts id"),
            ("calendar.freebusy.query", "calendar freebusy query"),
            ("a user's 'own' files", "a user own files"),
            ("Größe ändern", "größe ändern"),
            ("天気を取得", "天 気 を 取 得"),
            ("___", ""),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>().join(" "), expected, "{text}");
        }
    }

    #[test]
    fn words_without_content_are_left_out() {
        assert!(STOP.is_sorted());
        assert_eq!(stems("What is in my inbox?").collect::<Vec<_>>(), ["inbox"]);
    }
}
