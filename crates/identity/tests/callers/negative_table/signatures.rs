//! Signatures that are not what their algorithm makes, and keys that are too small.

use aws_lc_rs::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::token::{Jws, KeySet};

use super::*;

/// A token whose header and claims are good, with a signature of one's choice.
fn signed_by(lab: &Lab, key: &Key, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Try {
    let payload = claims(&lab.issuer()).to_string();
    lab.try_token(raw(header(key).to_string().as_bytes(), payload.as_bytes(), sign))
}

/// A P-256 token whose signature is changed after it was made.
fn changed(lab: &Lab, change: fn(&mut Vec<u8>)) -> Try {
    signed_by(lab, p256(), |message| {
        let mut signature = p256().sign(message);
        change(&mut signature);
        signature
    })
}

fn es256(lab: &Lab) -> Try {
    lab.signed(p256())
}

/// A token of an RSA key by the rules of another algorithm than its header names.
fn signed_as(lab: &Lab, named: &str, made: &str) -> Try {
    let header = json!({ "alg": named, "kid": "rsa" }).to_string();
    let payload = claims(&lab.issuer()).to_string();
    let any = rsa().jwk_with(json!({ "alg": null }));
    lab.try_token(raw(header.as_bytes(), payload.as_bytes(), |message| rsa().sign_as(made, message)))
        .among(&[any])
}

#[tokio::test]
async fn of_elliptic_curves() {
    run(&[
        Case {
            name: "ES signature in DER",
            wrong: |lab| signed_by(lab, p256(), |message| p256().sign_in_asn1(message)),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| signed_by(lab, p256(), |message| p256().sign(message)),
        },
        Case {
            name: "ES signature with r = 0",
            wrong: |lab| changed(lab, |signature| signature[..32].fill(0)),
            refused: Refused::Token(TokenError::Signature),
            right: es256,
        },
        Case {
            name: "ES signature with s = 0",
            wrong: |lab| changed(lab, |signature| signature[32..].fill(0)),
            refused: Refused::Token(TokenError::Signature),
            right: es256,
        },
        Case {
            name: "ES signature with r = s = 0",
            wrong: |lab| changed(lab, |signature| signature.fill(0)),
            refused: Refused::Token(TokenError::Signature),
            right: es256,
        },
        Case {
            name: "ES signature with r and s beyond the order",
            wrong: |lab| changed(lab, |signature| signature.fill(0xff)),
            refused: Refused::Token(TokenError::Signature),
            right: es256,
        },
        Case {
            name: "ES signature with r and s exchanged",
            wrong: |lab| changed(lab, |signature| signature.rotate_left(32)),
            refused: Refused::Token(TokenError::Signature),
            right: es256,
        },
        Case {
            name: "ES signature a byte short",
            wrong: |lab| changed(lab, |signature| signature.truncate(63)),
            refused: Refused::Token(TokenError::Signature),
            right: es256,
        },
        Case {
            name: "ES signature a byte long",
            wrong: |lab| changed(lab, |signature| signature.push(0)),
            refused: Refused::Token(TokenError::Signature),
            right: es256,
        },
        Case {
            name: "ES signature with zeros before its numbers",
            wrong: |lab| {
                changed(lab, |signature| {
                    let (r, s) = signature.split_at(32);
                    *signature = [&[0; 16][..], r, &[0; 16], s].concat();
                })
            },
            refused: Refused::Token(TokenError::Signature),
            right: es256,
        },
        Case {
            name: "ES384 signature of a P-256 token",
            wrong: |lab| signed_by(lab, p256(), |message| p384().sign(message)),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.signed(p384()),
        },
        Case {
            name: "ES signature by another key of the curve",
            wrong: |lab| signed_by(lab, p256(), |message| crate::support::keys::other_p256().sign(message)),
            refused: Refused::Token(TokenError::Signature),
            right: es256,
        },
        Case {
            name: "EdDSA signature with one bit changed",
            wrong: |lab| {
                signed_by(lab, ed25519(), |message| {
                    let mut signature = ed25519().sign(message);
                    signature[0] ^= 1;
                    signature
                })
            },
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.signed(ed25519()),
        },
        Case {
            name: "EdDSA signature whose S is not reduced",
            wrong: |lab| {
                signed_by(lab, ed25519(), |message| {
                    let mut signature = ed25519().sign(message);
                    add_the_order(&mut signature[32..]);
                    signature
                })
            },
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.signed(ed25519()),
        },
    ])
    .await;
}

/// Adds the order of edwards25519 (RFC 8032, section 5.1): the same signature to a careless verifier.
fn add_the_order(s: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, more) in s.iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
}

#[tokio::test]
async fn of_rsa() {
    run(&[
        Case {
            name: "another key's signature",
            wrong: |lab| signed_by(lab, rsa(), |message| attacker().sign(message)),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| signed_by(lab, rsa(), |message| rsa().sign(message)),
        },
        Case {
            name: "another of the issuer's keys signed",
            wrong: |lab| signed_by(lab, rsa(), |message| second_rsa().sign(message)),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.signed(second_rsa()),
        },
        Case {
            name: "a signature of other claims",
            wrong: |lab| {
                let (good, other) = (lab.good().token, lab.claiming(json!({ "sub": "other" })).token);
                let signature = good.rsplit('.').next().unwrap();
                lab.try_token(format!("{}.{signature}", other.rsplit_once('.').unwrap().0))
            },
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.claiming(json!({ "sub": "other" })),
        },
        Case {
            name: "a signature under another header",
            wrong: |lab| {
                let good = lab.good().token;
                let (_, rest) = good.split_once('.').unwrap();
                lab.try_token(format!(
                    "{}.{rest}",
                    crate::support::keys::encode(br#"{"alg":"RS256","kid":"rsa"}"#)
                ))
            },
            refused: Refused::Token(TokenError::Signature),
            right: |lab| lab.headed(&json!({ "alg": "RS256", "kid": "rsa" })),
        },
        Case {
            name: "a signature of zeros",
            wrong: |lab| signed_by(lab, rsa(), |_| vec![0; 256]),
            refused: Refused::Token(TokenError::Signature),
            right: Lab::good,
        },
        Case {
            name: "a signature of one",
            wrong: |lab| {
                signed_by(lab, rsa(), |_| {
                    let mut one = vec![0; 256];
                    one[255] = 1;
                    one
                })
            },
            refused: Refused::Token(TokenError::Signature),
            right: Lab::good,
        },
        Case {
            name: "a signature a byte long",
            wrong: |lab| signed_by(lab, rsa(), |message| [&[0][..], &rsa().sign(message)].concat()),
            refused: Refused::Token(TokenError::Signature),
            right: Lab::good,
        },
        Case {
            name: "PS256 in the header, RS256 in the signature",
            wrong: |lab| signed_as(lab, "PS256", "RS256"),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| signed_as(lab, "PS256", "PS256"),
        },
        Case {
            name: "RS256 in the header, PS256 in the signature",
            wrong: |lab| signed_as(lab, "RS256", "PS256"),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| signed_as(lab, "RS256", "RS256"),
        },
        Case {
            name: "RS512 in the header, RS256 in the signature",
            wrong: |lab| signed_as(lab, "RS512", "RS256"),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| signed_as(lab, "RS512", "RS512"),
        },
        Case {
            name: "PS384 in the header, PS512 in the signature",
            wrong: |lab| signed_as(lab, "PS384", "PS512"),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| signed_as(lab, "PS384", "PS384"),
        },
        Case {
            name: "RS384 in the header, PS384 in the signature",
            wrong: |lab| signed_as(lab, "RS384", "PS384"),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| signed_as(lab, "RS384", "RS384"),
        },
        Case {
            name: "PS512 in the header, RS512 in the signature",
            wrong: |lab| signed_as(lab, "PS512", "RS512"),
            refused: Refused::Token(TokenError::Signature),
            right: |lab| signed_as(lab, "PS512", "PS512"),
        },
    ])
    .await;
}

/// `{"alg":"RS256","kid":"fixed"}` and `{"iss":"https://issuer.example","exp":1763721000}`.
const MESSAGE: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImZpeGVkIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiZXhwIjoxNzYzNzIxMDAwfQ";

/// The library makes no key below 2,048 bits, so these are OpenSSL's: bits, modulus, and the message's signature.
#[rustfmt::skip]
const BY_SIZE: [(usize, &str, &str); 4] = [
    (
        1024,
        "4k9CkS3JyEZjdKiyUWMSGy2MenbII0XMjO7rjPQKHXFMOTAbQ9bC3IgHjUi8YyCH7J2Nva__TajP_cAvYVy1R1ZybDEvxxnc-78suGl6stkzvOQLXkFYSRb6xWJx9vxF3d9N4nTd0JDBwyWyFxhQPKqcO85nlAuYwDCNieHO6a8",
        "Rfk9NJj_FDe_lN8SMsjEhJjLqQ0ZmnVT2jR5Xbiel4MrLjZSLcVtgrRbWCd77f7MeruobMsOFd1IzjOlD3JkTs55fa9wyvSOaEhMp5H2Tau3ep0RCTEdxg6gqTQp1N0w6aSrpD56W5AUYYJB_MUjjjQqlsSTvKeGEBp7-fWEZkU",
    ),
    (
        1536,
        "30w5r5tRGoFeMgM1c5Zsp0m1IYv1YYwuZ1i8ZABdoJBh_NBJ0U2x6T9yY8qLUsIkkcF9XGcjjHiK5MVw2hKPsHRH5t6C37yIE3gKYEaXHDvdvGnCgv_ajLUsiukEV2A_af20lV7ZiG6bm1Q6uWoVJX8zifY-j-fl72mm5YcthUhi8pO7rAYf0Bq_Kp3AsczgXd0BPYpeH14Yn9qP927NhXB4_6T3ySmEac5DtVd46tl2FXhTcje8OlOdJtjXDYNf",
        "nXw4MUv86LYBR3lfo3STv0Vvomw-K1wzR_LTew3MY03FiDbUCT3y7SzM8oxd6mIc4mvgw2oT4_GPkjWmuSvdO-xV1NfgubFH11ZNcxEZ8iRieTfC0Ce_S-Ha0b6hadpfZsxJAvtewjCabywGqcbkjaV0cgPZ1fnO1cmJRAVE86zWDhP5OMs7HB_UqC1EdW_Ndk6Zj8bnJLxSyZk3iEJXYYDaXXtTUy3_VBHusRYdelVtJsQILQZNyasxRcPlNul2",
    ),
    (
        2047,
        "Vl1eCcDF0FbQ7Sr5iQcNCCektEtMZEW9hUE6z2YnQ0tnp8IIu7GUnNcf78XKqnuLi_dq_ibE9tKGWxLWiSidFiR169j_b8a3bPl9er0yvkMEQ_7Xg3_zBb7HTEib_HZVfex0pMkk4ZfIRHkYmil636-L3ZJ_10JWi9e5y251UVF0Wyt-vjsZOseivD8aZYcF9RC2cJ0wq6eC6GvWxkrAJByI5893P8EpwVXNyH8lh_7xtSkOuVL_a1Umq5_IMDiH9OQL8i52j4_fPvpkeYh9rCyOcMosH5EQYgMGryjr8D9yqFaVYGn_QCplA_FGQc_mDk4MFk9_ca2t70VHIgTgsw",
        "S1fxoyM7BAc0B4oYDtDUy6GoHw4so2QNNmdjYI1vrKzxYNEVNFDaSAKF9wACDi7ck2pzoJfmU3ro4jp-y8g7z4rfyXi8Y9Ljhk8iALZUg5Mc2N5F_wRKsSwRkVMKSwl3hNbUqVYLYFLgNk85ua7-4IElQft0D_YFAzcRpBbGWYjmL0D6WA5xve0iK1aw4R9y6dXz3ohH9u2AcSX8R1_fzNe9xox6cjwmDM7M1Mh9FVmHK7eejCYkFAdPgCODlc41uoLsBdpMk-G-MzGxK4hndcT4y326vKeslP9FtkRJRmwqmPUPFQXV1E3FQZ40eA0ZMBnC_cUNqlRJMEuHpjG7MA",
    ),
    (
        2048,
        "oA0HlKmVcnZwAH0QoThO3UDCy_kdqwysJQOe9ba9xrAYSmegQN9KH3dxxsWgE6fY-KY4_JgvSVT3Ke8kM8mazw_Rv1ZY_YEAZgoIndltjBFNFKtar0H29fhfAPenBAknc0ZA3s7T4bRrJKL-QeVp733nRm35GBgfq6zj0Z9_zkthIpV-vxhe7HByK_boDFX_qlpyXJ5hGFxAZNe3GrR9kjfTfaeCUbIdXMykDHBqP7Q7_NOuAiVmf43gK1rWmVFIjt_oCJThq2OUqSo5clCpgX1WWkwryfx4SJV4KKlhEvuS2HTkXBWQqmrro0LU-oR37Eot1CtnwLBs_DKZIJ587w",
        "dh9R87m0PIpMktozhjIGrszYSxd4ftqba_lPlk4wZn8-CDn4oY5jPugYQwTt2IzrRRJZwXr2XmX5E4KqQiLdz578I84pHmTGKn3i0X_7a_rkPpvbTKtyvZsCwKlgZr-hrjzAOIBxF9ltB3Por9LyVt35y1eiAsHqwBh_0de3_36Hxd943n3Mh1IyUUUO4G3lsY_h1PC-B0H9YoWWPpQUfAf_JElKT8S4Fz3C_82PElo7H6v_KspxS7iLHGURRRIqKPwPpR9qpXisoWqbFV-LRWTcRLYhvrUzi8eR37yG1C8G88be_5EziJUrJX3HRiFCejfNldNNqGJHjN3H8KZtJw",
    ),
];

/// The token of a size, and the key set that verifies it.
fn of_size(bits: usize, modulus: &str) -> (String, Value) {
    let (_, _, signature) = BY_SIZE.iter().find(|(size, ..)| *size == bits).unwrap();
    let jwk = json!({ "kty": "RSA", "kid": "fixed", "alg": "RS256", "n": modulus, "e": "AQAB" });
    (format!("{MESSAGE}.{signature}"), json!({ "keys": [jwk] }))
}

#[test]
fn keys_below_2048_bits_are_no_keys_however_they_are_dressed() {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    for (bits, modulus, signature) in BY_SIZE {
        let outcome = |modulus: &str| {
            let (token, set) = of_size(bits, modulus);
            KeySet::parse(set.to_string().as_bytes()).unwrap().verify(&Jws::parse(&token).unwrap())
        };
        // The signature does hold: a verifier that takes small keys takes it.
        let key = RsaPublicKeyComponents { n: decode(modulus), e: vec![1, 0, 1] };
        let lax = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
        key.verify(lax, MESSAGE.as_bytes(), &decode(signature)).unwrap();
        if bits == 2048 {
            assert_eq!(outcome(modulus), Ok(()));
        } else {
            assert!(outcome(modulus).is_err(), "{bits} bits");
        }
        // Zeros before a small modulus make it no larger.
        let dressed = [vec![0; 257 - decode(modulus).len()], decode(modulus)].concat();
        if bits < 2048 {
            assert!(outcome(&crate::support::keys::encode(&dressed)).is_err(), "{bits} bits and zeros");
        }
    }
}

#[tokio::test]
async fn a_small_key_is_refused_on_the_whole_way() {
    for (bits, modulus, _) in BY_SIZE {
        let lab = Lab::new().await;
        let (token, set) = of_size(bits, modulus);
        let tried = lab.try_token(token).served(Answer::Json(set.to_string()));
        let met = verdict(&Database::new().await, &client(), &lab, tried).await.unwrap_err();
        // The token is of another issuer, so that the key that is large enough carries it just beyond its signature.
        let iss = TokenError::Claim("iss", "not the issuer behind the discovery URL");
        let refused = match bits {
            1024 | 1536 => TokenError::UnknownKey,
            2047 => TokenError::Signature,
            _ => iss,
        };
        assert!(met.is(&Refused::Token(refused)), "{bits} bits: {met:?}");
    }
}
