//! The configuration of an OAuth2 credential provider: read into what the data plane works with, and shown again. A vendor's
//! addresses are ours to know: only custom providers, and vendors whose tenants have servers of their own, name theirs.

use aws_shapes::bedrock_agentcore_control::{
    ClientAuthenticationMethodType, CredentialProviderVendorType, CustomOauth2ProviderConfigInput,
    CustomOauth2ProviderConfigOutput, IncludedOauth2ProviderConfigInput, MicrosoftOauth2ProviderConfigInput,
    Oauth2AuthorizationServerMetadata, Oauth2Discovery, Oauth2ProviderConfigInput,
    Oauth2ProviderConfigOutput, SecretReference, SecretSourceType, SlackOauth2ProviderConfigInput,
};
use domain::{
    AuthorizationServer, ClientAuthentication, ClientKeyAlgorithm, OAuth2Discovery, OAuth2Settings, Vendor,
};

use super::credential::Given;
use super::oauth2_vendor::{self, Configuration};
use super::{on_behalf_of, private_key_jwt};
use crate::fault::{Failure, invalid};

/// The tenant of a Microsoft provider that names none: accounts of every organisation (Microsoft identity platform,
/// "Endpoints").
const EVERY_TENANT: &str = "common";
/// How long the name of a tenant may be; it is a UUID or a domain name.
const LONGEST_TENANT: usize = 253;

/// What is configured: the server, the client and its secret.
pub(super) fn read(
    vendor: CredentialProviderVendorType,
    given: Oauth2ProviderConfigInput,
) -> Result<(OAuth2Settings, Given), Failure> {
    let (name, vendor) = (vendor.as_str(), oauth2_vendor::of(vendor));
    let (member, configuration) = oauth2_vendor::read(given);
    let wanted = oauth2_vendor::member(vendor);
    if member != wanted {
        let message = format!("The credentialProviderVendor {name} needs {wanted}, and this is {member}.");
        return Err(invalid("oauth2ProviderConfigInput", message));
    }
    let place = format!("oauth2ProviderConfigInput/{member}");
    match configuration {
        Configuration::Custom(given) => custom(&place, given),
        Configuration::Preset(given) => {
            let SlackOauth2ProviderConfigInput {
                client_id,
                client_secret,
                client_secret_config,
                client_secret_source,
            } = given;
            let secret = secret(&place, client_secret, client_secret_config, client_secret_source)?;
            let discovery = of_vendor(vendor, "").ok_or_else(|| no_address(name))?;
            Ok((OAuth2Settings::new(vendor, discovery, client_id), secret))
        }
        Configuration::Tenant(given) => {
            let MicrosoftOauth2ProviderConfigInput {
                client_id,
                client_secret,
                client_secret_config,
                client_secret_source,
                tenant_id,
            } = given;
            let secret = secret(&place, client_secret, client_secret_config, client_secret_source)?;
            let tenant = tenant_id.as_deref().unwrap_or(EVERY_TENANT);
            check_tenant(&format!("{place}/tenantId"), tenant)?;
            let discovery = of_vendor(vendor, tenant).ok_or_else(|| no_address(name))?;
            Ok((OAuth2Settings::new(vendor, discovery, client_id), secret))
        }
        Configuration::Included(given) => included(&place, vendor, name, given),
    }
}

fn custom(place: &str, given: CustomOauth2ProviderConfigInput) -> Result<(OAuth2Settings, Given), Failure> {
    let CustomOauth2ProviderConfigInput {
        oauth_discovery,
        client_id,
        client_secret,
        client_secret_config,
        client_secret_source,
        on_behalf_of_token_exchange_config,
        client_authentication_method,
        private_key_jwt_config,
    } = given;
    let unnamed = on_behalf_of_token_exchange_config.as_ref().is_some_and(on_behalf_of::names_no_client);
    let client_id = client_id.filter(|id| !id.is_empty());
    let field = format!("{place}/clientId");
    let authentication = client_authentication_method.map(|method| match method {
        ClientAuthenticationMethodType::ClientSecretBasic => ClientAuthentication::Basic,
        ClientAuthenticationMethodType::ClientSecretPost => ClientAuthentication::Post,
        ClientAuthenticationMethodType::AwsIamIdTokenJwt => ClientAuthentication::IamIdentity,
        ClientAuthenticationMethodType::PrivateKeyJwt => ClientAuthentication::PrivateKey,
    });
    let key_place = format!("{place}/privateKeyJwtConfig");
    let client_key = match (authentication, private_key_jwt_config) {
        (Some(ClientAuthentication::PrivateKey), given) => {
            let given = given.unwrap_or_default();
            Some(Box::new(private_key_jwt::read(&key_place, given)?))
        }
        (_, None) => None,
        (_, Some(_)) => {
            let message =
                "privateKeyJwtConfig goes with the clientAuthenticationMethod PRIVATE_KEY_JWT only.";
            return Err(invalid(&key_place, message));
        }
    };
    let (client_id, secret) = match authentication {
        Some(ClientAuthentication::PrivateKey) => {
            Given::without(
                place,
                client_secret.as_ref(),
                client_secret_config.as_ref(),
                client_secret_source,
            )?;
            let client_id = client_id.ok_or_else(|| invalid(&field, "clientId is required."))?;
            let algorithm = client_key.as_ref().map_or(ClientKeyAlgorithm::Rs256, |key| key.algorithm);
            (client_id, Given::Key(algorithm))
        }
        Some(ClientAuthentication::IamIdentity) => {
            let given = Given::without(
                place,
                client_secret.as_ref(),
                client_secret_config.as_ref(),
                client_secret_source,
            )?;
            (client_id.unwrap_or_default(), given)
        }
        _ if unnamed && client_secret.is_none() && client_secret_config.is_none() => {
            (client_id.unwrap_or_default(), Given::None)
        }
        _ => {
            let client_id = client_id.ok_or_else(|| invalid(&field, "clientId is required."))?;
            (client_id, secret(place, client_secret, client_secret_config, client_secret_source)?)
        }
    };
    let discovery = read_discovery(&format!("{place}/oauthDiscovery"), oauth_discovery)?;
    let exchange = format!("{place}/onBehalfOfTokenExchangeConfig");
    let on_behalf_of =
        on_behalf_of_token_exchange_config.map(|given| on_behalf_of::read(&exchange, given)).transpose()?;
    Ok((
        OAuth2Settings {
            authentication,
            on_behalf_of,
            client_key,
            ..OAuth2Settings::new(Vendor::Custom, discovery, client_id)
        },
        secret,
    ))
}

/// A vendor has either one server, which is not the caller's to name, or servers of tenants, which only the caller knows.
fn included(
    place: &str,
    vendor: Vendor,
    name: &str,
    given: IncludedOauth2ProviderConfigInput,
) -> Result<(OAuth2Settings, Given), Failure> {
    let IncludedOauth2ProviderConfigInput {
        client_id,
        client_secret,
        client_secret_config,
        client_secret_source,
        issuer,
        authorization_endpoint,
        token_endpoint,
    } = given;
    let secret = secret(place, client_secret, client_secret_config, client_secret_source)?;
    let fixed = of_vendor(vendor, "");
    let discovery = match (fixed, issuer, authorization_endpoint, token_endpoint) {
        (Some(discovery), None, None, None) => discovery,
        (Some(_), ..) => {
            let message = format!(
                "The addresses of {name} are known: leave out issuer, authorizationEndpoint and tokenEndpoint, or use \
                 CustomOauth2 for another server."
            );
            return Err(invalid(place, message));
        }
        (None, Some(issuer), None, None) => {
            check_url(place, "issuer", &issuer)?;
            OAuth2Discovery::of_issuer(&issuer)
        }
        (None, Some(issuer), Some(authorization_endpoint), Some(token_endpoint)) => {
            check_url(place, "issuer", &issuer)?;
            check_url(place, "authorizationEndpoint", &authorization_endpoint)?;
            check_url(place, "tokenEndpoint", &token_endpoint)?;
            OAuth2Discovery::Metadata(AuthorizationServer {
                issuer,
                authorization_endpoint,
                token_endpoint,
                response_types: Some(vec!["code".to_owned()]),
                authentication_methods: None,
            })
        }
        (None, ..) => {
            let message = format!(
                "The tenants of {name} have servers of their own: give issuer, authorizationEndpoint and tokenEndpoint, \
                 or the issuer alone, which then has to serve its metadata."
            );
            return Err(invalid(place, message));
        }
    };
    Ok((OAuth2Settings::new(vendor, discovery, client_id), secret))
}

fn secret(
    place: &str,
    secret: Option<String>,
    config: Option<SecretReference>,
    source: Option<SecretSourceType>,
) -> Result<Given, Failure> {
    let field = format!("{place}/clientSecret");
    Given::read((&field, &field), secret, config, source)
}

/// The server of a vendor that has one.
fn of_vendor(vendor: Vendor, tenant: &str) -> Option<OAuth2Discovery> {
    Some(OAuth2Discovery::Metadata(vendor.facts().server?.metadata(tenant)))
}

fn no_address(name: &str) -> Failure {
    Failure::internal(&format!("{name} has no address"))
}

/// A tenant stands in addresses, so nothing in it may end a part of one.
fn check_tenant(field: &str, tenant: &str) -> Result<(), Failure> {
    let is_fit = tenant.len() <= LONGEST_TENANT
        && tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        && !tenant.contains("..")
        && tenant != ".";
    if is_fit {
        return Ok(());
    }
    Err(invalid(field, "tenantId must be the tenant's UUID, one of its domain names, or common."))
}

fn read_discovery(place: &str, given: Oauth2Discovery) -> Result<OAuth2Discovery, Failure> {
    match given {
        Oauth2Discovery::DiscoveryUrl(url) => {
            check_url(place, "discoveryUrl", &url)?;
            Ok(OAuth2Discovery::Url(url))
        }
        Oauth2Discovery::AuthorizationServerMetadata(given) => {
            let place = format!("{place}/authorizationServerMetadata");
            check_url(&place, "issuer", &given.issuer)?;
            check_url(&place, "authorizationEndpoint", &given.authorization_endpoint)?;
            check_url(&place, "tokenEndpoint", &given.token_endpoint)?;
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
fn check_url(place: &str, field: &str, url: &str) -> Result<(), Failure> {
    match identity::outbound::check_url(url) {
        Ok(()) => Ok(()),
        Err(why) => Err(invalid(&format!("{place}/{field}"), format!("{field}: {why}"))),
    }
}

/// What is configured, as answers have it.
pub(super) fn show(settings: OAuth2Settings) -> Oauth2ProviderConfigOutput {
    let OAuth2Settings { vendor, discovery, client_id, authentication, on_behalf_of, client_key } = settings;
    if vendor != Vendor::Custom {
        let discovery = match (vendor.facts().server, discovery) {
            (Some(server), OAuth2Discovery::Metadata(metadata)) => server.discovery(metadata),
            (_, discovery) => discovery,
        };
        return oauth2_vendor::show(vendor, show_discovery(discovery), client_id);
    }
    Oauth2ProviderConfigOutput::CustomOauth2ProviderConfig(CustomOauth2ProviderConfigOutput {
        oauth_discovery: show_discovery(discovery),
        client_id: Some(client_id),
        on_behalf_of_token_exchange_config: on_behalf_of.map(on_behalf_of::show),
        private_key_jwt_config: client_key.map(|key| private_key_jwt::show(*key)),
        client_authentication_method: authentication.map(|method| match method {
            ClientAuthentication::Basic => ClientAuthenticationMethodType::ClientSecretBasic,
            ClientAuthentication::Post => ClientAuthenticationMethodType::ClientSecretPost,
            ClientAuthentication::IamIdentity => ClientAuthenticationMethodType::AwsIamIdTokenJwt,
            ClientAuthentication::PrivateKey => ClientAuthenticationMethodType::PrivateKeyJwt,
        }),
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
