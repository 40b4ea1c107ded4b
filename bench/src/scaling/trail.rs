//! How fast PostgreSQL takes the audit trail: writers take turns, and a turn takes so long for its transaction and so long
//! for each event in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{
    AccountId, Actor, AuditEvent, AuditKind, Clock as _, Decision, Region, Scope, SystemClock, SystemRandom,
};
use serde::Serialize;
use store::{MasterKey, Recorded, Store, StoreError};

use crate::failure::Failure;

/// The events of a small batch, and of the largest that a server writes.
const SIZES: [usize; 2] = [16, 1_024];
/// How long each is written.
const WINDOW: Duration = Duration::from_secs(3);

/// What was measured, in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Trail {
    /// What a turn takes besides its events.
    pub(super) turn_us: f64,
    /// What each event takes.
    pub(super) event_us: f64,
    /// Events a second by one writer, in the largest batches.
    pub(super) one: f64,
    /// By two at once.
    pub(super) two: f64,
}

impl Trail {
    pub(super) fn told(&self) -> String {
        format!(
            "The audit trail on this PostgreSQL: a turn takes {:.0} µs and {:.1} µs for each event; {:.0} events/s by one writer, {:.0} by two at once.\n",
            self.turn_us, self.event_us, self.one, self.two
        )
    }
}

pub(super) async fn measure(url: &str, key: &MasterKey) -> Result<Trail, Failure> {
    let measured = async {
        let [small, large] = SIZES;
        let one = writer(url, key, "bench-one").await?;
        let few = write(&one, small).await?;
        let many = write(&one, large).await?;
        let two = writer(url, key, "bench-two").await?;
        let (ours, theirs) = tokio::join!(write(&one, large), write(&two, large));
        let both = 1.0 / ours? + 1.0 / theirs?;
        one.close().await;
        two.close().await;
        let event = ((many - few) / (large - small) as f64).max(0.0);
        let turn = (few - event * small as f64).max(0.0);
        let rate = |turns: f64| turns * large as f64;
        Ok(Trail { turn_us: turn * 1e6, event_us: event * 1e6, one: rate(1.0 / many), two: rate(both) })
    };
    measured.await.map_err(|error: StoreError| Failure::of("the audit trail", error))
}

async fn writer(url: &str, key: &MasterKey, chain: &str) -> Result<Store, StoreError> {
    Store::open(url, key, Arc::new(SystemRandom)).await?.on_chain(chain)
}

/// Writes batches one after the other; gives how many seconds each took.
async fn write(store: &Store, size: usize) -> Result<f64, StoreError> {
    let region = Region::parse("us-west-2").map_err(|error| StoreError::Refused(error.to_string()))?;
    let scope = Scope { account: AccountId::first(), region };
    let (began, mut spent, mut turns) = (Instant::now(), Duration::ZERO, 0_u32);
    while began.elapsed() < WINDOW {
        let events: Vec<_> = (0..size).map(|_| Recorded { event: event(&scope), recording: None }).collect();
        let begun = Instant::now();
        store.append_events(&events).await?;
        spent += begun.elapsed();
        turns += 1;
    }
    Ok(spent.as_secs_f64() / f64::from(turns.max(1)))
}

/// An event as a call of a tool leaves it.
fn event(scope: &Scope) -> AuditEvent {
    AuditEvent {
        kind: AuditKind::Gateway,
        actor: Actor::Token {
            issuer: "http://127.0.0.1:4848/us-west-2_abcdefghi".to_owned(),
            subject: Some("1example23456789".to_owned()),
            client_id: Some("1example23456789".to_owned()),
        },
        source_ip: Some("127.0.0.1".to_owned()),
        resource: Some(
            "arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/bench-a1b2c3d4e5".to_owned(),
        ),
        tool: Some("Reports___tool_0000".to_owned()),
        decision: Decision::Allow,
        policies: vec!["bench_100_0-a1b2c3d4e5".to_owned()],
        latency_us: 700,
        ..AuditEvent::of_system("tools/call", scope, SystemClock.now(), &SystemRandom)
    }
}
