//! A credential on a request: where it goes, and what it replaces.

use domain::{ApiKeyLocation, Arn, FixedClock, Timestamp};

use super::*;

const KEY: &str = "k3y-of-the/vault+1";

fn settings(location: ApiKeyLocation, parameter: Option<&str>, prefix: Option<&str>) -> ApiKeyOutbound {
    let provider =
        "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default/apikeycredentialprovider/k";
    ApiKeyOutbound {
        provider: Arn::parse(provider).unwrap(),
        location,
        parameter: parameter.map(str::to_owned),
        prefix: prefix.map(str::to_owned),
    }
}

fn dressed(settings: &ApiKeyOutbound, uri: &str) -> Request<Bytes> {
    let secret = Secret::new(KEY);
    let credential =
        Credential::api_key(settings, &secret, Mask::new([&secret])).unwrap_or_else(|_| panic!());
    let mut request = Request::get(uri)
        .header("authorization", "Bearer of-the-caller")
        .header("x-key", "of-an-argument")
        .body(Bytes::new())
        .unwrap();
    credential.dress(&mut request).unwrap();
    request
}

#[test]
fn a_key_goes_where_the_target_wants_it() {
    use ApiKeyLocation::Header;
    for (parameter, prefix, name, value) in [
        (None, None, "authorization", format!("Bearer {KEY}")),
        (None, Some("Basic "), "authorization", format!("Basic {KEY}")),
        (None, Some(""), "authorization", KEY.to_owned()),
        (Some("Authorization"), None, "authorization", format!("Bearer {KEY}")),
        (Some("X-Key"), None, "x-key", KEY.to_owned()),
        (Some("X-Key"), Some("Token"), "x-key", format!("Token {KEY}")),
    ] {
        let request = dressed(&settings(Header, parameter, prefix), "https://api.example/a?b=c");
        let values: Vec<_> = request.headers().get_all(name).iter().collect();
        assert_eq!(values, [value.as_str()], "{parameter:?} {prefix:?}");
        let kept = request.headers().get("authorization").is_some();
        assert_eq!(kept, name == "authorization", "{parameter:?} {prefix:?}");
        assert!(!format!("{:?}", request.headers()).contains(KEY), "a header shows its secret");
    }
}

#[test]
fn a_key_in_the_query_replaces_what_an_argument_put_there() {
    let query = |name| settings(ApiKeyLocation::Query, name, None);
    let encoded = "k3y-of-the%2Fvault%2B1";
    for (name, uri, expected) in [
        (None, "https://api.example/a", format!("/a?api_key={encoded}")),
        (Some("k"), "https://api.example/a?b=c%20d&k=mine&%6b=mine", format!("/a?b=c%20d&k={encoded}")),
    ] {
        let request = dressed(&query(name), uri);
        let sent = request.uri().path_and_query().map(http::uri::PathAndQuery::as_str);
        assert_eq!(sent, Some(expected.as_str()));
        assert_eq!(request.headers().get("authorization"), None);
    }
}

#[test]
fn nothing_takes_away_what_the_caller_presented() {
    let mut request =
        Request::get("https://api.example/").header("authorization", "Bearer x").body(Bytes::new()).unwrap();
    Credential::none().dress(&mut request).unwrap();
    assert!(request.headers().is_empty());
    assert!(Credential::none().mask().is_none());
}

#[test]
fn a_signature_is_of_the_service_and_carries_the_sessions_token() {
    let credentials = sigv4::Credentials {
        access_key_id: "ASIAEXAMPLE".to_owned(),
        secret: Secret::new("the-secret-of-the-session"),
        session_token: Some(Secret::new("the-token-of-the-session")),
    };
    let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_763_717_400)));
    let region = Region::parse("eu-west-1").unwrap();
    let credential = Credential::signing(credentials, "execute-api", region, clock, None);
    let mut request = Request::post("https://api.example/a").body(Bytes::from_static(b"{}")).unwrap();
    credential.dress(&mut request).unwrap();
    let header = request.headers().get("authorization").unwrap().to_str().unwrap();
    let scope = "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20251121/eu-west-1/execute-api/aws4_request, ";
    assert!(header.starts_with(scope), "{header}");
    assert_eq!(request.headers().get("x-amz-security-token").unwrap(), "the-token-of-the-session");
}

#[test]
fn a_token_with_a_line_end_is_refused() {
    let token = Secret::new("a\r\nx: y");
    assert!(Credential::bearer(token.clone(), Mask::new([&token])).is_err());
}
