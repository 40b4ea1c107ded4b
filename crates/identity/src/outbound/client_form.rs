//! The token request of a client: its form and how it proves who it is (RFC 6749, sections 2.3.1 and 4.4.2).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{ClientAuthentication, OAuth2Settings, Secret};
use form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::Refusal;
use super::tokens::TokenKey;

/// Parameters that are ours to set: they say who asks, and for what (RFC 6749, sections 2.3.1 and 4; RFC 7521,
/// section 4.2).
const OURS: [&str; 10] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "code",
    "assertion",
    "refresh_token",
    "redirect_uri",
];

/// A token request, ready to be sent.
pub(super) struct ClientForm {
    /// The `Authorization` header, when the client proves who it is in it.
    pub(super) authorization: Option<Zeroizing<String>>,
    /// The body, `application/x-www-form-urlencoded`.
    pub(super) body: Zeroizing<String>,
}

impl ClientForm {
    /// The request for a token of the client itself.
    pub(super) fn new(
        settings: &OAuth2Settings,
        secret: &Secret,
        authentication: ClientAuthentication,
        key: &TokenKey,
    ) -> Self {
        let scope = key.scopes.join(" ");
        let mut grant = vec![("grant_type", "client_credentials")];
        grant.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
        Self::of_grant(settings, secret, authentication, &grant, &key.parameters)
    }

    /// The request that a grant needs, with parameters of the caller's own.
    pub(super) fn of_grant(
        settings: &OAuth2Settings,
        secret: &Secret,
        authentication: ClientAuthentication,
        grant: &[(&str, &str)],
        parameters: &BTreeMap<String, String>,
    ) -> Self {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(grant);
        let authorization = match authentication {
            ClientAuthentication::Basic => Some(basic(&settings.client_id, secret)),
            ClientAuthentication::Post => {
                form.append_pair("client_id", &settings.client_id);
                form.append_pair("client_secret", secret.expose());
                None
            }
        };
        form.extend_pairs(parameters);
        Self { authorization, body: Zeroizing::new(form.finish()) }
    }
}

/// Whether a parameter of a target may go into a token request.
///
/// # Errors
/// [`Refusal::Parameter`] for those that Portcullis sets itself.
pub fn check_parameter(name: &str) -> Result<(), Refusal> {
    let ours = OURS.iter().any(|ours| name.trim().eq_ignore_ascii_case(ours));
    if ours { Err(Refusal::Parameter(name.to_owned())) } else { Ok(()) }
}

/// Both parts are form-encoded before they are joined (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &Secret) -> Zeroizing<String> {
    let mut joined = Zeroizing::new(String::new());
    joined.extend(form_urlencoded::byte_serialize(id.as_bytes()));
    joined.push(':');
    joined.extend(form_urlencoded::byte_serialize(secret.expose().as_bytes()));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(joined.as_bytes())))
}

#[cfg(test)]
mod tests {
    use domain::{OAuth2Discovery, Vendor};

    use super::*;

    fn form(authentication: ClientAuthentication) -> ClientForm {
        let settings = OAuth2Settings {
            vendor: Vendor::Custom,
            discovery: OAuth2Discovery::Url(String::new()),
            client_id: "a:b c".to_owned(),
            authentication: None,
        };
        let key = TokenKey {
            scopes: vec!["x/read".to_owned(), "x/write".to_owned()],
            parameters: [("audience".to_owned(), "https://api".to_owned())].into(),
        };
        ClientForm::new(&settings, &Secret::new("p&s+ä%"), authentication, &key)
    }

    #[test]
    fn a_client_proves_itself_in_the_header_or_in_the_body() {
        let basic = form(ClientAuthentication::Basic);
        assert_eq!(
            *basic.body,
            "grant_type=client_credentials&scope=x%2Fread+x%2Fwrite&audience=https%3A%2F%2Fapi"
        );
        let header = basic.authorization.unwrap();
        let encoded = header.strip_prefix("Basic ").unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), b"a%3Ab+c:p%26s%2B%C3%A4%25");
        let post = form(ClientAuthentication::Post);
        assert!(post.authorization.is_none());
        assert!(post.body.contains("&client_id=a%3Ab+c&client_secret=p%26s%2B%C3%A4%25&"), "{}", *post.body);
    }

    #[test]
    fn what_says_who_asks_is_ours() {
        for name in ["grant_type", "Client_ID", " scope", "client_assertion"] {
            assert!(check_parameter(name).is_err(), "{name}");
        }
        for name in ["audience", "resource", "tenant"] {
            assert!(check_parameter(name).is_ok(), "{name}");
        }
    }
}
