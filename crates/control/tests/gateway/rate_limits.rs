//! Rate limits: what is put stays what it was made for.

use serde_json::{Value, json};

use super::{SERVICE, gateway, world};

fn entries(rate: f64) -> Value {
    json!([{ "dimensions": { "targetName": "*" }, "requests": [{ "rate": rate, "period": "minute" }] }])
}

#[tokio::test]
async fn a_batch_is_put_whole_or_not_at_all() {
    let (_world, root) = world().await;
    let id = gateway(&root, json!({})).await;
    let put = |limits: Value| json!({ "gatewayIdentifier": id, "rateLimits": limits });
    let one = |name: &str, key: &str, rate: f64| {
        json!({ "rateLimitId": name, "dimensionKeys": [key],
            "entries": [{ "dimensions": { key: "*" }, "requests": [{ "rate": rate, "period": "second" }] }] })
    };
    let made = root
        .call(SERVICE, "BatchPutGatewayRateLimits", put(json!([one("aa", "targetName", 5.0)])))
        .await
        .good();
    assert_eq!(made["rateLimits"][0]["status"], "ACTIVE");
    let changed = put(json!([one("bb", "toolName", 1.0), one("aa", "toolName", 1.0)]));
    let message =
        root.call(SERVICE, "BatchPutGatewayRateLimits", changed).await.refused(400, "ValidationException");
    assert!(message.contains("cannot be changed"), "{message}");
    let listed = root.call(SERVICE, "ListGatewayRateLimits", json!({ "gatewayIdentifier": id })).await.good();
    assert_eq!(listed["rateLimits"].as_array().unwrap().len(), 1);
    let blocked = put(json!([one("aa", "targetName", 0.0)]));
    root.call(SERVICE, "BatchPutGatewayRateLimits", blocked).await.good();
    let look = json!({ "gatewayIdentifier": id, "rateLimitId": "aa" });
    let seen = root.call(SERVICE, "GetGatewayRateLimit", look).await.good();
    assert_eq!(seen["entries"][0]["requests"][0]["rate"].as_f64(), Some(0.0));
}

#[tokio::test]
async fn limits_go_with_their_gateway_and_tokens_are_refused_by_name() {
    let (world, root) = world().await;
    let id = gateway(&root, json!({})).await;
    let create = json!({ "gatewayIdentifier": id, "dimensionKeys": ["targetName"], "entries": entries(1.0) });
    root.call(SERVICE, "CreateGatewayRateLimit", create.clone()).await.good();
    let mut tokens = create;
    tokens["entries"][0]["tokens"] = json!([{ "rate": 1, "period": "second" }]);
    let message =
        root.call(SERVICE, "CreateGatewayRateLimit", tokens).await.refused(400, "ValidationException");
    assert!(message.contains("tokens") && message.contains("not supported by Portcullis yet"), "{message}");
    let scope = world.store().read().await.unwrap().all_gateways().await.unwrap()[0].scope.clone();
    root.call(SERVICE, "DeleteGateway", json!({ "gatewayIdentifier": id })).await.good();
    let gone = domain::GatewayId::from_text(id);
    assert!(world.store().read().await.unwrap().rate_limits(&scope, &gone).await.unwrap().is_empty());
}
