//! Credentials for what agents call: the API key of a provider, a token of its client.

use std::collections::BTreeMap;

use aws_shapes::bedrock_agentcore::{
    GetResourceApiKeyRequest, GetResourceApiKeyResponse, GetResourceOauth2TokenRequest,
    GetResourceOauth2TokenResponse, Oauth2FlowType, ResourceCredentialOperations,
};
use domain::{Arn, CredentialKind, CredentialProvider, Secret};
use identity::outbound::{Ask, Brought, Grant, Granted, Need, OAuthNeed, Refusal, check_parameter, speaking};
use identity::workload::WorkloadGrant;

use super::{AgentCoreData, opened, user_federation};
use crate::agentcore::{authorize_workload, find_provider};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::{Failure, invalid, sentence};
use crate::sts::own_session;

impl ResourceCredentialOperations<Context> for AgentCoreData {
    type Error = Failure;

    async fn get_resource_api_key(
        &self,
        context: &Context,
        input: GetResourceApiKeyRequest,
    ) -> Result<GetResourceApiKeyResponse, Failure> {
        let grant = opened(context, &input.workload_identity_token).await?;
        let name = &input.resource_credential_provider_name;
        let key = credential(context, &grant, CredentialKind::ApiKey, name, Need::ApiKey).await?;
        Ok(GetResourceApiKeyResponse { api_key: key.expose().to_owned() })
    }

    async fn get_resource_oauth2_token(
        &self,
        context: &Context,
        input: GetResourceOauth2TokenRequest,
    ) -> Result<GetResourceOauth2TokenResponse, Failure> {
        let grant = opened(context, &input.workload_identity_token).await?;
        let name = &input.resource_credential_provider_name;
        context.notes.flow(input.oauth2_flow.as_str());
        check_scopes(&input.scopes)?;
        let parameters = parameters(&input)?;
        let way = match input.oauth2_flow {
            Oauth2FlowType::M2M => Grant::ClientCredentials,
            Oauth2FlowType::OnBehalfOfTokenExchange => Grant::TokenExchange,
            Oauth2FlowType::UserFederation => {
                return user_federation::get(context, &grant, &input, &parameters).await;
            }
        };
        let need = OAuthNeed { grant: way, scopes: &input.scopes, parameters: &parameters };
        let token = credential(context, &grant, CredentialKind::OAuth2, name, Need::OAuth(need)).await?;
        let access_token = Some(token.expose().to_owned());
        Ok(GetResourceOauth2TokenResponse { access_token, ..Default::default() })
    }
}

/// Holds scopes against what may stand in one (RFC 6749, section 3.3). Several in one element, with spaces between, are the
/// same request.
fn check_scopes(scopes: &[String]) -> Result<(), Failure> {
    let sound = |byte: u8| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
    match scopes.iter().find(|scope| !scope.bytes().all(sound)) {
        None => Ok(()),
        Some(_) => Err(invalid(
            "scopes",
            "Each element of scopes is printable ASCII, without quotes and backslashes.",
        )),
    }
}

/// A resource is named by an absolute URI without a fragment (RFC 8707, section 2).
fn check_resource(resource: &str) -> Result<(), Failure> {
    let scheme = resource.split_once(':').map_or("", |(scheme, _)| scheme);
    let absolute = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if absolute && resource.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Ok(());
    }
    Err(invalid(
        "resources",
        "Each element of resources is an absolute URI without a fragment, such as https://api.example.com.",
    ))
}

/// What goes into the token request besides the scopes: the caller's own parameters, the resource (RFC 8707) and the
/// audience (RFC 8693, section 2.1).
fn parameters(input: &GetResourceOauth2TokenRequest) -> Result<BTreeMap<String, String>, Failure> {
    let mut parameters = input.custom_parameters.clone().unwrap_or_default();
    for name in parameters.keys() {
        check_parameter(name).map_err(|refusal| invalid("customParameters", sentence(&refusal)))?;
    }
    for (field, name, values) in
        [("resources", "resource", &input.resources), ("audiences", "audience", &input.audiences)]
    {
        match values.as_deref().unwrap_or_default() {
            [] => {}
            [one] => {
                if name == "resource" {
                    check_resource(one)?;
                }
                if parameters.insert(name.to_owned(), one.clone()).is_some_and(|other| other != *one) {
                    let message = format!("customParameters has another {name} than {field}: say it once.");
                    return Err(invalid(field, message));
                }
            }
            _ => return Err(invalid(field, format!("{field} may have one element: a token is for one."))),
        }
    }
    Ok(parameters)
}

/// A provider that a workload may use: the caller's policies about the directory, the workload, the vault, the provider and
/// its secret were asked ("Scope down access to credential providers by workload identity").
pub(super) async fn permitted<'a>(
    context: &'a Context,
    grant: &WorkloadGrant,
    kind: CredentialKind,
    name: &str,
) -> Result<(Authorized<'a>, CredentialProvider), Failure> {
    authorize_workload(context, &grant.identity.name, |conditions| conditions).await?;
    context.notes.provider(kind, name);
    context.authorize(&Arn::token_vault(&context.scope))?;
    let allowed = context.authorize_tagged(&Arn::credential_provider(&context.scope, kind, name)).await?;
    let provider = find_provider(&mut allowed.read().await?, &context.scope, kind, name).await?;
    context.require("secretsmanager:GetSecretValue", &provider.secret_arn(), |conditions| conditions)?;
    Ok((allowed, provider))
}

/// Why a provider gives nothing, as its caller is told.
pub(super) fn refused(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::Store(error) => Failure::from(&**error),
        Refusal::NoPerson => invalid("workloadIdentityToken", sentence(refusal)),
        refusal => invalid("resourceCredentialProviderName", sentence(refusal)),
    }
}

/// What a provider gives to a workload.
async fn credential(
    context: &Context,
    grant: &WorkloadGrant,
    kind: CredentialKind,
    name: &str,
    need: Need<'_>,
) -> Result<Secret, Failure> {
    let (allowed, provider) = permitted(context, grant, kind, name).await?;
    let arn = provider.arn();
    let outbound = &context.setup().outbound;
    if matches!(need, Need::OAuth(_)) {
        let audience = outbound.web_identity_audience(&context.scope, &arn).await;
        if let Some(audience) = audience.map_err(|refusal| refused(&refusal))? {
            speaks(context, &audience)?;
        }
    }
    let watched = allowed.watch();
    let workload = grant.identity.arn();
    let ask = Ask {
        scope: &context.scope,
        provider: &arn,
        need,
        workload: Some(workload.as_str()),
        user: None,
        brought: Brought { token: grant.token.as_ref(), caller: Some(&context.identity()?.caller) },
    };
    match outbound.credential(&ask).await {
        Ok(Granted::ApiKey(secret) | Granted::Token { secret, .. }) => {
            watched.done(None).await;
            Ok(secret)
        }
        Ok(Granted::ConsentNeeded { .. }) => {
            watched.refused();
            Err(Failure::internal(&"consent is needed for a grant that asks nobody"))
        }
        Err(refusal) => {
            watched.refused();
            Err(refused(&refusal))
        }
    }
}

/// The provider's token endpoint is told who asks: the caller must be allowed to say so there, as by `sts:GetWebIdentityToken`
/// itself.
fn speaks(context: &Context, audience: &str) -> Result<(), Failure> {
    context.require("sts:GetWebIdentityToken", &own_session(context), |conditions| {
        speaking(conditions, audience)
    })
}
