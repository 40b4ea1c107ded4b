//! Published versions of functions, which never change, and the aliases that name them.

use std::collections::BTreeMap;

use domain::{Function, FunctionAlias, Scope, Secret};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Publishes a version, whose code is kept already.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of its number.
    pub async fn insert_function_version(
        &mut self,
        version: &Function,
        environment: &BTreeMap<String, Secret>,
    ) -> Result<(), StoreError> {
        let sealed = self.seal_environment(version, environment)?;
        self.execute(
            "INSERT INTO function_versions (account, region, function, version, code, environment, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                version.scope.account.as_str(),
                version.scope.region.as_str(),
                &version.name,
                version.number().unwrap_or_default(),
                &version.code_sha256,
                &sealed,
                &written(version, "function_versions")?
            ],
        )
        .await?;
        self.note_change(&version.scope, ChangeKind::Function, &version.name).await
    }

    /// The version of this number.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn function_version(
        &mut self,
        scope: &Scope,
        function: &str,
        number: i64,
    ) -> Result<Option<Function>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM function_versions \
                 WHERE account = $1 AND region = $2 AND function = $3 AND version = $4",
                params![scope.account.as_str(), scope.region.as_str(), function, number],
            )
            .await?;
        row.map(|row| row.document(0, "function_versions")).transpose()
    }

    /// The versions of a function, by number; the page begins after the number that it names, if it names one.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn function_versions(
        &mut self,
        scope: &Scope,
        function: &str,
        page: Page<'_>,
    ) -> Result<Vec<Function>, StoreError> {
        let after: i64 = page.after.parse().unwrap_or_default();
        let rows = self
            .fetch(
                "SELECT document FROM function_versions \
                 WHERE account = $1 AND region = $2 AND function = $3 AND version > $4 ORDER BY version LIMIT $5",
                params![scope.account.as_str(), scope.region.as_str(), function, after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "function_versions")).collect()
    }

    /// All versions of all functions of a scope, in no order.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn all_function_versions(&mut self, scope: &Scope) -> Result<Vec<Function>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM function_versions WHERE account = $1 AND region = $2",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "function_versions")).collect()
    }

    /// Removes a version with its resource policy.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this number.
    pub async fn delete_function_version(
        &mut self,
        scope: &Scope,
        function: &str,
        number: i64,
    ) -> Result<(), StoreError> {
        self.delete_function_permissions(scope, function, &number.to_string()).await?;
        self.change_one(
            "DELETE FROM function_versions WHERE account = $1 AND region = $2 AND function = $3 AND version = $4",
            params![scope.account.as_str(), scope.region.as_str(), function, number],
        )
        .await?;
        self.forget_code().await?;
        self.note_change(scope, ChangeKind::Function, function).await
    }

    /// Makes an alias.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the function has one of this name.
    pub async fn insert_function_alias(
        &mut self,
        scope: &Scope,
        function: &str,
        alias: &FunctionAlias,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO function_aliases (account, region, function, name, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                function,
                &alias.name,
                &written(alias, "function_aliases")?
            ],
        )
        .await?;
        self.note_change(scope, ChangeKind::Function, function).await
    }

    /// Changes an alias.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the function has none of this name.
    pub async fn update_function_alias(
        &mut self,
        scope: &Scope,
        function: &str,
        alias: &FunctionAlias,
    ) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE function_aliases SET document = $5 \
             WHERE account = $1 AND region = $2 AND function = $3 AND name = $4",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                function,
                &alias.name,
                &written(alias, "function_aliases")?
            ],
        )
        .await?;
        self.note_change(scope, ChangeKind::Function, function).await
    }

    /// The alias of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn function_alias(
        &mut self,
        scope: &Scope,
        function: &str,
        name: &str,
    ) -> Result<Option<FunctionAlias>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM function_aliases \
                 WHERE account = $1 AND region = $2 AND function = $3 AND name = $4",
                params![scope.account.as_str(), scope.region.as_str(), function, name],
            )
            .await?;
        row.map(|row| row.document(0, "function_aliases")).transpose()
    }

    /// The aliases of a function, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn function_aliases(
        &mut self,
        scope: &Scope,
        function: &str,
        page: Page<'_>,
    ) -> Result<Vec<FunctionAlias>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM function_aliases \
                 WHERE account = $1 AND region = $2 AND function = $3 AND name > $4 ORDER BY name LIMIT $5",
                params![scope.account.as_str(), scope.region.as_str(), function, page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "function_aliases")).collect()
    }

    /// Removes an alias with its resource policy.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the function has none of this name.
    pub async fn delete_function_alias(
        &mut self,
        scope: &Scope,
        function: &str,
        name: &str,
    ) -> Result<(), StoreError> {
        self.delete_function_permissions(scope, function, name).await?;
        self.change_one(
            "DELETE FROM function_aliases WHERE account = $1 AND region = $2 AND function = $3 AND name = $4",
            params![scope.account.as_str(), scope.region.as_str(), function, name],
        )
        .await?;
        self.note_change(scope, ChangeKind::Function, function).await
    }
}
