//! Signs a request on its way out: what a gateway sends to a service in the name of a role.
//!
//! The signature is made last, over the request as it will be sent. What proxies on the way add or rewrite is left out
//! of it, everything else is in it, so that nobody can add an `x-amz-` header or change one. Source: "Create a signed
//! AWS API request" in the IAM User Guide; the rules for S3 stand there in steps 1 and 2.

use aws_lc_rs::digest;
use bytes::Bytes;
use domain::{Region, Secret, Timestamp};
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};

use super::{PathStyle, Request, Signer, basic};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// Headers that may change on the way: hop-by-hop ones (RFC 9110, section 7.6.1) and those that clients and proxies
/// write for themselves. AWS's own clients leave out the same.
const NOT_SIGNED: [&str; 12] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// Who signs.
#[derive(Clone)]
pub struct Credentials {
    /// The key's public part.
    pub access_key_id: String,
    /// The key's secret part.
    pub secret: Secret,
    /// The session's token, when the key is a session's.
    pub session_token: Option<Secret>,
}

/// A request that no signature can be made for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsignableRequest {
    /// The address names no host, and no `host` header does either.
    #[error("the request names no host to sign for")]
    NoHost,
    /// A header's value cannot be written in a canonical request.
    #[error("the value of the header `{0}` is not UTF-8 and cannot be signed")]
    Header(String),
    /// The credentials hold bytes that no header may hold.
    #[error("the credentials cannot be written into a header: ask for new ones")]
    Credentials,
}

/// Signs a request as it stands: `host`, `x-amz-date`, the session's token and `Authorization` are added (those that
/// are there already are replaced, but for `host`), and for S3, or where one is there already, `x-amz-content-sha256`.
///
/// # Errors
/// [`UnsignableRequest`]; the request may then have some of the headers, but never `Authorization`.
pub fn sign(
    request: &mut http::Request<Bytes>,
    credentials: &Credentials,
    service: &str,
    region: &Region,
    now: Timestamp,
) -> Result<(), UnsignableRequest> {
    let (is_s3, date) = (is_s3(service), basic(now));
    let body = hex::encode(digest::digest(&digest::SHA256, request.body()));
    let host = host(request.uri());
    let headers = request.headers_mut();
    for name in [AUTHORIZATION, DATE, TOKEN] {
        headers.remove(name);
    }
    if !headers.contains_key(HOST) {
        headers.insert(HOST, value(&host.ok_or(UnsignableRequest::NoHost)?)?);
    }
    headers.insert(DATE, value(&date)?);
    if is_s3 || headers.contains_key(CONTENT_HASH) {
        headers.insert(CONTENT_HASH, value(&body)?);
    }
    if let Some(token) = &credentials.session_token {
        headers.insert(TOKEN, secret_value(token.expose())?);
    }
    let signer = Signer {
        access_key_id: &credentials.access_key_id,
        secret: &credentials.secret,
        session_token: None,
        region,
        service,
    };
    let style = if is_s3 { PathStyle::Verbatim } else { PathStyle::Normalized };
    let written = {
        let signed = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let signed: Vec<_> = signed.filter(|(name, _)| !NOT_SIGNED.contains(name)).collect();
        if let Some((name, _)) = signed.iter().find(|(_, value)| std::str::from_utf8(value).is_err()) {
            return Err(UnsignableRequest::Header((*name).to_owned()));
        }
        let claim = Request {
            method: request.method().as_str(),
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            headers: &signed,
            body: request.body(),
        };
        signer.authorization(&claim, &date, &body, style)
    };
    request.headers_mut().insert(AUTHORIZATION, secret_value(&written)?);
    Ok(())
}

/// The services that read the path as it was sent and want the body's hash in a header.
fn is_s3(service: &str) -> bool {
    matches!(service, "s3" | "s3-object-lambda" | "s3-outposts" | "s3express")
}

/// What a client writes into `host`: the port only where it is not the scheme's own.
fn host(uri: &http::Uri) -> Option<String> {
    let own = match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    let host = uri.host()?;
    match uri.port_u16().filter(|port| Some(*port) != own) {
        Some(port) => Some(format!("{host}:{port}")),
        None => Some(host.to_owned()),
    }
}

fn value(text: &str) -> Result<HeaderValue, UnsignableRequest> {
    HeaderValue::from_str(text).map_err(|_| UnsignableRequest::Credentials)
}

fn secret_value(text: &str) -> Result<HeaderValue, UnsignableRequest> {
    let mut value = value(text)?;
    value.set_sensitive(true);
    Ok(value)
}
