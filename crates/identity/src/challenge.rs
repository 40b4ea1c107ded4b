//! What a guarded resource tells a caller whom it does not accept: where to get a token, and for which scopes.
//!
//! Sources: RFC 6750, section 3 (`WWW-Authenticate: Bearer`); RFC 9728 (protected-resource metadata); "Inbound
//! authorization" in the AgentCore developer guide.

use domain::{JwtAuthorizer, UserPoolId};
use http::HeaderValue;
use serde_json::json;

use crate::provider::Names;

/// The challenges of one resource, written once.
#[derive(Default)]
pub struct Challenge {
    metadata: Option<String>,
    missing: Option<HeaderValue>,
    invalid: Option<HeaderValue>,
    insufficient: Option<HeaderValue>,
}

impl Challenge {
    /// The challenges of the resource at the URL `resource`, whose metadata are at the URL `metadata`. `local` is the pool
    /// of our own that the authorizer trusts, if it is one. A resource that wants no token has the default: none.
    #[must_use]
    pub fn of(
        jwt: &JwtAuthorizer,
        resource: &str,
        metadata: &str,
        names: &Names,
        local: Option<&UserPoolId>,
    ) -> Self {
        let place = format!("resource_metadata=\"{metadata}\"");
        let scopes: Vec<&str> = jwt
            .allowed_scopes
            .iter()
            .map(|scope| jwt.advertised_scopes.get(scope).unwrap_or(scope).as_str())
            .collect();
        let mut metadata = json!({
            "resource": resource,
            "authorization_servers": [authorization_server(jwt, names, local)],
            "bearer_methods_supported": ["header"],
        });
        if let (Some(object), false) = (metadata.as_object_mut(), scopes.is_empty()) {
            object.insert("scopes_supported".to_owned(), json!(scopes));
        }
        let scope =
            if scopes.is_empty() { String::new() } else { format!(", scope=\"{}\"", scopes.join(" ")) };
        // A scope may hold any printable character but quotes and backslashes, so the header is always one.
        let header = |text: String| HeaderValue::from_str(&text).ok();
        Self {
            metadata: Some(metadata.to_string()),
            missing: header(format!("Bearer {place}{scope}")),
            invalid: header(format!("Bearer error=\"invalid_token\", {place}{scope}")),
            insufficient: header(format!("Bearer error=\"insufficient_scope\", {place}{scope}")),
        }
    }

    /// The protected-resource metadata, as JSON; `None` where no token is wanted.
    #[must_use]
    pub fn metadata(&self) -> Option<String> {
        self.metadata.clone()
    }

    /// To a request without a token.
    #[must_use]
    pub fn missing(&self) -> Option<HeaderValue> {
        self.missing.clone()
    }

    /// To a request whose token is not accepted.
    #[must_use]
    pub fn invalid(&self) -> Option<HeaderValue> {
        self.invalid.clone()
    }

    /// To a request whose token lacks the scopes.
    #[must_use]
    pub fn insufficient(&self) -> Option<HeaderValue> {
        self.insufficient.clone()
    }
}

/// The issuer whose metadata the discovery URL serves: for a pool of our own the name under which it is reached here.
fn authorization_server(jwt: &JwtAuthorizer, names: &Names, local: Option<&UserPoolId>) -> String {
    if let Some(pool) = local {
        return names.public(pool);
    }
    let url = &jwt.discovery_url;
    match url.split_once("/.well-known/") {
        Some((base, rest)) => {
            let path = rest.split_once('/').map(|(_, path)| format!("/{path}")).unwrap_or_default();
            format!("{base}{path}")
        }
        None => url.clone(),
    }
}
