//! The issuers of accounts' web identity tokens. Their keys are sealed, each for the very issuer.

use domain::{AccountId, Scope, WebIdentityIssuer};

use crate::backend::{Row, params, written};
use crate::{ChangeKind, StoreError, Tx};

impl Tx {
    /// Makes the issuer of an account.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the account has one.
    pub async fn insert_web_identity_issuer(&mut self, issuer: &WebIdentityIssuer) -> Result<(), StoreError> {
        let rsa = issuer.rsa.as_ref().ok_or(StoreError::Unsealable)?;
        let ec = issuer.ec.as_ref().ok_or(StoreError::Unsealable)?;
        let rsa = self.seal(&place(&issuer.id, "rsa"), rsa)?;
        let ec = self.seal(&place(&issuer.id, "ec"), ec)?;
        self.execute(
            "INSERT INTO web_identity_issuers (account, id, rsa_key, ec_key, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                issuer.account.as_str(),
                &issuer.id,
                &rsa,
                &ec,
                &written(issuer, "web_identity_issuers")?
            ],
        )
        .await?;
        self.note_issuer(issuer).await
    }

    /// The issuer of an account, with its keys.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed them.
    pub async fn web_identity_issuer(
        &mut self,
        account: &AccountId,
    ) -> Result<Option<WebIdentityIssuer>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document, rsa_key, ec_key FROM web_identity_issuers WHERE account = $1",
                params![account.as_str()],
            )
            .await?;
        row.map(|row| self.read_issuer(&row)).transpose()
    }

    /// The issuer of an id, with its keys.
    ///
    /// # Errors
    /// As [`Tx::web_identity_issuer`].
    pub async fn web_identity_issuer_of_id(
        &mut self,
        id: &str,
    ) -> Result<Option<WebIdentityIssuer>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document, rsa_key, ec_key FROM web_identity_issuers WHERE id = $1",
                params![id],
            )
            .await?;
        row.map(|row| self.read_issuer(&row)).transpose()
    }

    /// Writes whether an issuer issues tokens. Its name and its keys stay.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the account has none.
    pub async fn update_web_identity_issuer(&mut self, issuer: &WebIdentityIssuer) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE web_identity_issuers SET document = $2 WHERE account = $1",
            params![issuer.account.as_str(), &written(issuer, "web_identity_issuers")?],
        )
        .await?;
        self.note_issuer(issuer).await
    }

    async fn note_issuer(&mut self, issuer: &WebIdentityIssuer) -> Result<(), StoreError> {
        self.note_change(&Scope::global(&issuer.account), ChangeKind::Other, issuer.arn().as_str()).await
    }

    fn read_issuer(&self, row: &Row) -> Result<WebIdentityIssuer, StoreError> {
        let mut issuer: WebIdentityIssuer = row.document(0, "web_identity_issuers")?;
        issuer.rsa = Some(self.unseal(&place(&issuer.id, "rsa"), &row.bytes(1)?)?);
        issuer.ec = Some(self.unseal(&place(&issuer.id, "ec"), &row.bytes(2)?)?);
        Ok(issuer)
    }
}

fn place(id: &str, key: &str) -> String {
    format!("web_identity_issuers|{id}|{key}")
}
