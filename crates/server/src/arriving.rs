//! What a request carries, as it comes: a sender that pauses too long between two pieces is not waited for any longer.
//!
//! How much a body may be and how long all of it may take is for those who read it; this is about senders that hold a
//! request open with nothing in it.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use crate::doors::{Cut, Doors};

/// The body of a request.
pub(crate) struct Arriving {
    incoming: Incoming,
    pause: Duration,
    /// Runs while a piece is waited for.
    waiting: Waiting,
    doors: Arc<Doors>,
}

enum Waiting {
    /// Nothing was ever waited for: most bodies come with their head.
    Never,
    /// The timer of an earlier wait, to be set anew.
    Not(Pin<Box<Sleep>>),
    Since(Pin<Box<Sleep>>),
}

impl Arriving {
    /// A body between whose pieces may be `pause`.
    pub(crate) fn new(incoming: Incoming, pause: Duration, doors: Arc<Doors>) -> Self {
        Self { incoming, pause, waiting: Waiting::Never, doors }
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut timer = match std::mem::replace(&mut self.waiting, Waiting::Never) {
            Waiting::Never => Box::pin(sleep(self.pause)),
            Waiting::Not(mut timer) => {
                timer.as_mut().reset(Instant::now() + self.pause);
                timer
            }
            Waiting::Since(timer) => timer,
        };
        let over = timer.as_mut().poll(context);
        self.waiting = Waiting::Since(timer);
        over
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Waiting::Since(timer) = std::mem::replace(&mut self.waiting, Waiting::Never) {
                    self.waiting = Waiting::Not(timer);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
            }
            Poll::Pending if self.wait(context).is_ready() => {
                self.doors.count(Cut::SlowBody);
                Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
