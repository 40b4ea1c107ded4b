//! Where events go besides the database: a file, a bucket, a log endpoint.
//!
//! Each destination follows the chain of this replica from a place that is kept in a file of its own, so that nothing is
//! missed: what cannot be delivered is tried again, from the same place, for ever. After a crash the last events may come
//! twice; their ids tell. Every replica delivers its own events, so that together they deliver all, once.

mod cursor;
mod file;
mod follow;
mod otlp;
mod s3;

pub use cursor::Cursor;
pub use file::FileSink;
pub use follow::{Delivery, follow};
pub use otlp::OtlpSink;
pub use s3::{S3Place, S3Sink};

use store::ChainedEvent;

/// A destination.
pub enum Sink {
    /// A file that is rotated.
    File(FileSink),
    /// A bucket of an object store.
    S3(Box<S3Sink>),
    /// An OTLP endpoint for logs.
    Otlp(Box<OtlpSink>),
}

/// Why events could not be delivered.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub(crate) String);

impl Sink {
    /// What it is called in settings.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::S3(_) => "s3",
            Self::Otlp(_) => "otlp",
        }
    }

    /// Delivers events; when it answers, they are where they should be.
    async fn deliver(&mut self, events: Vec<ChainedEvent>) -> Result<(), SinkError> {
        match self {
            Self::File(sink) => sink.deliver(events).await,
            Self::S3(sink) => sink.deliver(&events).await,
            Self::Otlp(sink) => sink.deliver(&events).await,
        }
    }
}

/// Events as JSON Lines.
fn lines(events: &[ChainedEvent]) -> Result<String, SinkError> {
    let mut text = String::new();
    for it in events {
        text.push_str(&serde_json::to_string(&it.event).map_err(|error| SinkError(error.to_string()))?);
        text.push('\n');
    }
    Ok(text)
}
