//! Where a client may have browsers sent: `CallbackURLs` and `LogoutURLs`.
//!
//! Source: `CreateUserPoolClient`; RFC 6749, section 3.1.2 (absolute, no fragment); RFC 8252, sections 7.1 and 7.3
//! (schemes of an app's own, loopback addresses).

use super::invalid;
use crate::fault::Failure;

/// Schemes whose URLs a browser executes, or that read from its machine.
const NEVER: [&str; 7] = ["javascript", "data", "vbscript", "file", "blob", "about", "filesystem"];

/// Refuses what no browser may be sent to.
pub(super) fn check(urls: &[String]) -> Result<(), Failure> {
    urls.iter().try_for_each(|url| check_one(url))
}

fn check_one(url: &str) -> Result<(), Failure> {
    let wrong = |why: &str| Err(invalid(format!("The URL {url} cannot be used: {why}.")));
    let Some((scheme, rest)) = url.split_once(':') else { return wrong("it has no scheme") };
    let is_scheme = scheme.starts_with(|it: char| it.is_ascii_alphabetic())
        && scheme.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'-' | b'.'));
    if !is_scheme || rest.is_empty() {
        return wrong("it is not absolute");
    }
    if !url.bytes().all(|it| it.is_ascii_graphic())
        || url.contains(['\\', '"', '<', '>', '`', '{', '}', '*', ';', ','])
    {
        return wrong("it has characters that a URL has not, or that mean several");
    }
    if url.contains('#') {
        return wrong("it has a fragment");
    }
    let scheme = scheme.to_ascii_lowercase();
    if NEVER.contains(&scheme.as_str()) {
        return wrong("a browser does not fetch it");
    }
    if scheme != "http" && scheme != "https" {
        return Ok(());
    }
    let Some(rest) = rest.strip_prefix("//") else { return wrong("it names no host") };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') {
        return wrong("it names no host, or somebody at one");
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    if scheme == "http" && !matches!(host, "localhost" | "127.0.0.1" | "::1") {
        return wrong("plain http is for this machine alone (localhost, 127.0.0.1, [::1])");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_absolute_safe_and_without_a_fragment() {
        for good in [
            "https://app.example.com/callback?from=pool",
            "http://localhost:3000/cb",
            "http://127.0.0.1/cb",
            "http://[::1]:4000/cb",
            "com.example.app:/oauth",
            "myapp://callback",
        ] {
            assert!(check_one(good).is_ok(), "{good}");
        }
        for bad in [
            "http://app.example.com/cb",
            "https://app.example.com/cb#x",
            "https://user@app.example.com/",
            "https://",
            "https:app",
            "/relative",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://*.example.com/",
            "https://a.example/\\b",
            "http://localhost@evil.example/",
            "http://localhost.evil.example/",
        ] {
            assert!(check_one(bad).is_err(), "{bad}");
        }
    }
}
