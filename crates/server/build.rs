//! Tells the linker how the program takes less memory:
//!
//! - which functions belong side by side: those that a start and calls execute (`cargo xtask layout` lists them). They are a
//!   fifth of the program and lie scattered over all of it, and the system maps 64 KiB around each place that is reached;
//! - that the places of addresses, all of which are read at the start, are written down as bits (`DT_RELR`) instead of 24
//!   bytes each.
//!
//! Only in optimised builds for Linux on x86-64, and only what the linker and this system can do. Without it the program does
//! the same and takes more memory.

#![allow(clippy::print_stdout, reason = "a build script speaks to Cargo on standard output")]
#![allow(clippy::disallowed_methods, reason = "and is spoken to in the environment")]

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The names of the functions, as they are in the program. Most have a digest in them, of the compiler, the profile, and the
/// versions and features of all that they are made of: in another build the linker finds fewer of them, or none, and orders
/// what it finds.
const ORDER: &str = "functions.order";
/// What the list is made for.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Where Cargo is told of another linker.
const LINKER: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER";
/// Set by `cargo xtask layout`, which wants the names of functions in the program: in a build that is like any other, for
/// flags and profiles are in the names.
const KEEP_NAMES: &str = "PORTCULLIS_KEEP_NAMES";
/// Set for a program that older systems than this one are to run.
const OLD_LOADERS: &str = "PORTCULLIS_OLD_LOADERS";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={ORDER}");
    println!("cargo::rerun-if-env-changed={LINKER}");
    println!("cargo::rerun-if-env-changed={KEEP_NAMES}");
    println!("cargo::rerun-if-env-changed={OLD_LOADERS}");
    let is = |name: &str, value: &str| env::var_os(name).is_some_and(|found| found == value);
    if !is("PROFILE", "release") || !is("TARGET", TARGET) {
        return;
    }
    let (Some(package), Some(folder)) = (env::var_os("CARGO_MANIFEST_DIR"), env::var_os("OUT_DIR")) else {
        return;
    };
    // Beside what is built, which may be moved away from the sources.
    let order = Path::new(&folder).join(ORDER);
    if std::fs::copy(Path::new(&package).join(ORDER), &order).is_err() {
        return;
    }
    // A name that is not found is no reason to say so, a thousand times.
    let order = format!("--symbol-ordering-file={}", order.display());
    let mut ordered = vec!["--no-warn-symbol-ordering", &order];
    if env::var_os(KEEP_NAMES).is_some() {
        // Behind the word to strip everything, this counts instead.
        ordered.push("--strip-debug");
    }
    if linked_with(&ordered).is_some() {
        ask_for(&ordered);
    }
    // Takes a loader that can read them (glibc 2.36), as that of this system has to.
    let packed = ["-z", "pack-relative-relocs"];
    let runs = |program| succeeds(&mut Command::new(program));
    if is("HOST", TARGET) && env::var_os(OLD_LOADERS).is_none() && linked_with(&packed).is_some_and(runs) {
        ask_for(&packed);
    }
}

fn ask_for(arguments: &[&str]) {
    for argument in arguments {
        println!("cargo::rustc-link-arg-bins=-Xlinker");
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

/// A program that is linked with these, by the linker and the flags of this build, if that can be: lld can, and it is what
/// Rust comes with; others cannot all.
fn linked_with(arguments: &[&str]) -> Option<PathBuf> {
    let (compiler, folder) = (env::var_os("RUSTC")?, PathBuf::from(env::var_os("OUT_DIR")?));
    let (source, program) = (folder.join("probe.rs"), folder.join("probe"));
    std::fs::write(&source, "fn main() {}\n").ok()?;
    let mut probe = Command::new(compiler);
    probe.arg(&source).arg("-o").arg(&program).args(["--edition", "2024", "--target", TARGET]);
    probe.args(env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default().split_terminator('\u{1f}'));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut flag = OsString::from("-Clinker=");
        flag.push(linker);
        probe.arg(flag);
    }
    for argument in arguments {
        probe.arg("-Clink-arg=-Xlinker").arg(format!("-Clink-arg={argument}"));
    }
    succeeds(&mut probe).then_some(program)
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
