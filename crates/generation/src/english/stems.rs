//! Words by which things are recognised: stems, so that `refunds` and `processing` are found in `process_refund`.

use super::tokens::Token;
use super::verbs::EMPTY;

/// The stems of a name (`orderId`, `process_refund`) or a text.
pub(crate) fn of(text: &str) -> Vec<String> {
    search::words(text).map(|word| search::stem(&word)).collect()
}

/// The stems of what a phrase names, without the words that name nothing. `None` when it says something that no name can
/// consist of.
pub(crate) fn of_phrase(tokens: &[Token]) -> Option<Vec<String>> {
    let mut stems = Vec::new();
    for token in tokens {
        if !token.quoted && EMPTY.contains(&token.lower.as_str()) {
            continue;
        }
        // A possessive belongs to whom it names; a mark belongs to no name.
        let text = token.text.strip_suffix("'s").unwrap_or(&token.text);
        let found = of(text);
        if found.is_empty() || text.chars().any(|it| !(it.is_alphanumeric() || "_-.:/'".contains(it))) {
            return None;
        }
        stems.extend(found);
    }
    (!stems.is_empty()).then_some(stems)
}

/// Whether each of `words` is among `others`.
pub(crate) fn all_in<'a>(words: impl IntoIterator<Item = &'a String>, others: &[String]) -> bool {
    words.into_iter().all(|word| others.contains(word))
}

/// Whether both consist of the same words; in whatever order, unless one of them says which way something goes.
pub(crate) fn same(some: &[String], others: &[String]) -> bool {
    some == others || (!say_which_way(others) && all_in(some, others) && all_in(others, some))
}

/// Whether there is a word that says which way something goes.
pub(crate) fn say_which_way(words: &[String]) -> bool {
    const DIRECTIONS: &[&str] = &[
        "to", "from", "into", "onto", "by", "before", "after", "between", "as", "via", "with", "without",
        "than", "2",
    ];
    words.iter().any(|word| DIRECTIONS.contains(&word.as_str()))
}
