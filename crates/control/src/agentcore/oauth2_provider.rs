//! OAuth2 credential providers: clients of authorization servers that their owner describes (`CustomOauth2`).

use aws_shapes::bedrock_agentcore_control::{
    ClientAuthenticationMethodType, CreateOauth2CredentialProviderRequest,
    CreateOauth2CredentialProviderResponse, CredentialProviderVendorType, CustomOauth2ProviderConfigInput,
    CustomOauth2ProviderConfigOutput, DeleteOauth2CredentialProviderRequest,
    DeleteOauth2CredentialProviderResponse, GetOauth2CredentialProviderRequest,
    GetOauth2CredentialProviderResponse, ListOauth2CredentialProvidersRequest,
    ListOauth2CredentialProvidersResponse, Oauth2AuthorizationServerMetadata, Oauth2CredentialProviderItem,
    Oauth2CredentialProviderOperations, Oauth2Discovery, Oauth2ProviderConfigInput,
    Oauth2ProviderConfigOutput, SecretSourceType, Status, UpdateOauth2CredentialProviderRequest,
    UpdateOauth2CredentialProviderResponse,
};
use domain::{
    Arn, AuthorizationServer, ClientAuthentication, CredentialKind, CredentialProvider, CredentialSettings,
    OAuth2Discovery, OAuth2Settings, Secret,
};

use super::AgentCore;
use super::credential::{self, New, read_secret, secret_of};
use crate::context::Context;
use crate::fault::{Failure, invalid};

const KIND: CredentialKind = CredentialKind::OAuth2;
/// How many items a page has when the caller does not say; more than 20 may not be asked for.
const PAGE: usize = 20;
/// Where the configuration of a custom provider is in a request.
const CONFIG: &str = "oauth2ProviderConfigInput/customOauth2ProviderConfig";

impl Oauth2CredentialProviderOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_oauth2_credential_provider(
        &self,
        context: &Context,
        input: CreateOauth2CredentialProviderRequest,
    ) -> Result<CreateOauth2CredentialProviderResponse, Failure> {
        let (settings, secret) = read(input.oauth2_provider_config_input)?;
        let allowed = context.authorize(&Arn::credential_provider(&context.scope, KIND, &input.name))?;
        let new = New { name: input.name, settings, secret, tags: input.tags };
        let provider = credential::create(context, &allowed, new).await?;
        let made = describe(context, provider)?;
        Ok(CreateOauth2CredentialProviderResponse {
            client_secret_arn: made.client_secret_arn,
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
        let allowed = context.authorize(&Arn::credential_provider(&context.scope, KIND, &input.name))?;
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
        let (settings, secret) = read(input.oauth2_provider_config_input)?;
        let allowed = context.authorize(&Arn::credential_provider(&context.scope, KIND, &input.name))?;
        let provider = credential::update(context, &allowed, &input.name, settings, secret).await?;
        let changed = describe(context, provider)?;
        Ok(UpdateOauth2CredentialProviderResponse {
            client_secret_arn: changed.client_secret_arn,
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
        let allowed = context.authorize(&Arn::credential_provider(&context.scope, KIND, &input.name))?;
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
            credential_provider_vendor: CredentialProviderVendorType::CustomOauth2,
            credential_provider_arn: provider.arn().to_string(),
            name: provider.name,
            created_time: provider.created_at,
            last_updated_time: provider.updated_at,
        };
        let credential_providers = providers.into_iter().map(item).collect();
        Ok(ListOauth2CredentialProvidersResponse { credential_providers, next_token })
    }
}

/// What is configured: the server, the client and its secret.
fn read(given: Oauth2ProviderConfigInput) -> Result<(CredentialSettings, Secret), Failure> {
    let Oauth2ProviderConfigInput::CustomOauth2ProviderConfig(given) = given;
    let CustomOauth2ProviderConfigInput {
        oauth_discovery,
        client_id,
        client_secret,
        client_secret_source: None | Some(SecretSourceType::Managed),
        client_authentication_method,
    } = given;
    let client_id = client_id.filter(|id| !id.is_empty());
    let field = format!("{CONFIG}/clientId");
    let client_id = client_id.ok_or_else(|| invalid(&field, "clientId is required."))?;
    let secret = read_secret(&format!("{CONFIG}/clientSecret"), client_secret)?;
    let authentication = client_authentication_method.map(|method| match method {
        ClientAuthenticationMethodType::ClientSecretBasic => ClientAuthentication::Basic,
        ClientAuthenticationMethodType::ClientSecretPost => ClientAuthentication::Post,
    });
    let discovery = read_discovery(oauth_discovery)?;
    Ok((CredentialSettings::OAuth2(OAuth2Settings { discovery, client_id, authentication }), secret))
}

fn read_discovery(given: Oauth2Discovery) -> Result<OAuth2Discovery, Failure> {
    match given {
        Oauth2Discovery::DiscoveryUrl(url) => {
            check_url("discoveryUrl", &url)?;
            Ok(OAuth2Discovery::Url(url))
        }
        Oauth2Discovery::AuthorizationServerMetadata(given) => {
            check_url("authorizationServerMetadata/issuer", &given.issuer)?;
            check_url("authorizationServerMetadata/authorizationEndpoint", &given.authorization_endpoint)?;
            check_url("authorizationServerMetadata/tokenEndpoint", &given.token_endpoint)?;
            Ok(OAuth2Discovery::Metadata(AuthorizationServer {
                issuer: given.issuer,
                authorization_endpoint: given.authorization_endpoint,
                token_endpoint: given.token_endpoint,
                response_types: given.response_types,
                authentication_methods: given.token_endpoint_auth_methods,
            }))
        }
    }
}

/// A URL that can be dialled, and gives away nothing of ours by itself. Which addresses are dialled is decided when they
/// are, because names move.
fn check_url(field: &str, url: &str) -> Result<(), Failure> {
    match identity::outbound::check_url(url) {
        Ok(()) => Ok(()),
        Err(why) => Err(invalid(&format!("{CONFIG}/oauthDiscovery/{field}"), format!("{field}: {why}"))),
    }
}

fn describe(
    context: &Context,
    provider: CredentialProvider,
) -> Result<GetOauth2CredentialProviderResponse, Failure> {
    let (secret, arn) = (secret_of(&provider), provider.arn().to_string());
    let CredentialSettings::OAuth2(settings) = provider.settings else {
        return Err(Failure::internal(&"an OAuth2 credential provider has other settings"));
    };
    let public_url = context.setup().names.public_url();
    let output = CustomOauth2ProviderConfigOutput {
        oauth_discovery: show_discovery(settings.discovery),
        client_id: Some(settings.client_id),
        client_authentication_method: settings.authentication.map(|method| match method {
            ClientAuthentication::Basic => ClientAuthenticationMethodType::ClientSecretBasic,
            ClientAuthentication::Post => ClientAuthenticationMethodType::ClientSecretPost,
        }),
    };
    Ok(GetOauth2CredentialProviderResponse {
        client_secret_arn: secret,
        client_secret_source: Some(SecretSourceType::Managed),
        name: provider.name,
        credential_provider_arn: arn,
        credential_provider_vendor: CredentialProviderVendorType::CustomOauth2,
        callback_url: Some(format!("{public_url}/identities/oauth2/callback/{}", provider.id)),
        oauth2_provider_config_output: Oauth2ProviderConfigOutput::CustomOauth2ProviderConfig(output),
        created_time: provider.created_at,
        last_updated_time: provider.updated_at,
        status: Some(Status::Ready),
    })
}

fn show_discovery(discovery: OAuth2Discovery) -> Oauth2Discovery {
    match discovery {
        OAuth2Discovery::Url(url) => Oauth2Discovery::DiscoveryUrl(url),
        OAuth2Discovery::Metadata(server) => {
            Oauth2Discovery::AuthorizationServerMetadata(Oauth2AuthorizationServerMetadata {
                issuer: server.issuer,
                authorization_endpoint: server.authorization_endpoint,
                token_endpoint: server.token_endpoint,
                response_types: server.response_types,
                token_endpoint_auth_methods: server.authentication_methods,
            })
        }
    }
}
