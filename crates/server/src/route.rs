//! What a request is for: one listener, many names.
//!
//! Paths that belong to nobody else are the AWS APIs': their signature says which one.

use aws::sigv4;
use domain::{AccountId, Region, Scope, UserPoolId};
use http::request::Parts;
use identity::provider::PoolHint;
use runtimes::Place;

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Whether the process lives.
    Health,
    /// Whether it can serve.
    Ready,
    /// What operators count.
    Metrics,
    /// A person's browser, at the root.
    Welcome,
    /// A gateway's MCP endpoint.
    Mcp(String),
    /// An HTTP target of a gateway, by the path under the gateway.
    Http(String, String),
    /// A gateway's protected-resource metadata.
    ResourceMetadata(String),
    /// A pool's metadata.
    PoolMetadata(UserPoolId),
    /// A pool's key set.
    PoolKeys(UserPoolId),
    /// The metadata of an account's issuer of web identity tokens.
    WebIdentityMetadata(String),
    /// Its key set.
    WebIdentityKeys(String),
    /// The key set of a credential provider's client.
    ClientKeys(Scope, String),
    /// The token endpoint.
    Token(PoolHint),
    /// Another endpoint of the OpenID provider.
    Provider(Endpoint, PoolHint),
    /// A person on the way to someone else's authorization server, or back.
    Consent(Consent),
    /// The object store.
    Objects,
    /// An agent runtime.
    Runtime(Place),
    /// Bedrock Runtime: a model is called.
    Inference,
    /// The AWS APIs.
    Control,
}

/// The pages between a workload's application and someone else's authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The hosted authorization URL.
    Page,
    /// The callback URL of a provider, by its id.
    Callback(String),
}

/// What a pool answers besides tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Where a client sends a browser.
    Authorize,
    /// Where people sign in and allow.
    Login,
    /// Where people sign out.
    Logout,
    /// Where a client gives tokens back.
    Revoke,
    /// Where a client asks about a user.
    UserInfo,
    /// Where a client registers itself.
    Register,
}

impl Endpoint {
    fn of(path: &[&str]) -> Option<Self> {
        Some(match path {
            ["oauth2", "authorize"] => Self::Authorize,
            ["oauth2", "revoke"] => Self::Revoke,
            ["oauth2", "userInfo"] => Self::UserInfo,
            ["oauth2", "register"] => Self::Register,
            ["login"] => Self::Login,
            ["logout"] => Self::Logout,
            _ => return None,
        })
    }
}

/// Finds out what a request is for, by its host and its path.
pub(crate) fn of(head: &Parts) -> Route {
    // Before the path, which is the caller's own there: a key may look like anything.
    if is_for_objects(head) {
        return Route::Objects;
    }
    let host = head
        .uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| head.headers.get("host").and_then(|host| host.to_str().ok()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let host = host.split(':').next().unwrap_or_default();
    let segments: Vec<&str> = head.uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    if let Some(gateway) = gateway_of_host(host) {
        return match segments.as_slice() {
            ["mcp"] => Route::Mcp(gateway),
            [".well-known", "oauth-protected-resource"]
            | [".well-known", "oauth-protected-resource", "mcp"] => Route::ResourceMetadata(gateway),
            [] => Route::Control,
            _ => Route::Http(gateway, head.uri.path().to_owned()),
        };
    }
    if let Some(place) = Place::of(head.uri.path()) {
        return Route::Runtime(place);
    }
    let pool = |id: &str| UserPoolId::from_text(id);
    if let Some(endpoint) = Endpoint::of(&segments) {
        return Route::Provider(endpoint, pool_of_host(host).unwrap_or(PoolHint::OfTheClient));
    }
    // No bucket has an underscore in its name, and every pool's id has one.
    if let [id, path @ ..] = segments.as_slice()
        && id.contains('_')
        && let Some(endpoint) = Endpoint::of(path)
    {
        return Route::Provider(endpoint, PoolHint::Id(pool(id)));
    }
    match segments.as_slice() {
        ["gateways", id, "mcp"] => Route::Mcp((*id).to_owned()),
        ["gateways", id, ".well-known", "oauth-protected-resource"]
        | [".well-known", "oauth-protected-resource", "gateways", id, "mcp"] => {
            Route::ResourceMetadata((*id).to_owned())
        }
        // What the control plane has at the same place is the control plane's.
        ["gateways", id, _, ..] if aws::service_by_path(head.method.as_str(), head.uri.path()).is_none() => {
            let path = head.uri.path();
            let under = path.strip_prefix("/gateways/").and_then(|rest| rest.strip_prefix(*id));
            match under {
                Some(under) if under.starts_with('/') => Route::Http((*id).to_owned(), under.to_owned()),
                _ => Route::Control,
            }
        }
        [id, ".well-known", "openid-configuration" | "oauth-authorization-server"]
        | [".well-known", "openid-configuration" | "oauth-authorization-server", id] => {
            Route::PoolMetadata(pool(id))
        }
        [id, ".well-known", "jwks.json"] => Route::PoolKeys(pool(id)),
        ["model", _, ..] if is_signed_for(head, "bedrock") => Route::Inference,
        ["web-identity", id, ".well-known", "openid-configuration"] => {
            Route::WebIdentityMetadata((*id).to_owned())
        }
        ["web-identity", id, ".well-known", "jwks.json"] => Route::WebIdentityKeys((*id).to_owned()),
        ["identities", "oauth2", "jwks", account, region, name] => {
            match (AccountId::parse(account), Region::parse(region)) {
                (Ok(account), Ok(region)) => Route::ClientKeys(Scope { account, region }, (*name).to_owned()),
                _ => Route::Control,
            }
        }
        ["oauth2", "token"] => Route::Token(pool_of_host(host).unwrap_or(PoolHint::OfTheClient)),
        // AgentCore Identity's GetResourceOauth2Token, and no pool.
        ["identities", "oauth2", "token"] => Route::Control,
        ["identities", "oauth2", "authorize"] => Route::Consent(Consent::Page),
        ["identities", "oauth2", "callback", provider] => {
            Route::Consent(Consent::Callback((*provider).to_owned()))
        }
        [id, "oauth2", "token"] => Route::Token(PoolHint::Id(pool(id))),
        ["healthz"] => Route::Health,
        ["readyz"] => Route::Ready,
        ["metrics"] => Route::Metrics,
        [] if head.method == http::Method::GET && !head.headers.contains_key("authorization") => {
            Route::Welcome
        }
        _ if is_unsigned_for_objects(head) => Route::Objects,
        _ => Route::Control,
    }
}

/// Whether a request claims to be signed for a service.
fn is_signed_for(head: &Parts, service: &str) -> bool {
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    authorization.and_then(sigv4::claimed_service) == Some(service)
}

/// Whether an unsigned request can be for nothing but an object: it is refused, in S3's words.
fn is_unsigned_for_objects(head: &Parts) -> bool {
    let of_an_sdk = ["amz-sdk-invocation-id", "x-amz-content-sha256", "x-amz-date"];
    !head.headers.contains_key("authorization")
        && !head.headers.contains_key("x-amz-target")
        && head.method != http::Method::POST
        && of_an_sdk.iter().any(|name| head.headers.contains_key(*name))
        && aws::service_by_path(head.method.as_str(), head.uri.path()).is_none()
}

/// Whether a request claims to be signed for S3, by a header or as a presigned URL.
fn is_for_objects(head: &Parts) -> bool {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    if text("authorization").and_then(sigv4::claimed_service) == Some("s3") {
        return true;
    }
    let query = head.uri.query().unwrap_or_default();
    query.split('&').any(|pair| match pair.split_once('=') {
        Some(("X-Amz-Credential", scope)) => scope.to_ascii_lowercase().ends_with("%2fs3%2faws4_request"),
        // Only S3 was ever signed so in the query alone.
        Some(("AWSAccessKeyId", _)) => query.contains("Signature="),
        _ => false,
    })
}

/// `{gatewayId}.gateway.bedrock-agentcore.{region}.amazonaws.com`.
fn gateway_of_host(host: &str) -> Option<String> {
    let (id, region) = host.strip_suffix(".amazonaws.com")?.split_once(".gateway.bedrock-agentcore.")?;
    Region::parse(region).is_ok().then(|| id.to_owned())
}

/// `{domain}.auth.{region}.amazoncognito.com`.
fn pool_of_host(host: &str) -> Option<PoolHint> {
    let (label, region) = host.strip_suffix(".amazoncognito.com")?.split_once(".auth.")?;
    Some(PoolHint::Domain { label: label.to_owned(), region: Region::parse(region).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, host: &str, path: &str) -> Route {
        let request =
            http::Request::builder().method(method).uri(path).header("host", host).body(()).unwrap();
        of(&request.into_parts().0)
    }

    #[test]
    fn a_model_is_called_by_who_signs_for_bedrock() {
        let signed = |service: &str| {
            let request = http::Request::post("/model/amazon.nova-lite-v1%3A0/converse").header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-west-2/{service}/aws4_request, SignedHeaders=host, Signature=00"),
            );
            of(&request.body(()).unwrap().into_parts().0)
        };
        assert_eq!(signed("bedrock"), Route::Inference);
        assert_eq!(signed("lambda"), Route::Control);
    }

    #[test]
    fn a_request_that_is_signed_for_s3_is_for_objects_whatever_its_path_says() {
        const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-west-2/s3/aws4_request, SignedHeaders=host, Signature=00";
        let route = |path: &str, header: (&str, &str)| {
            let request = http::Request::builder().uri(path).header(header.0, header.1).body(()).unwrap();
            of(&request.into_parts().0)
        };
        let scope =
            "X-Amz-Credential=AKIDEXAMPLE%2F20261121%2Fus-west-2%2Fs3%2Faws4_request&X-Amz-Signature=00";
        for (path, header) in [
            ("/bucket/key", ("authorization", SIGNED)),
            ("/gateways/g-1/mcp", ("authorization", SIGNED)),
            ("/", ("authorization", SIGNED)),
            (&format!("/bucket/.well-known/jwks.json?{scope}"), ("accept", "*/*")),
            ("/b/k?AWSAccessKeyId=AKIDEXAMPLE&Signature=a&Expires=1", ("accept", "*/*")),
            ("/b/k", ("amz-sdk-invocation-id", "1")),
        ] {
            assert_eq!(route(path, header), Route::Objects, "{path} {header:?}");
        }
        let other = SIGNED.replace("/s3/", "/lambda/");
        assert_eq!(route("/b/k", ("authorization", &other)), Route::Control);
        assert_eq!(route("/b/k", ("accept", "*/*")), Route::Control);
        assert_eq!(route("/gateways/", ("amz-sdk-invocation-id", "1")), Route::Control);
    }

    #[test]
    fn requests_are_told_apart() {
        let local = "127.0.0.1:4848";
        let id = || UserPoolId::from_text("us-west-2_abc");
        for (method, host, path, expected) in [
            ("POST", local, "/gateways/g-1/mcp", Route::Mcp("g-1".into())),
            ("POST", local, "/gateways/g-1/mcp/", Route::Mcp("g-1".into())),
            ("GET", local, "/gateways/g-1/", Route::Control),
            ("POST", local, "/gateways/g-1/targets/", Route::Control),
            ("GET", local, "/gateways/g-1/targets/t-1", Route::Control),
            ("POST", local, "/gateways/g-1/web/a/b?c=d", Route::Http("g-1".into(), "/web/a/b".into())),
            ("GET", local, "/gateways/g-1/web", Route::Http("g-1".into(), "/web".into())),
            ("GET", local, "/gateways/g-1/web/../x", Route::Http("g-1".into(), "/web/../x".into())),
            ("GET", local, "/gateways/g-1//web", Route::Http("g-1".into(), "//web".into())),
            (
                "PUT",
                "g-1.gateway.bedrock-agentcore.us-west-2.amazonaws.com",
                "/targets/x/",
                Route::Http("g-1".into(), "/targets/x/".into()),
            ),
            (
                "GET",
                local,
                "/.well-known/oauth-protected-resource/gateways/g-1/mcp",
                Route::ResourceMetadata("g-1".into()),
            ),
            ("GET", local, "/us-west-2_abc/.well-known/openid-configuration", Route::PoolMetadata(id())),
            (
                "GET",
                local,
                "/.well-known/oauth-authorization-server/us-west-2_abc",
                Route::PoolMetadata(id()),
            ),
            (
                "GET",
                "cognito-idp.us-west-2.amazonaws.com",
                "/us-west-2_abc/.well-known/jwks.json",
                Route::PoolKeys(id()),
            ),
            ("POST", local, "/us-west-2_abc/oauth2/token", Route::Token(PoolHint::Id(id()))),
            ("POST", local, "/identities/oauth2/token", Route::Control),
            ("GET", local, "/identities/oauth2/authorize?request_uri=a", Route::Consent(Consent::Page)),
            (
                "GET",
                local,
                "/identities/oauth2/callback/one?code=a",
                Route::Consent(Consent::Callback("one".into())),
            ),
            (
                "GET",
                local,
                "/identities/oauth2/jwks/000000000000/us-west-2/tickets",
                Route::ClientKeys(
                    Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() },
                    "tickets".into(),
                ),
            ),
            ("GET", local, "/identities/oauth2/jwks/x/us-west-2/tickets", Route::Control),
            (
                "GET",
                local,
                "/web-identity/a-b/.well-known/openid-configuration",
                Route::WebIdentityMetadata("a-b".into()),
            ),
            ("GET", local, "/web-identity/a-b/.well-known/jwks.json", Route::WebIdentityKeys("a-b".into())),
            ("POST", local, "/oauth2/token", Route::Token(PoolHint::OfTheClient)),
            ("GET", local, "/login", Route::Provider(Endpoint::Login, PoolHint::OfTheClient)),
            (
                "GET",
                local,
                "/us-west-2_abc/oauth2/authorize?a=b",
                Route::Provider(Endpoint::Authorize, PoolHint::Id(id())),
            ),
            ("GET", local, "/bucket/login", Route::Control),
            (
                "POST",
                "bedrock-agentcore.us-west-2.amazonaws.com",
                "/runtimes/a-1/invocations?qualifier=DEFAULT",
                Route::Runtime(Place { runtime: "a-1".into(), asked: runtimes::Asked::Invoke }),
            ),
            ("PUT", local, "/runtimes/a-1/", Route::Control),
            ("POST", local, "/runtimes/a-1/versions/", Route::Control),
            ("POST", local, "/", Route::Control),
            ("GET", local, "/", Route::Welcome),
            ("GET", local, "/healthz", Route::Health),
            ("GET", local, "/metrics", Route::Metrics),
            (
                "POST",
                "g-1.gateway.bedrock-agentcore.us-west-2.amazonaws.com",
                "/mcp",
                Route::Mcp("g-1".into()),
            ),
            (
                "POST",
                "My-Domain.auth.us-west-2.amazoncognito.com",
                "/oauth2/token",
                Route::Token(PoolHint::Domain {
                    label: "my-domain".into(),
                    region: Region::parse("us-west-2").unwrap(),
                }),
            ),
        ] {
            assert_eq!(route(method, host, path), expected, "{method} {host} {path}");
        }
    }
}
