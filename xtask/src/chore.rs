//! What every chore shares: where the project is, how progress is told, how a failure is reported, and how another
//! program is run so that its failure is ours.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A chore under way.
pub(crate) struct Chore {
    name: &'static str,
    began: Instant,
}

impl Chore {
    pub(crate) fn begin(name: &'static str) -> Self {
        Self { name, began: Instant::now() }
    }

    /// Tells the person who waits what is being done now.
    pub(crate) fn say(&self, what: impl AsRef<str>) {
        let seconds = self.began.elapsed().as_secs();
        let line = format!("[{} {:02}:{:02}] {}\n", self.name, seconds / 60, seconds % 60, what.as_ref());
        // Nobody is left to tell when standard error is closed.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    /// Runs another program in the project's folder and waits for it.
    pub(crate) fn run(&self, command: &mut Command) -> Result<(), Failure> {
        let shown = show(command);
        let status = command
            .current_dir(project())
            .status()
            .map_err(|error| Failure::new(format!("cannot start `{shown}`: {error}")))?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("`{shown}` failed ({status})"))) }
    }

    /// Runs programs at once in the project's folder. What the first prints is seen as it comes, what the others print when
    /// they have ended. The first failure is told, when all have ended.
    pub(crate) fn run_together(&self, first: &mut Command, others: &mut [Command]) -> Result<(), Failure> {
        let mut behind = Vec::new();
        for other in others {
            let shown = show(other);
            let child = other
                .current_dir(project())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(|error| Failure::new(format!("cannot start `{shown}`: {error}")))?;
            behind.push((shown, std::thread::spawn(move || child.wait_with_output())));
        }
        let mut outcome = self.run(first);
        for (shown, waiting) in behind {
            let output = waiting.join().map_err(|_| Failure::new(format!("lost `{shown}`")))??;
            self.say(format!("what `{shown}` printed"));
            std::io::stdout().write_all(&output.stdout)?;
            std::io::stderr().write_all(&output.stderr)?;
            if !output.status.success() {
                outcome = outcome.and(Err(Failure::new(format!("`{shown}` failed ({})", output.status))));
            }
        }
        outcome
    }

    /// Runs another program and gives what it printed.
    pub(crate) fn output(&self, command: &mut Command) -> Result<String, Failure> {
        let shown = show(command);
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| Failure::new(format!("cannot start `{shown}`: {error}")))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(Failure::new(format!("`{shown}` failed ({})", output.status)))
        }
    }
}

/// Cargo, as it runs this.
pub(crate) fn cargo() -> Command {
    Command::new(env!("CARGO"))
}

/// The folder of the checkout.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// How many things can be computed at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// Whether a program is on the search path.
#[expect(clippy::disallowed_methods, reason = "a chore finds its tools where its user has them")]
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether the chore runs as root, who may install packages and may not run PostgreSQL.
pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap_or_default();
    line.split_whitespace().nth(2) == Some("0")
}

/// Installs a package of Debian's, where that can be done.
pub(crate) fn install_package(chore: &Chore, package: &str) -> Result<(), Failure> {
    if !is_root() || !is_installed("apt-get") {
        return Err(Failure::new(format!("this needs the package `{package}`: install it and try again")));
    }
    chore.say(format!("installing Debian's package {package}"));
    let mut update = Command::new("apt-get");
    chore.run(update.args(["update", "-qq"]).stdout(Stdio::null()))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    chore.run(install.args(["install", "-y", "-qq", "--no-install-recommends", package]))
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Why a chore could not be done, in words for the person who asked for it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

pub(crate) fn complain(failure: &Failure) {
    let _ = writeln!(std::io::stderr(), "xtask: {failure}");
}

/// Reads a file of the project.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}
