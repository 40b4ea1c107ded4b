//! What is logged, and how.

use std::str::FromStr;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// Which log lines are written, in the syntax of `tracing_subscriber::EnvFilter`.
#[derive(Clone, Debug)]
pub(crate) struct LogFilter(String);

impl LogFilter {
    /// Errors alone: for what talks to a person.
    pub(crate) fn errors() -> Self {
        Self("error".to_owned())
    }

    /// What an operator wants to know.
    pub(crate) fn usual() -> Self {
        Self("info".to_owned())
    }

    pub(crate) fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("`{text}` is no log filter: {error}")),
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}
