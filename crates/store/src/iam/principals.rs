//! Users and roles.

use domain::{AccountId, Role, Scope, User};

use super::folded;
use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a user.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the account has one of this name.
    pub async fn insert_user(&mut self, user: &User) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO users (account, name, document) VALUES ($1, $2, $3)",
            params![user.account.as_str(), &folded(&user.name), &written(user, "users")?],
        )
        .await?;
        self.note_change(&Scope::global(&user.account), ChangeKind::Iam, &user.name).await
    }

    /// The user of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn user(&mut self, account: &AccountId, name: &str) -> Result<Option<User>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM users WHERE account = $1 AND name = $2",
                params![account.as_str(), &folded(name)],
            )
            .await?;
        row.map(|row| row.document(0, "users")).transpose()
    }

    /// The account's users, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn users(&mut self, account: &AccountId, page: Page<'_>) -> Result<Vec<User>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM users WHERE account = $1 AND name > $2 ORDER BY name LIMIT $3",
                params![account.as_str(), &folded(page.after), page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "users")).collect()
    }

    /// Writes a changed user.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn update_user(&mut self, user: &User) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE users SET document = $3 WHERE account = $1 AND name = $2",
            params![user.account.as_str(), &folded(&user.name), &written(user, "users")?],
        )
        .await?;
        self.note_change(&Scope::global(&user.account), ChangeKind::Iam, &user.name).await
    }

    /// Removes a user.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_user(&mut self, account: &AccountId, name: &str) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM users WHERE account = $1 AND name = $2",
            params![account.as_str(), &folded(name)],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, name).await
    }

    /// Makes a role.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the account has one of this name.
    pub async fn insert_role(&mut self, role: &Role) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO roles (account, name, document) VALUES ($1, $2, $3)",
            params![role.account.as_str(), &folded(&role.name), &written(role, "roles")?],
        )
        .await?;
        self.note_change(&Scope::global(&role.account), ChangeKind::Iam, &role.name).await
    }

    /// The role of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn role(&mut self, account: &AccountId, name: &str) -> Result<Option<Role>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM roles WHERE account = $1 AND name = $2",
                params![account.as_str(), &folded(name)],
            )
            .await?;
        row.map(|row| row.document(0, "roles")).transpose()
    }

    /// The account's roles, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn roles(&mut self, account: &AccountId, page: Page<'_>) -> Result<Vec<Role>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM roles WHERE account = $1 AND name > $2 ORDER BY name LIMIT $3",
                params![account.as_str(), &folded(page.after), page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "roles")).collect()
    }

    /// Writes a changed role.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn update_role(&mut self, role: &Role) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE roles SET document = $3 WHERE account = $1 AND name = $2",
            params![role.account.as_str(), &folded(&role.name), &written(role, "roles")?],
        )
        .await?;
        self.note_change(&Scope::global(&role.account), ChangeKind::Iam, &role.name).await
    }

    /// Removes a role.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_role(&mut self, account: &AccountId, name: &str) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM roles WHERE account = $1 AND name = $2",
            params![account.as_str(), &folded(name)],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, name).await
    }
}
