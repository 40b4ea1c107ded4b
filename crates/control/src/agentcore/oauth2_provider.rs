//! OAuth2 credential providers: clients of authorization servers that a vendor has, or that their owner describes
//! (`CustomOauth2`). `oauth2_config.rs` reads and shows what is configured.

use aws_shapes::bedrock_agentcore_control::{
    CreateOauth2CredentialProviderRequest, CreateOauth2CredentialProviderResponse,
    DeleteOauth2CredentialProviderRequest, DeleteOauth2CredentialProviderResponse,
    GetOauth2CredentialProviderRequest, GetOauth2CredentialProviderResponse,
    ListOauth2CredentialProvidersRequest, ListOauth2CredentialProvidersResponse,
    Oauth2CredentialProviderItem, Oauth2CredentialProviderOperations, Status,
    UpdateOauth2CredentialProviderRequest, UpdateOauth2CredentialProviderResponse,
};
use domain::{Arn, CredentialKind, CredentialProvider, CredentialSettings, Vendor};

use super::credential::{self, New, secret_of, source_of};
use super::tag::check_tags;
use super::{AgentCore, oauth2_config, oauth2_vendor};
use crate::context::Context;
use crate::fault::Failure;

const KIND: CredentialKind = CredentialKind::OAuth2;
/// How many items a page has when the caller does not say; more than 20 may not be asked for.
const PAGE: usize = 20;

impl Oauth2CredentialProviderOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_oauth2_credential_provider(
        &self,
        context: &Context,
        input: CreateOauth2CredentialProviderRequest,
    ) -> Result<CreateOauth2CredentialProviderResponse, Failure> {
        let (settings, secret) =
            oauth2_config::read(input.credential_provider_vendor, input.oauth2_provider_config_input)?;
        let settings = CredentialSettings::OAuth2(settings);
        let arn = Arn::credential_provider(&context.scope, KIND, &input.name);
        let tags = input.tags.clone().unwrap_or_default();
        check_tags(&tags)?;
        let allowed = context.authorize_tagged_with(&arn, |known| known.requesting_tags(&tags)).await?;
        let new = New { name: input.name, settings, secret, tags: input.tags };
        let provider = credential::create(context, &allowed, new).await?;
        let made = describe(context, provider)?;
        Ok(CreateOauth2CredentialProviderResponse {
            client_secret_arn: made.client_secret_arn,
            client_secret_json_key: made.client_secret_json_key,
            client_secret_source: made.client_secret_source,
            name: made.name,
            credential_provider_arn: made.credential_provider_arn,
            callback_url: made.callback_url,
            oauth2_provider_config_output: Some(made.oauth2_provider_config_output),
            status: made.status,
        })
    }

    async fn get_oauth2_credential_provider(
        &self,
        context: &Context,
        input: GetOauth2CredentialProviderRequest,
    ) -> Result<GetOauth2CredentialProviderResponse, Failure> {
        let allowed =
            context.authorize_tagged(&Arn::credential_provider(&context.scope, KIND, &input.name)).await?;
        let mut tx = allowed.read().await?;
        describe(context, credential::find(&mut tx, &context.scope, KIND, &input.name).await?)
    }

    /// A full replacement, the secret included: a secret that was given for one server must not go to another because
    /// somebody changed the endpoint.
    async fn update_oauth2_credential_provider(
        &self,
        context: &Context,
        input: UpdateOauth2CredentialProviderRequest,
    ) -> Result<UpdateOauth2CredentialProviderResponse, Failure> {
        let (settings, secret) =
            oauth2_config::read(input.credential_provider_vendor, input.oauth2_provider_config_input)?;
        let settings = CredentialSettings::OAuth2(settings);
        let allowed =
            context.authorize_tagged(&Arn::credential_provider(&context.scope, KIND, &input.name)).await?;
        let provider = credential::update(context, &allowed, &input.name, settings, secret).await?;
        let changed = describe(context, provider)?;
        Ok(UpdateOauth2CredentialProviderResponse {
            client_secret_arn: changed.client_secret_arn,
            client_secret_json_key: changed.client_secret_json_key,
            client_secret_source: changed.client_secret_source,
            name: changed.name,
            credential_provider_vendor: changed.credential_provider_vendor,
            credential_provider_arn: changed.credential_provider_arn,
            callback_url: changed.callback_url,
            oauth2_provider_config_output: changed.oauth2_provider_config_output,
            created_time: changed.created_time,
            last_updated_time: changed.last_updated_time,
            status: changed.status,
        })
    }

    async fn delete_oauth2_credential_provider(
        &self,
        context: &Context,
        input: DeleteOauth2CredentialProviderRequest,
    ) -> Result<DeleteOauth2CredentialProviderResponse, Failure> {
        let allowed =
            context.authorize_tagged(&Arn::credential_provider(&context.scope, KIND, &input.name)).await?;
        credential::delete(context, &allowed, KIND, &input.name).await?;
        Ok(DeleteOauth2CredentialProviderResponse::default())
    }

    async fn list_oauth2_credential_providers(
        &self,
        context: &Context,
        input: ListOauth2CredentialProvidersRequest,
    ) -> Result<ListOauth2CredentialProvidersResponse, Failure> {
        let asked = (input.next_token, input.max_results);
        let (providers, next_token) = credential::list(context, KIND, asked, PAGE).await?;
        let item = |provider: CredentialProvider| Oauth2CredentialProviderItem {
            credential_provider_vendor: oauth2_vendor::name(vendor_of(&provider)),
            credential_provider_arn: provider.arn().to_string(),
            name: provider.name,
            created_time: provider.created_at,
            last_updated_time: provider.updated_at,
        };
        let credential_providers = providers.into_iter().map(item).collect();
        Ok(ListOauth2CredentialProvidersResponse { credential_providers, next_token })
    }
}

fn describe(
    context: &Context,
    provider: CredentialProvider,
) -> Result<GetOauth2CredentialProviderResponse, Failure> {
    let (secret, arn) = (secret_of(&provider), provider.arn().to_string());
    let (client_secret_json_key, client_secret_source) = source_of(&provider);
    let CredentialSettings::OAuth2(settings) = provider.settings else {
        return Err(Failure::internal(&"an OAuth2 credential provider has other settings"));
    };
    let public_url = context.setup().names.public_url();
    Ok(GetOauth2CredentialProviderResponse {
        client_secret_arn: secret,
        client_secret_json_key,
        client_secret_source,
        name: provider.name,
        credential_provider_arn: arn,
        credential_provider_vendor: oauth2_vendor::name(settings.vendor),
        callback_url: Some(format!("{public_url}/identities/oauth2/callback/{}", provider.id)),
        oauth2_provider_config_output: oauth2_config::show(settings),
        created_time: provider.created_at,
        last_updated_time: provider.updated_at,
        status: Some(Status::Ready),
    })
}

/// The vendor of a provider.
fn vendor_of(provider: &CredentialProvider) -> Vendor {
    match &provider.settings {
        CredentialSettings::OAuth2(settings) => settings.vendor,
        CredentialSettings::ApiKey => Vendor::Custom,
    }
}
