//! An MCP server: what is asked is passed on under its own name, what is said on the way goes to the client, the answer
//! comes in the words of the client's revision.

use std::future::Future;
use std::pin::{Pin, pin};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, StatusCode};
use mcp::jsonrpc::CallParams;
use mcp::upstream::{Ask, Era, Exchange, Said, Sender};
use mcp::{Members, UpstreamError};
use serde_json::value::RawValue;

use super::Failed;
use super::bridge::{self, After};
use super::http::without_query;
use crate::answer::Reply;
use crate::credential::Carried;
use crate::era::translated;
use crate::snapshot::{McpEntry, TargetEntry};
use crate::turn::Turn;

/// How often a server of 2026-07-28 may ask back during one call of a client that is asked in between.
const MOST_ROUNDS: usize = 10;

/// What is asked of a server.
pub(super) struct Asking<'a> {
    pub(super) method: &'a str,
    /// The member of the parameters that names it.
    pub(super) member: &'a str,
    /// Its own name.
    pub(super) name: &'a str,
    pub(super) call: &'a CallParams<'a>,
    /// Headers that go with it.
    pub(super) headers: HeaderMap,
}

/// Asks, and answers.
pub(super) async fn ask(
    turn: &Turn,
    target: &TargetEntry,
    server: &McpEntry,
    id: &str,
    asking: &Asking<'_>,
) -> Result<Reply, Failed> {
    let mut line = Line::new(turn, target, server, asking).await?;
    let outcome = {
        let conversation = pin!(async {
            match line.waiting() {
                Some(name) => Box::pin(line.resume(id, &name)).await,
                None => line.begin(id, asking.call.members(asking.member, asking.name)).await,
            }
        });
        in_time(turn, target, server, conversation).await
    };
    line.carried.masked_outcome(outcome)
}

/// Asks a server to complete an argument.
pub(super) async fn complete(
    turn: &Turn,
    target: &TargetEntry,
    server: &McpEntry,
    id: &str,
    mut params: Members<'_>,
) -> Result<Reply, Failed> {
    let method = "completion/complete";
    let meta = params.remove("_meta").and_then(|meta| RawValue::from_string(meta.into_owned()).ok());
    let members = params.to_string();
    let members = members.trim_start_matches('{').strip_suffix('}').unwrap_or_default();
    let peer = turn.peer();
    let headers = propagated(turn, target);
    let ask = Ask { method, subject: None, members, meta: meta.as_deref(), headers: &headers, peer: &peer };
    let mut carried = Carried::of(turn, target).await?;
    let outcome = {
        let conversation = pin!(async {
            let mut exchange = open(&mut carried, server, &ask).await?;
            let answer = exchange.answer().await?;
            let (message, code) = translated(&answer, id, exchange.era(), turn.modern, method);
            Ok(Reply::passed_on(message, code).with_headers(carried.handed_on(exchange.headers())))
        });
        in_time(turn, target, server, conversation).await
    };
    carried.masked_outcome(outcome)
}

/// Opens an exchange; once more with a fresh token, when the one that was shown is not accepted.
async fn open(carried: &mut Carried<'_>, server: &McpEntry, ask: &Ask<'_>) -> Result<Exchange, Broken> {
    match server.server.open(carried.sender(), ask).await {
        Err(UpstreamError::Status(StatusCode::UNAUTHORIZED)) if carried.renew().await? => {
            Ok(server.server.open(carried.sender(), ask).await?)
        }
        opened => Ok(opened?),
    }
}

/// Bounds the time that a server may take, and says whose failure it was.
async fn in_time(
    turn: &Turn,
    target: &TargetEntry,
    server: &McpEntry,
    work: Pin<&mut impl Future<Output = Result<Reply, Broken>>>,
) -> Result<Reply, Failed> {
    let patience = turn.lane.plane.setup.call_timeout;
    let answered = tokio::time::timeout(patience, work).await;
    let answered = answered.unwrap_or(Err(Broken::Upstream(UpstreamError::TimedOut(patience))));
    answered.map_err(|broken| match broken {
        Broken::Failed(failed) => failed,
        broken => failed(target, server, &broken),
    })
}

/// A conversation that broke, as a failure of the leg that it broke on.
pub(super) fn failed(target: &TargetEntry, server: &McpEntry, broken: &Broken) -> Failed {
    let endpoint = without_query(server.server.endpoint());
    let at = format!("the target {} (MCP server {endpoint})", target.name);
    let failed = match broken {
        Broken::Upstream(error @ UpstreamError::Credential(_)) => {
            return Failed::of_credential(format!("{at}: {error}"), None, None);
        }
        Broken::Upstream(error) => Failed::new(format!("{at} failed: {error}")),
        Broken::Refused(why) => Failed::new(format!("{at}: {why}")),
        Broken::Failed(_) => Failed::new(at),
    };
    let status = match broken {
        Broken::Upstream(UpstreamError::Status(status) | UpstreamError::Legacy(status)) => {
            Some(status.as_u16())
        }
        _ => None,
    };
    failed.at(endpoint, status)
}

/// Why a conversation with a server ended without an answer.
pub(super) enum Broken {
    Upstream(UpstreamError),
    /// It is us who ended it.
    Refused(String),
    /// Something before the server failed.
    Failed(Failed),
}

impl From<Failed> for Broken {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<UpstreamError> for Broken {
    fn from(error: UpstreamError) -> Self {
        Self::Upstream(error)
    }
}

/// A conversation with a server on behalf of one request.
pub(super) struct Line<'a> {
    pub(super) turn: &'a Turn,
    pub(super) server: &'a McpEntry,
    pub(super) asking: &'a Asking<'a>,
    pub(super) carried: Carried<'a>,
    headers: HeaderMap,
}

impl<'a> Line<'a> {
    async fn new(
        turn: &'a Turn,
        target: &'a TargetEntry,
        server: &'a McpEntry,
        asking: &'a Asking<'a>,
    ) -> Result<Self, Failed> {
        let mut headers = propagated(turn, target);
        for (name, value) in &asking.headers {
            headers.insert(name, value.clone());
        }
        Ok(Self { turn, server, asking, carried: Carried::of(turn, target).await?, headers })
    }

    pub(super) fn sender(&self) -> Sender<'_> {
        self.carried.sender()
    }

    /// Asks with these members of the parameters.
    async fn begin(&mut self, id: &str, mut members: String) -> Result<Reply, Broken> {
        let peer = self.turn.peer();
        for _ in 0..MOST_ROUNDS {
            let ask = Ask {
                method: self.asking.method,
                subject: Some(self.asking.name),
                members: &members,
                meta: self.asking.call.meta,
                headers: &self.headers,
                peer: &peer,
            };
            let exchange = open(&mut self.carried, self.server, &ask).await?;
            match self.hear(id, exchange).await? {
                Heard::Reply(reply) => return Ok(reply),
                Heard::Again(answers) => {
                    members = format!(
                        "{}{answers}",
                        self.asking.call.members(self.asking.member, self.asking.name)
                    );
                }
            }
        }
        Err(Broken::Refused(format!("it asked back more than {MOST_ROUNDS} times")))
    }

    /// Hears what the server says, until it has answered or its client must be asked.
    pub(super) async fn hear(&self, id: &str, mut exchange: Exchange) -> Result<Heard, Broken> {
        loop {
            match exchange.next().await? {
                None => return Err(UpstreamError::NoAnswer.into()),
                Some(Said::Note { method, message }) => self.note(&method, message).await,
                Some(Said::Request { id: request, method, params }) => {
                    let asked = bridge::Asked { request, method, params };
                    match Box::pin(bridge::asked_by_former(self, exchange, id, asked)).await? {
                        After::Answered(back) => exchange = back,
                        After::Ended(reply) => return Ok(Heard::Reply(reply)),
                    }
                }
                Some(Said::Answer(answer)) => {
                    let may_ask = exchange.era() == Era::Modern && !self.turn.modern && !answer.is_error();
                    if may_ask && let Some(needs) = bridge::needs_of(&answer) {
                        let answers = Box::pin(bridge::asked_by_modern(self, &needs)).await?;
                        return Ok(Heard::Again(answers));
                    }
                    let modern = self.turn.modern;
                    let (message, code) = translated(&answer, id, exchange.era(), modern, self.asking.method);
                    let headers = self.carried.handed_on(exchange.headers());
                    return Ok(Heard::Reply(Reply::passed_on(message, code).with_headers(headers)));
                }
            }
        }
    }

    /// Passes a notification on to a client that listens. Since 2026-07-28 log messages are for those who asked for them.
    async fn note(&self, method: &str, message: Bytes) {
        let wanted = match method {
            "notifications/progress" => true,
            "notifications/message" => !self.turn.modern || self.turn.meta.log_level.is_some(),
            _ => false,
        };
        if let Some(outlet) = self.turn.outlet.as_ref().filter(|_| wanted) {
            outlet.say(self.carried.masked(message)).await;
        }
    }
}

/// What became of an exchange.
pub(super) enum Heard {
    Reply(Reply),
    /// The server of 2026-07-28 wants to be asked again, with these members of the parameters.
    Again(String),
}

/// The headers of the caller that the target gets. Those of the protocol are ours to set.
fn propagated(turn: &Turn, target: &TargetEntry) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in &target.propagation.request_headers {
        let given = HeaderName::try_from(name).ok().zip(turn.arrival.headers.get(name));
        let is_ours = |name: &HeaderName| *name == AUTHORIZATION || name.as_str().starts_with("mcp-");
        if let Some((name, value)) = given.filter(|(name, _)| !is_ours(name)) {
            headers.insert(name, value.clone());
        }
    }
    headers
}
