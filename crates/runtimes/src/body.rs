//! Bodies: what callers send, in memory or as it comes, and what agents say, as they say it.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use egress::Streamed;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::agents::Held;
use crate::refusal::Refusal;
use crate::telling::Telling;

/// The largest body of a request, in bytes ("Quotas": payload of the runtime, 100 MB).
pub(crate) const LARGEST: usize = 100 * 1024 * 1024;
/// Bodies up to here wait for nobody, in bytes.
const SMALL: u64 = 1024 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a caller sends.
pub enum Payload {
    /// As it comes.
    Coming(Streamed),
    /// Read before.
    Whole(Bytes),
}

impl Payload {
    /// A body as it comes from its sender.
    pub fn coming<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes, Error = io::Error> + Send + 'static,
    {
        Self::Coming(body.boxed_unsync())
    }

    /// All of it. A large one waits for its turn, which it keeps until nobody needs its bytes any more.
    pub(crate) async fn whole(self, turns: &Arc<Semaphore>) -> Result<Bytes, Refusal> {
        let incoming = match self {
            Self::Whole(bytes) if bytes.len() > LARGEST => return Err(too_large()),
            Self::Whole(bytes) => return Ok(bytes),
            Self::Coming(incoming) => incoming,
        };
        let size = incoming.size_hint();
        if size.lower() > LARGEST as u64 {
            return Err(too_large());
        }
        let turn = match size.exact() {
            Some(length) if length <= SMALL => None,
            _ => Some(Arc::clone(turns).acquire_owned().await.map_err(|error| Refusal::internal(&error))?),
        };
        match tokio::time::timeout(PATIENCE, Limited::new(incoming, LARGEST).collect()).await {
            Ok(Ok(body)) => Ok(match turn {
                Some(turn) => Bytes::from_owner(Large { bytes: body.to_bytes(), _turn: turn }),
                None => body.to_bytes(),
            }),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) | Err(_) => Err(Refusal::invalid("The request did not arrive whole. Send it again.")),
        }
    }

    /// As it is sent on, and whether it turned out to be too large.
    pub(crate) fn streamed(self) -> (Streamed, Arc<AtomicBool>) {
        let too_large = Arc::new(AtomicBool::new(false));
        let noticed = Arc::clone(&too_large);
        let broken = move |error: Box<dyn std::error::Error + Send + Sync>| {
            if error.is::<LengthLimitError>() {
                noticed.store(true, Ordering::Relaxed);
            }
            io::Error::other(error)
        };
        let streamed = match self {
            Self::Whole(bytes) => Full::from(bytes).map_err(|never| match never {}).boxed_unsync(),
            Self::Coming(incoming) => Limited::new(incoming, LARGEST).map_err(broken).boxed_unsync(),
        };
        (streamed, too_large)
    }
}

/// A large body in memory, with its turn.
struct Large {
    bytes: Bytes,
    _turn: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What is told to a caller whose body is too large.
pub(crate) fn too_large() -> Refusal {
    Refusal::invalid(format!("The payload is larger than {LARGEST} bytes, the most that a runtime takes."))
}

/// What an agent says, or what is said in its place.
pub struct Body(Kind);

enum Kind {
    Whole(Full<Bytes>),
    Passing(Box<Passing>),
}

impl Body {
    /// A body of one piece.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(Full::new(bytes)))
    }

    /// What an agent says, until a moment at most. Its session is in use until all of it is said.
    pub(crate) fn passing(incoming: Incoming, until: Instant, held: Held) -> Self {
        let deadline = Box::pin(sleep_until(until));
        let (is_whole, telling) = (false, None);
        Self(Kind::Passing(Box::new(Passing { incoming, deadline, is_whole, telling, _held: held })))
    }

    /// The same, with what is told of its request when all of it is said.
    pub(crate) fn telling(mut self, telling: Telling) -> Self {
        if let Kind::Passing(passing) = &mut self.0 {
            passing.telling = Some(telling);
        }
        self
    }
}

/// An end before its time breaks the connection: a part must not pass for the whole.
struct Passing {
    incoming: Incoming,
    deadline: Pin<Box<Sleep>>,
    /// Whether all of it was said, or its end was told otherwise.
    is_whole: bool,
    telling: Option<Telling>,
    _held: Held,
}

impl Passing {
    fn broke(&mut self) {
        self.is_whole = true;
        if let Some(telling) = &mut self.telling {
            telling.broke();
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if let Some(telling) = &mut self.telling
            && !self.is_whole
            && !self.incoming.is_end_stream()
        {
            telling.abandoned();
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let passing = match &mut self.0 {
            Kind::Whole(whole) => {
                let frame = ready!(Pin::new(whole).poll_frame(context));
                return Poll::Ready(frame.map(|frame| frame.map_err(|never| match never {})));
            }
            Kind::Passing(passing) => passing,
        };
        // First: what never ends and never pauses ends too.
        if passing.deadline.as_mut().poll(context).is_ready() {
            passing.broke();
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        loop {
            match ready!(Pin::new(&mut passing.incoming).poll_frame(context)) {
                // Trailers are left out: no list of headers speaks about them.
                Some(Ok(frame)) if !frame.is_data() => {}
                Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => {
                    passing.broke();
                    return Poll::Ready(Some(Err(io::Error::other(error))));
                }
                None => {
                    passing.is_whole = true;
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(whole) => whole.is_end_stream(),
            Kind::Passing(passing) => passing.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(whole) => whole.size_hint(),
            Kind::Passing(passing) => passing.incoming.size_hint(),
        }
    }
}
