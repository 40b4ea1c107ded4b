//! An authorizer's rules: audience, client, scope, custom claims, and the kind of token.

use domain::{ClaimMatch, CustomClaim};

use super::*;

fn audience() -> JwtAuthorizer {
    JwtAuthorizer { allowed_audience: vec!["api".to_owned(), "other-api".to_owned()], ..lenient() }
}

fn clients() -> JwtAuthorizer {
    JwtAuthorizer { allowed_clients: vec!["machine".to_owned(), "robot".to_owned()], ..lenient() }
}

fn scopes() -> JwtAuthorizer {
    JwtAuthorizer { allowed_scopes: vec!["invoke".to_owned(), "gw/write".to_owned()], ..lenient() }
}

fn custom(matches: ClaimMatch) -> JwtAuthorizer {
    JwtAuthorizer { custom_claims: vec![CustomClaim { name: "team".to_owned(), matches }], ..lenient() }
}

fn equals() -> JwtAuthorizer {
    custom(ClaimMatch::Equals("red".to_owned()))
}

fn contains() -> JwtAuthorizer {
    custom(ClaimMatch::Contains("red".to_owned()))
}

fn contains_any() -> JwtAuthorizer {
    custom(ClaimMatch::ContainsAny(vec!["red".to_owned(), "blue".to_owned()]))
}

/// All four rules at once.
fn everything() -> JwtAuthorizer {
    JwtAuthorizer {
        allowed_audience: audience().allowed_audience,
        allowed_clients: clients().allowed_clients,
        allowed_scopes: scopes().allowed_scopes,
        ..equals()
    }
}

fn for_audience(lab: &Lab, aud: Value) -> Try {
    lab.claiming(json!({ "aud": aud })).of(audience())
}

fn of_client(lab: &Lab, client_id: Value) -> Try {
    lab.claiming(json!({ "client_id": client_id })).of(clients())
}

fn with_scope(lab: &Lab, scope: Value) -> Try {
    lab.claiming(json!({ "scope": scope })).of(scopes())
}

fn of_team(lab: &Lab, team: Value, authorizer: JwtAuthorizer) -> Try {
    lab.claiming(json!({ "team": team })).of(authorizer)
}

fn meeting_everything(lab: &Lab, change: Value) -> Try {
    let all = json!({ "aud": "api", "client_id": "machine", "scope": "invoke", "team": "red" });
    lab.claiming(crate::support::keys::merged(all, change)).of(everything())
}

fn team() -> Refused {
    Refused::Rule(Rejection::CustomClaim("team".to_owned()))
}

#[tokio::test]
async fn for_whom() {
    run(&[
        Case {
            name: "aud mismatch",
            wrong: |lab| for_audience(lab, json!("elsewhere")),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!("api")),
        },
        Case {
            name: "aud in another case",
            wrong: |lab| for_audience(lab, json!("API")),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!("other-api")),
        },
        Case {
            name: "aud is a part",
            wrong: |lab| for_audience(lab, json!("ap")),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!("api")),
        },
        Case {
            name: "aud is parted by blanks",
            wrong: |lab| for_audience(lab, json!("api elsewhere")),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!(["api", "elsewhere"])),
        },
        Case {
            name: "aud array of others",
            wrong: |lab| for_audience(lab, json!(["elsewhere", "API"])),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!(["elsewhere", "api"])),
        },
        Case {
            name: "aud array with something that is no text",
            wrong: |lab| for_audience(lab, json!(["api", 1])),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!(["api"])),
        },
        Case {
            name: "aud array in an array",
            wrong: |lab| for_audience(lab, json!([["api"]])),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!(["api"])),
        },
        Case {
            name: "aud array empty",
            wrong: |lab| for_audience(lab, json!([])),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!(["api"])),
        },
        Case {
            name: "aud empty",
            wrong: |lab| for_audience(lab, json!("")),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!("api")),
        },
        Case {
            name: "aud missing",
            wrong: |lab| for_audience(lab, Value::Null),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!("api")),
        },
        Case {
            name: "aud is an object",
            wrong: |lab| for_audience(lab, json!({ "api": true })),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| for_audience(lab, json!("api")),
        },
        Case {
            name: "aud in the place of client_id",
            wrong: |lab| lab.claiming(json!({ "aud": "machine", "client_id": null })).of(clients()),
            refused: Refused::Rule(Rejection::Client),
            right: |lab| lab.claiming(json!({ "aud": "machine" })).of(clients()),
        },
    ])
    .await;
}

#[tokio::test]
async fn to_whom() {
    run(&[
        Case {
            name: "client_id not in allowedClients",
            wrong: |lab| of_client(lab, json!("stranger")),
            refused: Refused::Rule(Rejection::Client),
            right: |lab| of_client(lab, json!("robot")),
        },
        Case {
            name: "client_id in another case",
            wrong: |lab| of_client(lab, json!("Machine")),
            refused: Refused::Rule(Rejection::Client),
            right: |lab| of_client(lab, json!("machine")),
        },
        Case {
            name: "client_id with a blank",
            wrong: |lab| of_client(lab, json!("machine ")),
            refused: Refused::Rule(Rejection::Client),
            right: |lab| of_client(lab, json!("machine")),
        },
        Case {
            name: "client_id is a list",
            wrong: |lab| of_client(lab, json!(["machine"])),
            refused: Refused::Rule(Rejection::Client),
            right: |lab| of_client(lab, json!("machine")),
        },
        Case {
            name: "client_id missing",
            wrong: |lab| of_client(lab, Value::Null),
            refused: Refused::Rule(Rejection::Client),
            right: |lab| of_client(lab, json!("machine")),
        },
        Case {
            name: "azp, cid, appid and sub are no client_id",
            wrong: |lab| {
                let change =
                    json!({ "client_id": null, "azp": "machine", "cid": "machine", "appid": "machine" });
                lab.claiming(change).of(clients())
            },
            refused: Refused::Rule(Rejection::Client),
            right: |lab| lab.claiming(json!({ "azp": "stranger" })).of(clients()),
        },
    ])
    .await;
}

#[tokio::test]
async fn for_what() {
    run(&[
        Case {
            name: "scope substring: invoke2",
            wrong: |lab| with_scope(lab, json!("read invoke2")),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| with_scope(lab, json!("read invoke")),
        },
        Case {
            name: "scope substring: xinvoke",
            wrong: |lab| with_scope(lab, json!("xinvoke")),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| with_scope(lab, json!("invoke")),
        },
        Case {
            name: "scope substring: a resource server's prefix",
            wrong: |lab| with_scope(lab, json!("gw/ write gw/write/all")),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| with_scope(lab, json!("gw/ write gw/write")),
        },
        Case {
            name: "scope in another case",
            wrong: |lab| with_scope(lab, json!("Invoke")),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| with_scope(lab, json!("invoke")),
        },
        Case {
            name: "scope as an array",
            wrong: |lab| with_scope(lab, json!(["invoke"])),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| with_scope(lab, json!("invoke")),
        },
        Case {
            name: "scopes parted by commas",
            wrong: |lab| with_scope(lab, json!("read,invoke")),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| with_scope(lab, json!("  read  invoke ")),
        },
        Case {
            name: "scopes parted by tabs and lines",
            wrong: |lab| with_scope(lab, json!("read\tinvoke\nwrite")),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| with_scope(lab, json!("read invoke write")),
        },
        Case {
            name: "scope empty",
            wrong: |lab| with_scope(lab, json!("")),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| with_scope(lab, json!("invoke")),
        },
        Case {
            name: "scope missing",
            wrong: |lab| with_scope(lab, Value::Null),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| with_scope(lab, json!("invoke")),
        },
        Case {
            name: "scp beside scope is not looked at",
            wrong: |lab| lab.claiming(json!({ "scope": "read", "scp": "invoke" })).of(scopes()),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| lab.claiming(json!({ "scope": "invoke", "scp": "read" })).of(scopes()),
        },
        Case {
            name: "scp beside a scope that is no text is not looked at",
            wrong: |lab| lab.claiming(json!({ "scope": ["invoke"], "scp": "invoke" })).of(scopes()),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| lab.claiming(json!({ "scope": null, "scp": "read invoke" })).of(scopes()),
        },
        Case {
            name: "scp list with something that is no text",
            wrong: |lab| lab.claiming(json!({ "scope": null, "scp": ["invoke", 1] })).of(scopes()),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| lab.claiming(json!({ "scope": null, "scp": ["read", "invoke"] })).of(scopes()),
        },
        Case {
            name: "a text of an scp list is one scope",
            wrong: |lab| lab.claiming(json!({ "scope": null, "scp": ["read invoke"] })).of(scopes()),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| lab.claiming(json!({ "scope": null, "scp": ["invoke"] })).of(scopes()),
        },
        Case {
            name: "scopes, roles and permissions are no scope",
            wrong: |lab| {
                let change = json!({
                    "scope": null, "scopes": "invoke", "roles": ["invoke"], "permissions": ["invoke"],
                });
                lab.claiming(change).of(scopes())
            },
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| lab.claiming(json!({ "scope": "invoke" })).of(scopes()),
        },
    ])
    .await;
}

#[tokio::test]
async fn kinds_of_tokens() {
    run(&[
        Case {
            name: "token_use=id where a client is asked for",
            wrong: |lab| lab.claiming(json!({ "token_use": "id" })).of(clients()),
            refused: Refused::Rule(Rejection::IdToken),
            right: |lab| lab.claiming(json!({ "token_use": "access" })).of(clients()),
        },
        Case {
            name: "token_use=id where a scope is asked for",
            wrong: |lab| lab.claiming(json!({ "token_use": "id" })).of(scopes()),
            refused: Refused::Rule(Rejection::IdToken),
            right: |lab| lab.claiming(json!({ "token_use": "access" })).of(scopes()),
        },
        Case {
            name: "token_use=id where a claim is asked for",
            wrong: |lab| lab.claiming(json!({ "token_use": "id", "team": "red" })).of(equals()),
            refused: Refused::Rule(Rejection::IdToken),
            right: |lab| lab.claiming(json!({ "token_use": null, "team": "red" })).of(equals()),
        },
        Case {
            name: "token_use=id for another audience",
            wrong: |lab| lab.claiming(json!({ "token_use": "id", "aud": "elsewhere" })).of(audience()),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| lab.claiming(json!({ "token_use": "id", "aud": "api" })).of(audience()),
        },
    ])
    .await;
}

#[tokio::test]
async fn custom_claims() {
    run(&[
        Case {
            name: "STRING EQUALS another text",
            wrong: |lab| of_team(lab, json!("redder"), equals()),
            refused: team(),
            right: |lab| of_team(lab, json!("red"), equals()),
        },
        Case {
            name: "STRING EQUALS in another case",
            wrong: |lab| of_team(lab, json!("Red"), equals()),
            refused: team(),
            right: |lab| of_team(lab, json!("red"), equals()),
        },
        Case {
            name: "STRING EQUALS an array of it",
            wrong: |lab| of_team(lab, json!(["red"]), equals()),
            refused: team(),
            right: |lab| of_team(lab, json!("red"), equals()),
        },
        Case {
            name: "STRING EQUALS something missing",
            wrong: |lab| of_team(lab, Value::Null, equals()),
            refused: team(),
            right: |lab| of_team(lab, json!("red"), equals()),
        },
        Case {
            name: "STRING EQUALS a number that reads the same",
            wrong: |lab| of_team(lab, json!(7), custom(ClaimMatch::Equals("7".to_owned()))),
            refused: team(),
            right: |lab| of_team(lab, json!("7"), custom(ClaimMatch::Equals("7".to_owned()))),
        },
        Case {
            name: "STRING_ARRAY CONTAINS, and the claim is a string",
            wrong: |lab| of_team(lab, json!("red"), contains()),
            refused: team(),
            right: |lab| of_team(lab, json!(["red"]), contains()),
        },
        Case {
            name: "STRING_ARRAY CONTAINS a part",
            wrong: |lab| of_team(lab, json!(["redder", "re"]), contains()),
            refused: team(),
            right: |lab| of_team(lab, json!(["blue", "red"]), contains()),
        },
        Case {
            name: "STRING_ARRAY CONTAINS, and the array is empty",
            wrong: |lab| of_team(lab, json!([]), contains()),
            refused: team(),
            right: |lab| of_team(lab, json!(["red"]), contains()),
        },
        Case {
            name: "STRING_ARRAY CONTAINS in an array of arrays",
            wrong: |lab| of_team(lab, json!([["red"]]), contains()),
            refused: team(),
            right: |lab| of_team(lab, json!(["red"]), contains()),
        },
        Case {
            name: "STRING_ARRAY CONTAINS, and the claim is an object",
            wrong: |lab| of_team(lab, json!({ "red": "red" }), contains()),
            refused: team(),
            right: |lab| of_team(lab, json!(["red"]), contains()),
        },
        Case {
            name: "STRING_ARRAY CONTAINS_ANY of others",
            wrong: |lab| of_team(lab, json!(["green", "Blue"]), contains_any()),
            refused: team(),
            right: |lab| of_team(lab, json!(["green", "blue"]), contains_any()),
        },
        Case {
            name: "STRING_ARRAY CONTAINS_ANY, and the claim is a string",
            wrong: |lab| of_team(lab, json!("blue"), contains_any()),
            refused: team(),
            right: |lab| of_team(lab, json!(["blue"]), contains_any()),
        },
        Case {
            name: "STRING_ARRAY CONTAINS_ANY something missing",
            wrong: |lab| of_team(lab, Value::Null, contains_any()),
            refused: team(),
            right: |lab| of_team(lab, json!(["red"]), contains_any()),
        },
        Case {
            name: "STRING_ARRAY CONTAINS_ANY of nothing",
            wrong: |lab| of_team(lab, json!(["red"]), custom(ClaimMatch::ContainsAny(Vec::new()))),
            refused: team(),
            right: |lab| of_team(lab, json!(["red"]), contains_any()),
        },
    ])
    .await;
}

#[tokio::test]
async fn all_at_once() {
    run(&[
        Case {
            name: "all rules but the audience",
            wrong: |lab| meeting_everything(lab, json!({ "aud": "elsewhere" })),
            refused: Refused::Rule(Rejection::Audience),
            right: |lab| meeting_everything(lab, json!({})),
        },
        Case {
            name: "all rules but the client",
            wrong: |lab| meeting_everything(lab, json!({ "client_id": "stranger" })),
            refused: Refused::Rule(Rejection::Client),
            right: |lab| meeting_everything(lab, json!({})),
        },
        Case {
            name: "all rules but the scope",
            wrong: |lab| meeting_everything(lab, json!({ "scope": "read" })),
            refused: Refused::Rule(Rejection::Scope),
            right: |lab| meeting_everything(lab, json!({})),
        },
        Case {
            name: "all rules but the custom claim",
            wrong: |lab| meeting_everything(lab, json!({ "team": "blue" })),
            refused: team(),
            right: |lab| meeting_everything(lab, json!({})),
        },
        Case {
            name: "scope is not blamed when more is wrong: a stranger learns of no scopes",
            wrong: |lab| meeting_everything(lab, json!({ "scope": "read", "team": "blue" })),
            refused: team(),
            right: |lab| meeting_everything(lab, json!({})),
        },
    ])
    .await;
}
