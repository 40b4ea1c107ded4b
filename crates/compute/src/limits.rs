//! What a process may use, and how it is ended.
//!
//! Limits are set from outside right after the process was started, because setting them inside it before it
//! executes needs `unsafe`. They hold for it and what it starts. Memory has no limit of the operating system
//! that fits (a limit on addresses breaks runtimes that reserve more than they use): the watching thread
//! measures it ten times a second, and the ceiling on data only bounds how far it can jump in between.
//! On systems other than Linux there are no such limits.

use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::processes;

/// What the interpreter may use on top of the function's own memory size, in bytes: 32 MiB. Lambda counts
/// it in; here it may be larger than Lambda's, and shares less with others.
pub(crate) const INTERPRETER_ALLOWANCE: u64 = 32 * 1024 * 1024;
/// How many processes one instance may have (Lambda: 1,024 processes and threads together).
pub(crate) const MOST_PROCESSES: usize = 1024;
/// What the operating system holds a process to, and what it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Twice this and 1 GiB of data, in MiB: so far memory can jump before it is measured.
    pub(crate) memory_mib: u32,
    /// How many files it may have open.
    pub(crate) files: u64,
    /// The largest file it may write, in bytes.
    pub(crate) largest_file: u64,
}

impl Bounds {
    /// Of a function: Lambda's 1,024 files, and 512 MiB, which is Lambda's `/tmp`.
    pub(crate) fn function(memory_mib: u32) -> Self {
        Self { memory_mib, files: 1024, largest_file: 512 * 1024 * 1024 }
    }
}

/// A process that leads its own group.
pub(crate) struct Process {
    pid: Pid,
    /// Set before its number is given back to the system, after which it could name another.
    reaped: Mutex<bool>,
}

impl Process {
    /// The process with this number, which must lead its group and not have been waited for.
    pub(crate) fn new(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Some(Self { pid, reaped: Mutex::new(false) })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The same as `/proc` has it.
    pub(crate) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Kills it and its group, and those of its descendants that have left the group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if *reaped {
            return;
        }
        for escaped in processes::outside_group(self.id()) {
            if let Some(pid) = Pid::from_raw(escaped) {
                let _ = kill_process(pid, signal);
            }
        }
        let _ = kill_process_group(self.pid, signal);
    }

    /// Asks it and its group to end, and those of its descendants that have left the group.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills what is left of its group. Call it when the process has ended and before it is waited for.
    pub(crate) fn reap(&self) {
        self.kill();
        *self.reaped.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Bounds what it may use.
    #[cfg(target_os = "linux")]
    pub(crate) fn bound(&self, bounds: Bounds) -> io::Result<()> {
        use rustix::process::{Resource, Rlimit, prlimit};
        let data = (2 * u64::from(bounds.memory_mib) + 1024) * 1024 * 1024;
        for (resource, limit) in [
            (Resource::Core, 0),
            (Resource::Nofile, bounds.files),
            (Resource::Fsize, bounds.largest_file),
            (Resource::Data, data),
        ] {
            let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
            match prlimit(Some(self.pid), resource, limit) {
                // It has ended already, or the server itself may have less: then that holds.
                Ok(_) | Err(rustix::io::Errno::SRCH | rustix::io::Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Bounds what it may use: nothing, on this system.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn bound(&self, _bounds: Bounds) -> io::Result<()> {
        Ok(())
    }
}
