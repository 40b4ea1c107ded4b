//! Which key may have signed: its id, and what it is made for.

use super::*;
use crate::support::keys::other_p256;

/// A token that names its key as it likes.
fn named(lab: &Lab, id: &Value) -> Try {
    lab.with_header(json!({ "kid": id }))
}

/// The same, where the issuer publishes its key under that very id.
fn named_well(lab: &Lab, id: &Value) -> Try {
    named(lab, id).among(&[rsa().jwk_with(json!({ "kid": id })), second_rsa().jwk()])
}

fn nameless(lab: &Lab) -> Try {
    lab.with_header(json!({ "kid": null }))
}

/// A token that is signed well, where its key is published in another way.
fn published(lab: &Lab, change: Value) -> Try {
    lab.good().among(&[rsa().jwk_with(change), second_rsa().jwk()])
}

#[tokio::test]
async fn by_their_ids() {
    run(&[
        Case {
            name: "unknown kid",
            wrong: |lab| named(lab, &json!("nobody")),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| named_well(lab, &json!("nobody")),
        },
        Case {
            name: "kid in another case",
            wrong: |lab| named(lab, &json!("RSA")),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| named_well(lab, &json!("RSA")),
        },
        Case {
            name: "kid is a prefix of the right one",
            wrong: |lab| named(lab, &json!("rs")),
            refused: Refused::Token(TokenError::UnknownKey),
            right: Lab::good,
        },
        Case {
            name: "missing kid with several keys of the algorithm",
            wrong: nameless,
            refused: Refused::Token(TokenError::AmbiguousKey),
            right: |lab| nameless(lab).among(&[rsa().jwk()]),
        },
        Case {
            name: "missing kid where no key of the algorithm is",
            wrong: |lab| nameless(lab).among(&[p256().jwk()]),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| nameless(lab).among(&[p256().jwk(), rsa().jwk()]),
        },
        Case {
            name: "missing kid, and the key that fits is another",
            wrong: |lab| nameless(lab).among(&[second_rsa().jwk()]),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| nameless(lab).among(&[rsa().jwk()]),
        },
        Case {
            name: "kid, and the issuer's key has none",
            wrong: |lab| published(lab, json!({ "kid": null })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| nameless(lab).among(&[rsa().jwk_with(json!({ "kid": null }))]),
        },
        Case {
            name: "duplicate kid in the JWKS",
            wrong: |lab| lab.good().among(&[rsa().jwk(), second_rsa().jwk_with(json!({ "kid": "rsa" }))]),
            refused: Refused::Token(TokenError::AmbiguousKey),
            right: |lab| lab.good().among(&[rsa().jwk(), second_rsa().jwk()]),
        },
        Case {
            name: "duplicate kid in the JWKS, the other first",
            wrong: |lab| lab.good().among(&[second_rsa().jwk_with(json!({ "kid": "rsa" })), rsa().jwk()]),
            refused: Refused::Token(TokenError::AmbiguousKey),
            // RFC 7517, section 4.5: keys of different kinds may share an id.
            right: |lab| lab.good().among(&[p256().jwk_with(json!({ "kid": "rsa" })), rsa().jwk()]),
        },
        Case {
            name: "the same key twice in the JWKS",
            wrong: |lab| lab.good().among(&[rsa().jwk(), rsa().jwk()]),
            refused: Refused::Token(TokenError::AmbiguousKey),
            right: |lab| lab.good().among(&[rsa().jwk()]),
        },
        Case {
            name: "kid with a path",
            wrong: |lab| named(lab, &json!("../../../../../etc/passwd")),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| named_well(lab, &json!("../../../../../etc/passwd")),
        },
        Case {
            name: "kid with SQL",
            wrong: |lab| named(lab, &json!("x' UNION SELECT 'AAAA';--")),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| named_well(lab, &json!("x' UNION SELECT 'AAAA';--")),
        },
        Case {
            name: "kid with a NUL behind the right id",
            wrong: |lab| named(lab, &json!("rsa\0.pem")),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| named_well(lab, &json!("rsa\0.pem")),
        },
        Case {
            name: "kid of 10 kB",
            wrong: |lab| named_well(lab, &json!("k".repeat(10_000))),
            refused: Refused::Unasked(BAD_KEY_ID),
            right: |lab| named_well(lab, &json!("k".repeat(256))),
        },
        Case {
            name: "kid empty",
            wrong: |lab| named_well(lab, &json!("")),
            refused: Refused::Unasked(BAD_KEY_ID),
            right: Lab::good,
        },
        Case {
            name: "kid is a number",
            wrong: |lab| named_well(lab, &json!(1)),
            refused: Refused::Unasked(BAD_KEY_ID),
            right: |lab| named_well(lab, &json!("1")),
        },
        Case {
            name: "kid is a list",
            wrong: |lab| named_well(lab, &json!(["rsa"])),
            refused: Refused::Unasked(BAD_KEY_ID),
            right: Lab::good,
        },
    ])
    .await;
}

#[tokio::test]
async fn by_what_they_are_made_for() {
    run(&[
        Case {
            name: "alg not matching the JWK's alg",
            wrong: |lab| signed_as(lab, "RS384", &rsa().jwk()),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| signed_as(lab, "RS384", &rsa().jwk_with(json!({ "alg": "RS384" }))),
        },
        Case {
            name: "PS256 by a key for RS256",
            wrong: |lab| signed_as(lab, "PS256", &rsa().jwk()),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| signed_as(lab, "PS256", &rsa().jwk_with(json!({ "alg": null }))),
        },
        Case {
            name: "alg not matching the JWK's kty: ES256 by the id of an RSA key",
            wrong: |lab| lab.headed_by(p256(), &json!({ "alg": "ES256", "kid": "rsa" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.headed_by(p256(), &json!({ "alg": "ES256", "kid": "p256" })),
        },
        Case {
            name: "alg not matching the JWK's kty: RS256 by the id of an EC key",
            wrong: |lab| lab.headed(&json!({ "alg": "RS256", "kid": "p256" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.headed(&json!({ "alg": "RS256", "kid": "rsa" })),
        },
        Case {
            name: "alg not matching the JWK's kty: EdDSA by the id of an EC key",
            wrong: |lab| lab.headed_by(ed25519(), &json!({ "alg": "EdDSA", "kid": "p256" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.headed_by(ed25519(), &json!({ "alg": "EdDSA", "kid": "ed25519" })),
        },
        Case {
            name: "alg not matching the JWK's curve: ES384 by a P-256 key",
            wrong: |lab| lab.headed_by(p256(), &json!({ "alg": "ES384", "kid": "p256" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.headed_by(p384(), &json!({ "alg": "ES384", "kid": "p384" })),
        },
        Case {
            name: "alg not matching the JWK's curve: ES256 by a P-384 key that says so",
            wrong: |lab| {
                lab.headed_by(p384(), &json!({ "alg": "ES256", "kid": "p384" }))
                    .among(&[p384().jwk_with(json!({ "alg": "ES256" }))])
            },
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.signed(p384()).among(&[p384().jwk_with(json!({ "alg": null }))]),
        },
        Case {
            name: "a JWK whose alg is not of its kty",
            wrong: |lab| published(lab, json!({ "alg": "ES256" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| published(lab, json!({ "alg": "RS256" })),
        },
        Case {
            name: "a JWK whose alg is symmetric",
            wrong: |lab| published(lab, json!({ "alg": "HS256" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| published(lab, json!({ "alg": "RS256" })),
        },
        Case {
            name: "a JWK whose alg is none",
            wrong: |lab| published(lab, json!({ "alg": "none" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| published(lab, json!({ "alg": null })),
        },
        Case {
            name: "a JWK for encryption",
            wrong: |lab| published(lab, json!({ "use": "enc" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| published(lab, json!({ "use": null })),
        },
        Case {
            name: "a JWK whose use is no text",
            wrong: |lab| published(lab, json!({ "use": ["sig"] })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| published(lab, json!({ "use": "sig" })),
        },
        Case {
            name: "a JWK whose key_ops do not verify",
            wrong: |lab| published(lab, json!({ "key_ops": ["encrypt", "wrapKey"] })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| published(lab, json!({ "key_ops": ["verify"] })),
        },
        Case {
            name: "a JWK of an unknown kty",
            wrong: |lab| published(lab, json!({ "kty": "rsa" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| published(lab, json!({ "kty": "RSA" })),
        },
        Case {
            name: "a JWK whose kty lies about its members",
            wrong: |lab| lab.signed(p256()).among(&[p256().jwk_with(json!({ "kty": "RSA" }))]),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.signed(p256()).among(&[p256().jwk()]),
        },
        Case {
            name: "a JWK whose crv lies about its point",
            wrong: |lab| {
                let jwk = p384().jwk_with(json!({ "crv": "P-256", "alg": "ES256" }));
                lab.headed_by(p384(), &json!({ "alg": "ES256", "kid": "p384" })).among(&[jwk])
            },
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.signed(p384()).among(&[p384().jwk()]),
        },
    ])
    .await;
}

#[tokio::test]
async fn by_what_they_are_made_of() {
    run(&[
        Case {
            name: "an RSA exponent of 1, with which every padded message is its own signature",
            wrong: |lab| published(lab, json!({ "e": "AQ" })),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| published(lab, json!({ "e": "AQAB" })),
        },
        Case {
            name: "an even RSA exponent",
            wrong: |lab| published(lab, json!({ "e": "AQAA" })),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| published(lab, json!({ "e": "AQAB" })),
        },
        Case {
            name: "an RSA modulus with padding",
            wrong: |lab| {
                let jwk = rsa().jwk();
                published(lab, json!({ "n": format!("{}==", jwk["n"].as_str().unwrap()) }))
            },
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| published(lab, json!({ "n": rsa().jwk()["n"] })),
        },
        Case {
            name: "an RSA key without a modulus",
            wrong: |lab| published(lab, json!({ "n": null })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: Lab::good,
        },
        Case {
            name: "a point that is not on the curve",
            wrong: |lab| {
                let jwk = p256().jwk_with(json!({ "y": other_p256().jwk()["y"] }));
                lab.signed(p256()).among(&[jwk])
            },
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.signed(p256()).among(&[p256().jwk_with(json!({ "y": p256().jwk()["y"] }))]),
        },
        Case {
            name: "the point at infinity",
            wrong: |lab| {
                let zero = crate::support::keys::encode(&[0; 32]);
                lab.signed(p256()).among(&[p256().jwk_with(json!({ "x": zero, "y": zero }))])
            },
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.signed(p256()),
        },
        Case {
            name: "an Ed25519 key of DER in the place of its 32 bytes",
            wrong: |lab| {
                // RFC 8410, section 4: the same key, which the library reads as well.
                let x = ed25519().jwk()["x"].as_str().unwrap().to_owned();
                let der = format!("{}{x}", crate::support::keys::encode(ED25519_INFO));
                lab.signed(ed25519()).among(&[ed25519().jwk_with(json!({ "x": der }))])
            },
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.signed(ed25519()).among(&[ed25519().jwk()]),
        },
        Case {
            name: "a key that is nothing but a certificate",
            wrong: |lab| published(lab, json!({ "n": null, "e": null, "x5c": ["AAAA"] })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| published(lab, json!({ "x5c": ["AAAA"], "x5u": lab.trap.url("/x5u") })),
        },
    ])
    .await;
}

/// What stands before the 32 bytes of an Ed25519 key in DER: twelve bytes, so that base64url joins them well.
const ED25519_INFO: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A token that the RSA key signs by the rules that its header names, at an issuer with this key.
fn signed_as(lab: &Lab, algorithm: &str, jwk: &Value) -> Try {
    let header = json!({ "alg": algorithm, "kid": "rsa" }).to_string();
    let payload = claims(&lab.issuer()).to_string();
    lab.try_token(raw(header.as_bytes(), payload.as_bytes(), |message| rsa().sign_as(algorithm, message)))
        .among(std::slice::from_ref(jwk))
}
