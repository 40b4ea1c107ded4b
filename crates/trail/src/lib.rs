//! The audit trail outside the database.
//!
//! The database holds the trail as chains whose ends are signed (`store`). Whoever can write to the database can put an
//! older state of it back, signatures and all; so copies of the signed ends are kept where the database is not:
//! [`CheckpointFolder`] is the folder, [`Checkpointer`] writes it while the server runs, and [`KeptCheckpoints`] reads it
//! for the verification. [`Sink`]s are where events go besides.

mod checkpoints;
mod sinks;

pub use checkpoints::{CheckpointError, CheckpointFolder, Checkpointer, KeptCheckpoints, WriteError};
pub use sinks::{Cursor, Delivery, FileSink, OtlpSink, S3Place, S3Sink, Sink, SinkError, follow};
