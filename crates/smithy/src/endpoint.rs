//! Where a service is called: scheme, host and the path before the operations' own.
//!
//! Host prefixes of the model (`{AccountId}.data-`) are put before AWS's own hosts; an address that an administrator
//! gives is taken as it is, unless asked for otherwise.

use http::Uri;
use http::uri::{Authority, Scheme};

/// An address that operations are called at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    /// The path before the operations' own, without a slash at its end.
    pub(crate) path: String,
    pub(crate) prefixed: bool,
}

/// An address that no service can be called at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// It is no such URL.
    #[error(
        "`{0}` is no endpoint: give `https://host`, with a port or a path if need be, and nothing after it"
    )]
    NotAnEndpoint(String),
    /// The region is none.
    #[error("`{0}` is no AWS region")]
    Region(String),
    /// The model does not say.
    #[error("the Smithy model does not say where its service is: give its endpoint")]
    Unknown,
}

impl Endpoint {
    /// The host of a service in an AWS region: `https://{prefix}.{region}.amazonaws.com`, and China's own domain there.
    ///
    /// # Errors
    /// [`InvalidEndpoint`], when one of the two makes no host.
    pub fn regional(prefix: &str, region: &str) -> Result<Self, InvalidEndpoint> {
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || region.len() > 32 || !region.bytes().all(sound) {
            return Err(InvalidEndpoint::Region(region.to_owned()));
        }
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let host = format!("{prefix}.{region}.{domain}");
        let host_sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if prefix.is_empty() || !host.bytes().all(host_sound) {
            return Err(InvalidEndpoint::NotAnEndpoint(host));
        }
        Ok(Self::explicit(&format!("https://{host}"))?.with_host_prefixes())
    }

    /// An address as it was given: `http` or `https`, a host, perhaps a port and a path.
    ///
    /// # Errors
    /// [`InvalidEndpoint`], when it is something else, or names a user or a query.
    pub fn explicit(text: &str) -> Result<Self, InvalidEndpoint> {
        let wrong = || InvalidEndpoint::NotAnEndpoint(text.chars().take(200).collect());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let authority = parts.authority.filter(|authority| !authority.as_str().contains('@'));
        let path = parts.path_and_query.ok_or_else(wrong)?;
        let dotted = path.path().split('/').any(|segment| matches!(segment, "." | ".."));
        if path.query().is_some() || dotted || text.contains('#') {
            return Err(wrong());
        }
        Ok(Self {
            scheme: scheme.ok_or_else(wrong)?,
            authority: authority.ok_or_else(wrong)?,
            path: path.path().trim_end_matches('/').to_owned(),
            prefixed: false,
        })
    }

    /// The same, with the model's host prefixes before its host.
    #[must_use]
    pub fn with_host_prefixes(self) -> Self {
        Self { prefixed: true, ..self }
    }

    /// The host, with its port if it has one.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        let found = Endpoint::explicit("http://127.0.0.1:4848/base/").unwrap();
        assert_eq!((found.authority(), found.path.as_str()), ("127.0.0.1:4848", "/base"));
        assert_eq!(
            Endpoint::regional("s3", "cn-north-1").unwrap().authority(),
            "s3.cn-north-1.amazonaws.com.cn"
        );
        for wrong in
            ["", "h", "/x", "ftp://h/", "https://u:p@h/", "https://h/?x", "https://h/#x", "https://h/../x"]
        {
            assert!(Endpoint::explicit(wrong).is_err(), "{wrong}");
        }
        for (prefix, region) in
            [("s3", ""), ("s3", "a.b"), ("s3", "x/../"), ("", "us-east-1"), ("a/b", "us-east-1")]
        {
            assert!(Endpoint::regional(prefix, region).is_err(), "{prefix} {region}");
        }
    }
}
