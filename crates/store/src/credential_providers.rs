//! Credential providers. Their secrets are sealed, each for its row: for the scope, the kind and the name that it is a
//! secret of, and for the very provider, so that the seal of a former one of the same name does not open.

use domain::{CredentialKind, CredentialProvider, KeptSecret, Scope};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a credential provider.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its scope has one of this kind and name.
    pub async fn insert_credential_provider(
        &mut self,
        provider: &CredentialProvider,
    ) -> Result<(), StoreError> {
        let sealed = self.sealed_secret(provider).await?;
        self.execute(
            "INSERT INTO credential_providers (account, region, kind, name, revision, secret, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                provider.scope.account.as_str(),
                provider.scope.region.as_str(),
                provider.kind().as_str(),
                &provider.name,
                provider.revision,
                &sealed,
                &written(provider, "credential_providers")?
            ],
        )
        .await?;
        self.note_provider(&provider.scope, provider.kind(), &provider.name).await
    }

    /// The credential provider of this kind and name, with its secret, unless that is kept elsewhere, or cannot be
    /// opened because of its vault's KMS key: [`Tx::vault_obstacle`] says what hinders then.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed the secret.
    pub async fn credential_provider(
        &mut self,
        scope: &Scope,
        kind: CredentialKind,
        name: &str,
    ) -> Result<Option<CredentialProvider>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document, secret FROM credential_providers \
                 WHERE account = $1 AND region = $2 AND kind = $3 AND name = $4",
                params![scope.account.as_str(), scope.region.as_str(), kind.as_str(), name],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut provider: CredentialProvider = row.document(0, "credential_providers")?;
        if provider.external.is_none() {
            let place = place(scope, kind, name, &provider.id);
            provider.secret = match self.unseal_in_vault(scope, &place, &row.bytes(1)?).await {
                Ok(secret) => Some(secret),
                Err(StoreError::KeyUnusable(_)) => None,
                Err(error) => return Err(error),
            };
        }
        Ok(Some(provider))
    }

    /// The credential providers of a scope and a kind, by name, without their secrets.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn credential_providers(
        &mut self,
        scope: &Scope,
        kind: CredentialKind,
        page: Page<'_>,
    ) -> Result<Vec<CredentialProvider>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM credential_providers \
                 WHERE account = $1 AND region = $2 AND kind = $3 AND name > $4 ORDER BY name LIMIT $5",
                params![scope.account.as_str(), scope.region.as_str(), kind.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "credential_providers")).collect()
    }

    /// Writes a changed credential provider with its secret, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_credential_provider(
        &mut self,
        provider: &mut CredentialProvider,
    ) -> Result<(), StoreError> {
        let read = provider.revision;
        provider.revision += 1;
        let sealed = self.sealed_secret(provider).await?;
        self.change_one(
            "UPDATE credential_providers SET revision = $5, secret = $6, document = $7 \
             WHERE account = $1 AND region = $2 AND kind = $3 AND name = $4 AND revision = $8",
            params![
                provider.scope.account.as_str(),
                provider.scope.region.as_str(),
                provider.kind().as_str(),
                &provider.name,
                provider.revision,
                &sealed,
                &written(provider, "credential_providers")?,
                read
            ],
        )
        .await?;
        self.note_provider(&provider.scope, provider.kind(), &provider.name).await
    }

    /// Removes a credential provider, its secret and the tokens that people got by it.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this kind and name.
    pub async fn delete_credential_provider(
        &mut self,
        scope: &Scope,
        kind: CredentialKind,
        name: &str,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM credential_providers WHERE account = $1 AND region = $2 AND kind = $3 AND name = $4",
            params![scope.account.as_str(), scope.region.as_str(), kind.as_str(), name],
        )
        .await?;
        if kind == CredentialKind::OAuth2 {
            self.delete_user_tokens_of_provider(scope, name).await?;
        }
        self.note_provider(scope, kind, name).await
    }

    /// Tells those who remember a provider that it changed, or its tags did.
    pub(crate) async fn note_provider(
        &mut self,
        scope: &Scope,
        kind: CredentialKind,
        name: &str,
    ) -> Result<(), StoreError> {
        let id = format!("{}/{name}", kind.as_str());
        self.note_change(scope, ChangeKind::CredentialProvider, &id).await
    }

    /// Tells of every provider that has this secret from its owner, because that changed.
    pub(crate) async fn note_providers_with(&mut self, secret: &KeptSecret) -> Result<(), StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM credential_providers WHERE account = $1 AND region = $2",
                params![secret.scope.account.as_str(), secret.scope.region.as_str()],
            )
            .await?;
        let arn = secret.arn();
        for row in rows {
            let provider: CredentialProvider = row.document(0, "credential_providers")?;
            if provider.external.as_ref().is_some_and(|external| external.arn == arn) {
                self.note_provider(&provider.scope, provider.kind(), &provider.name).await?;
            }
        }
        Ok(())
    }

    /// The sealed secret of a provider; nothing where it is kept elsewhere. A provider that was read from a list has none,
    /// and must not be written.
    async fn sealed_secret(&mut self, provider: &CredentialProvider) -> Result<Vec<u8>, StoreError> {
        if provider.external.is_some() {
            return Ok(Vec::new());
        }
        let secret = provider.secret.as_ref().ok_or(StoreError::Unsealable)?;
        let place = place(&provider.scope, provider.kind(), &provider.name, &provider.id);
        self.seal_in_vault(&provider.scope, &place, secret).await
    }

    /// Tells of every provider of a vault, because what its secrets are sealed under changed.
    pub(crate) async fn note_providers_of(&mut self, scope: &Scope) -> Result<(), StoreError> {
        for kind in [CredentialKind::ApiKey, CredentialKind::OAuth2] {
            for provider in self.credential_providers(scope, kind, Page::ALL).await? {
                self.note_provider(scope, kind, &provider.name).await?;
            }
        }
        Ok(())
    }
}

/// What the seal of a provider's secret is bound to.
pub(crate) fn place(scope: &Scope, kind: CredentialKind, name: &str, id: &str) -> String {
    format!("credential_providers|{}|{}|{}|{name}|{id}|secret", scope.account, scope.region, kind.as_str())
}
