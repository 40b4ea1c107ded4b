//! The database, what opens it, and the audit trail in it.

use std::path::Path;
use std::sync::Arc;

use domain::{Clock as _, Random, SystemClock, SystemRandom, Timestamp};
use store::{LiveReplica, Look, Master, Server, Store, StoreError};
use trail::KeptCheckpoints;

use super::Check;
use crate::bootstrap::without_password;
use crate::configuration::Configuration;
use crate::master_key;

/// The oldest PostgreSQL that its own project still mends, as a number of its kind.
const OLDEST: i64 = 150_000;
/// How far apart two clocks may be: tokens and signatures bear a minute (`identity`) and five, replicas less.
const APART: i64 = 2_000;
const TOO_FAR_APART: i64 = 60_000;
/// How many findings about checkpoints are told.
const TOLD: usize = 3;

/// Everything about the database; what cannot be asked because of what is wrong before is not.
pub(super) async fn all(configuration: &Configuration) -> Vec<Check> {
    const ABOUT: &str = "database";
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let shown = without_password(&configuration.database);
    let before = SystemClock.now();
    let look = match store::look(&configuration.database, &random).await {
        Ok(look) => look,
        Err(error) => {
            let remedy =
                "see that it runs and that its URL is right: --database, or database in the settings";
            return vec![Check::problem(ABOUT, format!("{shown}: {error}"), remedy)];
        }
    };
    if let (0, Some(folder)) = (look.schema, missing_folder(configuration)) {
        let found = format!("{shown}: the folder {} is not there", folder.display());
        return vec![Check::problem(
            ABOUT,
            found,
            "make it, or correct --database, or database in the settings",
        )];
    }
    let mut checks = vec![version(&look, &shown)];
    if let Some(server) = &look.server {
        checks.push(server_version(server));
        checks.push(clock(server, before, SystemClock.now()));
    }
    if look.schema == 0 || look.schema > look.known {
        return checks;
    }
    let master = match key(configuration, &random).await {
        Ok((check, master)) => {
            checks.push(check);
            master
        }
        Err(check) => {
            checks.push(check);
            return checks;
        }
    };
    if look.schema == look.known {
        match Store::open_with(&configuration.database, &master, random).await {
            Ok(store) => {
                checks.push(audit(configuration, &store).await);
                checks.extend(replicas(&store).await);
                store.close().await;
            }
            Err(error) => checks.push(Check::problem(ABOUT, error.to_string(), "see why, and look again")),
        }
    }
    checks
}

/// The folder of an SQLite file, if it is not there and is not the data directory, which the first start makes.
fn missing_folder(configuration: &Configuration) -> Option<&Path> {
    let folder = Path::new(configuration.database.strip_prefix("sqlite:")?).parent()?;
    let elsewhere = !folder.as_os_str().is_empty() && folder != configuration.data_dir;
    (elsewhere && !folder.is_dir()).then_some(folder)
}

fn version(look: &Look, shown: &str) -> Check {
    const ABOUT: &str = "database";
    let Look { schema, known, .. } = look;
    let found = format!("{shown} has schema version {schema}");
    match schema.cmp(known) {
        _ if *schema == 0 => Check::advice(
            ABOUT,
            format!("{shown} has nothing in it, or is not there"),
            "the first start fills it; if there was one, say which with --database or --data-dir",
        ),
        std::cmp::Ordering::Less => Check::advice(
            ABOUT,
            format!("{found}, and this Portcullis writes {known}"),
            "the next start brings it up to date: make a backup before, with the Portcullis that serves it now",
        ),
        std::cmp::Ordering::Equal => Check::good(ABOUT, found),
        std::cmp::Ordering::Greater => Check::problem(
            ABOUT,
            format!("{found}, and this Portcullis knows {known}"),
            "start a newer Portcullis: this one does not serve it",
        ),
    }
}

fn server_version(server: &Server) -> Check {
    const ABOUT: &str = "PostgreSQL";
    if server.number >= OLDEST {
        return Check::good(ABOUT, &server.version);
    }
    let remedy = format!("move to version {} or later", OLDEST / 10_000);
    Check::advice(ABOUT, format!("{} is no longer mended", server.version), remedy)
}

/// The database was asked between two moments of our own clock.
fn clock(server: &Server, before: Timestamp, after: Timestamp) -> Check {
    const ABOUT: &str = "clock";
    let there = server.clock.millis();
    let apart = (before.millis() - there).max(there - after.millis()).max(0);
    let told = format!("{} s apart from the database's", apart / 1000);
    let remedy = "keep both machines' clocks by NTP: tokens, signatures and leases hang on them";
    match apart {
        ..APART => Check::good(ABOUT, "the same as the database's"),
        APART..TOO_FAR_APART => Check::advice(ABOUT, told, remedy),
        _ => Check::problem(ABOUT, told, remedy),
    }
}

async fn key(configuration: &Configuration, random: &Arc<dyn Random>) -> Result<(Check, Master), Check> {
    const ABOUT: &str = "master key";
    let refuse = |found: String, remedy: &str| Check::problem(ABOUT, found, remedy);
    let master = master_key::of_copy(configuration, random).await;
    let master = master.map_err(|failure| {
        refuse(failure.to_string(), "put it back from where it was kept: no other opens the database")
    })?;
    match store::opens(&configuration.database, &master, random).await {
        Ok(()) => Ok((Check::good(ABOUT, "opens the data key"), master)),
        Err(StoreError::Unsealable) if configuration.data("master.next").exists() => Err(refuse(
            "a change of it was interrupted".to_owned(),
            "start the server, which ends the change",
        )),
        Err(StoreError::Unsealable) => Err(refuse(
            "it is not the one that the database is under".to_owned(),
            "put the right one back, into master.key of the data directory or PORTCULLIS_MASTER_KEY",
        )),
        Err(error) => Err(refuse(error.to_string(), "see docs/keys.md")),
    }
}

/// Who serves the database, one line each, by the names that servers say in their logs when they start.
async fn replicas(store: &Store) -> Vec<Check> {
    const ABOUT: &str = "replica";
    match store.live_replicas().await {
        Ok(live) => {
            let found = |it: LiveReplica| Check::good(ABOUT, format!("{} serves since {}", it.id, it.since));
            live.into_iter().map(found).collect()
        }
        Err(error) => vec![Check::problem(ABOUT, error.to_string(), "see why, and look again")],
    }
}

/// Whether the ends of the chains are signed and the checkpoints can be read; `audit verify` looks at every event.
async fn audit(configuration: &Configuration, store: &Store) -> Check {
    const ABOUT: &str = "audit trail";
    let remedy = "see what was done with `portcullis audit verify`";
    let ends = match store.chain_ends().await {
        Ok(ends) => ends,
        Err(error) => return Check::problem(ABOUT, error.to_string(), remedy),
    };
    let mut wrong = Vec::new();
    for it in &ends {
        match store.chain_key(&it.end.chain) {
            Ok(key) if key.signed(&it.end) && key.signed(&it.closed) => {}
            Ok(_) => wrong.push(format!("the end of the chain {} is not signed by us", it.end.chain)),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    match KeptCheckpoints::open(std::slice::from_ref(&configuration.audit.checkpoints)) {
        Ok(kept) => {
            let told = kept.findings().iter().take(TOLD);
            wrong.extend(told.map(|finding| format!("a checkpoint: {}", finding.detail)));
        }
        Err(error) => wrong.push(error.to_string()),
    }
    if wrong.is_empty() {
        let events: i64 = ends.iter().map(|it| it.end.place - it.closed.place).sum();
        return Check::good(ABOUT, format!("{} chains with {events} events and signed ends", ends.len()));
    }
    Check::problem(ABOUT, wrong.join("\n"), remedy)
}
