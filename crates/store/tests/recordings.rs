//! What is recorded of calls besides their events, on both databases: SQLite always, PostgreSQL when
//! `PORTCULLIS_TEST_POSTGRES` names a server.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and asks its environment for a server"
)]

use std::sync::Arc;

use domain::{
    AccountId, Actor, AuditEvent, AuditKind, Decision, EventId, Outcome, Recording, Region, RequestId, Scope,
    SystemRandom, Timestamp,
};
use store::{MasterKey, Recorded, Store};

const CANARY: &str = "canary-in-the-coal-mine";
const HOUR: i64 = 60 * 60;

async fn stores() -> Vec<(Store, Option<tempfile::TempDir>)> {
    let open = async |url: &str| {
        Store::open(url, &MasterKey::generate(&SystemRandom), Arc::new(SystemRandom)).await.unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let mut stores = vec![(open(&url).await, Some(folder))];
    if let Ok(server) = std::env::var("PORTCULLIS_TEST_POSTGRES") {
        let name = format!("test_{}", RequestId::mint(&SystemRandom).as_str().replace('-', ""));
        let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
        let pool = sqlx::PgPool::connect_with(options).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        stores.push((open(&format!("{base}/{name}")).await, None));
    }
    stores
}

fn call(tool: &str, seconds: i64) -> AuditEvent {
    AuditEvent {
        event_id: EventId::mint(&SystemRandom),
        time: Timestamp::from_seconds(seconds),
        kind: AuditKind::Gateway,
        scope: Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() },
        actor: Actor::Anonymous,
        source_ip: None,
        action: "tools/call".to_owned(),
        resource: Some("gateway".to_owned()),
        tool: Some(tool.to_owned()),
        decision: Decision::Deny,
        policies: Vec::new(),
        reason: Some("no policy applies".to_owned()),
        log_only: None,
        outcome: Outcome::Refused,
        error: None,
        latency_us: 1,
        request_id: RequestId::mint(&SystemRandom),
        call: None,
    }
}

fn recording(arguments: &str) -> Recording {
    Recording {
        decided_at: Timestamp::from_seconds(5),
        claims: Some(Arc::from("{\"sub\":\"u\"}")),
        arguments: Some(Arc::from(arguments)),
    }
}

/// All decided calls after a place, read a few at a time.
async fn all(store: &Store, mut after: i64) -> Vec<Recorded> {
    let mut found = Vec::new();
    loop {
        let account = AccountId::first();
        let (calls, last) = store.decided_calls(account.as_str(), after, 7, |_| true).await.unwrap();
        found.extend(calls);
        match last {
            Some(last) => after = last,
            None => return found,
        }
    }
}

#[tokio::test]
async fn what_is_recorded_is_found_with_its_event() {
    for (store, folder) in stores().await {
        let mut events: Vec<Recorded> = (0..150)
            .map(|number| Recorded {
                event: call(&format!("T___{number}"), number),
                recording: (number % 3 == 0)
                    .then(|| recording(&format!("{{\"note\":\"{CANARY} \\\"{number}\\\"\"}}"))),
            })
            .collect();
        // What no policy decided is not among them.
        events.push(Recorded { event: AuditEvent { tool: None, ..call("", 1) }, recording: None });
        let limited = Some(format!("{}requests", domain::RATE_LIMITED));
        events.push(Recorded { event: AuditEvent { reason: limited, ..call("T___1", 1) }, recording: None });
        let open = AuditEvent { decision: Decision::Allow, ..call("T___1", 1) };
        events.push(Recorded { event: open, recording: None });
        store.append_events(&events).await.unwrap();
        let found = all(&store, 0).await;
        assert_eq!(found.len(), 150);
        for (number, (found, written)) in found.iter().zip(&events).enumerate() {
            assert_eq!(found.event, written.event);
            assert_eq!(found.recording.is_some(), number % 3 == 0);
            if let (Some(found), Some(written)) = (&found.recording, &written.recording) {
                assert_eq!(found.arguments, written.arguments);
                assert_eq!(found.claims, written.claims);
                assert_eq!(found.decided_at, written.decided_at);
            }
        }
        store.close().await;
        if let Some(folder) = folder {
            for file in std::fs::read_dir(folder.path()).unwrap() {
                let bytes = std::fs::read(file.unwrap().path()).unwrap();
                assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
            }
        }
    }
}

#[tokio::test]
async fn recordings_are_taken_away_and_their_events_stay() {
    for (store, _folder) in stores().await {
        let events: Vec<_> = (0..1_500)
            .map(|number| Recorded { event: call("T___one", number), recording: Some(recording("{}")) })
            .collect();
        store.append_events(&events).await.unwrap();
        assert_eq!(store.prune_recordings(Timestamp::from_seconds(1_200)).await.unwrap(), 1_200);
        assert_eq!(store.prune_recordings(Timestamp::from_seconds(1_200)).await.unwrap(), 0);
        let found = all(&store, 0).await;
        assert_eq!(found.len(), 1_500);
        assert_eq!(found.iter().filter(|it| it.recording.is_some()).count(), 300);
    }
}

#[tokio::test]
async fn a_period_begins_before_every_event_of_it() {
    for (store, _folder) in stores().await {
        assert_eq!(store.place_before(Timestamp::from_seconds(0)).await.unwrap(), 0);
        // One event every ten minutes, and some that took most of an hour.
        let events: Vec<_> = (0..400)
            .map(|number| {
                let late = if number % 7 == 0 { 3_000 } else { 0 };
                let event = call("T___one", number * 600 - late);
                Recorded { event, recording: None }
            })
            .collect();
        store.append_events(&events).await.unwrap();
        for since in [0, 1, 600, 5 * HOUR, 33 * HOUR, 66 * HOUR, 100 * HOUR] {
            let since = Timestamp::from_seconds(since);
            let place = store.place_before(since).await.unwrap();
            let wanted = events.iter().filter(|it| it.event.time >= since).count();
            let found = all(&store, place).await;
            assert_eq!(found.iter().filter(|it| it.event.time >= since).count(), wanted, "{since}");
            // Not much more is read than has to be.
            assert!(found.len() <= wanted + 14, "{since}: {} {wanted}", found.len());
        }
    }
}
