//! The secrets that credential providers keep. They are not rows of their own: each is its provider, seen as a secret, so
//! that there is one place where the key is.
//!
//! AWS does not document the JSON in them; `api_key_value` and `client_id` with `client_secret` are what we write.

use std::collections::BTreeMap;

use aws::Fault;
use domain::{
    CURRENT, CredentialKind, CredentialProvider, CredentialSettings, KeptSecret, Scope, Secret, SecretVersion,
};
use serde_json::json;
use store::{Page, Tx};

use super::content::Content;
use crate::fault::Failure;

/// The service that owns them.
const OWNER: &str = "bedrock-agentcore-identity";
/// How the part of a version's id that counts changes is written: twelve digits, the last part of a UUID.
const COUNT_DIGITS: usize = 12;

/// The credential provider whose secret has this name.
pub(super) async fn find(
    tx: &mut Tx,
    scope: &Scope,
    name: &str,
) -> Result<Option<CredentialProvider>, Failure> {
    let Some((kind, name)) = CredentialProvider::of_secret_name(name) else { return Ok(None) };
    let provider = tx.credential_provider(scope, kind, name).await?;
    Ok(provider.filter(|provider| provider.external.is_none()))
}

/// The secrets of all credential providers.
pub(super) async fn all(tx: &mut Tx, scope: &Scope) -> Result<Vec<KeptSecret>, Failure> {
    let mut found = tx.credential_providers(scope, CredentialKind::ApiKey, Page::ALL).await?;
    found.extend(tx.credential_providers(scope, CredentialKind::OAuth2, Page::ALL).await?);
    Ok(found.iter().filter(|provider| provider.external.is_none()).map(describe).collect())
}

/// A provider's secret. It has one version, which is another after each change.
pub(super) fn describe(provider: &CredentialProvider) -> KeptSecret {
    let stem = provider.id.rsplit_once('-').map_or(provider.id.as_str(), |(stem, _)| stem);
    let version = SecretVersion {
        id: format!("{stem}-{:0COUNT_DIGITS$x}", provider.revision),
        labels: vec![CURRENT.to_owned()],
        is_binary: false,
        created_at: provider.updated_at,
    };
    KeptSecret {
        scope: provider.scope.clone(),
        name: provider.secret_name(),
        suffix: provider.secret_suffix.clone(),
        description: None,
        tags: BTreeMap::new(),
        versions: vec![version],
        created_at: provider.created_at,
        changed_at: provider.updated_at,
        accessed_on: None,
        gone_at: None,
        owner: Some(OWNER),
    }
}

/// What a provider's secret holds.
pub(super) fn content(provider: &CredentialProvider) -> Result<Content, Failure> {
    let secret = provider.secret.as_ref();
    let secret = secret.ok_or_else(|| {
        let message = "Secrets Manager can't decrypt the protected secret text using the provided KMS key: see GetTokenVault.";
        Failure::from(Fault::new("DecryptionFailure", message))
    })?;
    let held = match &provider.settings {
        CredentialSettings::ApiKey => json!({"api_key_value": secret.expose()}),
        // The private half of a client's key is nobody's to read.
        CredentialSettings::OAuth2(settings) if settings.client_key.is_some() => {
            json!({"client_id": settings.client_id})
        }
        CredentialSettings::OAuth2(settings) => {
            json!({"client_id": settings.client_id, "client_secret": secret.expose()})
        }
    };
    Ok(Content { secret: Secret::new(held.to_string()), is_binary: false })
}
