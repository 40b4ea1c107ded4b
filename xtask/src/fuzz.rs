//! `cargo xtask fuzz`: what reads the bytes of strangers, tried with many of them.
//!
//! The targets are in `fuzz/fuzz_targets/`. Each is tried for a bounded time, from the seeds that are checked in
//! (`fuzz/seeds/`) and from what earlier runs on this machine found worth keeping (`fuzz/corpus/`, ignored by git). What
//! breaks a target is in `fuzz/artifacts/`, and ends the chore in failure once all targets were tried. Several are tried side
//! by side; the last lines say of each how much was.
//!
//! The compiler is the project's own: coverage needs no other. `cargo xtask sanitize` has the sanitizers.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::chore::{Chore, Failure, cores, is_installed, project};

/// The version of cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";
/// The longest input that is tried, in bytes; how many seconds of one input, and MiB of a target, are a finding.
pub(crate) const BOUNDS: [&str; 5] =
    ["-max_len=16384", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1"];

/// How long each target is tried, in seconds: to see whether it breaks at all, and in earnest.
const BRIEFLY: u32 = 60;
const FULLY: u32 = 600;

/// How much is tried.
pub(crate) struct Extent {
    pub(crate) seconds: Option<u32>,
    pub(crate) full: bool,
    pub(crate) jobs: Option<usize>,
    pub(crate) only: Option<String>,
}

pub(crate) fn run(chore: &Chore, extent: &Extent) -> Result<(), Failure> {
    let targets = targets(extent.only.as_deref())?;
    let seconds = extent.seconds.unwrap_or(if extent.full { FULLY } else { BRIEFLY });
    let jobs = extent.jobs.unwrap_or_else(cores).clamp(1, targets.len().max(1));
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
    let (waiting, tried) = (Mutex::new(VecDeque::from(targets)), Mutex::new(Vec::new()));
    let work = || -> Result<(), Failure> {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(target) = next else { return Ok(()) };
            let one = try_one(chore, &cargo_fuzz, target, seconds)?;
            tried.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        }
    };
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        working.into_iter().try_for_each(|it| it.join().map_err(|_| Failure::new("lost a target"))?)
    })?;
    let mut tried = tried.into_inner().unwrap_or_else(PoisonError::into_inner);
    tried.sort_by(|one, other| one.target.cmp(&other.target));
    for it in &tried {
        let verdict = if it.holds { "holds" } else { "BROKEN" };
        chore.say(format!("{:<16} {verdict:<6} {:>12} inputs tried, {} kept", it.target, it.tried, it.kept));
    }
    let broken: Vec<&str> = tried.iter().filter(|it| !it.holds).map(|it| it.target.as_str()).collect();
    if broken.is_empty() {
        chore.say("nothing broke");
        return Ok(());
    }
    Err(Failure::new(format!(
        "broken: {}. The inputs are in fuzz/artifacts; once it is mended, each is worth a test or a seed",
        broken.join(", ")
    )))
}

/// What became of a target.
struct Tried {
    target: String,
    holds: bool,
    /// How many inputs were tried, and how many of them were new to the corpus.
    tried: u64,
    kept: u64,
}

/// Tries one target. What it prints is shown when it breaks.
fn try_one(chore: &Chore, cargo_fuzz: &Path, target: String, seconds: u32) -> Result<Tried, Failure> {
    let known = corpus(&target)?;
    chore.say(format!("{target}: {seconds} seconds, from {} inputs", known.inputs));
    let mut command = Command::new(cargo_fuzz);
    command.args(["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none", &target]);
    command.args([&known.grown, &known.seeds]).arg("--");
    let output =
        command.args(BOUNDS).arg(format!("-max_total_time={seconds}")).current_dir(project()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let holds = output.status.success();
    if !holds {
        chore.say(format!("{target} broke:\n{said}"));
    }
    let (tried, kept) = (stat(&said, "number_of_executed_units"), stat(&said, "new_units_added"));
    Ok(Tried { target, holds, tried, kept })
}

/// A number that libFuzzer tells at the end, such as `stat::new_units_added: 7`.
fn stat(said: &str, name: &str) -> u64 {
    let value =
        said.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

/// The targets' names, or the one that is asked for.
pub(crate) fn targets(only: Option<&str>) -> Result<Vec<String>, Failure> {
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
pub(crate) struct Corpus {
    pub(crate) grown: PathBuf,
    pub(crate) seeds: PathBuf,
    inputs: usize,
}

pub(crate) fn corpus(target: &str) -> Result<Corpus, Failure> {
    let (grown, seeds) =
        (project().join("fuzz/corpus").join(target), project().join("fuzz/seeds").join(target));
    std::fs::create_dir_all(&grown)?;
    let count = |folder: &Path| std::fs::read_dir(folder).map(Iterator::count);
    let inputs = count(&grown)? + count(&seeds)?;
    Ok(Corpus { grown, seeds, inputs })
}

/// The program cargo-fuzz, of our version, in an ignored folder.
pub(crate) fn cargo_fuzz(chore: &Chore) -> Result<PathBuf, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_says_at_its_end_is_read() {
        let said = "Done 12 runs\nstat::number_of_executed_units: 4711\nstat::new_units_added:         7\n";
        assert_eq!((stat(said, "number_of_executed_units"), stat(said, "new_units_added")), (4_711, 7));
        assert_eq!(stat(said, "peak_rss_mb"), 0);
    }

    #[test]
    fn every_target_has_seeds_and_is_in_the_guide() {
        let guide = std::fs::read_to_string(project().join("docs/fuzzing.md")).unwrap();
        for target in targets(None).unwrap() {
            let seeds = project().join("fuzz/seeds").join(&target);
            assert!(
                std::fs::read_dir(&seeds).is_ok_and(|mut it| it.next().is_some()),
                "{target} has no seeds"
            );
            assert!(
                guide.contains(&format!("| `{target}` |")),
                "docs/fuzzing.md does not say what {target} is"
            );
        }
    }
}
