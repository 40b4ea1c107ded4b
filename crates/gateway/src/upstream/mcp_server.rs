//! An MCP server: what is asked is passed on under its own name, what is said on the way goes to the client, the answer
//! comes in the words of the client's revision.

use std::future::Future;

use bytes::Bytes;
use domain::tool_name;
use http::{HeaderMap, HeaderName};
use mcp::jsonrpc::CallParams;
use mcp::upstream::{Ask, Dress, Era, Exchange, Plain, Said, Sender};
use mcp::{Members, UpstreamError};
use serde_json::value::RawValue;

use super::Failed;
use super::bridge::{self, After};
use super::overriding::Overriding;
use crate::answer::Reply;
use crate::era::translated;
use crate::snapshot::{McpEntry, TargetEntry, shown};
use crate::turn::Turn;

/// The most tools that one server may list at a time.
const MOST_TOOLS: usize = 1_000;
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
    in_time(turn, target, server, async {
        let dress = Overriding { credential: &Plain, turn };
        let line = Line::new(turn, target, server, asking, &dress);
        match line.resumed(id).await? {
            Some(reply) => Ok(reply),
            None => line.begin(id, asking.call.members(asking.member, asking.name)).await,
        }
    })
    .await
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
    in_time(turn, target, server, async {
        let dress = Overriding { credential: &Plain, turn };
        let sender = Sender { client: &turn.lane.client, dress: &dress };
        let mut exchange = server.server.open(sender, &ask).await?;
        let answer = exchange.answer().await?;
        let (message, code) = translated(&answer, id, exchange.era(), turn.modern, method);
        Ok(Reply::passed_on(message, code))
    })
    .await
}

/// The tools of the servers whose lists are read only when somebody asks for them, as far as the caller may see tools
/// that no policy knows.
pub(crate) async fn unlisted_tools(turn: &Turn) -> Vec<Bytes> {
    let peer = turn.peer();
    let mut tools = Vec::new();
    let dress = Overriding { credential: &Plain, turn };
    for (target, entry) in turn.gate.catalogue.servers().filter(|(_, server)| server.unlisted) {
        let sender = Sender { client: &turn.lane.client, dress: &dress };
        match entry.server.list(sender, &peer, MOST_TOOLS).await {
            Ok(listed) => tools.extend(
                listed
                    .tools
                    .iter()
                    .map(|tool| Bytes::from(shown(&tool_name(&target.name, &tool.name), &tool.definition.0))),
            ),
            Err(error) => tracing::warn!(
                gateway.id = %turn.gate.gateway.id, target.id = %target.id, %error,
                "The tools of a target cannot be listed; the others are."
            ),
        }
    }
    tools
}

/// Bounds the time that a server may take, and says whose failure it was.
async fn in_time(
    turn: &Turn,
    target: &TargetEntry,
    server: &McpEntry,
    work: impl Future<Output = Result<Reply, Broken>>,
) -> Result<Reply, Failed> {
    let patience = turn.lane.plane.setup.call_timeout;
    let answered = tokio::time::timeout(patience, work).await;
    let answered = answered.unwrap_or(Err(Broken::Upstream(UpstreamError::TimedOut(patience))));
    let at = format!("the target {} (MCP server {})", target.name, server.server.endpoint());
    answered.map_err(|broken| match broken {
        Broken::Upstream(error) => Failed::new(format!("{at} failed: {error}")),
        Broken::Refused(why) => Failed::new(format!("{at}: {why}")),
    })
}

/// Why a conversation with a server ended without an answer.
pub(super) enum Broken {
    Upstream(UpstreamError),
    /// It is us who ended it.
    Refused(String),
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
    pub(super) sender: Sender<'a>,
    headers: HeaderMap,
}

impl<'a> Line<'a> {
    fn new(
        turn: &'a Turn,
        target: &'a TargetEntry,
        server: &'a McpEntry,
        asking: &'a Asking<'a>,
        dress: &'a dyn Dress,
    ) -> Self {
        let mut headers = propagated(turn, target);
        headers.extend(asking.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        Self { turn, server, asking, sender: Sender { client: &turn.lane.client, dress }, headers }
    }

    /// Asks with these members of the parameters.
    async fn begin(&self, id: &str, mut members: String) -> Result<Reply, Broken> {
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
            let exchange = self.server.server.open(self.sender, &ask).await?;
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
                    match bridge::asked_by_former(self, exchange, id, asked).await? {
                        After::Answered(back) => exchange = back,
                        After::Suspended(reply) => return Ok(Heard::Reply(reply)),
                    }
                }
                Some(Said::Answer(answer)) => {
                    let may_ask = exchange.era() == Era::Modern && !self.turn.modern && !answer.is_error();
                    if may_ask && let Some(answers) = bridge::asked_by_modern(self, &answer).await? {
                        return Ok(Heard::Again(answers));
                    }
                    let modern = self.turn.modern;
                    let (message, code) = translated(&answer, id, exchange.era(), modern, self.asking.method);
                    return Ok(Heard::Reply(Reply::passed_on(message, code)));
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
            outlet.say(message).await;
        }
    }
}

/// What became of an exchange.
pub(super) enum Heard {
    Reply(Reply),
    /// The server of 2026-07-28 wants to be asked again, with these members of the parameters.
    Again(String),
}

/// The headers of the caller that the target gets.
fn propagated(turn: &Turn, target: &TargetEntry) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in &target.propagation.request_headers {
        let given = HeaderName::try_from(name).ok().zip(turn.arrival.headers.get(name));
        if let Some((name, value)) = given {
            headers.insert(name, value.clone());
        }
    }
    headers
}
