//! One connection: its requests are served until its client is gone, sends too slowly or nothing at all, or the server
//! ends.
//!
//! Whoever only holds a connection open takes the place of others. So a head that has begun must come in time, a kept
//! connection must be used in time, and the place of a connection is held by the connection's own bytes ([`Watched`]),
//! also when it has become a WebSocket.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::configuration::Limits;
use crate::doors::Place;
use crate::drain::{Phase, reached};
use crate::pressure::Taken;

/// How long a client has to take note that its idle connection is closed.
const LEAVE: Duration = Duration::from_secs(5);
/// How long the server, when it ends, waits for the first request of a connection that has just come.
const LAST_MOMENT: Duration = Duration::from_millis(500);
/// The number of headers up to which HTTP/1 is read without asking for memory.
const HEADERS_AT_HAND: usize = 100;
/// How many requests a client may have under way on one connection.
const MOST_STREAMS: u32 = 200;

/// How HTTP is spoken by these limits.
pub(crate) fn protocol(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Heads are waited for here, by `Pulse`, which can tell a slow one from a kept connection.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.head_bytes);
    if limits.headers != HEADERS_AT_HAND {
        builder.http1().max_headers(limits.headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(MOST_STREAMS)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}

/// What ended a connection from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The head of a request took too long.
    SlowHead,
    /// There was no request for too long.
    Idle,
}

/// What is known of a connection's life.
pub(crate) struct Pulse {
    opened: Instant,
    under_way: AtomicUsize,
    /// Whether it had a request.
    used: AtomicBool,
    /// Whether it carries many requests at once, as HTTP/2 does: then bytes between requests are no head.
    many: AtomicBool,
    /// When the last request ended, in milliseconds since it was opened.
    idle_since: AtomicU64,
    /// When a head began, likewise; 0 when none has.
    head_since: AtomicU64,
}

impl Pulse {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            under_way: AtomicUsize::new(0),
            used: AtomicBool::new(false),
            many: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Bytes came.
    fn hear(&self) {
        if self.under_way.load(Ordering::Relaxed) == 0 && self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// A request begins; it is under way until what is given back is dropped.
    pub(crate) fn begin(self: &Arc<Self>, version: http::Version) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.used.store(true, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        if version >= http::Version::HTTP_2 {
            self.many.store(true, Ordering::Relaxed);
        }
        UnderWay { pulse: Arc::clone(self), taken: None }
    }

    /// When to look again, or why there is no more waiting.
    fn look(&self, now: u64, limits: &Limits) -> Result<u64, End> {
        let millis = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let (head, idle) = (millis(limits.head), millis(limits.idle));
        if self.under_way.load(Ordering::Relaxed) > 0 {
            return Ok(now.saturating_add(head.min(idle)));
        }
        let (until, end) = if !self.used.load(Ordering::Relaxed) {
            (head, End::SlowHead)
        } else {
            let began = self.head_since.load(Ordering::Relaxed);
            if began > 0 && !self.many.load(Ordering::Relaxed) {
                (began.saturating_add(head), End::SlowHead)
            } else {
                (self.idle_since.load(Ordering::Relaxed).saturating_add(idle), End::Idle)
            }
        };
        if now >= until { Err(end) } else { Ok(until.min(now.saturating_add(head))) }
    }

    /// Waits until the client has been too slow.
    async fn stops(&self, limits: &Limits) -> End {
        loop {
            match self.look(self.now(), limits) {
                Ok(again) => sleep_until(self.opened + Duration::from_millis(again)).await,
                Err(end) => return end,
            }
        }
    }
}

/// A request that is under way.
pub(crate) struct UnderWay {
    pulse: Arc<Pulse>,
    /// Its place among what its thread has taken on.
    taken: Option<Taken>,
}

impl UnderWay {
    /// Holds the request's place until its answer is written.
    pub(crate) fn hold(&mut self, taken: Taken) {
        self.taken = Some(taken);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let pulse = &self.pulse;
        if pulse.under_way.fetch_sub(1, Ordering::Relaxed) == 1 {
            pulse.idle_since.store(pulse.now(), Ordering::Relaxed);
            pulse.head_since.store(0, Ordering::Relaxed);
        }
    }
}

/// Serves a connection to its end, and says what ended it if that was not its client. The connection comes in a box: what
/// waits for it would have room for it several times.
///
/// # Errors
/// What hyper says, when the connection broke.
pub(crate) async fn converse<C: GracefulConnection>(
    mut connection: Pin<Box<C>>,
    pulse: &Pulse,
    limits: &Limits,
    mut phases: watch::Receiver<Phase>,
) -> Result<Option<End>, C::Error> {
    let mut stops = pin!(pulse.stops(limits));
    let mut leaving = false;
    loop {
        tokio::select! {
            done = connection.as_mut() => return done.map(|()| None),
            end = &mut stops => {
                if end == End::Idle {
                    connection.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(LEAVE, connection).await;
                }
                return Ok(Some(end));
            }
            () = closing(&mut phases, pulse), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Waits until a connection is to be closed: who came at the last moment is heard first.
async fn closing(phases: &mut watch::Receiver<Phase>, pulse: &Pulse) {
    reached(phases, Phase::Closing).await;
    if !pulse.used.load(Ordering::Relaxed) {
        tokio::time::sleep(LAST_MOMENT).await;
    }
}

/// The bytes of a connection, which hold its place.
pub(crate) struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
    _place: Place,
    /// Those who wait for the last connection wait for this one.
    _open: watch::Receiver<()>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, pulse: Arc<Pulse>, place: Place, open: watch::Receiver<()>) -> Self {
        Self { stream, pulse, _place: place, _open: open }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pulse.hear();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The body of an answer: its request is under way until it is written. A stream of events ends when the server does;
/// its client connects again. Other answers are never cut so, because a part must not pass for the whole.
pub(crate) struct Answer<B> {
    body: B,
    ending: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _under_way: UnderWay,
}

impl<B> Answer<B> {
    /// Around the body of an answer with these headers.
    pub(crate) fn new(
        body: B,
        headers: &HeaderMap,
        under_way: UnderWay,
        phases: &watch::Receiver<Phase>,
    ) -> Self {
        let is_stream = headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"));
        let ending = is_stream.then(|| {
            let mut phases = phases.clone();
            Box::pin(async move { reached(&mut phases, Phase::Ending).await })
                as Pin<Box<dyn Future<Output = ()> + Send>>
        });
        Self { body, ending, _under_way: under_way }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(ending) = &mut self.ending
            && ending.as_mut().poll(context).is_ready()
        {
            self.ending = None;
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Version;

    fn limits() -> Limits {
        Limits { head: Duration::from_secs(10), idle: Duration::from_secs(60), ..Limits::default() }
    }

    #[test]
    fn a_connection_that_says_nothing_or_too_little_ends() {
        let pulse = Pulse::new();
        assert_eq!(pulse.look(9_999, &limits()), Ok(10_000));
        assert_eq!(pulse.look(10_000, &limits()), Err(End::SlowHead));
        pulse.hear();
        assert_eq!(pulse.look(10_000, &limits()), Err(End::SlowHead));
    }

    #[test]
    fn a_kept_connection_is_kept_longer_than_a_head_may_take() {
        let pulse = Pulse::new();
        let request = pulse.begin(Version::HTTP_11);
        // However long an answer takes.
        assert_eq!(pulse.look(900_000, &limits()), Ok(910_000));
        drop(request);
        pulse.idle_since.store(1_000, Ordering::Relaxed);
        assert_eq!(pulse.look(50_000, &limits()), Ok(60_000));
        assert_eq!(pulse.look(61_000, &limits()), Err(End::Idle));
        pulse.head_since.store(40_000, Ordering::Relaxed);
        assert_eq!(pulse.look(49_000, &limits()), Ok(50_000));
        assert_eq!(pulse.look(50_000, &limits()), Err(End::SlowHead));
    }

    #[test]
    fn what_is_between_requests_of_http_2_is_no_head() {
        let pulse = Pulse::new();
        drop(pulse.begin(Version::HTTP_2));
        pulse.idle_since.store(1_000, Ordering::Relaxed);
        pulse.head_since.store(2_000, Ordering::Relaxed);
        assert_eq!(pulse.look(30_000, &limits()), Ok(40_000));
        assert_eq!(pulse.look(61_000, &limits()), Err(End::Idle));
    }
}
