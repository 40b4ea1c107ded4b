//! The chains of the audit trail on both databases (PostgreSQL when `PORTCULLIS_TEST_POSTGRES` names a server): whatever is
//! done to the table is found and named, and what servers do is not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and asks its environment for a server"
)]

use std::sync::Arc;

use domain::{AccountId, AuditEvent, Region, RequestId, Scope, SystemRandom, Timestamp};
use sqlx::AssertSqlSafe;
use store::{
    AuditFilter, ChainHead, Checkpoints, Finding, Fraud, HeadKind, MasterKey, NoCheckpoints, Recorded,
    Retired, Store, Verified,
};

struct Place {
    url: String,
    master: MasterKey,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn open(&self) -> Store {
        Store::open(&self.url, &self.master, Arc::new(SystemRandom)).await.unwrap()
    }

    /// What somebody does who can write to the database.
    async fn tamper(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.url.starts_with("sqlite:") {
            let pool = sqlx::SqlitePool::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
            pool.close().await;
        } else {
            let pool = sqlx::PgPool::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
            pool.close().await;
        }
    }
}

async fn places() -> Vec<Place> {
    let place = |url: Option<String>| {
        let folder = tempfile::tempdir().unwrap();
        let url = url.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("test.db").display()));
        Place { url, master: MasterKey::generate(&SystemRandom), _folder: folder }
    };
    let mut places = vec![place(None)];
    if let Ok(server) = std::env::var("PORTCULLIS_TEST_POSTGRES") {
        let name = format!("test_{}", RequestId::mint(&SystemRandom).as_str().replace('-', ""));
        let pool = sqlx::PgPool::connect(&server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        places.push(place(Some(format!("{base}/{name}"))));
    }
    places
}

fn event(action: &str, seconds: i64) -> AuditEvent {
    let scope = Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() };
    AuditEvent::of_system(action, &scope, Timestamp::from_seconds(seconds), &SystemRandom)
}

/// Some events of changes and some of the data plane.
async fn write(store: &Store, from: i64, to: i64) {
    for at in from..to {
        store.begin().await.unwrap().commit(&event("change", at)).await.unwrap();
        let batch: Vec<_> =
            (0..3).map(|_| Recorded { event: event("tools/call", at), recording: None }).collect();
        store.append_events(&batch).await.unwrap();
    }
}

async fn verify(store: &Store, checkpoints: &dyn Checkpoints) -> (Vec<Verified>, Vec<Finding>) {
    let mut found = Vec::new();
    let verified = store.verify_trail(checkpoints, |finding| found.push(finding)).await.unwrap();
    (verified, found)
}

/// Checkpoints that a test kept.
struct Kept(Vec<ChainHead>);

impl Checkpoints for Kept {
    fn chains(&self) -> Vec<String> {
        let mut names: Vec<_> = self.0.iter().map(|it| it.chain.clone()).collect();
        names.dedup();
        names
    }

    fn of<'a>(&'a self, chain: &str) -> Box<dyn Iterator<Item = ChainHead> + 'a> {
        let chain = chain.to_owned();
        Box::new(self.0.iter().filter(move |it| it.chain == chain).cloned())
    }
}

async fn end(store: &Store) -> ChainHead {
    store.chain_ends().await.unwrap().remove(0).end
}

/// The smallest number of 64 bits, as SQL can say it.
const LEAST: &str = "(-9223372036854775807 - 1)";

#[tokio::test]
async fn a_trail_that_nobody_touched_verifies_also_after_a_restart_and_on_several_chains() {
    for place in places().await {
        let store = place.open().await;
        write(&store, 0, 5).await;
        let kept = Kept(vec![end(&store).await]);
        store.close().await;
        let store = place.open().await;
        write(&store, 5, 6).await;
        write(&store.on_chain("replica-b").unwrap(), 6, 8).await;
        let (verified, found) = verify(&store, &kept).await;
        assert_eq!(found, []);
        let seen: Vec<_> = verified.iter().map(|it| (&*it.chain, it.events, it.end, it.checkpoint)).collect();
        assert_eq!(seen, [("main", 24, 24, Some(20)), ("replica-b", 8, 8, None)]);
        assert_ne!(verified[0].key, verified[1].key);
        assert_eq!(store.events(&AuditFilter::default(), 100).await.unwrap().len(), 32);
    }
}

#[tokio::test]
async fn every_kind_of_tampering_is_found_and_named() {
    for place in places().await {
        let store = place.open().await;
        write(&store, 0, 5).await;
        let seen = store.events(&AuditFilter::default(), 100).await.unwrap();
        let id_of = |seq: i64| seen.iter().find(|it| it.seq == seq).unwrap().event.event_id.to_string();
        place.tamper("CREATE TABLE kept_events AS SELECT * FROM audit_events").await;
        place.tamper("CREATE TABLE kept_chains AS SELECT * FROM audit_chains").await;
        let row = "(time, account, region, kind, document";
        let inner = "time, account, region, kind, document";
        for (tampering, fraud, at, seq) in [
            (
                "UPDATE audit_events SET document = replace(document, 'change', 'nothing') WHERE seq = 5",
                Fraud::Edited,
                Some(5),
                Some(5),
            ),
            (
                "UPDATE audit_events SET account = '111111111111' WHERE seq = 7",
                Fraud::Edited,
                Some(7),
                Some(7),
            ),
            ("UPDATE audit_events SET time = time + 1 WHERE seq = 20", Fraud::Edited, Some(20), Some(20)),
            ("UPDATE audit_events SET document = 'x' WHERE seq = 1", Fraud::Edited, Some(1), Some(1)),
            ("DELETE FROM audit_events WHERE seq = 1", Fraud::Removed, Some(1), None),
            ("DELETE FROM audit_events WHERE seq BETWEEN 8 AND 10", Fraud::Removed, Some(8), None),
            ("DELETE FROM audit_events WHERE seq = 20", Fraud::Truncated, Some(20), None),
            ("DELETE FROM audit_events", Fraud::Truncated, Some(1), None),
            (
                "UPDATE audit_events SET seq = 100 WHERE seq = 3; UPDATE audit_events SET seq = 3 WHERE seq = 4; UPDATE audit_events SET seq = 4 WHERE seq = 100",
                Fraud::Reordered,
                Some(4),
                Some(3),
            ),
            (
                "UPDATE audit_events SET place = 100 WHERE seq = 3; UPDATE audit_events SET place = 3 WHERE seq = 4; UPDATE audit_events SET place = 4 WHERE seq = 100; UPDATE audit_events SET place = 4 WHERE place = 100",
                Fraud::Edited,
                Some(3),
                Some(4),
            ),
            (
                &format!(
                    "INSERT INTO audit_events {row}) SELECT time, account, region, kind, document FROM kept_events WHERE seq = 2"
                ),
                Fraud::Inserted,
                None,
                None,
            ),
            (
                &format!(
                    "INSERT INTO audit_events {row}, chain, place, digest) SELECT time, account, region, kind, document, chain, 21, digest FROM kept_events WHERE seq = 2"
                ),
                Fraud::Inserted,
                Some(21),
                None,
            ),
            (
                "DELETE FROM audit_events WHERE seq > 18; UPDATE audit_chains SET place = 18, digest = (SELECT digest FROM audit_events WHERE seq = 18)",
                Fraud::Forged,
                None,
                None,
            ),
            (
                "UPDATE audit_chains SET closed_place = 4, closed_digest = (SELECT digest FROM audit_events WHERE seq = 4); DELETE FROM audit_events WHERE seq <= 4",
                Fraud::Forged,
                None,
                None,
            ),
            ("DELETE FROM audit_chains", Fraud::Removed, None, None),
            // Where readers do not look, events are found all the same.
            (
                "UPDATE audit_events SET seq = seq - 1000 WHERE seq <= 4",
                Fraud::Reordered,
                Some(4),
                Some(-996),
            ),
            (
                "UPDATE audit_events SET seq = 9223372036854775807 WHERE seq = 20",
                Fraud::Reordered,
                Some(20),
                Some(i64::MAX),
            ),
            (
                &format!(
                    "INSERT INTO audit_events {row}, chain, place, digest) SELECT time, account, region, kind, document, chain, {LEAST}, digest FROM kept_events WHERE seq = 2"
                ),
                Fraud::Inserted,
                Some(i64::MIN),
                None,
            ),
            (
                &format!(
                    "INSERT INTO audit_events (seq, {inner}) SELECT {LEAST}, time, account, region, kind, document FROM kept_events WHERE seq = 2"
                ),
                Fraud::Inserted,
                None,
                Some(i64::MIN),
            ),
        ] {
            place.tamper(tampering).await;
            let (_, found) = verify(&store, &NoCheckpoints).await;
            let named: Vec<_> = found.iter().map(|it| (it.fraud, it.place)).collect();
            assert!(named.contains(&(fraud, at)), "{tampering}: {found:?}");
            if let Some(seq) = seq {
                let it = found.iter().find(|it| it.fraud == fraud && it.place == at).unwrap();
                assert_eq!(it.seq, Some(seq), "{tampering}");
                if !tampering.contains("'x'") {
                    let original = match seq {
                        3 => 4,
                        -996 => 4,
                        i64::MAX => 20,
                        i64::MIN => 2,
                        seq => seq,
                    };
                    assert_eq!(it.event, Some(id_of(original)), "{tampering}");
                }
            }
            place
                .tamper("DELETE FROM audit_events; DELETE FROM audit_chains; INSERT INTO audit_events SELECT * FROM kept_events; INSERT INTO audit_chains SELECT * FROM kept_chains")
                .await;
            assert_eq!(verify(&store, &NoCheckpoints).await.1, [], "{tampering}");
        }
    }
}

#[tokio::test]
async fn what_the_signed_end_cannot_tell_a_checkpoint_outside_tells() {
    for place in places().await {
        let store = place.open().await;
        write(&store, 0, 3).await;
        let mut kept = vec![end(&store).await];
        place.tamper("CREATE TABLE kept_events AS SELECT * FROM audit_events").await;
        place.tamper("CREATE TABLE kept_chains AS SELECT * FROM audit_chains").await;
        write(&store, 3, 5).await;
        kept.push(end(&store).await);
        // Everything is put back as it was, with its signature.
        place
            .tamper("DELETE FROM audit_events; DELETE FROM audit_chains; INSERT INTO audit_events SELECT * FROM kept_events; INSERT INTO audit_chains SELECT * FROM kept_chains")
            .await;
        assert_eq!(verify(&store, &NoCheckpoints).await.1, []);
        let kept = Kept(kept);
        let (_, found) = verify(&store, &kept).await;
        assert_eq!(
            found.iter().map(|it| (it.fraud, it.place)).collect::<Vec<_>>(),
            [(Fraud::Truncated, Some(13))]
        );
        // And goes on from there, past the checkpoint.
        write(&store, 7, 10).await;
        let (_, found) = verify(&store, &kept).await;
        assert_eq!(
            found.iter().map(|it| (it.fraud, it.place)).collect::<Vec<_>>(),
            [(Fraud::Edited, Some(20))]
        );
        assert!(found[0].detail.contains("13 to 20"), "{}", found[0].detail);
        let later = Kept([&kept.0[..], &[end(&store).await, kept.0[1].clone()]].concat());
        assert!(verify(&store, &later).await.1.iter().any(|it| it.fraud == Fraud::SetBack));
        // A chain of which nothing is left.
        place.tamper("DELETE FROM audit_events; DELETE FROM audit_chains").await;
        assert!(verify(&store, &kept).await.1.iter().any(|it| it.fraud == Fraud::Truncated));
        // A checkpoint that nobody with the key made.
        let mut forged = kept.0[0].clone();
        forged.place = 11;
        assert!(verify(&store, &Kept(vec![forged])).await.1.iter().any(|it| it.fraud == Fraud::Forged));
    }
}

#[tokio::test]
async fn retention_closes_the_beginning_with_a_signature_and_keeps_what_does_not_verify() {
    for place in places().await {
        let store = place.open().await;
        write(&store, 0, 5).await;
        let kept = Kept(vec![end(&store).await]);
        let note =
            |first: i64, closed: &ChainHead| event(&format!("audit.close {first}-{}", closed.place), 100);
        let done = store.retire_events(Timestamp::from_seconds(3), note).await.unwrap();
        let [Retired::Closed { first: 1, closed }] = &done[..] else { panic!("{done:?}") };
        assert_eq!(
            (closed.place, closed.kind, closed.time),
            (12, HeadKind::Closed, Timestamp::from_seconds(2))
        );
        assert!(store.chain_key("main").unwrap().signed(closed));
        assert_eq!(store.retire_events(Timestamp::from_seconds(3), note).await.unwrap(), []);
        let (verified, found) = verify(&store, &kept).await;
        assert_eq!(found, []);
        assert_eq!((verified[0].events, verified[0].closed, verified[0].end), (9, 12, 21));
        let left = store.events(&AuditFilter::default(), 100).await.unwrap();
        assert_eq!(left.last().unwrap().event.action, "audit.close 1-12");
        // More taken away than was closed.
        place.tamper("CREATE TABLE kept_events AS SELECT * FROM audit_events").await;
        place.tamper("DELETE FROM audit_events WHERE place = 13").await;
        assert_eq!(verify(&store, &kept).await.1[0].place, Some(13));
        // What does not verify is evidence.
        let done = store.retire_events(Timestamp::from_seconds(9), note).await.unwrap();
        assert_eq!(done, [Retired::Kept { chain: "main".to_owned(), place: 13 }]);
        assert_eq!(store.events(&AuditFilter::default(), 100).await.unwrap().len(), 8);
    }
}

#[tokio::test]
async fn events_from_before_the_chains_are_taken_in_once() {
    for place in places().await {
        let store = place.open().await;
        write(&store, 0, 2).await;
        // As an older version left it.
        place
            .tamper("UPDATE audit_events SET chain = '', place = 0, digest = NULL; DELETE FROM audit_chains")
            .await;
        assert_eq!(verify(&store, &NoCheckpoints).await, (vec![], vec![]));
        write(&store, 2, 3).await;
        let (verified, found) = verify(&store, &NoCheckpoints).await;
        assert_eq!((verified[0].events, found), (12, vec![]));
        place.tamper("UPDATE audit_events SET chain = '', place = 0, digest = NULL WHERE seq = 2").await;
        write(&store.on_chain("other").unwrap(), 3, 4).await;
        let found = verify(&store, &NoCheckpoints).await.1;
        assert!(found.iter().any(|it| it.fraud == Fraud::Inserted && it.seq == Some(2)), "{found:?}");
    }
}
