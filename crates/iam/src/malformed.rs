//! What is wrong with a document: IAM's text first, then where and what to do.
//!
//! IAM validates identity policies with one parser and trust policies with another, and their texts differ;
//! clients show them to people, so they are kept to the letter. Resource policies get the texts of trust
//! policies, which are the ones that AWS's other services use.

use std::fmt;

use crate::PolicyKind;

/// A policy document that was refused (`MalformedPolicyDocument` in IAM, `ValidationException` or
/// `InvalidParameterValueException` in other services). It prints as
/// `Policy statement must contain resources. (Statement[1].Resource: add …)`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} ({place}: {hint})")]
pub struct MalformedPolicy {
    text: String,
    place: String,
    hint: String,
}

impl MalformedPolicy {
    pub(crate) fn new(
        fault: &Fault,
        kind: PolicyKind,
        place: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { text: fault.text(kind), place: place.into(), hint: hint.into() }
    }

    /// AWS's own text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it is: `Statement[1].Effect`, counted from zero, or `document`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// The kinds of fault, each with AWS's text for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    TooLong,
    Json,
    Syntax,
    Version,
    OldVersion,
    NoStatement,
    MissingEffect,
    BadEffect(String),
    EffectCase(String),
    SidCharacters,
    DuplicateSid,
    PrincipalForbidden,
    MissingPrincipal,
    EmptyPrincipal,
    BarePrincipal,
    NotPrincipalAllow,
    NotPrincipalForbidden,
    InvalidPrincipal(String),
    MissingAction,
    ActionWithoutVendor,
    ActionColons,
    ActionVendor(String),
    NotAssumeRole,
    MissingResource,
    ResourceForbidden,
    NotResourceForbidden,
    ResourceFormat(String),
    ResourcePartition {
        partition: String,
        resource: String,
    },
    ResourceVendor,
    IamResourcePath,
    IamResourceRegion(String),
    S3ResourceRegion(String),
    /// A resource or a date that IAM's older parser cannot read.
    Legacy,
}

impl Fault {
    fn text(&self, kind: PolicyKind) -> String {
        let fixed = match kind {
            PolicyKind::Identity => self.identity_text(),
            PolicyKind::Resource | PolicyKind::Trust => self.principal_text(),
        };
        fixed.map_or_else(|| self.to_string(), str::to_owned)
    }

    /// The texts of the parser for identity policies, where they are its own.
    fn identity_text(&self) -> Option<&'static str> {
        Some(match self {
            Self::Json | Self::Version | Self::NoStatement | Self::MissingEffect | Self::BadEffect(_) => {
                "Syntax errors in policy."
            }
            Self::EffectCase(_) => "The policy failed legacy parsing",
            Self::DuplicateSid => "Statement IDs (SID) in a single policy must be unique.",
            Self::MissingAction => "Policy statement must contain actions.",
            Self::MissingResource => "Policy statement must contain resources.",
            _ => return None,
        })
    }

    /// The texts of the parser for policies that name principals, where they are its own.
    fn principal_text(&self) -> Option<&'static str> {
        Some(match self {
            Self::Json => "This policy contains invalid Json",
            Self::Syntax => "Syntax error in policy.",
            Self::Version => "The policy must contain a valid version string",
            Self::NoStatement => "Could not parse the policy: Statement is empty!",
            Self::MissingEffect => "Missing required field Effect",
            Self::DuplicateSid => "The Statement Ids in the policy are not unique",
            Self::MissingAction => "Missing required field Action",
            Self::MissingResource => "Missing required field Resource",
            _ => return None,
        })
    }
}

/// The texts that do not depend on the kind of policy.
impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadEffect(effect) | Self::EffectCase(effect) => write!(out, "Invalid effect: {effect}"),
            Self::InvalidPrincipal(principal) => write!(out, "Invalid principal in policy: {principal}"),
            Self::ActionVendor(vendor) => write!(out, "Vendor {vendor} is not valid"),
            Self::ResourceFormat(resource) => {
                write!(out, "Resource {resource} must be in ARN format or \"*\".")
            }
            Self::ResourcePartition { partition, resource } => {
                write!(out, "Partition \"{partition}\" is not valid for resource \"{resource}\".")
            }
            Self::IamResourceRegion(resource) => {
                write!(out, "IAM resource {resource} cannot contain region information.")
            }
            Self::S3ResourceRegion(resource) => {
                write!(out, "Resource {resource} can not contain region information.")
            }
            fixed => out.write_str(fixed.fixed_text()),
        }
    }
}

impl Fault {
    fn fixed_text(&self) -> &'static str {
        match self {
            Self::TooLong => "The policy document is longer than 131072 bytes.",
            Self::OldVersion => "Policy document must be version 2012-10-17 or greater.",
            Self::SidCharacters => {
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
                 expression [0-9A-Za-z]*"
            }
            Self::PrincipalForbidden => "Policy document should not specify a principal.",
            Self::MissingPrincipal => "Missing required field Principal",
            Self::EmptyPrincipal => "Missing required field Principal cannot be empty!",
            Self::BarePrincipal => "Principal must be a JSON object.",
            Self::NotPrincipalAllow => "Allow with NotPrincipal is not allowed.",
            Self::NotPrincipalForbidden => "AssumeRole policy must not contain NotPrincipal field.",
            Self::ActionWithoutVendor => {
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            }
            Self::ActionColons => "Actions/Condition can contain only one colon.",
            Self::NotAssumeRole => "AssumeRole policy may only specify STS AssumeRole actions.",
            Self::ResourceForbidden => "Has prohibited field Resource",
            Self::NotResourceForbidden => "AssumeRole policy must not contain resources.",
            Self::ResourceVendor => "Resource vendor must be fully qualified and cannot contain regexes.",
            Self::IamResourcePath => {
                "IAM resource path must either be \"*\" or start with user/, federated-user/, role/, group/, \
                 instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, \
                 oidc-provider/, report/, access-report/."
            }
            Self::Legacy => "The policy failed legacy parsing",
            _ => "Syntax errors in policy.",
        }
    }
}
