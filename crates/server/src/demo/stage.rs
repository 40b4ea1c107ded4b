//! How the story is shown: steps with a spinner while they last, plain lines where nobody watches.

use std::cell::Cell;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal::{Failure, is_watched, say};

/// Where the story is shown.
pub(super) struct Stage {
    spinner: ProgressBar,
    steps: Cell<u32>,
}

const GREEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

impl Stage {
    pub(super) fn open() -> Self {
        let spinner = if is_watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            spinner.set_style(style);
        }
        Self { spinner, steps: Cell::new(0) }
    }

    /// A step begins.
    pub(super) fn begin(&self, what: &str) {
        self.steps.set(self.steps.get() + 1);
        self.spinner.set_message(what.to_owned());
        self.spinner.enable_steady_tick(Duration::from_millis(80));
    }

    /// The step ended well.
    pub(super) fn done(&self, result: &str) {
        let what = self.spinner.message();
        self.spinner.disable_steady_tick();
        self.spinner.set_message("");
        let _ = self.line(format!("{GREEN}✓{GREEN:#} {:>2}. {what} {DIM}{result}{DIM:#}", self.steps.get()));
    }

    /// A heading.
    pub(super) fn heading(&self, text: &str) -> Result<(), Failure> {
        self.line(format!("\n{BOLD}{text}{BOLD:#}"))
    }

    /// A line.
    pub(super) fn line(&self, text: impl Into<String>) -> Result<(), Failure> {
        let text = text.into();
        self.spinner.suspend(|| say(text))
    }
}
