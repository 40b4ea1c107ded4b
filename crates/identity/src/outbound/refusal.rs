//! Why there is no credential. Texts are for the owner of a target: they name endpoints, states and the error codes of
//! OAuth, and nothing that an authorization server wrote freely, because that may be the secret that it was sent.

use std::fmt;
use std::sync::Arc;

use domain::{Arn, Secret};
use egress::EgressError;
use store::StoreError;

use crate::web_identity::WebIdentityError;

/// Why there is no credential.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The ARN names something else.
    #[error(
        "`{0}` names no credential provider: its resource must be token-vault/default/apikeycredentialprovider/NAME or token-vault/default/oauth2credentialprovider/NAME"
    )]
    NoProvider(Arn),
    /// The provider is another's.
    #[error(
        "the credential provider `{0}` is in another account or region: use one that is where its user is"
    )]
    Elsewhere(Arn),
    /// There is no such provider.
    #[error("the credential provider `{0}` does not exist: create it, or name another")]
    Unknown(Arn),
    /// The provider gives something else than what is needed.
    #[error("the credential provider `{provider}` gives {gives}: the credentialProviderType does not fit it")]
    OtherKind {
        /// The provider.
        provider: Arn,
        /// What it gives.
        gives: &'static str,
    },
    /// The secret that the provider's owner keeps cannot be used.
    #[error("the secret `{secret}` cannot be used: {why}")]
    External {
        /// The secret.
        secret: Arn,
        /// Why it cannot be.
        why: &'static str,
    },
    /// The KMS key that protects the token vault cannot be used now, or the secret was given up with one.
    #[error("{0}")]
    KeyUnusable(String),
    /// A grant that is not served.
    #[error("the grant type {0} is not supported: use CLIENT_CREDENTIALS")]
    Grant(&'static str),
    /// There is no token to exchange.
    #[error(
        "a token can be had on behalf of a person only with their own token: get the workload access token with GetWorkloadAccessTokenForJWT"
    )]
    NoPerson,
    /// The provider's requests speak of the identity that asks, and there is none.
    #[error(
        "the provider's token endpoint is told which identity of the account asks, and this request has none: ask as a user or a role"
    )]
    NoIdentity,
    /// There is no token that says who asks.
    #[error("no web identity token can be had: {0}")]
    WebIdentity(#[from] WebIdentityError),
    /// The provider exchanges no tokens.
    #[error(
        "the credential provider `{0}` does not say how it gets tokens on behalf of people: make it a CustomOauth2 with onBehalfOfTokenExchangeConfig"
    )]
    NoExchange(Arn),
    /// The provider has no secret to prove its client with.
    #[error(
        "the credential provider `{0}` has no client secret, and this grant needs one: give clientSecret"
    )]
    NoSecret(Arn),
    /// The key of the provider's client cannot sign.
    #[error("the key of the credential provider `{0}` cannot be used: update the provider")]
    NoKey(Arn),
    /// A parameter that is ours to set.
    #[error("the custom parameter `{0}` cannot be set: Portcullis writes it into the request itself")]
    Parameter(String),
    /// Parameters that are more than an authorization request may have.
    #[error("there are too many custom parameters: 10 are allowed, of 4 KiB together")]
    Parameters,
    /// Nobody may be sent where a call wants them sent.
    #[error(
        "the return URL is none of the allowedResourceOauth2ReturnUrls of the workload identity `{0}`: register it there"
    )]
    ReturnUrl(String),
    /// An endpoint that cannot be used.
    #[error("the endpoint `{url}` cannot be used: {why}")]
    Endpoint {
        /// The endpoint, without its query.
        url: String,
        /// Why it cannot be.
        why: &'static str,
    },
    /// The server's metadata cannot be used.
    #[error("the discovery URL `{url}` does not lead to a token endpoint: {why}")]
    Discovery {
        /// The discovery URL.
        url: String,
        /// Why it does not.
        why: &'static str,
    },
    /// No answer.
    #[error("`{url}` cannot be reached: {cause}")]
    Unreachable {
        /// The endpoint, without its query.
        url: String,
        /// Why it cannot be.
        cause: Arc<EgressError>,
    },
    /// The token endpoint refused.
    #[error("the token endpoint `{url}` refused with status {status}{}", told(*.code))]
    Refused {
        /// The endpoint, without its query.
        url: String,
        /// Its status.
        status: u16,
        /// Its error, if it is one that OAuth knows (RFC 6749, section 5.2).
        code: Option<&'static str>,
        /// What else it wrote.
        said: Option<Said>,
    },
    /// The token endpoint's answer is not one.
    #[error("the token endpoint `{url}` gave an answer that cannot be used: {why}")]
    Answer {
        /// The endpoint, without its query.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(Arc<StoreError>),
    /// The work ended before its time.
    #[error("the request for a token was interrupted; try again")]
    Interrupted,
}

/// What an authorization server wrote freely about an error: `error` and `error_description` (RFC 6749, section 5.2). It may
/// be the secret that it was sent, so it is in no text of a refusal, and only for those who take secrets out of it.
#[derive(Clone)]
pub struct Said(pub Secret);

impl fmt::Debug for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Said")
    }
}

impl Refusal {
    /// What the server wrote about its error.
    #[must_use]
    pub fn said(&self) -> Option<&Said> {
        match self {
            Self::Refused { said, .. } => said.as_ref(),
            _ => None,
        }
    }

    /// The error of OAuth with which the server refused.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused { code, .. } => *code,
            _ => None,
        }
    }

    /// The endpoint that failed, when one was asked.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::Endpoint { url, .. }
            | Self::Discovery { url, .. }
            | Self::Unreachable { url, .. }
            | Self::Refused { url, .. }
            | Self::Answer { url, .. } => Some(url),
            _ => None,
        }
    }

    /// The status with which it failed.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyUnusable(why) => Self::KeyUnusable(why),
            error => Self::Store(Arc::new(error)),
        }
    }
}

/// What a code means, and what to do about it.
fn told(code: Option<&'static str>) -> String {
    let Some(code) = code else { return String::new() };
    let advice = match code {
        "invalid_client" => "look at clientId, clientSecret and clientAuthenticationMethod of the provider",
        "invalid_scope" => "look at the scopes of the target, and at what the client may have",
        "unauthorized_client" | "unsupported_grant_type" => {
            "the client must be allowed the grant that was used, such as the client credentials grant"
        }
        "invalid_grant" => {
            "what was presented is not accepted there: a person's token may have expired, be for another audience, or be of an issuer that the server does not trust"
        }
        "invalid_target" | "invalid_request" => "look at the scopes and customParameters of the target",
        _ => return format!(" and `{code}`"),
    };
    format!(" and `{code}`: {advice}")
}
