//! What `/proc` tells about processes: descendants, groups, memory, sockets.
//!
//! All of it is best effort: a process may end between two reads, and then simply counts no more. On systems
//! without `/proc` nobody has descendants or uses memory. Source: proc(5).

use std::collections::HashMap;
use std::fs;
use std::str::SplitAsciiWhitespace;

/// The process and its descendants.
pub(crate) fn descendants(pid: i32) -> Vec<i32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        let Ok(threads) = fs::read_dir(format!("/proc/{parent}/task")) else {
            continue;
        };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_ascii_whitespace().filter_map(|word| word.parse().ok()) {
                if !found.contains(&child) {
                    found.push(child);
                }
            }
        }
    }
    found
}

/// The descendants of a group's leader that have left the group.
pub(crate) fn outside_group(leader: i32) -> Vec<i32> {
    let mut descendants = descendants(leader);
    descendants.retain(|pid| *pid != leader && group(*pid).is_some_and(|group| group != leader));
    descendants
}

/// All processes of the system by their groups: a look at every one of them.
pub(crate) fn by_group() -> HashMap<i32, Vec<i32>> {
    let mut groups: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && let Some(group) = group(pid)
        {
            groups.entry(group).or_default().push(pid);
        }
    }
    groups
}

/// The group of a process.
fn group(pid: i32) -> Option<i32> {
    status(pid, |fields| fields.nth(2)?.parse().ok())
}

/// Whether the process is about to end and has not ended yet: its memory may be given back, environment and all, and it
/// may still have files and sockets.
pub(crate) fn is_ending(pid: i32) -> bool {
    /// `PF_EXITING` of the kernel's `sched.h`.
    const EXITING: u32 = 0x4;
    status(pid, |fields| {
        let awaits_its_parent = matches!(fields.next()?, "Z" | "X");
        let flags: u32 = fields.nth(5)?.parse().ok()?;
        Some(flags & EXITING != 0 && !awaits_its_parent)
    })
    .unwrap_or_default()
}

/// What `/proc/PID/stat` says of a process, from its state on.
fn status<T>(pid: i32, read: impl FnOnce(&mut SplitAsciiWhitespace<'_>) -> Option<T>) -> Option<T> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')')?;
    read(&mut fields.split_ascii_whitespace())
}

/// The memory of a process that is in RAM, in bytes, pages shared with others included.
pub(crate) fn resident(pid: i32) -> Option<u64> {
    let pages: u64 = fs::read_to_string(format!("/proc/{pid}/statm"))
        .ok()?
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

/// The same with each shared page divided among those who share it. This costs a millisecond and more.
pub(crate) fn proportional(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// Whether the process has the socket open; `None` if that cannot be seen.
pub(crate) fn holds_socket(pid: i32, inode: u64) -> Option<bool> {
    let wanted = format!("socket:[{inode}]");
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    Some(
        files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.as_os_str() == wanted.as_str()),
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_a_descendant_with_memory_and_a_group() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(descendants(own).contains(&pid));
        assert!(resident(pid).unwrap() > 0);
        assert!(proportional(pid).unwrap() > 0);
        let group = group(pid).unwrap();
        assert!(by_group()[&group].contains(&pid));
        assert_eq!(holds_socket(pid, 1), Some(false));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(resident(pid), None);
    }
}
