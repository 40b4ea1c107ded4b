//! JWT authorizers, which gateways and runtimes have alike.

use serde_json::Value;

use crate::inventory::{list, text};

const JWT: &str = "/authorizerConfiguration/customJWTAuthorizer";

/// Whether there is a JWT authorizer.
pub(super) fn has_jwt(body: &Value) -> bool {
    body.pointer(JWT).is_some_and(Value::is_object)
}

/// Whether a JWT authorizer takes every token of its issuer.
pub(super) fn takes_any_client(body: &Value) -> bool {
    let empty = |member: &str| list(body, &format!("{JWT}/{member}")).is_empty();
    has_jwt(body)
        && ["allowedClients", "allowedAudience", "allowedScopes", "customClaims"].iter().all(|it| empty(it))
}

/// Its discovery URL.
pub(super) fn discovery_url(body: &Value) -> &str {
    text(body, &format!("{JWT}/discoveryUrl"))
}

/// Whether a URL is in the clear and goes further than this machine.
pub(super) fn is_plain(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.strip_prefix('[').map_or_else(
        || host.split(':').next().unwrap_or_default(),
        |six| six.split(']').next().unwrap_or_default(),
    );
    host != "localhost" && !host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_may_be_spoken_to_in_the_clear() {
        assert!(is_plain("http://idp.example.com/x") && is_plain("http://10.0.0.1:80/"));
        for fine in
            ["https://idp.example.com", "http://localhost:1/", "http://127.0.0.1:4848/x", "http://[::1]:1/"]
        {
            assert!(!is_plain(fine), "{fine}");
        }
    }
}
