//! Solvers that hang, crash, talk nonsense or are not there: real processes, and never a wrong answer.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prover::{Equivalence, Prover, SolverSettings, SolverUse, Undecided};
use support::{set, world};
use tempfile::TempDir;

/// A solver that is this script of the shell.
fn solver(folder: &TempDir, script: &str) -> PathBuf {
    let path = folder.path().join("solver");
    std::fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn settings(program: &Path) -> SolverSettings {
    SolverSettings {
        program: program.to_owned(),
        question_limit: Duration::from_millis(400),
        budget: Duration::from_secs(20),
        ..SolverSettings::default()
    }
}

const TAUTOLOGY: &str = "permit(principal is AgentCore::OAuthUser, action == TRANSFER, HERE) \
    when { context.input.amount < 500 || context.input.amount > 400 };";
const PLAIN: &str = "permit(principal is AgentCore::OAuthUser, action == TRANSFER, HERE);";

/// Why the solver's question stays open. A solver that says anything that is taken for an answer fails here.
async fn undecided(settings: SolverSettings) -> Undecided {
    match Prover::new(settings).equivalent(world(), set(&[TAUTOLOGY]), set(&[PLAIN])).await {
        Equivalence::Undecided(why) => why,
        other => panic!("{other:?}"),
    }
}

fn is_alive(pid: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z')
}

async fn wait_until_gone(pid: &str) {
    for _ in 0..100 {
        if !is_alive(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("process {pid} still runs");
}

/// What scripts say about themselves: the names of empty files, because a solver may not write any bytes.
fn said(folder: &TempDir, prefix: &str) -> Vec<String> {
    let names = std::fs::read_dir(folder.path()).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_prefix(prefix).map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_solver_that_hangs_is_killed_with_what_it_started() {
    let folder = TempDir::new().unwrap();
    let program = solver(&folder, &format!("sleep 600 &\n: > {}/child.$!\nwait", folder.path().display()));
    let began = Instant::now();
    assert_eq!(undecided(settings(&program)).await, Undecided::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let [pid] = said(&folder, "child.").try_into().unwrap();
    wait_until_gone(&pid).await;
}

#[tokio::test]
async fn all_questions_together_have_a_limit() {
    let folder = TempDir::new().unwrap();
    let program = solver(&folder, "sleep 600");
    let settings = SolverSettings {
        question_limit: Duration::from_secs(600),
        budget: Duration::from_millis(600),
        ..settings(&program)
    };
    let began = Instant::now();
    assert_eq!(undecided(settings).await, Undecided::OutOfBudget);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_goes_away_takes_the_solver_along() {
    let folder = TempDir::new().unwrap();
    let program = solver(&folder, &format!(": > {}/pid.$$\nexec sleep 600", folder.path().display()));
    let settings = SolverSettings {
        question_limit: Duration::from_secs(600),
        budget: Duration::from_secs(600),
        ..settings(&program)
    };
    let asking = tokio::spawn(undecided(settings));
    let pid = loop {
        assert!(!asking.is_finished());
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let [pid] = said(&folder, "pid.").as_slice() {
            break pid.clone();
        }
    };
    assert!(is_alive(&pid));
    asking.abort();
    wait_until_gone(&pid).await;
}

#[tokio::test]
async fn a_solver_that_is_not_there_is_named() {
    let missing = undecided(settings(Path::new("/nowhere/cvc5"))).await;
    let Undecided::Missing { program, .. } = &missing else { panic!("{missing:?}") };
    assert_eq!(program, "/nowhere/cvc5");
    assert!(missing.is_for_want_of_a_solver());
}

#[tokio::test]
async fn a_solver_that_is_off_is_not_started() {
    let folder = TempDir::new().unwrap();
    let mark = folder.path().join("started");
    let program = solver(&folder, &format!("touch {}", mark.display()));
    let settings = SolverSettings { solver_use: SolverUse::Off, ..settings(&program) };
    assert_eq!(undecided(settings).await, Undecided::Off);
    assert!(!mark.exists());
}

#[tokio::test]
async fn what_is_no_answer_is_none() {
    let folder = TempDir::new().unwrap();
    for (script, expected) in [
        ("exit 3", Undecided::Crashed),
        ("read line; kill -SEGV $$", Undecided::Crashed),
        ("cat > /dev/null & echo perhaps; wait", Undecided::Garbage),
        ("cat > /dev/null & printf '\\377\\376\\n'; wait", Undecided::Garbage),
        // A verdict without a model, with half of one, and with one of something else.
        ("cat > /dev/null & echo sat; echo nonsense; wait", Undecided::Garbage),
        ("echo sat; echo '('; exit", Undecided::Crashed),
        ("cat > /dev/null & printf 'sat\\n(\\n(define-fun x () Int 0)\\n)\\n'; wait", Undecided::Unconfirmed),
        ("cat > /dev/null & printf 'sat\\n(\\n((((\\n)\\n'; wait", Undecided::Garbage),
        ("cat > /dev/null & yes '(((((((((((((((((' ", Undecided::Garbage),
        ("cat > /dev/null & echo sat; yes ' '; wait", Undecided::Garbage),
        ("cat > /dev/null & printf 'sat\\n(\\n'; yes '(a)'", Undecided::Garbage),
        ("cat > /dev/null & echo unknown; wait", Undecided::Unknown),
        (
            "cat > /dev/null & echo '(error \"no strings\")'; wait",
            Undecided::Refused("no strings".to_owned()),
        ),
    ] {
        let program = solver(&folder, script);
        assert_eq!(undecided(settings(&program)).await, expected, "{script}");
    }
}

#[tokio::test]
async fn a_solver_inherits_nothing() {
    let folder = TempDir::new().unwrap();
    let script =
        "/usr/bin/env | /usr/bin/cut -d= -f1 | while read name; do : > FOLDER/variable.$name; done\nexit 1";
    let program = solver(&folder, &script.replace("FOLDER", &folder.path().display().to_string()));
    assert_eq!(undecided(settings(&program)).await, Undecided::Crashed);
    let mut inherited = said(&folder, "variable.");
    inherited.sort();
    // What the shell itself sets, and nothing of ours.
    assert!(inherited.contains(&"PWD".to_owned()), "{inherited:?}");
    inherited.retain(|name| !["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name.as_str()));
    assert!(inherited.is_empty(), "{inherited:?}");
}

/// What needs no solver is decided without one.
#[tokio::test]
async fn what_is_plain_needs_none() {
    let off = Prover::new(SolverSettings { solver_use: SolverUse::Off, ..SolverSettings::default() });
    let every = "permit(principal, action, HERE);";
    let both = [
        "permit(principal is AgentCore::OAuthUser, action, HERE);",
        "permit(principal is AgentCore::IamEntity, action, HERE);",
    ];
    assert_eq!(off.equivalent(world(), set(&[every]), set(&both)).await, Equivalence::Equivalent);
    let one = off.equivalent(world(), set(&[every]), set(&both[..1])).await;
    assert!(matches!(one, Equivalence::Different { first_allows: true, .. }), "{one:?}");
}

#[tokio::test]
async fn a_name_is_looked_for_on_the_search_path_and_nowhere_else() {
    let folder = TempDir::new().unwrap();
    let at = |search_path: &Path| SolverSettings {
        search_path: search_path.into(),
        ..settings(Path::new("cvc5"))
    };
    // Wherever this system has one: a folder without it has none.
    let Undecided::Missing { program, why } = undecided(at(folder.path())).await else { panic!() };
    assert_eq!((program.as_str(), why.as_str()), ("cvc5", "it is in no folder of PATH"));
    // What cannot be started is passed over.
    let other = TempDir::new().unwrap();
    std::fs::write(folder.path().join("cvc5"), "no program").unwrap();
    std::fs::rename(solver(&other, "exit 3"), other.path().join("cvc5")).unwrap();
    let both = std::env::join_paths([folder.path(), other.path()]).unwrap();
    assert_eq!(undecided(at(Path::new(&both))).await, Undecided::Crashed);
}

#[tokio::test]
async fn thousands_of_policies_are_undecided_in_time() {
    let texts: Vec<String> = (0..3000)
        .map(|number| {
            format!(
                "permit(principal, action == TRANSFER, HERE) when {{ context.input.amount == {number} }};"
            )
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let off = SolverSettings {
        solver_use: SolverUse::Off,
        budget: Duration::from_secs(1),
        ..SolverSettings::default()
    };
    let began = Instant::now();
    let places = vec![prover::Place { world: world(), callers: Vec::new() }];
    let report = Prover::new(off.clone()).analyse(places, set(&texts)).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // What it knew by then, or nothing; never that nothing is wrong.
    assert!(report.is_err() || !report.unwrap().open.is_empty());
    let began = Instant::now();
    let compared = Prover::new(off).equivalent(world(), set(&texts), set(&texts[1..])).await;
    assert!(matches!(compared, Equivalence::Undecided(_)), "{compared:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
