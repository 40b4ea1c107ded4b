//! Calls that are alike, counted: by what became of them, who called, and which tool.

use std::collections::BTreeMap;

use domain::Timestamp;

/// The most that are told apart; what comes beyond is counted together.
const MOST: usize = 10_000;

/// Counts by key. What is counted has a first and a last time, and something to tell, which is the last one's.
pub(super) struct Tally<K, T> {
    counted: BTreeMap<K, Count<T>>,
    /// How many calls were counted beyond what is told apart.
    pub(super) beyond: u64,
}

/// How often, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count<T> {
    pub(super) times: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) told: T,
}

impl<K, T> Default for Tally<K, T> {
    fn default() -> Self {
        Self { counted: BTreeMap::new(), beyond: 0 }
    }
}

impl<K: Ord, T> Tally<K, T> {
    pub(super) fn add(&mut self, key: K, at: Timestamp, told: T) {
        if let Some(count) = self.counted.get_mut(&key) {
            count.times += 1;
            count.first = count.first.min(at);
            if at >= count.last {
                (count.last, count.told) = (at, told);
            }
        } else if self.counted.len() < MOST {
            self.counted.insert(key, Count { times: 1, first: at, last: at, told });
        } else {
            self.beyond += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// How many calls.
    pub(super) fn times(&self) -> u64 {
        self.counted.values().map(|count| count.times).sum::<u64>() + self.beyond
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Count<T>)> {
        self.counted.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_is_counted_and_the_rest_is_not_lost() {
        let at = Timestamp::from_seconds;
        let mut tally = Tally::default();
        for (key, seconds) in [(0, 5), (0, 9), (0, 7), (1, 1)] {
            tally.add(key, at(seconds), seconds);
        }
        let counts: Vec<_> = tally.iter().map(|(key, count)| (*key, count.clone())).collect();
        assert_eq!(counts[0], (0, Count { times: 3, first: at(5), last: at(9), told: 9 }));
        assert_eq!(counts[1].1.times, 1);
        (2..MOST + 7).for_each(|key| tally.add(key, at(1), 1));
        assert_eq!((tally.iter().count(), tally.beyond, tally.times()), (MOST, 7, 4 + MOST as u64 + 5));
    }
}
