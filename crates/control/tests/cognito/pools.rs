//! User pools: made with a key, changed, listed, deleted.

use std::time::Duration;

use domain::{Outcome, SystemRandom, UserPoolId};
use serde_json::json;

use crate::support::World;
use crate::{ACCOUNT, call, machine, make_pool, make_server};

#[tokio::test]
async fn a_pool_is_made_with_the_key_it_signs_with() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = call(&root, "CreateUserPool", json!({"PoolName": "gateway-user-pool"})).await.good();
        let id = made["UserPool"]["Id"].as_str().unwrap().to_owned();
        let tail = id.strip_prefix("us-west-2_").unwrap();
        assert!(tail.len() == 9 && tail.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit()));
        let arn = format!("arn:aws:cognito-idp:us-west-2:{ACCOUNT}:userpool/{id}");
        assert_eq!(
            made["UserPool"],
            json!({
                "Id": id,
                "Arn": arn,
                "Name": "gateway-user-pool",
                "DeletionProtection": "INACTIVE",
                "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": false},
                "EstimatedNumberOfUsers": 0,
                "CreationDate": 1_763_717_400.0,
                "LastModifiedDate": 1_763_717_400.0,
            })
        );
        let described = call(&root, "DescribeUserPool", json!({"UserPoolId": id})).await.good();
        assert_eq!(described, made);
        let mut tx = world.store().read().await.unwrap();
        let keys = tx.signing_keys(&UserPoolId::from_text(&id)).await.unwrap();
        assert_eq!(keys.len(), 1);
        drop(tx);
        let event = world.event("cognito-idp:CreateUserPool").await;
        assert_eq!((event.resource, event.outcome), (Some(arn), Outcome::Success));
        assert_eq!(event.scope.region.as_str(), "us-west-2");
    }
}

#[tokio::test]
async fn what_is_not_given_in_an_update_is_as_in_a_new_pool() {
    for world in World::on_each_database().await {
        let root = world.root();
        let params = json!({
            "PoolName": "agents",
            "DeletionProtection": "ACTIVE",
            "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": true},
        });
        let made = call(&root, "CreateUserPool", params).await.good();
        assert_eq!(made["UserPool"]["AdminCreateUserConfig"], json!({"AllowAdminCreateUserOnly": true}));
        let id = made["UserPool"]["Id"].as_str().unwrap();
        world.advance(Duration::from_secs(60));
        let answer = call(&root, "UpdateUserPool", json!({"UserPoolId": id})).await.good();
        assert_eq!(answer, json!({}));
        let pool =
            call(&root, "DescribeUserPool", json!({"UserPoolId": id})).await.good()["UserPool"].clone();
        assert_eq!(pool["AdminCreateUserConfig"], json!({"AllowAdminCreateUserOnly": false}));
        assert_eq!((&pool["Name"], &pool["DeletionProtection"]), (&json!("agents"), &json!("ACTIVE")));
        assert_eq!(
            (&pool["CreationDate"], &pool["LastModifiedDate"]),
            (&json!(1_763_717_400.0), &json!(1_763_717_460.0))
        );
        let params = json!({"UserPoolId": id, "PoolName": "robots", "DeletionProtection": "INACTIVE"});
        call(&root, "UpdateUserPool", params).await.good();
        let pool =
            call(&root, "DescribeUserPool", json!({"UserPoolId": id})).await.good()["UserPool"].clone();
        assert_eq!((&pool["Name"], &pool["DeletionProtection"]), (&json!("robots"), &json!("INACTIVE")));
    }
}

#[tokio::test]
async fn a_protected_pool_and_one_with_a_domain_are_not_deleted() {
    let world = World::new().await;
    let root = world.root();
    let params = json!({"PoolName": "p", "DeletionProtection": "ACTIVE"});
    let made = call(&root, "CreateUserPool", params).await.good();
    let id = json!({"UserPoolId": made["UserPool"]["Id"]});
    let domain = json!({"UserPoolId": made["UserPool"]["Id"], "Domain": "my-agents"});
    call(&root, "CreateUserPoolDomain", domain.clone()).await.good();
    let message = call(&root, "DeleteUserPool", id.clone()).await.refused(400, "InvalidParameterException");
    assert_eq!(
        message,
        "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be \
         inactivated first."
    );
    let params = json!({"UserPoolId": made["UserPool"]["Id"], "DeletionProtection": "INACTIVE"});
    call(&root, "UpdateUserPool", params).await.good();
    let message = call(&root, "DeleteUserPool", id.clone()).await.refused(400, "InvalidParameterException");
    assert_eq!(
        message,
        "User pool cannot be deleted. It has a domain configured that should be deleted first."
    );
    call(&root, "DeleteUserPoolDomain", domain).await.good();
    call(&root, "DeleteUserPool", id.clone()).await.good();
    call(&root, "DescribeUserPool", id).await.refused(400, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_pool_takes_with_it_what_is_in_it() {
    for world in World::on_each_database().await {
        let root = world.root();
        let pool = make_pool(&root, "p").await;
        make_server(&root, &pool).await;
        let client = call(&root, "CreateUserPoolClient", machine(&pool)).await.good();
        let client = client["UserPoolClient"]["ClientId"].as_str().unwrap().to_owned();
        let answered = call(&root, "DeleteUserPool", json!({"UserPoolId": pool})).await;
        assert_eq!((answered.status, answered.bytes.len()), (200, 0));
        let mut tx = world.store().read().await.unwrap();
        let id = UserPoolId::from_text(&pool);
        assert!(tx.signing_keys(&id).await.unwrap().is_empty());
        assert!(tx.pool_client(&domain::ClientId::from_text(client)).await.unwrap().is_none());
        assert!(tx.resource_server(&id, "gateway-resource-server").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn pools_are_listed_page_by_page() {
    for world in World::on_each_database().await {
        let root = world.root();
        let mut made = Vec::new();
        for at in 0..5 {
            made.push(make_pool(&root, &format!("pool {at}")).await);
        }
        make_pool(&root.in_region("eu-west-1"), "elsewhere").await;
        made.sort();
        let mut seen = Vec::new();
        let mut params = json!({"MaxResults": 2});
        loop {
            let page = call(&root, "ListUserPools", params.clone()).await.good();
            let pools = page["UserPools"].as_array().unwrap();
            assert!(pools.len() <= 2 && pools[0]["Name"].as_str().unwrap().starts_with("pool "));
            seen.extend(pools.iter().map(|pool| pool["Id"].as_str().unwrap().to_owned()));
            if page["NextToken"].is_null() {
                break;
            }
            params["NextToken"] = page["NextToken"].clone();
        }
        assert_eq!(seen, made);
        let params = json!({"MaxResults": 2, "NextToken": "none-of-ours!"});
        let message = call(&root, "ListUserPools", params).await.refused(400, "InvalidParameterException");
        assert!(message.contains("NextToken"), "{message}");
    }
}

#[tokio::test]
async fn an_account_has_a_thousand_pools_at_most_in_a_region() {
    let world = World::new().await;
    let root = world.root();
    let first = UserPoolId::from_text(make_pool(&root, "first").await);
    let event = world.event("cognito-idp:CreateUserPool").await;
    let mut tx = world.store().begin().await.unwrap();
    let mut pool = tx.user_pool(&first).await.unwrap().unwrap();
    for _ in 1..1_000 {
        pool.id = UserPoolId::mint(&SystemRandom, "us-west-2");
        tx.insert_user_pool(&pool).await.unwrap();
    }
    tx.commit(&event).await.unwrap();
    let answered = call(&root, "CreateUserPool", json!({"PoolName": "one too many"})).await;
    let message = answered.refused(400, "LimitExceededException");
    assert!(message.contains("1000 user pools"), "{message}");
    make_pool(&root.in_region("eu-west-1"), "elsewhere").await;
}
