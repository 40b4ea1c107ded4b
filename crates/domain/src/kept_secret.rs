//! Secrets that their owner keeps with us under a name, as in AWS Secrets Manager: each is a list of versions, and labels
//! (staging labels) say which of them is meant. What a version holds is not part of this: the store keeps it sealed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Arn, Random, Scope, Timestamp};

/// What the six last characters of a secret's ARN are drawn from.
const SUFFIX: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// How many characters the end of a secret's ARN has.
const SUFFIX_LENGTH: usize = 6;
/// How many versions of a secret are kept, those with labels included (Secrets Manager quotas).
const MOST_VERSIONS: usize = 100;

/// The label of the version that is meant when nobody says otherwise.
pub const CURRENT: &str = "AWSCURRENT";
/// The label of the version that was current before.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// A secret, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSecret {
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique in the scope.
    pub name: String,
    /// The end of its ARN, which tells it from a former one of the same name.
    pub suffix: String,
    /// What its owner says of it.
    pub description: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its versions, the oldest first.
    pub versions: Vec<SecretVersion>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// The day on which it was last read.
    pub accessed_on: Option<Timestamp>,
    /// When it will be gone, if it was deleted. Until then nobody reads it, and its owner may take the deletion back.
    pub gone_at: Option<Timestamp>,
    /// The service that made it and alone may change it.
    #[serde(skip)]
    pub owner: Option<&'static str>,
}

/// A version of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVersion {
    /// Its id: the client's token, or a UUID.
    pub id: String,
    /// Its labels; each is at one version of a secret at most.
    pub labels: Vec<String>,
    /// Whether it holds bytes, which the store keeps as base64, and not text.
    pub is_binary: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl KeptSecret {
    /// A new end of a secret's ARN.
    #[must_use]
    pub fn mint_suffix(random: &dyn Random) -> String {
        random.text(SUFFIX_LENGTH, SUFFIX)
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::secret(&self.scope, &format!("{}-{}", self.name, self.suffix))
    }

    /// The names that the end of an ARN can mean, each with the suffix that its secret must have: the ARN is whole, or lacks
    /// its suffix.
    #[must_use]
    pub fn readings(end: &str) -> Vec<(&str, Option<&str>)> {
        let whole = end.rsplit_once('-').filter(|(name, suffix)| {
            !name.is_empty()
                && suffix.len() == SUFFIX_LENGTH
                && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        let whole = whole.map(|(name, suffix)| (name, Some(suffix)));
        whole.into_iter().chain([(end, None)]).collect()
    }

    /// The version of an id.
    #[must_use]
    pub fn version(&self, id: &str) -> Option<&SecretVersion> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The version that has a label.
    #[must_use]
    pub fn labelled(&self, label: &str) -> Option<&SecretVersion> {
        self.versions.iter().find(|version| version.labels.iter().any(|it| it == label))
    }

    /// Adds a version and gives it labels, which other versions lose. The first version becomes the current one in any case,
    /// and what was current becomes the previous one. Gives back the ids of versions that are no longer kept: the oldest
    /// without a label, when there are too many.
    pub fn add_version(&mut self, version: SecretVersion) -> Vec<String> {
        let mut version = version;
        if self.versions.is_empty() && !version.labels.iter().any(|label| label == CURRENT) {
            version.labels.push(CURRENT.to_owned());
        }
        if version.labels.iter().any(|label| label == CURRENT) {
            let current = self.labelled(CURRENT).map(|current| current.id.clone());
            for other in &mut self.versions {
                if current.is_some() {
                    other.labels.retain(|label| label != PREVIOUS);
                }
                if current.as_ref() == Some(&other.id) && !version.labels.iter().any(|it| it == PREVIOUS) {
                    other.labels.push(PREVIOUS.to_owned());
                }
            }
        }
        for other in &mut self.versions {
            other.labels.retain(|label| !version.labels.contains(label));
        }
        self.changed_at = version.created_at;
        self.versions.push(version);
        self.forget_old_versions()
    }

    fn forget_old_versions(&mut self) -> Vec<String> {
        let mut surplus = self.versions.len().saturating_sub(MOST_VERSIONS);
        let mut forgotten = Vec::new();
        self.versions.retain(|version| {
            let goes = surplus > 0 && version.labels.is_empty();
            if goes {
                surplus -= 1;
                forgotten.push(version.id.clone());
            }
            !goes
        });
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountId, Region, SystemRandom};

    fn secret() -> KeptSecret {
        KeptSecret {
            scope: Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() },
            name: "app/key".to_owned(),
            suffix: "a1B2c3".to_owned(),
            description: None,
            tags: BTreeMap::new(),
            versions: Vec::new(),
            created_at: Timestamp::default(),
            changed_at: Timestamp::default(),
            accessed_on: None,
            gone_at: None,
            owner: None,
        }
    }

    fn version(id: &str, labels: &[&str]) -> SecretVersion {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        SecretVersion { id: id.to_owned(), labels, is_binary: false, created_at: Timestamp::default() }
    }

    fn labels(secret: &KeptSecret) -> Vec<String> {
        secret.versions.iter().map(|it| format!("{}:{}", it.id, it.labels.join("+"))).collect()
    }

    #[test]
    fn what_was_current_becomes_the_previous_one() {
        let mut secret = secret();
        secret.add_version(version("1", &[CURRENT]));
        secret.add_version(version("2", &[CURRENT]));
        assert_eq!(labels(&secret), ["1:AWSPREVIOUS", "2:AWSCURRENT"]);
        secret.add_version(version("3", &[CURRENT, "MINE"]));
        assert_eq!(labels(&secret), ["1:", "2:AWSPREVIOUS", "3:AWSCURRENT+MINE"]);
        secret.add_version(version("4", &["MINE"]));
        assert_eq!(labels(&secret), ["1:", "2:AWSPREVIOUS", "3:AWSCURRENT", "4:MINE"]);
        secret.add_version(version("5", &[CURRENT, PREVIOUS]));
        assert_eq!(labels(&secret), ["1:", "2:", "3:", "4:MINE", "5:AWSCURRENT+AWSPREVIOUS"]);
    }

    #[test]
    fn the_first_version_is_current_whatever_its_labels() {
        let mut secret = secret();
        secret.add_version(version("1", &["MINE"]));
        assert_eq!(labels(&secret), ["1:MINE+AWSCURRENT"]);
    }

    #[test]
    fn old_versions_without_a_label_are_not_kept_for_ever() {
        let mut secret = secret();
        let mut forgotten = Vec::new();
        for number in 0..MOST_VERSIONS + 2 {
            forgotten.extend(secret.add_version(version(&number.to_string(), &[CURRENT])));
        }
        assert_eq!(forgotten, ["0", "1"]);
        assert_eq!(secret.versions.len(), MOST_VERSIONS);
    }

    #[test]
    fn an_arn_may_lack_its_suffix() {
        assert_eq!(
            secret().arn().as_str(),
            "arn:aws:secretsmanager:us-west-2:000000000000:secret:app/key-a1B2c3"
        );
        assert_eq!(KeptSecret::readings("key-a1B2c3"), [("key", Some("a1B2c3")), ("key-a1B2c3", None)]);
        for end in ["key", "key-a1B2c", "-a1B2c3", "key-a1B2c!"] {
            assert_eq!(KeptSecret::readings(end), [(end, None)]);
        }
        assert_eq!(KeptSecret::mint_suffix(&SystemRandom).len(), SUFFIX_LENGTH);
    }
}
