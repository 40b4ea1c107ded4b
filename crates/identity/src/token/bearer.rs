//! Where a request has its token.

use http::HeaderMap;

/// The bearer token of a request (RFC 6750, section 2.1): in the header, once.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut headers = headers.get_all("authorization").iter();
    let (header, None) = (headers.next()?, headers.next()) else { return None };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
