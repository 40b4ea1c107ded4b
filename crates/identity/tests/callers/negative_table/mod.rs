//! The table of what every verifier of tokens must refuse, case by case.
//!
//! Each case is a pair: the wrong try, with exactly the refusal that it must meet, and the right one, which differs in
//! the one thing that is wrong and must be accepted. So no case passes because something else is wrong with its token.
//! Every try has an issuer of its own on this machine; how often it was asked is part of the expectation, and nobody
//! may ever come to the attacker's place, which the tokens name wherever a token can name a place.
//!
//! `headers` has algorithms, embedded keys, places of keys and extensions; `signatures` what is not signed as its header
//! says, and small keys; `keys` ids and key sets; `form` segments, base64 and JSON; `claims` times and issuers; `rules`
//! audiences, clients, scopes, uses and custom claims; `documents` what issuers answer. Rotation, outages, unknown ids in
//! great number and addresses that are not dialled are in `issuers.rs`; addresses of everything else that is set by a
//! tenant in `e2e/test_ssrf.py`.

mod claims;
mod documents;
mod form;
mod headers;
mod keys;
mod rules;
mod signatures;

use domain::JwtAuthorizer;
use identity::issuer::{Finding, VerifyError};
use identity::token::{Claims, Rejection, TokenError, check};
use serde_json::{Value, json};

use crate::support::idp::{Answer, Idp};
use crate::support::keys::{Key, attacker, ed25519, p256, p384, rsa, second_rsa};
use crate::support::token::{claims, claims_with, header, raw, token};
use crate::support::{Database, client, clock, issuers, lenient};

/// One row's case.
struct Case {
    name: &'static str,
    wrong: fn(&Lab) -> Try,
    refused: Refused,
    right: fn(&Lab) -> Try,
}

/// What a case meets.
#[derive(Clone, Debug, PartialEq)]
enum Refused {
    /// The token is refused before anyone is asked anything.
    Unasked(TokenError),
    /// The token is refused after the issuer's documents were fetched, once.
    Token(TokenError),
    /// The token holds, and does not meet the authorizer's rules.
    Rule(Rejection),
    /// Nothing can be said about the token, for a reason of which this is a part.
    Issuer(&'static str),
}

const MALFORMED_JSON_HEADER: TokenError = TokenError::Malformed("its header is not sound JSON");
const MALFORMED_JSON_PAYLOAD: TokenError = TokenError::Malformed("its payload is not sound JSON");
const NOT_BASE64URL: TokenError = TokenError::Malformed("a part of it is not base64url");
const NOT_THREE_PARTS: TokenError = TokenError::Malformed("it does not have three parts");
const BAD_ALGORITHM: TokenError = TokenError::Header("its algorithm is not one that is accepted");
const BAD_KEY_ID: TokenError = TokenError::Header("its `kid` is not a text of 1 to 256 bytes");

/// What is tried: a token, at an issuer that serves these documents, for an authorizer.
struct Try {
    token: String,
    metadata: Answer,
    keys: Answer,
    authorizer: JwtAuthorizer,
}

impl Try {
    fn of(self, authorizer: JwtAuthorizer) -> Self {
        Self { authorizer, ..self }
    }

    fn among(self, jwks: &[Value]) -> Self {
        self.served(Answer::Json(json!({ "keys": jwks }).to_string()))
    }

    fn served(self, keys: Answer) -> Self {
        Self { keys, ..self }
    }

    fn described(self, metadata: Answer) -> Self {
        Self { metadata, ..self }
    }
}

/// Where one try is made up: an issuer with a key of each kind, and the attacker's place.
struct Lab {
    idp: Idp,
    trap: Idp,
}

impl Lab {
    async fn new() -> Self {
        Self { idp: Idp::start().await, trap: Idp::with_keys(&[attacker()]).await }
    }

    fn issuer(&self) -> String {
        self.idp.issuer()
    }

    /// A try of this token, at an issuer that does everything well.
    fn try_token(&self, token: impl Into<String>) -> Try {
        let published = [rsa(), second_rsa(), p256(), p384(), ed25519()].map(Key::jwk);
        Try {
            token: token.into(),
            metadata: Answer::Json(self.idp.metadata().to_string()),
            keys: Answer::Json(json!({ "keys": published }).to_string()),
            authorizer: lenient(),
        }
    }

    /// A good token.
    fn good(&self) -> Try {
        self.signed(rsa())
    }

    fn signed(&self, key: &Key) -> Try {
        self.try_token(token(&header(key), &claims(&self.issuer()), key))
    }

    /// A token with another header, signed all the same.
    fn headed(&self, header: &Value) -> Try {
        self.headed_by(rsa(), header)
    }

    fn headed_by(&self, key: &Key, header: &Value) -> Try {
        self.try_token(token(header, &claims(&self.issuer()), key))
    }

    /// A good token with more in its header.
    fn with_header(&self, more: Value) -> Try {
        self.headed(&crate::support::keys::merged(header(rsa()), more))
    }

    /// A good token with other claims.
    fn claiming(&self, change: Value) -> Try {
        self.try_token(token(&header(rsa()), &claims_with(&self.issuer(), change), rsa()))
    }

    /// A token of a header and a payload as they are written here, signed well. `ISSUER` stands for the issuer.
    fn written(&self, header: &[u8], payload: &[u8]) -> Try {
        let payload: Vec<u8> = match std::str::from_utf8(payload) {
            Ok(text) => text.replace("ISSUER", &self.issuer()).into_bytes(),
            Err(_) => payload.to_vec(),
        };
        self.try_token(raw(header, &payload, |message| rsa().sign(message)))
    }
}

/// Runs every case, and names all that went wrong.
async fn run(cases: &[Case]) {
    let mut problems = Vec::new();
    let (database, client) = (Database::new().await, client());
    for case in cases {
        let lab = Lab::new().await;
        let tried = (case.wrong)(&lab);
        let shown = (tried.token.clone(), tried.authorizer.clone());
        let outcome = verdict(&database, &client, &lab, tried).await;
        if outcome.as_ref().err().is_none_or(|refused| !refused.is(&case.refused)) {
            problems.push(format!("{}: expected {:?}, met {outcome:?}", case.name, case.refused));
        }
        let asked = match case.refused {
            Refused::Unasked(_) => (0, 0),
            Refused::Token(_) | Refused::Rule(_) => (1, 1),
            Refused::Issuer(_) => lab.idp.asked(),
        };
        if lab.idp.asked() != asked {
            problems.push(format!("{}: the issuer was asked {:?} times", case.name, lab.idp.asked()));
        }
        let told = inspected(&database, &client, &lab, &shown).await;
        if told != outcome.as_ref().err().map(ToString::to_string) {
            problems
                .push(format!("{}: the gateway met {outcome:?}, and is said to meet {told:?}", case.name));
        }
        let other = Lab::new().await;
        let tried = (case.right)(&other);
        let shown = (tried.token.clone(), tried.authorizer.clone());
        let outcome = verdict(&database, &client, &other, tried).await;
        if let Err(refused) = outcome {
            problems.push(format!("{}: its right twin met {refused:?}", case.name));
        }
        if let Some(told) = inspected(&database, &client, &other, &shown).await {
            problems.push(format!("{}: its right twin is said to meet {told}", case.name));
        }
        if lab.trap.connections() + other.trap.connections() > 0 {
            problems.push(format!("{}: the attacker's place was dialled", case.name));
        }
    }
    assert!(problems.is_empty(), "{} of {} cases:\n{}", problems.len(), cases.len(), problems.join("\n"));
}

/// What becomes of a try: the whole way of a token, as the gateway goes it.
async fn verdict(database: &Database, client: &egress::Client, lab: &Lab, tried: Try) -> Result<Claims, Met> {
    lab.idp.serve_metadata(tried.metadata);
    lab.idp.serve_keys(tried.keys);
    let issuers = issuers(database, client, &clock());
    let claims = issuers.verify(&lab.idp.discovery_url(), &tried.token).await.map_err(Met::Error)?;
    check(&claims, &tried.authorizer).map_err(Met::Rule)?;
    Ok(claims)
}

/// What the person who debugs is told about the same try: the gateway's reason.
async fn inspected(
    database: &Database,
    client: &egress::Client,
    lab: &Lab,
    (token, authorizer): &(String, JwtAuthorizer),
) -> Option<String> {
    let authorizer = JwtAuthorizer { discovery_url: lab.idp.discovery_url(), ..authorizer.clone() };
    let inspection = issuers(database, client, &clock()).inspect(&authorizer, token).await;
    inspection.refusal().and_then(Finding::reason)
}

#[derive(Debug, thiserror::Error)]
enum Met {
    #[error(transparent)]
    Error(VerifyError),
    #[error(transparent)]
    Rule(Rejection),
}

impl Met {
    fn is(&self, expected: &Refused) -> bool {
        match (self, expected) {
            (Self::Error(VerifyError::Token(met)), Refused::Unasked(expected) | Refused::Token(expected)) => {
                met == expected
            }
            (Self::Error(VerifyError::Issuer(met)), Refused::Issuer(part)) => met.to_string().contains(part),
            (Self::Rule(met), Refused::Rule(expected)) => met == expected,
            _ => false,
        }
    }
}
