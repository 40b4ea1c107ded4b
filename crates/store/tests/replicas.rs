//! Replicas on PostgreSQL, when `PORTCULLIS_TEST_POSTGRES` names a server: what one is told the others have confirmed, they
//! have, or they know themselves out of date.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and asks its environment for a server"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{
    AccessKey, AccessKeyId, AccessKeyStatus, AccountId, AuditEvent, Holder, RequestId, Scope, Secret,
    SystemRandom, Timestamp,
};
use store::{Beat, MasterKey, McpSessionKey, McpSessionState, Replica, Store, StoreError};

const LEASE: Duration = Duration::from_millis(1_200);
const CURRENT: Beat = Beat::Current { left: false };

/// A database of its own for one test.
async fn place() -> Option<(String, MasterKey)> {
    let server = std::env::var("PORTCULLIS_TEST_POSTGRES").ok()?;
    let name = format!("test_{}", RequestId::mint(&SystemRandom).as_str().replace('-', ""));
    let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    Some((format!("{base}/{name}"), MasterKey::generate(&SystemRandom)))
}

async fn opened((url, master): &(String, MasterKey)) -> (Store, Arc<Replica>) {
    let store = Store::open(url, master, Arc::new(SystemRandom)).await.unwrap();
    let replica = Arc::new(Replica::join(&store, LEASE, &SystemRandom).await.unwrap().unwrap());
    let asking = Arc::clone(&replica);
    tokio::spawn(async move { asking.ask_for_ever().await });
    (store, replica)
}

/// Makes an access key; gives the place of the change.
async fn change(store: &Store) -> i64 {
    let (account, now) = (AccountId::first(), Timestamp::from_seconds(1_763_717_400));
    let key = AccessKey {
        id: AccessKeyId::mint(&SystemRandom),
        secret: Secret::new("a-secret"),
        account: account.clone(),
        holder: Holder::Root,
        status: AccessKeyStatus::Active,
        created_at: now,
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_access_key(&key).await.unwrap();
    let event = AuditEvent::of_system("test.change", &Scope::global(&account), now, &SystemRandom);
    tx.commit(&event).await.unwrap();
    *store.changed().borrow()
}

#[tokio::test]
async fn sqlite_is_one_servers_alone() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let store = Store::open(&url, &MasterKey::generate(&SystemRandom), Arc::new(SystemRandom)).await.unwrap();
    assert!(Replica::join(&store, LEASE, &SystemRandom).await.unwrap().is_none());
    assert!(store.standing().is_current());
    store.until_served(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn who_is_not_heard_of_any_more_loses_its_turn() {
    let Some(place) = place().await else { return };
    let ((here, _), (there, _)) = (opened(&place).await, opened(&place).await);
    // As a replica that is cut off amid a change: it says nothing, and its connection stays.
    let mut silent = here.begin().await.unwrap();
    let began = Instant::now();
    change(&there).await;
    let waited = began.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(12)).contains(&waited), "{waited:?}");
    // What it asks now is not refused for what it says: nobody knows what became of it.
    assert!(matches!(silent.last_change().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_change_waits_for_those_with_a_lease_and_for_nobody_else() {
    let Some(place) = place().await else { return };
    let ((here, one), (there, other)) = (opened(&place).await, opened(&place).await);
    assert!(!here.standing().is_current(), "who has no lease yet serves nothing");
    assert_eq!(one.beat(0).await.unwrap(), CURRENT);
    let first = change(&here).await;
    assert_eq!(other.beat(0).await.unwrap(), Beat::Behind, "who comes must have read what was before");
    assert!(!there.standing().is_current());
    assert_eq!(other.beat(first).await.unwrap(), CURRENT);
    one.until_confirmed(first).await.unwrap();

    // The other one lives and has not confirmed: it is waited for.
    let second = change(&here).await;
    let waiting = one.until_confirmed(second);
    tokio::pin!(waiting);
    // So does who is no replica, and not for longer than it wants to.
    let elsewhere = Store::open(&place.0, &place.1, Arc::new(SystemRandom)).await.unwrap();
    let (here_waits, elsewhere_waits) =
        tokio::join!(tokio::time::timeout(LEASE / 4, &mut waiting), elsewhere.until_served(LEASE / 4));
    assert!(here_waits.is_err() && matches!(elsewhere_waits, Err(StoreError::Unavailable(_))));
    other.confirm(second).await.unwrap();
    waiting.await.unwrap();
    one.confirm(second).await.unwrap();
    elsewhere.until_served(LEASE).await.unwrap();

    // It is gone: it is waited for until its lease is over, and by then it knows so itself.
    let began = Instant::now();
    assert_eq!(one.beat(second).await.unwrap(), CURRENT);
    assert_eq!(other.beat(second).await.unwrap(), CURRENT);
    let third = change(&here).await;
    one.until_confirmed(third).await.unwrap();
    assert!(!there.standing().is_current(), "somebody went on without one that believes itself current");
    assert!(began.elapsed() > LEASE / 2);

    // It comes back when it has read everything, and not before.
    assert_eq!(other.beat(second).await.unwrap(), Beat::Behind);
    assert_eq!(other.beat(third).await.unwrap(), CURRENT);
    assert!(there.standing().is_current());
    other.leave().await;
    let fourth = change(&here).await;
    let began = Instant::now();
    one.until_confirmed(fourth).await.unwrap();
    assert!(began.elapsed() < LEASE / 2, "who left is waited for");
}

#[tokio::test]
async fn one_that_does_not_keep_up_loses_its_lease() {
    let Some(place) = place().await else { return };
    let (store, replica) = opened(&place).await;
    assert_eq!(replica.beat(0).await.unwrap(), CURRENT);
    let seq = change(&store).await;
    assert_eq!(replica.beat(0).await.unwrap(), CURRENT, "it is about to read what it was told of");
    assert_eq!(replica.beat(0).await.unwrap(), Beat::Behind);
    // Nobody waits for ever for one that goes on asking and never catches up.
    let (_, other) = opened(&place).await;
    assert_eq!(other.beat(seq).await.unwrap(), CURRENT);
    let deadline = Instant::now() + LEASE * 2;
    while Instant::now() < deadline {
        assert_eq!(replica.beat(0).await.unwrap(), Beat::Behind);
        if tokio::time::timeout(LEASE / 8, other.until_confirmed(seq)).await.is_ok() {
            assert!(!store.standing().is_current());
            assert_eq!(replica.beat(seq).await.unwrap(), CURRENT);
            return;
        }
    }
    panic!("one that does not keep up holds the others up");
}

#[tokio::test]
async fn what_the_database_lost_is_noticed() {
    let Some(place) = place().await else { return };
    let (store, replica) = opened(&place).await;
    let seq = change(&store).await;
    assert_eq!(replica.beat(seq).await.unwrap(), CURRENT);
    let pool = sqlx::PgPool::connect(&place.0).await.unwrap();
    sqlx::raw_sql("DELETE FROM changes").execute(&pool).await.unwrap();
    assert!(matches!(store.changes_since(seq).await, Err(StoreError::Lost)));
    assert_eq!(replica.beat(seq).await.unwrap(), Beat::Lost);
    assert!(!store.standing().is_current());
}

#[tokio::test]
async fn a_work_is_one_replicas_until_that_is_gone() {
    let Some(place) = place().await else { return };
    let ((_, one), (_, other)) = (opened(&place).await, opened(&place).await);
    assert_eq!(one.beat(0).await.unwrap(), CURRENT);
    assert_eq!(other.beat(0).await.unwrap(), CURRENT);
    assert!(one.take_up("w").await.unwrap() && one.take_up("w").await.unwrap());
    assert!(!other.take_up("w").await.unwrap());
    one.put_down("w").await.unwrap();
    assert!(other.take_up("w").await.unwrap());
    assert!(!one.take_up("w").await.unwrap());
    // The other one dies in the middle, and somebody deletes what something else was done about.
    assert!(other.take_up("of-what-is-gone").await.unwrap());
    let works = || async {
        let pool = sqlx::PgPool::connect(&place.0).await.unwrap();
        let works: Vec<String> =
            sqlx::query_scalar("SELECT work FROM works ORDER BY work").fetch_all(&pool).await.unwrap();
        works
    };
    assert_eq!(works().await, ["of-what-is-gone", "w"]);
    let deadline = Instant::now() + LEASE * 5;
    let mut left = false;
    while !left && Instant::now() < deadline {
        tokio::time::sleep(LEASE / 8).await;
        left = matches!(one.beat(0).await.unwrap(), Beat::Current { left: true });
    }
    assert!(left, "nobody is told that a replica is gone");
    assert!(works().await.is_empty(), "what nobody does is nobody's");
    assert!(one.take_up("w").await.unwrap());
    assert_eq!(works().await, ["w"]);
}

#[tokio::test]
async fn changes_are_told_to_who_listens() {
    let Some(place) = place().await else { return };
    let ((here, _one), (there, other)) = (opened(&place).await, opened(&place).await);
    let listening = Arc::clone(&other);
    let task = tokio::spawn(async move { listening.listen().await });
    let mut told = there.changed();
    let mut heard = async |seq: i64| {
        let heard = told.wait_for(|last| *last >= seq);
        tokio::time::timeout(Duration::from_millis(500), heard).await.is_ok()
    };
    // It may not listen yet when the first is made.
    let mut listens = false;
    for _ in 0..5 {
        listens = listens || heard(change(&here).await).await;
    }
    assert!(listens, "nothing was heard");
    // What has no audit event of its own, too: nobody goes on with a session that was ended.
    let key = McpSessionKey { session: "s", owner: "o", until: Timestamp::from_seconds(2_000_000_000) };
    let ended = McpSessionState { ended: true, level: None };
    let now = Timestamp::from_seconds(1_763_717_400);
    assert!(here.put_mcp_session(&Scope::global(&AccountId::first()), key, &ended, now).await.unwrap());
    let seq = *here.changed().borrow();
    assert!(heard(seq).await, "the end of a session was not heard of");
    task.abort();
}

#[tokio::test]
async fn who_has_a_lease_is_there_and_nobody_else() {
    let Some(place) = place().await else { return };
    let ((here, one), (_, other)) = (opened(&place).await, opened(&place).await);
    assert!(here.live_replicas().await.unwrap().is_empty());
    for replica in [&one, &other, &one] {
        assert_eq!(replica.beat(0).await.unwrap(), CURRENT);
    }
    let live = here.live_replicas().await.unwrap();
    assert!(live.len() == 2 && live[0].since <= live[1].since, "{live:?}");
    one.leave().await;
    assert_eq!(here.live_replicas().await.unwrap(), live[1..]);
}
