//! The body of an answer: a few pieces, written one after the other without being copied together, or a stream of
//! events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::stream::Live;

/// A body.
pub struct Body(Kind);

enum Kind {
    /// At most three pieces: what stands before a shared result, the result, and what stands after it.
    Pieces { pieces: [Bytes; 3], next: usize },
    /// Events, as they happen.
    Live(Box<Live>),
}

impl Default for Body {
    fn default() -> Self {
        Self::around(Bytes::new(), Bytes::new(), Bytes::new())
    }
}

impl Body {
    /// A body of one piece.
    #[must_use]
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::around(bytes.into(), Bytes::new(), Bytes::new())
    }

    /// A body of three pieces.
    #[must_use]
    pub fn around(before: Bytes, shared: Bytes, after: Bytes) -> Self {
        Self(Kind::Pieces { pieces: [before, shared, after], next: 0 })
    }

    /// A stream of events.
    pub(crate) fn live(live: Live) -> Self {
        Self(Kind::Live(Box::new(live)))
    }

    /// How many bytes are left, where that is known.
    fn left(&self) -> Option<u64> {
        match &self.0 {
            Kind::Pieces { pieces, next } => {
                Some(pieces.iter().skip(*next).map(|piece| piece.len() as u64).sum())
            }
            Kind::Live(_) => None,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.0 {
            Kind::Live(live) => std::task::ready!(live.poll_event(context)),
            Kind::Pieces { pieces, next } => {
                let found = pieces.iter_mut().enumerate().skip(*next).find(|(_, piece)| !piece.is_empty());
                found.map(|(at, piece)| {
                    *next = at + 1;
                    std::mem::take(piece)
                })
            }
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left().map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
