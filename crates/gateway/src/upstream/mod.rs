//! The call itself. Every way to an upstream demands a [`Permitted`], which only `authorize` can make.

mod lambda;
mod mcp_server;

use domain::{ExceptionLevel, RequestId};

use crate::answer::Reply;
use crate::authorize::Permitted;
use crate::listen::Arrival;
use crate::pipeline::Lane;
use crate::snapshot::{Gate, UpstreamEntry};

/// What AgentCore says of a failure whose detail is not for the caller.
const INTERNAL: &str = "An internal error occurred. Please retry later.";

/// Makes the call.
pub(crate) async fn call(
    lane: &Lane,
    gate: &Gate,
    permitted: &Permitted<'_>,
    id: &str,
    arrival: &Arrival,
    request_id: &RequestId,
) -> Reply {
    let called = match gate.catalogue.upstream_of(permitted.tool()) {
        Some(UpstreamEntry::Lambda { target, function, prepared }) => {
            let call = lambda::Call { target, function, prepared: prepared.as_deref(), id, request_id };
            lambda::call(lane, gate, permitted, &call, arrival).await
        }
        Some(UpstreamEntry::Mcp { server }) => mcp_server::call(lane, server, permitted, id).await,
        Some(UpstreamEntry::Unserved) | None => Err(Failed::new("the tool's target is gone")),
    };
    called.unwrap_or_else(|failed| failed.reply(gate, id))
}

/// A call that came to nothing.
pub(crate) struct Failed {
    /// What happened, for the log and for those who debug.
    pub(crate) detail: String,
    /// What the target answered, for those who debug alone: it may hold what no log should.
    pub(crate) answer: Option<String>,
}

impl Failed {
    pub(crate) fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), answer: None }
    }

    /// The tool's error, as AgentCore words it: with the detail only where the gateway's `exceptionLevel` is DEBUG.
    fn reply(self, gate: &Gate, id: &str) -> Reply {
        tracing::warn!(gateway.id = %gate.gateway.id, error = %self.detail, "A call of a tool failed.");
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let result = match gate.gateway.exception_level {
            Some(ExceptionLevel::Debug) => {
                let answer = self.answer.map(|answer| format!(": {answer}")).unwrap_or_default();
                let detail = text(&format!("{}{answer}", self.detail));
                format!(
                    "{{\"content\":[{{\"type\":\"text\",\"text\":{detail}}}],\"isError\":true,\
                     \"_meta\":{{\"debug\":{{\"type\":\"text\",\"text\":{detail}}}}}}}"
                )
            }
            None => mcp::jsonrpc::text_result(INTERNAL, true),
        };
        Reply::result(id, &result).failing("ToolExecutionError")
    }
}
