//! A compiled policy: statements whose patterns are ready to be matched.

use crate::action::ActionElement;
use crate::condition::Condition;
use crate::document;
use crate::malformed::{Fault, MalformedPolicy};
use crate::principal::PrincipalElement;
use crate::resource::ResourceElement;

/// A policy document, parsed, checked and compiled. Share it behind an `Arc`: it never changes.
#[derive(Debug)]
pub struct Policy {
    kind: PolicyKind,
    version: Version,
    pub(crate) statements: Box<[Statement]>,
}

/// What a policy is attached to, which decides what it must and must not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// To an identity: inline and managed policies, permissions boundaries, session policies. It names
    /// resources and no principals.
    Identity,
    /// To a resource: it names principals and resources.
    Resource,
    /// To a role, saying who may assume it: it names principals and no resources.
    Trust,
}

/// The version of the policy language (IAM User Guide, "IAM JSON policy elements: Version").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, which is also meant where a document names none: there are no policy variables.
    V2008,
    /// `2012-10-17`.
    V2012,
}

impl Policy {
    /// The longest document that is read at all, in bytes. IAM's own quotas are lower and are the caller's to
    /// enforce.
    pub const MAX_BYTES: usize = 131_072;

    /// Reads, checks and compiles a document. What is refused here is what IAM refuses.
    ///
    /// # Errors
    /// [`MalformedPolicy`] names the first thing that is wrong.
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Self, MalformedPolicy> {
        let (version, statements) = document::read(text, kind)?;
        Ok(Self { kind, version, statements })
    }

    /// What the policy was parsed as.
    #[must_use]
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The version of the policy language that the document asks for.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Refuses the language of 2008, as `CreatePolicy` and `CreatePolicyVersion` do; inline policies, trust
    /// policies and resource policies may be written in it.
    ///
    /// # Errors
    /// [`MalformedPolicy`] with IAM's text for managed policies.
    pub fn require_current_version(&self) -> Result<(), MalformedPolicy> {
        match self.version {
            Version::V2012 => Ok(()),
            Version::V2008 => Err(MalformedPolicy::new(
                &Fault::OldVersion,
                self.kind,
                "Version",
                "begin the document with \"Version\": \"2012-10-17\"",
            )),
        }
    }
}

/// One statement, ready to be matched.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sid: Option<Box<str>>,
    /// Its position in the document, from zero.
    pub(crate) index: usize,
    pub(crate) says: Says,
    /// Absent in identity policies, where the statement speaks about whoever holds it.
    pub(crate) principal: Option<PrincipalElement>,
    pub(crate) actions: ActionElement,
    /// Absent in trust policies, where the statement speaks about the role it belongs to.
    pub(crate) resources: Option<ResourceElement>,
    pub(crate) conditions: Box<[Condition]>,
}

/// `Effect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Allow,
    Deny,
}
