//! How much a group of processes weighs: its memory, and how many they are.
//!
//! Pages in RAM are counted first, which is cheap and counts shared ones several times. Only a group that comes out too
//! heavy by that is weighed again with each shared page divided among those who share it.

use crate::processes;

/// What a group of processes weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Its memory, in bytes.
    pub(crate) bytes: u64,
    /// How many processes it has.
    pub(crate) processes: usize,
}

/// Weighs the leader, its descendants and the strays of its group, exactly if they seem to be over `limit` bytes.
pub(crate) fn weigh(leader: i32, strays: &[i32], limit: u64) -> Weight {
    let mut members = processes::descendants(leader);
    for stray in strays {
        if !members.contains(stray) {
            members.push(*stray);
        }
    }
    let mut bytes: u64 = members.iter().filter_map(|pid| processes::resident(*pid)).sum();
    if bytes > limit && members.len() > 1 {
        // Forked processes share pages, which must not count twice.
        bytes = members.iter().filter_map(|pid| processes::proportional(*pid)).sum();
    }
    Weight { bytes, processes: members.len() }
}
