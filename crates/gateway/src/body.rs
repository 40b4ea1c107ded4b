//! The body of an answer: a few pieces, written one after the other without being copied together, or a stream of
//! events.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::Either;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limit::Open;
use mask::{Mask, Masker};

use crate::stream::Live;

/// What a request carries, as it comes from its sender.
pub trait Arriving: http_body::Body<Data = Bytes, Error = io::Error> + Unpin + Send + 'static {}

impl<B: http_body::Body<Data = Bytes, Error = io::Error> + Unpin + Send + 'static> Arriving for B {}

/// A body.
pub struct Body(Kind);

enum Kind {
    /// At most three pieces: what stands before a shared result, the result, and what stands after it.
    Pieces { pieces: [Bytes; 3], next: usize },
    /// Events, as they happen.
    Live(Box<Live>),
    /// What an upstream says, as it says it.
    Passing(Box<Passing>),
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

    /// What an upstream says, until this moment at most.
    pub(crate) fn passing(incoming: Either<Incoming, runtimes::Body>, until: Instant) -> Self {
        let deadline = Box::pin(sleep_until(until));
        Self(Kind::Passing(Box::new(Passing { incoming, deadline, masker: None, _open: Vec::new() })))
    }

    /// The same body without the secrets that a mask knows.
    pub(crate) fn masked(mut self, mask: &Mask) -> Self {
        if let Kind::Passing(passing) = &mut self.0 {
            passing.masker = Some(mask.stream());
        }
        self
    }

    /// The same body, which rate limits count as open as long as it is read.
    pub(crate) fn holding(mut self, open: Vec<Open>) -> Self {
        if let Kind::Passing(passing) = &mut self.0 {
            passing._open = open;
        }
        self
    }

    /// How many bytes are left, where that is known.
    fn left(&self) -> Option<u64> {
        match &self.0 {
            Kind::Pieces { pieces, next } => {
                Some(pieces.iter().skip(*next).map(|piece| piece.len() as u64).sum())
            }
            Kind::Passing(passing) if passing.masker.is_none() => passing.incoming.size_hint().exact(),
            Kind::Passing(_) => None,
            Kind::Live(_) => None,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = match &mut self.0 {
            Kind::Passing(passing) => return passing.poll_data(context),
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
        match &self.0 {
            Kind::Passing(passing) => passing.masker.is_none() && passing.incoming.is_end_stream(),
            _ => self.left() == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left().map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// What an upstream says. An end before its time breaks the connection: a part must not pass for the whole.
struct Passing {
    incoming: Either<Incoming, runtimes::Body>,
    deadline: Pin<Box<Sleep>>,
    /// Takes out what must not come back; gone when everything has been said.
    masker: Option<Masker>,
    /// Held, because it does something when it is dropped.
    _open: Vec<Open>,
}

impl Passing {
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        // First: what never ends and never pauses ends too.
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        loop {
            match Pin::new(&mut self.incoming).poll_frame(context) {
                // Trailers are left out: no list of headers speaks about them.
                Poll::Ready(Some(Ok(frame))) if !frame.is_data() => {}
                Poll::Ready(Some(Ok(frame))) => match (&mut self.masker, frame.into_data()) {
                    (None, Ok(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    (Some(masker), Ok(data)) => {
                        let masked = masker.push(&data);
                        if !masked.is_empty() {
                            return Poll::Ready(Some(Ok(Frame::data(masked.into()))));
                        }
                    }
                    (_, Err(_)) => {}
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                Poll::Ready(None) => {
                    let rest = self.masker.take().map(Masker::finish).filter(|rest| !rest.is_empty());
                    return Poll::Ready(rest.map(|rest| Ok(Frame::data(rest.into()))));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
