//! Deleted secrets whose time is over are taken away, with what they hold. Nobody could read them any more since then.

use std::time::Duration;

use domain::{Actor, AuditEvent, AuditKind, Decision, EventId, KeptSecret, Outcome, RequestId};
use store::StoreError;

use crate::plane::ControlPlane;

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(10 * 60);

impl ControlPlane {
    /// Takes deleted secrets away, at once and then again and again, until the task is ended.
    pub async fn sweep_secrets_for_ever(self) {
        loop {
            match self.sweep_secrets().await {
                Ok(0) => {}
                Ok(swept) => tracing::info!(swept, "Deleted secrets were taken away."),
                Err(error) => tracing::warn!(%error, "Deleted secrets cannot be taken away now."),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes deleted secrets away whose time is over; answers how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn sweep_secrets(&self) -> Result<usize, StoreError> {
        let now = self.setup.clock.now();
        let gone = self.setup.store.read().await?.secrets_gone_at(now).await?;
        let mut swept = 0;
        for secret in gone {
            let mut tx = self.setup.store.begin().await?;
            // Another replica may have been faster, or a new one may have the name.
            if tx.secret(&secret.scope, &secret.name).await?.as_ref() == Some(&secret) {
                tx.delete_secret(&secret).await?;
                tx.commit(&self.event(&secret)).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn event(&self, secret: &KeptSecret) -> AuditEvent {
        let random = &*self.setup.random;
        AuditEvent {
            event_id: EventId::mint(random),
            time: self.setup.clock.now(),
            kind: AuditKind::Control,
            scope: secret.scope.clone(),
            actor: Actor::System,
            source_ip: None,
            action: "secretsmanager:EndSecretDeletion".to_owned(),
            resource: Some(secret.arn().to_string()),
            tool: None,
            decision: Decision::None,
            policies: Vec::new(),
            reason: None,
            outcome: Outcome::Success,
            error: None,
            latency_us: 0,
            request_id: RequestId::mint(random),
        }
    }
}
