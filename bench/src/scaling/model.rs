//! How many calls a second so many replicas serve, by what one was measured to take.
//!
//! Nothing is asked of anybody else on the way of a call, so replicas add up until something that they share is full:
//! PostgreSQL's turn among those who write (each call leaves an event, each replica renews its lease and asks for
//! changes), its processors, or, where all stand on one machine, that machine's.

use std::fmt::Write as _;

use serde::Serialize;

use super::measured::Served;
use super::trail::Trail;

/// How long an event waits for others of its replica before they are written (`store::AuditLog`), in seconds, and how many
/// are written at most at once.
const GATHER: f64 = 0.05;
const LARGEST: f64 = 1_024.0;
/// How often a replica comes to the database whatever is called: it renews its lease four times in five seconds, and asks
/// for changes twice a second.
const BEATS: f64 = 4.0 / 5.0 + 2.0;

#[derive(Debug, Serialize)]
pub(super) struct Model {
    cores: f64,
    /// What a replica serves that has a core.
    one: f64,
    /// Microseconds of processor that a call takes of everybody on one machine.
    together_us: f64,
    /// Of PostgreSQL alone; not known where its processes were not found.
    database_us: f64,
    turn_us: f64,
    event_us: f64,
}

/// What bounds replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Replicas,
    Turn,
    Database,
}

impl Bound {
    fn name(self) -> &'static str {
        match self {
            Self::Replicas => "the replicas",
            Self::Turn => "the turn among those who write",
            Self::Database => "a core of PostgreSQL's",
        }
    }
}

impl Model {
    pub(super) fn of(alone: &Served, trail: &Trail, cores: usize) -> Self {
        let together = alone.replica_us + alone.database_us + alone.upstream_us + alone.load_us;
        Self {
            cores: cores as f64,
            one: alone.per_second,
            together_us: together,
            database_us: alone.database_us,
            turn_us: trail.turn_us,
            event_us: trail.event_us,
        }
    }

    /// What so many serve that share this machine with everybody else.
    pub(super) fn here(&self, replicas: usize) -> f64 {
        self.here_but_for(replicas, 0.0)
    }

    /// The same, if so many of its cores have nothing to do all the same, for whatever reason: whether a call costs of many
    /// replicas what it costs of one, and not how full they make the machine.
    pub(super) fn here_but_for(&self, replicas: usize, idle_cores: f64) -> f64 {
        let machine = (self.cores - idle_cores).max(0.0) * 1e6 / self.together_us;
        (replicas as f64 * self.one).min(machine).min(self.turn(replicas))
    }

    /// What so many serve that have a core each, with a PostgreSQL whose backends have one, and what bounds them.
    fn apart(&self, replicas: usize) -> (f64, Bound) {
        let mut least = (replicas as f64 * self.one, Bound::Replicas);
        for (bound, most) in [(Bound::Turn, self.turn(replicas)), (Bound::Database, self.database())] {
            if most < least.0 {
                least = (most, bound);
            }
        }
        least
    }

    /// What PostgreSQL's turn allows: each takes one for a batch, which holds what its replica served meanwhile.
    fn turn(&self, replicas: usize) -> f64 {
        let replicas = replicas as f64;
        let free = (1.0 - replicas * BEATS * self.turn_us / 1e6).max(0.0);
        // A full turn makes batches grow, up to the largest: that is what it can do at most.
        let batch = (self.one * GATHER).clamp(1.0, LARGEST);
        let relaxed = free * 1e6 / (self.event_us + self.turn_us / batch);
        let most = free * 1e6 / (self.event_us + self.turn_us / LARGEST);
        if relaxed >= replicas * self.one { relaxed } else { most }
    }

    fn database(&self) -> f64 {
        if self.database_us > 0.0 { 1e6 / self.database_us } else { f64::INFINITY }
    }

    pub(super) fn told(&self, numbers: &[usize]) -> String {
        let mut text = String::from(
            "Replicas with a core each, upstreams that keep up, by the model:\n\n\
             | replicas | calls/s | times one | bounded by |\n|---:|---:|---:|---|\n",
        );
        for replicas in numbers {
            let (calls, bound) = self.apart(*replicas);
            // Writing into a string cannot fail.
            let _ =
                writeln!(text, "| {replicas} | {calls:.0} | {:.1} | {} |", calls / self.one, bound.name());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model {
            cores: 2.0,
            one: 10_000.0,
            together_us: 125.0,
            database_us: 10.0,
            turn_us: 1_000.0,
            event_us: 20.0,
        }
    }

    #[test]
    fn one_machine_is_full_when_everybody_together_fills_it() {
        assert!((model().here(1) - 10_000.0).abs() < 1.0);
        assert!((model().here(2) - 16_000.0).abs() < 1.0);
        assert!((model().here_but_for(2, 0.5) - 12_000.0).abs() < 1.0);
    }

    #[test]
    fn replicas_add_up_until_what_they_share_is_full() {
        assert_eq!(model().apart(2), (20_000.0, Bound::Replicas));
        let (calls, bound) = model().apart(8);
        assert!(bound == Bound::Turn && calls > 40_000.0 && calls < 50_000.0, "{calls} {bound:?}");
        let quick = Model { turn_us: 10.0, event_us: 1.0, ..model() };
        assert_eq!(quick.apart(32), (100_000.0, Bound::Database));
        // Leases are renewed whatever is called.
        assert!(model().turn(64) < model().turn(8));
    }
}
