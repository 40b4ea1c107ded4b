//! Policies on users, groups and roles: written into them, or attached to them.

use domain::{AccountId, Arn, Document, Holder, ManagedPolicy, Scope};

use super::folded;
use crate::backend::params;
use crate::{ChangeKind, StoreError, Tx};

impl Tx {
    /// Writes a policy into a user or a role, over one of the same name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn put_inline_policy(
        &mut self,
        account: &AccountId,
        holder: &Holder,
        name: &str,
        document: &Document,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO inline_policies (account, holder_kind, holder, name, document) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (account, holder_kind, holder, name) DO UPDATE SET document = $5",
            params![account.as_str(), holder.kind(), &folded(holder.name()), name, &document.0],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, holder.name()).await
    }

    /// The policies written into a user or a role, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn inline_policies(
        &mut self,
        account: &AccountId,
        holder: &Holder,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        let rows = self
            .fetch(
                "SELECT name, document FROM inline_policies \
                 WHERE account = $1 AND holder_kind = $2 AND holder = $3 ORDER BY name",
                params![account.as_str(), holder.kind(), &folded(holder.name())],
            )
            .await?;
        rows.iter().map(|row| Ok((row.text(0)?, Document(row.text(1)?)))).collect()
    }

    /// Takes a policy out of a user or a role.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_inline_policy(
        &mut self,
        account: &AccountId,
        holder: &Holder,
        name: &str,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM inline_policies WHERE account = $1 AND holder_kind = $2 AND holder = $3 AND name = $4",
            params![account.as_str(), holder.kind(), &folded(holder.name()), name],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, holder.name()).await
    }

    /// Attaches a managed policy; attaching it twice is attaching it once.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn attach_policy(
        &mut self,
        account: &AccountId,
        holder: &Holder,
        arn: &Arn,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO attached_policies (account, holder_kind, holder, arn) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (account, holder_kind, holder, arn) DO NOTHING",
            params![account.as_str(), holder.kind(), &folded(holder.name()), arn.as_str()],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, holder.name()).await
    }

    /// Detaches a managed policy.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is not attached.
    pub async fn detach_policy(
        &mut self,
        account: &AccountId,
        holder: &Holder,
        arn: &Arn,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM attached_policies WHERE account = $1 AND holder_kind = $2 AND holder = $3 AND arn = $4",
            params![account.as_str(), holder.kind(), &folded(holder.name()), arn.as_str()],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, holder.name()).await
    }

    /// The managed policies attached to a user or a role, by ARN.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn attached_policies(
        &mut self,
        account: &AccountId,
        holder: &Holder,
    ) -> Result<Vec<ManagedPolicy>, StoreError> {
        let rows = self
            .fetch(
                "SELECT managed_policies.document FROM attached_policies \
                 JOIN managed_policies ON managed_policies.arn = attached_policies.arn \
                 WHERE attached_policies.account = $1 AND holder_kind = $2 AND holder = $3 ORDER BY attached_policies.arn",
                params![account.as_str(), holder.kind(), &folded(holder.name())],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "managed_policies")).collect()
    }

    /// Who of an account has a managed policy attached, in the order of kinds and names.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn attached_to(&mut self, account: &AccountId, arn: &Arn) -> Result<Vec<Holder>, StoreError> {
        let rows = self
            .fetch(
                "SELECT holder_kind, holder FROM attached_policies WHERE account = $1 AND arn = $2 \
                 ORDER BY holder_kind, holder",
                params![account.as_str(), arn.as_str()],
            )
            .await?;
        let mut holders = Vec::with_capacity(rows.len());
        for row in &rows {
            let name = row.text(1)?;
            holders.push(match row.text(0)?.as_str() {
                "group" => Holder::Group(name),
                "role" => Holder::Role(name),
                _ => Holder::User(name),
            });
        }
        Ok(holders)
    }

    /// To how many users, groups and roles of an account a managed policy is attached.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn count_attachments(&mut self, account: &AccountId, arn: &Arn) -> Result<i64, StoreError> {
        let row = self
            .fetch_one(
                "SELECT COUNT(*) FROM attached_policies WHERE account = $1 AND arn = $2",
                params![account.as_str(), arn.as_str()],
            )
            .await?;
        row.map_or(Ok(0), |row| row.int(0))
    }
}
