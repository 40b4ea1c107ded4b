//! Signature Version 4: verification of signed headers, and signing for calls of our own.
//!
//! A request is verified in two steps, because the secret comes from a store between them: [`Signed::read`] takes the
//! claims out of the headers, [`Signed::verify`] proves them. Source: "AWS Signature Version 4 for API requests" in the
//! IAM User Guide. The published signing test suite is accepted case by case in `tests/signing_suite.rs`.

mod authorization;
mod canonical;
mod legacy;
mod outbound;
mod presigned;
mod streaming;

use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use domain::{Region, Secret, Timestamp};
use subtle::ConstantTimeEq as _;

use authorization::Authorization;
pub use canonical::PathStyle;
pub use legacy::LegacyPresigned;
pub use outbound::{Credentials, UnsignableRequest, sign};
pub use presigned::Presigned;
pub use streaming::ChunkSignatures;

/// How far a request's date may be from ours, in either direction.
pub const SKEW: Duration = Duration::from_secs(15 * 60);

/// The header value that leaves the body out of the signature.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// A request, as much of it as a signature covers.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path as it stands on the request line, percent-encoding and all.
    pub path: &'a str,
    /// The query string, without its question mark; empty for none.
    pub query: &'a str,
    /// The headers, in the order in which they came.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The only value of a header; `None` when it is absent, repeated or not UTF-8.
    fn header(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => std::str::from_utf8(value).ok().map(str::trim),
            _ => None,
        }
    }
}

/// The claims of a signed request, not yet proven.
pub struct Signed<'a> {
    request: Request<'a>,
    authorization: Authorization<'a>,
    region: Region,
    /// `x-amz-date` as written, and as a moment.
    date: (&'a str, Timestamp),
    session_token: Option<&'a str>,
    /// How long the signature holds, if it says so itself: that of a presigned URL.
    lifetime: Option<Duration>,
}

impl<'a> Signed<'a> {
    /// Takes the claims out of the headers.
    ///
    /// # Errors
    /// [`SignatureError::Missing`] without an `Authorization` header, [`SignatureError::Incomplete`] when something in
    /// it or beside it is not as Signature Version 4 has it.
    pub fn read(request: Request<'a>) -> Result<Self, SignatureError> {
        if request.query.split('&').any(|pair| pair.starts_with("X-Amz-Signature=")) {
            return Err(SignatureError::Incomplete(
                "signatures in the query string are not accepted here: sign with an Authorization header"
                    .into(),
            ));
        }
        let header = request.header("authorization").ok_or(SignatureError::Missing)?;
        let authorization = Authorization::parse(header)?;
        let region = Region::parse(authorization.region).map_err(|_| {
            SignatureError::Incomplete(format!(
                "Credential scope names no region: '{}'",
                authorization.region
            ))
        })?;
        let written = request.header("x-amz-date").ok_or_else(|| {
            SignatureError::Incomplete(
                "Authorization header requires existence of a 'X-Amz-Date' header.".into(),
            )
        })?;
        let moment = parse_date(written).ok_or_else(|| {
            SignatureError::Incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{written}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ))
        })?;
        let session_token = request.header("x-amz-security-token");
        Ok(Self { request, authorization, region, date: (written, moment), session_token, lifetime: None })
    }

    /// The key that claims to have signed.
    #[must_use]
    pub fn access_key_id(&self) -> &'a str {
        self.authorization.access_key_id
    }

    /// The region that was signed for.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The service that was signed for.
    #[must_use]
    pub fn service(&self) -> &'a str {
        self.authorization.service
    }

    /// Whether the signature covers a header, by its name in lower case.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.authorization.signed_headers.contains(&name)
    }

    /// The token of a session, which its key is worth nothing without.
    #[must_use]
    pub fn session_token(&self) -> Option<&'a str> {
        self.session_token
    }

    /// Proves the claims: the date is near, the scope is whole, what must be signed is, the body is the one that was
    /// signed, and the signature is the one that `secret` makes.
    ///
    /// # Errors
    /// What was wrong; the order of the checks is AWS's.
    pub fn verify(&self, secret: &Secret, now: Timestamp, style: PathStyle) -> Result<(), SignatureError> {
        self.verify_head(secret, now, style, &self.payload_hash()?)
    }

    /// Proves the claims but for the body, which is yet to come: `payload` is what the signature says about it, a digest
    /// or one of S3's words for a body that is proven otherwise. Whoever reads the body must hold it against that.
    ///
    /// # Errors
    /// As [`Signed::verify`].
    pub fn verify_head(
        &self,
        secret: &Secret,
        now: Timestamp,
        style: PathStyle,
        payload: &str,
    ) -> Result<(), SignatureError> {
        self.check_date(now)?;
        self.check_signed_headers()?;
        let expected = self.authorization.signature_of(&self.request, self.date.0, payload, style, secret);
        if bool::from(expected.as_bytes().ct_eq(self.authorization.signature.as_bytes())) {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    fn check_date(&self, now: Timestamp) -> Result<(), SignatureError> {
        let (written, moment) = self.date;
        if written.get(..8) != Some(self.authorization.date) {
            return Err(SignatureError::Scope(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{written}'.",
                self.authorization.date,
                written.get(..8).unwrap_or_default(),
            )));
        }
        let minutes = SKEW.as_secs() / 60;
        if self.lifetime.is_some_and(|lifetime| now >= moment.plus(lifetime)) {
            return Err(SignatureError::Expired);
        }
        if self.lifetime.is_none() && now.since(moment) > SKEW {
            let limit = basic(Timestamp::from_millis(now.millis() - 15 * 60 * 1000));
            return Err(SignatureError::Skewed(format!(
                "Signature expired: {written} is now earlier than {limit} ({} - {minutes} min.)",
                basic(now)
            )));
        }
        if moment.since(now) > SKEW {
            return Err(SignatureError::Skewed(format!(
                "Signature not yet current: {written} is still later than {} ({} + {minutes} min.)",
                basic(now.plus(SKEW)),
                basic(now)
            )));
        }
        Ok(())
    }

    /// `host` and every `x-amz-` header that came must be signed, so that nobody on the way can add one; the token of
    /// a session alone may be left out, because it proves itself.
    fn check_signed_headers(&self) -> Result<(), SignatureError> {
        let signed = |name: &str| {
            self.authorization.signed_headers.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        if !signed("host") {
            return Err(SignatureError::Incomplete(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into(),
            ));
        }
        let must = |name: &str| {
            name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
                && !name.eq_ignore_ascii_case("x-amz-security-token")
        };
        match self.request.headers.iter().find(|(name, _)| must(name) && !signed(name)) {
            Some((name, _)) => Err(SignatureError::Incomplete(format!(
                "There were headers present in the request which were not signed: {}",
                name.to_ascii_lowercase()
            ))),
            None => Ok(()),
        }
    }

    fn payload_hash(&self) -> Result<String, SignatureError> {
        let claimed = self.request.header("x-amz-content-sha256");
        if claimed == Some(UNSIGNED_PAYLOAD) {
            return Ok(UNSIGNED_PAYLOAD.to_owned());
        }
        if let Some(streaming) = claimed.filter(|claimed| claimed.starts_with("STREAMING-")) {
            return Err(SignatureError::Incomplete(format!(
                "{streaming} is not accepted here: sign the body as a whole"
            )));
        }
        let actual = hex::encode(digest::digest(&digest::SHA256, self.request.body));
        match claimed {
            Some(claimed) if !bool::from(claimed.as_bytes().ct_eq(actual.as_bytes())) => {
                Err(SignatureError::Mismatch)
            }
            _ => Ok(actual),
        }
    }
}

impl Authorization<'_> {
    /// The signature that `secret` makes of a request.
    fn signature_of(
        &self,
        request: &Request<'_>,
        date: &str,
        payload_hash: &str,
        style: PathStyle,
        secret: &Secret,
    ) -> String {
        let canonical = canonical::request(request, &self.signed_headers, payload_hash, style);
        let hashed = hex::encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{}\n{hashed}", self.scope());
        hex::encode(hmac::sign(&self.signing_key(secret), to_sign.as_bytes()))
    }

    fn signing_key(&self, secret: &Secret) -> hmac::Key {
        let step =
            |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
        let date = step(format!("AWS4{}", secret.expose()).as_bytes(), self.date);
        let region = step(date.as_ref(), self.region);
        let service = step(region.as_ref(), self.service);
        hmac::Key::new(hmac::HMAC_SHA256, step(service.as_ref(), "aws4_request").as_ref())
    }
}

/// What signs a request: a key and, for a session, its token.
pub struct Signer<'a> {
    /// The key's public part.
    pub access_key_id: &'a str,
    /// The key's secret part.
    pub secret: &'a Secret,
    /// The session's token.
    pub session_token: Option<&'a str>,
    /// The region to sign for.
    pub region: &'a Region,
    /// The service to sign for.
    pub service: &'a str,
}

impl Signer<'_> {
    /// Signs a request whose headers hold `host`; gives the headers to add to it.
    #[must_use]
    pub fn sign(&self, request: &Request<'_>, now: Timestamp) -> Vec<(&'static str, String)> {
        let mut added = vec![("x-amz-date", basic(now))];
        added.extend(self.session_token.map(|token| ("x-amz-security-token", token.to_owned())));
        let mut headers = request.headers.to_vec();
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
        let body = hex::encode(digest::digest(&digest::SHA256, request.body));
        let request = Request { headers: &headers, ..*request };
        let written = self.authorization(&request, &basic(now), &body, PathStyle::Normalized);
        added.push(("authorization", written));
        added
    }

    /// The value of `Authorization` for a request whose headers are complete: all of them are signed.
    fn authorization(
        &self,
        request: &Request<'_>,
        date: &str,
        payload_hash: &str,
        style: PathStyle,
    ) -> String {
        let mut names: Vec<String> =
            request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort();
        names.dedup();
        let authorization = Authorization {
            access_key_id: self.access_key_id,
            date: date.get(..8).unwrap_or_default(),
            region: self.region.as_str(),
            service: self.service,
            signed_headers: names.iter().map(String::as_str).collect(),
            signature: "",
        };
        let signature = authorization.signature_of(request, date, payload_hash, style, self.secret);
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.access_key_id,
            authorization.scope(),
            names.join(";")
        )
    }
}

/// The service in a request's credential scope, read without any check: for routing only.
#[must_use]
pub fn claimed_service(authorization: &str) -> Option<&str> {
    Authorization::parse(authorization).ok().map(|authorization| authorization.service)
}

/// The access key in a request's credential scope, read without any check: for bounding what strangers may send.
#[must_use]
pub fn claimed_access_key(authorization: &str) -> Option<&str> {
    Authorization::parse(authorization).ok().map(|authorization| authorization.access_key_id)
}

/// `20150830T123600Z`.
fn parse_date(text: &str) -> Option<Timestamp> {
    let shape_holds = text.len() == 16
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    if !shape_holds {
        return None;
    }
    let moment = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_millis(moment.timestamp().as_millisecond()))
}

fn basic(moment: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(moment.millis())
        .map_or_else(|_| moment.to_string(), |moment| moment.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// Why a signature does not hold. The AWS names of these differ by protocol: `aws::Fault` has them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Nothing was signed.
    #[error("Missing Authentication Token")]
    Missing,
    /// The headers are not as Signature Version 4 has them.
    #[error("{0}")]
    Incomplete(String),
    /// The credential scope does not fit the request.
    #[error("{0}")]
    Scope(String),
    /// The date is too far from ours.
    #[error("{0}")]
    Skewed(String),
    /// The time that a presigned URL gave itself is over.
    #[error("Request has expired")]
    Expired,
    /// The signature is another than the secret makes.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_here_is_accepted_here() {
        let (secret, now) = (Secret::new("secret"), Timestamp::from_seconds(1_763_717_400));
        let region = Region::parse("us-west-2").unwrap_or_else(|_| Region::global());
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE",
            secret: &secret,
            session_token: Some("token"),
            region: &region,
            service: "iam",
        };
        let headers: Vec<(&str, &[u8])> = vec![("host", b"127.0.0.1:4848"), ("content-type", b"text/plain")];
        let request =
            Request { method: "POST", path: "/a%20b/", query: "x=1&a=%2F", headers: &headers, body: b"body" };
        let added = signer.sign(&request, now);
        let mut headers = headers.clone();
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
        let signed = Signed::read(Request { headers: &headers, ..request }).unwrap();
        assert_eq!(
            (signed.access_key_id(), signed.service(), signed.session_token()),
            ("AKIDEXAMPLE", "iam", Some("token"))
        );
        signed.verify(&secret, now, PathStyle::Normalized).unwrap();
        assert_eq!(
            signed.verify(&Secret::new("other"), now, PathStyle::Normalized),
            Err(SignatureError::Mismatch)
        );
    }

    /// The key of the examples in the Amazon S3 API Reference.
    fn documented() -> Secret {
        Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    }

    /// 2013-05-24T00:00:00Z, the moment of those examples.
    const THEN: Timestamp = Timestamp::from_seconds(1_369_353_600);

    /// The example of "Authenticating Requests: Using Query Parameters".
    #[test]
    fn the_documented_presigned_url_is_accepted_for_its_day() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        let headers: Vec<(&str, &[u8])> = vec![("host", b"examplebucket.s3.amazonaws.com")];
        let check = |query: &str, path: &str, headers: &[(&str, &[u8])], later: u64| {
            let claims = Presigned::parse(query)?;
            let signed = claims.of(Request { method: "GET", path, query, headers, body: b"" })?;
            let now = THEN.plus(Duration::from_secs(later));
            signed.verify_head(&documented(), now, PathStyle::Once, "UNSIGNED-PAYLOAD")
        };
        assert_eq!(check(query, "/test.txt", &headers, 0), Ok(()));
        assert_eq!(check(query, "/test.txt", &headers, 86_399), Ok(()));
        assert_eq!(check(query, "/test.txt", &headers, 86_400), Err(SignatureError::Expired));
        assert_eq!(check(query, "/other.txt", &headers, 0), Err(SignatureError::Mismatch));
        assert_eq!(
            check(&format!("{query}&versionId=1"), "/test.txt", &headers, 0),
            Err(SignatureError::Mismatch)
        );
        let longer = query.replace("86400", "96400");
        assert_eq!(check(&longer, "/test.txt", &headers, 0), Err(SignatureError::Mismatch));
        let with_unsigned = [headers.clone(), vec![("x-amz-acl", b"private")]].concat();
        assert!(matches!(check(query, "/test.txt", &with_unsigned, 0), Err(SignatureError::Incomplete(_))));
        for missing in ["X-Amz-Expires=86400&", "X-Amz-Date=20130524T000000Z&", "X-Amz-SignedHeaders=host&"] {
            assert!(Presigned::parse(&query.replace(missing, "")).is_err(), "{missing}");
        }
        assert!(Presigned::parse(&query.replace("86400", "604801")).is_err());
        assert!(Presigned::parse(&format!("{query}&X-Amz-Expires=1")).is_err());
    }

    /// The example of "Transferring Payload in Multiple Chunks": 66,560 letters in two chunks and an empty one.
    #[test]
    fn the_documented_chunks_are_accepted_in_their_order() {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let headers: Vec<(&str, &[u8])> = vec![
            ("host", b"s3.amazonaws.com"),
            ("x-amz-date", b"20130524T000000Z"),
            ("x-amz-storage-class", b"REDUCED_REDUNDANCY"),
            ("authorization", authorization.as_bytes()),
            ("x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-encoding", b"aws-chunked"),
            ("x-amz-decoded-content-length", b"66560"),
            ("content-length", b"66824"),
        ];
        let path = "/examplebucket/chunkObject.txt";
        let signed =
            Signed::read(Request { method: "PUT", path, query: "", headers: &headers, body: b"" }).unwrap();
        signed
            .verify_head(&documented(), THEN, PathStyle::Once, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
            .unwrap();
        let chunks = [
            (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1_024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ];
        let hash = |length: usize| digest::digest(&digest::SHA256, &vec![b'a'; length]);
        let mut signatures = signed.chunk_signatures(&documented());
        for (length, signature) in chunks {
            assert!(signatures.proves_chunk(hash(length).as_ref(), signature), "{length}");
        }
        let mut signatures = signed.chunk_signatures(&documented());
        assert!(!signatures.proves_chunk(hash(1_024).as_ref(), chunks[1].1), "out of order");
        let mut signatures = signed.chunk_signatures(&documented());
        assert!(!signatures.proves_chunk(hash(65_535).as_ref(), chunks[0].1), "another chunk");
    }

    /// The example of "Signing and authenticating REST requests": "Query string request authentication alternative". Its
    /// moment is in 2007.
    #[test]
    fn the_documented_url_of_version_two_is_accepted_until_its_end() {
        let query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1175139620&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D";
        let headers: Vec<(&str, &[u8])> = vec![("host", b"johnsmith.s3.amazonaws.com")];
        let request =
            Request { method: "GET", path: "/photos/puppy.jpg", query, headers: &headers, body: b"" };
        let path = "/johnsmith/photos/puppy.jpg";
        let claims = LegacyPresigned::parse(query).unwrap();
        let at = |seconds: i64| Timestamp::from_seconds(seconds);
        assert_eq!(claims.verify(&request, path, &documented(), at(1_175_139_619)), Ok(()));
        assert_eq!(
            claims.verify(&request, path, &documented(), at(1_175_139_620)),
            Err(SignatureError::Expired)
        );
        assert!(claims.verify(&request, path, &documented(), at(1_100_000_000)).is_err(), "too long");
        let other = Request { method: "PUT", ..request };
        assert_eq!(
            claims.verify(&other, path, &documented(), at(1_175_139_619)),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            claims.verify(&request, "/johnsmith/other", &documented(), at(1_175_139_619)),
            Err(SignatureError::Mismatch)
        );
        assert!(LegacyPresigned::parse(&format!("{query}&prefix=a")).is_err(), "would not be signed");
        assert!(LegacyPresigned::parse(&format!("{query}&Expires=1")).is_err(), "twice");
        assert!(LegacyPresigned::parse("AWSAccessKeyId=a&Signature=b").is_err());
    }
}
