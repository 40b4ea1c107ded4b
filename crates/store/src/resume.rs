//! What a restart finds half done: resources whose status says that work is under way, although nobody does it.

use domain::{Gateway, Policy, PolicyEngine, Target};

use crate::backend::params;
use crate::{Store, StoreError};

/// Every resource in a transitional status.
#[derive(Debug, Default)]
pub struct Unsettled {
    /// Gateways.
    pub gateways: Vec<Gateway>,
    /// Targets.
    pub targets: Vec<Target>,
    /// Policy engines.
    pub engines: Vec<PolicyEngine>,
    /// Policies.
    pub policies: Vec<Policy>,
}

impl Store {
    /// Every resource in a transitional status.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn unsettled(&self) -> Result<Unsettled, StoreError> {
        let mut tx = self.read().await?;
        let mut found = Unsettled::default();
        for row in tx
            .fetch(
                "SELECT document FROM gateways WHERE status IN ('CREATING', 'UPDATING', 'DELETING')",
                params![],
            )
            .await?
        {
            found.gateways.push(row.document(0, "gateways")?);
        }
        for row in tx
            .fetch(
                "SELECT document FROM targets \
                 WHERE status IN ('CREATING', 'UPDATING', 'SYNCHRONIZING', 'DELETING')",
                params![],
            )
            .await?
        {
            found.targets.push(row.document(0, "targets")?);
        }
        for row in tx
            .fetch(
                "SELECT document FROM policy_engines WHERE status IN ('CREATING', 'UPDATING', 'DELETING')",
                params![],
            )
            .await?
        {
            found.engines.push(row.document(0, "policy_engines")?);
        }
        for row in tx
            .fetch(
                "SELECT document FROM policies WHERE status IN ('CREATING', 'UPDATING', 'DELETING')",
                params![],
            )
            .await?
        {
            found.policies.push(row.document(0, "policies")?);
        }
        Ok(found)
    }
}
