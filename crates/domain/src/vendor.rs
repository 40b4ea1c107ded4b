//! The vendors whose OAuth 2.0 servers are known by name, in one table: where they are, how clients prove who they are
//! there, what their answers have of their own, and what makes them give refresh tokens. Each row is the vendor's own
//! documentation, "OAuth 2.0" or "OpenID Connect"; those with tenants have no address before the tenant's is given.

use serde::{Deserialize, Serialize};

use crate::{
    AuthorizationServer, ClientAuthentication, OAuth2Discovery, OnBehalfOf, OnBehalfOfClient, OnBehalfOfGrant,
};

/// What stands for a tenant in an address.
const TENANT: &str = "{tenant}";
/// Where a server's metadata are, after its issuer (OpenID Connect Discovery 1.0, section 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Whose authorization server it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are the names of companies and products")]
pub enum Vendor {
    /// One that its owner describes.
    #[default]
    Custom,
    Google,
    Github,
    Slack,
    Salesforce,
    Microsoft,
    Atlassian,
    Linkedin,
    X,
    Okta,
    OneLogin,
    PingOne,
    Facebook,
    Yandex,
    Reddit,
    Zoom,
    Twitch,
    Spotify,
    Dropbox,
    Notion,
    Hubspot,
    CyberArk,
    FusionAuth,
    Auth0,
    Cognito,
}

/// How a token endpoint's answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAnswer {
    /// As RFC 6749, section 5.1, has it.
    Standard,
    /// The same, but `token_type` may be missing: it is a bearer token.
    Untyped,
    /// With `ok`, which says whether it went well, and `token_type` `bot` or `user` for what is a bearer token.
    Slack,
}

/// What makes a vendor give a refresh token, where it takes more than consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshHint {
    /// Nothing more, or nothing does.
    Nothing,
    /// A scope.
    Scope(&'static str),
    /// A parameter of the authorization request, and its value.
    Parameter(&'static str, &'static str),
    /// A setting of the client, at the vendor's.
    Setting,
}

/// What is known of a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorFacts {
    /// Where its server is; nothing for a vendor whose tenants have servers of their own.
    pub server: Option<VendorServer>,
    /// How clients prove who they are, where its metadata do not say.
    pub authentication: Option<ClientAuthentication>,
    /// How its token endpoint answers.
    pub answer: TokenAnswer,
    /// What makes it give a refresh token.
    pub refresh: RefreshHint,
    /// The parameter with which its server takes a person's token as an authorization grant (RFC 7523, section 2.1), and
    /// the parameter's value; nothing where that is not known of it.
    pub on_behalf_of: Option<(&'static str, &'static str)>,
}

/// Where a vendor's server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorServer {
    issuer: &'static str,
    authorization_endpoint: &'static str,
    token_endpoint: &'static str,
    /// Whether its metadata are where OpenID Connect wants them.
    is_discoverable: bool,
}

impl Vendor {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Custom,
        Self::Google,
        Self::Github,
        Self::Slack,
        Self::Salesforce,
        Self::Microsoft,
        Self::Atlassian,
        Self::Linkedin,
        Self::X,
        Self::Okta,
        Self::OneLogin,
        Self::PingOne,
        Self::Facebook,
        Self::Yandex,
        Self::Reddit,
        Self::Zoom,
        Self::Twitch,
        Self::Spotify,
        Self::Dropbox,
        Self::Notion,
        Self::Hubspot,
        Self::CyberArk,
        Self::FusionAuth,
        Self::Auth0,
        Self::Cognito,
    ];

    /// What is known of it.
    #[must_use]
    pub fn facts(self) -> VendorFacts {
        use RefreshHint::{Nothing, Parameter, Scope, Setting};
        match self {
            Self::Custom | Self::Cognito => tenants(Nothing),
            Self::Okta | Self::OneLogin | Self::PingOne | Self::CyberArk | Self::FusionAuth | Self::Auth0 => {
                tenants(Scope("offline_access"))
            }
            Self::Google => discoverable(
                "https://accounts.google.com",
                "https://accounts.google.com/o/oauth2/v2/auth",
                "https://oauth2.googleapis.com/token",
            )
            .refreshed_by(Parameter("access_type", "offline")),
            Self::Github => described(
                "https://github.com",
                "https://github.com/login/oauth/authorize",
                "https://github.com/login/oauth/access_token",
            )
            .refreshed_by(Setting),
            Self::Slack => described(
                "https://slack.com",
                "https://slack.com/oauth/v2/authorize",
                "https://slack.com/api/oauth.v2.access",
            )
            .answering(TokenAnswer::Slack)
            .refreshed_by(Setting),
            Self::Salesforce => discoverable(
                "https://login.salesforce.com",
                "https://login.salesforce.com/services/oauth2/authorize",
                "https://login.salesforce.com/services/oauth2/token",
            )
            .refreshed_by(Scope("refresh_token")),
            Self::Microsoft => discoverable(
                "https://login.microsoftonline.com/{tenant}/v2.0",
                "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
                "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
            )
            .refreshed_by(Scope("offline_access"))
            .exchanging_by(("requested_token_use", "on_behalf_of")),
            Self::Atlassian => described(
                "https://auth.atlassian.com",
                "https://auth.atlassian.com/authorize",
                "https://auth.atlassian.com/oauth/token",
            )
            .refreshed_by(Scope("offline_access")),
            Self::Linkedin => discoverable(
                "https://www.linkedin.com/oauth",
                "https://www.linkedin.com/oauth/v2/authorization",
                "https://www.linkedin.com/oauth/v2/accessToken",
            )
            .answering(TokenAnswer::Untyped)
            .refreshed_by(Setting),
            Self::X => described(
                "https://x.com",
                "https://x.com/i/oauth2/authorize",
                "https://api.x.com/2/oauth2/token",
            )
            .by_header()
            .refreshed_by(Scope("offline.access")),
            Self::Facebook => discoverable(
                "https://www.facebook.com",
                "https://www.facebook.com/dialog/oauth",
                "https://graph.facebook.com/oauth/access_token",
            ),
            Self::Yandex => described(
                "https://oauth.yandex.com",
                "https://oauth.yandex.com/authorize",
                "https://oauth.yandex.com/token",
            ),
            Self::Reddit => described(
                "https://www.reddit.com",
                "https://www.reddit.com/api/v1/authorize",
                "https://www.reddit.com/api/v1/access_token",
            )
            .by_header()
            .refreshed_by(Parameter("duration", "permanent")),
            Self::Zoom => {
                described("https://zoom.us", "https://zoom.us/oauth/authorize", "https://zoom.us/oauth/token")
                    .by_header()
            }
            Self::Twitch => discoverable(
                "https://id.twitch.tv/oauth2",
                "https://id.twitch.tv/oauth2/authorize",
                "https://id.twitch.tv/oauth2/token",
            ),
            Self::Spotify => described(
                "https://accounts.spotify.com",
                "https://accounts.spotify.com/authorize",
                "https://accounts.spotify.com/api/token",
            )
            .by_header(),
            Self::Dropbox => described(
                "https://www.dropbox.com",
                "https://www.dropbox.com/oauth2/authorize",
                "https://api.dropboxapi.com/oauth2/token",
            )
            .by_header()
            .refreshed_by(Parameter("token_access_type", "offline")),
            Self::Notion => described(
                "https://api.notion.com",
                "https://api.notion.com/v1/oauth/authorize",
                "https://api.notion.com/v1/oauth/token",
            )
            .by_header(),
            Self::Hubspot => described(
                "https://app.hubspot.com",
                "https://app.hubspot.com/oauth/authorize",
                "https://api.hubapi.com/oauth/v1/token",
            ),
        }
    }
}

impl VendorServer {
    /// Whether each tenant has addresses of its own on it.
    #[must_use]
    pub fn has_tenants(&self) -> bool {
        self.token_endpoint.contains(TENANT)
    }

    /// Its metadata, for a tenant where it has tenants. The endpoints are those of the table: what a client is shown there
    /// depends on no document of somebody else's.
    #[must_use]
    pub fn metadata(&self, tenant: &str) -> AuthorizationServer {
        AuthorizationServer {
            issuer: self.issuer.replace(TENANT, tenant),
            authorization_endpoint: self.authorization_endpoint.replace(TENANT, tenant),
            token_endpoint: self.token_endpoint.replace(TENANT, tenant),
            response_types: Some(vec!["code".to_owned()]),
            authentication_methods: None,
        }
    }

    /// How others find what [`VendorServer::metadata`] says: by its discovery URL, where it has one.
    #[must_use]
    pub fn discovery(&self, metadata: AuthorizationServer) -> OAuth2Discovery {
        if self.is_discoverable {
            OAuth2Discovery::of_issuer(&metadata.issuer)
        } else {
            OAuth2Discovery::Metadata(metadata)
        }
    }
}

impl OAuth2Discovery {
    /// The discovery URL of an issuer (OpenID Connect Discovery 1.0, section 4).
    #[must_use]
    pub fn of_issuer(issuer: &str) -> Self {
        Self::Url(format!("{}{DISCOVERY}", issuer.trim_end_matches('/')))
    }
}

impl VendorFacts {
    const fn by_header(self) -> Self {
        Self { authentication: Some(ClientAuthentication::Basic), ..self }
    }

    const fn answering(self, answer: TokenAnswer) -> Self {
        Self { answer, ..self }
    }

    const fn refreshed_by(self, refresh: RefreshHint) -> Self {
        Self { refresh, ..self }
    }

    const fn exchanging_by(self, parameter: (&'static str, &'static str)) -> Self {
        Self { on_behalf_of: Some(parameter), ..self }
    }

    /// How its clients get tokens for people whose token came in.
    #[must_use]
    pub fn exchange(&self) -> Option<OnBehalfOf> {
        self.on_behalf_of.map(|_| OnBehalfOf {
            grant: OnBehalfOfGrant::JwtAuthorization,
            client: OnBehalfOfClient::Proven,
        })
    }
}

/// A vendor whose tenants have servers of their own, which are described like any other.
const fn tenants(refresh: RefreshHint) -> VendorFacts {
    VendorFacts {
        server: None,
        authentication: None,
        answer: TokenAnswer::Standard,
        refresh,
        on_behalf_of: None,
    }
}

/// A vendor with one server and without metadata; clients prove who they are in the body.
const fn described(
    issuer: &'static str,
    authorization_endpoint: &'static str,
    token_endpoint: &'static str,
) -> VendorFacts {
    VendorFacts {
        server: Some(VendorServer { issuer, authorization_endpoint, token_endpoint, is_discoverable: false }),
        authentication: Some(ClientAuthentication::Post),
        answer: TokenAnswer::Standard,
        refresh: RefreshHint::Nothing,
        on_behalf_of: None,
    }
}

/// The same with metadata.
const fn discoverable(
    issuer: &'static str,
    authorization_endpoint: &'static str,
    token_endpoint: &'static str,
) -> VendorFacts {
    VendorFacts {
        server: Some(VendorServer { issuer, authorization_endpoint, token_endpoint, is_discoverable: true }),
        ..described(issuer, authorization_endpoint, token_endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_one_of_the_web() {
        for vendor in Vendor::ALL {
            let Some(server) = vendor.facts().server else { continue };
            let metadata = server.metadata("the-tenant");
            for address in [&metadata.issuer, &metadata.authorization_endpoint, &metadata.token_endpoint] {
                assert!(address.starts_with("https://"), "{vendor:?}: {address}");
                assert!(!address.contains('{') && !address.ends_with('/'), "{vendor:?}: {address}");
            }
        }
    }

    #[test]
    fn a_tenant_has_addresses_of_its_own() {
        let server = Vendor::Microsoft.facts().server.unwrap();
        let metadata = server.metadata("contoso.com");
        assert_eq!(
            metadata.token_endpoint,
            "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"
        );
        let url = "https://login.microsoftonline.com/contoso.com/v2.0/.well-known/openid-configuration";
        assert_eq!(server.discovery(metadata), OAuth2Discovery::Url(url.to_owned()));
        let tenants = Vendor::ALL.into_iter().filter(|vendor| vendor.facts().server.is_none()).count();
        assert_eq!(tenants, 8);
    }
}
