//! `portcullis restore`: fills an empty database with a backup. The file is read twice: it is known to be whole before
//! anything is made, and what is made is there all at once.

use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use domain::{AccountId, AuditEvent, Random, SystemClock, SystemRandom};
use rustix::process::getuid;
use serde_json::json;
use store::{CopyError, Master};

use super::open::block_on;
use super::progress::Progress;
use crate::audit_trail;
use crate::bootstrap::{event, make_data_dir, without_password};
use crate::command_line::Settings;
use crate::configuration::{Configuration, operator};
use crate::master_key;
use crate::terminal::{Failure, Shown, say};

const BUFFER: usize = 1024 * 1024;

#[derive(Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    settings: Settings,
    /// The backup
    file: PathBuf,
    /// Read the backup to its end, say what is in it, and change nothing
    #[arg(long)]
    check: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Restores a backup.
pub(crate) fn run(arguments: &Restore) -> Result<(), Failure> {
    block_on(restore(arguments))
}

async fn restore(arguments: &Restore) -> Result<(), Failure> {
    let Restore { settings, file, check, json } = arguments;
    let configuration = Configuration::read(settings)?;
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let database = without_password(&configuration.database);
    if !check {
        must_be_empty(&configuration.database, &database, &random).await?;
    }
    let master = master_key::of_copy(&configuration, &random).await?;
    let progress = Progress::new("checking");
    let found = open(file, &master).await?.check(&mut |step| progress.step(step)).await;
    let found = found.map_err(|error| cannot_read(file, &error))?;
    drop(progress);
    if !check {
        make_data_dir(&configuration)?;
        let chain = audit_trail::own_chain(&configuration, &*random)?;
        let noted = event("database.restore", &AccountId::first(), &SystemClock, &*random);
        let reason = format!("{} restored a backup that shows the moment {}", operator(), found.at);
        let noted = AuditEvent { reason: Some(reason), ..noted };
        let progress = Progress::new("restoring");
        let backup = open(file, &master).await?;
        let (url, watcher) = (&configuration.database, &mut |step| progress.step(step));
        let restored = backup.restore(url, &random, &chain, &noted, watcher).await;
        restored.map_err(|error| match error {
            CopyError::NotEmpty(_) => not_empty(&database),
            CopyError::Store(error) => Failure::new(format!(
                "cannot fill the database {database}: {error}\nNothing of the backup is in it"
            )),
            error => cannot_read(file, &error),
        })?;
    }
    let made_at = found.at.to_string();
    match (Shown::of(*json), check) {
        (Shown::Json, _) => say(json!({
            "madeAt": made_at,
            "schema": found.schema,
            "tables": found.tables,
            "rows": found.rows,
            "restored": !check,
        })),
        (Shown::Text, true) => say(format!(
            "The backup is whole: {} rows of {} tables, as they were at {made_at}.",
            found.rows, found.tables
        )),
        (Shown::Text, false) => say(format!(
            "{} rows of {} tables are in the database {database}, as they were at {made_at}.{}\nSee that the trail is whole with `portcullis audit verify`, and start the server.",
            found.rows,
            found.tables,
            whose(&configuration.data_dir)
        )),
    }
}

/// What is to be done where the data directory belongs to somebody else, as it does when root restores for a server that is
/// not root: that could not open what was written.
fn whose(data_dir: &Path) -> String {
    let (user, shown) = (getuid().as_raw(), data_dir.display());
    match data_dir.metadata() {
        Ok(found) if found.uid() != user => {
            let (owner, group) = (found.uid(), found.gid());
            format!(
                "\nThey were written as uid {user}, and {shown} belongs to uid {owner}. So that a server of that user can open them: chown -R {owner}:{group} {shown}/"
            )
        }
        _ => String::new(),
    }
}

async fn open(path: &Path, master: &Master) -> Result<store::Backup<BufReader<File>>, Failure> {
    let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
    let reader = BufReader::with_capacity(BUFFER, file);
    store::Backup::open(reader, master).await.map_err(|error| cannot_read(path, &error))
}

/// Looked at before the file is read, which may take its time, and again when the database is filled.
async fn must_be_empty(url: &str, shown: &str, random: &Arc<dyn Random>) -> Result<(), Failure> {
    let look = store::look(url, random).await;
    let look = look.map_err(|error| Failure::new(format!("cannot open the database {shown}: {error}")))?;
    if look.schema == 0 { Ok(()) } else { Err(not_empty(shown)) }
}

fn not_empty(database: &str) -> Failure {
    Failure::new(format!(
        "the database {database} is not empty: a backup is restored into an empty one. Name another with --data-dir or --database"
    ))
}

fn cannot_read(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new(format!("cannot restore {}: {error}", path.display()))
}
