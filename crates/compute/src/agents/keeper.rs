//! Ends the sessions of a server that was killed: a small process that outlives it for a moment.
//!
//! The keeper is a shell that reads, from a pipe, which groups there are. When the pipe ends without a last word, the
//! server is gone, and the keeper kills the groups. What it cannot see, the next start of the server finds
//! ([`super::strays`]).

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

const SCRIPT: &str = r#"
groups=' '
while read -r word group; do
    case $word in
        keep) groups="$groups$group " ;;
        drop) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
    esac
done
for group in $groups; do kill -KILL "-$group"; done
"#;

/// Ends the sessions of a server that was killed.
pub(super) struct Keeper {
    pipe: Mutex<Option<ChildStdin>>,
    child: Mutex<Child>,
}

impl Keeper {
    /// Starts it, in a group of its own, so that what ends the server's group does not end it.
    pub(super) fn start() -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { pipe: Mutex::new(pipe), child: Mutex::new(child) })
    }

    /// There is a group.
    pub(super) fn keep(&self, group: i32) {
        self.tell("keep", group);
    }

    /// It is gone. Say so before its number is given back to the system.
    pub(super) fn release(&self, group: i32) {
        self.tell("drop", group);
    }

    fn tell(&self, word: &str, group: i32) {
        if let Some(pipe) = self.pipe.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // If it is gone, the next start still cleans up.
            let _ = pipe.write_all(format!("{word} {group}\n").as_bytes());
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Its list holds at most what is being killed already.
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}
