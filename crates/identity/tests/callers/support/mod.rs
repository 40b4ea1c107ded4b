//! What every test here stands on: a database, a clock that stands still, keys, tokens, and issuers on this machine.

pub(crate) mod authorizer;
pub(crate) mod certificate;
pub(crate) mod idp;
pub(crate) mod keys;
pub(crate) mod token;
pub(crate) mod token_server;

use std::sync::Arc;

use domain::{
    AccountId, Actor, AuditEvent, AuditKind, Decision, EventId, FixedClock, JwtAuthorizer, Outcome, Region,
    RequestId, Scope, SystemRandom, Timestamp,
};
use egress::{Client, Reach};
use identity::issuer::Issuers;
use identity::provider::{IssuerStyle, Names};
use store::{MasterKey, Store};

/// What time it is at the start: 2025-11-21T09:30:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_763_717_400);
/// The URL under which the installation is reached. Nobody is there, and nobody leaves this machine to look.
pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:9";

/// A database of one's own, on SQLite.
pub(crate) struct Database {
    pub(crate) store: Store,
    _folder: tempfile::TempDir,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let master = MasterKey::generate(&SystemRandom);
        let store = Store::open(&url, &master, Arc::new(SystemRandom)).await.unwrap();
        Self { store, _folder: folder }
    }

    /// Writes something, and says so in the audit trail as every writer must.
    pub(crate) async fn write(
        &self,
        change: impl AsyncFnOnce(&mut store::Tx) -> Result<(), store::StoreError>,
    ) {
        let mut tx = self.store.begin().await.unwrap();
        change(&mut tx).await.unwrap();
        tx.commit(&event()).await.unwrap();
    }
}

/// A client that may dial this machine and nothing else that is private.
pub(crate) fn client() -> Client {
    Client::new(Reach { allowed: Vec::new(), loopback: true }).unwrap()
}

pub(crate) fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(NOW))
}

pub(crate) fn names() -> Arc<Names> {
    Arc::new(Names::new(PUBLIC_URL, IssuerStyle::Public))
}

/// Issuers that know nothing yet.
pub(crate) fn issuers(database: &Database, client: &Client, clock: &Arc<FixedClock>) -> Issuers {
    Issuers::new(database.store.clone(), client.clone(), Arc::clone(clock) as _, names())
}

/// An authorizer that asks for nothing but a token of the issuer.
pub(crate) fn lenient() -> JwtAuthorizer {
    JwtAuthorizer::default()
}

pub(crate) fn scope() -> Scope {
    Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() }
}

fn event() -> AuditEvent {
    AuditEvent {
        event_id: EventId::mint(&SystemRandom),
        time: NOW,
        kind: AuditKind::Control,
        scope: scope(),
        actor: Actor::System,
        source_ip: None,
        action: "test.prepare".to_owned(),
        resource: None,
        tool: None,
        decision: Decision::None,
        policies: Vec::new(),
        reason: None,
        log_only: None,
        outcome: Outcome::Success,
        error: None,
        latency_us: 0,
        request_id: RequestId::mint(&SystemRandom),
    }
}
