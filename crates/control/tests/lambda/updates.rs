//! Changing functions: their code and how they are run.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Actor, Answered, World, allow, trust};
use crate::{archive, call, make, with};

/// A function that says which code it is.
fn says(word: &str) -> String {
    format!(
        "import os, time\ndef lambda_handler(event, context):\n    time.sleep(event.get('seconds', 0))\n    \
         return ['{word}', os.environ.get('STAGE'), context.memory_limit_in_mb]\n"
    )
}

fn code(source: &str) -> Value {
    json!({"FunctionName": "f", "ZipFile": archive(&[("lambda_function.py", source)])})
}

async fn run(actor: &Actor, payload: &str) -> Value {
    let params = json!({"FunctionName": "f", "Payload": STANDARD.encode(payload)});
    let answered = call(actor, "Invoke", params).await;
    assert_eq!(answered.status, 200);
    serde_json::from_slice(&answered.bytes).unwrap()
}

async fn update(actor: &Actor, changes: Value) -> Answered {
    call(actor, "UpdateFunctionConfiguration", with(&json!({"FunctionName": "f"}), changes)).await
}

#[tokio::test]
async fn the_next_invocation_has_the_new_code() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = make(&root, "f", &says("one")).await;
        assert_eq!(run(&root, "{}").await[0], "one");
        for word in ["two", "three", "one"] {
            world.advance(Duration::from_millis(5));
            let changed = call(&root, "UpdateFunctionCode", code(&says(word))).await.good();
            assert_eq!(run(&root, "{}").await[0], word, "the change is in force when it is answered");
            assert_eq!(changed["Version"], "$LATEST");
            assert_eq!(changed["CodeSha256"] == made["CodeSha256"], word == "one");
            assert_ne!(changed["RevisionId"], made["RevisionId"]);
            assert_eq!(changed["LastUpdateStatus"], "Successful");
            let shown = call(&root, "GetFunctionConfiguration", json!({"FunctionName": "f"})).await.good();
            assert_eq!(shown, changed);
        }
        let event = world.event("lambda:UpdateFunctionCode").await;
        assert_eq!(event.resource.as_deref(), Some("arn:aws:lambda:us-west-2:000000000000:function:f"));
    }
}

#[tokio::test]
async fn an_invocation_ends_with_the_code_it_began_with() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "f", &says("one")).await;
    assert_eq!(run(&root, "{}").await[0], "one");
    let slow = run(&root, r#"{"seconds": 1}"#);
    let changing = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        call(&root, "UpdateFunctionCode", code(&says("two"))).await.good();
        run(&root, "{}").await
    };
    let (slow, quick) = tokio::join!(slow, changing);
    assert_eq!((&slow[0], &quick[0]), (&json!("one"), &json!("two")));
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = World::new().await;
    let root = world.root();
    let made = make(&root, "f", &says("one")).await;
    let dry = with(&code(&says("two")), json!({"DryRun": true, "Publish": true}));
    let told = call(&root, "UpdateFunctionCode", dry).await.good();
    assert_ne!(told["CodeSha256"], made["CodeSha256"]);
    assert_eq!(run(&root, "{}").await[0], "one");
    let shown = call(&root, "GetFunctionConfiguration", json!({"FunctionName": "f"})).await.good();
    assert_eq!(shown, made);
    let listed = call(&root, "ListVersionsByFunction", json!({"FunctionName": "f"})).await.good();
    assert_eq!(listed["Versions"].as_array().unwrap().len(), 1);
    let broken = json!({"FunctionName": "f", "ZipFile": STANDARD.encode("no zip"), "DryRun": true});
    call(&root, "UpdateFunctionCode", broken).await.refused(400, "InvalidParameterValueException");
}

#[tokio::test]
async fn code_is_refused_as_when_a_function_is_made() {
    let world = World::new().await;
    let root = world.root();
    let made = make(&root, "f", &says("one")).await;
    let name = json!({"FunctionName": "f"});
    for (change, code, word) in [
        (json!({}), "InvalidParameterValueException", "source for function code"),
        (json!({"ZipFile": ""}), "InvalidParameterValueException", "non-empty zip"),
        (json!({"ZipFile": STANDARD.encode("no zip")}), "InvalidParameterValueException", "unzip"),
        (
            json!({"S3Bucket": "bucket", "S3Key": "code.zip"}),
            "InvalidParameterValueException",
            "s3://bucket/code.zip",
        ),
        (json!({"ImageUri": "image"}), "ValidationException", "ImageUri"),
    ] {
        let message = call(&root, "UpdateFunctionCode", with(&name, change)).await.refused(400, code);
        assert!(message.contains(word), "{message}");
    }
    let qualified = with(&code(&says("two")), json!({"FunctionName": "f:1"}));
    call(&root, "UpdateFunctionCode", qualified).await.refused(400, "InvalidParameterValueException");
    let shown = call(&root, "GetFunctionConfiguration", name).await.good();
    assert_eq!(shown, made);
}

#[tokio::test]
async fn a_revision_that_is_not_the_latest_changes_nothing() {
    let world = World::new().await;
    let root = world.root();
    let made = make(&root, "f", &says("one")).await;
    let first = json!({"RevisionId": made["RevisionId"]});
    let changed = update(&root, with(&first, json!({"Timeout": 5}))).await.good();
    assert_eq!(changed["Timeout"], 5);
    let message = update(&root, first.clone()).await.refused(412, "PreconditionFailedException");
    assert_eq!(
        message,
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve \
         the latest Revision Id"
    );
    let stale = with(&code(&says("two")), first.clone());
    call(&root, "UpdateFunctionCode", stale).await.refused(412, "PreconditionFailedException");
    let stale = with(&json!({"FunctionName": "f"}), first);
    call(&root, "PublishVersion", stale).await.refused(412, "PreconditionFailedException");
}

#[tokio::test]
async fn what_is_not_named_stays() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = make(&root, "f", &says("one")).await;
        let changed =
            update(&root, json!({"MemorySize": 512, "Environment": {"Variables": {"STAGE": "test"}}}))
                .await
                .good();
        assert_eq!(run(&root, "{}").await, json!(["one", "test", "512"]));
        assert_eq!(changed["Environment"]["Variables"], json!({"STAGE": "test"}));
        for same in ["Runtime", "Handler", "Role", "Timeout", "CodeSha256", "FunctionArn"] {
            assert_eq!(changed[same], made[same], "{same}");
        }
        update(&root, json!({"Description": "described"})).await.good();
        assert_eq!(run(&root, "{}").await, json!(["one", "test", "512"]));
        let changed = update(&root, json!({"Environment": {"Variables": {}}})).await.good();
        assert_eq!((&changed["Environment"], &changed["Description"]), (&Value::Null, &json!("described")));
        assert_eq!(run(&root, "{}").await, json!(["one", null, "512"]));
        let js = "exports.handler = async () => 'javascript';";
        let params = json!({"FunctionName": "f", "ZipFile": archive(&[("index.js", js)])});
        call(&root, "UpdateFunctionCode", params).await.good();
        let changed =
            update(&root, json!({"Runtime": "nodejs22.x", "Handler": "index.handler"})).await.good();
        assert_eq!(changed["Runtime"], "nodejs22.x");
        assert_eq!(run(&root, "{}").await, "javascript");
    }
}

#[tokio::test]
async fn a_configuration_is_refused_as_when_a_function_is_made() {
    let world = World::new().await;
    let root = world.root();
    let made = make(&root, "f", &says("one")).await;
    let untrusting = root.makes_role("untrusting", trust("Service", "ec2.amazonaws.com"), None).await;
    for (change, code, word) in [
        (json!({"Timeout": 901}), "ValidationException", "/Timeout"),
        (json!({"MemorySize": 64}), "ValidationException", "/MemorySize"),
        (json!({"Runtime": "ruby3.3"}), "ValidationException", "/Runtime"),
        (
            json!({"Environment": {"Variables": {"AWS_REGION": "x"}}}),
            "InvalidParameterValueException",
            "reserved",
        ),
        (json!({"Role": untrusting}), "InvalidParameterValueException", "cannot be assumed"),
        (
            json!({"Layers": ["arn:aws:lambda:us-west-2:000000000000:layer:l:1"]}),
            "ValidationException",
            "/Layers",
        ),
    ] {
        let message = update(&root, change).await.refused(400, code);
        assert!(message.contains(word), "{message}");
    }
    let shown = call(&root, "GetFunctionConfiguration", json!({"FunctionName": "f"})).await.good();
    assert_eq!(shown, made);
    // Whoever may change functions may not give them any role.
    let user = world.user("deployer", Some(allow("lambda:*", "*"))).await;
    update(&user, json!({"Timeout": 4})).await.good();
    let message = update(&user, json!({"Role": made["Role"]})).await.refused(403, "AccessDeniedException");
    assert!(message.contains("iam:PassRole"), "{message}");
}
