//! The caller's own parameters of an authorization request: what they may not say, and how much.

use std::collections::BTreeMap;

use crate::outbound::{Refusal, check_parameter};

/// Parameters of an authorization request that are ours to set (RFC 6749, section 4.1.1; RFC 7636, section 4.3), or in which
/// the others could hide (RFC 9101, section 5; OAuth 2.0 Multiple Response Types, section 2.1).
const OURS: [&str; 8] = [
    "response_type",
    "response_mode",
    "state",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "request",
    "request_uri",
];
/// How many there may be (`customParameters` of a gateway's targets).
const MOST: usize = 10;
/// How long they may be together, in bytes: what servers read as one line of a request.
const LONGEST: usize = 4 * 1024;
/// Those that are in the token request too (RFC 8707, section 2.2; RFC 8693, section 2.1).
const OF_TOKENS: [&str; 2] = ["resource", "audience"];

/// Whether the parameters may be in an authorization request.
///
/// # Errors
/// [`Refusal::Parameter`] for one that Portcullis sets itself, [`Refusal::Parameters`] when they are too many.
pub fn check(parameters: &BTreeMap<String, String>) -> Result<(), Refusal> {
    for name in parameters.keys() {
        check_parameter(name)?;
        if OURS.iter().any(|ours| name.trim().eq_ignore_ascii_case(ours)) {
            return Err(Refusal::Parameter(name.clone()));
        }
    }
    let length: usize = parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
    if parameters.len() > MOST || length > LONGEST { Err(Refusal::Parameters) } else { Ok(()) }
}

/// Those that a token request has too.
pub(super) fn of_tokens(parameters: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let shared = parameters.iter().filter(|(name, _)| OF_TOKENS.contains(&name.as_str()));
    shared.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_binds_an_answer_to_its_question_is_ours() {
        for name in
            ["state", "Redirect_URI", "code_challenge", "request_uri", "response_mode", "client_id", "scope"]
        {
            assert!(check(&of(&[(name, "x")])).is_err(), "{name}");
        }
        let theirs =
            of(&[("access_type", "offline"), ("prompt", "consent"), ("resource", "https://api.example")]);
        assert!(check(&theirs).is_ok());
        assert_eq!(of_tokens(&theirs), of(&[("resource", "https://api.example")]));
    }

    #[test]
    fn they_are_few_and_short() {
        let many: BTreeMap<_, _> = (0..11).map(|number| (format!("p{number}"), String::new())).collect();
        assert!(check(&many).is_err());
        assert!(check(&of(&[("a", &"x".repeat(2_000)), ("b", &"x".repeat(2_000))])).is_ok());
        assert!(check(&of(&[("a", &"x".repeat(2_048)), ("b", &"x".repeat(2_048))])).is_err());
    }
}
