//! A soak: seventy of a hundred calls that the server can serve, for long, while gateways, policies and tokens come and go.
//!
//! Wanted: in the last fifth of the time it needs the memory, the time and the descriptors that it needed in the first.
//! Before the first, it is warmed up, so that what is kept once and for all is there.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::capacity;
use super::churn::churn;
use super::watch::{Sight, Watch};
use crate::failure::Failure;
use crate::load::{Paced, Plan, Slot, Stretch};
use crate::runtime;
use crate::scene::Places;
use crate::scene::aws::Aws;
use crate::scene::machine::{Core, Machine, Server};
use crate::scene::stage::{self, GUARDED};
use crate::target::{Target, demand, hint, tell};

/// What part of capacity is called.
const PART: f64 = 0.7;
/// What part of the time warms up, and the most seconds of it.
const WARM_UP: [f64; 2] = [0.2, 60.0];
/// How many connections there are: fewer than what a thread takes on in any case, so that a machine that stands still for a
/// moment makes calls late, and none refused.
const CONNECTIONS: usize = 128;
/// How long a slot of time is.
const SLOT_MS: u64 = 500;
/// How many parts the time has.
const PARTS: usize = 5;
/// Memory of the last part: so many times that of the first, and so many MiB.
const MEMORY: [f64; 2] = [1.10, 8.0];
/// Its median time of a call: so many times that of the first, and so many microseconds.
const LATENCY: [f64; 2] = [1.25, 200.0];
/// How many descriptors more it may have.
const DESCRIPTORS: usize = 8;

#[derive(Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value_t = 5.0, value_name = "MINUTES")]
    minutes: f64,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let machine = Machine::find(options.places.server.clone())?;
    hint(machine.placement());
    let upstream = machine.start_part(Core::Others, &["upstream"])?;
    let wanted = Server { name: "soak", ..Server::default() };
    let server = machine.start_server(&wanted)?;
    let setting = stage::set_up(&machine, (wanted.name, &server), &upstream.address, &[GUARDED], &|_| ());
    let stage = runtime()?.block_on(setting)?;
    let plan = stage.plan(GUARDED, &server, CONNECTIONS)?;

    let seconds = options.minutes * 60.0;
    let [part, most] = WARM_UP;
    let warm_up = (seconds * part).min(most);
    let aws = Aws::new(&server.address, machine.credentials(wanted.name)?)?;
    let over = AtomicBool::new(false);
    let (soaked, rounds) = std::thread::scope(|scope| {
        let loading = scope.spawn(|| {
            let soaked = soak(&machine, server.pid(), plan, warm_up + seconds);
            over.store(true, Ordering::Relaxed);
            soaked
        });
        let rounds = runtime()?.block_on(churn(&aws, &stage, &over));
        let soaked = loading.join().map_err(|_| Failure::new("the load broke"))??;
        Ok::<_, Failure>((soaked, rounds?))
    })?;
    let Soaked { capacity, slots, sights } = soaked;
    let fifths = fifths(&slots, &sights, warm_up, seconds);
    let targets = targets(&fifths, &slots, rounds);
    let figures = json!({
        "capacity": capacity, "per_second": PART * capacity, "minutes": options.minutes, "rounds": rounds, "fifths": fifths });
    tell((&options.places.results, "soak"), &table(&fifths, capacity, rounds), &figures, &targets)?;
    demand(&targets)
}

/// What a soak saw.
struct Soaked {
    /// Calls a second that could be served, beside the changes.
    capacity: f64,
    slots: Vec<Slot>,
    sights: Vec<Sight>,
}

/// Calls while others change things: that takes from what can be served, so it is measured beside them as well.
fn soak(machine: &Machine, server: u32, plan: Plan, seconds: f64) -> Result<Soaked, Failure> {
    let capacity = capacity(machine, plan.clone())?;
    let per_second = PART * capacity;
    hint(&format!("{per_second:.0} calls a second for {seconds:.0} s, the first of them to warm up"));
    let phases = vec![Stretch { per_second, seconds }];
    let paced = Paced { plan, phases, slot_ms: SLOT_MS, patience_ms: None };
    let watch = Watch::begin(server);
    let slots = machine.load_paced(&paced)?;
    Ok(Soaked { capacity, slots, sights: watch.end()? })
}

/// A fifth of the time.
#[derive(Debug, Default, Serialize)]
struct Fifth {
    answers: u64,
    /// The median of its slots' medians, and of their 99th percentiles.
    p50_us: f64,
    p99_us: f64,
    /// The median of what was seen.
    resident_mib: f64,
    /// The most of what was seen.
    descriptors: usize,
}

fn fifths(slots: &[Slot], sights: &[Sight], warm_up: f64, seconds: f64) -> Vec<Fifth> {
    let part = |number: usize| {
        let (from, to) = (
            warm_up + seconds * number as f64 / PARTS as f64,
            warm_up + seconds * (number + 1) as f64 / PARTS as f64,
        );
        let at = |number: usize| number as f64 * SLOT_MS as f64 / 1e3;
        let slots: Vec<_> =
            slots.iter().enumerate().filter(|(number, _)| (from..to).contains(&at(*number))).collect();
        let sights: Vec<_> = sights.iter().filter(|sight| (from..to).contains(&sight.seconds)).collect();
        Fifth {
            answers: slots.iter().map(|(_, slot)| slot.answers).sum(),
            p50_us: middle(slots.iter().map(|(_, slot)| slot.p50_us)),
            p99_us: middle(slots.iter().map(|(_, slot)| slot.p99_us)),
            resident_mib: middle(sights.iter().map(|sight| sight.resident_mib)),
            descriptors: sights.iter().map(|sight| sight.descriptors).max().unwrap_or_default(),
        }
    };
    (0..PARTS).map(part).collect()
}

fn middle(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn table(fifths: &[Fifth], capacity: f64, rounds: u64) -> String {
    let mut text = format!(
        "Capacity {capacity:.0} calls/s, of which {:.0} of 100 were called; gateways, policies and tokens came and went {rounds} times.\n\n\
         | fifth | answered | p50 µs | p99 µs | MiB | descriptors |\n|---:|---:|---:|---:|---:|---:|\n",
        PART * 100.0
    );
    for (number, fifth) in fifths.iter().enumerate() {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {:.0} | {:.1} | {} |",
            number + 1,
            fifth.answers,
            fifth.p50_us,
            fifth.p99_us,
            fifth.resident_mib,
            fifth.descriptors
        );
    }
    text
}

fn targets(fifths: &[Fifth], slots: &[Slot], rounds: u64) -> Vec<Target> {
    let wrong: u64 = slots.iter().map(|slot| slot.errors + slot.refused).sum();
    let error = slots.iter().find_map(|slot| slot.first_error.clone());
    let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
    let mut targets = vec![
        Target::new(wrong == 0, format!("{wrong} calls were refused or answered wrongly{error} (target 0)")),
        Target::new(rounds > 0, format!("{rounds} rounds of changes, each seen to be in force")),
    ];
    let (Some(first), Some(last)) = (fifths.first(), fifths.last()) else { return targets };
    let bound = |figure: f64, [times, more]: [f64; 2]| figure * times + more;
    let memory = bound(first.resident_mib, MEMORY);
    let latency = bound(first.p50_us, LATENCY);
    let descriptors = first.descriptors + DESCRIPTORS;
    targets.extend([
        Target::new(
            last.resident_mib <= memory,
            format!(
                "memory: {:.1} MiB, and {:.1} in the last fifth (target {memory:.1})",
                first.resident_mib, last.resident_mib
            ),
        ),
        Target::new(
            last.p50_us <= latency,
            format!(
                "p50: {:.0} µs, and {:.0} in the last fifth (target {latency:.0})",
                first.p50_us, last.p50_us
            ),
        ),
        Target::new(
            last.descriptors <= descriptors,
            format!(
                "descriptors: {}, and {} in the last fifth (target {descriptors})",
                first.descriptors, last.descriptors
            ),
        ),
    ]);
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fifth(p50_us: f64, resident_mib: f64, descriptors: usize) -> Fifth {
        Fifth { answers: 100, p50_us, p99_us: 9_000.0, resident_mib, descriptors }
    }

    #[test]
    fn what_grows_is_seen() {
        let told = |last| demand(&targets(&[fifth(1_000.0, 50.0, 300), last], &[Slot::default()], 7));
        assert!(told(fifth(1_200.0, 60.0, 305)).is_ok());
        let missed = |last| told(last).unwrap_err().to_string();
        assert!(missed(fifth(1_200.0, 70.0, 305)).starts_with("memory"));
        assert!(missed(fifth(1_600.0, 60.0, 305)).starts_with("p50"));
        assert!(missed(fifth(1_200.0, 60.0, 330)).starts_with("descriptors"));
    }

    #[test]
    fn the_warm_up_is_in_no_fifth() {
        let slot = |answers| Slot { answers, ..Slot::default() };
        let slots: Vec<_> = (0..4).map(|_| slot(1_000)).chain((0..10).map(|_| slot(1))).collect();
        let fifths = fifths(&slots, &[], 2.0, 5.0);
        assert_eq!(fifths.iter().map(|fifth| fifth.answers).collect::<Vec<_>>(), [2, 2, 2, 2, 2]);
    }
}
