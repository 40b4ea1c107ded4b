//! The answer of a token endpoint (RFC 6749, section 5), read as what a stranger wrote: bounded, strictly, and without
//! repeating any of it.

use std::time::Duration;

use domain::{Secret, Timestamp, TokenAnswer};
use serde::Deserialize;
use serde_json::Value;

use super::tokens::Issued;
use super::{Refusal, Said};

/// The longest token that is taken, in bytes: what upstreams read as one header.
const LONGEST_TOKEN: usize = 16 * 1024;

/// The errors that OAuth knows (RFC 6749, sections 4.1.2.1 and 5.2; RFC 8707, section 2).
const CODES: [&str; 10] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
];

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Value>,
    refresh_token: Option<Value>,
    error: Option<Value>,
    ok: Option<bool>,
    error_description: Option<Value>,
}

/// The longest text of an error that is kept, in characters.
const LONGEST_SAID: usize = 1_000;

/// What the server wrote about its error, in one line.
fn said(answer: &Answer) -> Option<Said> {
    let words = [&answer.error, &answer.error_description];
    let words: Vec<_> = words.into_iter().flatten().filter_map(Value::as_str).collect();
    let line: String = words.join(": ").chars().take(LONGEST_SAID).collect();
    (!line.is_empty()).then(|| Said(Secret::new(line)))
}

/// Reads an answer to a request of `asked`. `url` is what refusals call the endpoint, `written` how its vendor answers.
pub(super) fn read(
    url: &str,
    written: TokenAnswer,
    status: u16,
    body: &[u8],
    asked: Timestamp,
) -> Result<Issued, Refusal> {
    let unusable = |why| Refusal::Answer { url: url.to_owned(), why };
    if (300..400).contains(&status) {
        return Err(unusable("it is a redirect, and a client's secret follows none"));
    }
    // What the parsers say of it may quote it.
    let answer = strict_json::check(body).ok().and_then(|_| serde_json::from_slice::<Answer>(body).ok());
    let error = answer.as_ref().and_then(|answer| answer.error.as_ref());
    let denied = written == TokenAnswer::Slack && answer.as_ref().is_some_and(|it| it.ok != Some(true));
    if status != 200 || error.is_some() || denied {
        let code = error.and_then(Value::as_str);
        let code = CODES.into_iter().find(|known| Some(*known) == code);
        let said = answer.as_ref().and_then(said);
        return Err(Refusal::Refused { url: url.to_owned(), status, code, said });
    }
    let answer = answer.ok_or_else(|| unusable("it is no JSON object as RFC 6749, section 5.1 has it"))?;
    let token = answer.access_token.ok_or_else(|| unusable("it has no access_token"))?;
    let token = Secret::new(token);
    match (answer.token_type, written) {
        (None, TokenAnswer::Untyped) => {}
        (None, _) => return Err(unusable("it has no token_type")),
        (Some(kind), TokenAnswer::Slack) if matches!(kind.as_str(), "bot" | "user") => {}
        (Some(kind), _) if kind.eq_ignore_ascii_case("bearer") => {}
        _ => return Err(unusable("its token_type is another than Bearer")),
    }
    if !token.is_credential(LONGEST_TOKEN) {
        return Err(unusable("its access_token is empty, too long, or not fit for a header"));
    }
    let life = match answer.expires_in {
        None | Some(Value::Null) => None,
        Some(given) => {
            Some(seconds(&given).ok_or_else(|| unusable("its expires_in is no number of seconds"))?)
        }
    };
    // One that cannot be sent back is none.
    let refresh = answer.refresh_token.as_ref().and_then(Value::as_str).map(Secret::new);
    let refresh = refresh.filter(is_form_value);
    let mut issued = Issued::new(token, asked, life);
    issued.refresh = refresh;
    Ok(issued)
}

/// Whether a refresh token can be sent back (RFC 6749, appendix A.17).
fn is_form_value(refresh: &Secret) -> bool {
    refresh.is_printable() && (1..=LONGEST_TOKEN).contains(&refresh.expose().len())
}

/// Some servers write the number as text.
fn seconds(given: &Value) -> Option<Duration> {
    let number = match given {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.map(Duration::from_secs)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the bounds are checked, and a part of a second is nothing"
)]
fn whole(number: f64) -> Option<u64> {
    (0.0..1e15).contains(&number).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://as.example/token";

    fn of(status: u16, body: &str) -> Result<Issued, Refusal> {
        read(URL, TokenAnswer::Standard, status, body.as_bytes(), Timestamp::from_seconds(100))
    }

    #[test]
    fn vendors_have_answers_of_their_own() {
        let taken = |written, body: &str| {
            read(URL, written, 200, body.as_bytes(), Timestamp::from_seconds(100)).is_ok()
        };
        let (bot, denied) = (
            r#"{"ok":true,"access_token":"abc","token_type":"bot"}"#,
            r#"{"ok":false,"access_token":"abc","token_type":"bot"}"#,
        );
        assert!(taken(TokenAnswer::Slack, bot));
        assert!(!taken(TokenAnswer::Slack, denied));
        assert!(!taken(TokenAnswer::Slack, r#"{"access_token":"abc","token_type":"bot"}"#));
        assert!(!taken(TokenAnswer::Standard, bot));
        let untyped = r#"{"access_token":"abc","expires_in":60}"#;
        assert!(taken(TokenAnswer::Untyped, untyped));
        assert!(!taken(TokenAnswer::Untyped, r#"{"access_token":"abc","token_type":"mac"}"#));
        assert!(!taken(TokenAnswer::Standard, untyped));
    }

    #[test]
    fn a_bearer_token_is_taken() {
        let token =
            of(200, r#"{"access_token":"abc","token_type":"bearer","expires_in":3600}"#).ok().unwrap();
        assert!(token.secret.matches("abc"));
        assert_eq!(token.expires, Some(Timestamp::from_seconds(3700)));
        for (life, expires) in [("\"60\"", Some(160)), ("60.9", Some(160)), ("null", None), ("0", Some(100))]
        {
            let body = format!(r#"{{"access_token":"abc","token_type":"Bearer","expires_in":{life}}}"#);
            let token = of(200, &body).ok().unwrap();
            assert_eq!(token.expires, expires.map(Timestamp::from_seconds), "{life}");
        }
    }

    #[test]
    fn what_is_no_bearer_token_is_refused_without_being_quoted() {
        let huge = format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, "x".repeat(LONGEST_TOKEN + 1));
        for (status, body) in [
            (200, ""),
            (200, "quoted"),
            (200, "[]"),
            (200, r#""quoted""#),
            (200, r#"{"access_token":"quoted"}"#),
            (200, r#"{"access_token":"quoted","token_type":"mac"}"#),
            (200, r#"{"access_token":"quoted","token_type":"quoted"}"#),
            (200, r#"{"access_token":["quoted"],"token_type":"Bearer"}"#),
            (200, r#"{"access_token":"quoted","access_token":"quoted","token_type":"Bearer"}"#),
            (200, r#"{"access_token":"quoted\r\nx: y","token_type":"Bearer"}"#),
            (200, r#"{"access_token":"quo ted","token_type":"Bearer"}"#),
            (200, r#"{"access_token":"","token_type":"Bearer"}"#),
            (200, r#"{"access_token":"quoted","token_type":"Bearer","expires_in":-1}"#),
            (200, r#"{"access_token":"quoted","token_type":"Bearer","expires_in":"quoted"}"#),
            (200, r#"{"token_type":"Bearer"}"#),
            (200, r#"{"error":"quoted"}"#),
            (200, &huge),
            (201, r#"{"access_token":"quoted","token_type":"Bearer"}"#),
            (302, ""),
            (400, r#"{"error":"quoted","error_description":"quoted"}"#),
            (500, "quoted"),
        ] {
            let refusal = of(status, body).err().unwrap();
            let told = format!("{refusal} {refusal:?}");
            assert!(!told.contains("quoted"), "{body}: {told}");
            assert_eq!(refusal.endpoint(), Some(URL));
        }
    }

    #[test]
    fn the_errors_of_oauth_are_named() {
        for code in CODES {
            let refusal = of(400, &format!(r#"{{"error":"{code}"}}"#)).err().unwrap();
            assert!(refusal.to_string().contains(&format!("status 400 and `{code}`")), "{refusal}");
            assert_eq!(refusal.status(), Some(400));
        }
    }
}
