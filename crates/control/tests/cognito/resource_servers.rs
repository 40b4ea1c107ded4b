//! Resource servers and their scopes.

use serde_json::{Value, json};

use crate::support::World;
use crate::{call, make_pool, make_server};

#[tokio::test]
async fn a_resource_server_is_made_shown_replaced_and_deleted() {
    for world in World::on_each_database().await {
        let root = world.root();
        let pool = make_pool(&root, "p").await;
        let made = make_server(&root, &pool).await;
        assert_eq!(
            made["ResourceServer"],
            json!({
                "UserPoolId": pool,
                "Identifier": "gateway-resource-server",
                "Name": "GatewayResourceServer",
                "Scopes": [
                    {"ScopeName": "read", "ScopeDescription": "Read access"},
                    {"ScopeName": "write", "ScopeDescription": "Write access"},
                ],
            })
        );
        let one = json!({"UserPoolId": pool, "Identifier": "gateway-resource-server"});
        assert_eq!(call(&root, "DescribeResourceServer", one.clone()).await.good(), made);
        let scopes = json!([{"ScopeName": "manager", "ScopeDescription": "Manager permission"}]);
        let params = json!({
            "UserPoolId": pool,
            "Identifier": "gateway-resource-server",
            "Name": "AgentCoreGatewayResource",
            "Scopes": scopes,
        });
        let updated = call(&root, "UpdateResourceServer", params).await.good();
        assert_eq!(updated["ResourceServer"]["Scopes"], scopes);
        assert_eq!(call(&root, "DescribeResourceServer", one.clone()).await.good(), updated);
        let listed = call(&root, "ListResourceServers", json!({"UserPoolId": pool})).await.good();
        assert_eq!(listed, json!({"ResourceServers": [updated["ResourceServer"]]}));
        assert_eq!(call(&root, "DeleteResourceServer", one.clone()).await.good(), Value::Null);
        for operation in ["DescribeResourceServer", "DeleteResourceServer"] {
            let message = call(&root, operation, one.clone()).await.refused(400, "ResourceNotFoundException");
            assert_eq!(message, "Resource server gateway-resource-server does not exist.");
        }
        let params = json!({"UserPoolId": pool, "Identifier": "gateway-resource-server", "Name": "n"});
        let answered = call(&root, "UpdateResourceServer", params).await;
        answered.refused(400, "ResourceNotFoundException");
    }
}

#[tokio::test]
async fn an_identifier_is_taken_once_in_a_pool() {
    for world in World::on_each_database().await {
        let root = world.root();
        let (pool, other) = (make_pool(&root, "p").await, make_pool(&root, "other").await);
        make_server(&root, &pool).await;
        make_server(&root, &other).await;
        let params = json!({"UserPoolId": pool, "Identifier": "gateway-resource-server", "Name": "n"});
        let message =
            call(&root, "CreateResourceServer", params).await.refused(400, "InvalidParameterException");
        assert_eq!(message, format!("gateway-resource-server already exists in user pool {pool}."));
    }
}

#[tokio::test]
async fn scopes_are_bounded_and_distinct() {
    let world = World::new().await;
    let root = world.root();
    let pool = make_pool(&root, "p").await;
    let scope = |name: String| json!({"ScopeName": name, "ScopeDescription": "d"});
    let with_scopes = |scopes: Vec<Value>| {
        let params = json!({"UserPoolId": pool, "Identifier": "s", "Name": "n", "Scopes": scopes});
        call(&root, "CreateResourceServer", params)
    };
    let many = (0..101).map(|at| scope(format!("s{at}"))).collect();
    with_scopes(many).await.refused(400, "InvalidParameterException");
    with_scopes(vec![scope("a/b".to_owned())]).await.refused(400, "InvalidParameterException");
    let twice = vec![scope("a".to_owned()), scope("a".to_owned())];
    let message = with_scopes(twice).await.refused(400, "InvalidParameterException");
    assert_eq!(message, "The scope a is given more than once.");
    with_scopes((0..100).map(|at| scope(format!("s{at}"))).collect()).await.good();
}

#[tokio::test]
async fn a_pool_has_twenty_five_resource_servers_at_most() {
    let world = World::new().await;
    let root = world.root();
    let pool = make_pool(&root, "p").await;
    let server = |at: usize| json!({"UserPoolId": pool, "Identifier": format!("s{at:02}"), "Name": "n"});
    for at in 0..25 {
        call(&root, "CreateResourceServer", server(at)).await.good();
    }
    let answered = call(&root, "CreateResourceServer", server(25)).await;
    let message = answered.refused(400, "LimitExceededException");
    assert!(message.contains("25 resource servers"), "{message}");
    let first = json!({"UserPoolId": pool, "MaxResults": 20});
    let first = call(&root, "ListResourceServers", first).await.good();
    assert_eq!(first["ResourceServers"].as_array().unwrap().len(), 20);
    let rest = json!({"UserPoolId": pool, "MaxResults": 20, "NextToken": first["NextToken"]});
    let rest = call(&root, "ListResourceServers", rest).await.good();
    assert_eq!(rest["ResourceServers"][0]["Identifier"], "s20");
    assert_eq!((rest["ResourceServers"].as_array().unwrap().len(), &rest["NextToken"]), (5, &Value::Null));
}
