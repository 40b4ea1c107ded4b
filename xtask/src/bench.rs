//! `cargo xtask bench`: how fast the gateway is, beside a bare reverse proxy in the same run; and, by its name, what else is
//! measured: `memory`, `start`, `overload`, `soak`, `scaling`, `policy`, `iam`, `vault`.

use std::ffi::OsStr;
use std::process::Command;

use crate::chore::{Chore, Failure, cargo, project};
use crate::postgres::Cluster;

/// The parts of the benchmark that measure something by themselves.
const NAMED: [&str; 7] = ["memory", "start", "overload", "soak", "policy", "iam", "vault"];

/// Builds the server and the benchmark as they are shipped, and measures. Unless they begin with the name of something else
/// that is measured, `arguments` go to `bench run`.
pub(crate) fn run(chore: &Chore, arguments: &[String]) -> Result<(), Failure> {
    build(chore)?;
    match arguments.split_first() {
        Some((part, rest)) if part == "scaling" => scaling(chore, rest),
        Some((part, rest)) if NAMED.contains(&part.as_str()) => measure(chore, part, rest),
        _ => measure(chore, "run", arguments),
    }
}

/// What has a verdict and takes minutes: too much for a minute, and much for five.
pub(crate) fn endure(chore: &Chore) -> Result<(), Failure> {
    build(chore)?;
    chore.say("ten times what can be served, for a minute");
    measure(chore, "overload", &[""; 0])?;
    chore.say("a soak of five minutes");
    measure(chore, "soak", &[""; 0])
}

fn build(chore: &Chore) -> Result<(), Failure> {
    chore.say("building, optimised: this takes minutes the first time");
    chore.run(&mut optimised())
}

/// What builds the server and the benchmark as they are shipped.
pub(crate) fn optimised() -> Command {
    let mut build = cargo();
    build.args(["build", "--release", "--package", "portcullis", "--package", "bench"]);
    build
}

/// Measures a part with what [`optimised`] built.
pub(crate) fn measure(chore: &Chore, part: &str, arguments: &[impl AsRef<OsStr>]) -> Result<(), Failure> {
    // Thousands of connections need more descriptors than many shells allow at first.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$(ulimit -H -n)\" || true; exec \"$@\"", "sh"]);
    chore.run(command.arg(project().join("target/release/bench")).arg(part).args(arguments))
}

/// Replicas need a PostgreSQL: one of their own, unless they are given one.
fn scaling(chore: &Chore, arguments: &[String]) -> Result<(), Failure> {
    if arguments.iter().any(|argument| argument.starts_with("--database")) {
        return measure(chore, "scaling", arguments);
    }
    let cluster = Cluster::start(chore)?;
    let database = ["--database".to_owned(), cluster.url()];
    measure(chore, "scaling", &[database.as_slice(), arguments].concat())
}
