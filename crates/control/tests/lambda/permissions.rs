//! Resource policies of functions.

use serde_json::{Value, json};

use crate::support::{Actor, Answered, World, allow, trust};
use crate::{ECHO, call, make, with};

const ARN: &str = "arn:aws:lambda:us-west-2:000000000000:function:f";

async fn add(actor: &Actor, id: &str, principal: &str, changes: Value) -> Answered {
    let params = json!({
        "FunctionName": "f",
        "StatementId": id,
        "Action": "lambda:InvokeFunction",
        "Principal": principal,
    });
    call(actor, "AddPermission", with(&params, changes)).await
}

async fn policy(actor: &Actor) -> (Value, String) {
    let shown = call(actor, "GetPolicy", json!({"FunctionName": "f"})).await.good();
    let document = serde_json::from_str(shown["Policy"].as_str().unwrap()).unwrap();
    (document, shown["RevisionId"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn statements_come_and_go() {
    for world in World::on_each_database().await {
        let root = world.root();
        make(&root, "f", ECHO).await;
        world.account("111111111111").await;
        let message = call(&root, "GetPolicy", json!({"FunctionName": "f"})).await;
        let message = message.refused(404, "ResourceNotFoundException");
        assert_eq!(message, "The resource you requested does not exist.");
        let params = json!({"FunctionName": "f", "StatementId": "s"});
        let message = call(&root, "RemovePermission", params).await.refused(404, "ResourceNotFoundException");
        assert_eq!(message, "No policy is associated with the given resource.");

        let answered = add(&root, "cross-account-access", "111111111111", json!({})).await;
        assert_eq!(answered.status, 201);
        let statement = answered.good()["Statement"].as_str().unwrap().to_owned();
        let statement: Value = serde_json::from_str(&statement).unwrap();
        assert_eq!(
            statement,
            json!({
                "Sid": "cross-account-access",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "lambda:InvokeFunction",
                "Resource": ARN,
            })
        );
        let source = json!({
            "SourceArn": "arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/*",
            "SourceAccount": "000000000000",
        });
        let answered = add(&root, "gateways", "bedrock-agentcore.amazonaws.com", source).await.good();
        let conditional: Value = serde_json::from_str(answered["Statement"].as_str().unwrap()).unwrap();
        assert_eq!(conditional["Principal"], json!({"Service": "bedrock-agentcore.amazonaws.com"}));
        assert_eq!(
            conditional["Condition"],
            json!({
                "StringEquals": {"AWS:SourceAccount": "000000000000"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/*"},
            })
        );
        let (document, _) = policy(&root).await;
        assert_eq!(
            document,
            json!({"Version": "2012-10-17", "Id": "default", "Statement": [statement, conditional]})
        );
        let params = json!({"FunctionName": "f", "StatementId": "unknown"});
        let message = call(&root, "RemovePermission", params).await.refused(404, "ResourceNotFoundException");
        assert_eq!(message, "Statement unknown is not found in resource policy.");
        for id in ["gateways", "cross-account-access"] {
            let params = json!({"FunctionName": ARN, "StatementId": id});
            let answered = call(&root, "RemovePermission", params).await;
            assert_eq!((answered.status, answered.bytes.len()), (204, 0));
        }
        let answered = call(&root, "GetPolicy", json!({"FunctionName": "f"})).await;
        answered.refused(404, "ResourceNotFoundException");
        let event = world.event("lambda:RemovePermission").await;
        assert_eq!(event.resource.as_deref(), Some(ARN));
    }
}

#[tokio::test]
async fn a_statement_id_is_taken_once() {
    for world in World::on_each_database().await {
        let root = world.root();
        make(&root, "f", ECHO).await;
        world.account("111111111111").await;
        add(&root, "s", "111111111111", json!({})).await.good();
        let message = add(&root, "s", "*", json!({})).await.refused(409, "ResourceConflictException");
        assert_eq!(
            message,
            "The statement id (s) provided already exists. Please provide a new statement id, or remove the existing \
             statement."
        );
        assert_eq!(policy(&root).await.0["Statement"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_revision_that_is_not_the_latest_changes_nothing() {
    let world = World::new().await;
    let root = world.root();
    let made = make(&root, "f", ECHO).await;
    world.account("111111111111").await;
    let stale = "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the \
                 latest Revision Id";
    let wrong = json!({"RevisionId": "00000000-0000-4000-8000-000000000000"});
    let message = add(&root, "s", "*", wrong.clone()).await.refused(412, "PreconditionFailedException");
    assert_eq!(message, stale);
    add(&root, "one", "111111111111", json!({"RevisionId": made["RevisionId"]})).await.good();
    let (_, first) = policy(&root).await;
    add(&root, "two", "111111111111", json!({"RevisionId": first})).await.good();
    let (_, second) = policy(&root).await;
    assert!(first != second && second.len() == 36);
    let answered = add(&root, "three", "111111111111", json!({"RevisionId": first})).await;
    answered.refused(412, "PreconditionFailedException");
    let remove = |revision: &str| {
        let params = json!({"FunctionName": "f", "StatementId": "two", "RevisionId": revision});
        call(&root, "RemovePermission", params)
    };
    remove(&first).await.refused(412, "PreconditionFailedException");
    remove(&second).await.good();
    assert_eq!(policy(&root).await.1, first, "the same policy has the same revision");
}

#[tokio::test]
async fn principals_are_accounts_identities_services_and_everyone() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "f", ECHO).await;
    world.account("111111111111").await;
    let role = root.makes_role("caller", trust("AWS", "000000000000"), None).await;
    for (id, principal, expected) in [
        ("a", "*", json!("*")),
        ("b", "111111111111", json!({"AWS": "arn:aws:iam::111111111111:root"})),
        ("c", role.as_str(), json!({"AWS": role})),
        ("d", "s3.amazonaws.com", json!({"Service": "s3.amazonaws.com"})),
    ] {
        add(&root, id, principal, json!({})).await.good();
        let (document, _) = policy(&root).await;
        assert_eq!(document["Statement"].as_array().unwrap().last().unwrap()["Principal"], expected);
    }
    for wrong in [
        "nobody",
        "arn:aws:s3:::bucket",
        "arn:aws:iam::000000000000:role/*",
        "11111111111",
        "222222222222",
        "arn:aws:iam::222222222222:root",
        "arn:aws:iam::000000000000:role/nobody",
        "arn:aws:iam::000000000000:role/path/caller",
        "arn:aws:iam::000000000000:user/nobody",
        "arn:aws:sts::000000000000:assumed-role/nobody/session",
    ] {
        let message = add(&root, "e", wrong, json!({})).await.refused(400, "InvalidParameterValueException");
        let text = "The provided principal was invalid. Please check the principal and try again.";
        assert!(message.starts_with(text), "{message}");
    }
    for (change, field) in [
        (json!({"StatementId": "two words"}), "/StatementId"),
        (json!({"SourceArn": "bucket"}), "/SourceArn"),
        (json!({"SourceAccount": "1"}), "/SourceAccount"),
        (json!({"EventSourceToken": "t"}), "/EventSourceToken"),
    ] {
        let message = add(&root, "e", "*", change).await.refused(400, "ValidationException");
        assert!(message.contains(field), "{message}");
    }
    assert_eq!(policy(&root).await.0["Statement"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_policy_has_twenty_kilobytes_at_most() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "f", ECHO).await;
    let long = |at: usize| json!({"SourceArn": format!("arn:aws:s3:::{at}{}", "x".repeat(6_000))});
    for at in 0..3 {
        add(&root, &format!("s{at}"), "s3.amazonaws.com", long(at)).await.good();
    }
    let message = add(&root, "s3", "s3.amazonaws.com", long(3)).await;
    let message = message.refused(400, "PolicyLengthExceededException");
    assert!(message.ends_with("is bigger than the limit (20480)."), "{message}");
}

#[tokio::test]
async fn a_permission_is_in_force_at_once_and_gone_at_once() {
    for world in World::on_each_database().await {
        let root = world.root();
        make(&root, "f", ECHO).await;
        let caller = world.user("caller", None).await;
        let who = "arn:aws:iam::000000000000:user/caller";
        let invoke = || call(&caller, "Invoke", json!({"FunctionName": "f"}));
        for _ in 0..3 {
            invoke().await.refused(403, "AccessDeniedException");
            add(&root, "s", who, json!({})).await.good();
            invoke().await.good();
            let event = world.event("lambda:InvokeFunction").await;
            assert_eq!(event.policies.len(), 1);
            assert!(event.policies[0].contains(&format!("the resource policy of {ARN}")), "{event:?}");
            let params = json!({"FunctionName": "f", "StatementId": "s"});
            call(&root, "RemovePermission", params).await.good();
        }
        // A permission for a gateway is none for a caller.
        let source = json!({"SourceArn": "arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/*"});
        add(&root, "s", who, source).await.good();
        invoke().await.refused(403, "AccessDeniedException");
    }
}

#[tokio::test]
async fn each_version_and_alias_has_a_policy_of_its_own() {
    for world in World::on_each_database().await {
        let root = world.root();
        make(&root, "f", ECHO).await;
        let name = json!({"FunctionName": "f"});
        call(&root, "PublishVersion", name.clone()).await.good();
        let alias = json!({"FunctionName": "f", "Name": "PROD", "FunctionVersion": "1"});
        call(&root, "CreateAlias", alias).await.good();
        let other = world.account("111111111111").await;
        let caller = other.makes_user("caller", Some(allow("lambda:*", "*"))).await;
        let who = "arn:aws:iam::111111111111:user/caller";
        let invoke = async |qualifier: &str| {
            let arn = if qualifier.is_empty() { ARN.to_owned() } else { format!("{ARN}:{qualifier}") };
            call(&caller, "Invoke", json!({"FunctionName": arn})).await
        };
        for granted in ["", "1", "PROD"] {
            let qualifier = if granted.is_empty() { json!({}) } else { json!({"Qualifier": granted}) };
            let made = add(&root, "s", who, qualifier.clone()).await.good();
            let statement: Value = serde_json::from_str(made["Statement"].as_str().unwrap()).unwrap();
            let expected = if granted.is_empty() { ARN.to_owned() } else { format!("{ARN}:{granted}") };
            assert_eq!(statement["Resource"], json!(expected));
            let shown = call(&root, "GetPolicy", with(&name, qualifier.clone())).await.good();
            assert!(shown["Policy"].as_str().unwrap().contains(&expected), "{shown}");
            for asked in ["", "1", "PROD", "$LATEST"] {
                let answered = invoke(asked).await;
                if asked == granted {
                    answered.good();
                } else {
                    answered.refused(403, "AccessDeniedException");
                }
            }
            let params = with(&with(&name, qualifier), json!({"StatementId": "s"}));
            call(&root, "RemovePermission", params).await.good();
            invoke(granted).await.refused(403, "AccessDeniedException");
        }
        let message = add(&root, "s", who, json!({"Qualifier": "$LATEST"})).await;
        let message = message.refused(400, "InvalidParameterValueException");
        assert_eq!(message, "We currently do not support adding policies for $LATEST.");
        add(&root, "s", who, json!({"Qualifier": "2"})).await.refused(404, "ResourceNotFoundException");
        // What goes takes its policy along: whoever takes the name next grants nothing by it.
        add(&root, "s", who, json!({"Qualifier": "PROD"})).await.good();
        call(&root, "DeleteAlias", json!({"FunctionName": "f", "Name": "PROD"})).await.good();
        let alias = json!({"FunctionName": "f", "Name": "PROD", "FunctionVersion": "1"});
        call(&root, "CreateAlias", alias).await.good();
        invoke("PROD").await.refused(403, "AccessDeniedException");
    }
}

#[tokio::test]
async fn another_accounts_function_needs_both_sides() {
    let world = World::new().await;
    let owner = world.root();
    make(&owner, "f", ECHO).await;
    let other = world.account("111111111111").await;
    let allowed = other.makes_user("allowed", Some(allow("lambda:InvokeFunction", ARN))).await;
    let unallowed = other.makes_user("unallowed", None).await;
    let invoke = async |actor: &Actor| call(actor, "Invoke", json!({"FunctionName": ARN})).await;
    invoke(&allowed).await.refused(403, "AccessDeniedException");
    add(&owner, "cross-account-access", "111111111111", json!({})).await.good();
    invoke(&allowed).await.good();
    invoke(&unallowed).await.refused(403, "AccessDeniedException");
}
