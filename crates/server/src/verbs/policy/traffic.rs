//! The calls of a gateway that policies decided, read out of the audit trail from the oldest to the newest, a few at a time.

use std::time::Duration;

use domain::{Actor, Arn, AuditEvent, Decision, Gateway, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};
use policy::PrincipalKind;
use store::{Recorded, Store, StoreError};

/// How many events are looked at in one reading.
const BATCH: i64 = 1_000;

/// Calls that are read one batch after the other.
pub(super) struct Traffic<'s> {
    store: &'s Store,
    account: String,
    gateway: String,
    since: Timestamp,
    after: i64,
    progress: ProgressBar,
}

impl<'s> Traffic<'s> {
    /// The calls of a gateway since a moment. Somebody who watches sees how far it is.
    pub(super) async fn since(
        store: &'s Store,
        gateway: &Gateway,
        since: Timestamp,
    ) -> Result<Self, StoreError> {
        let after = store.place_before(since).await?;
        let last = store.place_before_last(0).await?;
        let progress = ProgressBar::new(u64::try_from(last.saturating_sub(after)).unwrap_or(0));
        let style = ProgressStyle::with_template("{bar:30} {percent}% of the audit trail, {eta} left");
        progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        progress.enable_steady_tick(Duration::from_millis(200));
        Ok(Self {
            store,
            account: gateway.scope.account.to_string(),
            gateway: Arn::gateway(&gateway.scope, &gateway.id).to_string(),
            since,
            after,
            progress,
        })
    }

    /// The next calls, which may be none although others follow; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Recorded>>, StoreError> {
        let wanted = |event: &AuditEvent| {
            event.time >= self.since && event.resource.as_deref() == Some(self.gateway.as_str())
        };
        let (calls, last) = self.store.decided_calls(&self.account, self.after, BATCH, wanted).await?;
        let Some(last) = last else {
            self.progress.finish_and_clear();
            return Ok(None);
        };
        self.progress.inc(u64::try_from(last.saturating_sub(self.after)).unwrap_or(0));
        self.after = last;
        Ok(Some(calls))
    }
}

impl Drop for Traffic<'_> {
    fn drop(&mut self) {
        self.progress.finish_and_clear();
    }
}

/// Who called, as policies know callers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) kind: PrincipalKind,
    pub(super) id: String,
}

impl Who {
    /// The caller of an event; nobody where policies knew nobody.
    pub(super) fn of(event: &AuditEvent) -> Option<Self> {
        match &event.actor {
            Actor::Token { subject, .. } => {
                Some(Self { kind: PrincipalKind::OAuthUser, id: subject.clone().unwrap_or_default() })
            }
            Actor::Iam { arn, .. } => {
                let principal = policy::Principal::iam(&Arn::parse(arn).ok()?).ok()?;
                Some(Self { kind: PrincipalKind::IamEntity, id: principal.id().to_owned() })
            }
            Actor::Client { .. } | Actor::System | Actor::Anonymous => None,
        }
    }
}

/// Whether the policies allowed it, whatever came of that.
pub(super) fn was_allowed(event: &AuditEvent) -> bool {
    event.decision == Decision::Allow
}

/// Whether it was a request to an HTTP target, which has no arguments.
pub(super) fn is_passage(event: &AuditEvent) -> bool {
    event.action != "tools/call"
}
