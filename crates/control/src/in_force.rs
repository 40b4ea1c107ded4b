//! An answer does not run ahead of what it says: whoever was told that a tool is there, or that a permission is gone, finds
//! it so, at whatever replica.

use std::time::Duration;

use aws::Fault;

use crate::Setup;
use crate::fault::Failure;

/// How long an answer waits for the data plane of this process.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until everything that was written before is served, here and by every other replica that has a lease.
///
/// # Errors
/// ServiceUnavailableException when that is not known: then it may be so, or not.
pub(crate) async fn until(setup: &Setup) -> Result<(), Failure> {
    let mut written = *setup.store.changed().borrow();
    if let Some(replica) = &setup.replica {
        let last = replica.last_change().await.map_err(|error| unknown(written, &error))?;
        if last < written {
            return Err(unknown(written, &"the database does not have it any more"));
        }
        written = last;
    }
    let mut in_force = setup.in_force.clone();
    let waiting = in_force.wait_for(|reached| *reached >= written);
    if !matches!(tokio::time::timeout(PATIENCE, waiting).await, Ok(Ok(_))) {
        return Err(unknown(written, &"this replica has not caught up"));
    }
    match &setup.replica {
        Some(replica) => replica.until_confirmed(written).await.map_err(|error| unknown(written, &error)),
        None => Ok(()),
    }
}

fn unknown(written: i64, why: &dyn std::fmt::Display) -> Failure {
    tracing::warn!(change.seq = written, %why, "It is not known whether a change is in force everywhere.");
    let message = "What was asked may have been done, but it is not known to be in force on every replica. \
                   Read the resource, and try again, or ask another replica.";
    Fault::new("ServiceUnavailableException", message).with_status(503).into()
}
