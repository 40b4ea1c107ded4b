//! What a verb makes of what it looked at, and the exit code that follows.
//!
//! A script has to tell "the policies are not good" from "nobody could look at them". So a verb that could look answers with
//! a verdict, and everything else that it says is trouble: arguments that cannot be meant, files and data that are not there.

use crate::terminal::Failure;

/// What became of a question that could be answered.
pub(super) enum Verdict {
    /// All is as it should be: exit code 0.
    Good,
    /// Something is not, this: exit code 1.
    Bad(String),
}

impl Verdict {
    /// What the program ends with; trouble has exit code 2.
    pub(super) fn conclude(found: Result<Self, Failure>) -> Result<(), Failure> {
        match found.map_err(Failure::into_trouble)? {
            Self::Good => Ok(()),
            Self::Bad(what) => Err(Failure::new(what)),
        }
    }
}
