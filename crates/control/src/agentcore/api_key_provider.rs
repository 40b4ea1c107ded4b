//! API key credential providers.

use aws_shapes::bedrock_agentcore_control::{
    ApiKeyCredentialProviderItem, ApiKeyCredentialProviderOperations, CreateApiKeyCredentialProviderRequest,
    CreateApiKeyCredentialProviderResponse, DeleteApiKeyCredentialProviderRequest,
    DeleteApiKeyCredentialProviderResponse, GetApiKeyCredentialProviderRequest,
    GetApiKeyCredentialProviderResponse, ListApiKeyCredentialProvidersRequest,
    ListApiKeyCredentialProvidersResponse, UpdateApiKeyCredentialProviderRequest,
    UpdateApiKeyCredentialProviderResponse,
};
use domain::{Arn, CredentialKind, CredentialProvider, CredentialSettings};

use super::credential::{self, Given, New, secret_of, source_of};
use super::tag::check_tags;
use super::{AgentCore, PAGE};
use crate::context::Context;
use crate::fault::Failure;

const KIND: CredentialKind = CredentialKind::ApiKey;
/// Where a request has the key, and how the members begin that say where else it is.
const FIELDS: (&str, &str) = ("apiKey", "apiKeySecret");

impl ApiKeyCredentialProviderOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_api_key_credential_provider(
        &self,
        context: &Context,
        input: CreateApiKeyCredentialProviderRequest,
    ) -> Result<CreateApiKeyCredentialProviderResponse, Failure> {
        let (config, source) = (input.api_key_secret_config, input.api_key_secret_source);
        let secret = Given::read(FIELDS, input.api_key, config, source)?;
        let arn = Arn::credential_provider(&context.scope, KIND, &input.name);
        let tags = input.tags.clone().unwrap_or_default();
        check_tags(&tags)?;
        let allowed = context.authorize_tagged_with(&arn, |known| known.requesting_tags(&tags)).await?;
        let settings = CredentialSettings::ApiKey;
        let new = New { name: input.name, settings, secret, tags: input.tags };
        let provider = credential::create(context, &allowed, new).await?;
        let (api_key_secret_json_key, api_key_secret_source) = source_of(&provider);
        Ok(CreateApiKeyCredentialProviderResponse {
            api_key_secret_arn: secret_of(&provider),
            api_key_secret_json_key,
            api_key_secret_source,
            credential_provider_arn: provider.arn().to_string(),
            name: provider.name,
        })
    }

    async fn get_api_key_credential_provider(
        &self,
        context: &Context,
        input: GetApiKeyCredentialProviderRequest,
    ) -> Result<GetApiKeyCredentialProviderResponse, Failure> {
        let allowed =
            context.authorize_tagged(&Arn::credential_provider(&context.scope, KIND, &input.name)).await?;
        let mut tx = allowed.read().await?;
        Ok(describe(credential::find(&mut tx, &context.scope, KIND, &input.name).await?))
    }

    async fn update_api_key_credential_provider(
        &self,
        context: &Context,
        input: UpdateApiKeyCredentialProviderRequest,
    ) -> Result<UpdateApiKeyCredentialProviderResponse, Failure> {
        let (config, source) = (input.api_key_secret_config, input.api_key_secret_source);
        let secret = Given::read(FIELDS, input.api_key, config, source)?;
        let allowed =
            context.authorize_tagged(&Arn::credential_provider(&context.scope, KIND, &input.name)).await?;
        let settings = CredentialSettings::ApiKey;
        Ok(describe(credential::update(context, &allowed, &input.name, settings, secret).await?))
    }

    async fn delete_api_key_credential_provider(
        &self,
        context: &Context,
        input: DeleteApiKeyCredentialProviderRequest,
    ) -> Result<DeleteApiKeyCredentialProviderResponse, Failure> {
        let allowed =
            context.authorize_tagged(&Arn::credential_provider(&context.scope, KIND, &input.name)).await?;
        credential::delete(context, &allowed, KIND, &input.name).await?;
        Ok(DeleteApiKeyCredentialProviderResponse::default())
    }

    async fn list_api_key_credential_providers(
        &self,
        context: &Context,
        input: ListApiKeyCredentialProvidersRequest,
    ) -> Result<ListApiKeyCredentialProvidersResponse, Failure> {
        let asked = (input.next_token, input.max_results);
        let (providers, next_token) = credential::list(context, KIND, asked, PAGE).await?;
        let item = |provider: CredentialProvider| ApiKeyCredentialProviderItem {
            credential_provider_arn: provider.arn().to_string(),
            name: provider.name,
            created_time: provider.created_at,
            last_updated_time: provider.updated_at,
        };
        let credential_providers = providers.into_iter().map(item).collect();
        Ok(ListApiKeyCredentialProvidersResponse { credential_providers, next_token })
    }
}

fn describe(provider: CredentialProvider) -> GetApiKeyCredentialProviderResponse {
    let (api_key_secret_json_key, api_key_secret_source) = source_of(&provider);
    GetApiKeyCredentialProviderResponse {
        api_key_secret_arn: secret_of(&provider),
        api_key_secret_json_key,
        api_key_secret_source,
        credential_provider_arn: provider.arn().to_string(),
        name: provider.name,
        created_time: provider.created_at,
        last_updated_time: provider.updated_at,
    }
}
