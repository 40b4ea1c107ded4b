//! Domain prefixes: one a pool, each once in a region.

use serde_json::json;

use crate::support::World;
use crate::{ACCOUNT, call, make_pool};

#[tokio::test]
async fn a_prefix_is_active_at_once_and_shown_with_the_pool() {
    for world in World::on_each_database().await {
        let root = world.root();
        let pool = make_pool(&root, "p").await;
        let params = json!({"UserPoolId": pool, "Domain": "my-agents"});
        assert_eq!(call(&root, "CreateUserPoolDomain", params.clone()).await.good(), json!({}));
        let described = call(&root, "DescribeUserPoolDomain", json!({"Domain": "my-agents"})).await.good();
        assert_eq!(
            described["DomainDescription"],
            json!({
                "Domain": "my-agents",
                "UserPoolId": pool,
                "AWSAccountId": ACCOUNT,
                "Status": "ACTIVE",
            })
        );
        let shown = call(&root, "DescribeUserPool", json!({"UserPoolId": pool})).await.good();
        assert_eq!(shown["UserPool"]["Domain"], "my-agents");
        assert_eq!(call(&root, "DeleteUserPoolDomain", params.clone()).await.good(), json!({}));
        let described = call(&root, "DescribeUserPoolDomain", json!({"Domain": "my-agents"})).await.good();
        assert_eq!(described, json!({"DomainDescription": {}}));
        let message =
            call(&root, "DeleteUserPoolDomain", params).await.refused(400, "InvalidParameterException");
        assert_eq!(message, "No such domain or user pool exists.");
    }
}

#[tokio::test]
async fn a_prefix_is_taken_once_in_a_region() {
    for world in World::on_each_database().await {
        let root = world.root();
        let (one, other) = (make_pool(&root, "one").await, make_pool(&root, "other").await);
        let domain = |pool: &str, domain: &str| json!({"UserPoolId": pool, "Domain": domain});
        call(&root, "CreateUserPoolDomain", domain(&one, "my-agents")).await.good();
        let message = call(&root, "CreateUserPoolDomain", domain(&one, "my-robots")).await;
        let message = message.refused(400, "InvalidParameterException");
        assert_eq!(message, "User pool already has a domain configured.");
        let taken = "Domain already associated with another user pool.";
        let message = call(&root, "CreateUserPoolDomain", domain(&other, "my-agents")).await;
        assert_eq!(message.refused(400, "InvalidParameterException"), taken);
        // Another account's, which is not described to it.
        let stranger = world.account("111111111111").await;
        let theirs = make_pool(&stranger, "theirs").await;
        let message = call(&stranger, "CreateUserPoolDomain", domain(&theirs, "my-agents")).await;
        assert_eq!(message.refused(400, "InvalidParameterException"), taken);
        let described =
            call(&stranger, "DescribeUserPoolDomain", json!({"Domain": "my-agents"})).await.good();
        assert_eq!(described, json!({"DomainDescription": {}}));
        let message = call(&root, "DeleteUserPoolDomain", domain(&other, "my-agents")).await;
        message.refused(400, "InvalidParameterException");
        // Another region's.
        let abroad = root.in_region("eu-west-1");
        let pool = make_pool(&abroad, "abroad").await;
        call(&abroad, "CreateUserPoolDomain", domain(&pool, "my-agents")).await.good();
    }
}

#[tokio::test]
async fn a_pool_may_be_named_by_its_own_label_and_by_no_other_pools() {
    let world = World::new().await;
    let root = world.root();
    let (one, other) = (make_pool(&root, "one").await, make_pool(&root, "other").await);
    let label = one.replace('_', "");
    let params = json!({"UserPoolId": other, "Domain": label});
    let message = call(&root, "CreateUserPoolDomain", params).await.refused(400, "InvalidParameterException");
    assert_eq!(message, "Domain already associated with another user pool.");
    call(&root, "CreateUserPoolDomain", json!({"UserPoolId": one, "Domain": label})).await.good();
}

#[tokio::test]
async fn reserved_words_and_capitals_are_refused() {
    let world = World::new().await;
    let root = world.root();
    let pool = make_pool(&root, "p").await;
    for (domain, word) in [("my-aws", "aws"), ("amazonian", "amazon"), ("my-cognito-1", "cognito")] {
        let params = json!({"UserPoolId": pool, "Domain": domain});
        let message =
            call(&root, "CreateUserPoolDomain", params).await.refused(400, "InvalidParameterException");
        assert_eq!(message, format!("Domain cannot contain reserved word: {word}"));
    }
    for domain in ["My-Agents", "-agents", "agents-", "my.agents", ""] {
        let params = json!({"UserPoolId": pool, "Domain": domain});
        let message =
            call(&root, "CreateUserPoolDomain", params).await.refused(400, "InvalidParameterException");
        assert!(message.contains("'/Domain'"), "{message}");
    }
}
