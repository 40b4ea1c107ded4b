//! This server as one of those that share its database: its lease, what it confirms, and what becomes of those who are gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use control::ControlPlane;
use store::{Beat, Replica};
use telemetry::{Family, Kind, Namespace};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::terminal::Failure;

/// How soon it is tried again what did not succeed.
const PAUSE: Duration = Duration::from_millis(50);
/// How often it is looked for background work that nobody does.
const LOOK: Duration = Duration::from_secs(60);

/// The tasks of a replica, until it leaves.
pub(crate) struct Membership {
    replica: Arc<Replica>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    lost: watch::Receiver<bool>,
}

impl Membership {
    /// Gets the first lease, for what is served up to `in_force`, and keeps it from then on.
    pub(crate) async fn begin(
        replica: Arc<Replica>,
        control: ControlPlane,
        in_force: watch::Receiver<i64>,
        runtime: &Handle,
    ) -> Result<Self, Failure> {
        let mut reached = in_force.clone();
        loop {
            let confirmed = *reached.borrow_and_update();
            match replica.beat(confirmed).await? {
                Beat::Current { .. } => break,
                Beat::Behind => {
                    let _ = tokio::time::timeout(PAUSE, reached.changed()).await;
                }
                Beat::Lost => return Err(lost_history()),
            }
        }
        let (tell_lost, lost) = watch::channel(false);
        let (listening, asking) = (Arc::clone(&replica), Arc::clone(&replica));
        let tasks = vec![
            runtime.spawn(async move { listening.listen().await }),
            runtime.spawn(async move { asking.ask_for_ever().await }),
            runtime.spawn(confirm(Arc::clone(&replica), in_force.clone())),
            runtime.spawn(beat(Arc::clone(&replica), control, in_force, tell_lost)),
        ];
        Ok(Self { replica, tasks: Mutex::new(tasks), lost })
    }

    /// Waits until the database turns out to have lost what this replica has served.
    pub(crate) async fn lost(&self) -> Failure {
        if self.lost.clone().wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
        lost_history()
    }

    /// Ends the tasks and gives the lease back.
    pub(crate) async fn leave(&self) {
        // Each is waited for: a beat that is under way could take the lease again.
        for task in self.tasks.lock().await.drain(..) {
            task.abort();
            let _ = task.await;
        }
        self.replica.leave().await;
    }
}

fn lost_history() -> Failure {
    Failure::new(
        "the database lost changes that this replica has served, as after a failover to a standby that was behind\n\
         Start the server again: it reads everything anew. Synchronous replication keeps this from happening",
    )
}

/// Renews the lease for ever.
async fn beat(
    replica: Arc<Replica>,
    control: ControlPlane,
    mut in_force: watch::Receiver<i64>,
    lost: watch::Sender<bool>,
) {
    let (mut was_out, mut looked) = (false, Instant::now());
    loop {
        let confirmed = *in_force.borrow_and_update();
        let pause = match replica.beat(confirmed).await {
            Ok(Beat::Current { left }) => {
                if left || was_out || looked.elapsed() >= LOOK {
                    (was_out, looked) = (false, Instant::now());
                    tokio::spawn(resume(control.clone()));
                }
                replica.interval()
            }
            Ok(Beat::Behind) => {
                was_out = true;
                // At once, because others may go on changing things: there may be no better moment.
                let _ = tokio::time::timeout(replica.interval(), in_force.changed()).await;
                Duration::ZERO
            }
            Ok(Beat::Lost) => {
                lost.send_replace(true);
                return;
            }
            Err(_) => {
                was_out = true;
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Takes up what nobody does any more. The lease does not wait for it.
async fn resume(control: ControlPlane) {
    if let Err(error) = control.resume().await {
        tracing::warn!(%error, "What was left half done is not taken up now.");
    }
}

/// Confirms what is served, as soon as it is.
async fn confirm(replica: Arc<Replica>, mut in_force: watch::Receiver<i64>) {
    while in_force.changed().await.is_ok() {
        let reached = *in_force.borrow_and_update();
        if let Err(error) = replica.confirm(reached).await {
            tracing::debug!(%error, "It is not confirmed what is served; the next beat says it.");
        }
    }
}

/// Whether this replica is current, and reaches its database.
pub(crate) fn numbers(standing: &store::Standing) -> [Family; 2] {
    let family =
        |name, help, is_so| Family::of_one(Namespace::Server, name, help, Kind::Gauge, u64::from(is_so));
    [
        family("current", "Whether the lease of this replica runs, so that it serves", standing.is_current()),
        family(
            "database_reachable",
            "Whether the database was reached when last tried",
            !standing.is_cut_off(),
        ),
    ]
}
