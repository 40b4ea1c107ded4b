//! Groups of users, and who is in them.

use domain::{AccountId, Group, Scope, User};

use super::folded;
use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a group.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the account has one of this name.
    pub async fn insert_group(&mut self, group: &Group) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO user_groups (account, name, document) VALUES ($1, $2, $3)",
            params![group.account.as_str(), &folded(&group.name), &written(group, "user_groups")?],
        )
        .await?;
        self.note_change(&Scope::global(&group.account), ChangeKind::Iam, &group.name).await
    }

    /// The group of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn group(&mut self, account: &AccountId, name: &str) -> Result<Option<Group>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM user_groups WHERE account = $1 AND name = $2",
                params![account.as_str(), &folded(name)],
            )
            .await?;
        row.map(|row| row.document(0, "user_groups")).transpose()
    }

    /// The account's groups, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn groups(&mut self, account: &AccountId, page: Page<'_>) -> Result<Vec<Group>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM user_groups WHERE account = $1 AND name > $2 ORDER BY name LIMIT $3",
                params![account.as_str(), &folded(page.after), page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "user_groups")).collect()
    }

    /// Removes a group.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_group(&mut self, account: &AccountId, name: &str) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM user_groups WHERE account = $1 AND name = $2",
            params![account.as_str(), &folded(name)],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, name).await
    }

    /// Puts a user into a group; putting it in twice is putting it in once.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn join_group(
        &mut self,
        account: &AccountId,
        user: &str,
        group: &str,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO group_members (account, user_name, group_name) VALUES ($1, $2, $3) \
             ON CONFLICT (account, user_name, group_name) DO NOTHING",
            params![account.as_str(), &folded(user), &folded(group)],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, user).await
    }

    /// Takes a user out of a group; taking out one that is not in it is no mistake, as IAM has it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn leave_group(
        &mut self,
        account: &AccountId,
        user: &str,
        group: &str,
    ) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM group_members WHERE account = $1 AND user_name = $2 AND group_name = $3",
            params![account.as_str(), &folded(user), &folded(group)],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, user).await
    }

    /// The groups that a user is in, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn groups_of(&mut self, account: &AccountId, user: &str) -> Result<Vec<Group>, StoreError> {
        let rows = self
            .fetch(
                "SELECT user_groups.document FROM group_members JOIN user_groups \
                 ON user_groups.account = group_members.account AND user_groups.name = group_members.group_name \
                 WHERE group_members.account = $1 AND group_members.user_name = $2 ORDER BY user_groups.name",
                params![account.as_str(), &folded(user)],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "user_groups")).collect()
    }

    /// The users in a group, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn members(&mut self, account: &AccountId, group: &str) -> Result<Vec<User>, StoreError> {
        let rows = self
            .fetch(
                "SELECT users.document FROM group_members JOIN users \
                 ON users.account = group_members.account AND users.name = group_members.user_name \
                 WHERE group_members.account = $1 AND group_members.group_name = $2 ORDER BY users.name",
                params![account.as_str(), &folded(group)],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "users")).collect()
    }
}
