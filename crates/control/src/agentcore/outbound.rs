//! The outbound authorization matrix: how a gateway may make itself known to each kind of target ("Set up outbound
//! authorization for your gateway" and "HTTP passthrough targets" in the developer guide).

use aws_shapes::bedrock_agentcore_control::{
    ApiKeyCredentialLocation, ApiKeyCredentialProvider, CredentialProvider, CredentialProviderConfiguration,
    CredentialProviderType as Type, IamCredentialProvider, OAuthCredentialProvider, OAuthGrantType,
};
use domain::{
    ApiKeyLocation, ApiKeyOutbound, Arn, HttpService, McpServer, OAuthGrant, OAuthOutbound, Outbound,
    Signing, Upstream,
};
use identity::outbound::federation::check_parameters;

use super::workload_identity::check_return_url;
use crate::fault::{Failure, invalid, sentence};

const FIELD: &str = "credentialProviderConfigurations";

/// One column of the matrix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    None,
    Role,
    Caller,
    Client,
    User,
    Exchange,
    Token,
    Key,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::None => "no credentials",
            Self::Role => "GATEWAY_IAM_ROLE",
            Self::Caller => "CALLER_IAM_CREDENTIALS",
            Self::Client => "OAUTH with CLIENT_CREDENTIALS",
            Self::User => "OAUTH with AUTHORIZATION_CODE",
            Self::Exchange => "OAUTH with TOKEN_EXCHANGE",
            Self::Token => "JWT_PASSTHROUGH",
            Self::Key => "API_KEY",
        }
    }
}

/// One row of the matrix: what the kind of target is called, and its columns.
fn row(upstream: &Upstream) -> (&'static str, &'static [Way]) {
    use Way::{Caller, Client, Exchange, Key, None, Role, Token, User};
    match upstream {
        Upstream::ApiGateway { .. } => ("An apiGateway", &[None, Role, Key]),
        Upstream::Lambda { .. } => ("A lambda", &[Role]),
        Upstream::Mcp(_) => ("An mcpServer", &[None, Role, Client, User, Exchange, Key]),
        Upstream::OpenApi => ("An openApiSchema", &[None, Role, Client, User, Exchange, Key]),
        Upstream::Smithy { .. } => ("A smithyModel", &[Role, Client]),
        Upstream::Http(HttpService::Runtime { .. }) => {
            ("An agentcoreRuntime", &[Role, Caller, Client, Token])
        }
        Upstream::Http(HttpService::Passthrough { .. }) => {
            ("A passthrough", &[Role, Caller, Client, User, Exchange, Token, Key])
        }
    }
}

/// `credentialProviderConfigurations` as the domain knows it.
///
/// # Errors
/// AWS's ValidationException, naming what is allowed for this kind of target.
pub(super) fn read(
    upstream: &Upstream,
    given: &[CredentialProviderConfiguration],
) -> Result<Outbound, Failure> {
    let Some(given) = given.first() else {
        permit(upstream, Way::None)?;
        return Ok(Outbound::None);
    };
    match (given.credential_provider_type, &given.credential_provider) {
        (Type::GatewayIamRole, provider) => {
            permit(upstream, Way::Role)?;
            Ok(Outbound::GatewayRole(signing(upstream, provider.as_ref())?))
        }
        (Type::CallerIamCredentials, provider) => {
            permit(upstream, Way::Caller)?;
            let signing = signing(upstream, provider.as_ref())?;
            let known = matches!(upstream, Upstream::Http(HttpService::Runtime { .. }));
            if signing.service.is_none() && !known {
                return Err(invalid(
                    FIELD,
                    "CALLER_IAM_CREDENTIALS needs iamCredentialProvider with the service that calls are signed for.",
                ));
            }
            Ok(Outbound::CallerIam(signing))
        }
        (Type::JwtPassthrough, None) => permit(upstream, Way::Token).map(|()| Outbound::JwtPassthrough),
        (Type::ApiKey, Some(CredentialProvider::ApiKeyCredentialProvider(key))) => {
            permit(upstream, Way::Key)?;
            api_key(key).map(Outbound::ApiKey)
        }
        (Type::Oauth, Some(CredentialProvider::OauthCredentialProvider(provider))) => {
            oauth(upstream, provider).map(Outbound::OAuth)
        }
        (Type::JwtPassthrough, Some(_)) => {
            Err(invalid(FIELD, "JWT_PASSTHROUGH has no credentialProvider: leave it out."))
        }
        (Type::ApiKey, _) => Err(invalid(FIELD, "API_KEY needs an apiKeyCredentialProvider.")),
        (Type::Oauth, _) => Err(invalid(FIELD, "OAUTH needs an oauthCredentialProvider.")),
    }
}

/// The credential type, as condition keys name it.
pub(super) fn type_name(outbound: &Outbound) -> Option<&'static str> {
    match outbound {
        Outbound::None => None,
        Outbound::GatewayRole(_) => Some("GATEWAY_IAM_ROLE"),
        Outbound::CallerIam(_) => Some("CALLER_IAM_CREDENTIALS"),
        Outbound::JwtPassthrough => Some("JWT_PASSTHROUGH"),
        Outbound::ApiKey(_) => Some("API_KEY"),
        Outbound::OAuth(_) => Some("OAUTH"),
    }
}

/// What the owner of a target should know about its credentials.
pub(super) fn remark(upstream: &Upstream, outbound: &Outbound) -> Option<String> {
    let unsigned = matches!(
        upstream,
        Upstream::Mcp(_) | Upstream::OpenApi | Upstream::Http(HttpService::Passthrough { .. })
    ) && matches!(outbound, Outbound::GatewayRole(Signing { service: None, .. }));
    unsigned.then(|| {
        "GATEWAY_IAM_ROLE names no service, so calls to this target are not signed: give \
         credentialProvider.iamCredentialProvider.service to have them signed."
            .to_owned()
    })
}

fn permit(upstream: &Upstream, way: Way) -> Result<(), Failure> {
    let (kind, ways) = row(upstream);
    if ways.contains(&way) {
        return Ok(());
    }
    let names: Vec<_> = ways.iter().map(|way| way.name()).collect();
    Err(invalid(
        FIELD,
        format!(
            "{kind} target cannot be called with {}: it can be called with {}.",
            way.name(),
            names.join(", ")
        ),
    ))
}

fn signing(upstream: &Upstream, provider: Option<&CredentialProvider>) -> Result<Signing, Failure> {
    let IamCredentialProvider { service, region } = match provider {
        None => return Ok(Signing::default()),
        Some(CredentialProvider::IamCredentialProvider(iam)) => iam.clone(),
        Some(_) => {
            return Err(invalid(FIELD, "IAM credentials are configured by an iamCredentialProvider only."));
        }
    };
    if matches!(upstream, Upstream::Lambda { .. } | Upstream::ApiGateway { .. } | Upstream::Smithy { .. }) {
        let (kind, _) = row(upstream);
        return Err(invalid(
            FIELD,
            format!("{kind} target is signed for a service that is known: leave iamCredentialProvider out."),
        ));
    }
    Ok(Signing { service: Some(service), region })
}

fn api_key(given: &ApiKeyCredentialProvider) -> Result<ApiKeyOutbound, Failure> {
    let location = match given.credential_location {
        Some(ApiKeyCredentialLocation::QueryParameter) => ApiKeyLocation::Query,
        Some(ApiKeyCredentialLocation::Header) | None => ApiKeyLocation::Header,
    };
    if let Some(name) = &given.credential_parameter_name {
        let sound = match location {
            ApiKeyLocation::Header => {
                http::HeaderName::try_from(name.as_str()).is_ok_and(|name| !is_of_the_connection(&name))
            }
            ApiKeyLocation::Query => name.chars().all(|it| it.is_ascii_graphic()),
        };
        if !sound {
            return Err(invalid(
                FIELD,
                format!("credentialParameterName {name} is no name that an API key can be sent under."),
            ));
        }
    }
    let prefix = given.credential_prefix.as_deref().unwrap_or_default();
    if prefix.chars().any(|it| !(it.is_ascii_graphic() || it == ' ')) {
        return Err(invalid(FIELD, "credentialPrefix may hold printable ASCII characters only."));
    }
    Ok(ApiKeyOutbound {
        provider: arn(&given.provider_arn)?,
        location,
        parameter: given.credential_parameter_name.clone(),
        prefix: given.credential_prefix.clone(),
    })
}

/// Headers that say how the message itself is carried: a key in one of them would break it.
fn is_of_the_connection(name: &http::HeaderName) -> bool {
    matches!(
        name.as_str(),
        "host"
            | "connection"
            | "content-length"
            | "content-type"
            | "transfer-encoding"
            | "te"
            | "trailer"
            | "upgrade"
            | "keep-alive"
            | "proxy-connection"
            | "accept"
            | "expect"
    )
}

fn oauth(upstream: &Upstream, given: &OAuthCredentialProvider) -> Result<OAuthOutbound, Failure> {
    let (grant, way) = match given.grant_type {
        None | Some(OAuthGrantType::ClientCredentials) => (OAuthGrant::ClientCredentials, Way::Client),
        Some(OAuthGrantType::AuthorizationCode) => (OAuthGrant::AuthorizationCode, Way::User),
        Some(OAuthGrantType::TokenExchange) => (OAuthGrant::TokenExchange, Way::Exchange),
    };
    permit(upstream, way)?;
    match grant {
        OAuthGrant::ClientCredentials => {}
        OAuthGrant::AuthorizationCode => of_people(upstream, given)?,
        OAuthGrant::TokenExchange => tools_are_known(upstream, "TOKEN_EXCHANGE")?,
    }
    Ok(OAuthOutbound {
        provider: arn(&given.provider_arn)?,
        scopes: given.scopes.clone(),
        grant,
        custom_parameters: given.custom_parameters.clone().unwrap_or_default(),
        default_return_url: given.default_return_url.clone(),
    })
}

/// Targets that are called with tokens of their callers need tools that are known before anybody calls.
fn tools_are_known(upstream: &Upstream, grant: &str) -> Result<(), Failure> {
    let told = match upstream {
        Upstream::OpenApi | Upstream::Mcp(McpServer { static_tools: true, .. }) => return Ok(()),
        Upstream::Mcp(_) => "needs tools that are known before anybody calls: give mcpToolSchema",
        _ => "is supported for openApiSchema and mcpServer targets by Portcullis",
    };
    Err(invalid(FIELD, format!("{grant} {told}.")))
}

/// What targets that are called with what people consented to need: somewhere to send those, besides.
fn of_people(upstream: &Upstream, given: &OAuthCredentialProvider) -> Result<(), Failure> {
    tools_are_known(upstream, "AUTHORIZATION_CODE")?;
    let Some(url) = &given.default_return_url else {
        return Err(invalid(
            FIELD,
            "AUTHORIZATION_CODE needs defaultReturnUrl: where people are sent who consented.",
        ));
    };
    check_return_url(FIELD, url)?;
    let parameters = given.custom_parameters.clone().unwrap_or_default();
    check_parameters(&parameters).map_err(|refusal| invalid(FIELD, sentence(&refusal)))
}

fn arn(text: &str) -> Result<Arn, Failure> {
    Arn::parse(text).map_err(|error| invalid(FIELD, error.to_string()))
}
