//! What a token request asks for: the grant with its own parameters, and those that the caller adds. RFC 6749, sections
//! 4.1.3 (a code), 4.4 (client credentials) and 6 (a refresh token), RFC 8693, section 2.1 (token exchange), RFC 7523, section 2.1 (a JWT as an authorization grant).

use std::collections::BTreeMap;

use domain::{OnBehalfOfGrant, Vendor};
use zeroize::Zeroizing;

use super::party::{Exchange, TokenKind};
use super::tokens::TokenKey;

/// The grant of RFC 8693.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The grant of RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// By this a caller says of what other type the person's token is.
const SUBJECT_TYPE: &str = "subject_token_type";

/// A grant with its parameters.
pub(super) struct GrantRequest {
    fixed: Vec<(&'static str, Zeroizing<String>)>,
    custom: Vec<(String, String)>,
}

impl GrantRequest {
    /// A token of the client itself.
    pub(super) fn of_the_client(key: &TokenKey) -> Self {
        Self::new("client_credentials", key)
    }

    /// A token for the person whose token came in.
    pub(super) fn of_the_person(exchange: &Exchange, vendor: Vendor, key: &TokenKey) -> Self {
        match &exchange.how.grant {
            OnBehalfOfGrant::TokenExchange(_) => {
                let mut request = Self::new(TOKEN_EXCHANGE, key);
                request.set("subject_token", exchange.subject.expose());
                if !request.has(SUBJECT_TYPE) {
                    request.set(SUBJECT_TYPE, TokenKind::Jwt.as_str());
                }
                if let Some(actor) = &exchange.actor {
                    request.set("actor_token", actor.token.expose());
                    request.set("actor_token_type", actor.kind.as_str());
                }
                request
            }
            OnBehalfOfGrant::JwtAuthorization => {
                let mut request = Self::new(JWT_BEARER, key);
                request.set("assertion", exchange.subject.expose());
                if let Some((name, value)) = vendor.facts().on_behalf_of {
                    request.custom.retain(|(given, _)| given != name);
                    request.set(name, value);
                }
                request
            }
        }
    }

    /// A token for a person who consented: by a code, or by a refresh token.
    pub(super) fn of_a_code(grant: &[(&'static str, &str)], parameters: &BTreeMap<String, String>) -> Self {
        let mut request = Self::with(parameters);
        for (name, value) in grant {
            request.set(name, value);
        }
        request
    }

    fn with(parameters: &BTreeMap<String, String>) -> Self {
        let custom = parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { fixed: Vec::new(), custom }
    }

    fn new(grant_type: &str, key: &TokenKey) -> Self {
        let mut request = Self::with(&key.parameters);
        request.set("grant_type", grant_type);
        if !key.scopes.is_empty() {
            request.set("scope", &key.scopes.join(" "));
        }
        request
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.fixed.push((name, Zeroizing::new(value.to_owned())));
    }

    fn has(&self, name: &str) -> bool {
        self.custom.iter().any(|(given, _)| given == name)
    }

    /// What the grant itself says.
    pub(super) fn fixed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fixed.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// What the caller adds.
    pub(super) fn custom(&self) -> impl Iterator<Item = (&str, &str)> {
        self.custom.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use domain::{ActorToken, OnBehalfOf, OnBehalfOfClient, Secret};

    use super::*;
    use crate::outbound::party::Acting;

    fn request(
        grant: OnBehalfOfGrant,
        vendor: Vendor,
        parameters: &[(&str, &str)],
    ) -> BTreeMap<String, String> {
        let how = OnBehalfOf { grant, client: OnBehalfOfClient::Proven };
        let actor = Acting { token: Secret::new("the-actor"), kind: TokenKind::AccessToken };
        let exchange = Exchange { how, subject: Secret::new("the-person"), actor: Some(actor) };
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let scopes = vec!["read".to_owned(), "write".to_owned()];
        let key = TokenKey { scopes, parameters: parameters.collect(), party: None };
        let request = GrantRequest::of_the_person(&exchange, vendor, &key);
        let all: Vec<_> = request.fixed().chain(request.custom()).collect();
        let map: BTreeMap<_, _> = all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(map.len(), all.len(), "no parameter may stand twice (RFC 6749, section 3.2)");
        map
    }

    #[test]
    fn a_token_exchange_names_both_tokens_and_their_types() {
        let exchange = OnBehalfOfGrant::TokenExchange(ActorToken::None);
        let made = request(exchange.clone(), Vendor::Custom, &[("audience", "https://api")]);
        let expected = [
            ("actor_token", "the-actor"),
            ("actor_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("audience", "https://api"),
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("scope", "read write"),
            ("subject_token", "the-person"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        assert_eq!(made, expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        let other = ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token");
        let made = request(exchange, Vendor::Custom, &[other]);
        assert_eq!(made.get(other.0).map(String::as_str), Some(other.1));
    }

    #[test]
    fn microsoft_is_told_what_the_assertion_is_for() {
        let ours = ("requested_token_use", "on_behalf_of");
        let made = request(OnBehalfOfGrant::JwtAuthorization, Vendor::Microsoft, &[(ours.0, "other")]);
        assert_eq!(made.get(ours.0).map(String::as_str), Some(ours.1));
        assert_eq!(made.get("assertion").map(String::as_str), Some("the-person"));
        assert_eq!(made.get("grant_type").map(String::as_str), Some(JWT_BEARER));
        let made = request(OnBehalfOfGrant::JwtAuthorization, Vendor::Custom, &[]);
        assert!(!made.contains_key(ours.0) && !made.contains_key("actor_token"));
    }
}
