//! `cargo xtask sanitize`: what Rust's rules do not reach (C code below us, and threads), under the compiler's sanitizers.
//!
//! AddressSanitizer runs the fuzz targets on their seeds and corpus, and a while longer, and the tests of the crates around C:
//! `store` (SQLite), `identity` (AWS-LC), `telemetry`. ThreadSanitizer runs tests of the crates with threads of their own; it
//! wants the standard library built with it, or it takes what that does with locks for races.
//!
//! Sanitizers are in the nightly compiler alone, which nothing else here uses. Each part has a target folder of its own, because
//! everything is built with other flags. C code is built with AddressSanitizer too, for its build scripts take over the flag;
//! assembler is not looked into.

use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use crate::chore::{Chore, Failure};
use crate::fuzz;

/// The one target that is tried.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The crates around C code, and those with threads.
const AROUND_C: [&str; 3] = ["portcullis-store", "portcullis-identity", "portcullis-telemetry"];
const WITH_THREADS: [&str; 2] = ["portcullis-telemetry", "portcullis-store"];

/// A part of the chore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The fuzz targets under AddressSanitizer
    Targets,
    /// Tests around C code under AddressSanitizer
    Tests,
    /// Tests with threads under ThreadSanitizer
    Threads,
}

pub(crate) fn run(chore: &Chore, seconds: u32, only: Option<Part>) -> Result<(), Failure> {
    let nightly = Nightly::find()?;
    let parts = [Part::Targets, Part::Tests, Part::Threads];
    for part in parts.into_iter().filter(|part| only.is_none_or(|only| only == *part)) {
        match part {
            Part::Targets => targets(chore, seconds)?,
            Part::Tests => tests(chore, "address", &AROUND_C, &[])?,
            Part::Threads if nightly.has_source => {
                tests(chore, "thread", &WITH_THREADS, &["-Zbuild-std"])?;
            }
            Part::Threads => {
                let missing = "threads: not looked at, for the standard library has to be built for it: \
                               `rustup component add rust-src --toolchain nightly`";
                if only.is_some() {
                    return Err(Failure::new(missing));
                }
                chore.say(missing);
            }
        }
    }
    chore.say("nothing was found");
    Ok(())
}

/// The compiler that has sanitizers.
struct Nightly {
    /// Whether its standard library can be built.
    has_source: bool,
}

impl Nightly {
    fn find() -> Result<Self, Failure> {
        let printed = Command::new("rustc").args(["+nightly", "--print", "sysroot"]).output();
        let printed = printed.ok().filter(|it| it.status.success()).ok_or_else(|| {
            Failure::new("sanitizers are in the nightly compiler alone: `rustup toolchain install nightly --profile minimal`, and try again")
        })?;
        let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
        let source = Path::new(printed.trim()).join("lib/rustlib/src/rust/library/Cargo.lock");
        Ok(Self { has_source: source.is_file() })
    }
}

/// Runs each fuzz target on what is known, and on.
fn targets(chore: &Chore, seconds: u32) -> Result<(), Failure> {
    let cargo_fuzz = fuzz::cargo_fuzz(chore)?;
    let command = |verb: &str| {
        let mut command = Command::new(&cargo_fuzz);
        command.args(["fuzz", verb, "--fuzz-dir", "fuzz", "--sanitizer", "address"]);
        // Which Cargo runs this is another's affair.
        command.args(["--target-dir", "target/sanitize-targets"]).env_remove("CARGO");
        command.env("RUSTUP_TOOLCHAIN", "nightly");
        command
    };
    chore.say("building the fuzz targets with AddressSanitizer: this takes minutes the first time");
    chore.run(&mut command("build"))?;
    for target in fuzz::targets(None)? {
        let known = fuzz::corpus(&target)?;
        chore.say(format!("{target}: what is known, and {seconds} seconds"));
        let mut run = command("run");
        run.arg(&target).args([&known.grown, &known.seeds]).arg("--").args(fuzz::BOUNDS);
        chore.run(run.arg(format!("-max_total_time={seconds}")))?;
    }
    Ok(())
}

/// Runs the tests of crates under a sanitizer.
fn tests(chore: &Chore, sanitizer: &str, crates: &[&str], more: &[&str]) -> Result<(), Failure> {
    chore.say(format!("tests under the sanitizer `{sanitizer}`: {}", crates.join(", ")));
    let mut tests = Command::new("cargo");
    tests.env_remove("CARGO").args(["test", "--quiet", "--lib", "--tests", "--target", TARGET]).args(more);
    tests.args(["--target-dir", &format!("target/sanitize-{sanitizer}")]);
    for name in crates {
        tests.args(["--package", name]);
    }
    tests.env("RUSTUP_TOOLCHAIN", "nightly").env("RUSTFLAGS", format!("-Zsanitizer={sanitizer}"));
    // What lives as long as the process is no leak; and SQLite has tables of one name in several functions, which is C.
    tests.env("ASAN_OPTIONS", "detect_leaks=0:detect_odr_violation=0").env("PROPTEST_CASES", "16");
    chore.run(&mut tests)
}
