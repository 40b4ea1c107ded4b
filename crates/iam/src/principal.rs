//! `Principal` and `NotPrincipal`: whom a resource policy or a trust policy speaks about.
//!
//! How a policy names a requester decides what else is needed. Naming an account delegates to the account,
//! whose own policies must then allow; naming a role leaves the limits of its sessions in force; naming the
//! user, the role session, the service or everyone is enough.
//! Source: IAM User Guide, "AWS JSON policy elements: Principal" and "…: NotPrincipal"; "Policy evaluation
//! logic", the table of resource-based policies and implicit denies.

use std::cell::OnceCell;

use domain::Principal;

use crate::Requester;
use crate::policy::Says;

/// Whom a statement speaks about.
#[derive(Debug)]
pub(crate) struct PrincipalElement {
    pub(crate) patterns: Box<[PrincipalPattern]>,
    /// `NotPrincipal`: all but these.
    pub(crate) negated: bool,
}

/// One name in a principal element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalPattern {
    /// `*`, which includes strangers.
    Everyone,
    /// An account, by its number or by the ARN of its root.
    Account(Box<str>),
    /// A user, a role, a role session or a federated user, by ARN.
    Arn(Box<str>),
    /// A user or a role by its unique id, which is what AWS keeps of a name so that a recreated namesake is
    /// somebody else.
    UniqueId(Box<str>),
    /// A service principal.
    Service(Box<str>),
    /// An identity provider.
    Federated(Box<str>),
    /// An S3 canonical user id, which nobody here has.
    Canonical,
}

/// How firmly a policy holds a requester, from the loosest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grip {
    /// By its account.
    Account,
    /// By the role behind its session.
    Role,
    /// By itself, or because everybody is meant.
    Direct,
}

/// A requester whose names are worked out when a policy first asks for one.
#[derive(Debug)]
pub(crate) struct Who<'a> {
    requester: Requester<'a>,
    names: OnceCell<(String, Option<String>)>,
}

impl<'a> Who<'a> {
    pub(crate) fn new(requester: Requester<'a>) -> Self {
        Self { requester, names: OnceCell::new() }
    }

    fn grip(&self, pattern: &PrincipalPattern) -> Option<Grip> {
        match (pattern, self.requester) {
            (PrincipalPattern::Everyone, _) => Some(Grip::Direct),
            (PrincipalPattern::Service(name), Requester::Service(asking))
            | (PrincipalPattern::Federated(name), Requester::Federated(asking)) => {
                (**name == *asking).then_some(Grip::Direct)
            }
            (PrincipalPattern::Account(account), Requester::Iam(caller)) => {
                let same = **account == *caller.account.as_str();
                let grip = match caller.principal {
                    Principal::Root => Grip::Direct,
                    Principal::User { .. } | Principal::AssumedRole { .. } => Grip::Account,
                };
                same.then_some(grip)
            }
            (PrincipalPattern::UniqueId(id), Requester::Iam(caller)) => match &caller.principal {
                Principal::User { id: own, .. } => (**own == **id).then_some(Grip::Direct),
                Principal::AssumedRole { id: own, .. } => (**own == **id).then_some(Grip::Role),
                Principal::Root => None,
            },
            (PrincipalPattern::Arn(arn), Requester::Iam(_)) => self.grip_by_arn(arn),
            _ => None,
        }
    }

    fn grip_by_arn(&self, arn: &str) -> Option<Grip> {
        let (own, role) = self.names.get_or_init(|| match self.requester {
            Requester::Iam(caller) => {
                (caller.arn().into(), caller.principal.role_arn(&caller.account).map(Into::into))
            }
            Requester::Service(_) | Requester::Federated(_) | Requester::Anonymous => (String::new(), None),
        });
        if own == arn { Some(Grip::Direct) } else { (role.as_deref() == Some(arn)).then_some(Grip::Role) }
    }
}

impl PrincipalElement {
    /// How the element holds the requester; nothing if it does not speak about them.
    ///
    /// `NotPrincipal` excepts whom it lists, and where AWS leaves open who that is, the answer here is the one
    /// that grants less. An exception from a `Deny` holds only for the user or session that is itself listed
    /// (AWS's examples list the session, its role and its account), and for nobody who is under a permissions
    /// boundary ("will always deny"); an exception from an `Allow` holds for whoever belongs to what is listed.
    pub(crate) fn grip(&self, who: &Who<'_>, says: Says, bounded: bool) -> Option<Grip> {
        let best = self.patterns.iter().filter_map(|pattern| who.grip(pattern)).max();
        if !self.negated {
            return best;
        }
        let excepted = match says {
            Says::Allow => best.is_some(),
            Says::Deny => best == Some(Grip::Direct) && !bounded,
        };
        (!excepted).then_some(Grip::Direct)
    }
}
