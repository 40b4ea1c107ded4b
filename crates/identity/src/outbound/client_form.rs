//! The token request of a client: its form and how it proves who it is (RFC 6749, section 2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::Refusal;
use super::grant_request::GrantRequest;

/// Parameters that are ours to set: they say who asks, and for what (RFC 6749, sections 2.3.1 and 4; RFC 7521,
/// section 4.2; RFC 8693, section 2.1).
const OURS: [&str; 13] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "code",
    "assertion",
    "subject_token",
    "actor_token",
    "actor_token_type",
    "refresh_token",
    "redirect_uri",
];

/// What a client's assertion is (RFC 7523, section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token request, ready to be sent.
pub(super) struct ClientForm {
    /// The `Authorization` header, when the client proves who it is in it.
    pub(super) authorization: Option<Zeroizing<String>>,
    /// The body, `application/x-www-form-urlencoded`.
    pub(super) body: Zeroizing<String>,
}

/// How a client proves who it is.
pub(super) enum Proof<'a> {
    /// In the `Authorization` header.
    Basic(&'a Secret),
    /// In the body.
    Post(&'a Secret),
    /// By a JWT that says who it is (RFC 7523, section 2.2).
    Assertion(Secret),
    /// Not at all; it is not even named.
    Unnamed,
}

impl ClientForm {
    /// The request for a token by a grant, with the client's proof.
    pub(super) fn new(client_id: &str, proof: &Proof<'_>, grant: &GrantRequest) -> Self {
        let mut form = Serializer::new(String::new());
        for (name, value) in grant.fixed() {
            form.append_pair(name, value);
        }
        let authorization = match proof {
            Proof::Basic(secret) => Some(basic(client_id, secret)),
            Proof::Post(secret) => {
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", secret.expose());
                None
            }
            Proof::Assertion(assertion) => {
                if !client_id.is_empty() {
                    form.append_pair("client_id", client_id);
                }
                form.append_pair("client_assertion_type", ASSERTION_TYPE);
                form.append_pair("client_assertion", assertion.expose());
                None
            }
            Proof::Unnamed => None,
        };
        for (name, value) in grant.custom() {
            form.append_pair(name, value);
        }
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
    use super::*;
    use crate::outbound::tokens::TokenKey;

    fn form(proof: fn(&Secret) -> Proof<'_>) -> ClientForm {
        let key = TokenKey {
            scopes: vec!["x/read".to_owned(), "x/write".to_owned()],
            parameters: [("audience".to_owned(), "https://api".to_owned())].into(),
            party: None,
        };
        ClientForm::new("a:b c", &proof(&Secret::new("p&s+ä%")), &GrantRequest::of_the_client(&key))
    }

    #[test]
    fn a_client_proves_itself_in_the_header_or_in_the_body() {
        let basic = form(|secret| Proof::Basic(secret));
        assert_eq!(
            *basic.body,
            "grant_type=client_credentials&scope=x%2Fread+x%2Fwrite&audience=https%3A%2F%2Fapi"
        );
        let header = basic.authorization.unwrap();
        let encoded = header.strip_prefix("Basic ").unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), b"a%3Ab+c:p%26s%2B%C3%A4%25");
        let post = form(|secret| Proof::Post(secret));
        assert!(post.authorization.is_none());
        assert!(post.body.contains("&client_id=a%3Ab+c&client_secret=p%26s%2B%C3%A4%25&"), "{}", *post.body);
    }

    #[test]
    fn a_client_that_is_not_named_proves_nothing() {
        let unnamed = form(|_| Proof::Unnamed);
        assert!(unnamed.authorization.is_none());
        assert!(
            !unnamed.body.contains("client_id") && !unnamed.body.contains("client_secret"),
            "{}",
            *unnamed.body
        );
    }

    #[test]
    fn what_says_who_asks_is_ours() {
        for name in ["grant_type", "Client_ID", " scope", "client_assertion", "subject_token"] {
            assert!(check_parameter(name).is_err(), "{name}");
        }
        for name in ["audience", "resource", "tenant"] {
            assert!(check_parameter(name).is_ok(), "{name}");
        }
    }
}
