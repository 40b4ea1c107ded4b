//! Credential providers: what a gateway or an agent shows to someone else's service, and where it gets that.
//!
//! A provider lives in its account's token vault, which is always called `default`, under a name that is unique for its
//! kind. Its secret is written into it and never read back through an API: only the data plane uses it.

use serde::{Deserialize, Serialize};

use crate::{Arn, ClientKey, OnBehalfOf, Scope, Secret, Timestamp, Vendor};

/// How the names of the secrets in a token vault begin.
const SECRETS_OF_VAULT: &str = "bedrock-agentcore-identity!default/";

/// A credential provider.
#[derive(Clone, Serialize, Deserialize)]
pub struct CredentialProvider {
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique among the providers of its kind in the scope.
    pub name: String,
    /// What tells it from a former one of the same name: a UUID, the last part of its callback URL.
    pub id: String,
    /// What it gives, and how.
    pub settings: CredentialSettings,
    /// The six characters at the end of its secret's ARN.
    pub secret_suffix: String,
    /// Where the secret is, when its owner keeps it as a secret of their own.
    #[serde(default)]
    pub external: Option<ExternalSecret>,
    /// The API key or the client secret. The store keeps it sealed, apart from this document, and lists give none.
    #[serde(skip)]
    pub secret: Option<Secret>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

impl CredentialProvider {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self.settings {
            CredentialSettings::ApiKey => CredentialKind::ApiKey,
            CredentialSettings::OAuth2(_) => CredentialKind::OAuth2,
        }
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::credential_provider(&self.scope, self.kind(), &self.name)
    }

    /// The name of its secret in Secrets Manager.
    #[must_use]
    pub fn secret_name(&self) -> String {
        format!("{}{}/{}", SECRETS_OF_VAULT, self.kind().secret_folder(), self.name)
    }

    /// The ARN of its secret in Secrets Manager: roles are given `secretsmanager:GetSecretValue` on it.
    #[must_use]
    pub fn secret_arn(&self) -> Arn {
        if let Some(external) = &self.external {
            return external.arn.clone();
        }
        Arn::secret(&self.scope, &format!("{}-{}", self.secret_name(), self.secret_suffix))
    }

    /// The kind and the name of the provider whose secret has this name.
    #[must_use]
    pub fn of_secret_name(name: &str) -> Option<(CredentialKind, &str)> {
        let (folder, name) = name.strip_prefix(SECRETS_OF_VAULT)?.split_once('/')?;
        let kinds = [CredentialKind::ApiKey, CredentialKind::OAuth2];
        let kind = kinds.into_iter().find(|kind| kind.secret_folder() == folder)?;
        Some((kind, name))
    }
}

/// A secret that the owner of a provider keeps as one of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecret {
    /// Its ARN, to the last character: another secret of the same name is not meant.
    pub arn: Arn,
    /// What it holds is a JSON object; the secret is the text under this key.
    pub json_key: String,
}

/// The kinds of credential providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialKind {
    /// One API key, the same for everyone.
    ApiKey,
    /// An OAuth 2.0 client, which gets tokens.
    OAuth2,
}

impl CredentialKind {
    /// The kind as ARNs write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "apikeycredentialprovider",
            Self::OAuth2 => "oauth2credentialprovider",
        }
    }

    /// The kind as the names of secrets write it.
    fn secret_folder(self) -> &'static str {
        match self {
            Self::ApiKey => "apikey",
            Self::OAuth2 => "oauth2",
        }
    }
}

/// What a provider gives, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum CredentialSettings {
    /// Its API key.
    ApiKey,
    /// Tokens of an authorization server.
    OAuth2(OAuth2Settings),
}

/// An OAuth 2.0 client of an authorization server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuth2Settings {
    /// Whose the server is.
    #[serde(default)]
    pub vendor: Vendor,
    /// Where the authorization server's metadata are.
    pub discovery: OAuth2Discovery,
    /// `client_id`.
    pub client_id: String,
    /// How the client proves who it is, when that was said; otherwise the server's metadata decide.
    pub authentication: Option<ClientAuthentication>,
    /// How it gets tokens for people whose token came in, when that was said; otherwise its vendor decides.
    #[serde(default)]
    pub on_behalf_of: Option<OnBehalfOf>,
    /// The key of a client that proves who it is by [`ClientAuthentication::PrivateKey`]. What the provider keeps sealed is
    /// its private half then, and no secret.
    #[serde(default)]
    pub client_key: Option<Box<ClientKey>>,
}

impl OAuth2Settings {
    /// A client of a server; how it proves who it is, and whether it acts for people, is left to the vendor and its metadata.
    #[must_use]
    pub fn new(vendor: Vendor, discovery: OAuth2Discovery, client_id: String) -> Self {
        Self { vendor, discovery, client_id, authentication: None, on_behalf_of: None, client_key: None }
    }
}

/// Where an authorization server's metadata are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OAuth2Discovery {
    /// They are fetched from here (OpenID Connect Discovery 1.0; RFC 8414).
    Url(String),
    /// They were given.
    Metadata(AuthorizationServer),
}

/// The metadata of an authorization server (RFC 8414, section 2), as far as they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationServer {
    /// `issuer`.
    pub issuer: String,
    /// `authorization_endpoint`.
    pub authorization_endpoint: String,
    /// `token_endpoint`.
    pub token_endpoint: String,
    /// `response_types_supported`, when given.
    pub response_types: Option<Vec<String>>,
    /// `token_endpoint_auth_methods_supported`, when given.
    pub authentication_methods: Option<Vec<String>>,
}

/// How a client proves who it is at a token endpoint (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientAuthentication {
    /// `client_secret_basic`: in the `Authorization` header.
    Basic,
    /// `client_secret_post`: in the body.
    Post,
    /// `private_key_jwt`, by a web identity token of AWS STS (RFC 7523, section 2.2).
    IamIdentity,
    /// `private_key_jwt`, by a key of its own (RFC 7523, section 2.2).
    PrivateKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountId, Region};

    #[test]
    fn arns_have_the_form_that_role_policies_name() {
        let scope = Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() };
        let provider = CredentialProvider {
            scope: scope.clone(),
            name: "my_key-1".to_owned(),
            id: String::new(),
            settings: CredentialSettings::ApiKey,
            secret_suffix: "a1B2c3".to_owned(),
            external: None,
            secret: None,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            revision: 1,
        };
        let arn = "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default/apikeycredentialprovider/my_key-1";
        assert_eq!(provider.arn().as_str(), arn);
        assert_eq!(
            provider.secret_arn().as_str(),
            "arn:aws:secretsmanager:us-west-2:000000000000:secret:bedrock-agentcore-identity!default/apikey/my_key-1-a1B2c3"
        );
        assert_eq!(
            CredentialProvider::of_secret_name(&provider.secret_name()),
            Some((CredentialKind::ApiKey, "my_key-1"))
        );
        assert_eq!(CredentialProvider::of_secret_name("default/apikey/my_key-1"), None);
        let named = Arn::parse(arn).unwrap().as_credential_provider();
        assert_eq!(named, Some((scope, CredentialKind::ApiKey, "my_key-1".to_owned())));
    }

    #[test]
    fn other_arns_name_no_provider() {
        for arn in [
            "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default",
            "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default/apikeycredentialprovider/",
            "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default/apikeycredentialprovider/a/b",
            "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/other/apikeycredentialprovider/a",
            "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default/paymentcredentialprovider/a",
            "arn:aws:bedrock-agentcore:us-west-2::token-vault/default/apikeycredentialprovider/a",
            "arn:aws:lambda:us-west-2:000000000000:token-vault/default/apikeycredentialprovider/a",
        ] {
            assert_eq!(Arn::parse(arn).unwrap().as_credential_provider(), None, "{arn}");
        }
        // The form that the model's patterns have.
        let acps = "arn:aws:acps:us-west-2:000000000000:token-vault/default/oauth2credentialprovider/a";
        assert!(Arn::parse(acps).unwrap().as_credential_provider().is_some());
    }
}
