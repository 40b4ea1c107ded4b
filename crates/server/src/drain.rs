//! How the server ends: in phases, of which everybody who serves is told.

use std::time::Duration;

use tokio::sync::watch;

use crate::configuration::Drain;

/// How long streams have to end, and answers that are late to be broken off.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How far the end is. A later phase is larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves.
    #[default]
    Serving,
    /// It says that it is not ready any more, and serves all the same: balancers have not heard it yet. Clients are
    /// asked not to keep their connections.
    Leaving,
    /// Nobody is let in; requests under way are finished.
    Closing,
    /// Streams are ended; what else is under way is late.
    Ending,
    /// What is still open is dropped.
    Over,
}

/// Goes through the phases. It never returns: the server ends before, or is told to be over.
pub(crate) async fn lead(phases: &watch::Sender<Phase>, drain: Drain) {
    phases.send_replace(Phase::Leaving);
    tokio::time::sleep(drain.delay).await;
    phases.send_replace(Phase::Closing);
    tokio::time::sleep(drain.timeout).await;
    phases.send_replace(Phase::Ending);
    tokio::time::sleep(LAST_WORDS).await;
    phases.send_replace(Phase::Over);
    std::future::pending::<()>().await;
}

/// Waits for a phase, or a later one.
pub(crate) async fn reached(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    if phases.wait_for(|it| *it >= phase).await.is_err() {
        // Whoever leads is gone, and with them the end.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[tokio::test]
    async fn phases_come_in_their_time() {
        let (phases, mut told) = watch::channel(Phase::default());
        let began = Instant::now();
        let drain = Drain { delay: Duration::from_millis(60), timeout: Duration::from_millis(90) };
        let leader = tokio::spawn(async move { lead(&phases, drain).await });
        for (phase, millis) in [(Phase::Leaving, 0), (Phase::Closing, 60), (Phase::Ending, 150)] {
            reached(&mut told, phase).await;
            assert_eq!(*told.borrow(), phase);
            assert!(began.elapsed() >= Duration::from_millis(millis));
        }
        leader.abort();
    }
}
