//! Functions, their code and who may invoke them. The environment may hold secrets and is sealed; code is kept once
//! for each digest.

use std::collections::BTreeMap;

use domain::{Document, Function, FunctionStatement, Scope, Secret};

use crate::backend::{Row, params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a function from a zip archive.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its scope has one of this name.
    pub async fn insert_function(
        &mut self,
        function: &Function,
        environment: &BTreeMap<String, Secret>,
        archive: &[u8],
    ) -> Result<(), StoreError> {
        let plain: BTreeMap<_, _> = environment.iter().map(|(name, value)| (name, value.expose())).collect();
        let sealed =
            self.seal(&place(&function.scope, &function.name), &Secret::new(written(&plain, "functions")?))?;
        self.execute(
            "INSERT INTO function_code (sha256, archive) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING",
            params![&function.code_sha256, archive],
        )
        .await?;
        self.execute(
            "INSERT INTO functions (account, region, name, revision, code, environment, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                function.scope.account.as_str(),
                function.scope.region.as_str(),
                &function.name,
                function.revision,
                &function.code_sha256,
                &sealed,
                &written(function, "functions")?
            ],
        )
        .await?;
        self.note_change(&function.scope, ChangeKind::Function, &function.name).await
    }

    /// The function of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn function(&mut self, scope: &Scope, name: &str) -> Result<Option<Function>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM functions WHERE account = $1 AND region = $2 AND name = $3",
                params![scope.account.as_str(), scope.region.as_str(), name],
            )
            .await?;
        row.map(|row| row.document(0, "functions")).transpose()
    }

    /// The environment of a function.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed it.
    pub async fn function_environment(
        &mut self,
        scope: &Scope,
        name: &str,
    ) -> Result<BTreeMap<String, Secret>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT environment FROM functions WHERE account = $1 AND region = $2 AND name = $3",
                params![scope.account.as_str(), scope.region.as_str(), name],
            )
            .await?;
        let Some(row) = row else { return Ok(BTreeMap::new()) };
        self.read_environment(scope, name, &row)
    }

    /// The zip archive with this digest.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn function_code(&mut self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row =
            self.fetch_one("SELECT archive FROM function_code WHERE sha256 = $1", params![sha256]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }

    /// The functions of a scope, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn functions(&mut self, scope: &Scope, page: Page<'_>) -> Result<Vec<Function>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM functions WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4",
                params![scope.account.as_str(), scope.region.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "functions")).collect()
    }

    /// Removes a function with its resource policy, and its code if no other function has the same.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_function(&mut self, scope: &Scope, name: &str) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM function_statements WHERE account = $1 AND region = $2 AND function = $3",
            params![scope.account.as_str(), scope.region.as_str(), name],
        )
        .await?;
        self.change_one(
            "DELETE FROM functions WHERE account = $1 AND region = $2 AND name = $3",
            params![scope.account.as_str(), scope.region.as_str(), name],
        )
        .await?;
        self.execute("DELETE FROM function_code WHERE sha256 NOT IN (SELECT code FROM functions)", params![])
            .await?;
        self.note_change(scope, ChangeKind::Function, name).await
    }

    /// Adds a statement to a function's resource policy.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the policy has one of this id.
    pub async fn insert_function_statement(
        &mut self,
        scope: &Scope,
        function: &str,
        statement: &FunctionStatement,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO function_statements (account, region, function, id, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                function,
                &statement.id,
                &statement.statement.0
            ],
        )
        .await?;
        self.note_change(scope, ChangeKind::Function, function).await
    }

    /// The statements of a function's resource policy, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn function_statements(
        &mut self,
        scope: &Scope,
        function: &str,
    ) -> Result<Vec<FunctionStatement>, StoreError> {
        let rows = self
            .fetch(
                "SELECT id, document FROM function_statements WHERE account = $1 AND region = $2 AND function = $3 \
                 ORDER BY id",
                params![scope.account.as_str(), scope.region.as_str(), function],
            )
            .await?;
        rows.iter()
            .map(|row| Ok(FunctionStatement { id: row.text(0)?, statement: Document(row.text(1)?) }))
            .collect()
    }

    /// Takes a statement out of a function's resource policy.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the policy has none of this id.
    pub async fn delete_function_statement(
        &mut self,
        scope: &Scope,
        function: &str,
        id: &str,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM function_statements WHERE account = $1 AND region = $2 AND function = $3 AND id = $4",
            params![scope.account.as_str(), scope.region.as_str(), function, id],
        )
        .await?;
        self.note_change(scope, ChangeKind::Function, function).await
    }

    fn read_environment(
        &self,
        scope: &Scope,
        name: &str,
        row: &Row,
    ) -> Result<BTreeMap<String, Secret>, StoreError> {
        let opened = self.unseal(&place(scope, name), &row.bytes(0)?)?;
        let plain: BTreeMap<String, String> = serde_json::from_str(opened.expose())
            .map_err(|error| StoreError::Corrupt { table: "functions", detail: error.to_string() })?;
        Ok(plain.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
    }
}

fn place(scope: &Scope, name: &str) -> String {
    format!("functions|{}|{}|{name}|environment", scope.account, scope.region)
}
