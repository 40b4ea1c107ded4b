//! `portcullis backup`: the whole database, as it is at one moment, in one sealed file.

use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use domain::{AccountId, AuditEvent, Random, SystemRandom};
use serde_json::json;
use store::Copied;

use super::open::{block_on, open};
use super::progress::Progress;
use super::serve::told_to_end;
use crate::bootstrap::{event, without_password};
use crate::command_line::Settings;
use crate::configuration::{Configuration, operator};
use crate::terminal::{Failure, Shown, say};

/// How much is gathered before the disk is asked.
const BUFFER: usize = 1024 * 1024;

#[derive(Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    settings: Settings,
    /// The file, which only its owner may read
    file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Makes a backup.
pub(crate) fn run(arguments: Backup) -> Result<(), Failure> {
    let Backup { settings, file, force, json } = arguments;
    let place = if force { Place::Replaced(file) } else { Place::New(file) };
    block_on(async {
        tokio::select! {
            done = back_up(&settings, &place, Shown::of(json)) => done,
            () = told_to_end() => Err(Failure::new("it was told to end: there is no backup")),
        }
    })
}

async fn back_up(settings: &Settings, place: &Place, shown: Shown) -> Result<(), Failure> {
    place.check()?;
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    must_be_current(&Configuration::read(settings)?.database, &random).await?;
    let opened = open(settings).await?;
    let now = opened.clock.now();
    let unfinished = Unfinished::beside(place.path(), &*random)?;
    // Before the copy, so that it is on record in both who took the data with them.
    let noted = event("database.backup", &AccountId::first(), &*opened.clock, &*random);
    let reason = Some(format!("{} made a backup of the whole database", operator()));
    opened.store.begin().await?.commit(&AuditEvent { reason, ..noted }).await?;
    let progress = Progress::new("copying");
    let mut writer = BufWriter::with_capacity(BUFFER, unfinished.file()?);
    let copied = opened.store.back_up(&mut writer, now, &mut |step| progress.step(step)).await;
    let copied = copied.map_err(|error| cannot_write(place.path(), &error))?;
    drop((progress, writer));
    unfinished.finish(place)?;
    opened.store.close().await;
    tell(&copied, place.path(), shown)
}

fn tell(copied: &Copied, path: &Path, shown: Shown) -> Result<(), Failure> {
    let bytes = std::fs::metadata(path).map_or(0, |found| found.len());
    match shown {
        Shown::Json => say(json!({
            "file": path.display().to_string(),
            "bytes": bytes,
            "madeAt": copied.at.to_string(),
            "schema": copied.schema,
            "tables": copied.tables,
            "rows": copied.rows,
        })),
        Shown::Text => say(format!(
            "{} rows of {} tables are in {} ({bytes} bytes), as they were at {}.\nIt opens with the master key that there is now: keep that elsewhere.",
            copied.rows,
            copied.tables,
            path.display(),
            copied.at
        )),
    }
}

/// Copies are made of tables that are up to date alone: those of an older version belong to a program that may still
/// serve them.
pub(super) async fn must_be_current(database: &str, random: &Arc<dyn Random>) -> Result<(), Failure> {
    let shown = without_password(database);
    let look = store::look(database, random).await;
    let look = look.map_err(|error| Failure::new(format!("cannot open the database {shown}: {error}")))?;
    if look.schema == 0 {
        return Err(Failure::new(format!(
            "the database {shown} has nothing in it, or is not there: say which with --data-dir or --database"
        )));
    }
    if look.schema < look.known {
        return Err(Failure::new(format!(
            "the database {shown} has schema version {}, and this Portcullis writes {}: make the copy with the Portcullis that serves it, or start this one with it once",
            look.schema, look.known
        )));
    }
    Ok(())
}

/// Where the backup is to be.
enum Place {
    /// Nothing may be there.
    New(PathBuf),
    /// What is there is replaced.
    Replaced(PathBuf),
}

impl Place {
    fn path(&self) -> &Path {
        let (Self::New(path) | Self::Replaced(path)) = self;
        path
    }

    fn check(&self) -> Result<(), Failure> {
        let path = self.path();
        if path.is_dir() || path.file_name().is_none() {
            return Err(Failure::usage(format!("{} is a folder: name a file", path.display())));
        }
        if matches!(self, Self::New(_)) && path.symlink_metadata().is_ok() {
            return Err(Failure::new(format!(
                "{} is there already: name another file, or replace it with --force",
                path.display()
            )));
        }
        Ok(())
    }
}

/// A file beside its place, which is gone when it is not finished.
struct Unfinished {
    file: File,
    path: PathBuf,
}

impl Unfinished {
    fn beside(place: &Path, random: &dyn Random) -> Result<Self, Failure> {
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.unfinished", random.text(8, b"abcdefghijklmnopqrstuvwxyz0123456789")));
        let path = place.with_file_name(name);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = made.map_err(|error| cannot_write(&path, &error))?;
        Ok(Self { file, path })
    }

    fn file(&self) -> Result<File, Failure> {
        self.file.try_clone().map_err(|error| cannot_write(&self.path, &error))
    }

    fn finish(self, place: &Place) -> Result<(), Failure> {
        let path = place.path();
        let refused = |error: std::io::Error| cannot_write(path, &error);
        self.file.sync_all().map_err(refused)?;
        place.check()?;
        std::fs::rename(&self.path, path).map_err(refused)?;
        // The name is to last as well.
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(refused)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Not there any more when it was finished.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn cannot_write(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new(format!("cannot write the backup {}: {error}", path.display()))
}
