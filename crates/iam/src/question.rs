//! What is asked, by whom, and which policies have a say in the answer.

use std::borrow::Cow;
use std::sync::Arc;

use domain::{AccountId, Caller};

use crate::{Context, Policy};

/// One request for permission.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub requester: Requester<'a>,
    /// The action with its service prefix, such as `bedrock-agentcore:CreateGateway`.
    pub action: &'a str,
    /// The ARN of the resource, or `*` for an action that has none. An action on a kind of resource rather
    /// than on one of them asks about a pattern such as `arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/*`.
    pub resource: &'a str,
    /// Whose the resource is. Absent, it is the account that the ARN names, and where the ARN names none,
    /// the requester's own.
    pub resource_account: Option<&'a AccountId>,
    /// What conditions may look at.
    pub context: &'a Context,
}

impl Question<'_> {
    /// The account that owns the resource, as far as it is known.
    pub(crate) fn owner(&self) -> Option<&str> {
        let named = || self.resource.split(':').nth(4).filter(|text| is_account(text));
        self.resource_account.map(AccountId::as_str).or_else(named)
    }
}

/// Who asks for permission.
#[derive(Clone, Copy, Debug)]
pub enum Requester<'a> {
    /// A signed call by the account itself, a user or a role session.
    Iam(&'a Caller),
    /// A service that acts by itself, by its principal: `bedrock-agentcore.amazonaws.com`. Only resource and
    /// trust policies speak about it.
    Service(&'a str),
    /// Someone whom an identity provider vouches for (`sts:AssumeRoleWithWebIdentity`), by the provider's ARN or
    /// its well-known name. Only resource and trust policies speak about them.
    Federated(&'a str),
    /// Someone who said nothing about who they are. Only a resource policy for everyone lets them in.
    Anonymous,
}

impl Requester<'_> {
    /// The account that the requester belongs to; services and strangers belong to none.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Iam(caller) => Some(&caller.account),
            Self::Service(_) | Self::Federated(_) | Self::Anonymous => None,
        }
    }

    /// The name that AWS's messages use: an ARN, a service principal, a provider, or `anonymous`.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Iam(caller) => Cow::Owned(caller.arn().into()),
            Self::Service(name) | Self::Federated(name) => Cow::Borrowed(name),
            Self::Anonymous => Cow::Borrowed("anonymous"),
        }
    }
}

/// A policy and what to call it.
#[derive(Clone, Debug)]
pub struct Named {
    /// What explanations call it: a policy's ARN, or `inline policy X of role Y`.
    pub name: String,
    /// The compiled policy.
    pub policy: Arc<Policy>,
}

/// The policies that apply to one question. What is absent does not limit; what is present and empty does.
#[derive(Clone, Copy, Debug, Default)]
pub struct PolicySets<'a> {
    /// The requester's own policies: inline and attached ones.
    pub identity: &'a [Named],
    /// The permissions boundary of the requester's user or role.
    pub boundary: Option<&'a Named>,
    /// The policies that narrow the requester's session; together they are one set.
    pub session: Option<&'a [Named]>,
    /// The policy of the resource, or the trust policy of the role.
    pub resource: Option<&'a Named>,
}

/// Whether `text` has the form of an account id.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
