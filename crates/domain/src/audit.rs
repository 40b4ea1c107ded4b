//! The audit trail's one kind of record: who asked for what, what was decided and why, what came of it.

use serde::{Deserialize, Serialize};

use crate::{Arn, AuditCall, EventId, Random, RequestId, Scope, Timestamp};

/// One audit event. It never holds a secret, an argument or a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Its own name.
    pub event_id: EventId,
    /// When the request arrived; written as RFC 3339.
    #[serde(with = "crate::clock::rfc3339")]
    pub time: Timestamp,
    /// Which plane it came to.
    pub kind: AuditKind,
    /// Whose resource it was about, and where.
    pub scope: Scope,
    /// Who asked.
    pub actor: Actor,
    /// The peer's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// What was asked: an IAM action on the control plane, an MCP method on a gateway.
    pub action: String,
    /// The resource it was about: an ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The tool that was called, as the client named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What was decided.
    pub decision: Decision,
    /// What decided: Cedar policies by id, or the IAM statement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Why, in words: the reason of a denial, or the policies that failed to evaluate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What policies that do not bind would have done, where there is something to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_only: Option<Box<LogOnly>>,
    /// What came of it.
    pub outcome: Outcome,
    /// The error's name or code, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// From the request's arrival to its answer, in microseconds.
    pub latency_us: u64,
    /// The request's id, as the answer carries it.
    pub request_id: RequestId,
    /// What is told of the call besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<AuditCall>>,
}

/// What the reason of an event begins with that a rate limit turned away.
pub const RATE_LIMITED: &str = "the rate limit ";

impl AuditEvent {
    /// Something that nobody asked for over a wire, and that was done: background work, the command line.
    #[must_use]
    pub fn of_system(action: &str, scope: &Scope, now: Timestamp, random: &dyn Random) -> Self {
        Self {
            event_id: EventId::mint(random),
            time: now,
            kind: AuditKind::Control,
            scope: scope.clone(),
            actor: Actor::System,
            source_ip: None,
            action: action.to_owned(),
            resource: None,
            tool: None,
            decision: Decision::None,
            policies: Vec::new(),
            reason: None,
            log_only: None,
            outcome: Outcome::Success,
            error: None,
            latency_us: 0,
            request_id: RequestId::mint(random),
            call: None,
        }
    }

    /// The same, about a resource.
    #[must_use]
    pub fn about(self, resource: &Arn) -> Self {
        Self { resource: Some(resource.to_string()), ..self }
    }

    /// Whether policies decided about the call of a tool, or about a request to an HTTP target, that this event records.
    /// A gateway without policies allows without any, and a rate limit denies for a reason of its own.
    #[must_use]
    pub fn is_policy_decision(&self) -> bool {
        let is_call = self.action == "tools/call" || !self.action.contains('/');
        if self.kind != AuditKind::Gateway || self.tool.is_none() || !is_call {
            return false;
        }
        match self.decision {
            Decision::Allow => !self.policies.is_empty(),
            Decision::Deny => self.reason.as_ref().is_some_and(|reason| !reason.starts_with(RATE_LIMITED)),
            Decision::WouldDeny => true,
            Decision::None => false,
        }
    }
}

/// The plane a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditKind {
    /// An AWS API.
    Control,
    /// A gateway's MCP endpoint.
    Gateway,
    /// The token endpoint of a user pool.
    Token,
    /// An agent runtime.
    Runtime,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Actor {
    /// A signed call.
    #[serde(rename_all = "camelCase")]
    Iam {
        /// The caller's ARN.
        arn: String,
        /// The key that signed.
        access_key_id: String,
    },
    /// A bearer of a token that was verified.
    #[serde(rename_all = "camelCase")]
    Token {
        /// `iss`.
        issuer: String,
        /// `sub`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// `client_id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// An OAuth client at the token endpoint.
    #[serde(rename_all = "camelCase")]
    Client {
        /// The client's id, as it was presented.
        client_id: String,
    },
    /// Portcullis itself: background work, the command line.
    System,
    /// Nobody that could be recognised.
    Anonymous,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// It was allowed.
    Allow,
    /// It was denied.
    Deny,
    /// It would have been denied, but decisions do not bind here.
    WouldDeny,
    /// Nothing had to be decided, or the request failed before.
    None,
}

/// What Cedar policies that do not bind (`enforcementMode` `LOG_ONLY`) would have done to a call: by id, each taken by
/// itself beside the policies that bind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogOnly {
    /// Those that match the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matched: Vec<String>,
    /// Those that would change the decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_change: Vec<String>,
    /// Those that could not be evaluated, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused: not recognised, not allowed, or not sound.
    Refused,
    /// It was tried and failed.
    Failure,
    /// The client went away before its answer.
    Abandoned,
}
