//! What a header may ask for, and is not given.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::support::certificate::self_signed;
use crate::support::keys::encode;

const CRITICAL: TokenError = TokenError::Header("it has critical extensions");
const ENCODED: TokenError = TokenError::Header("its payload would be encoded, compressed or encrypted");
const NESTED: TokenError = TokenError::Header("it wraps another token");

/// A token without a signature, of an algorithm that wants none.
fn unsigned(lab: &Lab, algorithm: &str) -> Try {
    let header = json!({ "alg": algorithm, "kid": "rsa" }).to_string();
    lab.try_token(raw(header.as_bytes(), claims(&lab.issuer()).to_string().as_bytes(), |_| Vec::new()))
}

/// A token whose HMAC key is what everyone can fetch.
fn keyed_by(lab: &Lab, secret: &[u8]) -> Try {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let header = br#"{"alg":"HS256","kid":"rsa"}"#;
    let token = raw(header, claims(&lab.issuer()).to_string().as_bytes(), |message| {
        hmac::sign(&key, message).as_ref().to_vec()
    });
    lab.try_token(token)
}

/// A token of the attacker's own key, whose header brings that key along or says where it is.
fn attackers(lab: &Lab, more: Value) -> Try {
    lab.headed_by(attacker(), &crate::support::keys::merged(json!({ "alg": "RS256", "kid": "rsa" }), more))
}

fn chain() -> Value {
    json!([STANDARD.encode(self_signed(attacker()))])
}

#[tokio::test]
async fn algorithms() {
    run(&[
        Case {
            name: "alg none",
            wrong: |lab| unsigned(lab, "none"),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "alg None",
            wrong: |lab| unsigned(lab, "None"),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "alg nOnE",
            wrong: |lab| unsigned(lab, "nOnE"),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "alg none, with a signature that holds",
            wrong: |lab| lab.with_header(json!({ "alg": "none" })),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: |lab| lab.with_header(json!({ "alg": "RS256" })),
        },
        Case {
            name: "alg empty",
            wrong: |lab| lab.with_header(json!({ "alg": "" })),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "alg missing",
            wrong: |lab| lab.with_header(json!({ "alg": null })),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "alg is a list",
            wrong: |lab| lab.with_header(json!({ "alg": ["RS256"] })),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "alg in lower case",
            wrong: |lab| lab.with_header(json!({ "alg": "rs256" })),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "alg with a blank",
            wrong: |lab| lab.with_header(json!({ "alg": "RS256 " })),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "HS256 signed with the RSA public key as PEM",
            wrong: |lab| keyed_by(lab, rsa().public_pem().as_bytes()),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "HS256 signed with the RSA public key as DER",
            wrong: |lab| keyed_by(lab, &rsa().public_der()),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "HS256 with a symmetric key that the issuer publishes",
            wrong: |lab| {
                let oct = json!({ "kty": "oct", "kid": "rsa", "alg": "HS256", "k": encode(b"published") });
                keyed_by(lab, b"published").among(&[oct])
            },
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "an algorithm of encryption",
            wrong: |lab| lab.with_header(json!({ "alg": "RSA-OAEP" })),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: Lab::good,
        },
        Case {
            name: "ES256K, whose curve is not published",
            wrong: |lab| lab.headed_by(p256(), &json!({ "alg": "ES256K", "kid": "p256" })),
            refused: Refused::Unasked(BAD_ALGORITHM),
            right: |lab| lab.headed_by(p256(), &json!({ "alg": "ES256", "kid": "p256" })),
        },
    ])
    .await;
}

#[tokio::test]
async fn keys_and_places_of_keys() {
    run(&[
        Case {
            name: "embedded jwk, with which the signature holds",
            wrong: |lab| attackers(lab, json!({ "jwk": attacker().jwk() })),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.with_header(json!({ "jwk": attacker().jwk() })),
        },
        Case {
            name: "embedded jwk with its own kid",
            wrong: |lab| attackers(lab, json!({ "kid": "attacker", "jwk": attacker().jwk() })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.with_header(json!({ "jwk": attacker().jwk() })),
        },
        Case {
            name: "embedded jwk without a kid, at an issuer with one key",
            wrong: |lab| {
                attackers(lab, json!({ "kid": null, "jwk": attacker().jwk() })).among(&[rsa().jwk()])
            },
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.with_header(json!({ "kid": null })).among(&[rsa().jwk()]),
        },
        Case {
            name: "embedded x5c, with which the signature holds",
            wrong: |lab| attackers(lab, json!({ "x5c": chain() })),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.with_header(json!({ "x5c": chain() })),
        },
        Case {
            name: "embedded x5c with x5t in the place of a kid",
            wrong: |lab| attackers(lab, json!({ "kid": "attacker", "x5c": chain(), "x5t": "AAAA" })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.with_header(json!({ "x5c": chain(), "x5t": "AAAA" })),
        },
        Case {
            name: "jku",
            wrong: |lab| attackers(lab, json!({ "kid": "attacker", "jku": lab.trap.url("/keys") })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.with_header(json!({ "jku": lab.trap.url("/keys") })),
        },
        Case {
            name: "jku, with the issuer's kid",
            wrong: |lab| attackers(lab, json!({ "jku": lab.trap.url("/keys") })),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.with_header(json!({ "jku": lab.trap.url("/keys") })),
        },
        Case {
            name: "x5u",
            wrong: |lab| attackers(lab, json!({ "kid": "attacker", "x5u": lab.trap.url("/x5u") })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.with_header(json!({ "x5u": lab.trap.url("/x5u") })),
        },
        Case {
            name: "kid is a place",
            wrong: |lab| attackers(lab, json!({ "kid": lab.trap.url("/keys") })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: Lab::good,
        },
        Case {
            name: "iss in the header is a place",
            wrong: |lab| attackers(lab, json!({ "kid": "attacker", "iss": lab.trap.issuer() })),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.with_header(json!({ "iss": lab.trap.issuer() })),
        },
        Case {
            name: "iss in the claims is a place",
            wrong: |lab| lab.try_token(token(&header(attacker()), &claims(&lab.trap.issuer()), attacker())),
            refused: Refused::Token(TokenError::UnknownKey),
            right: Lab::good,
        },
    ])
    .await;
}

#[tokio::test]
async fn extensions() {
    run(&[
        Case {
            name: "crit with an unknown name",
            wrong: |lab| lab.with_header(json!({ "crit": ["urn:new"], "urn:new": true })),
            refused: Refused::Unasked(CRITICAL),
            right: |lab| lab.with_header(json!({ "urn:new": true })),
        },
        Case {
            name: "crit with a name that is not there",
            wrong: |lab| lab.with_header(json!({ "crit": ["urn:new"] })),
            refused: Refused::Unasked(CRITICAL),
            right: Lab::good,
        },
        Case {
            name: "crit with a registered name",
            wrong: |lab| lab.with_header(json!({ "crit": ["kid"] })),
            refused: Refused::Unasked(CRITICAL),
            right: Lab::good,
        },
        Case {
            name: "crit empty",
            wrong: |lab| lab.with_header(json!({ "crit": [] })),
            refused: Refused::Unasked(CRITICAL),
            right: Lab::good,
        },
        Case {
            name: "crit is a text",
            wrong: |lab| lab.with_header(json!({ "crit": "exp" })),
            refused: Refused::Unasked(CRITICAL),
            right: Lab::good,
        },
        Case {
            name: "crit is an object",
            wrong: |lab| lab.with_header(json!({ "crit": {} })),
            refused: Refused::Unasked(CRITICAL),
            right: Lab::good,
        },
        Case {
            name: "crit is null",
            wrong: |lab| {
                let payload = claims(&lab.issuer()).to_string();
                lab.written(br#"{"alg":"RS256","kid":"rsa","crit":null}"#, payload.as_bytes())
            },
            refused: Refused::Unasked(CRITICAL),
            right: |lab| {
                let payload = claims(&lab.issuer()).to_string();
                lab.written(br#"{"alg":"RS256","kid":"rsa"}"#, payload.as_bytes())
            },
        },
        Case {
            name: "b64 false, and critical",
            wrong: |lab| lab.with_header(json!({ "b64": false, "crit": ["b64"] })),
            refused: Refused::Unasked(CRITICAL),
            right: Lab::good,
        },
        Case {
            name: "b64 false",
            wrong: |lab| lab.with_header(json!({ "b64": false })),
            refused: Refused::Unasked(ENCODED),
            right: Lab::good,
        },
        Case {
            name: "b64 false, and a payload that is not encoded",
            wrong: |lab| {
                let message = format!(
                    "{}.{}",
                    encode(br#"{"alg":"RS256","kid":"rsa","b64":false}"#),
                    claims(&lab.issuer())
                );
                lab.try_token(format!("{message}.{}", encode(&rsa().sign(message.as_bytes()))))
            },
            refused: Refused::Unasked(NOT_THREE_PARTS),
            right: Lab::good,
        },
        Case {
            name: "zip header",
            wrong: |lab| lab.with_header(json!({ "zip": "DEF" })),
            refused: Refused::Unasked(ENCODED),
            right: Lab::good,
        },
        Case {
            name: "enc header",
            wrong: |lab| lab.with_header(json!({ "enc": "A128GCM" })),
            refused: Refused::Unasked(ENCODED),
            right: Lab::good,
        },
        Case {
            name: "cty JWT",
            wrong: |lab| lab.with_header(json!({ "cty": "JWT" })),
            refused: Refused::Unasked(NESTED),
            right: |lab| lab.with_header(json!({ "cty": "json" })),
        },
        Case {
            name: "cty jwt",
            wrong: |lab| lab.with_header(json!({ "cty": "jwt" })),
            refused: Refused::Unasked(NESTED),
            right: Lab::good,
        },
        Case {
            name: "cty application/jwt",
            wrong: |lab| lab.with_header(json!({ "cty": "application/jwt" })),
            refused: Refused::Unasked(NESTED),
            right: |lab| lab.with_header(json!({ "cty": "application/json" })),
        },
        Case {
            name: "cty is no text",
            wrong: |lab| lab.with_header(json!({ "cty": ["JWT"] })),
            refused: Refused::Unasked(NESTED),
            right: Lab::good,
        },
        Case {
            name: "a token inside a token",
            wrong: |lab| {
                let inner = lab.good().token;
                lab.written(header(rsa()).to_string().as_bytes(), inner.as_bytes())
            },
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: Lab::good,
        },
    ])
    .await;
}
