//! Presigned URLs: a signature in the query string, with the time for which it holds.
//!
//! Source: Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".

use std::time::Duration;

use domain::Region;
use percent_encoding::percent_decode_str;

use super::authorization::Authorization;
use super::{Request, SignatureError, Signed, parse_date};

/// The longest that a presigned URL may hold: seven days.
const LONGEST: u64 = 7 * 24 * 60 * 60;

/// The claims in a query string.
pub struct Presigned {
    authorization: String,
    date: String,
    expires: u64,
    session_token: Option<String>,
    /// The query string without its signature: what is signed.
    signed_query: String,
}

impl Presigned {
    /// Whether a query string claims to be signed.
    #[must_use]
    pub fn is_claimed(query: &str) -> bool {
        query
            .split('&')
            .any(|pair| pair.starts_with("X-Amz-Signature=") || pair.starts_with("X-Amz-Algorithm="))
    }

    /// Takes the claims out of a query string.
    ///
    /// # Errors
    /// [`SignatureError::Incomplete`] when one of them is missing, stands twice, or is not as it must be.
    pub fn parse(query: &str) -> Result<Self, SignatureError> {
        let incomplete = || {
            SignatureError::Incomplete(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.".into(),
            )
        };
        let one = |name: &str| {
            let mut values = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .filter(|(known, _)| *known == name)
                .map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned());
            match (values.next(), values.next()) {
                (Some(value), None) => Ok(Some(value)),
                (None, _) => Ok(None),
                _ => Err(incomplete()),
            }
        };
        let must = |name: &str| one(name)?.ok_or_else(incomplete);
        if must("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
            return Err(SignatureError::Incomplete(
                "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"".into(),
            ));
        }
        let (credential, headers) = (must("X-Amz-Credential")?, must("X-Amz-SignedHeaders")?);
        let signature = must("X-Amz-Signature")?;
        if [&credential, &headers, &signature].iter().any(|text| text.contains([',', '='])) {
            return Err(incomplete());
        }
        let expires: u64 = must("X-Amz-Expires")?
            .parse()
            .map_err(|_| SignatureError::Incomplete("X-Amz-Expires should be a number".into()))?;
        if expires > LONGEST {
            return Err(SignatureError::Incomplete(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds".into(),
            ));
        }
        let unsigned: Vec<&str> =
            query.split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
        Ok(Self {
            authorization: format!(
                "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={headers}, Signature={signature}"
            ),
            date: must("X-Amz-Date")?,
            expires,
            session_token: one("X-Amz-Security-Token")?,
            signed_query: unsigned.join("&"),
        })
    }

    /// The claims about a request that came with this query string.
    ///
    /// # Errors
    /// [`SignatureError::Incomplete`] when the scope or the date is not as it must be.
    pub fn of<'a>(&'a self, request: Request<'a>) -> Result<Signed<'a>, SignatureError> {
        let authorization = Authorization::parse(&self.authorization)?;
        let malformed = |what: &str| SignatureError::Incomplete(what.to_owned());
        let region = Region::parse(authorization.region)
            .map_err(|_| malformed("X-Amz-Credential names no region in its scope"))?;
        let moment = parse_date(&self.date).ok_or_else(|| {
            malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        })?;
        Ok(Signed {
            request: Request { query: &self.signed_query, ..request },
            authorization,
            region,
            date: (&self.date, moment),
            session_token: self.session_token.as_deref(),
            lifetime: Some(Duration::from_secs(self.expires)),
        })
    }
}
