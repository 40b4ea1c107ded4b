//! `cargo xtask release`: the server as `cargo build --release` makes it, and laid out by what it does most.
//!
//! The compiler counts what a first build does while the benchmark calls it, and arranges a second one by these counts
//! (profile-guided optimisation: <https://doc.rust-lang.org/rustc/profile-guided-optimization.html>): what is called often
//! lies together and is inlined, what is hardly ever called is made small and lies elsewhere. What the program does stays the
//! same; nothing of the profile is kept with the project, which is measured anew for each compiler and each source.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::chore::{Chore, Failure, cargo, project};

/// Where everything is put, in the folder that Git ignores.
const FOLDER: &str = "target/profiled";
/// What is hardly ever called lies in the program apart from what is; a linker that does not know this leaves it be.
const APART: &str = "-Clink-arg=-Wl,-z,keep-text-section-prefix";
/// What the counts are of: calls, lists, streams and functions as they are measured, and starts with gateways stored.
const TRAINING: [&[&str]; 2] = [&["run", "--quick", "--seconds", "2"], &["start", "--gateways", "100"]];

/// Builds, calls, and builds again.
pub(crate) fn run(chore: &Chore) -> Result<(), Failure> {
    let compiler = Compiler::find(chore)?;
    let folder = project().join(FOLDER);
    let counts = folder.join("counts");
    let profile = folder.join("portcullis.profdata");
    if counts.exists() {
        std::fs::remove_dir_all(&counts)?;
    }
    std::fs::create_dir_all(&counts)?;

    chore.say("building what counts: this takes minutes");
    let counting = compiler.build(chore, "counting", &format!("-Cprofile-generate={}", counts.display()))?;
    chore.say("building the benchmark");
    chore.run(cargo().args(["build", "--release", "--package", "bench"]))?;
    for part in TRAINING {
        chore.say(format!("counting: bench {}", part.join(" ")));
        let mut training = Command::new(project().join("target/release/bench"));
        training.args(part).arg("--server").arg(&counting).arg("--results").arg(folder.join("results"));
        chore.run(training.stdout(std::process::Stdio::null()))?;
    }
    if std::fs::read_dir(&counts)?.next().is_none() {
        return Err(Failure::new(
            "nothing was counted: does something set flags of the compiler for all builds?",
        ));
    }
    chore.run(Command::new(&compiler.profdata).arg("merge").arg("--output").arg(&profile).arg(&counts))?;

    chore.say("building by the counts: this takes minutes again");
    let built = compiler.build(chore, "arranged", &format!("-Cprofile-use={}", profile.display()))?;
    // One that runs is replaced, and keeps running; a copy that breaks off replaces nothing.
    let (new, shipped) = (folder.join("portcullis.new"), folder.join("portcullis"));
    std::fs::copy(built, &new)?;
    std::fs::rename(&new, &shipped)?;
    chore.say(format!("the server is {}", shipped.display()));
    Ok(())
}

/// The compiler, and what belongs to it.
struct Compiler {
    /// What it builds for.
    host: String,
    /// Its `llvm-profdata`: the counts are in a form that changes from one LLVM to the next.
    profdata: PathBuf,
}

impl Compiler {
    fn find(chore: &Chore) -> Result<Self, Failure> {
        let ask = |what: &str| {
            let answer = chore.output(Command::new("rustc").args(["--print", what]))?;
            Ok::<_, Failure>(answer.trim().to_owned())
        };
        let (host, root) = (ask("host-tuple")?, ask("sysroot")?);
        let profdata = Path::new(&root).join("lib/rustlib").join(&host).join("bin/llvm-profdata");
        if !profdata.is_file() {
            return Err(Failure::new(
                "the compiler's own llvm-profdata is missing: `rustup component add llvm-tools`, and try again \
                 (`cargo build --release` needs none, and makes a server that is slower and larger)",
            ));
        }
        Ok(Self { host, profdata })
    }

    /// Builds the server with a flag; gives its path. With a target named, the flag is the server's alone: build scripts
    /// and macros do not get it. Both builds are of one profile, because its settings are in the names of functions, by
    /// which counts are found; and of one without optimisation across crates, which would begin before there is a count.
    fn build(&self, chore: &Chore, folder: &str, flag: &str) -> Result<PathBuf, Failure> {
        let folder = project().join(FOLDER).join(folder);
        let mut build = cargo();
        build.args(["build", "--release", "--package", "portcullis", "--bin", "portcullis"]);
        build.args(["--target", &self.host, "--target-dir"]).arg(&folder);
        // In this form a path may have blanks; and it wins over what else the environment has.
        build.env("CARGO_ENCODED_RUSTFLAGS", format!("{flag}\u{1f}{APART}"));
        build.env("CARGO_PROFILE_RELEASE_LTO", "off");
        chore.run(&mut build)?;
        Ok(folder.join(&self.host).join("release/portcullis"))
    }
}
