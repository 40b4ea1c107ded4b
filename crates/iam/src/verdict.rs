//! The answer to a question, and how to say it in AWS's words.

use std::fmt;

use crate::policy::Statement;
use crate::{Named, NearMiss, Question};

/// What was decided, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was decided.
    pub effect: Effect,
    /// The kind of policy that decided: the one that allowed, the one that denied, or the one in which an allow
    /// is missing. Absent when the root of an account was allowed what is its account's.
    pub source: Option<PolicySource>,
    /// The statement that allowed or denied. Across accounts two allow; it is the requester's own.
    pub deciding: Option<StatementRef>,
    /// Statements that would have allowed but for one thing, the nearest first; only for implicit denies.
    pub near_misses: Vec<NearMiss>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Something allows, and nothing denies.
    Allow,
    /// Nothing allows.
    ImplicitDeny,
    /// A statement denies.
    ExplicitDeny,
}

/// A kind of policy, by the part it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// The requester's own policies.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// The policies of the session.
    Session,
    /// The resource's policy.
    Resource,
    /// The role's trust policy.
    Trust,
}

/// A statement, by the policy it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRef {
    /// The name of the policy, as [`Named::name`] has it.
    pub policy: String,
    /// Its `Sid`, if it has one.
    pub sid: Option<String>,
    /// Its position in the policy, from zero.
    pub index: usize,
}

impl Verdict {
    /// Whether the request is allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// The tail of AWS's message: `because no identity-based policy allows the s3:GetObject action` or `with an
    /// explicit deny in a resource-based policy`; nothing if the request is allowed.
    /// Source: IAM User Guide, "Troubleshooting access denied error messages".
    #[must_use]
    pub fn tail(&self, action: &str) -> Option<String> {
        let source = self.source?;
        match self.effect {
            Effect::Allow => None,
            Effect::ImplicitDeny => Some(format!("because no {source} allows the {action} action")),
            Effect::ExplicitDeny => Some(format!("with an explicit deny in {} {source}", source.article())),
        }
    }

    /// AWS's whole message: `User: arn:… is not authorized to perform: … on resource: … because …`; nothing if
    /// the request is allowed. It is for the requester, and names neither statements nor conditions.
    #[must_use]
    pub fn denial(&self, question: &Question<'_>) -> Option<String> {
        let tail = self.tail(question.action)?;
        let (user, action) = (question.requester.name(), question.action);
        Some(match question.resource {
            "*" => format!("User: {user} is not authorized to perform: {action} {tail}"),
            resource => {
                format!("User: {user} is not authorized to perform: {action} on resource: {resource} {tail}")
            }
        })
    }
}

/// The verdict for those who keep the policies: what decided, and what nearly did.
impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.effect, self.source, &self.deciding) {
            (Effect::Allow, _, Some(statement)) => write!(out, "allowed by {statement}")?,
            (Effect::Allow, ..) => write!(out, "allowed to the root of the account")?,
            (Effect::ExplicitDeny, _, Some(statement)) => write!(out, "denied by {statement}")?,
            (_, Some(source), _) => write!(out, "denied because no {source} allows it")?,
            (_, None, _) => write!(out, "denied")?,
        }
        for near_miss in &self.near_misses {
            write!(out, "; {near_miss}")?;
        }
        Ok(())
    }
}

impl PolicySource {
    pub(crate) fn article(self) -> &'static str {
        match self {
            Self::Identity => "an",
            Self::Boundary | Self::Session | Self::Resource => "a",
            Self::Trust => "the",
        }
    }
}

/// The kind as AWS's messages call it.
impl fmt::Display for PolicySource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
            Self::Trust => "role trust policy",
        })
    }
}

impl StatementRef {
    pub(crate) fn new(policy: &Named, statement: &Statement) -> Self {
        Self {
            policy: policy.name.clone(),
            sid: statement.sid.as_deref().map(str::to_owned),
            index: statement.index,
        }
    }
}

/// `statement AllowRead of arn:aws:iam::123456789012:policy/P`.
impl fmt::Display for StatementRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sid {
            Some(sid) => write!(out, "statement {sid} of {}", self.policy),
            None => write!(out, "statement {} of {}", self.index, self.policy),
        }
    }
}
