//! Finds what a session has left behind: processes that left its group and whose parents have ended.
//!
//! Every process of a session carries the session's folder in its environment, which the operating system keeps as it was
//! when the process was executed and gives to its children. So whoever has it belongs to the session, wherever it stands
//! among the processes. A process that was executed with an environment from which the mark was taken, and that left the
//! group, is not found by it; it is found as a descendant for as long as its parents live.
//!
//! A process that is ending has no environment any more, and may still have files and sockets: whoever it belongs to, its
//! end is waited for.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};

use super::environment::MARK;
use crate::processes;

/// How often it is looked again, for those that were born meanwhile.
const ROUNDS: usize = 20;

/// Kills every process of the session with this folder. This blocks for as long as a look at all processes takes.
pub(super) fn kill(folder: &Path) {
    kill_those(|mark| mark == folder.as_os_str().as_bytes());
}

/// Kills every process of every session below this folder: those of a server that was killed.
pub(super) fn kill_all(folders: &Path) {
    let mut start = folders.as_os_str().as_bytes().to_vec();
    start.push(b'/');
    kill_those(|mark| mark.starts_with(&start));
}

/// The processes of each session below this folder, by the sessions' numbers.
pub(super) fn by_session(folders: &Path) -> HashMap<u64, Vec<i32>> {
    let mut start = folders.as_os_str().as_bytes().to_vec();
    start.push(b'/');
    let mut found: HashMap<u64, Vec<i32>> = HashMap::new();
    for pid in pids() {
        let mut session = None;
        carries(pid, &mut |mark| {
            session =
                mark.strip_prefix(start.as_slice()).and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
            session.is_some()
        });
        if let Some(session) = session {
            found.entry(session).or_default().push(pid.as_raw_nonzero().get());
        }
    }
    found
}

fn kill_those(meant: impl Fn(&[u8]) -> bool) {
    for round in 0..ROUNDS {
        let mut left = false;
        for pid in pids() {
            let is_stray = carries(pid, &mut |mark| meant(mark));
            if is_stray {
                let _ = kill_process(pid, Signal::KILL);
            }
            left |= is_stray || processes::is_ending(pid.as_raw_nonzero().get());
        }
        if !left {
            return;
        }
        // The last rounds wait for those that are slow to die.
        thread::sleep(Duration::from_millis(if round < 3 { 1 } else { 50 }));
    }
}

/// All processes but our own.
fn pids() -> impl Iterator<Item = Pid> {
    let own = getpid();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(move |pid| *pid != own)
}

fn carries(pid: Pid, meant: &mut impl FnMut(&[u8]) -> bool) -> bool {
    // Empty for those that are ending, or have ended and only await their parents.
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| {
        let value = variable.strip_prefix(MARK.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        value.is_some_and(&mut *meant)
    })
}
