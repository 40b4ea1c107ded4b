//! What this replica has taken of one value's rate, where several replicas keep it together.

use std::collections::VecDeque;

use domain::{Pace, Taken};

/// From how many requests on, since it was taken last, more is taken than those who wait need.
const MUCH: u64 = 4;

/// What was taken and not given out, and what came of asking.
#[derive(Default)]
pub(super) struct Share {
    batches: VecDeque<Batch>,
    /// How many were given out since some were taken last, and when that was.
    used: u64,
    taken_at: i64,
    /// How many there were then.
    had: u64,
    /// More is asked for already.
    asking: bool,
    /// Until when nobody asks again, and when there is one again as far as is known.
    refused_until: i64,
    next: i64,
    /// How often somebody had come when what was counted alone was made known.
    made_known: u64,
}

/// What was taken at once.
struct Batch {
    left: u64,
    taken_at: i64,
    /// Until when it may be given out, which is also its name.
    until: i64,
}

/// What came of asking for one.
pub(super) enum Spent {
    /// It is one of this batch; and whether more should be taken ahead of need.
    Given { batch: i64, take_ahead: bool },
    /// There is none until this moment.
    Wait(i64),
    /// It has to be taken first.
    Short,
}

impl Share {
    /// Gives one out.
    pub(super) fn spend(&mut self, now: i64) -> Spent {
        let mut living = self.batches.iter_mut().filter(|batch| batch.until > now);
        let Some(batch) = living.find(|batch| batch.left > 0) else {
            return if self.refused_until > now { Spent::Wait(self.next) } else { Spent::Short };
        };
        batch.left -= 1;
        let left = batch.left + living.map(|batch| batch.left).sum::<u64>();
        let batch = batch.until;
        self.used += 1;
        let runs_out = left <= self.had / 2 && self.used >= MUCH;
        let take_ahead = runs_out && !self.asking && self.refused_until <= now;
        self.asking |= take_ahead;
        Spent::Given { batch, take_ahead }
    }

    /// One of this batch was not needed.
    pub(super) fn take_back(&mut self, batch: i64) {
        if let Some(batch) = self.batches.iter_mut().find(|known| known.until == batch) {
            batch.left += 1;
        }
    }

    /// How much more to take than those who wait need: what was needed in the time for which it is kept, and no more than
    /// what leaves as much to each of the others.
    pub(super) fn demand(&self, pace: Pace, replicas: usize, now: i64) -> u64 {
        let lately = now.saturating_sub(self.taken_at) < pace.keeps().saturating_mul(2);
        if !lately || self.used < MUCH {
            return 0;
        }
        let most = pace.burst() / u64::try_from(replicas.max(1)).unwrap_or(u64::MAX).saturating_mul(2);
        self.used.min(most.max(1))
    }

    /// Whether what was counted alone is still to be made known to those who came.
    pub(super) fn owes(&self, arrivals: u64) -> bool {
        self.made_known != arrivals
    }

    /// What came of asking for `wanted`.
    pub(super) fn taken(&mut self, taken: Taken, (pace, wanted): (Pace, u64), arrivals: u64, now: i64) {
        let keeps = pace.keeps();
        (self.used, self.taken_at, self.asking, self.made_known) = (0, now, false, arrivals);
        self.next = taken.next;
        if taken.granted < wanted {
            // Somebody may give some back before.
            self.refused_until = taken.next.min(now.saturating_add(keeps));
        }
        if taken.granted > 0 {
            let until = now.saturating_add(keeps);
            self.batches.push_back(Batch { left: taken.granted, taken_at: now, until });
        }
        self.had = self.batches.iter().filter(|batch| batch.until > now).map(|batch| batch.left).sum();
    }

    /// Nothing can be asked until this moment.
    pub(super) fn refused(&mut self, until: i64) {
        (self.refused_until, self.next, self.asking) = (until, until, false);
    }

    /// What is given back of what was kept for long enough, in nanoseconds.
    pub(super) fn over(&mut self, pace: Pace, now: i64) -> i64 {
        let mut refund = 0;
        while let Some(batch) = self.batches.front().filter(|batch| batch.until <= now) {
            refund += pace.refund(batch.left, batch.taken_at, now);
            self.batches.pop_front();
        }
        refund
    }

    /// Whether nothing is known here that matters.
    pub(super) fn is_over(&self, now: i64) -> bool {
        self.batches.is_empty() && self.refused_until <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const PACE: Pace = Pace { interval: SECOND, ahead: 60 * SECOND };
    const NOW: i64 = 1_000 * SECOND;

    fn given(share: &mut Share, now: i64) -> Option<bool> {
        match share.spend(now) {
            Spent::Given { take_ahead, .. } => Some(take_ahead),
            Spent::Wait(_) | Spent::Short => None,
        }
    }

    #[test]
    fn no_more_is_given_out_than_was_taken_and_not_for_longer() {
        let mut share = Share::default();
        assert!(matches!(share.spend(NOW), Spent::Short));
        share.taken(PACE.take(0, 2, NOW), (PACE, 2), 1, NOW);
        assert!(given(&mut share, NOW).is_some() && given(&mut share, NOW).is_some());
        assert!(matches!(share.spend(NOW), Spent::Short));
        share.taken(PACE.take(0, 3, NOW), (PACE, 3), 1, NOW);
        let late = NOW + PACE.keeps();
        assert!(given(&mut share, late - 1).is_some());
        assert!(given(&mut share, late).is_none(), "what is kept for too long is given back");
        // Two are left, of which two seconds were paid for meanwhile.
        assert_eq!(share.over(PACE, late), 0);
        assert!(share.is_over(late));
    }

    #[test]
    fn whoever_was_refused_asks_again_when_something_may_have_been_given_back() {
        let mut share = Share::default();
        let nothing = Taken { granted: 0, paid: NOW + PACE.ahead, next: NOW + 30 * SECOND };
        share.taken(nothing, (PACE, 1), 1, NOW);
        assert!(matches!(share.spend(NOW), Spent::Wait(next) if next == nothing.next));
        assert!(matches!(share.spend(NOW + PACE.keeps()), Spent::Short));
        share.refused(NOW + 9 * SECOND);
        assert!(matches!(share.spend(NOW + 8 * SECOND), Spent::Wait(_)));
    }

    #[test]
    fn much_is_taken_ahead_and_a_share_is_left_to_others() {
        let mut share = Share::default();
        share.taken(PACE.take(0, 8, NOW), (PACE, 8), 1, NOW);
        let ahead: Vec<bool> = (0..8).filter_map(|_| given(&mut share, NOW)).collect();
        assert_eq!(ahead.iter().filter(|ahead| **ahead).count(), 1, "it is asked for once");
        assert_eq!(share.demand(PACE, 2, NOW), 8);
        assert_eq!(share.demand(PACE, 10, NOW), 3);
        assert_eq!(share.demand(PACE, 2, NOW + 2 * PACE.keeps()), 0, "nobody needed it lately");
    }

    #[test]
    fn what_is_not_needed_is_there_again() {
        let mut share = Share::default();
        share.taken(PACE.take(0, 1, NOW), (PACE, 1), 1, NOW);
        let Spent::Given { batch, .. } = share.spend(NOW) else { panic!("it was taken") };
        share.take_back(batch);
        assert!(given(&mut share, NOW).is_some());
    }
}
