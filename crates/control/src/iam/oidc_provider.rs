//! OpenID Connect providers: whose tokens `sts:AssumeRoleWithWebIdentity` takes, and for which audiences.
//!
//! Thumbprints are kept because clients send them. They decide nothing: an issuer is reached through the same roots and
//! the same rules of what may be dialled as everything else, and a user pool of this installation in this process.

use std::collections::BTreeMap;

use aws_shapes::iam::{
    AddClientIDToOpenIDConnectProviderRequest, CreateOpenIDConnectProviderRequest,
    CreateOpenIDConnectProviderResponse, DeleteOpenIDConnectProviderRequest, GetOpenIDConnectProviderRequest,
    GetOpenIDConnectProviderResponse, ListOpenIDConnectProvidersRequest, ListOpenIDConnectProvidersResponse,
    OpenIDConnectProviderListEntry, OpenIdConnectProviderOperations,
    RemoveClientIDFromOpenIDConnectProviderRequest, UpdateOpenIDConnectProviderThumbprintRequest,
};
use domain::{AccountId, Arn, OidcProvider};
use store::StoreError;

use super::{Iam, already_exists, invalid_input, no_such, over_quota, tags};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// How many audiences one provider may have.
const MOST_AUDIENCES: usize = 100;
/// How many providers an account may have.
const MOST: usize = 100;

impl OpenIdConnectProviderOperations<Context> for Iam {
    type Error = Failure;

    async fn create_open_id_connect_provider(
        &self,
        context: &Context,
        input: CreateOpenIDConnectProviderRequest,
    ) -> Result<CreateOpenIDConnectProviderResponse, Failure> {
        let provider = OidcProvider {
            account: context.scope.account.clone(),
            url: read_url(&input.url)?,
            client_ids: input.client_id_list.unwrap_or_default(),
            thumbprints: input.thumbprint_list.unwrap_or_default(),
            tags: tags::read(input.tags.unwrap_or_default())?,
            created_at: context.now,
        };
        let arn = provider.arn();
        let allowed = context.authorize_with(&arn, |it| it.requesting_tags(&provider.tags))?;
        bounded(&provider)?;
        let mut tx = allowed.begin().await?;
        if tx.oidc_providers(&provider.account).await?.len() >= MOST {
            return Err(over_quota(format!(
                "Cannot exceed quota for OpenIdConnectProvidersPerAccount: {MOST}"
            )));
        }
        tx.insert_oidc_provider(&provider).await.map_err(|error| match error {
            StoreError::Exists => {
                already_exists(format!("Provider with url {} already exists.", provider.url))
            }
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CreateOpenIDConnectProviderResponse {
            open_id_connect_provider_arn: Some(arn.into()),
            tags: tags::wire(&provider.tags),
        })
    }

    async fn get_open_id_connect_provider(
        &self,
        context: &Context,
        input: GetOpenIDConnectProviderRequest,
    ) -> Result<GetOpenIDConnectProviderResponse, Failure> {
        let arn = read_arn(&context.scope.account, &input.open_id_connect_provider_arn)?;
        let allowed = authorize(context, &arn).await?;
        let provider = find(&allowed, &arn).await?;
        Ok(GetOpenIDConnectProviderResponse {
            url: Some(provider.name().to_owned()),
            client_id_list: Some(provider.client_ids),
            thumbprint_list: Some(provider.thumbprints),
            create_date: Some(provider.created_at),
            tags: tags::wire(&provider.tags),
        })
    }

    async fn list_open_id_connect_providers(
        &self,
        context: &Context,
        _: ListOpenIDConnectProvidersRequest,
    ) -> Result<ListOpenIDConnectProvidersResponse, Failure> {
        let account = &context.scope.account;
        let allowed = context.authorize(&Arn::iam(account, "oidc-provider/*"))?;
        let providers = allowed.read().await?.oidc_providers(account).await?;
        let entry =
            |provider: OidcProvider| OpenIDConnectProviderListEntry { arn: Some(provider.arn().into()) };
        let open_id_connect_provider_list = Some(providers.into_iter().map(entry).collect());
        Ok(ListOpenIDConnectProvidersResponse { open_id_connect_provider_list })
    }

    /// Of one that is not there it says nothing (API reference).
    async fn delete_open_id_connect_provider(
        &self,
        context: &Context,
        input: DeleteOpenIDConnectProviderRequest,
    ) -> Result<(), Failure> {
        let arn = read_arn(&context.scope.account, &input.open_id_connect_provider_arn)?;
        let allowed = authorize(context, &arn).await?;
        let mut tx = allowed.begin().await?;
        tx.delete_oidc_provider(&context.scope.account, name(&arn)).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn add_client_id_to_open_id_connect_provider(
        &self,
        context: &Context,
        input: AddClientIDToOpenIDConnectProviderRequest,
    ) -> Result<(), Failure> {
        change(context, &input.open_id_connect_provider_arn, |provider| {
            if !provider.client_ids.contains(&input.client_id) {
                provider.client_ids.push(input.client_id);
            }
        })
        .await
    }

    async fn remove_client_id_from_open_id_connect_provider(
        &self,
        context: &Context,
        input: RemoveClientIDFromOpenIDConnectProviderRequest,
    ) -> Result<(), Failure> {
        change(context, &input.open_id_connect_provider_arn, |provider| {
            provider.client_ids.retain(|known| *known != input.client_id);
        })
        .await
    }

    async fn update_open_id_connect_provider_thumbprint(
        &self,
        context: &Context,
        input: UpdateOpenIDConnectProviderThumbprintRequest,
    ) -> Result<(), Failure> {
        change(context, &input.open_id_connect_provider_arn, |provider| {
            provider.thumbprints = input.thumbprint_list;
        })
        .await
    }
}

/// An issuer's URL. Plain http is for an issuer on this machine, which has no certificate.
fn read_url(text: &str) -> Result<String, Failure> {
    let refuse = || invalid_input("Invalid Open ID Connect Provider URL".to_owned());
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(refuse)?;
    let host = rest.split('/').next().unwrap_or_default();
    let address = host.trim_start_matches('[').split([']', ':']).next().unwrap_or_default();
    let is_local = matches!(address, "127.0.0.1" | "localhost") || host.starts_with("[::1]");
    let is_plain = text.starts_with("http://");
    let is_sound = !host.is_empty() && !rest.contains(['?', '#', '@', ' ']) && !rest.ends_with('/');
    if is_sound && (is_local || !is_plain) { Ok(text.to_owned()) } else { Err(refuse()) }
}

fn read_arn(account: &AccountId, text: &str) -> Result<Arn, Failure> {
    let arn = Arn::parse(text).ok().filter(|arn| {
        arn.service() == "iam"
            && arn.account() == account.as_str()
            && arn.resource().starts_with("oidc-provider/")
    });
    arn.ok_or_else(|| invalid_input(format!("ARN {text} is not valid.")))
}

fn name(arn: &Arn) -> &str {
    arn.resource().strip_prefix("oidc-provider/").unwrap_or_default()
}

async fn authorize<'a>(context: &'a Context, arn: &Arn) -> Result<Authorized<'a>, Failure> {
    let found = context.setup().store.read().await?.oidc_provider(&context.scope.account, name(arn)).await?;
    let tags = found.map_or_else(BTreeMap::new, |provider| provider.tags);
    context
        .authorize_with(arn, |it| it.with_tags("aws:ResourceTag", &tags).with_tags("iam:ResourceTag", &tags))
}

async fn find(allowed: &Authorized<'_>, arn: &Arn) -> Result<OidcProvider, Failure> {
    let account = AccountId::parse(arn.account()).map_err(|error| Failure::internal(&error))?;
    let found = allowed.read().await?.oidc_provider(&account, name(arn)).await?;
    found.ok_or_else(|| not_found(arn))
}

async fn change(context: &Context, arn: &str, how: impl FnOnce(&mut OidcProvider)) -> Result<(), Failure> {
    let arn = read_arn(&context.scope.account, arn)?;
    let allowed = authorize(context, &arn).await?;
    let mut tx = allowed.begin().await?;
    let found = tx.oidc_provider(&context.scope.account, name(&arn)).await?;
    let mut provider = found.ok_or_else(|| not_found(&arn))?;
    how(&mut provider);
    bounded(&provider)?;
    tx.update_oidc_provider(&provider).await?;
    Ok(allowed.commit(tx).await?)
}

fn bounded(provider: &OidcProvider) -> Result<(), Failure> {
    if provider.client_ids.len() <= MOST_AUDIENCES {
        return Ok(());
    }
    Err(over_quota(format!("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MOST_AUDIENCES}")))
}

fn not_found(arn: &Arn) -> Failure {
    no_such(format!("OpenIDConnect Provider not found for arn {arn}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_named_by_a_plain_url() {
        for sound in [
            "https://idp.example",
            "https://idp.example/tenant/v2",
            "http://127.0.0.1:4848/pool",
            "http://[::1]:1/p",
        ] {
            assert!(read_url(sound).is_ok(), "{sound}");
        }
        for wrong in [
            "idp.example",
            "http://idp.example",
            "https://",
            "https://idp.example/",
            "https://a@b",
            "https://a?b=c",
        ] {
            assert!(read_url(wrong).is_err(), "{wrong}");
        }
    }
}
