//! Durations, counted in buckets that are never wider than a 32nd of what they hold: enough for a quantile.

use std::time::Duration;

/// How many buckets a power of two is divided into.
const FINE: u64 = 32;

/// How often which duration was seen.
#[derive(Default)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        let at = bucket(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        self.add(at, 1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (at, count) in other.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.add(at, *count);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The duration that such a part of all were not longer than.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        let wanted = (self.count() as f64 * part).ceil() as u64;
        let mut seen = 0;
        let found = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        found.map_or(Duration::ZERO, |at| Duration::from_nanos(middle(at)))
    }

    fn add(&mut self, at: usize, count: u64) {
        if self.buckets.len() <= at {
            self.buckets.resize(at + 1, 0);
        }
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += count;
        }
    }
}

/// The bucket of a number: itself while numbers are small, then [`FINE`] for each power of two.
fn bucket(number: u64) -> usize {
    let shift = (u64::BITS - number.leading_zeros()).saturating_sub(FINE.ilog2() + 1);
    (u64::from(shift) * FINE + (number >> shift)) as usize
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * FINE {
        return bucket;
    }
    let shift = bucket / FINE - 1;
    let least = (bucket - shift * FINE) << shift;
    least + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_never_far_from_what_it_holds() {
        for number in [0, 1, 31, 32, 63, 64, 65, 127, 128, 1_000, 123_456, 98_765_432, 1 << 40] {
            let shown = middle(bucket(number));
            assert!(shown.abs_diff(number) <= number / 32, "{number} became {shown}");
        }
    }

    #[test]
    fn quantiles_are_read_off() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let close = |part: f64, micros: f64| {
            let found = histogram.quantile(part).as_secs_f64() * 1e6;
            assert!((found - micros).abs() < micros / 20.0, "{part}: {found}");
        };
        close(0.5, 50.0);
        close(0.99, 99.0);
        assert_eq!((histogram.count(), Histogram::default().quantile(0.5)), (100, Duration::ZERO));
    }
}
