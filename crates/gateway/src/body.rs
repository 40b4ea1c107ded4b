//! The body of an answer: a few pieces, written one after the other without being copied together.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// At most three pieces: what stands before a shared result, the result, and what stands after it.
#[derive(Default)]
pub struct Body {
    pieces: [Bytes; 3],
    next: usize,
}

impl Body {
    /// A body of one piece.
    #[must_use]
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { pieces: [bytes.into(), Bytes::new(), Bytes::new()], next: 0 }
    }

    /// A body of three pieces.
    #[must_use]
    pub fn around(before: Bytes, shared: Bytes, after: Bytes) -> Self {
        Self { pieces: [before, shared, after], next: 0 }
    }

    /// How many bytes are left.
    fn left(&self) -> u64 {
        self.pieces.iter().skip(self.next).map(|piece| piece.len() as u64).sum()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.next;
        let found = self.pieces.iter_mut().enumerate().skip(next).find(|(_, piece)| !piece.is_empty());
        let Some((at, piece)) = found else { return Poll::Ready(None) };
        let piece = std::mem::take(piece);
        self.next = at + 1;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
