//! What people are told about a token that is not accepted: one mistake, one hint.

use domain::{ClaimMatch, CustomClaim, JwtAuthorizer};
use identity::advice::{Case, Hint, advise};
use identity::issuer::{Issuers, Step};
use serde_json::{Value, json};

use crate::support::authorizer::{audience, clients, scopes};
use crate::support::idp::{Answer, Idp};
use crate::support::keys::{attacker, merged, rsa, second_rsa};
use crate::support::token::{claims, claims_with, header, token};
use crate::support::{Database, NOW, client, clock, issuers};

/// A gateway's issuer, and the person who asks why.
struct Desk {
    idp: Idp,
    issuers: Issuers,
    _database: Database,
}

impl Desk {
    async fn open() -> Self {
        let database = Database::new().await;
        let issuers = issuers(&database, &client(), &clock());
        Self { idp: Idp::with_keys(&[rsa()]).await, issuers, _database: database }
    }

    fn token(&self, change: Value) -> String {
        token(&header(rsa()), &claims_with(&self.idp.issuer(), change), rsa())
    }

    async fn advice(&self, given: &str, authorizer: JwtAuthorizer) -> Vec<Hint> {
        let authorizer = JwtAuthorizer { discovery_url: self.idp.discovery_url(), ..authorizer };
        let inspection = self.issuers.inspect(&authorizer, given).await;
        assert!(inspection.refusal().is_some(), "the token is accepted");
        advise(&Case { given, inspection: &inspection, authorizer: &authorizer, now: NOW })
    }

    /// The one hint that there is for a token before these rules.
    async fn hint(&self, given: &str, authorizer: JwtAuthorizer) -> Hint {
        let hints = self.advice(given, authorizer).await;
        let [hint] = hints.as_slice() else { panic!("{hints:?}") };
        hint.clone()
    }

    async fn hint_for(&self, change: Value, authorizer: JwtAuthorizer) -> Hint {
        let token = self.token(change);
        let hint = self.hint(&token, authorizer).await;
        let signature = token.rsplit('.').next().unwrap();
        assert!(!hint.text.contains(signature), "{hint:?}");
        hint
    }
}

fn team(matches: ClaimMatch) -> JwtAuthorizer {
    let rule = CustomClaim { name: "team".to_owned(), matches };
    JwtAuthorizer { custom_claims: vec![rule], ..JwtAuthorizer::default() }
}

/// A hint's code, and words that its text must have.
fn assert_says(hint: &Hint, code: &str, words: &[&str]) {
    assert_eq!(hint.code, code, "{hint:?}");
    for word in words {
        assert!(hint.text.contains(word), "`{word}` in {hint:?}");
    }
}

/// "Cognito users: use --allowed-clients, not --allowed-audience."
#[tokio::test]
async fn a_token_of_cognito_where_an_audience_is_wanted() {
    let desk = Desk::open().await;
    let hint = desk.hint_for(json!({ "client_id": "4q1t" }), audience("gateway123")).await;
    assert_says(&hint, "use-allowed-clients", &["allowedClients", "`4q1t`"]);
}

/// "Auth0 users: use --allowed-audience, not --allowed-clients."
#[tokio::test]
async fn a_token_of_auth0_or_okta_where_a_client_is_wanted() {
    let desk = Desk::open().await;
    let change = json!({ "client_id": null, "aud": "gateway123" });
    let hint = desk.hint_for(change, clients("abc")).await;
    assert_says(&hint, "use-allowed-audience", &["allowedAudience", "`gateway123`"]);
}

/// "Check client ID: must match exactly (case-sensitive)."
#[tokio::test]
async fn a_client_in_another_case() {
    let desk = Desk::open().await;
    let hint = desk.hint_for(json!({ "client_id": "4q1t" }), clients("4Q1T")).await;
    assert_says(&hint, "client-id-case", &["`4q1t`", "`4Q1T`", "case"]);
    let hint = desk.hint_for(json!({ "client_id": "other" }), clients("4q1t")).await;
    assert_says(&hint, "client-id-other", &["`other`", "`4q1t`"]);
}

/// "Check audience: must match your API identifier exactly."
#[tokio::test]
async fn an_audience_that_is_nearly_right() {
    let desk = Desk::open().await;
    for (found, allowed) in [
        ("https://api.example.com/", "https://api.example.com"),
        ("Gateway123", "gateway123"),
        ("6e74172b", "api://6e74172b"),
        ("gateway123", "gateway123 "),
    ] {
        let hint = desk.hint_for(json!({ "aud": found }), audience(allowed)).await;
        assert_says(&hint, "audience-exact", &[found, allowed]);
    }
}

/// "Ensure audience values match between token request and gateway configuration."
#[tokio::test]
async fn an_audience_of_another_request() {
    let desk = Desk::open().await;
    let hint = desk.hint_for(json!({ "aud": ["x", "y"] }), audience("gateway123")).await;
    assert_says(&hint, "audience-of-request", &["`x`, `y`", "`gateway123`", "token endpoint"]);
    let hint = desk.hint_for(json!({ "client_id": null }), audience("gateway123")).await;
    assert_says(&hint, "audience-missing", &["audience"]);
    let graph = json!({ "aud": "00000003-0000-0000-c000-000000000000" });
    assert_says(&desk.hint_for(graph, audience("6e74172b")).await, "entra-graph-token", &[".default"]);
}

/// "If token endpoint doesn't work, check the discovery URL to find the correct token_endpoint."
#[tokio::test]
async fn what_no_token_endpoint_answers() {
    let desk = Desk::open().await;
    let endpoint = desk.idp.url("/oauth2/token");
    desk.idp.describe(&merged(desk.idp.metadata(), json!({ "token_endpoint": endpoint })));
    for given in ["<html><h1>404</h1></html>", r#"{"message":"Not Found"}"#] {
        let hint = desk.hint(given, clients("abc")).await;
        assert_says(&hint, "token-endpoint", &[&endpoint, &desk.idp.discovery_url()]);
    }
    desk.idp.fail(&Answer::Status(500));
    let other = Desk::open().await;
    let hint = other.hint("<html>", clients("abc")).await;
    assert_says(&hint, "token-endpoint", &[&other.idp.discovery_url(), "token_endpoint"]);
}

/// "Verify scopes are properly configured in your IDP."
#[tokio::test]
async fn scopes_that_are_not_there() {
    let desk = Desk::open().await;
    let hint = desk.hint_for(json!({ "scope": null }), scopes("invoke")).await;
    assert_says(&hint, "scope-missing", &["`invoke`", "identity provider"]);
    let hint = desk.hint_for(json!({ "scope": "read" }), scopes("invoke")).await;
    assert_says(&hint, "scope-not-granted", &["`read`", "`invoke`"]);
    let hint = desk.hint_for(json!({ "scope": "server/invoke" }), scopes("invoke")).await;
    assert_says(&hint, "scope-exact", &["`server/invoke`", "`invoke`"]);
    let hint = desk.hint_for(json!({ "scope": "mine/invoke" }), scopes("theirs/invoke")).await;
    assert_says(&hint, "scope-not-granted", &[]);
    let hint = desk.hint_for(json!({ "scope": ["invoke"] }), scopes("invoke")).await;
    assert_says(&hint, "scope-list", &["list"]);
}

/// "Check that the discovery URL is accessible …"
#[tokio::test]
async fn an_issuer_that_cannot_be_reached() {
    let desk = Desk::open().await;
    desk.idp.fail(&Answer::Status(404));
    let hint = desk.hint_for(json!({}), clients("machine")).await;
    assert_says(&hint, "discovery-unreachable", &[&desk.idp.discovery_url()]);
    // The rules are looked at all the same.
    let hints = desk.advice(&desk.token(json!({ "client_id": "Machine" })), clients("machine")).await;
    let codes: Vec<_> = hints.iter().map(|hint| hint.code).collect();
    assert_eq!(codes, ["discovery-unreachable", "client-id-case"]);
}

/// "… and returns valid OpenID configuration."
#[tokio::test]
async fn an_issuer_whose_documents_are_none() {
    for (metadata, keys) in [
        (json!({ "hello": "world" }), json!({ "keys": [] })),
        (
            json!({ "issuer": "https://other.example", "jwks_uri": "https://other.example/keys" }),
            json!({ "keys": [] }),
        ),
    ] {
        let desk = Desk::open().await;
        desk.idp.describe(&metadata);
        desk.idp.serve_keys(Answer::Json(keys.to_string()));
        let hint = desk.hint_for(json!({}), clients("machine")).await;
        assert_says(&hint, "discovery-invalid", &[&desk.idp.discovery_url()]);
    }
    let desk = Desk::open().await;
    desk.idp.serve_keys(Answer::Json("[]".to_owned()));
    assert_says(&desk.hint_for(json!({}), clients("machine")).await, "discovery-invalid", &["jwks_uri"]);
}

/// "For Cognito: ensure your app client has client_credentials grant type enabled."
#[tokio::test]
async fn a_client_that_may_not_use_its_credentials() {
    let desk = Desk::open().await;
    for error in ["unauthorized_client", "unsupported_grant_type"] {
        let given = json!({ "error": error, "error_description": "kept-to-itself" }).to_string();
        let hint = desk.hint(&given, clients("abc")).await;
        assert_says(&hint, "client-credentials-grant", &["client_credentials", "Cognito"]);
        assert!(!hint.text.contains("kept-to-itself"));
    }
}

#[tokio::test]
async fn other_answers_of_a_token_endpoint() {
    let desk = Desk::open().await;
    let token = desk.token(json!({}));
    for (given, code) in [
        (json!({ "access_token": token, "token_type": "Bearer" }), "token-endpoint-answer"),
        (json!({ "error": "invalid_client" }), "client-secret"),
        (json!({ "error": "invalid_scope" }), "scope-of-request"),
        (json!({ "error": "temporarily_unavailable" }), "token-endpoint-error"),
    ] {
        let hint = desk.hint(&given.to_string(), clients("abc")).await;
        assert_says(&hint, code, &[]);
        assert!(!hint.text.contains(&token));
    }
}

#[tokio::test]
async fn what_is_no_token() {
    let desk = Desk::open().await;
    let token = desk.token(json!({}));
    for (given, code) in [
        ("opaque".to_owned(), "opaque-token"),
        ("a.b.c.d.e".to_owned(), "encrypted-token"),
        (token.replacen('.', ".\n", 1), "broken-token"),
        (token[..40].to_owned() + ".x.y", "broken-token"),
    ] {
        assert_says(&desk.hint(&given, clients("machine")).await, code, &[]);
    }
}

#[tokio::test]
async fn algorithms_that_are_not_accepted() {
    let desk = Desk::open().await;
    for (algorithm, words) in [("HS256", "RS256"), ("none", "not signed"), ("RS1", "RS256")] {
        let header = merged(header(rsa()), json!({ "alg": algorithm }));
        let given = token(&header, &claims(&desk.idp.issuer()), rsa());
        let hint = desk.hint(&given, clients("machine")).await;
        assert_says(&hint, if algorithm == "RS1" { "header" } else { "algorithm" }, &[words]);
    }
}

#[tokio::test]
async fn keys_and_signatures() {
    let desk = Desk::open().await;
    let unknown = token(&header(second_rsa()), &claims(&desk.idp.issuer()), second_rsa());
    assert_says(&desk.hint(&unknown, clients("machine")).await, "key-unknown", &["`rsa`"]);
    let forged = token(&header(rsa()), &claims(&desk.idp.issuer()), attacker());
    assert_says(&desk.hint(&forged, clients("machine")).await, "signature", &["changed"]);
    desk.idp.publish(&[rsa(), second_rsa()]);
    let fresh = Desk::open().await;
    fresh.idp.publish(&[rsa(), second_rsa()]);
    let anonymous = merged(header(rsa()), json!({ "kid": null }));
    let anonymous = token(&anonymous, &claims(&fresh.idp.issuer()), rsa());
    assert_says(&fresh.hint(&anonymous, clients("machine")).await, "key-ambiguous", &["kid"]);
}

#[tokio::test]
async fn times() {
    let desk = Desk::open().await;
    let now = NOW.seconds();
    let hint = desk.hint_for(json!({ "exp": now - 60 }), clients("machine")).await;
    assert_says(&hint, "expired", &[&NOW.to_string(), "60 seconds"]);
    for name in ["nbf", "iat"] {
        let hint = desk.hint_for(json!({ name: now + 61 }), clients("machine")).await;
        assert_says(&hint, "clock", &[name, &NOW.to_string()]);
    }
}

#[tokio::test]
async fn another_issuer() {
    let desk = Desk::open().await;
    let change = json!({ "iss": format!("{}/", desk.idp.issuer()) });
    let hint = desk.hint_for(change, clients("machine")).await;
    assert_says(
        &hint,
        "issuer-mismatch",
        &[&format!("`{}`", desk.idp.issuer()), &format!("`{}/`", desk.idp.issuer())],
    );
}

#[tokio::test]
async fn id_tokens() {
    let desk = Desk::open().await;
    let hints =
        desk.advice(&desk.token(json!({ "token_use": "id", "aud": "4q1t" })), clients("machine")).await;
    assert_eq!(hints.len(), 1, "{hints:?}");
    assert_says(&hints[0], "id-token", &["allowedAudience", "allowedClients"]);
}

#[tokio::test]
async fn clients_by_other_names() {
    let desk = Desk::open().await;
    for name in ["azp", "cid", "appid"] {
        let hint = desk.hint_for(json!({ "client_id": null, "aud": "x", name: "abc" }), clients("abc")).await;
        assert_says(&hint, "client-named-elsewhere", &[name, "client_id"]);
    }
    let hint = desk.hint_for(json!({ "client_id": null }), clients("abc")).await;
    assert_says(&hint, "client-missing", &["client_id"]);
}

#[tokio::test]
async fn custom_claims() {
    let desk = Desk::open().await;
    let (equals, contains) = (ClaimMatch::Equals("red".to_owned()), ClaimMatch::Contains("red".to_owned()));
    for (claim, rule, code) in [
        (Value::Null, &equals, "custom-claim-missing"),
        (json!(["red"]), &equals, "custom-claim-type"),
        (json!("red"), &contains, "custom-claim-type"),
        (json!(["blue"]), &contains, "custom-claim-value"),
        (json!("Red"), &equals, "custom-claim-value"),
    ] {
        let hint = desk.hint_for(json!({ "team": claim }), team(rule.clone())).await;
        assert_says(&hint, code, &["`team`"]);
    }
}

/// After a failure the rest is looked at, as far as there is something to look at.
#[tokio::test]
async fn everything_is_told_at_once() {
    let desk = Desk::open().await;
    let change =
        json!({ "exp": NOW.seconds() - 600, "iss": "https://elsewhere.example", "client_id": "MACHINE" });
    let hints = desk.advice(&desk.token(change), clients("machine")).await;
    let codes: Vec<_> = hints.iter().map(|hint| hint.code).collect();
    assert_eq!(codes, ["expired", "issuer-mismatch", "client-id-case"]);
    let authorizer = JwtAuthorizer { discovery_url: desk.idp.discovery_url(), ..clients("machine") };
    let inspection = desk.issuers.inspect(&authorizer, &desk.token(json!({}))).await;
    assert!(inspection.refusal().is_none());
    assert!(inspection.failure(Step::Signature).is_none());
    assert_eq!(inspection.findings.len(), 11, "{:?}", inspection.findings);
}
