//! What there is in an account, as its API says it. Rules read it and nothing else.

use domain::Timestamp;
use serde_json::Value;

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// When it was read.
    pub now: Timestamp,
    /// The region that it is of.
    pub region: String,
    /// Gateways.
    pub gateways: Vec<Gateway>,
    /// Policy engines.
    pub engines: Vec<Engine>,
    /// OAuth2 credential providers (`GetOauth2CredentialProvider`).
    pub oauth_providers: Vec<Value>,
    /// API key credential providers (`GetApiKeyCredentialProvider`).
    pub key_providers: Vec<Value>,
    /// Workload identities (`GetWorkloadIdentity`).
    pub workloads: Vec<Value>,
    /// The token vault (`GetTokenVault`).
    pub vault: Option<Value>,
    /// Agent runtimes.
    pub runtimes: Vec<Runtime>,
    /// Functions.
    pub functions: Vec<Function>,
    /// Roles.
    pub roles: Vec<Role>,
    /// Users.
    pub users: Vec<User>,
    /// ARNs of resources whose application logs are delivered; nothing when it could not be read.
    pub logged: Option<Vec<String>>,
    /// Whether the installation refuses prompts and resources where policies guard; AWS never does.
    pub prompts_refused: bool,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// A gateway with its targets.
#[derive(Clone, Debug, Default)]
pub struct Gateway {
    /// `GetGateway`.
    pub body: Value,
    /// `GetGatewayTarget` of each.
    pub targets: Vec<Value>,
}

/// A policy engine with its policies.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    /// As `ListPolicyEngines` has it.
    pub body: Value,
    /// As `ListPolicies` has them.
    pub policies: Vec<Value>,
}

/// An agent runtime.
#[derive(Clone, Debug, Default)]
pub struct Runtime {
    /// `GetAgentRuntime`.
    pub body: Value,
}

/// A function.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// As `ListFunctions` has it.
    pub body: Value,
    /// Its resource policy, if it has one.
    pub policy: Option<String>,
}

/// A policy document with its name.
#[derive(Clone, Debug, Default)]
pub struct NamedDocument {
    /// Its name, or its ARN when it is a managed one.
    pub name: String,
    /// The document.
    pub document: String,
}

/// A role.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Who may assume it.
    pub trust: String,
    /// What it may do.
    pub policies: Vec<NamedDocument>,
}

/// A user.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// What the user may do.
    pub policies: Vec<NamedDocument>,
    /// The access keys.
    pub keys: Vec<Key>,
}

/// An access key.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// Its id, which is no secret.
    pub id: String,
    /// Whether it can be used.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A part that could not be read, so that no rule speaks about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The operation.
    pub operation: String,
    /// Why not.
    pub why: String,
}

impl Gateway {
    /// A text of the gateway's body; empty when it is not there.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        text(&self.body, pointer)
    }
}

/// A text by its JSON pointer (RFC 6901); empty when it is not there.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The members of a list by its JSON pointer.
pub(crate) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
