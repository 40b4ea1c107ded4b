//! Builds the index and ranks entries: BM25F.
//!
//! The frequency of a word in an entry is the sum over its fields, each divided by the field's length in proportion to the
//! average and multiplied by what the field is worth; it saturates, and counts the more the fewer entries have the word.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

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

const FIELDS: [Field; 4] = [
    Field { weight: 2.0, length: 0.5 },
    Field { weight: 1.0, length: 0.5 },
    Field { weight: 0.4, length: 0.5 },
    Field { weight: 0.2, length: 0.5 },
];

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
    let counted: Vec<Counted> = entries.into_iter().map(|entry| count(&entry, &mut terms)).collect();
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
    Index { terms, sorted, postings, entries: counted.len() }
}

/// The best entries among those allowed.
pub(crate) fn best(
    index: &Index,
    asked: &[Wanted],
    allowed: impl Fn(usize) -> bool,
    limit: usize,
) -> Vec<Hit> {
    let mut scores = vec![0.0_f32; index.entries];
    let mut met = vec![0.0_f32; index.entries];
    for wanted in asked {
        meet(index, wanted, &mut met, &mut scores);
    }
    let found = scores.into_iter().enumerate().filter(|(_, score)| *score > 0.0);
    let mut candidates: BinaryHeap<Candidate> =
        found.map(|(place, score)| Candidate(Hit { place, score })).collect();
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

/// Adds to each score what the best of the wanted words is worth to the entry. `met` is scratch, and zero before and after.
fn meet(index: &Index, wanted: &Wanted, met: &mut [f32], scores: &mut [f32]) {
    let found = || wanted.iter().filter_map(|(term, worth)| Some((index.postings.get(*term)?, *worth)));
    for (postings, worth) in found() {
        let rarity = rarity(index.entries, postings.len()) * worth;
        for posting in postings {
            if let Some(met) = met.get_mut(posting.place as usize) {
                *met = met.max(rarity * posting.weight);
            }
        }
    }
    for posting in found().flat_map(|(postings, _)| postings) {
        let place = posting.place as usize;
        if let (Some(met), Some(score)) = (met.get_mut(place), scores.get_mut(place)) {
            *score += std::mem::take(met);
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
    counted.read(1, beginning(entry.description, MOST_DESCRIPTION_BYTES), terms);
    for parameter in entry.parameters.iter().take(MOST_PARAMETERS) {
        counted.read(2, beginning(parameter.name, MOST_PARAMETER_BYTES), terms);
        counted.read(3, beginning(parameter.description, MOST_PARAMETER_BYTES), terms);
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
