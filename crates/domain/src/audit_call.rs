//! What an audit event tells of a call besides who asked what: with whose authority it was done, what was asked, how it
//! came, and why it failed. It holds no secret, no argument and no result.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Caller, Timestamp};

/// The longest text of a stranger's that is kept, in characters.
const LONGEST: usize = 256;

/// What is told of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditCall {
    /// What the client calls itself: `User-Agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The host that the client asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The identity behind a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<AuditPrincipal>,
    /// What a verified token says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "shared")]
    pub token: Option<Arc<AuditToken>>,
    /// The trace that the request belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<AuditTrace>,
    /// What was asked of an AWS API, without what is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Shown>,
    /// Whether it only reads.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reads: bool,
    /// The id of a JSON-RPC message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The target that was called, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// With whose authority the target was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// The HTTP status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Whether the answer was a stream of events.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    /// Why it failed although it was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl AuditCall {
    /// As much of a stranger's text as is kept.
    #[must_use]
    pub fn bounded(text: &str) -> String {
        beginning(text, LONGEST)
    }
}

/// The first characters of a text, at most so many.
#[must_use]
pub fn beginning(text: &str, most: usize) -> String {
    // A text of no more bytes has no more characters, and is copied whole.
    if text.len() <= most { text.to_owned() } else { text.chars().take(most).collect() }
}

/// The place of a request in its trace (W3C Trace Context, level 1, section 3.2.2), in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditTrace {
    /// The trace: 32 digits.
    pub trace_id: String,
    /// This server's span of the request, and its caller's where this server has none: 16 digits.
    pub span_id: String,
}

/// The identity behind a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditPrincipal {
    /// Its unique id: of a session, the role's and the session's name.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// The ARN of the role that a session is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// When the session was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
}

impl AuditPrincipal {
    /// The identity of a caller.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        Self {
            id: caller.principal.unique_id(&caller.account),
            account: caller.account.to_string(),
            role: caller.principal.role_arn(&caller.account).map(|role| role.to_string()),
            began: caller.issued_at,
        }
    }
}

/// What a verified token says of itself: the claims that say whose it is and for what, and no others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditToken {
    /// `kid` and `alg` of its header.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Shown>,
    /// The claims.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Shown>,
}

impl AuditToken {
    /// The claims that are told: those that AWS tells, and who acts for whom (RFC 8693, section 4.1).
    pub const CLAIMS: [&'static str; 12] = [
        "sub",
        "token_use",
        "scope",
        "auth_time",
        "iss",
        "exp",
        "iat",
        "version",
        "jti",
        "client_id",
        "azp",
        "act",
    ];
    /// The members of the header that are told.
    pub const HEADERS: [&'static str; 2] = ["kid", "alg"];
}

/// What many events share is written with each of them.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        shared: &Option<Arc<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        shared.as_deref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Arc<T>>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(Arc::new))
    }
}

/// With whose authority a target was called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authority {
    /// The role that the gateway assumed: what is invoked, signed or asked of the token vault is so in its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What the target was shown: `gatewayRole`, `callerIam`, `jwtPassthrough`, `apiKey`, or `oauth` with the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The credential provider that gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The workload identity that asked the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The person on whose behalf: by the issuer and the subject of their token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
}

/// A value as it is shown: JSON, with numbers that are no whole ones as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shown {
    /// `null`.
    Nothing(()),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// Several.
    List(Vec<Self>),
    /// By name.
    Map(BTreeMap<String, Self>),
}

impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
