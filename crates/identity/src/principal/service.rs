//! Sessions that a service opens: a role that a resource works with is assumed for it, as far as the role trusts the
//! service on behalf of that resource (`aws:SourceArn`, `aws:SourceAccount`), now: its trust policy may have changed since
//! the resource was made.

use std::sync::Arc;

use domain::{Arn, Random, Role, Timestamp};
use iam::{Context, Named, Policy, PolicyKind, PolicySets, Question, Requester};
use store::{Store, StoreError};

use super::session::{Credentials, Lasts, issue};

/// A role, the service that assumes it, and the resource for which.
pub struct ServiceRole<'a> {
    /// The role.
    pub role: &'a Arn,
    /// The service, such as `bedrock-agentcore.amazonaws.com`.
    pub service: &'a str,
    /// The resource.
    pub source: &'a Arn,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum NoSession {
    /// The role is gone, or does not trust the service.
    #[error(
        "the role {role} is gone, or does not trust {service} for this resource: correct its trust policy"
    )]
    Untrusting {
        /// The role.
        role: String,
        /// The service.
        service: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServiceRole<'_> {
    /// Opens a session with a name of its own.
    ///
    /// # Errors
    /// [`NoSession`].
    pub async fn open(
        &self,
        store: &Store,
        random: &dyn Random,
        name: &str,
        lasts: Lasts,
    ) -> Result<Credentials, NoSession> {
        let account = domain::AccountId::parse(self.source.account());
        let own = self.role.resource().rsplit('/').next().unwrap_or_default();
        let found = match account {
            Ok(account) => store.read().await?.role(&account, own).await?,
            Err(_) => None,
        };
        let found = found.filter(|role| role.arn() == *self.role && self.is_trusted_by(role, lasts.from));
        let role = found.ok_or_else(|| NoSession::Untrusting {
            role: self.role.to_string(),
            service: self.service.to_owned(),
        })?;
        Ok(issue(store, random, &role, name, Vec::new(), domain::SessionFacts::default(), lasts)?)
    }

    fn is_trusted_by(&self, role: &Role, now: Timestamp) -> bool {
        let Ok(trust) = Policy::parse(&role.trust_policy.0, PolicyKind::Trust) else { return false };
        let requester = Requester::Service(self.service);
        let conditions = Context::of(&requester)
            .at(now)
            .with("aws:SourceArn", self.source.as_str())
            .with("aws:SourceAccount", self.source.account());
        let arn = role.arn();
        let question = Question {
            requester,
            action: "sts:AssumeRole",
            resource: arn.as_str(),
            resource_account: Some(&role.account),
            context: &conditions,
        };
        let trust = Named { name: String::new(), policy: Arc::new(trust) };
        iam::evaluate_trust(&question, &trust, &PolicySets::default()).is_allowed()
    }
}
