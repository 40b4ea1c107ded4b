//! What the server is when it has too much to do, or has had much to do for long. These have a verdict: a target that is
//! missed is an error, so that `cargo xtask test --full` can ask.

mod churn;
mod overload;
mod soak;
mod watch;

use crate::failure::Failure;
use crate::load::Plan;
use crate::scene::machine::Machine;
use crate::target::hint;

pub(crate) use overload::{Options as OverloadOptions, run as overload};
pub(crate) use soak::{Options as SoakOptions, run as soak};

/// How many call at once when capacity is measured.
const CONCURRENCY: usize = 64;

/// How many calls a second the server can serve, now and here.
fn capacity(machine: &Machine, plan: Plan) -> Result<f64, Failure> {
    let measured = machine.load(&Plan { concurrency: CONCURRENCY, ..plan })?;
    if let Some(error) = measured.first_error {
        return Err(Failure::new(format!("there were wrong answers when capacity was measured: {error}")));
    }
    hint(&format!("capacity: {:.0} calls a second", measured.per_second));
    Ok(measured.per_second)
}
