//! What a query asks for: groups of words, of which the best that an entry has counts.

use crate::words::{is_stop, words};
use crate::{Index, MOST_QUERY_BYTES, MOST_QUERY_WORDS, spelling, stem::stem, synonyms};

/// What a word is worth that stands for another.
const SYNONYM: f32 = 0.65;
const MISSPELLED: f32 = 0.7;
/// How many words are tried for one that nobody knows.
const NEAREST: usize = 3;

/// One word of the query: the places of the terms that meet it, each with its worth.
pub(crate) type Wanted = Vec<(usize, f32)>;

/// Reads a query.
pub(crate) fn expand(index: &Index, query: &str) -> Vec<Wanted> {
    let asked: Vec<String> = without_values(query).flat_map(words).take(MOST_QUERY_WORDS).collect();
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (place, word) in asked.iter().enumerate() {
        // `to do` may be `todo`, `free busy` `freebusy`.
        if let Some(joined) =
            asked.get(place + 1).and_then(|next| index.term(&stem(&format!("{word}{next}"))))
        {
            wanted.push(vec![(joined, 1.0)]);
        }
        let stem = stem(word);
        if is_stop(word) || is_number(word) || seen.contains(&stem) {
            continue;
        }
        wanted.extend(meanings(index, &stem).into_iter().filter(|meaning| !meaning.is_empty()));
        seen.push(stem);
    }
    wanted
}

/// What a word may stand for: itself and its synonyms; or its two halves; or what is nearly spelled like it.
fn meanings(index: &Index, word: &str) -> Vec<Wanted> {
    let itself = index.term(word).map(|term| (term, 1.0));
    let synonyms = synonyms::of(word, stem).filter_map(|other| Some((index.term(&stem(other))?, SYNONYM)));
    let met: Wanted = itself.into_iter().chain(synonyms).collect();
    if !met.is_empty() {
        return vec![met];
    }
    if let Some((one, other)) = halves(index, word) {
        return vec![vec![(one, 1.0)], vec![(other, 1.0)]];
    }
    let near = spelling::nearest(word, index.sorted.iter().map(AsRef::as_ref), NEAREST);
    vec![near.into_iter().filter_map(|term| Some((index.term(term)?, MISSPELLED))).collect()]
}

/// Two known words that the word is written together of.
fn halves(index: &Index, word: &str) -> Option<(usize, usize)> {
    word.char_indices().map(|(cut, _)| cut).filter(|cut| *cut >= 3 && word.len() - cut >= 3).find_map(|cut| {
        let (one, other) = word.split_at_checked(cut)?;
        Some((index.term(&stem(one))?, index.term(&stem(other))?))
    })
}

/// The query with the word for an address of mail or of the web in its place: no tool knows whose it is.
fn without_values(query: &str) -> impl Iterator<Item = &str> {
    query.split_whitespace().map(|word| match word {
        mail if mail.contains('@') && mail.contains('.') => "email",
        web if web.contains("://") => "url",
        other => other,
    })
}

fn is_number(word: &str) -> bool {
    word.chars().all(char::is_numeric)
}

/// The part of the query that is read.
pub(crate) fn beginning(query: &str) -> &str {
    let end = query.floor_char_boundary(MOST_QUERY_BYTES);
    query.get(..end).unwrap_or_default()
}
