//! Finds tools by what they are for.
//!
//! An [`Index`] is made once for a set of tools and answers queries in memory: BM25F (Robertson and Zaragoza, "The Probabilistic
//! Relevance Framework", 2009, section 3.6) over the words of names, descriptions and parameters. A word of the query stands
//! also for its inflections, for a few words that tools use in its place, and, when no tool knows it, for words that are
//! nearly spelled like it. Equal scores are ordered by place, so the same question has the same answer.
//!
//! What is read of a tool and of a query is bounded, whatever they hold. `docs/search.md` says how good the answers are.

mod action;
mod expand;
mod rank;
mod spelling;
mod stem;
mod synonyms;
mod words;

use std::collections::HashMap;

use action::Action;
pub use rank::Hit;
use rank::Posting;
pub use stem::stem;
pub use words::words;

/// What is read of a query, in bytes and in words; the rest is ignored.
pub const MOST_QUERY_BYTES: usize = 1_024;
/// See [`MOST_QUERY_BYTES`].
pub const MOST_QUERY_WORDS: usize = 32;

/// A tool as it is indexed.
#[derive(Clone, Debug, Default)]
pub struct Entry<'text> {
    /// Its name; of `target___tool` both parts count.
    pub name: &'text str,
    /// What it is for. Its first 4,096 bytes are read.
    pub description: &'text str,
    /// What it takes. The first 128 are read.
    pub parameters: Vec<Parameter<'text>>,
}

/// A parameter of a tool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameter<'text> {
    /// Its name.
    pub name: &'text str,
    /// What it means; empty when nobody says. Its first 512 bytes are read.
    pub description: &'text str,
}

/// Tools by the words that speak of them.
#[derive(Debug)]
pub struct Index {
    /// Each word's place in `postings`.
    terms: HashMap<Box<str>, usize>,
    /// The words in order, for looking up what is nearly spelled alike.
    sorted: Vec<Box<str>>,
    /// For each word the entries that hold it.
    postings: Vec<Vec<Posting>>,
    /// What each entry does.
    actions: Vec<Option<Action>>,
}

impl Index {
    /// Indexes the entries; a [`Hit`]'s place counts them from 0.
    #[must_use]
    pub fn new<'text>(entries: impl IntoIterator<Item = Entry<'text>>) -> Self {
        rank::build(entries)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The best entries for the query among those `allowed`, the best first, `limit` at most. `allowed` is asked from the best
    /// downwards and only until there are enough. A query without a word that any entry knows finds nothing.
    #[must_use]
    pub fn best(&self, query: &str, allowed: impl Fn(usize) -> bool, limit: usize) -> Vec<Hit> {
        let query = expand::beginning(query);
        let asked = rank::Asked { words: expand::expand(self, query), action: action::wanted(query) };
        rank::best(self, &asked, allowed, limit)
    }
}
