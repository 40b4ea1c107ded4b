//! `cargo xtask layout`: which functions a start and calls execute, so that the linker puts them side by side
//! (`crates/server/build.rs`).
//!
//! The server runs under Valgrind, which sees every function that is executed, while the benchmark sets gateways up and calls
//! them. Most names have a digest in them, of the compiler, the profile, and the versions and features of all that they are
//! made of: the list is made anew before a release.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::bench;
use crate::chore::{Chore, Failure, install_package, is_installed, project, read};

/// The list.
const ORDER: &str = "crates/server/functions.order";
/// Where the server under Valgrind is kept, and what that writes.
const FOLDER: &str = "target/layout";
/// What is measured meanwhile: calls of tools, streams, and a REST service. How many, hardly matters. (Not functions
/// nor replicas: what they need of the system is asked by a page that Valgrind has put away.)
const BUSY: [&[&str]; 2] = [&["--peers", "--only", "c=16"], &["--only", "REST"]];

/// Builds the server with its symbols, looks on, and writes the list.
pub(crate) fn run(chore: &Chore) -> Result<(), Failure> {
    if !is_installed("valgrind") {
        install_package(chore, "valgrind")?;
    }
    let folder = project().join(FOLDER);
    std::fs::remove_dir_all(&folder).or_else(absent)?;
    std::fs::create_dir_all(&folder)?;
    chore.say("building, optimised, with the names of functions: this takes minutes");
    chore.run(bench::optimised().env("PORTCULLIS_KEEP_NAMES", "1"))?;
    let (watched, server) = (folder.join("portcullis"), folder.join("watched.sh"));
    std::fs::copy(project().join("target/release/portcullis"), &watched)?;
    std::fs::write(&server, script(&folder, &watched))?;
    std::fs::set_permissions(&server, std::fs::Permissions::from_mode(0o755))?;
    let (server, results) = (server.display().to_string(), folder.join("results").display().to_string());
    for busy in BUSY {
        chore.say(format!("watching: {}", busy.join(" ")));
        let arguments = [&["--seconds", "1", "--server", &server, "--results", &results], busy].concat();
        bench::measure(chore, "run", &arguments)?;
    }
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "seen") {
            names.extend(executed(&read(&path)?, &watched));
        }
    }
    if names.is_empty() {
        return Err(Failure::new("Valgrind saw no function of the server: are there symbols?"));
    }
    let mut text =
        String::from("# What a start and calls execute, as `cargo xtask layout` saw it. Do not edit.\n");
    for name in &names {
        text.push_str(name);
        text.push('\n');
    }
    std::fs::write(project().join(ORDER), text)?;
    chore.say(format!("{} functions are in {ORDER}", names.len()));
    Ok(())
}

/// A server that is watched.
fn script(folder: &Path, watched: &Path) -> String {
    let (folder, watched) = (folder.display(), watched.display());
    format!(
        "#!/bin/sh\n\
         exec valgrind --quiet --tool=callgrind --demangle=no '--callgrind-out-file={folder}/%p.seen' '{watched}' \"$@\"\n"
    )
}

/// The functions of one program among those that a profile of Callgrind's names: the file's lines are `ob=` (the object that
/// what follows is in) and `fn=` (a function with costs of its own), each with a number, and behind it a name when the number
/// is new. `cob=` and `cfn=` number the same names, of what is called.
fn executed(profile: &str, program: &Path) -> BTreeSet<String> {
    let program = program.to_string_lossy();
    let (mut objects, mut names) = (Names::default(), Names::default());
    let mut executed = BTreeSet::new();
    let mut is_ours = false;
    for line in profile.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        match key {
            "ob" => is_ours = objects.resolve(value) == program,
            "cob" => drop(objects.resolve(value)),
            "cfn" => drop(names.resolve(value)),
            "fn" => {
                let name = names.resolve(value);
                if is_ours {
                    // A function that calls itself is numbered by its depth, and one that has no name has a place.
                    let name = name.split('\'').next().unwrap_or_default();
                    if !name.starts_with("0x") && !name.contains(['(', ' ']) {
                        executed.insert(name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    executed
}

/// Names that are written once, and are numbers from then on.
#[derive(Default)]
struct Names(std::collections::HashMap<String, String>);

impl Names {
    /// The name of `(12)`, or of `(12) a name`.
    fn resolve(&mut self, written: &str) -> String {
        match written.split_once(' ') {
            Some((number, name)) => {
                self.0.insert(number.to_owned(), name.to_owned());
                name.to_owned()
            }
            None => self.0.get(written).cloned().unwrap_or_default(),
        }
    }
}

fn absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_the_program_are_found() {
        let profile = "events: Ir\n\nob=(1) /lib/ld.so\nfl=(1) ???\nfn=(1) _dl_start\n0 5\ncob=(2) /a/portcullis\n\
                       cfn=(2) _ZN4mainE\ncalls=1 0\n0 100\n\nob=(2)\nfn=(2)\n0 7\ncfn=(3) _ZN5againE'2\ncalls=3 0\n0 9\n\n\
                       fn=(3)\n0 1\nfn=(5) 0x00000000000a8550\n0 1\nfn=(6) (below main)\n0 1\n\nob=(1)\nfn=(4) malloc\n0 1\n";
        let found = executed(profile, Path::new("/a/portcullis"));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["_ZN4mainE", "_ZN5againE"]);
    }
}
