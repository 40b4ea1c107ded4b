//! The body of an answer: a document, or the bytes of an object, read chunk by chunk as the client takes them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use domain::Segment;
use http_body::{Frame, SizeHint};
use store::{CHUNK, Store, StoreError};

/// A body that cannot go on: its bytes cannot be read. The connection is cut, so that nobody takes it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the object's bytes cannot be read: {0}")]
pub struct BodyError(#[from] StoreError);

type Reading = Pin<Box<dyn Future<Output = Result<Bytes, StoreError>> + Send>>;

/// The body of an answer.
pub struct Body {
    whole: Bytes,
    object: Option<ObjectBytes>,
}

struct ObjectBytes {
    pieces: Pieces,
    reading: Option<Reading>,
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self { whole: Bytes::new(), object: None }
    }

    /// A document.
    #[must_use]
    pub fn whole(document: impl Into<Bytes>) -> Self {
        Self { whole: document.into(), object: None }
    }

    /// So many bytes of an object from an offset on.
    pub(crate) fn object(store: &Store, segments: Vec<Segment>, offset: u64, length: u64) -> Self {
        let pieces = Pieces::new(store, segments, offset, length);
        Self { whole: Bytes::new(), object: Some(ObjectBytes { pieces, reading: None }) }
    }

    fn left(&self) -> u64 {
        self.whole.len() as u64 + self.object.as_ref().map_or(0, |object| object.pieces.length)
    }
}

/// A run of an object's bytes, chunk by chunk.
pub(crate) struct Pieces {
    store: Store,
    /// What is left, the next segment last.
    segments: Vec<Segment>,
    /// Where in the next segment.
    offset: u64,
    /// How many bytes are left.
    length: u64,
}

impl Pieces {
    pub(crate) fn new(store: &Store, mut segments: Vec<Segment>, mut offset: u64, length: u64) -> Self {
        segments.reverse();
        while segments.last().is_some_and(|segment| segment.size <= offset) {
            offset -= segments.pop().map_or(0, |segment| segment.size);
        }
        Self { store: store.clone(), segments, offset, length }
    }

    /// The reading of the next piece; `None` at the end.
    fn read_next(&self) -> Option<Reading> {
        if self.length == 0 {
            return None;
        }
        let chunk = CHUNK as u64;
        let Some(segment) = self.segments.last() else {
            return Some(Box::pin(async { Err(StoreError::Stale) }));
        };
        let (blob, store) = (segment.blob.clone(), self.store.clone());
        let (place, within) = (self.offset / chunk, self.offset % chunk);
        let most = self.length;
        Some(Box::pin(async move {
            let bytes = store.chunk(&blob, place).await?;
            let from = usize::try_from(within).unwrap_or(usize::MAX);
            if from >= bytes.len() {
                return Err(StoreError::Stale);
            }
            let until = bytes.len().min(from.saturating_add(usize::try_from(most).unwrap_or(usize::MAX)));
            Ok(bytes.slice(from..until))
        }))
    }

    fn took(&mut self, piece: &Bytes) {
        self.length -= piece.len() as u64;
        self.offset += piece.len() as u64;
        if self.segments.last().is_some_and(|segment| segment.size <= self.offset) {
            self.segments.pop();
            self.offset = 0;
            while self.segments.last().is_some_and(|segment| segment.size == 0) {
                self.segments.pop();
            }
        }
    }

    /// The next piece, at most one chunk; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let Some(reading) = self.read_next() else { return Ok(None) };
        let piece = reading.await?;
        self.took(&piece);
        Ok(Some(piece))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.whole.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.whole)))));
        }
        let Some(object) = self.object.as_mut() else { return Poll::Ready(None) };
        if object.reading.is_none() {
            object.reading = object.pieces.read_next();
        }
        let Some(reading) = object.reading.as_mut() else { return Poll::Ready(None) };
        let read = match reading.as_mut().poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(read) => read,
        };
        object.reading = None;
        match read {
            Ok(piece) => {
                object.pieces.took(&piece);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Err(error) => {
                self.object = None;
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
