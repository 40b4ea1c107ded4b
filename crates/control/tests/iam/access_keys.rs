//! Access keys: two a user, told once, off at once.

use domain::Outcome;
use serde_json::json;

use crate::support::{World, allow};

#[tokio::test]
async fn a_key_is_told_once_and_signs_at_once() {
    for world in World::on_each_database().await {
        let root = world.root();
        root.call("iam", "CreateUser", json!({"UserName": "ann"})).await.good();
        let made = root.call("iam", "CreateAccessKey", json!({"UserName": "ann"})).await.good();
        let key = &made["AccessKey"];
        assert_eq!((&key["UserName"], &key["Status"]), (&json!("ann"), &json!("Active")));
        let (id, secret) = (key["AccessKeyId"].as_str().unwrap(), key["SecretAccessKey"].as_str().unwrap());
        assert!(id.starts_with("AKIA") && id.len() == 20 && secret.len() == 40);
        let who = world.actor(id, secret, None).call("sts", "GetCallerIdentity", json!({})).await.good();
        assert_eq!(who["Arn"], "arn:aws:iam::000000000000:user/ann");
        let answered = root.call("iam", "ListAccessKeys", json!({"UserName": "ann"})).await;
        assert!(!answered.text().contains(secret));
        assert_eq!(
            answered.good(),
            json!({
                "AccessKeyMetadata": [{
                    "UserName": "ann",
                    "AccessKeyId": id,
                    "Status": "Active",
                    "CreateDate": "2025-11-21T09:30:00.000Z",
                }],
                "IsTruncated": false,
            })
        );
    }
}

#[tokio::test]
async fn an_inactive_key_signs_nothing_until_it_is_active_again() {
    for world in World::on_each_database().await {
        let root = world.root();
        let ann = world.user("ann", None).await;
        let set = |status: &str| {
            let params = json!({"UserName": "ann", "AccessKeyId": ann.access_key_id(), "Status": status});
            root.call("iam", "UpdateAccessKey", params)
        };
        ann.call("sts", "GetCallerIdentity", json!({})).await.good();
        set("Inactive").await.good();
        ann.call("sts", "GetCallerIdentity", json!({})).await.refused(403, "InvalidClientTokenId");
        let listed = root.call("iam", "ListAccessKeys", json!({"UserName": "ann"})).await.good();
        assert_eq!(listed["AccessKeyMetadata"][0]["Status"], "Inactive");
        set("Active").await.good();
        ann.call("sts", "GetCallerIdentity", json!({})).await.good();
        set("Expired").await.refused(400, "ValidationError");
        let gone = json!({"UserName": "ann", "AccessKeyId": ann.access_key_id()});
        root.call("iam", "DeleteAccessKey", gone.clone()).await.good();
        ann.call("sts", "GetCallerIdentity", json!({})).await.refused(403, "InvalidClientTokenId");
        let message = root.call("iam", "DeleteAccessKey", gone).await.refused(404, "NoSuchEntity");
        assert_eq!(message, format!("The Access Key with id {} cannot be found.", ann.access_key_id()));
    }
}

#[tokio::test]
async fn a_user_has_two_keys_at_most() {
    let world = World::new().await;
    let root = world.root();
    root.call("iam", "CreateUser", json!({"UserName": "ann"})).await.good();
    for _ in 0..2 {
        root.call("iam", "CreateAccessKey", json!({"UserName": "ann"})).await.good();
    }
    let message =
        root.call("iam", "CreateAccessKey", json!({"UserName": "ann"})).await.refused(409, "LimitExceeded");
    assert_eq!(message, "Cannot exceed quota for AccessKeysPerUser: 2");
    let event = world.event("iam:CreateAccessKey").await;
    assert_eq!((event.outcome, event.error.as_deref()), (Outcome::Refused, Some("LimitExceededException")));
}

#[tokio::test]
async fn without_a_name_the_keys_are_the_callers_own() {
    let world = World::new().await;
    let ann = world.user("ann", Some(allow("iam:*AccessKey*", "arn:aws:iam::*:user/${aws:username}"))).await;
    let bob = world.user("bob", None).await;
    let second = ann.call("iam", "CreateAccessKey", json!({})).await.good();
    assert_eq!(second["AccessKey"]["UserName"], "ann");
    let listed = ann.call("iam", "ListAccessKeys", json!({})).await.good();
    assert_eq!(listed["AccessKeyMetadata"].as_array().unwrap().len(), 2);
    let first = ann.call("iam", "ListAccessKeys", json!({"MaxItems": 1})).await.good();
    assert_eq!(
        (first["AccessKeyMetadata"].as_array().unwrap().len(), &first["IsTruncated"]),
        (1, &json!(true))
    );
    let id = &second["AccessKey"]["AccessKeyId"];
    ann.call("iam", "UpdateAccessKey", json!({"AccessKeyId": id, "Status": "Inactive"})).await.good();
    ann.call("iam", "DeleteAccessKey", json!({"AccessKeyId": id})).await.good();
    // Another one's key is not among one's own.
    let theirs = json!({"AccessKeyId": bob.access_key_id()});
    ann.call("iam", "DeleteAccessKey", theirs).await.refused(404, "NoSuchEntity");
    let theirs = json!({"AccessKeyId": bob.access_key_id(), "UserName": "bob"});
    ann.call("iam", "DeleteAccessKey", theirs).await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn the_root_has_keys_of_its_own() {
    let world = World::new().await;
    let root = world.root();
    let made = root.call("iam", "CreateAccessKey", json!({})).await.good();
    assert_eq!(made["AccessKey"]["UserName"], "root");
    let text = |member: &str| made["AccessKey"][member].as_str().unwrap();
    let second = world.actor(text("AccessKeyId"), text("SecretAccessKey"), None);
    let who = second.call("sts", "GetCallerIdentity", json!({})).await.good();
    assert_eq!(who["Arn"], "arn:aws:iam::000000000000:root");
    root.call("iam", "CreateAccessKey", json!({})).await.refused(409, "LimitExceeded");
    let first = json!({"AccessKeyId": root.access_key_id()});
    second.call("iam", "DeleteAccessKey", first).await.good();
    root.call("sts", "GetCallerIdentity", json!({})).await.refused(403, "InvalidClientTokenId");
    // A user who is called so is somebody else.
    second.call("iam", "ListAccessKeys", json!({"UserName": "root"})).await.refused(404, "NoSuchEntity");
}
