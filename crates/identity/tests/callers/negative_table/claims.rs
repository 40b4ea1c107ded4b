//! What every token must claim: that it is of this issuer, and good now.

use super::*;

const NOT_SECONDS: &str = "not a whole number of seconds";
const NO_DATE: &str = "no date of this age";
/// What time it is.
const NOW: i64 = crate::support::NOW.seconds();

const fn refused(claim: &'static str, why: &'static str) -> Refused {
    Refused::Token(TokenError::Claim(claim, why))
}

/// A token whose `exp` is written so.
fn expiring(lab: &Lab, exp: &str) -> Try {
    let payload = format!(r#"{{"iss":"ISSUER","exp":{exp}}}"#);
    lab.written(header(rsa()).to_string().as_bytes(), payload.as_bytes())
}

#[tokio::test]
async fn when_they_end() {
    run(&[
        Case {
            name: "expired",
            wrong: |lab| lab.claiming(json!({ "exp": NOW - 3600 })),
            refused: refused("exp", "past"),
            right: |lab| lab.claiming(json!({ "exp": NOW + 3600 })),
        },
        Case {
            name: "expired just beyond the leeway",
            wrong: |lab| lab.claiming(json!({ "exp": NOW - 60 })),
            refused: refused("exp", "past"),
            right: |lab| lab.claiming(json!({ "exp": NOW - 59 })),
        },
        Case {
            name: "exp missing",
            wrong: |lab| lab.claiming(json!({ "exp": null })),
            refused: refused("exp", "missing"),
            right: Lab::good,
        },
        Case {
            name: "exp is null",
            wrong: |lab| expiring(lab, "null"),
            refused: refused("exp", NOT_SECONDS),
            right: |lab| expiring(lab, "1763721000"),
        },
        Case {
            name: "exp is a string",
            wrong: |lab| expiring(lab, "\"1763721000\""),
            refused: refused("exp", NOT_SECONDS),
            right: |lab| expiring(lab, "1763721000"),
        },
        Case {
            name: "exp is a float",
            wrong: |lab| expiring(lab, "1763721000.5"),
            refused: refused("exp", NOT_SECONDS),
            right: |lab| expiring(lab, "1763721000"),
        },
        Case {
            name: "exp is a float that is whole",
            wrong: |lab| expiring(lab, "1763721000.0"),
            refused: refused("exp", NOT_SECONDS),
            right: |lab| expiring(lab, "1763721000"),
        },
        Case {
            name: "exp in scientific notation",
            wrong: |lab| expiring(lab, "1e10"),
            refused: refused("exp", NOT_SECONDS),
            right: |lab| expiring(lab, "10000000000"),
        },
        Case {
            name: "exp beyond floats",
            wrong: |lab| expiring(lab, "1e999"),
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: |lab| expiring(lab, "1763721000"),
        },
        Case {
            name: "exp huge",
            wrong: |lab| expiring(lab, "9223372036854775807"),
            refused: refused("exp", NO_DATE),
            right: |lab| expiring(lab, "253402300799"),
        },
        Case {
            name: "exp huger",
            wrong: |lab| expiring(lab, "18446744073709551615"),
            refused: refused("exp", NOT_SECONDS),
            right: |lab| expiring(lab, "253402300799"),
        },
        Case {
            name: "exp in milliseconds",
            wrong: |lab| expiring(lab, "1763721000000"),
            refused: refused("exp", NO_DATE),
            right: |lab| expiring(lab, "1763721000"),
        },
        Case {
            name: "exp negative",
            wrong: |lab| expiring(lab, "-1763721000"),
            refused: refused("exp", NO_DATE),
            right: |lab| expiring(lab, "1763721000"),
        },
        Case {
            name: "exp zero",
            wrong: |lab| expiring(lab, "0"),
            refused: refused("exp", "past"),
            right: |lab| expiring(lab, "1763721000"),
        },
        Case {
            name: "exp is a list",
            wrong: |lab| expiring(lab, "[1763721000]"),
            refused: refused("exp", NOT_SECONDS),
            right: |lab| expiring(lab, "1763721000"),
        },
    ])
    .await;
}

#[tokio::test]
async fn when_they_begin() {
    run(&[
        Case {
            name: "nbf beyond the leeway",
            wrong: |lab| lab.claiming(json!({ "nbf": NOW + 61 })),
            refused: refused("nbf", "in the future"),
            right: |lab| lab.claiming(json!({ "nbf": NOW + 60 })),
        },
        Case {
            name: "nbf is a string",
            wrong: |lab| lab.claiming(json!({ "nbf": "1763717400" })),
            refused: refused("nbf", NOT_SECONDS),
            right: |lab| lab.claiming(json!({ "nbf": NOW })),
        },
        Case {
            name: "nbf huge",
            wrong: |lab| lab.claiming(json!({ "nbf": i64::MAX })),
            refused: refused("nbf", NO_DATE),
            right: |lab| lab.claiming(json!({ "nbf": 0 })),
        },
        Case {
            name: "nbf negative",
            wrong: |lab| lab.claiming(json!({ "nbf": -1 })),
            refused: refused("nbf", NO_DATE),
            right: |lab| lab.claiming(json!({ "nbf": 0 })),
        },
        Case {
            name: "iat beyond the leeway",
            wrong: |lab| lab.claiming(json!({ "iat": NOW + 61 })),
            refused: refused("iat", "in the future"),
            right: |lab| lab.claiming(json!({ "iat": NOW + 60 })),
        },
        Case {
            name: "iat is a float",
            wrong: |lab| lab.claiming(json!({ "iat": 1_763_717_400.5 })),
            refused: refused("iat", NOT_SECONDS),
            right: |lab| lab.claiming(json!({ "iat": null })),
        },
        Case {
            name: "iat is a string",
            wrong: |lab| lab.claiming(json!({ "iat": "now" })),
            refused: refused("iat", NOT_SECONDS),
            right: Lab::good,
        },
    ])
    .await;
}

const OTHER_ISSUER: Refused = refused("iss", "not the issuer behind the discovery URL");

/// The issuer's metadata, in which it names itself with a slash at its end, as some do.
fn with_a_slash(lab: &Lab) -> Answer {
    let metadata = json!({ "issuer": format!("{}/", lab.issuer()), "jwks_uri": lab.idp.url("/keys") });
    Answer::Json(metadata.to_string())
}

#[tokio::test]
async fn whose_they_are() {
    run(&[
        Case {
            name: "iss mismatch",
            wrong: |lab| lab.claiming(json!({ "iss": "https://other.example" })),
            refused: OTHER_ISSUER,
            right: |lab| lab.claiming(json!({ "iss": lab.issuer() })),
        },
        Case {
            name: "iss with a trailing slash",
            wrong: |lab| lab.claiming(json!({ "iss": format!("{}/", lab.issuer()) })),
            refused: OTHER_ISSUER,
            right: |lab| {
                lab.claiming(json!({ "iss": format!("{}/", lab.issuer()) })).described(with_a_slash(lab))
            },
        },
        Case {
            name: "iss without the issuer's slash",
            wrong: |lab| lab.good().described(with_a_slash(lab)),
            refused: OTHER_ISSUER,
            right: Lab::good,
        },
        Case {
            name: "iss in another case",
            wrong: |lab| lab.claiming(json!({ "iss": lab.issuer().to_lowercase() })),
            refused: OTHER_ISSUER,
            right: Lab::good,
        },
        Case {
            name: "iss with another scheme",
            wrong: |lab| lab.claiming(json!({ "iss": lab.issuer().replace("http:", "https:") })),
            refused: OTHER_ISSUER,
            right: Lab::good,
        },
        Case {
            name: "iss is a part of the issuer",
            wrong: |lab| lab.claiming(json!({ "iss": lab.idp.url("") })),
            refused: OTHER_ISSUER,
            right: Lab::good,
        },
        Case {
            name: "iss goes on behind the issuer",
            wrong: |lab| lab.claiming(json!({ "iss": format!("{}.evil.example", lab.issuer()) })),
            refused: OTHER_ISSUER,
            right: Lab::good,
        },
        Case {
            name: "iss is another tenant of the same host",
            wrong: |lab| lab.claiming(json!({ "iss": lab.idp.url("/Other") })),
            refused: OTHER_ISSUER,
            right: Lab::good,
        },
        Case {
            name: "iss is our own installation",
            wrong: |lab| lab.claiming(json!({ "iss": crate::support::PUBLIC_URL })),
            refused: OTHER_ISSUER,
            right: Lab::good,
        },
        Case {
            name: "iss empty",
            wrong: |lab| lab.claiming(json!({ "iss": "" })),
            refused: OTHER_ISSUER,
            right: Lab::good,
        },
        Case {
            name: "iss missing",
            wrong: |lab| lab.claiming(json!({ "iss": null })),
            refused: refused("iss", "missing"),
            right: Lab::good,
        },
        Case {
            name: "iss is a list",
            wrong: |lab| lab.claiming(json!({ "iss": [lab.issuer()] })),
            refused: refused("iss", "not a text"),
            right: Lab::good,
        },
        Case {
            name: "sub is a number",
            wrong: |lab| lab.claiming(json!({ "sub": 7 })),
            refused: refused("sub", "not a text"),
            right: |lab| lab.claiming(json!({ "sub": "7" })),
        },
    ])
    .await;
}
