//! Signed requests: whatever claims to be signed breaks nothing and is not believed; what was signed with the secret is.
//!
//! The parts of an input: the request line's method, path and query on a line each; headers, a line each; the body.
#![no_main]

use aws::sigv4::{
    LegacyPresigned, PathStyle, Presigned, Request, Signed, Signer, claimed_access_key, claimed_service,
};
use domain::{Region, Secret, Timestamp};
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::parts;

/// When all of this happens: a minute after the date that the seeds bear, 2015-08-30 12:36 UTC.
const NOW: Timestamp = Timestamp::from_seconds(1_440_938_220);

fuzz_target!(|input: &[u8]| {
    let Some(mut parts) = parts(input) else { return };
    let mut line = parts.next().unwrap_or_default().lines();
    let (method, path, query) =
        (line.next().unwrap_or_default(), line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let headers: Vec<(&str, &[u8])> = parts
        .next()
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    let request =
        Request { method, path, query, headers: &headers, body: parts.next().unwrap_or_default().as_bytes() };
    claimed(request);
    signed(request);
});

/// Nobody who does not know the secret is believed.
fn claimed(request: Request<'_>) {
    let secret = Secret::new("known to nobody, least of all to a seed");
    for (_, value) in request.headers {
        if let Ok(value) = std::str::from_utf8(value) {
            let _ = (claimed_service(value), claimed_access_key(value));
        }
    }
    let _ = (Presigned::is_claimed(request.query), LegacyPresigned::is_claimed(request.query));
    let presigned = Presigned::parse(request.query);
    let of_query = presigned.as_ref().ok().and_then(|presigned| presigned.of(request).ok());
    let of_headers = Signed::read(request).ok();
    for claims in [of_headers, of_query].into_iter().flatten() {
        for style in [PathStyle::Normalized, PathStyle::AsIs, PathStyle::Once, PathStyle::Verbatim] {
            assert!(claims.verify(&secret, NOW, style).is_err(), "a stranger is believed");
        }
        let mut chunks = claims.chunk_signatures(&secret);
        assert!(!chunks.proves_chunk(&[0; 32], claims.access_key_id()));
        assert!(!chunks.proves_trailer(request.body, request.query));
    }
    if let Ok(claims) = LegacyPresigned::parse(request.query) {
        assert!(claims.verify(&request, request.path, &secret, NOW).is_err(), "a stranger is believed");
    }
}

/// Who knows it is, whatever is signed.
fn signed(request: Request<'_>) {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let region = Region::parse("us-west-2").expect("a region");
    let mut headers: Vec<(&str, &[u8])> = vec![("host", b"example.amazonaws.com")];
    let own = |name: &str| {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let taken =
            ["host", "authorization", "date", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
        !name.is_empty() && name.bytes().all(token) && !taken.contains(&name.to_ascii_lowercase().as_str())
    };
    headers.extend(request.headers.iter().copied().filter(|(name, _)| own(name)));
    let request = Request { headers: &headers, ..request };
    let signer = Signer {
        access_key_id: "AKIDEXAMPLE",
        secret: &secret,
        session_token: None,
        region: &region,
        service: "service",
    };
    let added = signer.sign(&request, NOW);
    let mut all = headers.clone();
    all.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
    if request.query.split('&').any(|pair| pair.starts_with("X-Amz-Signature=")) {
        return;
    }
    let sent = Request { headers: &all, ..request };
    let claims = Signed::read(sent).expect("what was signed can be read");
    claims.verify(&secret, NOW, PathStyle::Normalized).expect("what was signed is believed");
    let body = [request.body, b"x"].concat();
    let changed = Signed::read(Request { body: &body, ..sent }).expect("it can still be read");
    assert!(changed.verify(&secret, NOW, PathStyle::Normalized).is_err(), "another body is believed");
}
