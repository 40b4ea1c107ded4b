//! Overload: ten times what can be served is offered for a while, between two times of half of it.
//!
//! Wanted: memory is bounded and does not grow while it lasts; every call is answered, rightly or by 429 or 503, and a
//! refusal is fast; and when it is over, all is as before within five seconds.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::capacity;
use super::watch::{Sight, Watch};
use crate::failure::Failure;
use crate::load::{Paced, Plan, Slot, Stretch};
use crate::process::most_descriptors;
use crate::runtime;
use crate::scene::Places;
use crate::scene::machine::{Core, Machine, Server};
use crate::scene::stage::{self, GUARDED};
use crate::target::{Target, demand, hint, tell};

/// How many times capacity is offered.
const TIMES: f64 = 10.0;
/// What part of capacity is offered before and after.
const PART: f64 = 0.5;
/// How long that is, in seconds.
const BEFORE: f64 = 5.0;
const AFTER: f64 = 10.0;
/// How long a slot of time is.
const SLOT_MS: u64 = 500;
/// How long a call waits for one of the connections before it is given up.
const PATIENCE_MS: u64 = 5;
/// How much memory may be taken more than before, in MiB, and how much more of it in the second half than in the first.
const MEMORY: [f64; 2] = [256.0, 16.0];
/// How long 99 of 100 refusals may take, in milliseconds.
const REFUSAL_MS: f64 = 500.0;
/// Within how many seconds all must be as before.
const RECOVERY: f64 = 5.0;
/// As before: half of the calls within so many times the time, and so many microseconds.
const AS_BEFORE: [f64; 2] = [2.0, 2_000.0];

#[derive(Args)]
pub(crate) struct Options {
    /// How long too much is offered
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    seconds: f64,
    /// From how many connections
    #[arg(long, default_value_t = 2_000, value_name = "NUMBER")]
    connections: usize,
    /// More tables of the server's configuration file
    #[arg(long, default_value = "", value_name = "TOML")]
    settings: String,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let needed = 2 * options.connections + 200;
    if most_descriptors() < needed {
        return Err(Failure::new(format!("raise the limit of open files first: `ulimit -n {needed}`")));
    }
    let machine = Machine::find(options.places.server.clone())?;
    hint(machine.placement());
    let upstream = machine.start_part(Core::Others, &["upstream"])?;
    // All clients come from one address here; one peer must not be what is refused.
    let settings = if options.settings.is_empty() {
        "[limits]\nconnections-per-peer = 10000\n".to_owned()
    } else {
        options.settings.clone()
    };
    let wanted = Server { name: "overload", settings: &settings, ..Server::default() };
    let server = machine.start_server(&wanted)?;
    let setting = stage::set_up(&machine, (wanted.name, &server), &upstream.address, &[GUARDED], &|_| ());
    let stage = runtime()?.block_on(setting)?;
    let plan = stage.plan(GUARDED, &server, options.connections)?;
    let capacity = capacity(&machine, plan.clone())?;
    let phase = |part: f64, seconds| Stretch { per_second: part * capacity, seconds };
    let phases = vec![phase(PART, BEFORE), phase(TIMES, options.seconds), phase(PART, AFTER)];
    hint(&format!("{:.0} calls a second are offered for {:.0} s", TIMES * capacity, options.seconds));
    let watch = Watch::begin(server.pid());
    let slots = machine.load_paced(&Paced {
        plan: Plan { concurrency: options.connections, ..plan },
        phases,
        slot_ms: SLOT_MS,
        patience_ms: Some(PATIENCE_MS),
    });
    let sights = watch.end()?;
    let told = Told::of(&slots?, &sights, options.seconds);
    let table = told.table(capacity);
    let targets = told.targets();
    let figures = json!({ "capacity": capacity, "connections": options.connections, "seconds": options.seconds, "told": told });
    tell((&options.places.results, "overload"), &table, &figures, &targets)?;
    demand(&targets)
}

/// What came of it.
#[derive(Serialize)]
struct Told {
    before: Part,
    over: Part,
    after: Part,
    /// Memory before, at most in the first half, at most in the second, and at the end, in MiB.
    memory: [f64; 4],
    /// After how many seconds all was as before, if it was at all.
    recovered: Option<f64>,
}

/// What came back in one of the three times.
#[derive(Default, Serialize)]
struct Part {
    seconds: f64,
    answers: u64,
    refused: u64,
    unsent: u64,
    errors: u64,
    first_error: Option<String>,
    /// The median slot's, and the worst one's.
    p50_us: f64,
    p99_us: f64,
    refused_p50_us: f64,
    refused_p99_us: f64,
}

impl Part {
    fn of(slots: &[Slot]) -> Self {
        let sum = |of: fn(&Slot) -> u64| slots.iter().map(of).sum();
        let worst = |of: fn(&Slot) -> f64| slots.iter().map(of).fold(0.0, f64::max);
        Self {
            seconds: slots.len() as f64 * SLOT_MS as f64 / 1e3,
            answers: sum(|slot| slot.answers),
            refused: sum(|slot| slot.refused),
            unsent: sum(|slot| slot.unsent),
            errors: sum(|slot| slot.errors),
            first_error: slots.iter().find_map(|slot| slot.first_error.clone()),
            p50_us: middle(slots, |slot| slot.p50_us),
            p99_us: worst(|slot| slot.p99_us),
            refused_p50_us: middle(slots, |slot| slot.refused_p50_us),
            refused_p99_us: worst(|slot| slot.refused_p99_us),
        }
    }
}

fn middle(slots: &[Slot], of: fn(&Slot) -> f64) -> f64 {
    let mut figures: Vec<f64> = slots.iter().map(of).filter(|figure| *figure > 0.0).collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

impl Told {
    fn of(slots: &[Slot], sights: &[Sight], seconds: f64) -> Self {
        let slot = |seconds: f64| (seconds * 1e3 / SLOT_MS as f64) as usize;
        let (begin, end) = (slot(BEFORE), slot(BEFORE + seconds));
        let part = |from: usize, to: usize| {
            slots.get(from.min(slots.len())..to.min(slots.len())).unwrap_or_default()
        };
        // The first slot has the connections' beginnings in it.
        let before = Part::of(part(2, begin));
        let after = part(end, slot(BEFORE + seconds + AFTER));
        let is_as_before = |slot: &Slot| {
            let [times, more] = AS_BEFORE;
            slot.refused == 0 && slot.errors == 0 && slot.p50_us <= before.p50_us * times + more
        };
        let late = after.iter().rposition(|slot| !is_as_before(slot)).map_or(0, |at| at + 1);
        let recovered = (late < after.len()).then(|| late as f64 * SLOT_MS as f64 / 1e3);
        let most = |from: f64, to: f64| {
            let within = sights.iter().filter(|sight| (from..to).contains(&sight.seconds));
            within.map(|sight| sight.resident_mib).fold(0.0, f64::max)
        };
        let half = BEFORE + seconds / 2.0;
        let memory = [
            most(0.0, BEFORE),
            most(BEFORE, half),
            most(half, BEFORE + seconds),
            sights.last().map_or(0.0, |sight| sight.resident_mib),
        ];
        Self { over: Part::of(part(begin, end)), after: Part::of(after), before, memory, recovered }
    }

    fn table(&self, capacity: f64) -> String {
        let mut text = format!(
            "Capacity {capacity:.0} calls/s.\n\n\
             | when | answered/s | refused/s | not sent/s | neither | p50 ms | worst p99 ms | refusals: p50 ms | worst p99 ms |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        );
        for (name, part) in
            [("half of it", &self.before), ("ten times", &self.over), ("half again", &self.after)]
        {
            let rate = |count: u64| count as f64 / part.seconds.max(f64::EPSILON);
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "| {name} | {:.0} | {:.0} | {:.0} | {} | {:.2} | {:.1} | {:.2} | {:.1} |",
                rate(part.answers),
                rate(part.refused),
                rate(part.unsent),
                part.errors,
                part.p50_us / 1e3,
                part.p99_us / 1e3,
                part.refused_p50_us / 1e3,
                part.refused_p99_us / 1e3,
            );
        }
        let [before, first, second, end] = self.memory;
        let _ = writeln!(
            text,
            "\nMemory: {before:.1} MiB before, at most {first:.1} in the first half, {second:.1} in the second, {end:.1} at the end."
        );
        text
    }

    fn targets(&self) -> Vec<Target> {
        let [before, first, second, _] = self.memory;
        let [more, growth] = MEMORY;
        let errors = self.before.errors + self.over.errors + self.after.errors;
        let parts = [&self.before, &self.over, &self.after];
        let error = parts.iter().find_map(|part| part.first_error.clone());
        let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
        let most = first.max(second) - before;
        let refusals = self.over.refused_p99_us / 1e3;
        let recovered = self.recovered.map_or("never".to_owned(), |seconds| format!("after {seconds:.1} s"));
        vec![
            Target::new(
                self.over.refused > 0 || self.over.unsent > 0,
                "more was offered than could be served",
            ),
            Target::new(
                errors == 0,
                format!("{errors} calls got neither their answer nor 429 or 503{error} (target 0)"),
            ),
            Target::new(most <= more, format!("{most:.1} MiB more memory than before (target {more:.0})")),
            Target::new(
                second <= first + growth,
                format!("{:+.1} MiB in the second half (target {growth:+.0})", second - first),
            ),
            Target::new(
                refusals <= REFUSAL_MS,
                format!(
                    "99 of 100 refusals within {refusals:.1} ms in the worst half second (target {REFUSAL_MS:.0})"
                ),
            ),
            Target::new(
                self.recovered.is_some_and(|seconds| seconds <= RECOVERY),
                format!("as before {recovered} (target {RECOVERY:.0} s)"),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(parts: &[(usize, f64, u64)]) -> Vec<Slot> {
        let slot = |p50_us, refused| Slot { answers: 100, p50_us, refused, ..Slot::default() };
        parts
            .iter()
            .flat_map(|(count, p50, refused)| (0..*count).map(move |_| slot(*p50, *refused)))
            .collect()
    }

    #[test]
    fn recovery_is_counted_from_the_end_of_too_much() {
        let told = |after: &[(usize, f64, u64)]| {
            let mut parts = vec![(10, 1_000.0, 0), (4, 90_000.0, 900)];
            parts.extend_from_slice(after);
            Told::of(&slots(&parts), &[], 2.0)
        };
        assert_eq!(told(&[(20, 1_100.0, 0)]).recovered, Some(0.0));
        assert_eq!(told(&[(3, 90_000.0, 0), (17, 1_100.0, 0)]).recovered, Some(1.5));
        assert_eq!(told(&[(10, 1_100.0, 0), (1, 1_100.0, 7), (9, 1_100.0, 0)]).recovered, Some(5.5));
        assert_eq!(told(&[(20, 90_000.0, 0)]).recovered, None);
        assert_eq!(told(&[(20, 1_100.0, 0)]).over.refused, 3_600);
    }

    #[test]
    fn memory_that_grows_is_seen() {
        let sight = |seconds: f64, resident_mib| Sight { seconds, resident_mib, descriptors: 9 };
        let sights =
            [sight(1.0, 30.0), sight(BEFORE + 1.0, 90.0), sight(BEFORE + 3.0, 130.0), sight(12.0, 80.0)];
        let told = Told::of(&slots(&[(38, 1_000.0, 1)]), &sights, 4.0);
        assert_eq!(told.memory, [30.0, 90.0, 130.0, 80.0]);
        assert!(demand(&told.targets()).unwrap_err().to_string().contains("+40.0 MiB in the second half"));
    }
}
