//! What the two kinds of credential providers have in common. A secret comes in and is sealed; no operation gives it out.

use std::collections::BTreeMap;

use aws_shapes::bedrock_agentcore_control::{Secret as WireSecret, SecretReference, SecretSourceType};
use domain::{
    Arn, ClientKeyAlgorithm, CredentialKind, CredentialProvider, CredentialSettings, EventId, ExternalSecret,
    KeptSecret, Scope, Secret,
};
use identity::generate_jwt_key;
use identity::outbound::{Refusal, read_external};
use store::{Page, StoreError, Tx};

use super::{bad_token, name_taken, not_found, over_quota};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::paging::Paging;
use crate::secrets_manager::referred;

/// What a caller gives of a new provider.
pub(super) struct New {
    pub(super) name: String,
    pub(super) settings: CredentialSettings,
    pub(super) secret: Given,
    pub(super) tags: Option<BTreeMap<String, String>>,
}

/// Makes a provider. Its ARN is known before it is there, so creating is decided about the very provider.
pub(super) async fn create(
    context: &Context,
    allowed: &Authorized<'_>,
    new: New,
) -> Result<CredentialProvider, Failure> {
    let random = &*context.setup().random;
    let mut provider = CredentialProvider {
        scope: context.scope.clone(),
        name: new.name,
        id: EventId::mint(random).to_string(),
        settings: new.settings,
        secret_suffix: KeptSecret::mint_suffix(random),
        external: None,
        secret: None,
        created_at: context.now,
        updated_at: context.now,
        revision: 1,
    };
    let kind = provider.kind();
    let secret = new.secret.made(None).await?;
    let mut tx = allowed.begin().await?;
    let most = context.setup().quotas.credential_providers_per_kind;
    if tx.credential_providers(&context.scope, kind, Page::ALL).await?.len() >= most {
        return Err(over_quota(plural(kind), most));
    }
    (provider.secret, provider.external) = secret.keep(context, &mut tx).await?;
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
pub(crate) async fn find(
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
    secret: Given,
) -> Result<CredentialProvider, Failure> {
    let kind = kind_of(&settings);
    let present = find(&mut allowed.read().await?, &context.scope, kind, name).await?;
    let secret = secret.made(Some(&present)).await?;
    let mut tx = allowed.begin().await?;
    let mut provider = find(&mut tx, &context.scope, kind, name).await?;
    if provider.revision != present.revision {
        return Err(StoreError::Stale.into());
    }
    provider.settings = settings;
    (provider.secret, provider.external) = secret.keep(context, &mut tx).await?;
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

/// A secret as a request gives it.
pub(super) enum Given {
    /// Here it is, to be sealed.
    Managed(Secret),
    /// A key that is made here, by which the client proves who it is.
    Key(ClientKeyAlgorithm),
    /// There is none: the client proves who it is by something else, or not at all.
    None,
    /// It is in a secret of the caller's own. The field says where the request names it.
    External { reference: SecretReference, field: String },
}

impl Given {
    /// A secret that is given in `field`, or by what the members that begin with `stem` say: there, and fit for a header.
    pub(super) fn read(
        (field, stem): (&str, &str),
        secret: Option<String>,
        config: Option<SecretReference>,
        source: Option<SecretSourceType>,
    ) -> Result<Self, Failure> {
        let secret = secret.map(Secret::new).filter(|secret| !secret.matches(""));
        let config_field = format!("{stem}Config");
        match (source, config, secret) {
            (Some(SecretSourceType::Managed), Some(_), _) => {
                let message = format!("{config_field} goes with the source EXTERNAL only.");
                Err(invalid(&config_field, message))
            }
            (_, Some(_), Some(_)) => {
                let message = format!("Give either {field} or {config_field}, not both.");
                Err(invalid(field, message))
            }
            (_, Some(reference), None) => Ok(Self::External { reference, field: config_field }),
            (Some(SecretSourceType::External), None, _) => {
                let message =
                    format!("{config_field} is required: the source EXTERNAL means a secret of your own.");
                Err(invalid(&config_field, message))
            }
            (_, None, None) => {
                let message = format!(
                    "{field} is required: Portcullis keeps it sealed. Or {config_field} says in which secret of yours it is."
                );
                Err(invalid(field, message))
            }
            (_, None, Some(secret)) if secret.is_printable() => Ok(Self::Managed(secret)),
            (_, None, Some(_)) => {
                let message = format!(
                    "{field} has a character that no HTTP header may carry. Use printable ASCII, and look for a line's end at its end."
                );
                Err(invalid(field, message))
            }
        }
    }

    /// The same, with the key made that is to be: before a transaction, because it takes a while and writers take turns. A
    /// provider that has one of the same algorithm keeps it, because it is registered elsewhere.
    async fn made(self, present: Option<&CredentialProvider>) -> Result<Self, Failure> {
        let Self::Key(algorithm) = self else { return Ok(self) };
        if let Some(CredentialProvider { settings: CredentialSettings::OAuth2(settings), secret, .. }) =
            present
            && settings.client_key.as_ref().is_some_and(|key| key.algorithm == algorithm)
            && let Some(secret) = secret
        {
            return Ok(Self::Managed(secret.clone()));
        }
        let making = tokio::task::spawn_blocking(move || generate_jwt_key(algorithm.into()));
        let made = making.await.map_err(|error| Failure::internal(&error))?;
        Ok(Self::Managed(made.map_err(|error| Failure::internal(&error))?))
    }

    /// No secret, where the client proves who it is without one.
    pub(super) fn without(
        place: &str,
        secret: Option<&String>,
        config: Option<&SecretReference>,
        source: Option<SecretSourceType>,
    ) -> Result<Self, Failure> {
        let is_given = secret.is_some_and(|secret| !secret.is_empty());
        if is_given || config.is_some() || source.is_some() {
            let message = "With this clientAuthenticationMethod the client has no secret: leave out clientSecret, \
                           clientSecretConfig and clientSecretSource.";
            return Err(invalid(&format!("{place}/clientSecret"), message));
        }
        Ok(Self::None)
    }

    /// What a provider keeps of it: itself, or where it is. The caller must be allowed to read the secret that is named, and
    /// it must hold what it is said to hold; otherwise whoever may make providers could use everyone's secrets.
    async fn keep(
        self,
        context: &Context,
        tx: &mut Tx,
    ) -> Result<(Option<Secret>, Option<ExternalSecret>), Failure> {
        let (reference, field) = match self {
            Self::None => return Ok((Some(Secret::new("")), None)),
            Self::Key(_) => return Err(Failure::internal(&"a client's key was not made")),
            Self::Managed(secret) => return Ok((Some(secret), None)),
            Self::External { reference, field } => (reference, field),
        };
        let found = referred(tx, context, &reference.secret_id).await?;
        let found = found.ok_or_else(|| not_found("Secret", &reference.secret_id))?;
        if found.owner.is_some() {
            let message = "The secret belongs to a credential provider. Name one of your own.";
            return Err(invalid(&format!("{field}/secretId"), message));
        }
        let external = ExternalSecret { arn: found.arn(), json_key: reference.json_key };
        match read_external(tx, &external).await {
            Ok(_) => Ok((None, Some(external))),
            Err(Refusal::Store(error)) => Err(Failure::from(&*error)),
            Err(refusal) => Err(invalid(&field, format!("{field}: {refusal}."))),
        }
    }
}

/// Where the secret of a provider is in Secrets Manager.
pub(super) fn secret_of(provider: &CredentialProvider) -> WireSecret {
    WireSecret { secret_arn: provider.secret_arn().to_string() }
}

/// The JSON key under which the secret of a provider is, where its owner keeps it, and who keeps it.
pub(super) fn source_of(provider: &CredentialProvider) -> (Option<String>, Option<SecretSourceType>) {
    match &provider.external {
        Some(external) => (Some(external.json_key.clone()), Some(SecretSourceType::External)),
        None => (None, Some(SecretSourceType::Managed)),
    }
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
