//! What the two kinds of credential providers have in common. A secret comes in and is sealed; no operation gives it out.

use std::collections::BTreeMap;

use aws_shapes::bedrock_agentcore_control::Secret as WireSecret;
use domain::{
    Arn, CredentialKind, CredentialProvider, CredentialSettings, EventId, KeptSecret, Scope, Secret,
};
use store::{Page, StoreError, Tx};

use super::{bad_token, name_taken, not_found, over_quota};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::paging::Paging;

/// What a caller gives of a new provider.
pub(super) struct New {
    pub(super) name: String,
    pub(super) settings: CredentialSettings,
    pub(super) secret: Secret,
    pub(super) tags: Option<BTreeMap<String, String>>,
}

/// Makes a provider. Its ARN is known before it is there, so creating is decided about the very provider.
pub(super) async fn create(
    context: &Context,
    allowed: &Authorized<'_>,
    new: New,
) -> Result<CredentialProvider, Failure> {
    let random = &*context.setup().random;
    let provider = CredentialProvider {
        scope: context.scope.clone(),
        name: new.name,
        id: EventId::mint(random).to_string(),
        settings: new.settings,
        secret_suffix: KeptSecret::mint_suffix(random),
        secret: Some(new.secret),
        created_at: context.now,
        updated_at: context.now,
        revision: 1,
    };
    let kind = provider.kind();
    let mut tx = allowed.begin().await?;
    let most = context.setup().quotas.credential_providers_per_kind;
    if tx.credential_providers(&context.scope, kind, Page::ALL).await?.len() >= most {
        return Err(over_quota(plural(kind), most));
    }
    tx.insert_credential_provider(&provider).await.map_err(|error| match error {
        StoreError::Exists => name_taken(&format!("An {}", singular(kind)), &provider.name),
        error => error.into(),
    })?;
    if let Some(tags) = new.tags {
        tx.put_tags(&provider.scope, &provider.arn(), &tags).await?;
    }
    allowed.commit(tx).await?;
    Ok(provider)
}

/// The provider of a name.
pub(super) async fn find(
    tx: &mut Tx,
    scope: &Scope,
    kind: CredentialKind,
    name: &str,
) -> Result<CredentialProvider, Failure> {
    let found = tx.credential_provider(scope, kind, name).await?;
    found.ok_or_else(|| not_found(&capitalised(singular(kind)), &name))
}

/// Replaces what a provider gives. Data planes drop what they got with it before.
pub(super) async fn update(
    context: &Context,
    allowed: &Authorized<'_>,
    name: &str,
    settings: CredentialSettings,
    secret: Secret,
) -> Result<CredentialProvider, Failure> {
    let mut tx = allowed.begin().await?;
    let kind = kind_of(&settings);
    let mut provider = find(&mut tx, &context.scope, kind, name).await?;
    provider.settings = settings;
    provider.secret = Some(secret);
    provider.updated_at = context.now;
    tx.update_credential_provider(&mut provider).await?;
    allowed.commit(tx).await?;
    Ok(provider)
}

/// Removes a provider, its secret and its tags.
pub(super) async fn delete(
    context: &Context,
    allowed: &Authorized<'_>,
    kind: CredentialKind,
    name: &str,
) -> Result<(), Failure> {
    let mut tx = allowed.begin().await?;
    let provider = find(&mut tx, &context.scope, kind, name).await?;
    tx.delete_all_tags(&provider.arn()).await?;
    tx.delete_credential_provider(&context.scope, kind, name).await?;
    allowed.commit(tx).await?;
    Ok(())
}

/// A page of the providers of a kind, and the token of the next.
pub(super) async fn list(
    context: &Context,
    kind: CredentialKind,
    (token, size): (Option<String>, Option<i64>),
    otherwise: usize,
) -> Result<(Vec<CredentialProvider>, Option<String>), Failure> {
    let allowed = context.authorize(&Arn::credential_provider(&context.scope, kind, "*"))?;
    let paging = Paging::new(token.as_deref(), size, otherwise).ok_or_else(bad_token)?;
    let found = allowed.read().await?.credential_providers(&context.scope, kind, paging.page()).await?;
    Ok(paging.cut(found, |provider| provider.name.clone()))
}

/// A secret that was given: there, and fit for a header.
pub(super) fn read_secret(field: &str, given: Option<String>) -> Result<Secret, Failure> {
    let given = given.map(Secret::new);
    let secret = given.filter(|secret| !secret.matches(""));
    let secret = secret.ok_or_else(|| {
        let message = format!(
            "{field} is required: Portcullis keeps it sealed. Secrets that are kept elsewhere are not supported."
        );
        invalid(field, message)
    })?;
    if !secret.is_printable() {
        let message = format!(
            "{field} has a character that no HTTP header may carry. Use printable ASCII, and look for a line's end at its end."
        );
        return Err(invalid(field, message));
    }
    Ok(secret)
}

/// Where the secret of a provider would be on AWS.
pub(super) fn secret_of(provider: &CredentialProvider) -> WireSecret {
    WireSecret { secret_arn: provider.secret_arn().to_string() }
}

fn kind_of(settings: &CredentialSettings) -> CredentialKind {
    match settings {
        CredentialSettings::ApiKey => CredentialKind::ApiKey,
        CredentialSettings::OAuth2(_) => CredentialKind::OAuth2,
    }
}

fn singular(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::ApiKey => "API key credential provider",
        CredentialKind::OAuth2 => "OAuth2 credential provider",
    }
}

fn plural(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::ApiKey => "API key credential providers",
        CredentialKind::OAuth2 => "OAuth2 credential providers",
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
