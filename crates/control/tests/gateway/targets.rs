//! Targets: the outbound matrix, header rules, schemas in the object store, and what gateway and target agree about.

use serde_json::{Value, json};

use super::{SERVICE, gateway, world};
use crate::support::Actor;

const LAMBDA: &str = "arn:aws:lambda:us-west-2:000000000000:function:f";

fn lambda() -> Value {
    let tool = json!({ "name": "t", "description": "d", "inputSchema": { "type": "object" } });
    json!({ "mcp": { "lambda": { "lambdaArn": LAMBDA, "toolSchema": { "inlinePayload": [tool] } } } })
}

fn openapi(paths: &Value) -> Value {
    let document = json!({
        "openapi": "3.0.3",
        "info": { "title": "t", "version": "1" },
        "servers": [{ "url": "https://api.example.com" }],
        "paths": paths,
    });
    json!({ "mcp": { "openApiSchema": { "inlinePayload": document.to_string() } } })
}

fn pets() -> Value {
    openapi(&json!({ "/pets": { "get": {
        "operationId": "listPets",
        "parameters": [{ "name": "X-Tenant", "in": "header", "schema": { "type": "string" } }],
        "responses": { "200": { "description": "ok" } },
    } } }))
}

fn server() -> Value {
    json!({ "mcp": { "mcpServer": { "endpoint": "http://127.0.0.1:9/mcp", "listingMode": "DYNAMIC" } } })
}

fn passthrough() -> Value {
    json!({ "http": { "passthrough": { "endpoint": "https://api.example.com", "protocolType": "CUSTOM" } } })
}

fn role() -> Value {
    json!([{ "credentialProviderType": "GATEWAY_IAM_ROLE" }])
}

fn request(gateway: &str, configuration: &Value, credentials: Option<Value>) -> Value {
    let mut request =
        json!({ "gatewayIdentifier": gateway, "name": "target", "targetConfiguration": configuration });
    if let Some(credentials) = credentials {
        request["credentialProviderConfigurations"] = credentials;
    }
    request
}

async fn refusal(root: &Actor, request: Value) -> String {
    let answered = root.call(SERVICE, "CreateGatewayTarget", request).await;
    answered.refused(400, "ValidationException")
}

#[tokio::test]
async fn the_matrix_says_what_is_allowed_instead() {
    let (_world, root) = world().await;
    let id = gateway(&root, json!({})).await;
    for (configuration, credentials, allowed) in [
        (lambda(), None, "GATEWAY_IAM_ROLE"),
        (lambda(), Some(json!([{ "credentialProviderType": "JWT_PASSTHROUGH" }])), "GATEWAY_IAM_ROLE"),
        (server(), Some(json!([{ "credentialProviderType": "CALLER_IAM_CREDENTIALS" }])), "API_KEY"),
        (pets(), Some(json!([{ "credentialProviderType": "JWT_PASSTHROUGH" }])), "CLIENT_CREDENTIALS"),
        (passthrough(), None, "JWT_PASSTHROUGH"),
    ] {
        let message = refusal(&root, request(&id, &configuration, credentials)).await;
        assert!(message.contains("it can be called with") && message.contains(allowed), "{message}");
    }
    let iam = json!([{ "credentialProviderType": "GATEWAY_IAM_ROLE",
        "credentialProvider": { "iamCredentialProvider": { "service": "lambda" } } }]);
    let message = refusal(&root, request(&id, &lambda(), Some(iam))).await;
    assert!(message.contains("leave iamCredentialProvider out"), "{message}");
    let caller = json!([{ "credentialProviderType": "CALLER_IAM_CREDENTIALS",
        "credentialProvider": { "iamCredentialProvider": { "service": "s3" } } }]);
    let message = refusal(&root, request(&id, &passthrough(), Some(caller))).await;
    assert!(message.contains("AWS_IAM"), "{message}");
    let message = refusal(
        &root,
        request(&id, &passthrough(), Some(json!([{ "credentialProviderType": "JWT_PASSTHROUGH" }]))),
    )
    .await;
    assert!(message.contains("CUSTOM_JWT"), "{message}");
}

#[tokio::test]
async fn grants_for_users_say_what_they_need_and_unknown_providers_are_refused() {
    let (_world, root) = world().await;
    let id = gateway(&root, json!({})).await;
    let arn =
        "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default/oauth2credentialprovider/p";
    let oauth = |grant: &str| {
        json!([{ "credentialProviderType": "OAUTH", "credentialProvider": { "oauthCredentialProvider": {
            "providerArn": arn, "scopes": [], "grantType": grant } } }])
    };
    for (grant, told) in [("AUTHORIZATION_CODE", "defaultReturnUrl"), ("TOKEN_EXCHANGE", "CUSTOM_JWT")] {
        let message = refusal(&root, request(&id, &pets(), Some(oauth(grant)))).await;
        assert!(message.contains(grant) && message.contains(told), "{message}");
    }
    let message = refusal(&root, request(&id, &pets(), Some(oauth("CLIENT_CREDENTIALS")))).await;
    assert!(message.contains("and exist"), "{message}");
}

#[tokio::test]
async fn an_openapi_document_becomes_tools_and_unsigned_calls_are_told() {
    let (world, root) = world().await;
    let id = gateway(&root, json!({})).await;
    let made = root.call(SERVICE, "CreateGatewayTarget", request(&id, &pets(), Some(role()))).await.good();
    let look = json!({ "gatewayIdentifier": id, "targetId": made["targetId"] });
    let seen = root.call(SERVICE, "GetGatewayTarget", look).await.good();
    assert_eq!(seen["status"], "READY");
    assert!(seen["statusReasons"].to_string().contains("not signed"), "{seen}");
    assert_eq!(seen["targetConfiguration"], pets());
    let mut tx = world.store().read().await.unwrap();
    let gateways = tx.all_gateways().await.unwrap();
    let targets = tx.targets(&gateways[0].scope, &gateways[0].id, store::Page::ALL).await.unwrap();
    assert_eq!(targets[0].tools[0].name, "listPets");
    assert!(targets[0].tools[0].plan.is_some());
}

#[tokio::test]
async fn headers_that_may_not_pass_are_named() {
    let (_world, root) = world().await;
    let id = gateway(&root, json!({})).await;
    let with = |metadata: Value| {
        let mut request = request(&id, &pets(), None);
        request["metadataConfiguration"] = metadata;
        request
    };
    for (name, why) in [
        ("Authorization", "is restricted"),
        ("cookie", "is restricted"),
        ("X-Amzn-Trace-Id", "X-Amzn-"),
        ("x header", "may hold letters"),
        ("x-tenant", "the API's own schema"),
    ] {
        let message = refusal(&root, with(json!({ "allowedRequestHeaders": [name] }))).await;
        assert!(message.contains(name) && message.contains(why), "{message}");
    }
    for name in ["Mcp-Session-Id", "MCP-Param-Region", "mcp-other"] {
        let mut request = request(&id, &server(), None);
        request["metadataConfiguration"] = json!({ "allowedRequestHeaders": [name] });
        let message = refusal(&root, request).await;
        let name = name.to_ascii_lowercase();
        assert!(message.contains(&name) && message.contains("belongs to the protocol"), "{message}");
    }
    let sound = json!({ "allowedRequestHeaders": ["X-Correlation-Id", "X-Amzn-Bedrock-AgentCore-Runtime-Custom-A"],
        "allowedQueryParameters": ["version"], "allowedResponseHeaders": ["x-rate-limit-remaining"] });
    let made = root.call(SERVICE, "CreateGatewayTarget", with(sound.clone())).await.good();
    assert_eq!(made["metadataConfiguration"], sound);
}

#[tokio::test]
async fn a_gateway_and_its_targets_agree() {
    let (_world, root) = world().await;
    let mcp = json!({ "protocolType": "MCP", "protocolConfiguration": { "mcp": {
        "searchType": "SEMANTIC", "sessionConfiguration": { "sessionTimeoutInSeconds": 900 },
        "supportedVersions": ["2026-07-28"] } } });
    let id = gateway(&root, mcp).await;
    let message = refusal(&root, request(&id, &server(), None)).await;
    assert!(message.contains("DYNAMIC") && message.contains("SEMANTIC"), "{message}");
    let message = refusal(&root, request(&id, &passthrough(), Some(role()))).await;
    assert!(message.contains("leave protocolType out"), "{message}");
    let mut session = request(&id, &pets(), None);
    session["metadataConfiguration"] = json!({ "allowedResponseHeaders": ["Mcp-Session-Id"] });
    let message = refusal(&root, session).await;
    assert!(message.contains("Mcp-Session-Id"), "{message}");
}

#[tokio::test]
async fn a_schema_in_the_object_store_needs_the_callers_own_right_to_read_it() {
    let (world, root) = world().await;
    let id = gateway(&root, json!({})).await;
    let spelled = json!({ "mcp": { "openapi": { "specUri": "s3://bucket/api.yaml" } } });
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "bedrock-agentcore:*", "Resource": "*" }] });
    let ann = world.user("ann", Some(policy)).await;
    let refused = ann.call(SERVICE, "CreateGatewayTarget", request(&id, &spelled, None)).await;
    let message = refused.refused(403, "AccessDeniedException");
    assert!(
        message.contains("s3:GetObject") && message.contains("arn:aws:s3:::bucket/api.yaml"),
        "{message}"
    );
    let message = refusal(&root, request(&id, &spelled, None)).await;
    assert!(message.contains("the bucket `bucket` does not exist"), "{message}");
}

#[tokio::test]
async fn interceptors_are_one_for_each_point_and_echoed_as_given() {
    let (_world, root) = world().await;
    let interceptor = |points: Value| json!({ "interceptor": { "lambda": { "arn": LAMBDA } }, "interceptionPoints": points });
    let given = json!([interceptor(json!(["RESPONSE", "REQUEST"]))]);
    let id = gateway(&root, json!({ "interceptorConfigurations": given })).await;
    let seen = root.call(SERVICE, "GetGateway", json!({ "gatewayIdentifier": id })).await.good();
    assert_eq!(seen["interceptorConfigurations"], given);
    let twice = json!([interceptor(json!(["REQUEST"])), interceptor(json!(["REQUEST", "RESPONSE"]))]);
    let update = json!({ "gatewayIdentifier": id, "name": "gate", "roleArn": seen["roleArn"],
        "authorizerType": "NONE", "interceptorConfigurations": twice });
    let message = root.call(SERVICE, "UpdateGateway", update).await.refused(400, "ValidationException");
    assert!(message.contains("at most one interceptor"), "{message}");
}
