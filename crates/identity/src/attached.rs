//! What is attached to a resource and has a say in who may invoke it: its resource policy and its tags; and the condition
//! keys that a request to it has.
//!
//! Of a caller who signs, its own policies and the resource's are asked together. A caller whom no account knows has no
//! policies of its own: where the resource has one, that must let everybody in (`"Principal": "*"`) under conditions that
//! the request meets; where it has none, IAM has no say. Such a caller was recognised before, by a token for instance.
//! Source: developer guide, "Resource-based policies", "Authentication type considerations".

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use domain::{Arn, Document, Scope, SecureTransport, Timestamp};
use http::request::Parts;
use iam::{Context, Named, Policy, PolicyKind};
use store::{StoreError, Tx};

/// What stands for a policy that cannot be read.
const NOBODY: &str = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}}"#;

/// What is attached to a resource.
#[derive(Default)]
pub struct Attached {
    /// Its resource policy.
    pub policy: Option<Named>,
    /// Its tags, which conditions see as `aws:ResourceTag`.
    pub tags: BTreeMap<String, String>,
}

impl Attached {
    /// Reads what is attached to a resource. A resource policy that cannot be read lets nobody in.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn read(tx: &mut Tx, arn: &Arn) -> Result<Self, StoreError> {
        let policy = tx.resource_policy(arn).await?;
        Self::of(arn, policy, tx.tags(arn).await?)
    }

    /// The same of what was read.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when not even the policy that lets nobody in can be had.
    pub fn of(
        arn: &Arn,
        policy: Option<Document>,
        tags: BTreeMap<String, String>,
    ) -> Result<Self, StoreError> {
        let policy = match policy {
            None => None,
            Some(document) => match Policy::parse(&document.0, PolicyKind::Resource) {
                Ok(policy) => Some(policy),
                Err(error) => {
                    tracing::error!(resource = %arn, %error, "A resource policy cannot be read; nobody is let in.");
                    let nobody = Policy::parse(NOBODY, PolicyKind::Resource);
                    Some(nobody.map_err(|error| StoreError::Refused(error.to_string()))?)
                }
            },
        };
        let name = format!("the resource policy of {arn}");
        let policy = policy.map(|policy| Named { name, policy: Arc::new(policy) });
        Ok(Self { policy, tags })
    }

    /// Adds to what is known of a caller the condition keys that a request to the resource has.
    #[must_use]
    pub fn conditions(&self, caller: Context, request: &Invocation<'_>) -> Context {
        let head = request.head;
        let is_secure = head.extensions.get::<SecureTransport>().is_some();
        let context = caller
            .at(request.now)
            .with("aws:SourceIp", request.peer.to_string())
            .with("aws:SecureTransport", is_secure.to_string())
            .with("aws:RequestedRegion", request.scope.region.as_str())
            .with("aws:ResourceAccount", request.scope.account.as_str())
            .with("aws:ViaAWSService", "false")
            .with_tags("aws:ResourceTag", &self.tags);
        [("aws:UserAgent", "user-agent"), ("aws:Referer", "referer")].into_iter().fold(
            context,
            |context, (key, header)| match head.headers.get(header).and_then(|value| value.to_str().ok()) {
                Some(value) => context.with(key, value),
                None => context,
            },
        )
    }
}

/// A request that invokes a resource.
#[derive(Clone, Copy)]
pub struct Invocation<'a> {
    /// Where the resource is.
    pub scope: &'a Scope,
    /// The request's head.
    pub head: &'a Parts,
    /// Whom it comes from: the client behind trusted proxies.
    pub peer: IpAddr,
    /// When it came.
    pub now: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_an_unreadable_policy_can_be_read() {
        assert!(Policy::parse(NOBODY, PolicyKind::Resource).is_ok());
    }
}
