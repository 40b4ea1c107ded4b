//! Checkpoints: signed ends of chains, one JSON object a line, in a file a day.
//!
//! Every line carries the SHA-256 digest of the line before it, so that a line that is taken out is missed. A line is on
//! the disk before the next is begun. A line without its newline is one whose writing was cut off: it says nothing.

mod folder;
mod kept;
mod line;
mod writer;

pub use folder::{CheckpointError, CheckpointFolder};
pub use kept::KeptCheckpoints;
pub use writer::{Checkpointer, WriteError};
