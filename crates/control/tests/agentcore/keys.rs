//! KMS keys and the token vault over time, on either database: a key whose waiting period is over is gone, with what was
//! sealed under it.

use std::time::Duration;

use serde_json::json;

use crate::support::World;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn a_key_is_gone_when_its_waiting_period_is_over() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = root.call("kms", "CreateKey", json!({})).await.good();
        let key = made["KeyMetadata"]["KeyId"].clone();
        let alias = json!({"AliasName": "alias/ours", "TargetKeyId": key});
        root.call("kms", "CreateAlias", alias).await.good();
        let week = json!({"KeyId": key, "PendingWindowInDays": 7});
        root.call("kms", "ScheduleKeyDeletion", week).await.good();
        world.advance(6 * DAY);
        assert_eq!(world.plane().sweep_keys().await.unwrap(), 0);
        root.call("kms", "CancelKeyDeletion", json!({"KeyId": key})).await.good();
        let week = json!({"KeyId": key, "PendingWindowInDays": 7});
        root.call("kms", "ScheduleKeyDeletion", week).await.good();
        world.advance(8 * DAY);
        // Nobody finds it, although it was not taken away yet.
        for (operation, params) in [
            ("DescribeKey", json!({"KeyId": key})),
            ("DescribeKey", json!({"KeyId": "alias/ours"})),
            ("CancelKeyDeletion", json!({"KeyId": key})),
        ] {
            root.call("kms", operation, params).await.refused(400, "NotFoundException");
        }
        let listed = root.call("kms", "ListKeys", json!({})).await.good();
        assert_eq!(listed["Keys"], json!([]));
        assert_eq!(world.plane().sweep_keys().await.unwrap(), 1);
        assert_eq!(world.plane().sweep_keys().await.unwrap(), 0);
        let listed = root.call("kms", "ListAliases", json!({})).await.good();
        assert_eq!(listed["Aliases"], json!([]));
        let ended = world.events().await;
        assert_eq!(ended.iter().filter(|event| event.action == "kms:DeleteKey").count(), 1);
    }
}
