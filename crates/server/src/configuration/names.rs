//! The names by which clients reach the server.

use std::fmt;
use std::str::FromStr;

/// The URL under which clients reach this server: `http://` or `https://`, a host, perhaps a port and a path; no query,
/// no fragment, no user, and no slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl(String);

impl FromStr for PublicUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no public URL: write it like https://gate.example.com");
        let trimmed = text.trim_end_matches('/');
        let uri: http::Uri = trimmed.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let sound = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.query().is_none()
            && !authority.as_str().contains('@')
            && !trimmed.contains('#');
        if sound { Ok(Self(trimmed.to_owned())) } else { Err(wrong()) }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A host under which requests may come, without scheme, port or path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostName(String);

impl FromStr for HostName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bracketed = text.starts_with('[') && text.ends_with(']');
        let named = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if bracketed || named {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "`{text}` is no host name: write it like gate.example.com, without scheme, port or path"
            ))
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
