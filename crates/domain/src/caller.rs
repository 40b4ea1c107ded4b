//! Who makes a signed AWS call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AccessKeyId, AccountId, Arn, Document, Timestamp};

/// The identity behind a signature, after it was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The account that the identity belongs to.
    pub account: AccountId,
    /// Which identity it is.
    pub principal: Principal,
    /// The key that signed.
    pub access_key: AccessKeyId,
    /// Policies that narrow a session further than its role's own.
    pub session_policies: Vec<Document>,
    /// When the session was opened; absent for lasting keys.
    pub issued_at: Option<Timestamp>,
    /// When the session ends; absent for lasting keys.
    pub expires_at: Option<Timestamp>,
    /// What whoever opened the session said of it.
    #[serde(default)]
    pub session: SessionFacts,
}

/// What is said of a session when it is opened, and holds for all that it does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// Its tags, which stand before those of the role or user (`aws:PrincipalTag`).
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The tags that go on into the sessions that it opens, by key.
    #[serde(default)]
    pub transitive: Vec<String>,
    /// Who is behind it, if the one who opened it said so; it goes on into the sessions that it opens.
    #[serde(default)]
    pub source_identity: Option<String>,
    /// Managed policies that narrow it, besides those that came with it.
    #[serde(default)]
    pub policies: Vec<Arn>,
    /// The identity provider that vouched for whoever opened it (`aws:FederatedProvider`).
    #[serde(default)]
    pub federated_provider: Option<String>,
    /// What the provider says of them, as condition keys such as `idp.example:sub`.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
}

impl Caller {
    /// The caller's ARN as `GetCallerIdentity` shows it.
    #[must_use]
    pub fn arn(&self) -> Arn {
        self.principal.arn(&self.account)
    }
}

/// An identity of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Principal {
    /// The account itself: everything in the account is allowed to it.
    Root,
    /// A user.
    User {
        /// Its name.
        name: String,
        /// Its path.
        path: String,
        /// Its unique id, `AIDA…`.
        id: String,
    },
    /// A session of a role.
    AssumedRole {
        /// The role's name.
        role: String,
        /// The role's path.
        path: String,
        /// The role's unique id, `AROA…`.
        id: String,
        /// The session's name.
        session: String,
    },
}

impl Principal {
    /// The ARN that names this identity in `account`.
    #[must_use]
    pub fn arn(&self, account: &AccountId) -> Arn {
        match self {
            Self::Root => Arn::iam(account, "root"),
            Self::User { name, path, .. } => Arn::iam(account, &format!("user{path}{name}")),
            Self::AssumedRole { role, session, .. } => {
                Arn::new("sts", "", account.as_str(), &format!("assumed-role/{role}/{session}"))
            }
        }
    }

    /// The ARN of the role behind a session.
    #[must_use]
    pub fn role_arn(&self, account: &AccountId) -> Option<Arn> {
        match self {
            Self::AssumedRole { role, path, .. } => Some(Arn::iam(account, &format!("role{path}{role}"))),
            Self::Root | Self::User { .. } => None,
        }
    }

    /// The unique id: the account's number for the account itself, `{role id}:{session}` for a session
    /// (`UserId` of `GetCallerIdentity`, `aws:userid` in conditions).
    #[must_use]
    pub fn unique_id(&self, account: &AccountId) -> String {
        match self {
            Self::Root => account.to_string(),
            Self::User { id, .. } => id.clone(),
            Self::AssumedRole { id, session, .. } => format!("{id}:{session}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_named_by_role_and_session() {
        let account = AccountId::parse("123456789012").unwrap();
        let session = Principal::AssumedRole {
            role: "R".to_owned(),
            path: "/team/".to_owned(),
            id: "AROAX".to_owned(),
            session: "s".to_owned(),
        };
        assert_eq!(session.arn(&account).as_str(), "arn:aws:sts::123456789012:assumed-role/R/s");
        assert_eq!(session.role_arn(&account).unwrap().as_str(), "arn:aws:iam::123456789012:role/team/R");
        assert_eq!(session.unique_id(&account), "AROAX:s");
    }
}
