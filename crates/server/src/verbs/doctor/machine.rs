//! What the machine gives: files that are closed to others, room, open files, programs.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use prover::SolverUse;
use rustix::fs::{Access, access, statvfs};
use rustix::process::{Resource, getrlimit, getuid};

use super::Check;
use crate::command_line::Settings;
use crate::configuration::Configuration;

/// What is in the data directory for its owner's eyes alone.
const CLOSED: &[&str] =
    &["master.key", "master.next", "credentials", "portcullis.db", "portcullis.db-wal", "audit-replica"];
/// Less room than this is a problem, and less than the other is not much, in bytes.
const NO_ROOM: u64 = 256 * MEGABYTE;
const LITTLE_ROOM: u64 = 2 * 1024 * MEGABYTE;
const MEGABYTE: u64 = 1024 * 1024;
/// How many files a server has open beside the connections of its clients: the database, upstreams, functions, logs.
const OTHER_FILES: u64 = 512;

/// The settings, which were read.
pub(super) fn settings(settings: &Settings) -> Vec<Check> {
    let Some(path) = &settings.config else {
        return vec![Check::good("settings", "no file: flags, variables and what is usual")];
    };
    let found = path.display();
    let open = std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o022 != 0);
    vec![if open {
        Check::problem("settings", format!("others may write {found}"), format!("chmod go-w {found}"))
    } else {
        Check::good("settings", format!("{found} is read"))
    }]
}

/// The data directory and what is in it.
pub(super) fn data_dir(configuration: &Configuration) -> Vec<Check> {
    const ABOUT: &str = "data directory";
    let folder = &configuration.data_dir;
    let shown = folder.display();
    let found = match std::fs::metadata(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let remedy = "the first start makes it; if there was one, say where with --data-dir";
            return vec![Check::advice(ABOUT, format!("{shown} is not there"), remedy)];
        }
        Err(error) => {
            return vec![Check::problem(ABOUT, format!("cannot look at {shown}: {error}"), "see who may")];
        }
    };
    if !found.is_dir() {
        return vec![Check::problem(ABOUT, format!("{shown} is no folder"), "name one with --data-dir")];
    }
    let mut checks = Vec::new();
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let found = format!("this user (uid {}) may not write to {shown}", getuid().as_raw());
        let remedy = "run as the user who owns it, or give it to this one";
        checks.push(Check::problem(ABOUT, found, remedy));
    } else if found.uid() != getuid().as_raw() {
        let whose = format!("{shown} is of uid {}, and this is uid {}", found.uid(), getuid().as_raw());
        checks.push(Check::advice(ABOUT, whose, "run the verbs as the user whom the server runs as"));
    }
    // Functions of another user pass through.
    let passable = if configuration.functions.run_as.is_some() { 0o011 } else { 0 };
    if found.permissions().mode() & 0o077 & !passable != 0 {
        let remedy = format!("chmod {:o} {shown}", 0o700 | passable);
        checks.push(Check::problem(ABOUT, format!("others may look into {shown}"), remedy));
    }
    for name in CLOSED {
        let path = folder.join(name);
        let open = std::fs::metadata(&path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
        if open {
            let shown = path.display();
            let remedy = format!("chmod 600 {shown}, and think of who may have read it");
            checks.push(Check::problem(ABOUT, format!("{shown} is not its owner's alone"), remedy));
        }
    }
    if checks.is_empty() {
        checks.push(Check::good(ABOUT, format!("{shown} is its owner's alone")));
    }
    checks
}

/// How much room there is where the data are.
pub(super) fn room(configuration: &Configuration) -> Check {
    const ABOUT: &str = "disk";
    let existing = configuration.data_dir.ancestors().find(|it| it.exists());
    let folder = existing.unwrap_or(Path::new("."));
    let shown = configuration.data_dir.display();
    let found = match statvfs(folder) {
        Ok(found) => found,
        Err(error) => {
            return Check::advice(ABOUT, format!("cannot ask about {shown}: {error}"), "look with df");
        }
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let told = format!("{} MiB are free where {shown} is", free / MEGABYTE);
    let remedy = "make room: a database that cannot be written refuses changes, and so does an audit trail";
    match free {
        ..NO_ROOM => Check::problem(ABOUT, told, remedy),
        NO_ROOM..LITTLE_ROOM => Check::advice(ABOUT, told, remedy),
        _ => Check::good(ABOUT, told),
    }
}

/// Whether as many clients can be connected as are allowed.
pub(super) fn open_files(configuration: &Configuration) -> Check {
    const ABOUT: &str = "open files";
    let Some(limit) = getrlimit(Resource::Nofile).current else {
        return Check::good(ABOUT, "as many as there are");
    };
    let connections = u64::try_from(configuration.limits.connections).unwrap_or(u64::MAX);
    let wanted = connections.saturating_add(OTHER_FILES);
    let told = format!("{limit} at once, for up to {connections} connections and what else is open");
    if limit >= wanted {
        return Check::good(ABOUT, told);
    }
    let remedy = format!(
        "allow {wanted} (ulimit -n, LimitNOFILE=), or lower limits.connections; this is the limit of this shell, and the server may have another"
    );
    if limit <= OTHER_FILES {
        Check::problem(ABOUT, told, remedy)
    } else {
        Check::advice(ABOUT, told, remedy)
    }
}

/// What functions run on. Whoever has none of a language needs no interpreter; one that was named must be there.
pub(super) async fn interpreters(configuration: &Configuration) -> Vec<Check> {
    let functions = &configuration.functions;
    let named = [functions.python.clone(), functions.node.clone()];
    let [python, node] = named.clone();
    let found = compute::interpreters(python, node, configuration.path.clone()).await;
    let abouts = ["python", "node"];
    let each = abouts.into_iter().zip(found).zip(named);
    each.map(|((about, found), named)| match (found, named) {
        (Ok(path), _) => Check::good(about, path.display().to_string()),
        (Err(remedy), None) => Check::advice(about, "functions in this language cannot run", remedy),
        (Err(remedy), Some(path)) => {
            let found = format!("{} does not run functions", path.display());
            Check::problem(about, found, format!("correct functions.{about}: {remedy}"))
        }
    })
    .collect()
}

/// What proves things about policies.
pub(super) fn solver(configuration: &Configuration) -> Check {
    const ABOUT: &str = "solver";
    let settings = &configuration.solver;
    let found = settings.found().filter(|path| access(path, Access::EXEC_OK).is_ok());
    let remedy = "install cvc5, or name it with policy.solver-program";
    let none = format!("there is no `{}`", settings.program.display());
    match (settings.solver_use, found) {
        (SolverUse::Off, _) => Check::good(ABOUT, "policy.solver is off: nothing is proven"),
        (_, Some(path)) => Check::good(ABOUT, path.display().to_string()),
        (SolverUse::Auto, None) => {
            Check::advice(ABOUT, format!("{none}: what needs a proof stays undecided"), remedy)
        }
        (SolverUse::Required, None) => {
            Check::problem(ABOUT, format!("{none}: policies that need a proof are refused"), remedy)
        }
    }
}
