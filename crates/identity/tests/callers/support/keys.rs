//! Keys that sign, made once for all tests, and the JSON Web Keys that publish them.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key of the issuer, with the id under which it is published.
pub(crate) struct Key {
    pub(crate) id: &'static str,
    /// The algorithm that it is published for.
    pub(crate) algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaPair),
    Curve(&'static str, EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $algorithm:literal, $pair:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name() -> &'static Key {
            static KEY: LazyLock<Key> =
                LazyLock::new(|| Key { id: $id, algorithm: $algorithm, pair: $pair });
            &KEY
        }
    )*};
}

keys! {
    /// The issuer's usual key.
    rsa = "rsa", "RS256", rsa_pair();
    /// Another of the issuer's.
    second_rsa = "second", "RS256", rsa_pair();
    p256 = "p256", "ES256", curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    p384 = "p384", "ES384", curve("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING);
    ed25519 = "ed25519", "EdDSA", Pair::Edwards(Ed25519KeyPair::generate().unwrap());
    /// A key that no issuer published.
    attacker = "attacker", "RS256", rsa_pair();
    /// A key that is published to prove that two keys are told apart by more than their kind.
    other_p256 = "other-p256", "ES256", curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING);
}

fn rsa_pair() -> Pair {
    Pair::Rsa(RsaPair::generate(KeySize::Rsa2048).unwrap())
}

fn curve(name: &'static str, algorithm: &'static EcdsaSigningAlgorithm) -> Pair {
    Pair::Curve(name, EcdsaKeyPair::generate(algorithm).unwrap())
}

impl Key {
    /// The key as it is published.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::Curve(name, pair) => {
                // SEC 1, section 2.3.3: 4, and the two coordinates.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                json!({ "kty": "EC", "crv": name, "x": encode(x), "y": encode(y) })
            }
            Pair::Edwards(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        jwk["kid"] = self.id.into();
        jwk["alg"] = self.algorithm.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// The key as it would be published with something else, or without what is null.
    pub(crate) fn jwk_with(&self, change: Value) -> Value {
        merged(self.jwk(), change)
    }

    /// Signs by the rules of an algorithm of this kind of key.
    pub(crate) fn sign_as(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding(algorithm), &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Pair::Curve(_, pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Pair::Edwards(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(self.algorithm, message)
    }

    /// The signature of a P-256 key in ASN.1, as OpenSSL writes it.
    pub(crate) fn sign_in_asn1(&self, message: &[u8]) -> Vec<u8> {
        let Pair::Curve("P-256", pair) = &self.pair else { panic!("{} is no P-256 key", self.id) };
        let pair = pair.to_pkcs8v1().unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pair.as_ref()).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    /// The public part of an RSA key in DER (`SubjectPublicKeyInfo`).
    pub(crate) fn public_der(&self) -> Vec<u8> {
        let Pair::Rsa(pair) = &self.pair else { panic!("{} is no RSA key", self.id) };
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    /// The same in PEM, as people pass it around.
    pub(crate) fn public_pem(&self) -> String {
        let text = STANDARD.encode(self.public_der());
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }
}

/// An object with other members in the place of its own; a null takes a member away.
pub(crate) fn merged(mut object: Value, change: Value) -> Value {
    let Value::Object(change) = change else { panic!("{change} is no object") };
    let members = object.as_object_mut().unwrap();
    for (name, value) in change {
        match value {
            Value::Null => members.remove(&name),
            value => members.insert(name, value),
        };
    }
    object
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn padding(algorithm: &str) -> &'static dyn RsaEncoding {
    match algorithm {
        "RS256" => &signature::RSA_PKCS1_SHA256,
        "RS384" => &signature::RSA_PKCS1_SHA384,
        "RS512" => &signature::RSA_PKCS1_SHA512,
        "PS256" => &signature::RSA_PSS_SHA256,
        "PS384" => &signature::RSA_PSS_SHA384,
        "PS512" => &signature::RSA_PSS_SHA512,
        other => panic!("{other} is no algorithm of RSA"),
    }
}
