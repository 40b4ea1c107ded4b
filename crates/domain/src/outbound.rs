//! What a call carries to its upstream beyond its arguments: the credential that the gateway attaches, and the headers
//! and query parameters that pass through it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Arn;

/// How a gateway makes itself known to a target (API type `CredentialProviderConfiguration`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outbound {
    /// Not at all.
    #[default]
    None,
    /// With the credentials of the gateway's role: functions, Smithy services and API Gateway stages by themselves,
    /// others signed for the named service; without a service the call goes unsigned.
    GatewayRole(Signing),
    /// With the credentials of whoever calls the gateway.
    CallerIam(Signing),
    /// With the token that the caller presented.
    JwtPassthrough,
    /// With a key out of the token vault.
    ApiKey(ApiKeyOutbound),
    /// With an OAuth 2.0 access token that the token vault obtains.
    OAuth(OAuthOutbound),
}

/// What a SigV4 signature is made for (API type `IamCredentialProvider`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// The signing name of the service.
    pub service: Option<String>,
    /// The region; absent, the gateway's own.
    pub region: Option<String>,
}

/// A key out of the token vault (API type `ApiKeyCredentialProvider`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyOutbound {
    /// The credential provider.
    pub provider: Arn,
    /// Whether it goes into a header or into the query.
    pub location: ApiKeyLocation,
    /// The header's or parameter's name; absent, `Authorization` for headers and `api_key` for queries.
    pub parameter: Option<String>,
    /// What stands before the key, and a space between them; absent, `Bearer` in an `Authorization` header.
    pub prefix: Option<String>,
}

/// Where a key goes (API type `ApiKeyCredentialLocation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApiKeyLocation {
    /// A header.
    Header,
    /// A parameter of the query.
    Query,
}

/// A token that the token vault obtains (API type `OAuthCredentialProvider`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthOutbound {
    /// The credential provider.
    pub provider: Arn,
    /// The scopes that are asked for.
    pub scopes: Vec<String>,
    /// How the token is obtained.
    pub grant: OAuthGrant,
    /// Further parameters for the token endpoint.
    pub custom_parameters: BTreeMap<String, String>,
    /// Where a user returns to after consenting.
    pub default_return_url: Option<String>,
}

/// How a token is obtained (API type `OAuthGrantType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OAuthGrant {
    /// For the gateway itself (RFC 6749, section 4.4).
    ClientCredentials,
    /// For a user who consented (RFC 6749, section 4.1).
    AuthorizationCode,
    /// For the user whose token is exchanged (RFC 8693).
    TokenExchange,
}

/// What passes through the gateway besides the message (API type `MetadataConfiguration`). Names of headers are in
/// lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Propagation {
    /// Headers of the caller that the upstream gets.
    pub request_headers: Vec<String>,
    /// Query parameters of the caller that the upstream gets.
    pub query_parameters: Vec<String>,
    /// Headers of the upstream that the caller gets.
    pub response_headers: Vec<String>,
}
