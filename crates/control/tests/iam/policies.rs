//! Managed policies: the account's own and AWS's.

use serde_json::json;

use crate::support::{World, allow};
use crate::users::{decoded, names, of_length};

const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

#[tokio::test]
async fn a_policy_is_made_found_and_deleted() {
    for world in World::on_each_database().await {
        let root = world.root();
        let text = allow("s3:GetObject", "*").to_string();
        let create =
            json!({"PolicyName": "p", "Path": "/team/", "PolicyDocument": text, "Description": "reads"});
        let made = root.call("iam", "CreatePolicy", create.clone()).await.good();
        let policy = &made["Policy"];
        assert_eq!(policy["Arn"], "arn:aws:iam::000000000000:policy/team/p");
        assert_eq!(policy["DefaultVersionId"], "v1");
        assert_eq!((&policy["AttachmentCount"], &policy["IsAttachable"]), (&json!(0), &json!(true)));
        assert!(policy["PolicyId"].as_str().unwrap().starts_with("ANPA"));
        let message = root.call("iam", "CreatePolicy", create).await.refused(409, "EntityAlreadyExists");
        assert_eq!(message, "A policy called p already exists. Duplicate names are not allowed.");
        let named = json!({"PolicyArn": policy["Arn"]});
        assert_eq!(root.call("iam", "GetPolicy", named.clone()).await.good(), made);
        let version = json!({"PolicyArn": policy["Arn"], "VersionId": "v1"});
        let got = root.call("iam", "GetPolicyVersion", version).await.good();
        assert_eq!(decoded(&got["PolicyVersion"]["Document"]), text);
        assert_eq!(got["PolicyVersion"]["IsDefaultVersion"], true);
        let version = json!({"PolicyArn": policy["Arn"], "VersionId": "v2"});
        let message = root.call("iam", "GetPolicyVersion", version).await.refused(404, "NoSuchEntity");
        assert_eq!(
            message,
            "Policy arn:aws:iam::000000000000:policy/team/p version v2 does not exist or is not attachable."
        );
        root.call("iam", "CreateUser", json!({"UserName": "ann"})).await.good();
        let attach = json!({"UserName": "ann", "PolicyArn": policy["Arn"]});
        root.call("iam", "AttachUserPolicy", attach.clone()).await.good();
        let message = root.call("iam", "DeletePolicy", named.clone()).await.refused(409, "DeleteConflict");
        assert_eq!(message, "Cannot delete a policy attached to entities.");
        root.call("iam", "DetachUserPolicy", attach).await.good();
        root.call("iam", "DeletePolicy", named.clone()).await.good();
        for operation in ["GetPolicy", "DeletePolicy"] {
            let message = root.call("iam", operation, named.clone()).await.refused(404, "NoSuchEntity");
            assert_eq!(message, "Policy arn:aws:iam::000000000000:policy/team/p was not found.");
        }
    }
}

#[tokio::test]
async fn a_document_that_is_none_is_refused() {
    let world = World::new().await;
    let root = world.root();
    let create = |document: String| {
        root.call("iam", "CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": document}))
    };
    let message = create("{".to_owned()).await.refused(400, "MalformedPolicyDocument");
    assert!(message.starts_with("Syntax errors in policy. (document: "), "{message}");
    let old = r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let message = create(old.to_owned()).await.refused(400, "MalformedPolicyDocument");
    assert!(message.starts_with("Policy document must be version 2012-10-17 or greater."), "{message}");
    let message = create(of_length(6_145)).await.refused(409, "LimitExceeded");
    assert_eq!(message, "Cannot exceed quota for PolicySize: 6144");
    create(of_length(6_144)).await.good();
}

#[tokio::test]
async fn the_policies_of_aws_are_there_and_nobodys_to_change() {
    for world in World::on_each_database().await {
        let root = world.root();
        for (name, path) in
            [("BedrockAgentCoreFullAccess", "/"), ("AWSLambdaBasicExecutionRole", "/service-role/")]
        {
            let arn = format!("arn:aws:iam::aws:policy{path}{name}");
            let got = root.call("iam", "GetPolicy", json!({"PolicyArn": arn})).await.good();
            assert_eq!((&got["Policy"]["PolicyName"], &got["Policy"]["Path"]), (&json!(name), &json!(path)));
            let version = json!({"PolicyArn": arn, "VersionId": "v1"});
            root.call("iam", "GetPolicyVersion", version).await.good();
            let message = root
                .call("iam", "DeletePolicy", json!({"PolicyArn": arn}))
                .await
                .refused(403, "AccessDenied");
            assert_eq!(message, "Policy is outside your own account.");
        }
        // Its name is free for the account's own.
        let own = json!({"PolicyName": "ReadOnlyAccess", "PolicyDocument": allow("s3:*", "*").to_string()});
        root.call("iam", "CreatePolicy", own).await.good();
        root.call("iam", "GetPolicy", json!({"PolicyArn": READ_ONLY})).await.good();
    }
}

#[tokio::test]
async fn another_accounts_policies_are_out_of_reach() {
    let world = World::new().await;
    let other = world.account("111111111111").await;
    let policy = json!({"PolicyName": "theirs", "PolicyDocument": allow("*", "*").to_string()});
    other.call("iam", "CreatePolicy", policy).await.good();
    for (operation, params) in [
        ("GetPolicy", json!({"PolicyArn": "arn:aws:iam::111111111111:policy/theirs"})),
        ("GetPolicy", json!({"PolicyArn": "arn:aws:iam::111111111111:policy/nowhere"})),
        (
            "GetPolicyVersion",
            json!({"PolicyArn": "arn:aws:iam::111111111111:policy/theirs", "VersionId": "v1"}),
        ),
        ("DeletePolicy", json!({"PolicyArn": "arn:aws:iam::111111111111:policy/theirs"})),
    ] {
        let message = world.root().call("iam", operation, params).await.refused(403, "AccessDenied");
        assert_eq!(message, "Policy is outside your own account.");
    }
    let message =
        world.root().call("iam", "GetPolicy", json!({"PolicyArn": "arn:aws:s3:::bucket/policy"})).await;
    message.refused(400, "InvalidInput");
    let listed = world.root().call("iam", "ListPolicies", json!({"Scope": "Local"})).await.good();
    assert_eq!(listed["Policies"], json!([]));
}

#[tokio::test]
async fn lists_have_a_scope_a_path_and_pages() {
    for world in World::on_each_database().await {
        let root = world.root();
        for (name, path) in [("a", "/"), ("b", "/team/"), ("administratoraccess", "/")] {
            let document = allow("s3:*", "*").to_string();
            let params =
                json!({"PolicyName": name, "Path": path, "PolicyDocument": document, "Description": "d"});
            root.call("iam", "CreatePolicy", params).await.good();
        }
        let list = async |params| {
            names(&root.call("iam", "ListPolicies", params).await.good()["Policies"], "PolicyName")
        };
        assert_eq!(list(json!({"Scope": "Local"})).await, ["a", "administratoraccess", "b"]);
        let aws = [
            "AdministratorAccess",
            "AWSLambdaBasicExecutionRole",
            "BedrockAgentCoreFullAccess",
            "ReadOnlyAccess",
        ];
        assert_eq!(list(json!({"Scope": "AWS"})).await, aws);
        assert_eq!(list(json!({})).await.len(), 7);
        assert_eq!(list(json!({"PathPrefix": "/team/"})).await, ["b"]);
        assert_eq!(list(json!({"OnlyAttached": true})).await.len(), 0);
        root.call("iam", "CreateUser", json!({"UserName": "ann"})).await.good();
        root.call("iam", "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": READ_ONLY})).await.good();
        assert_eq!(list(json!({"OnlyAttached": true})).await, ["ReadOnlyAccess"]);
        assert_eq!(list(json!({"OnlyAttached": true, "Scope": "Local"})).await.len(), 0);
        assert_eq!(list(json!({"OnlyAttached": false, "Scope": "Local"})).await.len(), 3);
        let mut seen = Vec::new();
        let mut params = json!({"MaxItems": 3});
        loop {
            let page = root.call("iam", "ListPolicies", params.clone()).await.good();
            assert!(
                page["Policies"].as_array().unwrap().iter().all(|policy| policy.get("Description").is_none())
            );
            seen.extend(names(&page["Policies"], "Arn"));
            if page["IsTruncated"] == false {
                break;
            }
            params["Marker"] = page["Marker"].clone();
        }
        assert_eq!(seen.len(), 7);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 7);
    }
}

#[tokio::test]
async fn an_attached_policy_counts_until_it_is_detached() {
    let world = World::new().await;
    let root = world.root();
    let ann = world.user("ann", None).await;
    ann.call("iam", "ListPolicies", json!({})).await.refused(403, "AccessDenied");
    let params = json!({"UserName": "ann", "PolicyArn": READ_ONLY});
    root.call("iam", "AttachUserPolicy", params.clone()).await.good();
    ann.call("iam", "ListPolicies", json!({})).await.good();
    ann.call("iam", "CreateUser", json!({"UserName": "bob"})).await.refused(403, "AccessDenied");
    root.call("iam", "DetachUserPolicy", params).await.good();
    let message = ann.call("iam", "ListPolicies", json!({})).await.refused(403, "AccessDenied");
    assert!(message.contains("iam:ListPolicies on resource: policy path / because"), "{message}");
}
