//! Looks at a process from time to time: its memory and its descriptors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::process::{descriptors, resident_exactly};

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(250);

/// What was seen at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// Since the watch began.
    pub(super) seconds: f64,
    pub(super) resident_mib: f64,
    pub(super) descriptors: usize,
}

/// A watch that goes on until it is ended.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sight>>,
}

impl Watch {
    pub(super) fn begin(pid: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let began = Instant::now();
        let thread = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while !told.load(Ordering::Relaxed) {
                seen.push(Sight {
                    seconds: began.elapsed().as_secs_f64(),
                    resident_mib: resident_exactly(pid),
                    descriptors: descriptors(pid),
                });
                std::thread::sleep(EVERY);
            }
            seen
        });
        Self { over, thread }
    }

    pub(super) fn end(self) -> Result<Vec<Sight>, Failure> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| Failure::new("the watch broke"))
    }
}
