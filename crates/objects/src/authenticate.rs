//! Who asks, proven before a byte of the body is read; and by what the body will be proven.

use std::sync::Arc;

use aws::sigv4::{ChunkSignatures, LegacyPresigned, PathStyle, Presigned, Request, SignatureError, Signed};
use domain::Region;
use http::request::Parts;
use identity::principal::{Identity, PrincipalError};

use crate::fault::Failure;
use crate::plane::Setup;
use crate::target::Target;

/// Who asks.
pub(crate) struct Caller {
    pub(crate) identity: Arc<Identity>,
    /// The region that was signed for; the older presigned URLs name none.
    pub(crate) region: Option<Region>,
    pub(crate) payload: Payload,
}

/// By what the body is proven.
pub(crate) enum Payload {
    /// Its SHA-256 is in the signature, in hexadecimal.
    Signed(String),
    /// Nothing: the signature says that it leaves the body out.
    Unsigned,
    /// It comes in chunks, which are signed or not.
    Chunked { signatures: Option<Box<ChunkSignatures>>, trailer: bool },
}

/// Proves who asks. Anonymous callers are nobody whom a policy could allow anything here.
pub(crate) async fn authenticate(setup: &Setup, head: &Parts, target: &Target) -> Result<Caller, Failure> {
    let query = head.uri.query().unwrap_or_default();
    let headers: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let request =
        Request { method: head.method.as_str(), path: head.uri.path(), query, headers: &headers, body: b"" };
    let in_header = head.headers.contains_key("authorization");
    let (presigned, legacy) = (Presigned::is_claimed(query), LegacyPresigned::is_claimed(query));
    if [in_header, presigned, legacy].into_iter().filter(|claimed| *claimed).count() > 1 {
        return Err(Failure::new(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
        ));
    }
    let content = head.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    if legacy {
        let claims = LegacyPresigned::parse(query).map_err(|error| refusal(&error, true))?;
        let identity = find(setup, claims.access_key_id(), claims.session_token()).await?;
        claims
            .verify(&request, &target.path, &identity.secret, setup.clock.now())
            .map_err(|error| refusal(&error, true))?;
        return Ok(Caller { identity, region: None, payload: payload(content, None)? });
    }
    if presigned {
        let claims = Presigned::parse(query).map_err(|error| refusal(&error, true))?;
        let signed = claims.of(request).map_err(|error| refusal(&error, true))?;
        return prove(setup, &signed, content, content.unwrap_or("UNSIGNED-PAYLOAD"), true).await;
    }
    if !in_header {
        return Err(Failure::new(
            "AccessDenied",
            "Access Denied: the request is not signed, and nothing here is open to everyone. Sign it with Signature Version 4.",
        ));
    }
    let signed = Signed::read(request).map_err(|error| refusal(&error, false))?;
    let claimed = content.ok_or_else(|| {
        Failure::new("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    })?;
    prove(setup, &signed, content, claimed, false).await
}

async fn prove(
    setup: &Setup,
    signed: &Signed<'_>,
    content: Option<&str>,
    hashed: &str,
    presigned: bool,
) -> Result<Caller, Failure> {
    if signed.service() != "s3" {
        return Err(Failure::new(
            "AuthorizationHeaderMalformed",
            format!(
                "The authorization header is malformed; incorrect service \"{}\". This endpoint belongs to \"s3\".",
                signed.service()
            ),
        ));
    }
    let identity = find(setup, signed.access_key_id(), signed.session_token()).await?;
    signed
        .verify_head(&identity.secret, setup.clock.now(), PathStyle::Once, hashed)
        .map_err(|error| refusal(&error, presigned))?;
    let signatures = Box::new(signed.chunk_signatures(&identity.secret));
    Ok(Caller {
        identity,
        region: Some(signed.region().clone()),
        payload: payload(content, Some(signatures))?,
    })
}

/// What `x-amz-content-sha256` says about the body.
fn payload(content: Option<&str>, signatures: Option<Box<ChunkSignatures>>) -> Result<Payload, Failure> {
    let unknown = || {
        Failure::new(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        )
    };
    let Some(content) = content else { return Ok(Payload::Unsigned) };
    match content {
        "UNSIGNED-PAYLOAD" => Ok(Payload::Unsigned),
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Payload::Chunked { signatures: None, trailer: true }),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
            let trailer = content.ends_with("-TRAILER");
            Ok(Payload::Chunked { signatures: Some(signatures.ok_or_else(unknown)?), trailer })
        }
        digest if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Payload::Signed(digest.to_ascii_lowercase()))
        }
        _ => Err(unknown()),
    }
}

async fn find(setup: &Setup, key: &str, token: Option<&str>) -> Result<Arc<Identity>, Failure> {
    match setup.principals.find(key, token).await {
        Ok(identity) => Ok(identity),
        Err(PrincipalError::Unknown) if token.is_some() => {
            Err(Failure::new("InvalidToken", "The provided token is malformed or otherwise invalid."))
        }
        Err(PrincipalError::Unknown) => Err(Failure::new(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        )),
        Err(PrincipalError::Expired) => Err(Failure::new("ExpiredToken", "The provided token has expired.")),
        Err(PrincipalError::Store(error)) => Err(error.into()),
        Err(error) => Err(Failure::internal(&error)),
    }
}

/// S3's own words.
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";

fn refusal(error: &SignatureError, presigned: bool) -> Failure {
    let code = match error {
        SignatureError::Missing | SignatureError::Expired => "AccessDenied",
        SignatureError::Incomplete(_) | SignatureError::Scope(_) if presigned => {
            "AuthorizationQueryParametersError"
        }
        SignatureError::Incomplete(_) | SignatureError::Scope(_) => "AuthorizationHeaderMalformed",
        SignatureError::Skewed(_) => "RequestTimeTooSkewed",
        SignatureError::Mismatch => "SignatureDoesNotMatch",
    };
    match error {
        SignatureError::Mismatch => Failure::new(code, MISMATCH),
        error => Failure::new(code, error.to_string()),
    }
}
