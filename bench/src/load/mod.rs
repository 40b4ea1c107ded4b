//! The one who calls: a closed loop of kept connections on one thread, each of which sends its next request when it has
//! the answer to its last. Every answer is checked, and one that is wrong is counted as an error, not as an answer.
//!
//! Its own HTTP is written by hand, because it shares a core with the upstream and must not be what is measured. What
//! counts are the answers that come in while the window is open; the processor time of the process that is measured is
//! read at both of its ends.

mod connection;
mod histogram;
mod paced;
mod plan;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::failure::Failure;
use crate::process::resident_mib;
use crate::runtime;
pub(crate) use connection::Connection;
use histogram::Histogram;
pub(crate) use paced::{Paced, Slot, Stretch, run as run_paced};
use plan::Used;
pub(crate) use plan::{Measured, Plan};

/// Does what the plan on standard input says.
pub(crate) fn run() -> Result<(), Failure> {
    let plan: Plan = serde_json::from_reader(std::io::stdin())?;
    let measured = LocalSet::new().block_on(&runtime()?, drive(Rc::new(plan)))?;
    Ok(serde_json::to_writer(std::io::stdout(), &measured)?)
}

/// Where the run is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Warming,
    Measuring,
    Over,
}

/// What one connection saw while it was measured.
#[derive(Default)]
struct Tally {
    latencies: Histogram,
    errors: u64,
    first_error: Option<String>,
}

async fn drive(plan: Rc<Plan>) -> Result<Measured, Failure> {
    let phase = Rc::new(Cell::new(Phase::Warming));
    let callers: Vec<_> = (0..plan.concurrency)
        .map(|number| tokio::task::spawn_local(call(Rc::clone(&plan), number, Rc::clone(&phase))))
        .collect();
    tokio::time::sleep(Duration::from_millis(plan.warm_up_ms)).await;
    let (began, before) = (Instant::now(), Used::read(&plan)?);
    phase.set(Phase::Measuring);
    tokio::time::sleep(Duration::from_millis(plan.window_ms)).await;
    phase.set(Phase::Over);
    let (lasted, used) = (began.elapsed(), Used::read(&plan)?.since(&before));
    let resident = resident_mib(plan.watched);
    let mut all = Tally::default();
    for caller in callers {
        let tally = caller.await.map_err(|error| Failure::of("a caller broke", error))?;
        all.latencies.merge(&tally.latencies);
        all.errors += tally.errors;
        all.first_error = all.first_error.or(tally.first_error);
    }
    Ok(Measured::new(all, lasted, &used, resident))
}

/// One connection's calls.
async fn call(plan: Rc<Plan>, number: usize, phase: Rc<Cell<Phase>>) -> Tally {
    let mut tally = Tally::default();
    let mut ids = plan.ids(number);
    let mut connection = None;
    while phase.get() != Phase::Over {
        let sent = Instant::now();
        let outcome = exchange(&plan, &mut connection, ids.next().unwrap_or_default()).await;
        match outcome {
            Ok(()) if phase.get() == Phase::Measuring => tally.latencies.record(sent.elapsed()),
            Ok(()) => {}
            Err(error) => {
                tally.errors += 1;
                tally.first_error.get_or_insert(error);
                // Where something is wrong, it is wrong a thousand times a second.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    tally
}

async fn exchange(plan: &Plan, kept: &mut Option<Connection>, id: u64) -> Result<(), String> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(plan).await?,
    };
    let answer = connection.exchange(id).await?;
    plan.check(id, &answer)?;
    *kept = Some(connection);
    Ok(())
}
