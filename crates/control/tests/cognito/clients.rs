//! App clients: what they may be allowed, and their secrets.

use std::time::Duration;

use domain::{ClientId, SystemRandom};
use serde_json::{Value, json};

use crate::support::{Actor, World, allow};
use crate::{call, machine, make_pool, make_server, with};

/// A pool with the resource server of the documents.
async fn ready(root: &Actor) -> String {
    let pool = make_pool(root, "p").await;
    make_server(root, &pool).await;
    pool
}

#[tokio::test]
async fn the_documents_client_is_made_and_shown_with_its_secret() {
    for world in World::on_each_database().await {
        let root = world.root();
        let pool = ready(&root).await;
        let made = call(&root, "CreateUserPoolClient", machine(&pool)).await.good();
        let client = &made["UserPoolClient"];
        let (id, secret) = (client["ClientId"].as_str().unwrap(), client["ClientSecret"].as_str().unwrap());
        let drawn = |text: &str| text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
        assert!(id.len() == 26 && drawn(id), "{id}");
        assert!(secret.len() == 52 && drawn(secret));
        assert_eq!(
            *client,
            json!({
                "UserPoolId": pool,
                "ClientName": "gateway-client",
                "ClientId": id,
                "ClientSecret": secret,
                "CreationDate": 1_763_717_400.0,
                "LastModifiedDate": 1_763_717_400.0,
                "SupportedIdentityProviders": ["COGNITO"],
                "AllowedOAuthFlows": ["client_credentials"],
                "AllowedOAuthScopes": ["gateway-resource-server/read", "gateway-resource-server/write"],
                "AllowedOAuthFlowsUserPoolClient": true,
            })
        );
        let one = json!({"UserPoolId": pool, "ClientId": id});
        assert_eq!(call(&root, "DescribeUserPoolClient", one.clone()).await.good(), made);
        let answered = call(&root, "ListUserPoolClients", json!({"UserPoolId": pool})).await;
        assert!(!answered.text().contains(secret));
        assert_eq!(
            answered.good(),
            json!({"UserPoolClients": [
                {"ClientId": id, "UserPoolId": pool, "ClientName": "gateway-client"}
            ]})
        );
        // Another pool's client is not there.
        let other = make_pool(&root, "other").await;
        for operation in ["DescribeUserPoolClient", "UpdateUserPoolClient", "DeleteUserPoolClient"] {
            let params = json!({"UserPoolId": other, "ClientId": id});
            let message = call(&root, operation, params).await.refused(400, "ResourceNotFoundException");
            assert_eq!(message, format!("User pool client {id} does not exist."));
        }
        assert_eq!(call(&root, "DeleteUserPoolClient", one.clone()).await.good(), Value::Null);
        call(&root, "DescribeUserPoolClient", one).await.refused(400, "ResourceNotFoundException");
        for event in world.events().await {
            assert!(!format!("{event:?}").contains(secret), "{event:?}");
        }
    }
}

#[tokio::test]
async fn who_reads_everything_does_not_read_secrets() {
    let world = World::new().await;
    let root = world.root();
    let pool = ready(&root).await;
    let made = call(&root, "CreateUserPoolClient", machine(&pool)).await.good();
    let reader = world.user("reader", None).await;
    let policy = json!({"UserName": "reader", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"});
    root.call("iam", "AttachUserPolicy", policy).await.good();
    call(&reader, "ListUserPoolClients", json!({"UserPoolId": pool})).await.good();
    let one = json!({"UserPoolId": pool, "ClientId": made["UserPoolClient"]["ClientId"]});
    call(&reader, "DescribeUserPoolClient", one.clone()).await.refused(400, "AccessDeniedException");
    let arn = "arn:aws:cognito-idp:us-west-2:000000000000:userpool/*";
    let owner = world.user("owner", Some(allow("cognito-idp:DescribeUserPoolClient", arn))).await;
    assert_eq!(call(&owner, "DescribeUserPoolClient", one).await.good(), made);
}

#[tokio::test]
async fn an_update_replaces_everything_but_the_secret() {
    for world in World::on_each_database().await {
        let root = world.root();
        let pool = ready(&root).await;
        let params = with(
            &machine(&pool),
            json!({"AccessTokenValidity": 30, "TokenValidityUnits": {"AccessToken": "minutes"}}),
        );
        let made = call(&root, "CreateUserPoolClient", params).await.good()["UserPoolClient"].clone();
        assert_eq!(made["AccessTokenValidity"], 30);
        assert_eq!(made["TokenValidityUnits"], json!({"AccessToken": "minutes"}));
        world.advance(Duration::from_secs(1));
        let params = json!({
            "UserPoolId": pool,
            "ClientId": made["ClientId"],
            "AllowedOAuthFlows": ["client_credentials"],
            "AllowedOAuthScopes": ["gateway-resource-server/read"],
            "AllowedOAuthFlowsUserPoolClient": true,
        });
        let updated = call(&root, "UpdateUserPoolClient", params).await.good()["UserPoolClient"].clone();
        assert_eq!(
            updated,
            json!({
                "UserPoolId": pool,
                "ClientName": "gateway-client",
                "ClientId": made["ClientId"],
                "ClientSecret": made["ClientSecret"],
                "CreationDate": 1_763_717_400.0,
                "LastModifiedDate": 1_763_717_401.0,
                "AllowedOAuthFlows": ["client_credentials"],
                "AllowedOAuthScopes": ["gateway-resource-server/read"],
                "AllowedOAuthFlowsUserPoolClient": true,
            })
        );
        let one = json!({"UserPoolId": pool, "ClientId": made["ClientId"]});
        assert_eq!(
            call(&root, "DescribeUserPoolClient", one.clone()).await.good()["UserPoolClient"],
            updated
        );
        let bare = with(&one, json!({"ClientName": "renamed"}));
        let bare = call(&root, "UpdateUserPoolClient", bare).await.good()["UserPoolClient"].clone();
        assert_eq!(
            (&bare["ClientName"], &bare["AllowedOAuthFlowsUserPoolClient"]),
            (&json!("renamed"), &json!(false))
        );
        assert_eq!((&bare["AllowedOAuthFlows"], &bare["AllowedOAuthScopes"]), (&Value::Null, &Value::Null));
        assert_eq!(bare["ClientSecret"], made["ClientSecret"]);
    }
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_in_cognitos_words() {
    let world = World::new().await;
    let root = world.root();
    let pool = ready(&root).await;
    let client = machine(&pool);
    let required = "AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth \
                    flows.";
    let first = "AllowedOAuthFlowsUserPoolClient must be true before AllowedOAuthFlows and AllowedOAuthScopes can be \
                 set.";
    let range = "Invalid range for token validity. Access and id tokens live from 5 minutes to 1 day.";
    let provider = format!("The provider Google does not exist for User Pool {pool}.");
    for (change, code, expected) in [
        (
            json!({"AllowedOAuthScopes": ["gateway-resource-server/read", "no-server/a", "openid"]}),
            "ScopeDoesNotExistException",
            "Invalid scope requested: no-server/a",
        ),
        (
            json!({"GenerateSecret": false}),
            "InvalidOAuthFlowException",
            "client_credentials flow can not be selected if client does not have a client secret.",
        ),
        (json!({"AllowedOAuthFlows": []}), "InvalidParameterException", required),
        (json!({"AllowedOAuthScopes": []}), "InvalidParameterException", required),
        (json!({"AllowedOAuthFlowsUserPoolClient": false}), "InvalidParameterException", first),
        (json!({"AllowedOAuthFlowsUserPoolClient": null}), "InvalidParameterException", first),
        (
            json!({"SupportedIdentityProviders": ["COGNITO", "Google"]}),
            "InvalidParameterException",
            &provider,
        ),
        (json!({"AccessTokenValidity": 25}), "InvalidParameterException", range),
        (
            json!({"AccessTokenValidity": 4, "TokenValidityUnits": {"AccessToken": "minutes"}}),
            "InvalidParameterException",
            range,
        ),
    ] {
        let answered = call(&root, "CreateUserPoolClient", with(&client, change)).await;
        assert_eq!(answered.refused(400, code), expected);
    }
    for change in
        [json!({"AllowedOAuthFlows": ["implicit"]}), json!({"DefaultRedirectURI": "https://example.com"})]
    {
        let answered = call(&root, "CreateUserPoolClient", with(&client, change)).await;
        let message = answered.refused(400, "InvalidParameterException");
        assert!(message.contains("not supported by Portcullis yet"), "{message}");
    }
    let listed = call(&root, "ListUserPoolClients", json!({"UserPoolId": pool})).await.good();
    assert_eq!(listed["UserPoolClients"], json!([]));
}

#[tokio::test]
async fn a_client_without_a_secret_never_gets_the_machines_flow() {
    let world = World::new().await;
    let root = world.root();
    let pool = ready(&root).await;
    let params = json!({"UserPoolId": pool, "ClientName": "public"});
    let made = call(&root, "CreateUserPoolClient", params).await.good()["UserPoolClient"].clone();
    assert_eq!(
        (&made["ClientSecret"], &made["AllowedOAuthFlowsUserPoolClient"]),
        (&Value::Null, &json!(false))
    );
    let mut params = with(&machine(&pool), json!({"ClientId": made["ClientId"]}));
    params.as_object_mut().unwrap().remove("GenerateSecret");
    let answered = call(&root, "UpdateUserPoolClient", params).await;
    answered.refused(400, "InvalidOAuthFlowException");
}

#[tokio::test]
async fn clients_are_listed_page_by_page() {
    let world = World::new().await;
    let root = world.root();
    let pool = ready(&root).await;
    for at in 0..3 {
        let params = json!({"UserPoolId": pool, "ClientName": format!("client {at}")});
        call(&root, "CreateUserPoolClient", params).await.good();
    }
    let first = call(&root, "ListUserPoolClients", json!({"UserPoolId": pool, "MaxResults": 2})).await.good();
    assert_eq!(first["UserPoolClients"].as_array().unwrap().len(), 2);
    let rest = json!({"UserPoolId": pool, "MaxResults": 2, "NextToken": first["NextToken"]});
    let rest = call(&root, "ListUserPoolClients", rest).await.good();
    assert_eq!((rest["UserPoolClients"].as_array().unwrap().len(), &rest["NextToken"]), (1, &Value::Null));
}

#[tokio::test]
async fn a_pool_has_a_thousand_clients_at_most() {
    let world = World::new().await;
    let root = world.root();
    let pool = ready(&root).await;
    let made = call(&root, "CreateUserPoolClient", machine(&pool)).await.good();
    let id = made["UserPoolClient"]["ClientId"].as_str().unwrap();
    let event = world.event("cognito-idp:CreateUserPoolClient").await;
    let mut tx = world.store().begin().await.unwrap();
    let mut client = tx.pool_client(&ClientId::from_text(id)).await.unwrap().unwrap();
    for _ in 1..1_000 {
        client.id = ClientId::mint(&SystemRandom);
        tx.insert_pool_client(&client).await.unwrap();
    }
    tx.commit(&event).await.unwrap();
    let answered = call(&root, "CreateUserPoolClient", machine(&pool)).await;
    let message = answered.refused(400, "LimitExceededException");
    assert!(message.contains("1000 clients"), "{message}");
    call(&root, "DeleteUserPoolClient", json!({"UserPoolId": pool, "ClientId": id})).await.good();
    call(&root, "CreateUserPoolClient", machine(&pool)).await.good();
}
