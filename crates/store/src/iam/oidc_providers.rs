//! OpenID Connect providers whose tokens roles may trust, by their URL without its scheme.

use domain::{AccountId, OidcProvider, Scope};

use crate::backend::{params, written};
use crate::{ChangeKind, StoreError, Tx};

impl Tx {
    /// Makes a provider.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the account has one of this URL.
    pub async fn insert_oidc_provider(&mut self, provider: &OidcProvider) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO oidc_providers (account, name, document) VALUES ($1, $2, $3)",
            params![provider.account.as_str(), provider.name(), &written(provider, "oidc_providers")?],
        )
        .await?;
        self.note_change(&Scope::global(&provider.account), ChangeKind::Iam, provider.name()).await
    }

    /// The provider of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn oidc_provider(
        &mut self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<OidcProvider>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM oidc_providers WHERE account = $1 AND name = $2",
                params![account.as_str(), name],
            )
            .await?;
        row.map(|row| row.document(0, "oidc_providers")).transpose()
    }

    /// The account's providers, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn oidc_providers(&mut self, account: &AccountId) -> Result<Vec<OidcProvider>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM oidc_providers WHERE account = $1 ORDER BY name",
                params![account.as_str()],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "oidc_providers")).collect()
    }

    /// Writes a changed provider.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn update_oidc_provider(&mut self, provider: &OidcProvider) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE oidc_providers SET document = $3 WHERE account = $1 AND name = $2",
            params![provider.account.as_str(), provider.name(), &written(provider, "oidc_providers")?],
        )
        .await?;
        self.note_change(&Scope::global(&provider.account), ChangeKind::Iam, provider.name()).await
    }

    /// Removes a provider; one that is not there is no mistake, as IAM has it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_oidc_provider(&mut self, account: &AccountId, name: &str) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM oidc_providers WHERE account = $1 AND name = $2",
            params![account.as_str(), name],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, name).await
    }
}
