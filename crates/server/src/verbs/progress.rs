//! How far a copy is, for somebody who watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use store::Step;

/// A bar on standard error, if that is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// `doing` says what is going on.
    pub(super) fn new(doing: &'static str) -> Self {
        let bar = ProgressBar::new(0).with_message(doing);
        let style = ProgressStyle::with_template("{msg} {bar:30} {percent}% of {len} rows, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    pub(super) fn step(&self, step: Step) {
        self.0.set_length(step.of);
        self.0.set_position(step.done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
