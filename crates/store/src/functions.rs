//! Functions and their code. The environment may hold secrets and is sealed; code is kept once for each digest, for as
//! long as a function or a version of one has it.

use std::collections::BTreeMap;

use domain::{Function, Scope, Secret};

use crate::backend::{params, written};
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
        let sealed = self.seal_environment(function, environment)?;
        self.insert_code(function, archive).await?;
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

    /// Changes a function: what it is, its environment, and its code where there is an archive.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn update_function(
        &mut self,
        function: &Function,
        environment: &BTreeMap<String, Secret>,
        archive: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let sealed = self.seal_environment(function, environment)?;
        if let Some(archive) = archive {
            self.insert_code(function, archive).await?;
        }
        self.change_one(
            "UPDATE functions SET revision = $4, code = $5, environment = $6, document = $7 \
             WHERE account = $1 AND region = $2 AND name = $3",
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
        self.forget_code().await?;
        self.note_change(&function.scope, ChangeKind::Function, &function.name).await
    }

    /// The function of this name: its `$LATEST`.
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

    /// The environment of a function, or of a published version of one.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed it.
    pub async fn function_environment(
        &mut self,
        function: &Function,
    ) -> Result<BTreeMap<String, Secret>, StoreError> {
        let (account, region) = (function.scope.account.as_str(), function.scope.region.as_str());
        let row = match function.number() {
            None => {
                self.fetch_one(
                    "SELECT environment FROM functions WHERE account = $1 AND region = $2 AND name = $3",
                    params![account, region, &function.name],
                )
                .await?
            }
            Some(number) => {
                self.fetch_one(
                    "SELECT environment FROM function_versions \
                     WHERE account = $1 AND region = $2 AND function = $3 AND version = $4",
                    params![account, region, &function.name, number],
                )
                .await?
            }
        };
        let Some(row) = row else { return Ok(BTreeMap::new()) };
        let opened = self.unseal(&place(function), &row.bytes(0)?)?;
        let plain: BTreeMap<String, String> = serde_json::from_str(opened.expose())
            .map_err(|error| StoreError::Corrupt { table: "functions", detail: error.to_string() })?;
        Ok(plain.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
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

    /// Removes a function with its versions, aliases and resource policies, and the code that no other has.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_function(&mut self, scope: &Scope, name: &str) -> Result<(), StoreError> {
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        for removal in [
            "DELETE FROM function_permissions WHERE account = $1 AND region = $2 AND function = $3",
            "DELETE FROM function_aliases WHERE account = $1 AND region = $2 AND function = $3",
            "DELETE FROM function_versions WHERE account = $1 AND region = $2 AND function = $3",
        ] {
            self.execute(removal, params![account, region, name]).await?;
        }
        self.change_one(
            "DELETE FROM functions WHERE account = $1 AND region = $2 AND name = $3",
            params![account, region, name],
        )
        .await?;
        self.forget_code().await?;
        self.note_change(scope, ChangeKind::Function, name).await
    }

    async fn insert_code(&mut self, function: &Function, archive: &[u8]) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO function_code (sha256, archive) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING",
            params![&function.code_sha256, archive],
        )
        .await?;
        Ok(())
    }

    /// Removes the code that nobody has any more.
    pub(crate) async fn forget_code(&mut self) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM function_code WHERE sha256 NOT IN (SELECT code FROM functions) \
             AND sha256 NOT IN (SELECT code FROM function_versions)",
            params![],
        )
        .await?;
        Ok(())
    }

    pub(crate) fn seal_environment(
        &self,
        function: &Function,
        environment: &BTreeMap<String, Secret>,
    ) -> Result<Vec<u8>, StoreError> {
        let plain: BTreeMap<_, _> = environment.iter().map(|(name, value)| (name, value.expose())).collect();
        self.seal(&place(function), &Secret::new(written(&plain, "functions")?))
    }
}

/// Where an environment is, which its seal is bound to.
fn place(function: &Function) -> String {
    let Function { scope, name, version, .. } = function;
    let owner = format!("{}|{}|{name}", scope.account, scope.region);
    match function.number() {
        None => format!("functions|{owner}|environment"),
        Some(_) => format!("function_versions|{owner}|{version}|environment"),
    }
}
