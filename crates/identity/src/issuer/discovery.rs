//! The metadata of an issuer: OpenID Connect Discovery 1.0, section 4, and RFC 8414, section 3.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::token::KeySetError;

/// What is read of an issuer's metadata.
#[derive(Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) jwks_uri: String,
    /// Told to people only, so it may be anything.
    pub(super) token_endpoint: Option<Value>,
}

impl Metadata {
    /// Reads metadata, and refuses those of another issuer than the one that the URL stands for: otherwise whoever can
    /// place a document anywhere could speak for everyone (OpenID Connect Discovery, section 4.3; RFC 8414,
    /// section 3.3).
    pub(super) fn read(url: &str, bytes: &[u8]) -> Result<Self, DiscoveryError> {
        strict_json::check(bytes)
            .map_err(|error| DiscoveryError::Unreadable(url.to_owned(), error.to_string()))?;
        let metadata: Self = serde_json::from_slice(bytes)
            .map_err(|error| DiscoveryError::Unreadable(url.to_owned(), error.to_string()))?;
        if issuer_of(url).is_none() {
            return Err(DiscoveryError::Url(url.to_owned()));
        }
        if !is_of_issuer(url, &metadata.issuer) {
            return Err(DiscoveryError::OtherIssuer { url: url.to_owned(), issuer: metadata.issuer });
        }
        Ok(metadata)
    }
}

/// Whether a discovery URL is this issuer's.
pub(crate) fn is_of_issuer(url: &str, issuer: &str) -> bool {
    let bare = |issuer: &str| issuer.strip_suffix('/').unwrap_or(issuer).to_owned();
    issuer_of(url).is_some_and(|expected| bare(&expected) == bare(issuer)) || is_of_entra_tenant(url, issuer)
}

/// Entra serves the metadata of its issuers under other names than theirs: tokens of version 1.0 are issued by
/// `https://sts.windows.net/{tenant id}/`, and a tenant may be written by a domain of its own, while the issuer always has
/// its id (developer guide, "Microsoft", inbound). Both hosts are Microsoft's; a tenant that is written by its id must be the
/// issuer's. `common` and `organizations` stand for no tenant, and their issuer is none.
fn is_of_entra_tenant(url: &str, issuer: &str) -> bool {
    let Some(path) = url.strip_prefix("https://login.microsoftonline.com/") else { return false };
    let (tenant, issued) = match path.strip_suffix("/.well-known/openid-configuration") {
        Some(path) => match path.strip_suffix("/v2.0") {
            Some(tenant) => {
                let inner = issuer.strip_prefix("https://login.microsoftonline.com/");
                (tenant, inner.and_then(|inner| inner.strip_suffix("/v2.0")))
            }
            None => {
                let inner = issuer.strip_prefix("https://sts.windows.net/");
                (path, inner.and_then(|inner| inner.strip_suffix('/')))
            }
        },
        None => return false,
    };
    let stands_for_many = matches!(tenant, "common" | "organizations" | "consumers");
    issued.is_some_and(|issued| {
        is_guid(issued) && !stands_for_many && (tenant.eq_ignore_ascii_case(issued) || is_domain(tenant))
    })
}

/// `8-4-4-4-12` hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// A tenant by one of its domains.
fn is_domain(tenant: &str) -> bool {
    tenant.contains('.')
        && tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

/// The issuer whose metadata a discovery URL serves. The well-known part stands behind the whole issuer (OpenID Connect
/// Discovery, section 4) or between its host and its path (RFC 8414, section 3.1), and nowhere else: what follows it on
/// the same line of the path would make one issuer's URL speak for another.
fn issuer_of(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok()?;
    let (before, after) = parsed.path().split_once("/.well-known/")?;
    let rest = after
        .strip_prefix("openid-configuration")
        .or_else(|| after.strip_prefix("oauth-authorization-server"))?;
    let stands_well = rest.is_empty() || (before.is_empty() && rest.starts_with('/'));
    let origin = parsed.origin().ascii_serialization();
    stands_well.then(|| format!("{origin}{before}{rest}"))
}

/// Metadata or keys that are not what they must be.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// It is no discovery URL.
    #[error(
        "`{0}` is no discovery URL: it must end in /.well-known/openid-configuration or name /.well-known/oauth-authorization-server"
    )]
    Url(String),
    /// The document cannot be read.
    #[error("`{0}` does not serve an issuer's metadata: {1}")]
    Unreadable(String, String),
    /// The document is another issuer's.
    #[error("`{url}` serves the metadata of another issuer, `{issuer}`")]
    OtherIssuer {
        /// What was fetched.
        url: String,
        /// Whose metadata they are.
        issuer: String,
    },
    /// The key set cannot be read.
    #[error("`{0}`: {1}")]
    Keys(String, KeySetError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_what_the_url_stands_for() {
        for (url, issuer) in [
            ("https://a.example/.well-known/openid-configuration", "https://a.example"),
            ("https://a.example/t/v2.0/.well-known/openid-configuration", "https://a.example/t/v2.0"),
            ("https://a.example/.well-known/oauth-authorization-server/t", "https://a.example/t"),
            ("https://a.example/.well-known/openid-configuration/t", "https://a.example/t"),
            ("http://127.0.0.1:4848/p/.well-known/openid-configuration", "http://127.0.0.1:4848/p"),
        ] {
            assert_eq!(issuer_of(url).as_deref(), Some(issuer));
        }
        for url in [
            "https://a.example/openid-configuration",
            "https://a.example/.well-known/openid-configuration.b.example",
            "https://a.example/.well-known/openid-configurations/t",
            "https://a.example/t/.well-known/openid-configuration/u",
            "https://a.example/.well-known/jwks.json",
        ] {
            assert_eq!(issuer_of(url), None, "{url}");
        }
    }

    #[test]
    fn an_entra_tenant_is_known_by_its_other_names() {
        let (tenant, other) =
            ("9a3b2c1d-0e4f-4a5b-8c6d-7e8f9a0b1c2d", "00000000-0e4f-4a5b-8c6d-7e8f9a0b1c2d");
        let url =
            |path: &str| format!("https://login.microsoftonline.com/{path}/.well-known/openid-configuration");
        let (one, two) = (
            format!("https://sts.windows.net/{tenant}/"),
            format!("https://login.microsoftonline.com/{tenant}/v2.0"),
        );
        assert!(is_of_issuer(&url(tenant), &one));
        assert!(is_of_issuer(&url(&format!("{tenant}/v2.0")), &two));
        assert!(is_of_issuer(&url("contoso.onmicrosoft.com"), &one));
        assert!(is_of_issuer(&url("contoso.onmicrosoft.com/v2.0"), &two));
        for (path, issuer) in [
            // Each version's metadata are of its own issuer.
            (tenant.to_owned(), two.clone()),
            (format!("{tenant}/v2.0"), one.clone()),
            (other.to_owned(), one.clone()),
            (format!("{other}/v2.0"), two.clone()),
            ("common".to_owned(), one.clone()),
            ("common/v2.0".to_owned(), "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned()),
            ("organizations/v2.0".to_owned(), two.clone()),
            ("contoso.com/x".to_owned(), one.clone()),
            (tenant.to_owned(), "https://sts.windows.net/contoso.com/".to_owned()),
            (tenant.to_owned(), format!("https://sts.windows.net.evil.example/{tenant}/")),
        ] {
            assert!(!is_of_issuer(&url(&path), &issuer), "{path} {issuer}");
        }
        let elsewhere = format!("https://login.evil.example/{tenant}/.well-known/openid-configuration");
        assert!(!is_of_issuer(&elsewhere, &one));
    }

    #[test]
    fn another_issuers_metadata_are_refused() {
        let url = "https://a.example/.well-known/openid-configuration";
        let metadata =
            |issuer: &str| format!(r#"{{"issuer":"{issuer}","jwks_uri":"https://a.example/keys"}}"#);
        assert!(Metadata::read(url, metadata("https://a.example").as_bytes()).is_ok());
        assert!(Metadata::read(url, metadata("https://a.example/").as_bytes()).is_ok());
        for other in ["https://b.example", "https://a.example//", "http://a.example", "https://a.example/x"] {
            assert!(Metadata::read(url, metadata(other).as_bytes()).is_err(), "{other}");
        }
        assert!(Metadata::read(url, b"<html>").is_err());
        assert!(Metadata::read(url, br#"{"issuer":"https://a.example"}"#).is_err());
    }
}
