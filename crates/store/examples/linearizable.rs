//! Whether histories of registers are linearizable (Herlihy and Wing), by somebody else's checker: Wing's and Gong's
//! algorithm as `todc-utils` has it. The end-to-end tests record what clients of several replicas were told, and ask here.
//!
//! Standard input has one operation a line: `{"register": "r", "called": 1, "returned": 2, "write": 7}`, or `"read"` in the
//! place of `"write"`. A write without `returned` may have been done at any time after its call, or never. A register begins
//! with 0. Ends with 1 and the names of the registers whose histories are not linearizable.
//!
//! Registers that are named on the command line need only be regular, for several writers (Shao, Welch, Pierce and Lee's
//! MWRegWeak): each read, alone with all writes, is linearizable. So a read that overlaps a write may see it or not, and two
//! readers need not agree which; but what was written is seen once the write has returned.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program of the tests")]

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::process::ExitCode;

use serde::Deserialize;
use todc_utils::{Action, History, Specification, WGLChecker};

#[derive(Deserialize)]
struct Line {
    register: String,
    called: u64,
    returned: Option<u64>,
    read: Option<u64>,
    write: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Read(u64),
    Write(u64),
}

struct Register;

impl Specification for Register {
    type State = u64;
    type Operation = Operation;

    fn init() -> u64 {
        0
    }

    fn apply(operation: &Operation, state: &u64) -> (bool, u64) {
        match *operation {
            Operation::Read(seen) => (seen == *state, *state),
            Operation::Write(value) => (true, value),
        }
    }
}

/// Each operation has a process of its own: what orders them is when they were called and when they returned.
fn history<'a>(lines: impl IntoIterator<Item = &'a Line>) -> History<Operation> {
    let mut actions = Vec::new();
    for (process, line) in lines.into_iter().enumerate() {
        let operation = match (line.read, line.write) {
            (Some(seen), _) => Operation::Read(seen),
            (None, value) => Operation::Write(value.unwrap_or_default()),
        };
        actions.push(((line.called, 0), (process, Action::Call(operation))));
        actions.push(((line.returned.unwrap_or(u64::MAX), 1), (process, Action::Response(operation))));
    }
    actions.sort_by_key(|(moment, _)| *moment);
    History::from_actions(actions.into_iter().map(|(_, action)| action).collect())
}

fn is_linearizable<'a>(lines: impl IntoIterator<Item = &'a Line>) -> bool {
    WGLChecker::<Register>::is_linearizable(history(lines))
}

fn is_regular(lines: &[Line]) -> bool {
    let writes: Vec<&Line> = lines.iter().filter(|line| line.read.is_none()).collect();
    let mut reads = lines.iter().filter(|line| line.read.is_some());
    reads.all(|read| is_linearizable(writes.iter().copied().chain([read])))
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut registers: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?)?;
        registers.entry(line.register.clone()).or_default().push(line);
    }
    let regular: Vec<String> = std::env::args().skip(1).collect();
    let mut wrong = 0;
    for (register, lines) in &registers {
        let (holds, what) = if regular.contains(register) {
            (is_regular(lines), "regular")
        } else {
            (is_linearizable(lines), "linearizable")
        };
        if !holds {
            println!("{register}: its history of {} operations is not {what}", lines.len());
            wrong += 1;
        }
    }
    eprintln!("{} registers, {} of them wrong", registers.len(), wrong);
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
