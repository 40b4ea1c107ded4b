//! The people and programs that IAM knows: users, roles, managed policies, access keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identifiers::unique_id;
use crate::{AccessKeyId, AccountId, Arn, Document, Random, Secret, Timestamp};

/// A user of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Whose it is.
    pub account: AccountId,
    /// Its name, unique in its account without regard to case.
    pub name: String,
    /// Its path: `/` or `/…/`.
    pub path: String,
    /// Its unique id: `AIDA…`.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its tags, which conditions see as `aws:PrincipalTag`.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The managed policy that bounds what its policies may grant.
    #[serde(default)]
    pub boundary: Option<Arn>,
}

impl User {
    /// `arn:aws:iam::{account}:user{path}{name}`.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::iam(&self.account, &format!("user{}{}", self.path, self.name))
    }

    /// A new unique id for a user.
    #[must_use]
    pub fn mint_id(random: &dyn Random) -> String {
        unique_id(random, "AIDA")
    }
}

/// A role that someone may assume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Whose it is.
    pub account: AccountId,
    /// Its name, unique in its account without regard to case.
    pub name: String,
    /// Its path: `/` or `/…/`.
    pub path: String,
    /// Its unique id: `AROA…`.
    pub id: String,
    /// What people say about it.
    pub description: Option<String>,
    /// Who may assume it: the policy exactly as it was written.
    pub trust_policy: Document,
    /// The longest session, in seconds: 3,600 to 43,200.
    pub max_session_seconds: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its tags, which conditions see as `aws:PrincipalTag`.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The managed policy that bounds what its policies may grant.
    #[serde(default)]
    pub boundary: Option<Arn>,
}

/// Users that share policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Whose it is.
    pub account: AccountId,
    /// Its name, unique in its account without regard to case.
    pub name: String,
    /// Its path: `/` or `/…/`.
    pub path: String,
    /// Its unique id: `AGPA…`.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Group {
    /// `arn:aws:iam::{account}:group{path}{name}`.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::iam(&self.account, &format!("group{}{}", self.path, self.name))
    }

    /// A new unique id for a group.
    #[must_use]
    pub fn mint_id(random: &dyn Random) -> String {
        unique_id(random, "AGPA")
    }
}

/// An OpenID Connect provider whose tokens roles may trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcProvider {
    /// Whose it is.
    pub account: AccountId,
    /// The issuer's URL as it was given, with its scheme.
    pub url: String,
    /// The audiences that tokens may be for.
    pub client_ids: Vec<String>,
    /// Hashes of certificates, as they were given. Issuers are reached through the same roots as everything else, so
    /// that nothing depends on them.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl OidcProvider {
    /// The URL without its scheme, by which conditions and ARNs name the provider.
    #[must_use]
    pub fn name(&self) -> &str {
        self.url.split_once("://").map_or(self.url.as_str(), |(_, name)| name)
    }

    /// `arn:aws:iam::{account}:oidc-provider/{name}`.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::iam(&self.account, &format!("oidc-provider/{}", self.name()))
    }
}

impl Role {
    /// `arn:aws:iam::{account}:role{path}{name}`.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::iam(&self.account, &format!("role{}{}", self.path, self.name))
    }

    /// A new unique id for a role.
    #[must_use]
    pub fn mint_id(random: &dyn Random) -> String {
        unique_id(random, "AROA")
    }
}

/// A policy that can be attached to users, groups and roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// Its ARN: of the account, or `arn:aws:iam::aws:policy/…` for those that every account has.
    pub arn: Arn,
    /// Its unique id: `ANPA…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// What people say about it.
    pub description: Option<String>,
    /// The version in force, exactly as it was written.
    pub document: Document,
    /// When it was made.
    pub created_at: Timestamp,
    /// The number of the version in force.
    #[serde(default = "first")]
    pub version: u32,
    /// Every version in order; empty while there is only the first.
    #[serde(default)]
    pub versions: Vec<PolicyVersion>,
    /// The highest number that a version ever had: numbers are not used again.
    #[serde(default = "first")]
    pub versions_made: u32,
    /// When its versions last changed.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

fn first() -> u32 {
    ManagedPolicy::FIRST
}

/// One version of a managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// Its number, from one: `v1`.
    pub number: u32,
    /// The policy exactly as it was written.
    pub document: Document,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ManagedPolicy {
    /// The number of the version that a policy begins with.
    pub const FIRST: u32 = 1;

    /// Every version, in order.
    #[must_use]
    pub fn all_versions(&self) -> Vec<PolicyVersion> {
        if self.versions.is_empty() {
            let (document, created_at) = (self.document.clone(), self.created_at);
            return vec![PolicyVersion { number: self.version, document, created_at }];
        }
        self.versions.clone()
    }

    /// Puts the version of this number in force; `false` if there is none.
    pub fn put_in_force(&mut self, number: u32, now: Timestamp) -> bool {
        self.versions = self.all_versions();
        let Some(found) = self.versions.iter().find(|version| version.number == number) else { return false };
        self.document = found.document.clone();
        self.version = number;
        self.updated_at = Some(now);
        true
    }

    /// Adds a version, which is not in force, and says its number.
    pub fn add_version(&mut self, document: Document, now: Timestamp) -> u32 {
        self.versions = self.all_versions();
        self.versions_made += 1;
        self.versions.push(PolicyVersion { number: self.versions_made, document, created_at: now });
        self.updated_at = Some(now);
        self.versions_made
    }

    /// A new unique id for a managed policy.
    #[must_use]
    pub fn mint_id(random: &dyn Random) -> String {
        unique_id(random, "ANPA")
    }
}

/// Who holds an access key, an inline policy or an attached policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Holder {
    /// The account itself.
    Root,
    /// A user, by name.
    User(String),
    /// A role, by name.
    Role(String),
    /// A group of users, by name.
    Group(String),
}

impl Holder {
    /// The kind, as the store writes it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::User(_) => "user",
            Self::Role(_) => "role",
            Self::Group(_) => "group",
        }
    }

    /// The name; empty for the account itself.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Root => "",
            Self::User(name) | Self::Role(name) | Self::Group(name) => name,
        }
    }
}

/// A lasting access key.
#[derive(Clone)]
pub struct AccessKey {
    /// Its public part.
    pub id: AccessKeyId,
    /// Its secret part: the store keeps it sealed.
    pub secret: Secret,
    /// Whose it is.
    pub account: AccountId,
    /// Who signs with it: the account itself or a user.
    pub holder: Holder,
    /// Whether it may be used.
    pub status: AccessKeyStatus,
    /// When it was made.
    pub created_at: Timestamp,
}

/// When an access key last signed a request that was believed, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyUse {
    /// When, to about a minute.
    pub at: Timestamp,
    /// The service that was signed for, as signatures name it.
    pub service: String,
    /// The region that was signed for.
    pub region: String,
}

/// Whether an access key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKeyStatus {
    /// It may.
    Active,
    /// It may not, until it is activated again.
    Inactive,
}

impl AccessKeyStatus {
    /// The status as the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }

    /// The status that the API writes so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Active" => Some(Self::Active),
            "Inactive" => Some(Self::Inactive),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_one_version_becomes_one_of_several() {
        let mut policy = ManagedPolicy {
            arn: Arn::parse("arn:aws:iam::123456789012:policy/P").unwrap(),
            id: "ANPAX".to_owned(),
            name: "P".to_owned(),
            path: "/".to_owned(),
            description: None,
            document: Document("one".to_owned()),
            created_at: Timestamp::from_seconds(0),
            version: ManagedPolicy::FIRST,
            versions: Vec::new(),
            versions_made: ManagedPolicy::FIRST,
            updated_at: None,
            tags: BTreeMap::new(),
        };
        assert_eq!(policy.all_versions().len(), 1);
        let now = Timestamp::from_seconds(9);
        assert_eq!(policy.add_version(Document("two".to_owned()), now), 2);
        assert_eq!((policy.document.0.as_str(), policy.version), ("one", 1));
        assert!(policy.put_in_force(2, now) && !policy.put_in_force(3, now));
        assert_eq!((policy.document.0.as_str(), policy.version), ("two", 2));
        policy.versions.retain(|version| version.number != 1);
        assert_eq!(policy.add_version(Document("three".to_owned()), now), 3);
    }
}
