//! A PostgreSQL cluster for tests: of the system's binaries, in a temporary folder, on a port of its own, gone when the
//! chore ends.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::chore::{Chore, Failure, install_package, is_root};

/// A cluster that runs.
pub(crate) struct Cluster {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Cluster {
    pub(crate) fn start(chore: &Chore) -> Result<Self, Failure> {
        let binaries = install(chore)?;
        chore.say("starting a PostgreSQL cluster of its own");
        // PostgreSQL refuses to run as root, and its user cannot enter every folder.
        let folder = std::env::temp_dir().join(format!("portcullis-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        if is_root() {
            chore.run(Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Self { binaries, folder, port };
        let data = cluster.folder.join("data");
        let data = data.to_string_lossy();
        cluster.tool(chore, "initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N"])?;
        // Nothing of it outlives the tests, so nothing needs to reach the disk.
        let options = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200",
            cluster.folder.display()
        );
        let log = cluster.folder.join("log");
        cluster.tool(
            chore,
            "pg_ctl",
            &["-D", &data, "-o", &options, "-l", &log.to_string_lossy(), "-w", "start"],
        )?;
        Ok(cluster)
    }

    /// The URL of a database on which others may be made.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Runs one of PostgreSQL's tools, as a user who may.
    fn tool(&self, chore: &Chore, name: &str, arguments: &[&str]) -> Result<(), Failure> {
        let program = self.binaries.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        chore.run(command.args(arguments).stdout(Stdio::null()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        let stopped = self.tool(
            &Chore::begin("postgres"),
            "pg_ctl",
            &["-D", &data.to_string_lossy(), "-m", "immediate", "-w", "stop"],
        );
        if stopped.is_ok() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Sees to it that PostgreSQL's binaries are there; gives their folder.
pub(crate) fn install(chore: &Chore) -> Result<PathBuf, Failure> {
    if let Some(binaries) = find_binaries() {
        return Ok(binaries);
    }
    install_package(chore, "postgresql")?;
    find_binaries().ok_or_else(|| Failure::new("PostgreSQL is installed and its binaries are not found"))
}

/// Where `initdb` is: on the search path's `pg_config` word, or where Debian keeps it.
fn find_binaries() -> Option<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut candidates: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    candidates.sort();
    candidates.extend(told);
    candidates.into_iter().rev().find(|folder| is_complete(folder))
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|tool| folder.join(tool).is_file())
}
