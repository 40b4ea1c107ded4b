//! Accounts: whom everything else belongs to.

use domain::{AccountId, Timestamp};

use crate::backend::params;
use crate::{StoreError, Tx};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Tx {
    /// Makes an account.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one with this number.
    pub async fn insert_account(&mut self, account: &Account) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO accounts (id, name, created_at) VALUES ($1, $2, $3)",
            params![account.id.as_str(), &account.name, account.created_at.millis()],
        )
        .await?;
        Ok(())
    }

    /// All accounts, by number.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn accounts(&mut self) -> Result<Vec<Account>, StoreError> {
        let rows = self.fetch("SELECT id, name, created_at FROM accounts ORDER BY id", params![]).await?;
        rows.iter()
            .map(|row| {
                let id = AccountId::parse(&row.text(0)?)
                    .map_err(|error| StoreError::Corrupt { table: "accounts", detail: error.to_string() })?;
                Ok(Account { id, name: row.text(1)?, created_at: Timestamp::from_millis(row.int(2)?) })
            })
            .collect()
    }

    /// Whether there is an account with this number.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn has_account(&mut self, id: &AccountId) -> Result<bool, StoreError> {
        let row = self.fetch_one("SELECT 1 FROM accounts WHERE id = $1", params![id.as_str()]).await?;
        Ok(row.is_some())
    }
}
