//! The request context: what conditions and policy variables may look at.

use std::collections::BTreeMap;

use domain::{Principal, SessionFacts, Timestamp};

use crate::Requester;

/// Condition keys and their values. A key's case does not matter (IAM User Guide, "IAM JSON policy elements:
/// Condition"); a key that was never given is absent, which conditions can tell from one that is empty.
#[derive(Clone, Debug, Default)]
pub struct Context {
    entries: Vec<(Box<str>, Values)>,
}

/// What a key has: one value, or several. The two are not the same to a condition: a key with several needs
/// `ForAllValues` or `ForAnyValue`, even when it happens to have one.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    One(String),
    Many(Vec<String>),
}

impl Context {
    /// A context in which every key is absent.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys that every request has because of who makes it: `aws:PrincipalArn` (for a role session, the
    /// role's), `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:userid`, `aws:username` (for users alone), `aws:TokenIssueTime` and
    /// `aws:MultiFactorAuthPresent` (for sessions), `aws:PrincipalTag/…` (of the session),
    /// `aws:SourceIdentity`, `aws:FederatedProvider`, `aws:PrincipalIsAWSService` and, for services, `aws:PrincipalServiceName`.
    /// Source: IAM User Guide, "AWS global condition context keys".
    #[must_use]
    pub fn of(requester: &Requester<'_>) -> Self {
        let context = Self::new();
        match requester {
            Requester::Iam(caller) => {
                let arn = caller.principal.role_arn(&caller.account).unwrap_or_else(|| caller.arn());
                let context = context
                    .with("aws:PrincipalArn", arn)
                    .with("aws:PrincipalAccount", caller.account.as_str())
                    .with("aws:userid", caller.principal.unique_id(&caller.account))
                    .with("aws:PrincipalIsAWSService", "false");
                let context = match caller.issued_at {
                    // Nobody here signs in with a second factor.
                    Some(issued) => context
                        .with("aws:TokenIssueTime", issued.to_string())
                        .with("aws:MultiFactorAuthPresent", "false"),
                    None => context,
                };
                let context = context.with_session(&caller.session);
                match &caller.principal {
                    Principal::Root => context.with("aws:PrincipalType", "Account"),
                    Principal::User { name, .. } => {
                        context.with("aws:PrincipalType", "User").with("aws:username", name.as_str())
                    }
                    Principal::AssumedRole { .. } => context.with("aws:PrincipalType", "AssumedRole"),
                }
            }
            Requester::Service(name) => {
                context.with("aws:PrincipalIsAWSService", "true").with("aws:PrincipalServiceName", *name)
            }
            Requester::Federated(_) => context.with("aws:PrincipalIsAWSService", "false"),
            Requester::Anonymous => {
                context.with("aws:PrincipalType", "Anonymous").with("aws:PrincipalIsAWSService", "false")
            }
        }
    }

    /// What is said of a session: its tags, who is behind it, and who vouched for them.
    fn with_session(self, facts: &SessionFacts) -> Self {
        let named = [
            ("aws:SourceIdentity", &facts.source_identity),
            ("aws:FederatedProvider", &facts.federated_provider),
        ];
        let context = named.into_iter().fold(self, |context, (key, value)| match value {
            Some(value) => context.with(key, value.as_str()),
            None => context,
        });
        let claims =
            facts.claims.iter().fold(context, |context, (key, value)| context.with(key, value.as_str()));
        claims.with_tags("aws:PrincipalTag", &facts.tags)
    }

    /// Tags, each as a key of its own: `aws:PrincipalTag/team`. A key that is there already stays as it is, so that what
    /// counts more is given first.
    #[must_use]
    pub fn with_tags(self, prefix: &str, tags: &BTreeMap<String, String>) -> Self {
        tags.iter().fold(self, |context, (tag, value)| {
            let key = format!("{prefix}/{tag}").to_ascii_lowercase();
            if context.get(&key).is_some() { context } else { context.with(&key, value.as_str()) }
        })
    }

    /// The tags that a request brings: `aws:RequestTag/…` and `aws:TagKeys`, which is absent where there are none.
    #[must_use]
    pub fn requesting_tags(self, tags: &BTreeMap<String, String>) -> Self {
        self.with_tags("aws:RequestTag", tags).with_many("aws:TagKeys", tags.keys().map(String::as_str))
    }

    /// Gives a key one value, instead of any it had.
    #[must_use]
    pub fn with(self, key: &str, value: impl Into<String>) -> Self {
        self.put(key, Values::One(value.into()))
    }

    /// Gives a key several values, instead of any it had. With no values at all, the key is absent.
    #[must_use]
    pub fn with_many<T: Into<String>>(self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            return self.without(key);
        }
        self.put(key, Values::Many(values))
    }

    /// The time of the request: `aws:CurrentTime` and `aws:EpochTime`.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        self.with("aws:CurrentTime", now.to_string()).with("aws:EpochTime", now.seconds().to_string())
    }

    /// Makes a key absent.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.entries.retain(|(known, _)| !known.eq_ignore_ascii_case(key));
        self
    }

    /// Whether a key has a value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.get(&key.to_ascii_lowercase()).is_some()
    }

    fn put(self, key: &str, values: Values) -> Self {
        let mut context = self.without(key);
        context.entries.push((key.to_ascii_lowercase().into(), values));
        context
    }

    /// The values of a key that is given in lower case.
    pub(crate) fn get(&self, key: &str) -> Option<&Values> {
        // A request has some tens of keys, and their lengths tell most of them apart.
        let found = self.entries.iter().find(|(known, _)| **known == *key);
        found.map(|(_, values)| values)
    }

    /// The value of a key that has just one: only such keys can be policy variables.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Values::One(value) => Some(value),
            Values::Many(_) => None,
        }
    }
}

impl Values {
    pub(crate) fn all(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    /// Whether the key resolves to nothing but empty strings, which set operators and `Null` take for absence
    /// ("a null dataset, such as an empty string").
    pub(crate) fn is_null(&self) -> bool {
        self.all().iter().all(String::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_no_case_and_the_last_value_counts() {
        let context = Context::new()
            .with("aws:SourceIp", "1.2.3.4")
            .with("AWS:sourceip", "5.6.7.8")
            .with_many("aws:TagKeys", ["a"]);
        assert_eq!(context.single("aws:sourceip"), Some("5.6.7.8"));
        assert_eq!(context.single("aws:tagkeys"), None);
        let emptied = context.with_many("aws:tagkeys", Vec::<String>::new());
        assert!(emptied.get("aws:tagkeys").is_none());
    }

    #[test]
    fn the_time_is_given_twice() {
        let context = Context::new().at(Timestamp::from_seconds(1_763_717_400));
        assert_eq!(context.single("aws:epochtime"), Some("1763717400"));
        assert_eq!(context.single("aws:currenttime"), Some("2025-11-21T09:30:00.000Z"));
    }
}
