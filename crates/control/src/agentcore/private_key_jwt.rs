//! The key of a client that proves who it is by `PRIVATE_KEY_JWT`, as requests and answers write it (`privateKeyJwtConfig`).
//! Portcullis makes the key, keeps its private half sealed where other clients have their secret, and publishes the other.

use std::collections::BTreeMap;

use aws_shapes::bedrock_agentcore_control::{PrivateKeyJwtConfig, SigningAlgorithm};
use domain::{ClientKey, ClientKeyAlgorithm};

use crate::fault::{Failure, invalid};

/// Members of the header that say how an assertion is signed (RFC 7515, section 4.1).
const SIGNED_BY: [&str; 10] = ["alg", "kid", "typ", "cty", "crit", "jku", "jwk", "x5u", "b64", "zip"];
/// Claims that say who the client is, for whom and for how long (RFC 7523, section 3).
const SAID: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// What is given in `place`; RS256 where no algorithm is.
///
/// # Errors
/// AWS's ValidationException for what is not the caller's to say.
pub(super) fn read(place: &str, given: PrivateKeyJwtConfig) -> Result<ClientKey, Failure> {
    let PrivateKeyJwtConfig { signing_algorithm, additional_header_claims, additional_payload_claims } =
        given;
    let algorithm = match signing_algorithm {
        None | Some(SigningAlgorithm::Rs256) => ClientKeyAlgorithm::Rs256,
        Some(SigningAlgorithm::Ps256) => ClientKeyAlgorithm::Ps256,
        Some(SigningAlgorithm::Es256) => ClientKeyAlgorithm::Es256,
    };
    let header = additional_header_claims.unwrap_or_default();
    let claims = additional_payload_claims.unwrap_or_default();
    check(&format!("{place}/additionalHeaderClaims"), &header, &SIGNED_BY)?;
    check(&format!("{place}/additionalPayloadClaims"), &claims, &SAID)?;
    Ok(ClientKey { algorithm, header, claims })
}

fn check(place: &str, given: &BTreeMap<String, String>, ours: &[&str]) -> Result<(), Failure> {
    match given.keys().find(|name| ours.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(invalid(place, format!("{name} cannot be given: Portcullis writes it itself."))),
    }
}

/// What is configured, as answers have it.
pub(super) fn show(key: ClientKey) -> PrivateKeyJwtConfig {
    let shown = |members: BTreeMap<String, String>| Some(members).filter(|members| !members.is_empty());
    PrivateKeyJwtConfig {
        signing_algorithm: Some(match key.algorithm {
            ClientKeyAlgorithm::Rs256 => SigningAlgorithm::Rs256,
            ClientKeyAlgorithm::Ps256 => SigningAlgorithm::Ps256,
            ClientKeyAlgorithm::Es256 => SigningAlgorithm::Es256,
        }),
        additional_header_claims: shown(key.header),
        additional_payload_claims: shown(key.claims),
    }
}
