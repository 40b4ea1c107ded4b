//! `portcullis migrate`: everything that is in one database goes into another one, which must be empty. No server may run
//! meanwhile: what it writes to the old database afterwards would be lost.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use domain::{AccountId, AuditEvent, Random, SystemRandom};
use serde_json::json;
use store::{CopyError, Counted};

use super::backup::must_be_current;
use super::open::{block_on, open};
use super::progress::Progress;
use crate::bootstrap::{event, without_password};
use crate::command_line::Settings;
use crate::configuration::{Configuration, operator};
use crate::master_key;
use crate::terminal::{Failure, Shown, say, table};

/// How often it is looked whether somebody is still connected, and how long it is waited between: a verb that has just
/// ended may still be known to the database.
const LOOKS: usize = 10;
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    settings: Settings,
    /// The database to move from: sqlite:PATH or postgres://… [default: the configured one]
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The database to move to, which must be empty: sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL")]
    to: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Moves everything from one database into another.
pub(crate) fn run(arguments: Migrate) -> Result<(), Failure> {
    let Migrate { settings, from, to, json } = arguments;
    let settings = Settings { database: from.or_else(|| settings.database.clone()), ..settings };
    block_on(migrate(&settings, &to, Shown::of(json)))
}

async fn migrate(settings: &Settings, to: &str, shown: Shown) -> Result<(), Failure> {
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let configuration = Configuration::read(settings)?;
    let (from_shown, to_shown) = (without_password(&configuration.database), without_password(to));
    if configuration.database == to {
        return Err(Failure::usage(format!("{to_shown} is where it is moved from: name another with --to")));
    }
    must_be_current(&configuration.database, &random).await?;
    let target = store::look(to, &random).await;
    let target = target.map_err(|error| Failure::new(format!("cannot open {to_shown}: {error}")))?;
    if target.schema != 0 {
        return Err(not_empty(&to_shown));
    }
    // Held until the end, so that no server starts meanwhile.
    let _still = still(&configuration)?;
    nobody_connected(&configuration.database, &from_shown, &random).await?;
    let opened = open(settings).await?;
    let master = master_key::master(&opened.configuration, &random).await?;
    let noted = event("database.migrate", &AccountId::first(), &*opened.clock, &*random);
    let reason = Some(format!("{} moved everything from {from_shown} to {to_shown}", operator()));
    let noted = AuditEvent { reason, ..noted };
    let progress = Progress::new("copying");
    let counted =
        store::migrate(&opened.store, &master, to, &random, &noted, &mut |step| progress.step(step)).await;
    let counted = counted.map_err(|error| match error {
        CopyError::NotEmpty(_) => not_empty(&to_shown),
        error => Failure::new(format!("cannot move everything to {to_shown}: {error}\nNothing is there")),
    })?;
    drop(progress);
    opened.store.close().await;
    tell(&counted, &from_shown, &to_shown, shown)
}

fn tell(counted: &[Counted], from: &str, to: &str, shown: Shown) -> Result<(), Failure> {
    let rows: u64 = counted.iter().map(|it| it.rows).sum();
    if let Shown::Json = shown {
        let tables: serde_json::Map<_, _> =
            counted.iter().map(|it| (it.table.clone(), json!(it.rows))).collect();
        return say(json!({ "from": from, "to": to, "rows": rows, "tables": tables }));
    }
    let mut filled = table(&["TABLE", "ROWS"]);
    for it in counted.iter().filter(|it| it.rows > 0) {
        filled.add_row([it.table.clone(), it.rows.to_string()]);
    }
    say(filled)?;
    say(format!(
        "{rows} rows are in {to}, as many of each table as in {from}.\nServe from it with `database = \"{to}\"` (with its password, if it has one), and put the old database away."
    ))
}

/// Sees that no server uses the data directories about, and keeps them so.
fn still(configuration: &Configuration) -> Result<Vec<File>, Failure> {
    let path = configuration.database.strip_prefix("sqlite:").map(Path::new);
    let beside = path.and_then(Path::parent).map(|it| PathBuf::from(".").join(it));
    // By their real names: one folder is held once.
    let folders: BTreeSet<PathBuf> = std::iter::once(configuration.data_dir.clone())
        .chain(beside)
        .filter_map(|folder| folder.canonicalize().ok())
        .collect();
    let mut held = Vec::new();
    for folder in folders {
        let lock = compute::hold(&folder.join("functions")).map_err(|error| match error {
            compute::SetupError::InUse(_) => Failure::new(format!(
                "a server uses the data directory {}: stop it first, because what it writes meanwhile would be lost",
                folder.display()
            )),
            error => Failure::new(error.to_string()),
        })?;
        held.extend(lock);
    }
    Ok(held)
}

/// Sees that no server is connected, on whatever machine; only PostgreSQL has servers on others.
async fn nobody_connected(url: &str, shown: &str, random: &Arc<dyn Random>) -> Result<(), Failure> {
    let mut connections = 0;
    for _ in 0..LOOKS {
        connections = store::look(url, random).await?.server.map_or(0, |server| server.connections);
        if connections == 0 {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Failure::new(format!(
        "servers are connected to {shown} ({connections} connections): stop them all first, because what they write meanwhile would be lost"
    )))
}

fn not_empty(database: &str) -> Failure {
    Failure::new(format!("the database {database} is not empty: name an empty one with --to"))
}
