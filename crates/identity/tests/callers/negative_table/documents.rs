//! The issuer's documents: what is wrong with them is no verdict about a token.

use super::*;

fn metadata(lab: &Lab, change: Value) -> Answer {
    Answer::Json(crate::support::keys::merged(lab.idp.metadata(), change).to_string())
}

/// A good token, whose issuer describes itself in another way.
fn described(lab: &Lab, change: Value) -> Try {
    lab.good().described(metadata(lab, change))
}

fn with_metadata(lab: &Lab, answer: Answer) -> Try {
    lab.good().described(answer)
}

fn with_keys(lab: &Lab, answer: Answer) -> Try {
    lab.good().served(answer)
}

/// A key set with as many keys as are wanted, of which the first is the right one.
fn many(lab: &Lab, count: usize) -> Try {
    let others = (1..count).map(|at| p256().jwk_with(json!({ "kid": format!("k{at}") })));
    lab.good().among(&std::iter::once(rsa().jwk()).chain(others).collect::<Vec<_>>())
}

/// A key set of so many bytes: white space counts.
fn large(size: usize) -> Answer {
    let keys = json!({ "keys": [rsa().jwk()] }).to_string();
    let filler = " ".repeat(size - keys.len());
    Answer::Json(format!("{keys}{filler}"))
}

#[tokio::test]
async fn key_sets() {
    run(&[
        Case {
            name: "JWKS 500",
            wrong: |lab| with_keys(lab, Answer::Status(500)),
            refused: Refused::Issuer("/keys` cannot be fetched: it answered 500"),
            right: Lab::good,
        },
        Case {
            name: "JWKS 503",
            wrong: |lab| with_keys(lab, Answer::Status(503)),
            refused: Refused::Issuer("/keys` cannot be fetched: it answered 503"),
            right: Lab::good,
        },
        Case {
            name: "JWKS 404",
            wrong: |lab| with_keys(lab, Answer::Status(404)),
            refused: Refused::Issuer("/keys` cannot be fetched: it answered 404"),
            right: Lab::good,
        },
        Case {
            name: "JWKS redirect to a private address",
            wrong: |lab| with_keys(lab, Answer::Moved(lab.trap.url("/keys"))),
            refused: Refused::Issuer("/keys` cannot be fetched: it answered 302"),
            right: Lab::good,
        },
        Case {
            name: "JWKS redirect to the metadata service",
            wrong: |lab| with_keys(lab, Answer::Moved("http://169.254.169.254/latest/meta-data/".to_owned())),
            refused: Refused::Issuer("/keys` cannot be fetched: it answered 302"),
            right: Lab::good,
        },
        Case {
            name: "JWKS of 10 MB",
            wrong: |lab| with_keys(lab, large(10 << 20)),
            refused: Refused::Issuer("larger than 524288 bytes"),
            right: |lab| with_keys(lab, large(500 << 10)),
        },
        Case {
            name: "JWKS that is not JSON",
            wrong: |lab| with_keys(lab, Answer::Json("<html>".to_owned())),
            refused: Refused::Issuer("it is not sound JSON"),
            right: Lab::good,
        },
        Case {
            name: "JWKS with duplicate members",
            wrong: |lab| {
                let keys = json!([rsa().jwk()]).to_string();
                with_keys(lab, Answer::Json(format!(r#"{{"keys":[],"keys":{keys}}}"#)))
            },
            refused: Refused::Issuer("it is not sound JSON"),
            right: |lab| {
                let keys = json!([rsa().jwk()]).to_string();
                with_keys(lab, Answer::Json(format!(r#"{{"keys":{keys}}}"#)))
            },
        },
        Case {
            name: "JWKS with duplicate members in a key",
            wrong: |lab| {
                let key = rsa().jwk().to_string().replacen('{', r#"{"kid":"other","#, 1);
                with_keys(lab, Answer::Json(format!(r#"{{"keys":[{key}]}}"#)))
            },
            refused: Refused::Issuer("it is not sound JSON"),
            right: |lab| lab.good().among(&[rsa().jwk()]),
        },
        Case {
            name: "deep JWKS",
            wrong: |lab| {
                let key = rsa().jwk().to_string();
                let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
                with_keys(lab, Answer::Json(format!(r#"{{"keys":[{key}],"x":{deep}}}"#)))
            },
            refused: Refused::Issuer("it is not sound JSON"),
            right: |lab| {
                let key = rsa().jwk().to_string();
                with_keys(lab, Answer::Json(format!(r#"{{"keys":[{key}],"x":[[[]]]}}"#)))
            },
        },
        Case {
            name: "JWKS without keys",
            wrong: |lab| with_keys(lab, Answer::Json("{}".to_owned())),
            refused: Refused::Issuer("it has no list `keys`"),
            right: Lab::good,
        },
        Case {
            name: "JWKS that is a bare key",
            wrong: |lab| with_keys(lab, Answer::Json(rsa().jwk().to_string())),
            refused: Refused::Issuer("it has no list `keys`"),
            right: Lab::good,
        },
        Case {
            name: "JWKS of more keys than anyone has",
            wrong: |lab| many(lab, 101),
            refused: Refused::Issuer("it has more than 100 keys"),
            right: |lab| many(lab, 100),
        },
        Case {
            name: "JWKS whose keys are of no use",
            wrong: |lab| lab.good().among(&[json!(1), json!({}), json!({ "kty": "RSA", "kid": "rsa" })]),
            refused: Refused::Token(TokenError::UnknownKey),
            right: |lab| lab.good().among(&[json!(1), json!({}), rsa().jwk()]),
        },
    ])
    .await;
}

#[tokio::test]
async fn slow_documents() {
    let keys = Refused::Issuer("/keys` cannot be fetched: no answer within 5 seconds");
    let metadata = Refused::Issuer("openid-configuration` cannot be fetched: no answer within 5 seconds");
    let cases = [
        Case {
            name: "slow-loris JWKS, a byte at a time",
            wrong: |lab| with_keys(lab, Answer::Trickle),
            refused: keys.clone(),
            right: Lab::good,
        },
        Case {
            name: "silent JWKS",
            wrong: |lab| with_keys(lab, Answer::Silence),
            refused: keys,
            right: Lab::good,
        },
        Case {
            name: "slow-loris discovery, a byte at a time",
            wrong: |lab| with_metadata(lab, Answer::Trickle),
            refused: metadata.clone(),
            right: Lab::good,
        },
        Case {
            name: "silent discovery",
            wrong: |lab| with_metadata(lab, Answer::Silence),
            refused: metadata,
            right: Lab::good,
        },
    ];
    // Each takes its five seconds, so they go side by side.
    let [first, second, third, fourth] = cases.each_ref().map(std::slice::from_ref);
    tokio::join!(run(first), run(second), run(third), run(fourth));
}

#[tokio::test]
async fn metadata_of_issuers() {
    run(&[
        Case {
            name: "issuer in the discovery document is another",
            wrong: |lab| described(lab, json!({ "issuer": "https://other.example" })),
            refused: Refused::Issuer("serves the metadata of another issuer, `https://other.example`"),
            right: |lab| described(lab, json!({ "issuer": lab.issuer() })),
        },
        Case {
            name: "issuer in the discovery document and in the token is another",
            wrong: |lab| {
                lab.claiming(json!({ "iss": "https://other.example" }))
                    .described(metadata(lab, json!({ "issuer": "https://other.example" })))
            },
            refused: Refused::Issuer("serves the metadata of another issuer"),
            right: Lab::good,
        },
        Case {
            name: "issuer in the discovery document is another tenant",
            wrong: |lab| described(lab, json!({ "issuer": lab.idp.url("/Other") })),
            refused: Refused::Issuer("serves the metadata of another issuer"),
            right: Lab::good,
        },
        Case {
            name: "issuer in the discovery document in another case",
            wrong: |lab| described(lab, json!({ "issuer": lab.issuer().to_lowercase() })),
            refused: Refused::Issuer("serves the metadata of another issuer"),
            right: Lab::good,
        },
        Case {
            name: "issuer in the discovery document with two slashes",
            wrong: |lab| described(lab, json!({ "issuer": format!("{}//", lab.issuer()) })),
            refused: Refused::Issuer("serves the metadata of another issuer"),
            right: Lab::good,
        },
        Case {
            name: "issuer in the discovery document missing",
            wrong: |lab| described(lab, json!({ "issuer": null })),
            refused: Refused::Issuer("does not serve an issuer's metadata"),
            right: Lab::good,
        },
        Case {
            name: "duplicate issuer in the discovery document",
            wrong: |lab| {
                let document = metadata_text(lab).replacen('{', r#"{"issuer":"https://other.example","#, 1);
                with_metadata(lab, Answer::Json(document))
            },
            refused: Refused::Issuer("does not serve an issuer's metadata"),
            right: |lab| with_metadata(lab, Answer::Json(metadata_text(lab))),
        },
        Case {
            name: "no jwks_uri",
            wrong: |lab| described(lab, json!({ "jwks_uri": null })),
            refused: Refused::Issuer("does not serve an issuer's metadata"),
            right: |lab| described(lab, json!({ "jwks_uri": lab.idp.url("/keys") })),
        },
        Case {
            name: "jwks_uri at a link-local address",
            wrong: |lab| described(lab, json!({ "jwks_uri": "http://169.254.169.254/keys" })),
            refused: Refused::Issuer("169.254.169.254 is a link-local address"),
            right: |lab| described(lab, json!({ "jwks_uri": lab.idp.url("/keys") })),
        },
        Case {
            name: "jwks_uri at a private address",
            wrong: |lab| described(lab, json!({ "jwks_uri": "https://10.0.0.1/keys" })),
            refused: Refused::Issuer("10.0.0.1 is a private address"),
            right: Lab::good,
        },
        Case {
            name: "jwks_uri in the clear at a public address",
            wrong: |lab| described(lab, json!({ "jwks_uri": "http://192.88.99.1/keys" })),
            refused: Refused::Issuer("plain http would show what is sent"),
            right: Lab::good,
        },
        Case {
            name: "jwks_uri is a file",
            wrong: |lab| described(lab, json!({ "jwks_uri": "file:///etc/passwd" })),
            refused: Refused::Issuer("is no https URL"),
            right: Lab::good,
        },
        Case {
            name: "jwks_uri is data",
            wrong: |lab| described(lab, json!({ "jwks_uri": "data:application/json,{\"keys\":[]}" })),
            refused: Refused::Issuer("is no https URL"),
            right: Lab::good,
        },
        Case {
            name: "jwks_uri is relative",
            wrong: |lab| described(lab, json!({ "jwks_uri": "/keys" })),
            refused: Refused::Issuer("is no https URL"),
            right: Lab::good,
        },
        Case {
            name: "discovery 500",
            wrong: |lab| with_metadata(lab, Answer::Status(500)),
            refused: Refused::Issuer("openid-configuration` cannot be fetched: it answered 500"),
            right: Lab::good,
        },
        Case {
            name: "discovery redirect",
            wrong: |lab| with_metadata(lab, Answer::Moved(lab.trap.url("/keys"))),
            refused: Refused::Issuer("openid-configuration` cannot be fetched: it answered 302"),
            right: Lab::good,
        },
        Case {
            name: "discovery is a page for people",
            wrong: |lab| with_metadata(lab, Answer::Json("<html></html>".to_owned())),
            refused: Refused::Issuer("does not serve an issuer's metadata"),
            right: Lab::good,
        },
        Case {
            name: "discovery of 10 MB",
            wrong: |lab| with_metadata(lab, large(10 << 20)),
            refused: Refused::Issuer("larger than 524288 bytes"),
            right: Lab::good,
        },
    ])
    .await;
}

fn metadata_text(lab: &Lab) -> String {
    lab.idp.metadata().to_string()
}
