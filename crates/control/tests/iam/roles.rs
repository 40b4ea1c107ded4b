//! Roles: made, found, listed, trusted anew, deleted; what is written into them and attached to them.

use serde_json::{Value, json};

use crate::support::{World, allow, trust};
use crate::users::{decoded, names, of_length};

const LAMBDA_BASIC: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
const AGENTCORE: &str = "arn:aws:iam::aws:policy/BedrockAgentCoreFullAccess";

/// What the starter toolkit does for a gateway: create the role, or take it if it is there and trusts the very same.
#[tokio::test]
async fn the_toolkit_makes_its_role_once_and_recognises_it() {
    for world in World::on_each_database().await {
        let root = world.root();
        let trusted = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": "bedrock-agentcore.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": "000000000000"},
                    "ArnLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:us-west-2:000000000000:*"},
                },
            }],
        });
        let params = json!({
            "RoleName": "AgentCoreGatewayExecutionRole",
            "AssumeRolePolicyDocument": trusted.to_string(),
            "Description": "Execution role for AgentCore gateways",
        });
        let made = root.call("iam", "CreateRole", params.clone()).await.good();
        assert_eq!(made["Role"]["Arn"], "arn:aws:iam::000000000000:role/AgentCoreGatewayExecutionRole");
        assert_eq!(made["Role"]["MaxSessionDuration"], 3_600);
        assert!(made["Role"]["RoleId"].as_str().unwrap().starts_with("AROA"));
        let message = root.call("iam", "CreateRole", params).await.refused(409, "EntityAlreadyExists");
        assert_eq!(message, "Role with name AgentCoreGatewayExecutionRole already exists.");
        let named = json!({"RoleName": "AgentCoreGatewayExecutionRole"});
        let got = root.call("iam", "GetRole", named).await.good();
        assert_eq!(got, made);
        let document = &got["Role"]["AssumeRolePolicyDocument"];
        assert!(document.as_str().unwrap().starts_with("%7B%22"), "{document}");
        assert_eq!(serde_json::from_str::<Value>(&decoded(document)).unwrap(), trusted);
        let policy = json!({
            "PolicyName": "BedrockAgentCoreGatewayExecutionPolicy",
            "PolicyDocument": allow("bedrock-agentcore:*", "*").to_string(),
        });
        let made = root.call("iam", "CreatePolicy", policy).await.good();
        let attach = json!({
            "RoleName": "AgentCoreGatewayExecutionRole",
            "PolicyArn": made["Policy"]["Arn"],
        });
        root.call("iam", "AttachRolePolicy", attach.clone()).await.good();
        root.call("iam", "AttachRolePolicy", attach).await.good();
    }
}

#[tokio::test]
async fn a_role_without_a_description_shows_none() {
    let world = World::new().await;
    let params = json!({
        "RoleName": "r",
        "AssumeRolePolicyDocument": trust("Service", "lambda.amazonaws.com").to_string(),
        "Description": "",
        "MaxSessionDuration": 7_200,
        "Path": "/team/",
    });
    let made = world.root().call("iam", "CreateRole", params).await.good();
    assert_eq!(made["Role"].get("Description"), None);
    assert_eq!(made["Role"]["MaxSessionDuration"], 7_200);
    assert_eq!(made["Role"]["Arn"], "arn:aws:iam::000000000000:role/team/r");
    let event = world.event("iam:CreateRole").await;
    assert_eq!(event.resource.as_deref(), Some("arn:aws:iam::000000000000:role/team/r"));
}

#[tokio::test]
async fn a_trust_policy_that_is_none_is_refused_with_iams_text_and_a_hint() {
    let world = World::new().await;
    let root = world.root();
    root.makes_role("r", trust("Service", "lambda.amazonaws.com"), None).await;
    let long = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "a".repeat(2_000),
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }],
    });
    let mut with_resource = trust("Service", "lambda.amazonaws.com");
    with_resource["Statement"][0]["Resource"] = json!("*");
    for (document, status, code, text) in [
        ("nonsense".to_owned(), 400, "MalformedPolicyDocument", "This policy contains invalid Json"),
        (with_resource.to_string(), 400, "MalformedPolicyDocument", "Has prohibited field Resource"),
        (
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]})
                .to_string(),
            400,
            "MalformedPolicyDocument",
            "Missing required field Principal",
        ),
        (long.to_string(), 409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"),
    ] {
        let create = json!({"RoleName": "new", "AssumeRolePolicyDocument": document});
        let message = root.call("iam", "CreateRole", create).await.refused(status, code);
        assert!(message.contains(text), "{message}");
        let update = json!({"RoleName": "r", "PolicyDocument": document});
        let message = root.call("iam", "UpdateAssumeRolePolicy", update).await.refused(status, code);
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn a_trust_policy_is_replaced() {
    for world in World::on_each_database().await {
        let root = world.root();
        root.makes_role("r", trust("Service", "lambda.amazonaws.com"), None).await;
        let other = trust("AWS", "000000000000");
        let update = json!({"RoleName": "r", "PolicyDocument": other.to_string()});
        root.call("iam", "UpdateAssumeRolePolicy", update).await.good();
        let got = root.call("iam", "GetRole", json!({"RoleName": "R"})).await.good();
        assert_eq!(decoded(&got["Role"]["AssumeRolePolicyDocument"]), other.to_string());
        assert_eq!(got["Role"]["RoleName"], "r");
    }
}

/// The decision is about the role's real ARN, and a refusal does not tell its path.
#[tokio::test]
async fn policies_speak_about_the_path_that_a_role_has() {
    let world = World::new().await;
    let root = world.root();
    let trusted = trust("Service", "lambda.amazonaws.com").to_string();
    for (name, path) in [("inside", "/team/"), ("outside", "/secret/")] {
        let params = json!({"RoleName": name, "Path": path, "AssumeRolePolicyDocument": trusted});
        root.call("iam", "CreateRole", params).await.good();
    }
    let ann = world.user("ann", Some(allow("iam:*", "arn:aws:iam::*:role/team/*"))).await;
    ann.call("iam", "GetRole", json!({"RoleName": "inside"})).await.good();
    ann.call("iam", "DeleteRole", json!({"RoleName": "inside"})).await.good();
    let refused = |name: &str| {
        format!(
            "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:GetRole on resource: \
             role {name} because no identity-based policy allows the iam:GetRole action"
        )
    };
    for name in ["outside", "nowhere"] {
        let message =
            ann.call("iam", "GetRole", json!({"RoleName": name})).await.refused(403, "AccessDenied");
        assert_eq!(message, refused(name));
    }
    let create = json!({"RoleName": "new", "Path": "/secret/", "AssumeRolePolicyDocument": trusted});
    let message = ann.call("iam", "CreateRole", create).await.refused(403, "AccessDenied");
    assert!(message.contains("on resource: arn:aws:iam::000000000000:role/secret/new "), "{message}");
    let all = world.user("all", Some(allow("iam:*", "arn:aws:iam::*:role/*"))).await;
    all.call("iam", "GetRole", json!({"RoleName": "outside"})).await.good();
    all.call("iam", "GetRole", json!({"RoleName": "nowhere"})).await.refused(404, "NoSuchEntity");
}

#[tokio::test]
async fn lists_are_cut_by_path_and_by_page() {
    for world in World::on_each_database().await {
        let root = world.root();
        let trusted = trust("Service", "lambda.amazonaws.com").to_string();
        for (name, path) in [("c", "/"), ("a", "/team/"), ("b", "/team/")] {
            let params = json!({"RoleName": name, "Path": path, "AssumeRolePolicyDocument": trusted});
            root.call("iam", "CreateRole", params).await.good();
        }
        let first = root.call("iam", "ListRoles", json!({"MaxItems": 2})).await.good();
        assert_eq!(
            (names(&first["Roles"], "RoleName"), &first["IsTruncated"]),
            (vec!["a".into(), "b".into()], &json!(true))
        );
        let rest = json!({"MaxItems": 2, "Marker": first["Marker"]});
        let rest = root.call("iam", "ListRoles", rest).await.good();
        assert_eq!(
            (names(&rest["Roles"], "RoleName"), &rest["IsTruncated"]),
            (vec!["c".into()], &json!(false))
        );
        let team = root.call("iam", "ListRoles", json!({"PathPrefix": "/team/"})).await.good();
        assert_eq!(names(&team["Roles"], "RoleName"), ["a", "b"]);
        assert_eq!(decoded(&team["Roles"][0]["AssumeRolePolicyDocument"]), trusted);
    }
}

#[tokio::test]
async fn policies_are_attached_listed_and_detached() {
    for world in World::on_each_database().await {
        let root = world.root();
        root.makes_role("r", trust("Service", "lambda.amazonaws.com"), None).await;
        for arn in [LAMBDA_BASIC, AGENTCORE, LAMBDA_BASIC] {
            root.call("iam", "AttachRolePolicy", json!({"RoleName": "r", "PolicyArn": arn})).await.good();
        }
        let listed = root.call("iam", "ListAttachedRolePolicies", json!({"RoleName": "r"})).await.good();
        let basic = json!({"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": LAMBDA_BASIC});
        let agentcore = json!({"PolicyName": "BedrockAgentCoreFullAccess", "PolicyArn": AGENTCORE});
        assert_eq!(listed, json!({"AttachedPolicies": [basic, agentcore], "IsTruncated": false}));
        let below = json!({"RoleName": "r", "PathPrefix": "/service-role/"});
        let below = root.call("iam", "ListAttachedRolePolicies", below).await.good();
        assert_eq!(below["AttachedPolicies"], json!([basic]));
        let first = json!({"RoleName": "r", "MaxItems": 1});
        let first = root.call("iam", "ListAttachedRolePolicies", first).await.good();
        assert_eq!((&first["AttachedPolicies"], &first["IsTruncated"]), (&json!([basic]), &json!(true)));
        let got = root.call("iam", "GetPolicy", json!({"PolicyArn": LAMBDA_BASIC})).await.good();
        assert_eq!(got["Policy"]["AttachmentCount"], 1);
        let message =
            root.call("iam", "DeleteRole", json!({"RoleName": "r"})).await.refused(409, "DeleteConflict");
        assert_eq!(message, "Cannot delete entity, must detach all policies first.");
        for arn in [LAMBDA_BASIC, AGENTCORE] {
            let params = json!({"RoleName": "r", "PolicyArn": arn});
            root.call("iam", "DetachRolePolicy", params.clone()).await.good();
            let message = root.call("iam", "DetachRolePolicy", params).await.refused(404, "NoSuchEntity");
            assert_eq!(message, format!("Policy {arn} was not found."));
        }
        root.call("iam", "DeleteRole", json!({"RoleName": "r"})).await.good();
    }
}

#[tokio::test]
async fn only_policies_that_are_there_for_the_account_are_attached() {
    let world = World::new().await;
    let root = world.root();
    root.makes_role("r", trust("Service", "lambda.amazonaws.com"), None).await;
    let other = world.account("111111111111").await;
    let policy = json!({"PolicyName": "theirs", "PolicyDocument": allow("*", "*").to_string()});
    let theirs = other.call("iam", "CreatePolicy", policy).await.good();
    let theirs = theirs["Policy"]["Arn"].as_str().unwrap();
    for arn in [theirs, "arn:aws:iam::aws:policy/Nonsense", "arn:aws:iam::000000000000:policy/nonsense"] {
        let params = json!({"RoleName": "r", "PolicyArn": arn});
        let message = root.call("iam", "AttachRolePolicy", params).await.refused(404, "NoSuchEntity");
        assert_eq!(message, format!("Policy {arn} does not exist or is not attachable."));
    }
    for arn in ["BedrockAgentCoreFullAccess", "arn:aws:iam::000000000000:role/r"] {
        let params = json!({"RoleName": "r", "PolicyArn": arn});
        let message = root.call("iam", "AttachRolePolicy", params).await.refused(400, "InvalidInput");
        assert_eq!(message, format!("ARN {arn} is not valid."));
    }
}

#[tokio::test]
async fn who_may_attach_can_be_bound_to_one_policy() {
    let world = World::new().await;
    world.root().makes_role("r", trust("Service", "lambda.amazonaws.com"), None).await;
    let mut policy = allow("iam:AttachRolePolicy", "arn:aws:iam::*:role/*");
    policy["Statement"][0]["Condition"] = json!({"ArnEquals": {"iam:PolicyARN": LAMBDA_BASIC}});
    let ann = world.user("ann", Some(policy)).await;
    let attach = |arn: &str| ann.call("iam", "AttachRolePolicy", json!({"RoleName": "r", "PolicyArn": arn}));
    attach(LAMBDA_BASIC).await.good();
    attach("arn:aws:iam::aws:policy/AdministratorAccess").await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn ten_policies_are_attached_at_most() {
    let world = World::new().await;
    let root = world.root();
    root.makes_role("r", trust("Service", "lambda.amazonaws.com"), None).await;
    let attach = async |number: usize| {
        let policy =
            json!({"PolicyName": format!("p{number}"), "PolicyDocument": allow("s3:*", "*").to_string()});
        let made = root.call("iam", "CreatePolicy", policy).await.good();
        let params = json!({"RoleName": "r", "PolicyArn": made["Policy"]["Arn"]});
        root.call("iam", "AttachRolePolicy", params).await
    };
    for number in 0..10 {
        attach(number).await.good();
    }
    let message = attach(10).await.refused(409, "LimitExceeded");
    assert_eq!(message, "Cannot exceed quota for PoliciesPerRole: 10");
}

#[tokio::test]
async fn inline_policies_are_written_read_and_taken_out() {
    for world in World::on_each_database().await {
        let root = world.root();
        root.makes_role("r", trust("Service", "lambda.amazonaws.com"), None).await;
        let text = allow("lambda:InvokeFunction", "*").to_string();
        let put = |name: &str, text: &str| {
            let params = json!({"RoleName": "r", "PolicyName": name, "PolicyDocument": text});
            root.call("iam", "PutRolePolicy", params)
        };
        put("b", &text).await.good();
        put("a", &text).await.good();
        let listed = root.call("iam", "ListRolePolicies", json!({"RoleName": "r"})).await.good();
        assert_eq!(listed, json!({"PolicyNames": ["a", "b"], "IsTruncated": false}));
        let got = json!({"RoleName": "r", "PolicyName": "a"});
        let got = root.call("iam", "GetRolePolicy", got).await.good();
        assert_eq!(decoded(&got["PolicyDocument"]), text);
        let message = put("c", "{}").await.refused(400, "MalformedPolicyDocument");
        assert!(message.starts_with("Syntax errors in policy."), "{message}");
        let message = put("c", &of_length(10_240)).await.refused(409, "LimitExceeded");
        assert_eq!(message, "Maximum policy size of 10240 bytes exceeded for role r");
        let message =
            root.call("iam", "DeleteRole", json!({"RoleName": "r"})).await.refused(409, "DeleteConflict");
        assert_eq!(message, "Cannot delete entity, must delete policies first.");
        for name in ["a", "b"] {
            let params = json!({"RoleName": "r", "PolicyName": name});
            root.call("iam", "DeleteRolePolicy", params.clone()).await.good();
            let message = root.call("iam", "DeleteRolePolicy", params).await.refused(404, "NoSuchEntity");
            assert_eq!(message, format!("The role policy with name {name} cannot be found."));
        }
        put("whole", &of_length(10_240)).await.good();
    }
}

#[tokio::test]
async fn nothing_is_done_to_a_role_that_is_not_there() {
    let world = World::new().await;
    let root = world.root();
    let policy = allow("*", "*").to_string();
    for (operation, params) in [
        ("GetRole", json!({})),
        ("UpdateAssumeRolePolicy", json!({"PolicyDocument": trust("AWS", "000000000000").to_string()})),
        ("DeleteRole", json!({})),
        ("PutRolePolicy", json!({"PolicyName": "p", "PolicyDocument": policy})),
        ("GetRolePolicy", json!({"PolicyName": "p"})),
        ("ListRolePolicies", json!({})),
        ("DeleteRolePolicy", json!({"PolicyName": "p"})),
        ("AttachRolePolicy", json!({"PolicyArn": LAMBDA_BASIC})),
        ("DetachRolePolicy", json!({"PolicyArn": LAMBDA_BASIC})),
        ("ListAttachedRolePolicies", json!({})),
    ] {
        let mut params = params;
        params["RoleName"] = json!("ghost");
        let message = root.call("iam", operation, params).await.refused(404, "NoSuchEntity");
        assert_eq!(message, "The role with name ghost cannot be found.", "{operation}");
    }
}
