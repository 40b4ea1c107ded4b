//! Credential providers: what goes in and comes out, what is refused by name, and where no secret may be.

use std::time::Duration;

use domain::{CredentialKind, Scope};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, Actor, Answered, REGION, World, allow};

const KEY: &str = "the-api-key-that-nobody-sees";
const SECRET: &str = "the-client-secret-that-nobody-sees";
const VAULT: &str = "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default";

async fn call(actor: &Actor, operation: &str, params: Value) -> Answered {
    actor.call("bedrock-agentcore-control", operation, params).await
}

fn oauth2(name: &str, discovery: &Value) -> Value {
    json!({
        "name": name,
        "credentialProviderVendor": "CustomOauth2",
        "oauth2ProviderConfigInput": {"customOauth2ProviderConfig": {
            "oauthDiscovery": discovery, "clientId": "the-client", "clientSecret": SECRET,
        }},
    })
}

fn discovery_url() -> Value {
    json!({"discoveryUrl": "https://as.example/.well-known/openid-configuration"})
}

fn metadata() -> Value {
    json!({"authorizationServerMetadata": {
        "issuer": "https://as.example",
        "authorizationEndpoint": "https://as.example/authorize",
        "tokenEndpoint": "https://as.example/token",
        "responseTypes": ["code"],
        "tokenEndpointAuthMethods": ["client_secret_post"],
    }})
}

#[tokio::test]
async fn an_api_key_goes_in_and_never_comes_out() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = call(
            &root,
            "CreateApiKeyCredentialProvider",
            json!({"name": "my_key", "apiKey": KEY, "tags": {"team": "a"}}),
        )
        .await
        .good();
        assert_eq!(made["name"], "my_key");
        assert_eq!(made["apiKeySecretSource"], "MANAGED");
        let arn = made["credentialProviderArn"].as_str().unwrap().to_owned();
        assert_eq!(arn, format!("{VAULT}/apikeycredentialprovider/my_key"));
        let secret = made["apiKeySecretArn"]["secretArn"].as_str().unwrap();
        let prefix = "arn:aws:secretsmanager:us-west-2:000000000000:secret:bedrock-agentcore-identity!default/apikey/my_key-";
        assert_eq!(secret.strip_prefix(prefix).unwrap().len(), 6);

        let tags = call(&root, "ListTagsForResource", json!({"resourceArn": arn})).await.good();
        assert_eq!(tags["tags"], json!({"team": "a"}));

        world.advance(Duration::from_secs(60));
        let shown = call(&root, "GetApiKeyCredentialProvider", json!({"name": "my_key"})).await.good();
        assert_eq!(shown["apiKeySecretArn"], made["apiKeySecretArn"]);
        // Moments are seconds since the epoch in this part of the API.
        assert_eq!(shown["createdTime"].as_f64(), Some(1_763_717_400.0));
        let changed = call(
            &root,
            "UpdateApiKeyCredentialProvider",
            json!({"name": "my_key", "apiKey": "another-key-that-nobody-sees"}),
        )
        .await
        .good();
        assert_eq!(changed["lastUpdatedTime"].as_f64(), Some(1_763_717_460.0));
        assert_eq!(changed["apiKeySecretArn"], made["apiKeySecretArn"]);
        let kept = stored(&world, CredentialKind::ApiKey, "my_key").await.unwrap();
        assert!(kept.secret.unwrap().matches("another-key-that-nobody-sees"));

        let listed = call(&root, "ListApiKeyCredentialProviders", json!({})).await.good();
        assert_eq!(listed["credentialProviders"][0]["credentialProviderArn"], arn.as_str());
        for answer in [&made, &shown, &changed, &listed] {
            assert!(!answer.to_string().contains("nobody-sees"), "{answer}");
        }
        call(&root, "DeleteApiKeyCredentialProvider", json!({"name": "my_key"})).await.good();
        let gone = call(&root, "GetApiKeyCredentialProvider", json!({"name": "my_key"})).await;
        let told = gone.refused(404, "ResourceNotFoundException");
        assert_eq!(told, "API key credential provider my_key does not exist in this account and region.");
        assert!(stored(&world, CredentialKind::ApiKey, "my_key").await.is_none());
        // A new one of the same name has none of the former one's tags, and another secret.
        let again = call(&root, "CreateApiKeyCredentialProvider", json!({"name": "my_key", "apiKey": KEY}))
            .await
            .good();
        assert_ne!(again["apiKeySecretArn"], made["apiKeySecretArn"]);
        let tags = call(&root, "ListTagsForResource", json!({"resourceArn": arn})).await.good();
        assert_eq!(tags["tags"], json!({}));

        let events = serde_json::to_string(&world.events().await).unwrap();
        assert!(events.contains("bedrock-agentcore:UpdateApiKeyCredentialProvider"));
        assert!(!events.contains("nobody-sees"), "{events}");
    }
}

#[tokio::test]
async fn an_oauth2_client_is_shown_without_its_secret() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = call(&root, "CreateOauth2CredentialProvider", oauth2("as", &metadata())).await.good();
        assert_eq!(made["credentialProviderArn"], format!("{VAULT}/oauth2credentialprovider/as"));
        assert_eq!(made["status"], "READY");
        let secret = made["clientSecretArn"]["secretArn"].as_str().unwrap();
        assert!(secret.contains(":secret:bedrock-agentcore-identity!default/oauth2/as-"), "{secret}");
        let callback = made["callbackUrl"].as_str().unwrap();
        assert!(callback.starts_with("http://127.0.0.1:4848/identities/oauth2/callback/"), "{callback}");

        let shown = call(&root, "GetOauth2CredentialProvider", json!({"name": "as"})).await.good();
        let output = &shown["oauth2ProviderConfigOutput"]["customOauth2ProviderConfig"];
        assert_eq!(output, &json!({"oauthDiscovery": metadata(), "clientId": "the-client"}));
        assert_eq!(shown["callbackUrl"], made["callbackUrl"]);

        let mut change = oauth2("as", &discovery_url());
        change["oauth2ProviderConfigInput"]["customOauth2ProviderConfig"]["clientAuthenticationMethod"] =
            json!("CLIENT_SECRET_POST");
        let changed = call(&root, "UpdateOauth2CredentialProvider", change).await.good();
        let output = &changed["oauth2ProviderConfigOutput"]["customOauth2ProviderConfig"];
        assert_eq!(output["oauthDiscovery"], discovery_url());
        assert_eq!(output["clientAuthenticationMethod"], "CLIENT_SECRET_POST");
        assert_eq!(changed["credentialProviderVendor"], "CustomOauth2");

        let listed = call(&root, "ListOauth2CredentialProviders", json!({})).await.good();
        assert_eq!(listed["credentialProviders"].as_array().unwrap().len(), 1);
        for answer in [&made, &shown, &changed, &listed] {
            assert!(!answer.to_string().contains(SECRET), "{answer}");
        }
        call(&root, "DeleteOauth2CredentialProvider", json!({"name": "as"})).await.good();
        assert!(stored(&world, CredentialKind::OAuth2, "as").await.is_none());
    }
}

#[tokio::test]
async fn what_is_not_served_is_refused_by_name() {
    let world = World::new().await;
    let root = world.root();
    let config = |changes: Value| {
        let mut params = oauth2("as", &discovery_url());
        let inner = &mut params["oauth2ProviderConfigInput"]["customOauth2ProviderConfig"];
        inner.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        params
    };
    let with = |name: &str, value: Value| {
        let mut params = oauth2("as", &discovery_url());
        params[name] = value;
        params
    };
    let reference = json!({"secretId": "s", "jsonKey": "k"});
    let mut server = metadata();
    server["authorizationServerMetadata"]["tokenEndpoint"] = json!("file:///etc/passwd");
    let mut user = metadata();
    user["authorizationServerMetadata"]["issuer"] = json!("https://user:password@as.example");
    for (params, named) in [
        (with("credentialProviderVendor", json!("GoogleOauth2")), "GoogleOauth2"),
        (
            with("oauth2ProviderConfigInput", json!({"googleOauth2ProviderConfig": {"clientId": "c"}})),
            "googleOauth2ProviderConfig",
        ),
        (config(json!({"clientSecretConfig": reference})), "clientSecretConfig"),
        (config(json!({"clientSecretSource": "EXTERNAL"})), "EXTERNAL"),
        (config(json!({"clientAuthenticationMethod": "PRIVATE_KEY_JWT"})), "has no secret"),
        (config(json!({"clientAuthenticationMethod": "AWS_IAM_ID_TOKEN_JWT"})), "has no secret"),
        (config(json!({"privateKeyJwtConfig": {}})), "privateKeyJwtConfig"),
        (config(json!({"clientSecret": ""})), "clientSecret"),
        (config(json!({"clientSecret": "a\nb"})), "clientSecret"),
        (config(json!({"clientSecret": "x".repeat(2049)})), "clientSecret"),
        (config(json!({"clientId": ""})), "clientId"),
        (config(json!({"oauthDiscovery": {"discoveryUrl": "https://as.example/x"}})), "discoveryUrl"),
        (
            config(json!({"oauthDiscovery": {"discoveryUrl": "ftp://a/.well-known/openid-configuration"}})),
            "discoveryUrl",
        ),
        (config(json!({"oauthDiscovery": server})), "tokenEndpoint"),
        (config(json!({"oauthDiscovery": user})), "issuer"),
    ] {
        let told = call(&root, "CreateOauth2CredentialProvider", params).await;
        let told = told.refused(400, "ValidationException");
        assert!(told.contains(named), "{named}: {told}");
        assert!(!told.contains(SECRET) && !told.contains("password@"), "{told}");
    }
    for (params, named) in [
        (json!({"name": "k"}), "apiKey"),
        (json!({"name": "k", "apiKey": ""}), "apiKey"),
        (json!({"name": "k", "apiKey": "line\n"}), "apiKey"),
        (json!({"name": "k", "apiKey": "x".repeat(65_537)}), "apiKey"),
        (json!({"name": "k", "apiKey": KEY, "apiKeySecretConfig": reference}), "apiKeySecretConfig"),
        (json!({"name": "k", "apiKey": KEY, "apiKeySecretSource": "EXTERNAL"}), "EXTERNAL"),
    ] {
        let told = call(&root, "CreateApiKeyCredentialProvider", params).await;
        let told = told.refused(400, "ValidationException");
        assert!(told.contains(named) && !told.contains(KEY), "{named}: {told}");
    }
    assert!(stored(&world, CredentialKind::OAuth2, "as").await.is_none());
    assert!(!serde_json::to_string(&world.events().await).unwrap().contains("nobody-sees"));
}

#[tokio::test]
async fn names_are_unique_for_a_kind_and_a_place() {
    let world = World::new().await;
    let root = world.root();
    let key = json!({"name": "same", "apiKey": KEY});
    call(&root, "CreateApiKeyCredentialProvider", key.clone()).await.good();
    let told = call(&root, "CreateApiKeyCredentialProvider", key.clone()).await;
    assert!(told.refused(409, "ConflictException").contains("same already exists"));
    call(&root, "CreateOauth2CredentialProvider", oauth2("same", &discovery_url())).await.good();
    call(&root.in_region("eu-west-1"), "CreateApiKeyCredentialProvider", key.clone()).await.good();
    call(&world.account("111122223333").await, "CreateApiKeyCredentialProvider", key).await.good();
}

#[tokio::test]
async fn there_may_be_fifty_of_a_kind_in_pages() {
    let world = World::new().await;
    let root = world.root();
    for number in 0..50 {
        let params = json!({"name": format!("key-{number:02}"), "apiKey": KEY});
        call(&root, "CreateApiKeyCredentialProvider", params).await.good();
    }
    let told =
        call(&root, "CreateApiKeyCredentialProvider", json!({"name": "one-more", "apiKey": KEY})).await;
    assert!(told.refused(402, "ServiceQuotaExceededException").contains("50 API key credential providers"));
    call(&root, "CreateOauth2CredentialProvider", oauth2("of-the-other-kind", &discovery_url())).await.good();
    let mut seen = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut params = json!({"maxResults": 20});
        if !token.is_null() {
            params["nextToken"] = token;
        }
        let page = call(&root, "ListApiKeyCredentialProviders", params).await.good();
        let names = page["credentialProviders"].as_array().unwrap();
        seen.extend(names.iter().map(|it| it["name"].as_str().unwrap().to_owned()));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen, (0..50).map(|number| format!("key-{number:02}")).collect::<Vec<_>>());
    let told = call(&root, "ListApiKeyCredentialProviders", json!({"nextToken": "not ours!"})).await;
    told.refused(400, "ValidationException");
}

#[tokio::test]
async fn a_policy_allows_one_provider_and_not_another() {
    let world = World::new().await;
    let policy = allow("bedrock-agentcore:*", &format!("{VAULT}/apikeycredentialprovider/mine*"));
    let user = world.user("ann", Some(policy)).await;
    call(&user, "CreateApiKeyCredentialProvider", json!({"name": "mine-1", "apiKey": KEY})).await.good();
    let told = call(&user, "CreateApiKeyCredentialProvider", json!({"name": "yours", "apiKey": KEY})).await;
    let told = told.refused(403, "AccessDeniedException");
    assert!(told.contains("bedrock-agentcore:CreateApiKeyCredentialProvider"), "{told}");
    assert!(told.contains(&format!("{VAULT}/apikeycredentialprovider/yours")), "{told}");
    call(&user, "ListApiKeyCredentialProviders", json!({})).await.refused(403, "AccessDeniedException");
}

async fn stored(world: &World, kind: CredentialKind, name: &str) -> Option<domain::CredentialProvider> {
    let scope = Scope {
        account: domain::AccountId::parse(ACCOUNT).unwrap(),
        region: domain::Region::parse(REGION).unwrap(),
    };
    world.store().read().await.unwrap().credential_provider(&scope, kind, name).await.unwrap()
}
