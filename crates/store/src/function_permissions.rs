//! Resource policies of functions: who else may invoke them. A function, each of its versions and each of its aliases
//! has one of its own; the function's goes by the empty qualifier.

use domain::{Document, FunctionStatement, Scope};

use crate::backend::params;
use crate::{ChangeKind, StoreError, Tx};

impl Tx {
    /// Adds a statement to a resource policy.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the policy has one of this id.
    pub async fn insert_function_statement(
        &mut self,
        scope: &Scope,
        function: &str,
        qualifier: &str,
        statement: &FunctionStatement,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO function_permissions (account, region, function, qualifier, id, document) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                function,
                qualifier,
                &statement.id,
                &statement.statement.0
            ],
        )
        .await?;
        self.note_change(scope, ChangeKind::Function, function).await
    }

    /// The statements of a resource policy, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn function_statements(
        &mut self,
        scope: &Scope,
        function: &str,
        qualifier: &str,
    ) -> Result<Vec<FunctionStatement>, StoreError> {
        let rows = self
            .fetch(
                "SELECT id, document FROM function_permissions \
                 WHERE account = $1 AND region = $2 AND function = $3 AND qualifier = $4 ORDER BY id",
                params![scope.account.as_str(), scope.region.as_str(), function, qualifier],
            )
            .await?;
        rows.iter()
            .map(|row| Ok(FunctionStatement { id: row.text(0)?, statement: Document(row.text(1)?) }))
            .collect()
    }

    /// Takes a statement out of a resource policy.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the policy has none of this id.
    pub async fn delete_function_statement(
        &mut self,
        scope: &Scope,
        function: &str,
        qualifier: &str,
        id: &str,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM function_permissions \
             WHERE account = $1 AND region = $2 AND function = $3 AND qualifier = $4 AND id = $5",
            params![scope.account.as_str(), scope.region.as_str(), function, qualifier, id],
        )
        .await?;
        self.note_change(scope, ChangeKind::Function, function).await
    }

    /// Removes the resource policy of a version or an alias.
    pub(crate) async fn delete_function_permissions(
        &mut self,
        scope: &Scope,
        function: &str,
        qualifier: &str,
    ) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM function_permissions \
             WHERE account = $1 AND region = $2 AND function = $3 AND qualifier = $4",
            params![scope.account.as_str(), scope.region.as_str(), function, qualifier],
        )
        .await?;
        Ok(())
    }
}
