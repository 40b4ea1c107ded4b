//! Managed policies: the account's own, and those that every account has (`arn:aws:iam::aws:policy/…`).

use domain::{AccountId, Arn, ManagedPolicy, Scope};

use super::folded;
use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

/// What stands in the place of the account for policies that every account has.
const EVERYONE: &str = "aws";

impl Tx {
    /// Makes a managed policy of an account.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the account has one of this name.
    pub async fn insert_managed_policy(
        &mut self,
        account: &AccountId,
        policy: &ManagedPolicy,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO managed_policies (arn, account, name, document) VALUES ($1, $2, $3, $4)",
            params![
                policy.arn.as_str(),
                account.as_str(),
                &folded(&policy.name),
                &written(policy, "managed_policies")?
            ],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, &policy.name).await
    }

    /// Makes, or brings up to date, a managed policy that every account has.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn put_common_policy(&mut self, policy: &ManagedPolicy) -> Result<(), StoreError> {
        let document = written(policy, "managed_policies")?;
        self.execute(
            "INSERT INTO managed_policies (arn, account, name, document) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (arn) DO UPDATE SET document = $4",
            params![policy.arn.as_str(), EVERYONE, &folded(&policy.name), &document],
        )
        .await?;
        Ok(())
    }

    /// The managed policy of this ARN.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn managed_policy(&mut self, arn: &Arn) -> Result<Option<ManagedPolicy>, StoreError> {
        let row = self
            .fetch_one("SELECT document FROM managed_policies WHERE arn = $1", params![arn.as_str()])
            .await?;
        row.map(|row| row.document(0, "managed_policies")).transpose()
    }

    /// The account's own managed policies (`Some`) or those that every account has (`None`), by ARN.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn managed_policies(
        &mut self,
        account: Option<&AccountId>,
        page: Page<'_>,
    ) -> Result<Vec<ManagedPolicy>, StoreError> {
        let account = account.map_or(EVERYONE, AccountId::as_str);
        let rows = self
            .fetch(
                "SELECT document FROM managed_policies WHERE account = $1 AND arn > $2 ORDER BY arn LIMIT $3",
                params![account, page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "managed_policies")).collect()
    }

    /// Writes a changed managed policy of an account.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the account has none of this ARN.
    pub async fn update_managed_policy(
        &mut self,
        account: &AccountId,
        policy: &ManagedPolicy,
    ) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE managed_policies SET document = $3 WHERE account = $1 AND arn = $2",
            params![account.as_str(), policy.arn.as_str(), &written(policy, "managed_policies")?],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, policy.arn.as_str()).await
    }

    /// Removes a managed policy of an account.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the account has none of this ARN.
    pub async fn delete_managed_policy(&mut self, account: &AccountId, arn: &Arn) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM managed_policies WHERE account = $1 AND arn = $2",
            params![account.as_str(), arn.as_str()],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, arn.as_str()).await
    }
}
