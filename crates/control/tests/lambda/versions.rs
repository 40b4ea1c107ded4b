//! Versions, aliases, and what a qualified name invokes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Actor, Answered, World, allow};
use crate::{archive, call, make, with};

const ARN: &str = "arn:aws:lambda:us-west-2:000000000000:function:f";

fn says(word: &str) -> String {
    format!(
        "def lambda_handler(event, context):\n    return ['{word}', context.function_version, \
         context.invoked_function_arn]\n"
    )
}

fn f(more: Value) -> Value {
    with(&json!({"FunctionName": "f"}), more)
}

async fn change(actor: &Actor, word: &str) -> Value {
    let zip = archive(&[("lambda_function.py", &says(word))]);
    call(actor, "UpdateFunctionCode", f(json!({"ZipFile": zip}))).await.good()
}

async fn publish(actor: &Actor) -> Value {
    call(actor, "PublishVersion", f(json!({}))).await.good()
}

async fn run(actor: &Actor, name: &str) -> Answered {
    call(actor, "Invoke", json!({"FunctionName": name, "Payload": STANDARD.encode("{}")})).await
}

async fn said(actor: &Actor, name: &str) -> Value {
    let answered = run(actor, name).await;
    assert_eq!(answered.status, 200, "{}", String::from_utf8_lossy(&answered.bytes));
    let value: Value = serde_json::from_slice(&answered.bytes).unwrap();
    assert_eq!(answered.headers["x-amz-executed-version"], value[1].as_str().unwrap());
    value
}

#[tokio::test]
async fn a_version_is_what_it_was_when_it_was_published() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = make(&root, "f", &says("one")).await;
        let first = publish(&root).await;
        assert_eq!(first["Version"], "1");
        assert_eq!(first["FunctionArn"], format!("{ARN}:1"));
        assert_eq!(first["CodeSha256"], made["CodeSha256"]);
        assert_eq!(publish(&root).await, first, "nothing has changed, so that nothing is published");
        change(&root, "two").await;
        call(&root, "UpdateFunctionConfiguration", f(json!({"Timeout": 9}))).await.good();
        let second = call(&root, "PublishVersion", f(json!({"Description": "the second"}))).await.good();
        assert_eq!((&second["Version"], &second["Description"]), (&json!("2"), &json!("the second")));
        change(&root, "three").await;

        assert_eq!(said(&root, "f").await, json!(["three", "$LATEST", ARN]));
        assert_eq!(said(&root, "f:$LATEST").await, json!(["three", "$LATEST", format!("{ARN}:$LATEST")]));
        assert_eq!(said(&root, "f:1").await, json!(["one", "1", format!("{ARN}:1")]));
        assert_eq!(said(&root, &format!("{ARN}:2")).await, json!(["two", "2", format!("{ARN}:2")]));
        run(&root, "f:3").await.refused(404, "ResourceNotFoundException");

        for (qualifier, timeout) in [("1", 30), ("2", 9)] {
            let shown = call(&root, "GetFunction", f(json!({"Qualifier": qualifier}))).await.good();
            let shown = &shown["Configuration"];
            assert_eq!((&shown["Version"], &shown["Timeout"]), (&json!(qualifier), &json!(timeout)));
            assert_eq!(shown["FunctionArn"], format!("{ARN}:{qualifier}"));
        }
        let page = call(&root, "ListVersionsByFunction", f(json!({"MaxItems": 2}))).await.good();
        let numbers = |page: &Value| -> Vec<String> {
            let versions = page["Versions"].as_array().unwrap().iter();
            versions.map(|version| version["FunctionArn"].as_str().unwrap().replace(ARN, "")).collect()
        };
        assert_eq!(numbers(&page), [":$LATEST", ":1"]);
        let rest = f(json!({"Marker": page["NextMarker"]}));
        let page = call(&root, "ListVersionsByFunction", rest).await.good();
        assert_eq!((numbers(&page), &page["NextMarker"]), (vec![":2".to_owned()], &Value::Null));
    }
}

#[tokio::test]
async fn numbers_are_not_given_twice() {
    let world = World::new().await;
    let root = world.root();
    let made = make(&root, "f", &says("one")).await;
    publish(&root).await;
    let deleted = call(&root, "DeleteFunction", f(json!({"Qualifier": "1"}))).await;
    assert_eq!(deleted.status, 204);
    run(&root, "f:1").await.refused(404, "ResourceNotFoundException");
    assert_eq!(
        said(&root, "f").await[0],
        "one",
        "the code of a version that is gone is still its function's"
    );
    assert_eq!(publish(&root).await["Version"], "2");
    call(&root, "DeleteFunction", f(json!({"Qualifier": "1"})))
        .await
        .refused(404, "ResourceNotFoundException");
    let message = call(&root, "DeleteFunction", f(json!({"Qualifier": "$LATEST"}))).await;
    let message = message.refused(400, "InvalidParameterValueException");
    assert_eq!(message, "$LATEST version cannot be deleted without deleting the function.");
    change(&root, "two").await;
    assert_eq!(said(&root, "f:2").await[0], "one", "the code of a version outlives its function's");
    call(&root, "DeleteFunction", f(json!({}))).await.good();
    run(&root, "f:2").await.refused(404, "ResourceNotFoundException");
    let again = crate::python("f", made["Role"].as_str().unwrap(), &says("new"));
    call(&root, "CreateFunction", again).await.good();
    assert_eq!(publish(&root).await["Version"], "1");
    assert_eq!(said(&root, "f:1").await[0], "new");
}

#[tokio::test]
async fn only_the_code_that_is_meant_is_published() {
    let world = World::new().await;
    let root = world.root();
    let made = make(&root, "f", &says("one")).await;
    let message = call(&root, "PublishVersion", f(json!({"CodeSha256": "other"}))).await;
    let message = message.refused(400, "InvalidParameterValueException");
    assert!(
        message.starts_with("CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ("),
        "{message}"
    );
    let params = f(json!({"CodeSha256": made["CodeSha256"], "RevisionId": made["RevisionId"]}));
    call(&root, "PublishVersion", params).await.good();
    let zip = archive(&[("lambda_function.py", &says("two"))]);
    let published =
        call(&root, "UpdateFunctionCode", f(json!({"ZipFile": zip, "Publish": true}))).await.good();
    assert_eq!(published["Version"], "2");
    let environment = json!({"Environment": {"Variables": {"STAGE": "b"}}});
    call(&root, "UpdateFunctionConfiguration", f(environment)).await.good();
    assert_eq!(publish(&root).await["Version"], "3", "another environment is another version");
    let mut params = crate::python("g", made["Role"].as_str().unwrap(), &says("one"));
    params["Publish"] = json!(true);
    let published = call(&root, "CreateFunction", params).await.good();
    assert_eq!(
        (&published["Version"], published["FunctionArn"].as_str().unwrap().rsplit(':').next().unwrap()),
        (&json!("1"), "1")
    );
}

#[tokio::test]
async fn an_alias_is_moved_from_version_to_version() {
    for world in World::on_each_database().await {
        let root = world.root();
        make(&root, "f", &says("one")).await;
        publish(&root).await;
        change(&root, "two").await;
        publish(&root).await;
        let params = f(json!({"Name": "PROD", "FunctionVersion": "1", "Description": "d"}));
        let made = call(&root, "CreateAlias", params.clone()).await;
        assert_eq!(made.status, 201);
        let made = made.good();
        assert_eq!(
            with(&made, json!({"RevisionId": null})),
            json!({"AliasArn": format!("{ARN}:PROD"), "Name": "PROD", "FunctionVersion": "1", "Description": "d", "RevisionId": null})
        );
        let message = call(&root, "CreateAlias", params).await.refused(409, "ResourceConflictException");
        assert_eq!(message, format!("Alias already exists: {ARN}:PROD"));
        assert_eq!(said(&root, "f:PROD").await, json!(["one", "1", format!("{ARN}:PROD")]));
        let moved = f(json!({"Name": "PROD", "FunctionVersion": "2", "RevisionId": made["RevisionId"]}));
        let changed = call(&root, "UpdateAlias", moved.clone()).await.good();
        assert_eq!((&changed["FunctionVersion"], &changed["Description"]), (&json!("2"), &json!("d")));
        assert_eq!(said(&root, "f:PROD").await, json!(["two", "2", format!("{ARN}:PROD")]));
        call(&root, "UpdateAlias", moved).await.refused(412, "PreconditionFailedException");
        assert_eq!(call(&root, "GetAlias", f(json!({"Name": "PROD"}))).await.good(), changed);

        let message = call(&root, "DeleteFunction", f(json!({"Qualifier": "2"}))).await;
        let message = message.refused(409, "ResourceConflictException");
        assert_eq!(message, "Unable to delete version because the following aliases reference it: [PROD]");
        call(&root, "CreateAlias", f(json!({"Name": "DEV", "FunctionVersion": "$LATEST"}))).await.good();
        change(&root, "three").await;
        assert_eq!(said(&root, "f:DEV").await, json!(["three", "$LATEST", format!("{ARN}:DEV")]));
        let names = async |more: Value| -> Vec<String> {
            let listed = call(&root, "ListAliases", f(more)).await.good();
            let aliases = listed["Aliases"].as_array().unwrap().iter();
            aliases.map(|alias| alias["Name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(json!({})).await, ["DEV", "PROD"]);
        assert_eq!(names(json!({"FunctionVersion": "2"})).await, ["PROD"]);
        assert_eq!(names(json!({"MaxItems": 1})).await, ["DEV"]);
        for _ in 0..2 {
            let deleted = call(&root, "DeleteAlias", f(json!({"Name": "PROD"}))).await;
            assert_eq!(deleted.status, 204, "what is not there is deleted already");
        }
        run(&root, "f:PROD").await.refused(404, "ResourceNotFoundException");
        let message = call(&root, "GetAlias", f(json!({"Name": "PROD"}))).await;
        let message = message.refused(404, "ResourceNotFoundException");
        assert_eq!(message, format!("Cannot find alias arn: {ARN}:PROD"));
        call(&root, "DeleteFunction", f(json!({"Qualifier": "2"}))).await.good();
    }
}

#[tokio::test]
async fn two_versions_share_the_invocations_of_an_alias() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "f", &says("one")).await;
    publish(&root).await;
    change(&root, "two").await;
    publish(&root).await;
    let routing = |weights: Value| json!({"RoutingConfig": {"AdditionalVersionWeights": weights}});
    let alias = f(json!({"Name": "PROD", "FunctionVersion": "1"}));
    let made = call(&root, "CreateAlias", with(&alias, routing(json!({"2": 0.5})))).await.good();
    assert_eq!(made["RoutingConfig"], json!({"AdditionalVersionWeights": {"2": 0.5}}));
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..60 {
        *seen.entry(said(&root, "f:PROD").await[0].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert!(seen["one"] > 5 && seen["two"] > 5, "{seen:?}");
    for (weight, word) in [(0.0, "one"), (1.0, "two")] {
        call(&root, "UpdateAlias", f(with(&json!({"Name": "PROD"}), routing(json!({"2": weight})))))
            .await
            .good();
        for _ in 0..5 {
            assert_eq!(said(&root, "f:PROD").await[0], word);
        }
    }
    call(&root, "DeleteFunction", f(json!({"Qualifier": "2"})))
        .await
        .refused(409, "ResourceConflictException");
    let cleared = f(with(&json!({"Name": "PROD"}), routing(json!({}))));
    let changed = call(&root, "UpdateAlias", cleared).await.good();
    assert_eq!(changed["RoutingConfig"], Value::Null);
    assert_eq!(said(&root, "f:PROD").await[0], "one");
    for (changes, code, word) in [
        (routing(json!({"2": 0.1, "3": 0.1})), "InvalidParameterValueException", "greater than 1"),
        (routing(json!({"2": 1.5})), "InvalidParameterValueException", "weight"),
        (routing(json!({"1": 0.5})), "InvalidParameterValueException", "already included"),
        (routing(json!({"7": 0.5})), "ResourceNotFoundException", "Function not found"),
        (json!({"FunctionVersion": "7"}), "ResourceNotFoundException", "Function not found"),
        (
            with(&routing(json!({"2": 0.5})), json!({"FunctionVersion": "$LATEST"})),
            "InvalidParameterValueException",
            "$LATEST is not supported",
        ),
    ] {
        let answered = call(&root, "UpdateAlias", f(with(&json!({"Name": "PROD"}), changes))).await;
        let message = answered.refused(if code.starts_with("Res") { 404 } else { 400 }, code);
        assert!(message.contains(word), "{message}");
    }
    call(&root, "CreateAlias", f(json!({"Name": "12", "FunctionVersion": "1"})))
        .await
        .refused(400, "ValidationException");
}

#[tokio::test]
async fn a_permission_is_about_what_is_named() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "f", &says("one")).await;
    publish(&root).await;
    call(&root, "CreateAlias", f(json!({"Name": "PROD", "FunctionVersion": "1"}))).await.good();
    let of_alias = world.user("of-alias", Some(allow("lambda:InvokeFunction", &format!("{ARN}:PROD")))).await;
    let of_function = world.user("of-function", Some(allow("lambda:InvokeFunction", ARN))).await;
    for (user, name, allowed) in [
        (&of_alias, "f:PROD", true),
        (&of_alias, "f", false),
        (&of_alias, "f:1", false),
        (&of_function, "f", true),
        (&of_function, "f:PROD", false),
        (&of_function, "f:1", false),
        (&of_function, "f:$LATEST", false),
    ] {
        let answered = run(user, name).await;
        if allowed {
            answered.good();
        } else {
            let message = answered.refused(403, "AccessDeniedException");
            assert!(message.contains(&format!("{ARN}{}", name.trim_start_matches('f'))), "{message}");
        }
    }
}
