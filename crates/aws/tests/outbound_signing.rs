//! What is signed on its way out is accepted by the verifier on the other side, whatever the request holds, and no
//! longer when something in it was changed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use aws::sigv4::{Credentials, PathStyle, Request, SignatureError, Signed, UnsignableRequest, sign};
use bytes::Bytes;
use domain::{Region, Secret, Timestamp};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_seconds(1_763_717_400);

fn credentials(token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: token.map(Secret::new),
    }
}

fn verified(request: &http::Request<Bytes>, style: PathStyle) -> Result<(), SignatureError> {
    let headers: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let request = Request {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        headers: &headers,
        body: request.body(),
    };
    Signed::read(request)?.verify(&Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), NOW, style)
}

fn style_of(service: &str) -> PathStyle {
    if service == "s3" { PathStyle::Verbatim } else { PathStyle::Normalized }
}

proptest! {
    #[test]
    fn what_is_signed_is_accepted_and_what_is_changed_is_not(
        path in "(/[a-zA-Z0-9._~%/-]{0,20}){1,3}",
        query in "([a-z]{1,3}=[a-zA-Z0-9%._~+-]{0,6}&?){0,4}",
        values in proptest::collection::vec("[ -~]{0,30}", 0..4),
        body in proptest::collection::vec(any::<u8>(), 0..50),
        token in proptest::option::of("[a-zA-Z0-9+/=]{1,40}"),
        service in prop_oneof![Just("s3"), Just("dynamodb")],
    ) {
        let mut builder = http::Request::builder().method("PUT").uri(format!("https://h.example:8443{path}?{query}"));
        for (at, value) in values.iter().enumerate() {
            builder = builder.header(format!("x-own-{}", at % 2), value.trim());
        }
        let mut request = builder.header("user-agent", "any").body(Bytes::from(body)).unwrap();
        let region = Region::parse("eu-central-1").unwrap();
        sign(&mut request, &credentials(token.as_deref()), service, &region, NOW).unwrap();
        prop_assert_eq!(&request.headers()["host"], "h.example:8443");
        prop_assert_eq!(request.headers().contains_key("x-amz-content-sha256"), service == "s3");
        prop_assert_eq!(verified(&request, style_of(service)), Ok(()));
        // Signed again, it is the same request.
        let before = request.headers().clone();
        sign(&mut request, &credentials(token.as_deref()), service, &region, NOW).unwrap();
        prop_assert_eq!(&before, request.headers());
        // What is not signed may change on the way, everything else may not.
        request.headers_mut().insert("user-agent", "another".parse().unwrap());
        prop_assert_eq!(verified(&request, style_of(service)), Ok(()));
        let mut longer = request.body().to_vec();
        longer.push(b'x');
        let mut other = request.clone();
        *other.body_mut() = longer.into();
        prop_assert!(verified(&other, style_of(service)).is_err());
        request.headers_mut().insert("host", "evil.example".parse().unwrap());
        prop_assert!(verified(&request, style_of(service)).is_err());
    }
}

#[test]
fn each_service_has_its_path_rule() {
    let region = Region::parse("us-east-1").unwrap();
    let of = |service: &str, path: &str| {
        let uri = format!("https://h.example{path}");
        let mut request = http::Request::get(uri).body(Bytes::new()).unwrap();
        sign(&mut request, &credentials(None), service, &region, NOW).unwrap();
        request
    };
    let key = of("s3", "/bucket//a/./b%20c");
    assert_eq!(verified(&key, PathStyle::Verbatim), Ok(()));
    assert_eq!(verified(&key, PathStyle::Normalized), Err(SignatureError::Mismatch));
    let function = of("lambda", "/2015-03-31/functions/arn%3Aaws/invocations");
    assert_eq!(verified(&function, PathStyle::Normalized), Ok(()));
    assert_eq!(verified(&function, PathStyle::Verbatim), Err(SignatureError::Mismatch));
}

#[test]
fn what_cannot_be_signed_is_refused_and_nothing_is_authorized() {
    let region = Region::parse("us-east-1").unwrap();
    let mut nowhere = http::Request::get("/x").body(Bytes::new()).unwrap();
    let refused = sign(&mut nowhere, &credentials(None), "s3", &region, NOW);
    assert_eq!(refused, Err(UnsignableRequest::NoHost));
    let mut odd = http::Request::get("http://h/").header("x-odd", &b"\xff"[..]).body(Bytes::new()).unwrap();
    let refused = sign(&mut odd, &credentials(None), "s3", &region, NOW);
    assert_eq!(refused, Err(UnsignableRequest::Header("x-odd".to_owned())));
    assert!(!odd.headers().contains_key("authorization"));
    let mut split = http::Request::get("http://h/").body(Bytes::new()).unwrap();
    let refused = sign(&mut split, &credentials(Some("a\r\nx: y")), "s3", &region, NOW);
    assert_eq!(refused, Err(UnsignableRequest::Credentials));
}
