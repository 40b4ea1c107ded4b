//! Functions: made from an archive, shown, listed, deleted.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use compute::Digest;
use domain::{Outcome, Scope};
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::support::{World, allow, trust};
use crate::{ECHO, archive, call, make, make_role, python, with};

/// This machine's architecture.
fn own() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

#[tokio::test]
async fn a_function_is_active_when_it_is_made() {
    for world in World::on_each_database().await {
        let root = world.root();
        let role = make_role(&root).await;
        let params = with(
            &python("my-tool", &role, ECHO),
            json!({"Environment": {"Variables": {"SES_SENDER_EMAIL": "a@example.com"}}}),
        );
        let code = STANDARD.decode(params["Code"]["ZipFile"].as_str().unwrap()).unwrap();
        let answered = call(&root, "CreateFunction", params).await;
        assert_eq!(answered.status, 201);
        let made = answered.good();
        let arn = "arn:aws:lambda:us-west-2:000000000000:function:my-tool";
        assert_eq!(
            made,
            json!({
                "FunctionName": "my-tool",
                "FunctionArn": arn,
                "Runtime": "python3.13",
                "Role": role,
                "Handler": "lambda_function.lambda_handler",
                "CodeSize": code.len(),
                "CodeSha256": Digest::of(&code).to_base64(),
                "Description": "",
                "Timeout": 30,
                "MemorySize": 256,
                "LastModified": "2025-11-21T09:30:00.000+0000",
                "Version": "$LATEST",
                "Environment": {"Variables": {"SES_SENDER_EMAIL": "a@example.com"}},
                "RevisionId": made["RevisionId"],
                "State": "Active",
                "LastUpdateStatus": "Successful",
                "PackageType": "Zip",
                "Architectures": [own()],
            })
        );
        assert_eq!(made["RevisionId"].as_str().unwrap().len(), 36);
        let shown = call(&root, "GetFunction", json!({"FunctionName": "my-tool"})).await.good();
        assert_eq!(shown, json!({"Configuration": made, "Code": {}}));
        let listed = call(&root, "ListFunctions", json!({})).await.good();
        assert_eq!(listed, json!({"Functions": [made]}));
        let event = world.event("lambda:CreateFunction").await;
        assert_eq!((event.resource.as_deref(), event.outcome), (Some(arn), Outcome::Success));
        assert!(!format!("{event:?}").contains("a@example.com"));
    }
}

#[tokio::test]
async fn what_is_not_given_is_what_lambda_gives() {
    let world = World::new().await;
    let root = world.root();
    let role = make_role(&root).await;
    let mut params = python("plain", &role, ECHO);
    params.as_object_mut().unwrap().retain(|name, _| name != "Timeout" && name != "MemorySize");
    let changes = json!({"Description": "Says it again.", "Architectures": [own()], "PackageType": "Zip"});
    let made = call(&root, "CreateFunction", with(&params, changes)).await.good();
    assert_eq!((&made["Timeout"], &made["MemorySize"]), (&json!(3), &json!(128)));
    assert_eq!((&made["Description"], &made["Environment"]), (&json!("Says it again."), &Value::Null));
}

#[tokio::test]
async fn a_name_is_taken_once_and_free_again_when_its_function_is_gone() {
    for world in World::on_each_database().await {
        let root = world.root();
        make(&root, "f", ECHO).await;
        let role = "arn:aws:iam::000000000000:role/functions";
        for called in ["f", "arn:aws:lambda:us-west-2:000000000000:function:f"] {
            let answered = call(&root, "CreateFunction", python(called, role, ECHO)).await;
            assert_eq!(answered.refused(409, "ResourceConflictException"), "Function already exist: f");
        }
        let answered = call(&root, "DeleteFunction", json!({"FunctionName": "f"})).await;
        assert_eq!((answered.status, answered.bytes.len()), (204, 0));
        let answered = call(&root, "GetFunction", json!({"FunctionName": "f"})).await;
        answered.refused(404, "ResourceNotFoundException");
        let other = python("f", role, "def lambda_handler(event, context):\n    return 'second'\n");
        call(&root, "CreateFunction", other).await.good();
        let answered = call(&root, "Invoke", json!({"FunctionName": "f"})).await;
        assert_eq!(answered.text(), "\"second\"");
    }
}

#[tokio::test]
async fn a_function_takes_its_permissions_with_it() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = make(&root, "f", ECHO).await;
        let params = json!({
            "FunctionName": "f",
            "StatementId": "s",
            "Action": "lambda:InvokeFunction",
            "Principal": "*",
        });
        call(&root, "AddPermission", params).await.good();
        call(&root, "DeleteFunction", json!({"FunctionName": "f"})).await.good();
        let scope = Scope {
            account: domain::AccountId::first(),
            region: domain::Region::parse("us-west-2").unwrap(),
        };
        let mut tx = world.store().read().await.unwrap();
        assert!(tx.function_statements(&scope, "f", "").await.unwrap().is_empty());
        assert!(tx.function_code(made["CodeSha256"].as_str().unwrap()).await.unwrap().is_none());
        drop(tx);
        let role = made["Role"].as_str().unwrap();
        call(&root, "CreateFunction", python("f", role, ECHO)).await.good();
        let answered = call(&root, "GetPolicy", json!({"FunctionName": "f"})).await;
        answered.refused(404, "ResourceNotFoundException");
    }
}

#[tokio::test]
async fn functions_are_listed_page_by_page() {
    for world in World::on_each_database().await {
        let root = world.root();
        let role = make_role(&root).await;
        for name in ["c", "a", "b"] {
            call(&root, "CreateFunction", python(name, &role, ECHO)).await.good();
        }
        let names = |page: &Value| -> Vec<String> {
            let functions = page["Functions"].as_array().unwrap();
            functions.iter().map(|it| it["FunctionName"].as_str().unwrap().to_owned()).collect()
        };
        let first = call(&root, "ListFunctions", json!({"MaxItems": 2})).await.good();
        assert_eq!(names(&first), ["a", "b"]);
        let rest = json!({"MaxItems": 2, "Marker": first["NextMarker"]});
        let rest = call(&root, "ListFunctions", rest).await.good();
        assert_eq!((names(&rest), &rest["NextMarker"]), (vec!["c".to_owned()], &Value::Null));
        let answered = call(&root, "ListFunctions", json!({"Marker": "none of ours!"})).await;
        answered.refused(400, "InvalidParameterValueException");
        let elsewhere = call(&root.in_region("eu-west-1"), "ListFunctions", json!({})).await.good();
        assert_eq!(elsewhere, json!({"Functions": []}));
    }
}

#[tokio::test]
async fn a_role_must_be_there_trust_lambda_and_be_passed() {
    let world = World::new().await;
    let root = world.root();
    let unable = "The role defined for the function cannot be assumed by Lambda.";
    let missing = "arn:aws:iam::000000000000:role/missing";
    let answered = call(&root, "CreateFunction", python("f", missing, ECHO)).await;
    assert_eq!(answered.refused(400, "InvalidParameterValueException"), unable);
    let other = root.makes_role("other", trust("Service", "bedrock-agentcore.amazonaws.com"), None).await;
    let answered = call(&root, "CreateFunction", python("f", &other, ECHO)).await;
    assert_eq!(answered.refused(400, "InvalidParameterValueException"), unable);
    // Trust may be for one function only.
    let mut narrow = trust("Service", "lambda.amazonaws.com");
    narrow["Statement"][0]["Condition"] = json!({
        "StringEquals": {"aws:SourceAccount": "000000000000"},
        "ArnLike": {"aws:SourceArn": "arn:aws:lambda:us-west-2:000000000000:function:one"},
    });
    let narrow = root.makes_role("narrow", narrow, None).await;
    let answered = call(&root, "CreateFunction", python("another", &narrow, ECHO)).await;
    assert_eq!(answered.refused(400, "InvalidParameterValueException"), unable);
    call(&root, "CreateFunction", python("one", &narrow, ECHO)).await.good();
    // Who may make functions may not thereby hand out roles.
    let role = make_role(&root).await;
    let maker = world.user("maker", Some(allow("lambda:CreateFunction", "*"))).await;
    let answered = call(&maker, "CreateFunction", python("f", &role, ECHO)).await;
    let message = answered.refused(403, "AccessDeniedException");
    assert!(message.contains(&format!("iam:PassRole on resource: {role} ")), "{message}");
    let mut policy = allow("lambda:CreateFunction", "*");
    policy["Statement"].as_array_mut().unwrap().push(json!({
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": role,
        "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    }));
    let passer = world.user("passer", Some(policy)).await;
    call(&passer, "CreateFunction", python("f", &role, ECHO)).await.good();
    // Another account's role is passed by nobody here.
    let theirs = make_role(&world.account("111111111111").await).await;
    let answered = call(&root, "CreateFunction", python("g", &theirs, ECHO)).await;
    answered.refused(403, "AccessDeniedException");
}

#[tokio::test]
async fn what_lambda_refuses_is_refused_in_its_words() {
    let world = World::new().await;
    let root = world.root();
    let role = make_role(&root).await;
    let sound = python("f", &role, ECHO);
    let mandatory =
        "Runtime and Handler are mandatory parameters for functions created with deployment packages.";
    let unable = "Lambda was unable to configure your environment variables because the environment variables you \
                  have provided";
    let unzip = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    let long = "x".repeat(4096);
    for (change, expected) in [
        (json!({"Runtime": null}), mandatory.to_owned()),
        (json!({"Handler": null}), mandatory.to_owned()),
        (json!({"Code": {}}), "Please provide a source for function code.".to_owned()),
        (json!({"Code": {"ZipFile": ""}}), "Uploaded file must be a non-empty zip".to_owned()),
        (json!({"Code": {"ZipFile": STANDARD.encode("no zip")}}), unzip.to_owned()),
        (json!({"Code": {"ZipFile": archive(&[("../evil.py", "")])}}), unzip.to_owned()),
        (json!({"Code": {"ZipFile": archive(&[])}}), unzip.to_owned()),
        (
            json!({"Environment": {"Variables": {"AWS_REGION": "x", "FINE": "y", "_HANDLER": "z"}}}),
            String::new(),
        ),
        (
            json!({"Environment": {"Variables": {"AWS_REGION": "x", "FINE": "y", "LAMBDA_TASK_ROOT": "z"}}}),
            format!(
                "{unable} contains reserved keys that are currently not supported for modification. Reserved keys \
                 used in this request: AWS_REGION, LAMBDA_TASK_ROOT"
            ),
        ),
        (
            json!({"Environment": {"Variables": {"SECRET": long}}}),
            format!("{unable} exceeded the 4KB limit. Bytes measured: 4109"),
        ),
        (
            json!({"Architectures": [if own() == "arm64" { "x86_64" } else { "arm64" }]}),
            format!("Portcullis runs functions on its own machine, which is {}", own()),
        ),
        (json!({"FunctionName": "f:1"}), "A new function is named without a version".to_owned()),
        (json!({"FunctionName": "x".repeat(65)}), "A new function is named without a version".to_owned()),
    ] {
        let answered = call(&root, "CreateFunction", with(&sound, change.clone())).await;
        if expected.is_empty() {
            // The model's own pattern for names of variables.
            answered.refused(400, "ValidationException");
            continue;
        }
        let message = answered.refused(400, "InvalidParameterValueException");
        assert!(message.starts_with(&expected), "{message}");
    }
    for (change, field) in [
        (json!({"Timeout": 901}), "/Timeout"),
        (json!({"Timeout": 0}), "/Timeout"),
        (json!({"MemorySize": 10_241}), "/MemorySize"),
        (json!({"MemorySize": 64}), "/MemorySize"),
        (json!({"Runtime": "nodejs16.x"}), "/Runtime"),
        (json!({"PackageType": "Image"}), "/PackageType"),
        (json!({"Layers": ["arn:aws:lambda:us-west-2:000000000000:layer:l:1"]}), "/Layers"),
        (json!({"Role": "functions"}), "/Role"),
    ] {
        let message =
            call(&root, "CreateFunction", with(&sound, change)).await.refused(400, "ValidationException");
        assert!(message.contains(&format!("'{field}' failed to satisfy constraint")), "{message}");
    }
    assert_eq!(call(&root, "ListFunctions", json!({})).await.good(), json!({"Functions": []}));
}

#[tokio::test]
async fn archives_are_bounded_packed_and_unpacked() {
    let world = World::new().await;
    let root = world.root();
    let role = make_role(&root).await;
    let sound = python("f", &role, ECHO);
    let large = STANDARD.encode(vec![0; 50 * 1024 * 1024 + 1]);
    let answered = call(&root, "CreateFunction", with(&sound, json!({"Code": {"ZipFile": large}}))).await;
    let message = answered.refused(413, "RequestTooLargeException");
    assert!(message.contains("52428801 bytes"), "{message}");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("zeros", SimpleFileOptions::default()).unwrap();
    let megabyte = vec![0; 1024 * 1024];
    for _ in 0..251 {
        writer.write_all(&megabyte).unwrap();
    }
    let bomb = STANDARD.encode(writer.finish().unwrap().into_inner());
    let answered = call(&root, "CreateFunction", with(&sound, json!({"Code": {"ZipFile": bomb}}))).await;
    let message = answered.refused(400, "InvalidParameterValueException");
    assert_eq!(message, "Unzipped size must be smaller than 262144000 bytes");
}

#[tokio::test]
async fn nobody_makes_a_function_in_another_account() {
    let world = World::new().await;
    let theirs = make_role(&world.account("111111111111").await).await;
    let name = "arn:aws:lambda:us-west-2:111111111111:function:f";
    let answered = call(&world.root(), "CreateFunction", python(name, &theirs, ECHO)).await;
    answered.refused(403, "AccessDeniedException");
}
