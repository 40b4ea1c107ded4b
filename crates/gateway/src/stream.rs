//! An answer that may be a stream: as soon as something is said before the answer itself, the client gets it.
//!
//! The work is done by whoever reads the answer: when the client goes away, its request is dropped with everything that
//! was under way for it, down to the upstream.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use domain::RequestId;
use http::Response;
use tokio::sync::mpsc;

use crate::answer::{self, Reply};
use crate::audit::Record;
use crate::body::Body;
use crate::pipeline::converse;
use crate::turn::Turn;

/// How many messages may wait for a client that reads slowly, before the upstream waits too.
const WAITING: usize = 16;

/// Where messages go that are said before the answer.
pub(crate) struct Outlet {
    sender: mpsc::Sender<Bytes>,
    began: OnceLock<Instant>,
}

impl Outlet {
    /// Whether anything was said.
    pub(crate) fn has_begun(&self) -> bool {
        self.began.get().is_some()
    }

    /// When the first was said.
    pub(crate) fn began(&self) -> Option<Instant> {
        self.began.get().copied()
    }

    /// Says a message to the client; waits while the client reads slowly.
    pub(crate) async fn say(&self, message: Bytes) {
        // Without a reader the whole request is about to be dropped.
        self.began.get_or_init(Instant::now);
        drop(self.sender.send(message).await);
    }
}

/// Does the work that `converse` tells of, and answers.
pub(crate) async fn respond(
    mut turn: Box<Turn>,
    body: Bytes,
    record: Box<Record>,
    request_id: &RequestId,
) -> Response<Body> {
    if !(turn.arrival.as_stream && turn.gate.streams) {
        let reply = converse(&mut turn, &body, record).await;
        return answer::finish(reply.written_for(&turn), request_id);
    }
    let (sender, mut messages) = mpsc::channel(WAITING);
    turn.outlet = Some(Outlet { sender, began: OnceLock::new() });
    let mut work: Work = Box::pin(async move {
        let reply = converse(&mut turn, &body, record).await;
        reply.written_for(&turn)
    });
    tokio::select! {
        biased;
        Some(first) = messages.recv() => {
            answer::streaming(Body::live(Live { first: Some(first), messages, work: Some(work) }), request_id)
        }
        reply = &mut work => match messages.try_recv() {
            Err(_) => answer::finish(reply, request_id),
            // The work ended with what it had to say before the answer still waiting.
            Ok(first) => {
                let work: Work = Box::pin(std::future::ready(reply));
                let live = Live { first: Some(first), messages, work: Some(work) };
                answer::streaming(Body::live(live), request_id)
            }
        },
    }
}

type Work = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A stream of messages that ends with an answer.
pub(crate) struct Live {
    first: Option<Bytes>,
    messages: mpsc::Receiver<Bytes>,
    work: Option<Work>,
}

impl Live {
    /// The next event.
    pub(crate) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(first) = self.first.take() {
                return Poll::Ready(Some(answer::event(first)));
            }
            if let Poll::Ready(Some(message)) = self.messages.poll_recv(context) {
                return Poll::Ready(Some(answer::event(message)));
            }
            let Some(work) = &mut self.work else { return Poll::Ready(None) };
            let Poll::Ready(reply) = work.as_mut().poll(context) else {
                // The work may have said something while it was polled.
                return match self.messages.poll_recv(context) {
                    Poll::Ready(Some(message)) => Poll::Ready(Some(answer::event(message))),
                    _ => Poll::Pending,
                };
            };
            self.work = None;
            // What was said before the answer goes out before it.
            let Some(last) = reply.into_message() else { continue };
            match self.messages.try_recv() {
                Ok(message) => {
                    self.first = Some(last);
                    return self.drain(message);
                }
                Err(_) => return Poll::Ready(Some(answer::event(last))),
            }
        }
    }

    /// What is left to say, the answer last, as one piece: the work has ended, so nothing is added to it.
    fn drain(&mut self, message: Bytes) -> Poll<Option<Bytes>> {
        let mut piece = answer::event(message).to_vec();
        while let Ok(message) = self.messages.try_recv() {
            piece.extend_from_slice(&answer::event(message));
        }
        if let Some(last) = self.first.take() {
            piece.extend_from_slice(&answer::event(last));
        }
        Poll::Ready(Some(piece.into()))
    }
}
