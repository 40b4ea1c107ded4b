//! `cargo xtask fuzz`: what reads the bytes of strangers, tried with many of them.
//!
//! The targets are in `fuzz/fuzz_targets/`. Each is tried for a bounded time, from the seeds that are checked in
//! (`fuzz/seeds/`) and from what earlier runs on this machine found worth keeping (`fuzz/corpus/`, ignored by git). What
//! breaks a target is in `fuzz/artifacts/`, and ends the chore in failure once all targets were tried.
//!
//! The compiler is the project's own: coverage needs no other, and sanitizers, which would, look for what code without
//! `unsafe` cannot do.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::chore::{Chore, Failure, is_installed, project};

/// The version of cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";
/// The longest input that is tried, in bytes.
const MAX_LENGTH: &str = "-max_len=16384";
/// An input that takes this many seconds is a finding.
const TIMEOUT: &str = "-timeout=10";
/// A target that takes this many MiB is a finding.
const MEMORY: &str = "-rss_limit_mb=2048";

pub(crate) fn run(chore: &Chore, seconds: u32, only: Option<&str>) -> Result<(), Failure> {
    let targets = targets(only)?;
    let cargo_fuzz = cargo_fuzz(chore)?;
    chore.say("building, instrumented: this takes minutes the first time");
    chore.run(Command::new(&cargo_fuzz).args([
        "fuzz",
        "build",
        "--fuzz-dir",
        "fuzz",
        "--sanitizer",
        "none",
    ]))?;
    let mut broken = Vec::new();
    for target in &targets {
        let known = corpus(target)?;
        chore.say(format!("{target}: {seconds} seconds, from {} inputs", known.inputs));
        let mut command = Command::new(&cargo_fuzz);
        command.args(["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none", target]);
        command.args([&known.grown, &known.seeds]).arg("--");
        command.args([MAX_LENGTH, TIMEOUT, MEMORY, "-verbosity=0", "-print_final_stats=1"]);
        if chore.run(command.arg(format!("-max_total_time={seconds}"))).is_err() {
            broken.push(target.as_str());
        }
    }
    if broken.is_empty() {
        chore.say("nothing broke");
        return Ok(());
    }
    Err(Failure::new(format!(
        "broken: {}. The inputs are in fuzz/artifacts; once it is mended, each is worth a test or a seed",
        broken.join(", ")
    )))
}

/// The targets' names, or the one that is asked for.
fn targets(only: Option<&str>) -> Result<Vec<String>, Failure> {
    let entries = std::fs::read_dir(project().join("fuzz/fuzz_targets"))?;
    let name = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut all: Vec<String> = entries.flatten().filter_map(|entry| name(entry.path())).collect();
    all.sort();
    match only {
        None => Ok(all),
        Some(only) if all.iter().any(|target| target == only) => Ok(vec![only.to_owned()]),
        Some(only) => Err(Failure::new(format!("there is no target `{only}`; there are {}", all.join(", ")))),
    }
}

/// Where a target's inputs are.
struct Corpus {
    grown: PathBuf,
    seeds: PathBuf,
    inputs: usize,
}

fn corpus(target: &str) -> Result<Corpus, Failure> {
    let (grown, seeds) =
        (project().join("fuzz/corpus").join(target), project().join("fuzz/seeds").join(target));
    std::fs::create_dir_all(&grown)?;
    let count = |folder: &Path| std::fs::read_dir(folder).map(Iterator::count);
    let inputs = count(&grown)? + count(&seeds)?;
    Ok(Corpus { grown, seeds, inputs })
}

/// The program cargo-fuzz, of our version, in an ignored folder.
fn cargo_fuzz(chore: &Chore) -> Result<PathBuf, Failure> {
    if !is_installed("c++") {
        return Err(Failure::new("libFuzzer is C++: install a compiler (Debian: g++) and try again"));
    }
    let folder = project().join(".tools").join(format!("cargo-fuzz-{CARGO_FUZZ}"));
    let program = folder.join("bin/cargo-fuzz");
    if !program.is_file() {
        chore.say(format!("installing cargo-fuzz {CARGO_FUZZ}"));
        let mut install = crate::chore::cargo();
        install.args(["install", "cargo-fuzz", "--locked", "--quiet", "--version", CARGO_FUZZ, "--root"]);
        chore.run(install.arg(&folder))?;
    }
    Ok(program)
}
