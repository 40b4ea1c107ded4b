//! A rate that several replicas keep together: each takes a part of what the rate allows for a short while, gives out no
//! more than it took, and gives back what it did not use.
//!
//! What was taken is kept with the generic cell rate algorithm (ITU-T I.371): one moment, shared by all, says when all of
//! it will have been paid for. Taking moves it on, giving back moves it back by no more than what is still unpaid. So a
//! replica that is lost costs what it had taken, for as long as it takes to pay for it, and nothing is ever given out twice.

use std::time::Duration;

/// How long a replica keeps what it took, at most.
const LONGEST: i64 = 2_000_000_000;
/// The part of a rate's burst for which a replica keeps what it took.
const PART: i64 = 10;

/// A rate, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long it takes to pay for one.
    pub interval: i64,
    /// How far ahead of the present what was taken may be: what it takes to pay for a burst.
    pub ahead: i64,
}

/// What came of taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many were had.
    pub granted: u64,
    /// The moment from then on.
    pub paid: i64,
    /// When the next one is to be had, if nobody gives anything back.
    pub next: i64,
}

impl Pace {
    /// Takes `wanted` of them, or as many as there are. Moments are nanoseconds of one clock.
    #[must_use]
    pub fn take(self, paid: i64, wanted: u64, now: i64) -> Taken {
        let ahead = now.saturating_add(self.ahead);
        // A clock that was set back does not make anybody wait for longer than the rate does.
        let paid = paid.clamp(now, ahead);
        let room = ahead.saturating_sub(paid) / self.interval.max(1);
        let granted = u64::try_from(room).unwrap_or(0).min(wanted);
        let cost = self.cost(granted);
        let paid = paid.saturating_add(cost);
        let next = paid.saturating_add(self.interval).saturating_sub(self.ahead).max(now);
        Taken { granted, paid, next }
    }

    /// What may be given back of so many that were taken at a moment and not used: what was paid for since is over, because
    /// it may have made room for others.
    #[must_use]
    pub fn refund(self, unused: u64, taken_at: i64, now: i64) -> i64 {
        self.cost(unused).saturating_sub(now.saturating_sub(taken_at).max(0)).max(0)
    }

    /// What so many cost.
    #[must_use]
    pub fn cost(self, count: u64) -> i64 {
        i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(self.interval)
    }

    /// How long a replica keeps what it took: a tenth of the burst's time, two seconds at most. What it gives out at the end
    /// of that counted when it was taken, so that in any time as much more may be let through as is paid for in this one.
    #[must_use]
    pub fn keeps(self) -> i64 {
        (self.ahead / PART).min(LONGEST)
    }

    /// How many a burst has.
    #[must_use]
    pub fn burst(self) -> u64 {
        u64::try_from(self.ahead / self.interval.max(1)).unwrap_or(0)
    }

    /// The time until a moment.
    #[must_use]
    pub fn until(moment: i64, now: i64) -> Duration {
        Duration::from_nanos(u64::try_from(moment.saturating_sub(now)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn per_minute(rate: i64) -> Pace {
        Pace { interval: 60 * SECOND / rate, ahead: 60 * SECOND }
    }

    #[test]
    fn what_is_taken_is_not_there_for_others_until_it_is_paid_for() {
        let (pace, now) = (per_minute(6), 1_000 * SECOND);
        let first = pace.take(0, 4, now);
        assert_eq!((first.granted, first.next), (4, now));
        let second = pace.take(first.paid, 4, now);
        assert_eq!((second.granted, second.next), (2, now + 10 * SECOND));
        assert_eq!(pace.take(second.paid, 4, now + 10 * SECOND - 1).granted, 0);
        assert_eq!(pace.take(second.paid, 4, now + 10 * SECOND).granted, 1);
        // Three that were not used, given back at once and later.
        let back = second.paid - pace.refund(3, now, now);
        assert_eq!(pace.take(back, 9, now).granted, 3);
        assert_eq!(pace.refund(3, now, now + 25 * SECOND), 5 * SECOND);
        assert_eq!(pace.refund(3, now, now + 40 * SECOND), 0);
    }

    /// What one simulated replica has.
    #[derive(Default)]
    struct Replica {
        /// What it took: how many are left, when that was, until when it may give them out.
        leases: Vec<(u64, i64, i64)>,
    }

    /// One step of a run: how much later it is, which replica acts, how many requests come to it, how many it takes beyond
    /// them, and whether it is lost then.
    type Step = (i64, usize, u64, u64, bool);

    /// Runs replicas on one rate, and gives how many requests were let through at which moments.
    fn run(pace: Pace, replicas: usize, steps: &[Step]) -> Vec<(i64, u64)> {
        let mut replicas: Vec<Replica> = (0..replicas).map(|_| Replica::default()).collect();
        let (mut paid, mut now, mut let_through) = (0, 1_000 * SECOND, Vec::new());
        for &(later, who, requests, beyond, lost) in steps {
            now += later;
            let who = who % replicas.len();
            let replica = &mut replicas[who];
            for (left, taken_at, until) in std::mem::take(&mut replica.leases) {
                if until > now {
                    replica.leases.push((left, taken_at, until));
                } else {
                    paid -= pace.refund(left, taken_at, now);
                }
            }
            let have: u64 = replica.leases.iter().map(|(left, ..)| left).sum();
            let wanted = (requests + beyond).saturating_sub(have);
            let taken = pace.take(paid, wanted, now);
            paid = taken.paid;
            replica.leases.push((taken.granted, now, now + pace.keeps()));
            let mut wait = requests;
            for (left, ..) in &mut replica.leases {
                let given = wait.min(*left);
                *left -= given;
                wait -= given;
                let_through.push((now, given));
            }
            if lost {
                *replica = Replica::default();
            }
        }
        let_through
    }

    proptest! {
        /// In no time is more let through, by however many replicas, than a burst, what is paid for in that time, and what
        /// is paid for while a replica may keep what it took.
        #[test]
        fn replicas_together_keep_to_the_rate(
            rate in 1_i64..200,
            minute in any::<bool>(),
            count in 1_usize..6,
            steps in prop::collection::vec(
                (0_i64..3 * SECOND, 0_usize..6, 0_u64..40, 0_u64..20, prop::bool::weighted(0.05)), 1..120),
        ) {
            let period = if minute { 60 * SECOND } else { SECOND };
            let pace = Pace { interval: period / rate, ahead: period };
            let let_through = run(pace, count, &steps);
            for (first, (from, _)) in let_through.iter().enumerate() {
                let mut seen = 0;
                for (to, given) in &let_through[first..] {
                    seen += given;
                    let most = (pace.ahead + (to - from) + pace.keeps()) / pace.interval + 1;
                    prop_assert!(i64::try_from(seen).unwrap() <= most, "{seen} in {} ns, at most {most}", to - from);
                }
            }
        }

        /// Where nobody keeps what others want, everything that the rate allows is let through.
        #[test]
        fn a_burst_is_let_through_whole(rate in 1_i64..200, count in 1_usize..6) {
            let pace = per_minute(rate);
            let wanted = u64::try_from(rate).unwrap();
            let steps: Vec<Step> = (0..300).map(|step| (0, step % count, wanted.div_ceil(50), 0, false)).collect();
            let let_through: u64 = run(pace, count, &steps).into_iter().map(|(_, given)| given).sum();
            prop_assert_eq!(let_through, pace.burst());
        }
    }
}
