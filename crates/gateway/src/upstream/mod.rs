//! The call itself. Every way to an upstream demands a proof that only `authorize` can make: a [`Permitted`] for a tool,
//! a [`Readable`] for what is offered besides.

mod bridge;
pub(crate) mod http;
mod lambda;
mod mcp_server;
mod overriding;

use ::http::{HeaderMap, StatusCode};
use domain::ExceptionLevel;
use mcp::Members;
use mcp::jsonrpc::INTERNAL_ERROR;

use crate::answer::Reply;
use crate::authorize::{Permitted, Readable};
use crate::snapshot::{Gate, McpEntry, OfferEntry, TargetEntry, UpstreamEntry};
use crate::turn::Turn;

pub(crate) use lambda::invoke;
use mcp_server::Asking;
pub(crate) use mcp_server::unlisted_tools;
pub(crate) use overriding::Overriding;

/// What AgentCore says of a failure whose detail is not for the caller.
const INTERNAL: &str = "An internal error occurred. Please retry later.";

/// What is asked about a prompt or a resource.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) method: &'a str,
    /// The member of the parameters that names it.
    pub(crate) member: &'a str,
}

/// Calls a tool.
pub(crate) async fn call(turn: &Turn, permitted: &Permitted<'_>, id: &str) -> Reply {
    let tool = permitted.tool();
    let called = match turn.gate.catalogue.target(tool.target) {
        None => Err(Failed::new("the tool's target is gone")),
        Some(target) => match &target.upstream {
            UpstreamEntry::Lambda { function, prepared } => {
                let call = lambda::Call { target: &target.id, function, prepared: prepared.as_deref(), id };
                lambda::call(turn, permitted, &call).await
            }
            UpstreamEntry::Mcp(server) => {
                let arguments = serde_json::from_str(permitted.arguments()).unwrap_or_default();
                let headers: HeaderMap = tool.param_headers.of_arguments(&arguments).into_iter().collect();
                let asking = Asking {
                    method: "tools/call",
                    member: "name",
                    name: &tool.own_name,
                    call: permitted.call(),
                    headers,
                };
                mcp_server::ask(turn, target, server, id, &asking).await
            }
            UpstreamEntry::Http(_) | UpstreamEntry::Unserved => {
                Err(Failed::new("the tool's target cannot be called"))
            }
        },
    };
    called.unwrap_or_else(|failed| failed.into_result(&turn.gate, id))
}

/// Asks for a prompt or a resource.
pub(crate) async fn read(turn: &Turn, readable: &Readable<'_>, id: &str, question: Question<'_>) -> Reply {
    let offer = readable.offer();
    let Some((target, server)) = server_of(turn, offer) else {
        return Failed::new("the target is gone").into_error(&turn.gate, id);
    };
    let Question { method, member } = question;
    let asking =
        Asking { method, member, name: &offer.own_name, call: readable.call(), headers: HeaderMap::new() };
    let answered = mcp_server::ask(turn, target, server, id, &asking).await;
    answered.unwrap_or_else(|failed| failed.into_error(&turn.gate, id))
}

/// Asks a server to complete an argument.
pub(crate) async fn complete(turn: &Turn, offer: &OfferEntry, id: &str, params: Members<'_>) -> Reply {
    let Some((target, server)) = server_of(turn, offer) else {
        return Failed::new("the target is gone").into_error(&turn.gate, id);
    };
    let answered = mcp_server::complete(turn, target, server, id, params).await;
    answered.unwrap_or_else(|failed| failed.into_error(&turn.gate, id))
}

fn server_of<'g>(turn: &'g Turn, offer: &OfferEntry) -> Option<(&'g TargetEntry, &'g McpEntry)> {
    let target = turn.gate.catalogue.target(offer.target)?;
    match &target.upstream {
        UpstreamEntry::Mcp(server) => Some((target, server)),
        _ => None,
    }
}

/// A call that came to nothing.
pub(crate) struct Failed {
    /// What happened, for the log and for those who debug.
    pub(crate) detail: String,
    /// What the target answered, for those who debug alone: it may hold what no log should.
    pub(crate) answer: Option<String>,
    /// What an HTTP target's caller is answered with.
    status: StatusCode,
}

impl Failed {
    pub(crate) fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), answer: None, status: StatusCode::BAD_GATEWAY }
    }

    /// The same, with what the target answered.
    pub(crate) fn with_answer(self, answer: String) -> Self {
        Self { answer: Some(answer), ..self }
    }

    /// The same, for want of time.
    pub(crate) fn late(self) -> Self {
        Self { status: StatusCode::GATEWAY_TIMEOUT, ..self }
    }

    /// What is not here, which its caller may know.
    pub(crate) fn absent(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::new(detail) }
    }

    /// The same for an HTTP target.
    pub(crate) fn into_http(self, gate: &Gate) -> Reply {
        let status = self.status;
        if status == StatusCode::NOT_FOUND {
            return Reply::http_error(status, "ResourceNotFoundException", &self.detail);
        }
        let detail = self.told(gate);
        Reply::http_error(status, "InternalServerException", detail.as_deref().unwrap_or(INTERNAL))
    }

    /// The tool's error, as AgentCore words it: with the detail only where the gateway's `exceptionLevel` is DEBUG.
    pub(crate) fn into_result(self, gate: &Gate, id: &str) -> Reply {
        let result = match self.told(gate) {
            Some(detail) => {
                let detail = serde_json::Value::from(detail).to_string();
                format!(
                    "{{\"content\":[{{\"type\":\"text\",\"text\":{detail}}}],\"isError\":true,\
                     \"_meta\":{{\"debug\":{{\"type\":\"text\",\"text\":{detail}}}}}}}"
                )
            }
            None => mcp::jsonrpc::text_result(INTERNAL, true),
        };
        Reply::result(id, &result).failing("ToolExecutionError")
    }

    /// The same for what is no tool.
    pub(crate) fn into_error(self, gate: &Gate, id: &str) -> Reply {
        let detail = self.told(gate);
        Reply::error(id, INTERNAL_ERROR, detail.as_deref().unwrap_or(INTERNAL)).failing("UpstreamError")
    }

    /// Writes down what nobody is told.
    pub(crate) fn log(&self, turn: &Turn) {
        tracing::warn!(gateway.id = %turn.gate.gateway.id, error = %self.detail, "A call of an upstream failed.");
    }

    /// What the caller may know; the log knows it in any case.
    fn told(self, gate: &Gate) -> Option<String> {
        tracing::warn!(gateway.id = %gate.gateway.id, error = %self.detail, "A call of an upstream failed.");
        let answer = self.answer.map(|answer| format!(": {answer}")).unwrap_or_default();
        match gate.gateway.exception_level {
            Some(ExceptionLevel::Debug) => Some(format!("{}{answer}", self.detail)),
            None => None,
        }
    }
}
