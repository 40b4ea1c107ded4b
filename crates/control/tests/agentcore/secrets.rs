//! Secrets on either database: versions, deletions whose time comes, and who may.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Actor, Answered, World, allow};

const VALUE: &str = "the-value-that-nobody-sees";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn call(actor: &Actor, operation: &str, params: Value) -> Answered {
    actor.call("secretsmanager", operation, params).await
}

#[tokio::test]
async fn a_secret_is_kept_in_versions() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made =
            call(&root, "CreateSecret", json!({"Name": "app/key", "SecretString": VALUE})).await.good();
        let put =
            call(&root, "PutSecretValue", json!({"SecretId": made["ARN"], "SecretString": "b"})).await.good();
        assert_eq!(put["VersionStages"], json!(["AWSCURRENT"]));
        let got = call(&root, "GetSecretValue", json!({"SecretId": "app/key"})).await.good();
        assert_eq!((&got["SecretString"], &got["VersionId"]), (&json!("b"), &put["VersionId"]));
        let before = json!({"SecretId": "app/key", "VersionStage": "AWSPREVIOUS"});
        let got = call(&root, "GetSecretValue", before).await.good();
        assert_eq!((&got["SecretString"], &got["VersionId"]), (&json!(VALUE), &made["VersionId"]));
        let read = world.events().await;
        let read = read.iter().filter(|event| event.action == "secretsmanager:GetSecretValue");
        let read: Vec<_> = read.map(|event| event.resource.clone().unwrap()).collect();
        assert_eq!(read, vec![made["ARN"].as_str().unwrap(); 2]);
        assert!(!serde_json::to_string(&world.events().await).unwrap().contains(VALUE));
    }
}

#[tokio::test]
async fn a_deleted_secret_is_gone_when_its_time_is_over() {
    for world in World::on_each_database().await {
        let root = world.root();
        for name in ["one", "two"] {
            call(&root, "CreateSecret", json!({"Name": name, "SecretString": VALUE})).await.good();
            let week = json!({"SecretId": name, "RecoveryWindowInDays": 7});
            call(&root, "DeleteSecret", week).await.good();
        }
        world.advance(6 * DAY);
        assert_eq!(world.plane().sweep_secrets().await.unwrap(), 0);
        let told = call(&root, "CreateSecret", json!({"Name": "one"})).await;
        assert!(told.refused(400, "InvalidRequestException").contains("scheduled for deletion"));
        world.advance(2 * DAY);
        let told = call(&root, "RestoreSecret", json!({"SecretId": "one"})).await;
        told.refused(400, "ResourceNotFoundException");
        let listed = call(&root, "ListSecrets", json!({"IncludePlannedDeletion": true})).await.good();
        assert_eq!(listed["SecretList"], json!([]));
        call(&root, "CreateSecret", json!({"Name": "one", "SecretString": "new"})).await.good();
        assert_eq!(world.plane().sweep_secrets().await.unwrap(), 1);
        let got = call(&root, "GetSecretValue", json!({"SecretId": "one"})).await.good();
        assert_eq!(got["SecretString"], "new");
        let ended = world.events().await;
        let ended = ended.iter().filter(|event| event.action == "secretsmanager:EndSecretDeletion");
        assert_eq!(ended.count(), 1);
    }
}

#[tokio::test]
async fn another_accounts_secrets_are_theirs() {
    let world = World::new().await;
    let made =
        call(&world.root(), "CreateSecret", json!({"Name": "key", "SecretString": VALUE})).await.good();
    let stranger = world.account("111122223333").await;
    let named = json!({"SecretId": made["ARN"]});
    let told = call(&stranger, "GetSecretValue", named.clone()).await;
    assert!(!told.text().contains(VALUE), "{}", told.text());
    let told = call(&world.root().in_region("eu-west-1"), "GetSecretValue", named).await;
    told.refused(400, "ResourceNotFoundException");
    let policy = allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:other-*");
    let user = world.user("ann", Some(policy)).await;
    for name in ["key", "no-such-secret"] {
        let told = call(&user, "GetSecretValue", json!({"SecretId": name})).await;
        let told = told.refused(400, "AccessDeniedException");
        assert!(
            told.contains(&format!("secretsmanager:GetSecretValue on resource: {name} because")),
            "{told}"
        );
    }
    let told = call(&user, "GetSecretValue", json!({"SecretId": "other-one"})).await;
    told.refused(400, "ResourceNotFoundException");
}
