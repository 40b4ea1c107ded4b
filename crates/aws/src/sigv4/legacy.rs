//! Presigned URLs of the signature version before this one, which boto3 and the AWS CLI still write by default for S3
//! in the older regions, us-west-2 among them. Nothing else of that version is accepted.
//!
//! Such a signature covers the method, the path, the listed sub-resources and the `x-amz-` headers, with HMAC-SHA1; it
//! does not cover the host or other parameters, so a request with any other parameter is refused.
//! Source: Amazon S3 User Guide, "Appendix: Signature Version 2", query string authentication.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Secret, Timestamp};
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq as _;

use super::{Request, SignatureError};

/// The longest that such a URL may hold from now on: as long as its successor's.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The parameters that name a part of a resource or an overridden header: they are signed with the path.
const SIGNED: &[&str] = &[
    "acl",
    "delete",
    "location",
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "uploadId",
    "uploads",
    "versionId",
];

/// The claims in a query string.
pub struct LegacyPresigned {
    access_key_id: String,
    signature: String,
    expires: String,
    amz: BTreeMap<String, String>,
    content: BTreeMap<String, String>,
    resource: String,
}

impl LegacyPresigned {
    /// Whether a query string claims to be signed this way.
    #[must_use]
    pub fn is_claimed(query: &str) -> bool {
        query.split('&').any(|pair| pair.starts_with("AWSAccessKeyId="))
    }

    /// Takes the claims out of a query string.
    ///
    /// # Errors
    /// [`SignatureError::Incomplete`] when one is missing, or a parameter stands there that would not be signed.
    pub fn parse(query: &str) -> Result<Self, SignatureError> {
        let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) =
                pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
            let decoded = value.map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned());
            if found.insert(name.to_owned(), decoded).is_some() {
                return Err(SignatureError::Incomplete(format!("The parameter {name} stands twice.")));
            }
        }
        let mut take = |name: &str| {
            found.remove(name).flatten().ok_or_else(|| {
                SignatureError::Incomplete(
                    "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
                        .into(),
                )
            })
        };
        let (access_key_id, signature, expires) =
            (take("AWSAccessKeyId")?, take("Signature")?, take("Expires")?);
        let (mut amz, mut content, mut resources) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for (name, value) in found {
            let lower = name.to_ascii_lowercase();
            if lower.starts_with("x-amz-") {
                amz.insert(lower, value.unwrap_or_default());
            } else if lower == "content-type" || lower == "content-md5" {
                content.insert(lower, value.unwrap_or_default());
            } else if SIGNED.contains(&name.as_str()) {
                resources.push(value.map_or(name.clone(), |value| format!("{name}={value}")));
            } else {
                return Err(SignatureError::Incomplete(format!(
                    "A URL that is signed by version 2 cannot carry the parameter {name}, which would not be signed: sign it by version 4."
                )));
            }
        }
        let resource = if resources.is_empty() { String::new() } else { format!("?{}", resources.join("&")) };
        Ok(Self { access_key_id, signature, expires, amz, content, resource })
    }

    /// The key that claims to have signed.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The token of a session, which its key is worth nothing without.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.amz.get("x-amz-security-token").map(String::as_str)
    }

    /// Proves the claims. `path` is the request's, with the bucket before it where the host names the bucket.
    ///
    /// # Errors
    /// [`SignatureError::Expired`] when its time is over, [`SignatureError::Mismatch`] when another secret signed.
    pub fn verify(
        &self,
        request: &Request<'_>,
        path: &str,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let malformed =
            || SignatureError::Incomplete("Expires must be a moment in seconds since 1970".into());
        let until = Timestamp::from_seconds(self.expires.parse().map_err(|_| malformed())?);
        if now >= until {
            return Err(SignatureError::Expired);
        }
        if until.since(now) > LONGEST {
            return Err(SignatureError::Incomplete("Expires must be at most seven days from now".to_owned()));
        }
        let mut amz = self.amz.clone();
        for (name, value) in request.headers {
            let name = name.to_ascii_lowercase();
            if name.starts_with("x-amz-") {
                let value = String::from_utf8_lossy(value).trim().to_owned();
                if amz.get(&name).is_some_and(|known| *known != value) {
                    return Err(SignatureError::Mismatch);
                }
                amz.insert(name, value);
            }
        }
        let content = |name: &str| {
            request.header(name).or_else(|| self.content.get(name).map(String::as_str)).unwrap_or_default()
        };
        let mut text = format!(
            "{}\n{}\n{}\n{}\n",
            request.method,
            content("content-md5"),
            content("content-type"),
            self.expires
        );
        for (name, value) in &amz {
            text.push_str(&format!("{name}:{value}\n"));
        }
        text.push_str(path);
        text.push_str(&self.resource);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose().as_bytes());
        let expected = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        if bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }
}
