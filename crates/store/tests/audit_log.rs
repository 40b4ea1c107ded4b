//! The data plane's way into the trail: an event that has its place keeps it, and none is lost that waits for room.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::{AccountId, AuditEvent, Region, Scope, SystemRandom, Timestamp};
use store::{AuditFilter, AuditLog, MasterKey, Store};
use tokio::runtime::Handle;

/// Longer than the log gathers events.
const A_MOMENT: Duration = Duration::from_millis(200);

fn event(action: &str) -> AuditEvent {
    let scope = Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() };
    AuditEvent::of_system(action, &scope, Timestamp::from_seconds(0), &SystemRandom)
}

async fn actions(store: &Store) -> Vec<String> {
    let events = store.events(&AuditFilter::default(), 100).await.unwrap();
    events.into_iter().map(|it| it.event.action).collect()
}

/// Whether a future is not done within a moment.
async fn waits(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
    tokio::time::timeout(A_MOMENT, future).await.is_err()
}

/// A log with room for so many events.
async fn log_for(room: usize) -> (AuditLog, Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let store = Store::open(&url, &MasterKey::generate(&SystemRandom), Arc::new(SystemRandom)).await.unwrap();
    let log = AuditLog::start_with_room(store.clone(), &Handle::current(), room);
    (log, store, folder)
}

#[tokio::test]
async fn what_has_its_place_is_waited_for_and_keeps_it() {
    let (log, store, _folder) = log_for(8).await;
    let (first, second) = (log.book().await.unwrap(), log.book().await.unwrap());
    drop(log.book().await.unwrap());
    log.record(event("third")).await;
    let mut flushed = pin!(log.flush());
    log.record_booked(second, &event("second"), None);
    assert!(waits(&mut flushed).await, "the first is still to be said");
    log.record_booked(first, &event("first"), None);
    flushed.await;
    assert_eq!(actions(&store).await, ["first", "second", "third"]);
}

#[tokio::test]
async fn who_goes_while_waiting_for_room_leaves_the_event() {
    let (log, store, _folder) = log_for(1).await;
    // The writer waits for the one, and the other takes all the room.
    let one = log.book().await.unwrap();
    tokio::time::sleep(A_MOMENT).await;
    let other = log.book().await.unwrap();
    {
        let mut recorded = pin!(log.record(event("of one who left")));
        assert!(waits(&mut recorded).await);
        let mut booked = pin!(async { drop(log.book().await) });
        assert!(waits(&mut booked).await);
    }
    drop((one, other));
    log.flush().await;
    assert_eq!(actions(&store).await, ["of one who left"]);
}
