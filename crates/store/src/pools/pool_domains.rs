//! Domain prefixes of user pools.

use domain::{PoolDomain, Scope, UserPoolId};

use crate::backend::{Row, params};
use crate::{ChangeKind, StoreError, Tx};

impl Tx {
    /// Gives a pool a domain prefix.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the region has it already.
    pub async fn insert_pool_domain(&mut self, domain: &PoolDomain) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO pool_domains (account, region, domain, pool) VALUES ($1, $2, $3, $4)",
            params![
                domain.scope.account.as_str(),
                domain.scope.region.as_str(),
                &domain.domain,
                domain.pool.as_str()
            ],
        )
        .await?;
        self.note_change(&domain.scope, ChangeKind::UserPool, domain.pool.as_str()).await
    }

    /// The domain prefix of this name in a region.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn pool_domain(
        &mut self,
        region: &domain::Region,
        name: &str,
    ) -> Result<Option<PoolDomain>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT account, region, domain, pool FROM pool_domains WHERE region = $1 AND domain = $2",
                params![region.as_str(), &name.to_ascii_lowercase()],
            )
            .await?;
        row.map(|row| pool_domain(&row)).transpose()
    }

    /// The domain prefix of a pool.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn domain_of_pool(&mut self, pool: &UserPoolId) -> Result<Option<PoolDomain>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT account, region, domain, pool FROM pool_domains WHERE pool = $1",
                params![pool.as_str()],
            )
            .await?;
        row.map(|row| pool_domain(&row)).transpose()
    }

    /// Takes a domain prefix away.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the pool does not have it.
    pub async fn delete_pool_domain(&mut self, domain: &PoolDomain) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM pool_domains WHERE region = $1 AND domain = $2 AND pool = $3",
            params![domain.scope.region.as_str(), &domain.domain, domain.pool.as_str()],
        )
        .await?;
        self.note_change(&domain.scope, ChangeKind::UserPool, domain.pool.as_str()).await
    }
}

fn pool_domain(row: &Row) -> Result<PoolDomain, StoreError> {
    let corrupt = |error: domain::InvalidScope| StoreError::Corrupt {
        table: "pool_domains",
        detail: error.to_string(),
    };
    Ok(PoolDomain {
        scope: Scope {
            account: domain::AccountId::parse(&row.text(0)?).map_err(corrupt)?,
            region: domain::Region::parse(&row.text(1)?).map_err(corrupt)?,
        },
        domain: row.text(2)?,
        pool: UserPoolId::from_text(row.text(3)?),
    })
}
