//! A call that came to nothing: which leg of it failed, for the log and for those who debug.

use domain::{ExceptionLevel, beginning};
use http::StatusCode;
use mask::Mask;
use mcp::jsonrpc::INTERNAL_ERROR;

use crate::answer::Reply;
use crate::snapshot::Gate;

/// What AgentCore says of a failure whose detail is not for the caller.
const INTERNAL: &str = "An internal error occurred. Please retry later.";

/// How much of what happened the audit trail is told, in characters.
const LONGEST_WHY: usize = 512;

/// A call that came to nothing.
pub(crate) struct Failed {
    /// What happened, for the log and for those who debug.
    pub(crate) detail: String,
    /// What the target answered, for those who debug alone: it may hold what no log should.
    pub(crate) answer: Option<String>,
    leg: Leg,
    /// Who was asked, without a query.
    endpoint: Option<String>,
    /// What it answered with.
    status: Option<u16>,
    /// What an HTTP target's caller is answered with.
    answered: StatusCode,
    /// The page where the caller has to consent first.
    pub(crate) consent: Option<String>,
}

/// A part of the way.
#[derive(Clone, Copy)]
enum Leg {
    Gateway,
    Credential,
    Target,
}

impl Leg {
    fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Credential => "credential",
            Self::Target => "target",
        }
    }
}

impl Failed {
    /// The target failed.
    pub(crate) fn new(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            answer: None,
            leg: Leg::Target,
            endpoint: None,
            status: None,
            answered: StatusCode::BAD_GATEWAY,
            consent: None,
        }
    }

    /// The gateway itself did.
    pub(crate) fn of_gateway(detail: impl Into<String>) -> Self {
        Self { leg: Leg::Gateway, ..Self::new(detail) }
    }

    /// There is no credential.
    pub(crate) fn of_credential(
        detail: impl Into<String>,
        endpoint: Option<String>,
        status: Option<u16>,
    ) -> Self {
        Self { leg: Leg::Credential, endpoint, status, ..Self::new(detail) }
    }

    /// The same, at an endpoint that answered with a status, if it answered.
    pub(crate) fn at(self, endpoint: &str, status: Option<u16>) -> Self {
        Self { endpoint: Some(endpoint.to_owned()), status, ..self }
    }

    /// What is not here, which its caller may know.
    pub(crate) fn absent(detail: impl Into<String>) -> Self {
        Self { answered: StatusCode::NOT_FOUND, ..Self::of_gateway(detail) }
    }

    /// The same, for want of time.
    pub(crate) fn late(self) -> Self {
        Self { answered: StatusCode::GATEWAY_TIMEOUT, ..self }
    }

    /// The same, with what the target answered.
    pub(crate) fn answered(self, answer: impl Into<String>) -> Self {
        Self { answer: Some(answer.into()), ..self }
    }

    /// The same, without the secrets that a mask knows.
    pub(crate) fn masked(self, mask: &Mask) -> Self {
        let without = |text: String| mask.text(&text).into_owned();
        Self {
            detail: without(self.detail),
            answer: self.answer.map(without),
            endpoint: self.endpoint.map(without),
            ..self
        }
    }

    /// Writes it into the log, where nobody is told of it.
    pub(crate) fn noted(&self, gate: &Gate, what: &str) {
        tracing::warn!(
            gateway.id = %gate.gateway.id, leg = self.leg.name(), endpoint = self.endpoint.as_deref(),
            status = self.status, error = %self.detail, "{what}"
        );
    }

    /// The tool's error, as AgentCore words it: with the detail only where the gateway's `exceptionLevel` is DEBUG.
    pub(crate) fn into_result(self, gate: &Gate, id: &str) -> Reply {
        let why = self.why();
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
        Reply::result(id, &result).failing("ToolExecutionError").because(why)
    }

    /// The same for what is no tool.
    pub(crate) fn into_error(self, gate: &Gate, id: &str) -> Reply {
        let why = self.why();
        let detail = self.told(gate);
        Reply::error(id, INTERNAL_ERROR, detail.as_deref().unwrap_or(INTERNAL))
            .failing("UpstreamError")
            .because(why)
    }

    /// The same for an HTTP target.
    pub(crate) fn into_http(self, gate: &Gate) -> Reply {
        let (status, why) = (self.answered, self.why());
        if status == StatusCode::NOT_FOUND {
            return Reply::http_error(status, "ResourceNotFoundException", &self.detail).because(why);
        }
        let detail = self.told(gate);
        Reply::http_error(status, "InternalServerException", detail.as_deref().unwrap_or(INTERNAL))
            .because(why)
    }

    /// What the audit trail is told: what the log is told, and nothing of what the target answered.
    fn why(&self) -> String {
        let detail = beginning(&self.detail, LONGEST_WHY);
        let endpoint =
            self.endpoint.as_ref().map(|endpoint| format!(", endpoint {endpoint}")).unwrap_or_default();
        let status = self.status.map(|status| format!(", status {status}")).unwrap_or_default();
        format!("{detail} [leg {}{endpoint}{status}]", self.leg.name())
    }

    /// What the caller may know; the log knows it in any case.
    fn told(self, gate: &Gate) -> Option<String> {
        self.noted(gate, "A call of an upstream failed.");
        let leg = self.leg.name();
        let answer = self.answer.map(|answer| format!(": {answer}")).unwrap_or_default();
        let endpoint = self.endpoint.map(|endpoint| format!(", endpoint {endpoint}")).unwrap_or_default();
        let status = self.status.map(|status| format!(", status {status}")).unwrap_or_default();
        match gate.gateway.exception_level {
            Some(ExceptionLevel::Debug) => {
                Some(format!("{}{answer} [leg {leg}{endpoint}{status}]", self.detail))
            }
            None => None,
        }
    }
}
