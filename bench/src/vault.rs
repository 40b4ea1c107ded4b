//! How fast a person's token is read out of a vault with few tokens and with many: an open of the database, the row, its data
//! key, the seal.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{
    AccountId, Actor, AuditEvent, AuditKind, Decision, EventId, Outcome, Random as _, Region, RequestId,
    Scope, Secret, SystemRandom, Timestamp, UserToken,
};
use store::{MasterKey, Store, StoreError};

use crate::failure::Failure;
use crate::runtime;

/// How many tokens the vault holds, each time it is read.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// How many tokens are written in one transaction.
const BATCH: usize = 1_000;
/// How many tokens are read at each size.
const READS: usize = 10_000;

/// Measures, with a new database in a folder that must not have one, and prints a line for each size.
pub(crate) fn run(folder: &Path) -> Result<(), Failure> {
    let file = folder.join("vault.db");
    if file.exists() {
        return Err(Failure::new(format!("{} is there already: name another folder", file.display())));
    }
    runtime()?.block_on(measure(&file)).map_err(|error| Failure::of("the vault", error))
}

async fn measure(file: &Path) -> Result<(), StoreError> {
    let key = MasterKey::generate(&SystemRandom);
    let url = format!("sqlite:{}", file.display());
    let store = Store::open(&url, &key, Arc::new(SystemRandom)).await?;
    let region = Region::parse("us-west-2").map_err(|error| StoreError::Refused(error.to_string()))?;
    let scope = Scope { account: AccountId::first(), region };
    say(&format!("{:>8}  {:>12}  {:>12}", "tokens", "median (µs)", "p99 (µs)"));
    let mut held = 0;
    for size in SIZES {
        while held < size {
            let mut tx = store.begin().await?;
            for number in held..held + BATCH {
                tx.put_user_token(&token(&scope, number)).await?;
            }
            tx.commit(&event(&scope)).await?;
            held += BATCH;
        }
        let mut took = Vec::with_capacity(READS);
        for read in 0..READS {
            // A stride that no power of two and no batch has in common with the sizes: every part is read.
            let handle = handle(read.wrapping_mul(7_919) % size);
            let began = Instant::now();
            let found = store.read().await?.user_token(&scope, &handle).await?;
            took.push(began.elapsed());
            if found.is_none() {
                return Err(StoreError::Refused(format!("the token {handle} is not there")));
            }
        }
        took.sort_unstable();
        say(&format!("{size:>8}  {:>12.1}  {:>12.1}", at(&took, 50), at(&took, 99)));
    }
    store.close().await;
    Ok(())
}

fn say(line: &str) {
    // Nobody is left to tell when standard output is closed.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A percentile, in microseconds.
fn at(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).map_or(0.0, |took| took.as_secs_f64() * 1e6)
}

fn handle(number: usize) -> String {
    format!("{:032x}", (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn token(scope: &Scope, number: usize) -> UserToken {
    let mut bytes = [0; 512];
    SystemRandom.fill(&mut bytes);
    let text: String = bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    UserToken {
        handle: handle(number),
        scope: scope.clone(),
        provider: "provider".to_owned(),
        workload: "workload".to_owned(),
        revision: 1,
        tokens: Secret::new(text),
    }
}

fn event(scope: &Scope) -> AuditEvent {
    AuditEvent {
        event_id: EventId::mint(&SystemRandom),
        time: Timestamp::from_seconds(1),
        kind: AuditKind::Control,
        scope: scope.clone(),
        actor: Actor::System,
        source_ip: None,
        action: "bench".to_owned(),
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
