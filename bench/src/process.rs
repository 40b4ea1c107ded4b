//! What another process costs, out of `/proc`: the processor time of all its threads, and its memory.

use std::time::Duration;

use serde::Serialize;

use crate::failure::Failure;

/// Ticks of a second, in which `/proc` counts (`USER_HZ`: 100 on every Linux of today).
const TICKS: u32 = 100;

/// The processor time that a process has used: user and system.
pub(crate) fn processor_time(pid: u32) -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_err(|error| Failure::of("the process that is measured is gone", error))?;
    let ticks = ticks(&stat).ok_or_else(|| Failure::new(format!("/proc/{pid}/stat cannot be read")))?;
    Ok(Duration::from_secs(1) * ticks / TICKS)
}

/// How long the processors of this machine had nothing to do since it started, all together. What a machine's neighbours
/// take away counts as work.
pub(crate) fn idle_time() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/stat").map_err(|error| Failure::of("/proc/stat", error))?;
    let ticks = idle_ticks(&stat).ok_or_else(|| Failure::new("/proc/stat cannot be read"))?;
    Ok(Duration::from_millis(ticks.saturating_mul(1_000 / u64::from(TICKS))))
}

/// The fourth and the fifth number of the first line: with nothing to do, and with nothing to do but waiting for a disk.
fn idle_ticks(stat: &str) -> Option<u64> {
    let mut numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().skip(3);
    let (idle, waiting): (u64, u64) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    idle.checked_add(waiting)
}

/// Fields 14 and 15. The second field is the program's name, which may hold anything, and ends at the last parenthesis.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// The memory that a process has in use now, in MiB; zero when that cannot be told.
pub(crate) fn resident_mib(pid: u32) -> u64 {
    memory(pid).resident_mib as u64
}

/// The same, to the KiB.
pub(crate) fn resident_exactly(pid: u32) -> f64 {
    memory(pid).resident_mib
}

/// What a process has in use, in MiB.
#[derive(Serialize)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident_mib: f64,
    /// At most until now.
    pub(crate) peak_mib: f64,
}

/// The memory of a process, in one reading; zero when that cannot be told.
pub(crate) fn memory(pid: u32) -> Memory {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    Memory { resident_mib: mib(&status, "VmRSS:"), peak_mib: mib(&status, "VmHWM:") }
}

/// How many descriptors a process has open; zero when that cannot be told.
pub(crate) fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// The processes that a process has started and that still run.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let listed = std::fs::read_to_string(path).unwrap_or_default();
    listed.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// How many descriptors this process and those that it starts may have open.
pub(crate) fn most_descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(usize::MAX)
}

fn mib(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: u64 = line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0);
    kib as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 10 0 0 0 30 12 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(42));
    }

    #[test]
    fn idle_is_what_nobody_used() {
        assert_eq!(idle_ticks("cpu  10 1 20 300 4 5 6 7 0 0\ncpu0 1 1 1 1 1"), Some(304));
        assert!(idle_time().is_ok());
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident_mib(std::process::id()) > 0);
        let Memory { resident_mib, peak_mib } = memory(std::process::id());
        assert!(peak_mib >= resident_mib, "of one reading: others may grow between two");
        assert!(descriptors(std::process::id()) > 2 && most_descriptors() > 2);
        assert!(processor_time(std::process::id()).is_ok());
    }
}
