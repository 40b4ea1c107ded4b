//! Builds the index and ranks entries: BM25F.
//!
//! The frequency of a word in an entry is the sum over its fields, each divided by the field's length in proportion to the
//! average and multiplied by what the field is worth; it saturates, and counts the more the fewer entries have the word.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use crate::action::{Action, done, suits};
use crate::expand::Wanted;
use crate::words::stems;
use crate::{Entry, Index};

/// How much is read of an entry.
const MOST_DESCRIPTION_BYTES: usize = 4_096;
const MOST_PARAMETERS: usize = 128;
const MOST_PARAMETER_BYTES: usize = 512;

/// Where saturation sets in.
const K1: f32 = 1.2;

/// What a field is worth and how much its length counts against it. Tuned on one half of the labelled queries.
struct Field {
    weight: f32,
    length: f32,
}

const FIELDS: [Field; 5] = [
    // The name.
    Field { weight: 2.0, length: 0.5 },
    // The description's first sentence, which says what the tool does, and the others, which say what else there is to know.
    Field { weight: 2.0, length: 0.6 },
    Field { weight: 0.4, length: 0.5 },
    // The parameters' names and descriptions.
    Field { weight: 0.6, length: 0.5 },
    Field { weight: 0.2, length: 0.5 },
];

/// How much an entry gains that meets many of the words instead of few well.
const COVERAGE: f32 = 0.75;

/// An entry that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its place among the entries that were indexed.
    pub place: usize,
    /// How well it fits; comparable within one answer only.
    pub score: f32,
}

/// That an entry holds a word, and how strongly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posting {
    place: u32,
    /// The weighted frequency, saturated.
    weight: f32,
}

impl Index {
    /// A word's place, by its stem.
    pub(crate) fn term(&self, stem: &str) -> Option<usize> {
        self.terms.get(stem).copied()
    }
}

/// How often the fields of one entry hold each word, and how long they are.
struct Counted {
    frequencies: HashMap<usize, [f32; FIELDS.len()]>,
    lengths: [f32; FIELDS.len()],
}

pub(crate) fn build<'text>(entries: impl IntoIterator<Item = Entry<'text>>) -> Index {
    let mut terms: HashMap<Box<str>, usize> = HashMap::new();
    let mut actions = Vec::new();
    let mut counted = Vec::new();
    for entry in entries {
        actions.push(done(beginning(entry.name, MOST_PARAMETER_BYTES), entry.description));
        counted.push(count(&entry, &mut terms));
    }
    let averages = averages(&counted);
    let mut postings: Vec<Vec<Posting>> = vec![Vec::new(); terms.len()];
    for (place, entry) in (0..).zip(&counted) {
        for (term, frequencies) in &entry.frequencies {
            let weight = saturated(frequencies, &entry.lengths, &averages);
            if let Some(postings) = postings.get_mut(*term) {
                postings.push(Posting { place, weight });
            }
        }
    }
    let mut sorted: Vec<Box<str>> = terms.keys().cloned().collect();
    sorted.sort_unstable();
    Index { terms, sorted, postings, actions }
}

/// What a query asks for.
pub(crate) struct Asked {
    pub(crate) words: Vec<Wanted>,
    pub(crate) action: Option<Action>,
}

/// The best entries among those allowed.
pub(crate) fn best(index: &Index, asked: &Asked, allowed: impl Fn(usize) -> bool, limit: usize) -> Vec<Hit> {
    let mut scores = vec![Score::default(); index.len()];
    for wanted in &asked.words {
        meet(index, wanted, &mut scores);
    }
    let scored = scores.iter().zip(&index.actions).enumerate().filter(|(_, (score, _))| score.sum > 0.0);
    let mut candidates: BinaryHeap<Candidate> = scored
        .map(|(place, (score, done))| {
            let covered = (score.words / asked.words.len() as f32).powf(COVERAGE);
            Candidate(Hit { place, score: score.sum * covered * suits(asked.action, *done) })
        })
        .collect();
    let mut best = Vec::new();
    while best.len() < limit
        && let Some(Candidate(hit)) = candidates.pop()
    {
        if allowed(hit.place) {
            best.push(hit);
        }
    }
    best
}

/// The score of an entry while it is summed up.
#[derive(Clone, Default)]
struct Score {
    sum: f32,
    /// How many of the words it meets.
    words: f32,
    /// The best so far of the words that may stand for the one at hand; zero between two.
    met: f32,
}

/// Adds to each score what the best of the wanted words is worth to the entry.
fn meet(index: &Index, wanted: &Wanted, scores: &mut [Score]) {
    let found = || wanted.iter().filter_map(|(term, worth)| Some((index.postings.get(*term)?, *worth)));
    for (postings, worth) in found() {
        let rarity = rarity(index.len(), postings.len()) * worth;
        for posting in postings {
            if let Some(score) = scores.get_mut(posting.place as usize) {
                score.met = score.met.max(rarity * posting.weight);
            }
        }
    }
    for posting in found().flat_map(|(postings, _)| postings) {
        if let Some(score) = scores.get_mut(posting.place as usize).filter(|score| score.met > 0.0) {
            score.sum += std::mem::take(&mut score.met);
            score.words += 1.0;
        }
    }
}

/// The inverse document frequency, never negative.
fn rarity(entries: usize, holding: usize) -> f32 {
    let (entries, holding) = (entries as f32, holding as f32);
    (1.0 + (entries - holding + 0.5) / (holding + 0.5)).ln()
}

fn saturated(frequencies: &[f32], lengths: &[f32], averages: &[f32]) -> f32 {
    let fields = FIELDS.iter().zip(frequencies).zip(lengths.iter().zip(averages));
    let total: f32 = fields
        .filter(|((_, frequency), _)| **frequency > 0.0)
        .map(|((field, frequency), (length, average))| {
            field.weight * frequency / (1.0 - field.length + field.length * length / average.max(1.0))
        })
        .sum();
    total / (K1 + total)
}

fn count(entry: &Entry<'_>, terms: &mut HashMap<Box<str>, usize>) -> Counted {
    let mut counted = Counted { frequencies: HashMap::new(), lengths: [0.0; FIELDS.len()] };
    counted.read(0, beginning(entry.name, MOST_PARAMETER_BYTES), terms);
    let (summary, rest) = first_sentence(beginning(entry.description, MOST_DESCRIPTION_BYTES));
    counted.read(1, summary, terms);
    counted.read(2, rest, terms);
    for parameter in entry.parameters.iter().take(MOST_PARAMETERS) {
        counted.read(3, beginning(parameter.name, MOST_PARAMETER_BYTES), terms);
        counted.read(4, beginning(parameter.description, MOST_PARAMETER_BYTES), terms);
    }
    counted
}

impl Counted {
    fn read(&mut self, field: usize, text: &str, terms: &mut HashMap<Box<str>, usize>) {
        for stem in stems(text) {
            let next = terms.len();
            let term = *terms.entry(stem.into_boxed_str()).or_insert(next);
            if let Some(frequency) = self.frequencies.entry(term).or_default().get_mut(field) {
                *frequency += 1.0;
            }
            if let Some(length) = self.lengths.get_mut(field) {
                *length += 1.0;
            }
        }
    }
}

fn averages(counted: &[Counted]) -> [f32; FIELDS.len()] {
    let mut averages = [0.0; FIELDS.len()];
    for entry in counted {
        averages.iter_mut().zip(entry.lengths).for_each(|(sum, length)| *sum += length);
    }
    averages.map(|sum| sum / counted.len().max(1) as f32)
}

/// The description cut behind its first sentence or line.
fn first_sentence(text: &str) -> (&str, &str) {
    let line = text.find('\n').unwrap_or(text.len());
    let sentence = text.find(". ").map_or(text.len(), |end| end + 1);
    text.split_at_checked(line.min(sentence)).unwrap_or((text, ""))
}

fn beginning(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// A hit by its rank: the higher score, then the earlier place.
struct Candidate(Hit);

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.score.total_cmp(&other.0.score).then(other.0.place.cmp(&self.0.place))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}
