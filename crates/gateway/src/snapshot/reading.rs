//! What the loader compiles gateways from, read in one transaction.

use std::collections::HashMap;

use credentials::{RoleAccess, Roles};
use domain::{Gateway, UserPoolId};
use store::{Belongings, Store, StoreError, Tx};

/// A transaction that gateways are compiled from, and what several of them share.
pub(super) struct Reading {
    pub(super) tx: Tx,
    roles: Roles,
    /// Which user pools there are, of those that were asked for.
    pools: HashMap<UserPoolId, bool>,
}

impl Reading {
    pub(super) async fn begin(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { tx: store.read().await?, roles: Roles::default(), pools: HashMap::new() })
    }

    /// Gateways of one scope, each with what belongs to it.
    pub(super) async fn belongings<'a>(
        &mut self,
        gateways: &'a [Gateway],
    ) -> Result<Vec<(&'a Gateway, Result<Belongings, StoreError>)>, StoreError> {
        let Some(first) = gateways.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = gateways.iter().map(|gateway| &gateway.id).collect();
        Ok(gateways.iter().zip(self.tx.belongings(&first.scope, &ids).await?).collect())
    }

    pub(super) async fn role(&mut self, gateway: &Gateway) -> Result<RoleAccess, StoreError> {
        self.roles.of(&mut self.tx, gateway).await
    }

    pub(super) async fn has_pool(&mut self, id: &UserPoolId) -> Result<bool, StoreError> {
        if let Some(known) = self.pools.get(id) {
            return Ok(*known);
        }
        let found = self.tx.user_pool(id).await?.is_some();
        self.pools.insert(id.clone(), found);
        Ok(found)
    }
}
