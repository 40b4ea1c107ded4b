//! Lives as long as another process does, and beside it.

use rustix::process::{Pid, setsid, test_kill_process};
use tokio::sync::oneshot;

/// Leaves the terminal and the process group of the command, whose signals are not meant for the interceptor.
pub fn detach() {
    // Refused only to one who leads a group already, and then there is nothing to leave.
    let _ = setsid();
}

/// Holds on to a process at once, and ends when that process has ended.
///
/// # Errors
/// When the system gives no thread to wait in.
pub fn watch(pid: u32) -> std::io::Result<impl Future<Output = ()>> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let (tell, told) = oneshot::channel::<()>();
    // A descriptor of a process stays that process's own when its number is given to another.
    #[cfg(target_os = "linux")]
    let descriptor =
        pid.and_then(|pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok());
    // A thread of its own: it may wait for ever, and the end of this process must not wait for it.
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
        let _tells_when_dropped = tell;
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = descriptor {
            use rustix::event::{PollFd, PollFlags, poll};
            while poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {
            }
            return;
        }
        // Without descriptors of processes one has to look.
        while pid.is_some_and(|pid| test_kill_process(pid).is_ok()) {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    })?;
    Ok(async {
        let _ = told.await;
    })
}
