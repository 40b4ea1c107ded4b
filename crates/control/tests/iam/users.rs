//! Users: made, found, listed, deleted; the policies that are written into them.

use serde_json::{Value, json};

use crate::support::{World, allow};

#[tokio::test]
async fn a_user_is_made_found_listed_and_deleted() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = root.call("iam", "CreateUser", json!({"UserName": "Ann", "Path": "/team/"})).await.good();
        let user = &made["User"];
        assert_eq!(user["Arn"], "arn:aws:iam::000000000000:user/team/Ann");
        assert_eq!(user["Path"], "/team/");
        assert_eq!(user["CreateDate"], "2025-11-21T09:30:00.000Z");
        assert!(user["UserId"].as_str().unwrap().starts_with("AIDA"), "{user}");
        let got = root.call("iam", "GetUser", json!({"UserName": "Ann"})).await.good();
        assert_eq!(got["User"], *user);
        let listed = root.call("iam", "ListUsers", json!({})).await.good();
        assert_eq!(listed, json!({"Users": [user], "IsTruncated": false}));
        root.call("iam", "DeleteUser", json!({"UserName": "Ann"})).await.good();
        let message =
            root.call("iam", "GetUser", json!({"UserName": "Ann"})).await.refused(404, "NoSuchEntity");
        assert_eq!(message, "The user with name Ann cannot be found.");
    }
}

#[tokio::test]
async fn a_name_is_taken_whatever_its_case() {
    let world = World::new().await;
    let root = world.root();
    root.call("iam", "CreateUser", json!({"UserName": "ann"})).await.good();
    for name in ["ann", "ANN"] {
        let params = json!({"UserName": name, "Path": "/elsewhere/"});
        let message = root.call("iam", "CreateUser", params).await.refused(409, "EntityAlreadyExists");
        assert_eq!(message, format!("User with name {name} already exists."));
    }
}

#[tokio::test]
async fn without_a_name_the_user_is_the_one_who_asks() {
    let world = World::new().await;
    let root = world.root().call("iam", "GetUser", json!({})).await.good();
    assert_eq!(root["User"]["Arn"], "arn:aws:iam::000000000000:root");
    assert_eq!(root["User"]["UserId"], "000000000000");
    let own = "arn:aws:iam::*:user/${aws:username}";
    let ann = world.user("ann", Some(allow("iam:GetUser", own))).await;
    let got = ann.call("iam", "GetUser", json!({})).await.good();
    assert_eq!(got["User"]["UserName"], "ann");
    world.user("bob", None).await;
    let message = ann.call("iam", "GetUser", json!({"UserName": "bob"})).await.refused(403, "AccessDenied");
    assert_eq!(
        message,
        "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:GetUser on resource: user bob \
         because no identity-based policy allows the iam:GetUser action"
    );
}

#[tokio::test]
async fn lists_are_cut_by_path_and_by_page() {
    for world in World::on_each_database().await {
        let root = world.root();
        for (name, path) in
            [("e", "/"), ("B", "/team/"), ("a", "/team/x/"), ("d", "/team/"), ("c", "/teams/")]
        {
            root.call("iam", "CreateUser", json!({"UserName": name, "Path": path})).await.good();
        }
        let mut seen = Vec::new();
        let mut params = json!({"MaxItems": 2});
        loop {
            let page = root.call("iam", "ListUsers", params.clone()).await.good();
            seen.push(names(&page["Users"], "UserName"));
            if page["IsTruncated"] == false {
                assert!(page.get("Marker").is_none());
                break;
            }
            params["Marker"] = page["Marker"].clone();
        }
        assert_eq!(seen, [vec!["a", "B"], vec!["c", "d"], vec!["e"]]);
        // The filter comes before the cut: a page is full while there is something to fill it with.
        let page = json!({"PathPrefix": "/team/", "MaxItems": 2});
        let page = root.call("iam", "ListUsers", page).await.good();
        assert_eq!(names(&page["Users"], "UserName"), ["a", "B"]);
        assert_eq!(page["IsTruncated"], true);
        let wrong = json!({"Marker": "not ours!"});
        root.call("iam", "ListUsers", wrong).await.refused(400, "ValidationError");
    }
}

#[tokio::test]
async fn listing_is_decided_about_the_path_that_is_listed() {
    let world = World::new().await;
    let all = world.user("all", Some(allow("iam:ListUsers", "arn:aws:iam::*:user/*"))).await;
    all.call("iam", "ListUsers", json!({})).await.good();
    all.call("iam", "ListUsers", json!({"PathPrefix": "/team/"})).await.good();
    let team = world.user("team", Some(allow("iam:ListUsers", "arn:aws:iam::*:user/team/*"))).await;
    team.call("iam", "ListUsers", json!({"PathPrefix": "/team/"})).await.good();
    let message = team.call("iam", "ListUsers", json!({})).await.refused(403, "AccessDenied");
    assert!(message.contains("on resource: arn:aws:iam::000000000000:user/ because"), "{message}");
}

#[tokio::test]
async fn what_a_user_holds_keeps_it_from_being_deleted() {
    for world in World::on_each_database().await {
        let root = world.root();
        let policy = allow("sts:GetCallerIdentity", "*").to_string();
        let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
        let named = json!({"UserName": "ann"});
        let delete = || root.call("iam", "DeleteUser", json!({"UserName": "ann"}));
        root.call("iam", "CreateUser", named.clone()).await.good();
        root.call("iam", "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": arn})).await.good();
        let message = delete().await.refused(409, "DeleteConflict");
        assert_eq!(message, "Cannot delete entity, must detach all policies first.");
        root.call("iam", "DetachUserPolicy", json!({"UserName": "ann", "PolicyArn": arn})).await.good();
        let put = json!({"UserName": "ann", "PolicyName": "p", "PolicyDocument": policy});
        root.call("iam", "PutUserPolicy", put).await.good();
        let message = delete().await.refused(409, "DeleteConflict");
        assert_eq!(message, "Cannot delete entity, must delete policies first.");
        root.call("iam", "DeleteUserPolicy", json!({"UserName": "ann", "PolicyName": "p"})).await.good();
        let key = root.call("iam", "CreateAccessKey", named.clone()).await.good();
        let message = delete().await.refused(409, "DeleteConflict");
        assert_eq!(message, "Cannot delete entity, must delete access keys first.");
        let key = json!({"UserName": "ann", "AccessKeyId": key["AccessKey"]["AccessKeyId"]});
        root.call("iam", "DeleteAccessKey", key).await.good();
        delete().await.good();
        delete().await.refused(404, "NoSuchEntity");
    }
}

#[tokio::test]
async fn inline_policies_are_kept_to_the_letter_and_count_at_once() {
    for world in World::on_each_database().await {
        let root = world.root();
        let ann = world.user("ann", None).await;
        ann.call("iam", "ListRoles", json!({})).await.refused(403, "AccessDenied");
        let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"iam:ListRoles\", \"Resource\": \"*\"}]\n}";
        let put = json!({"UserName": "ann", "PolicyName": "p", "PolicyDocument": text});
        root.call("iam", "PutUserPolicy", put).await.good();
        ann.call("iam", "ListRoles", json!({})).await.good();
        let named = json!({"UserName": "ann", "PolicyName": "p"});
        let got = root.call("iam", "GetUserPolicy", named.clone()).await.good();
        assert_eq!(decoded(&got["PolicyDocument"]), text);
        assert_eq!((&got["UserName"], &got["PolicyName"]), (&json!("ann"), &json!("p")));
        let listed = root.call("iam", "ListUserPolicies", json!({"UserName": "ann"})).await.good();
        assert_eq!(listed, json!({"PolicyNames": ["p"], "IsTruncated": false}));
        root.call("iam", "DeleteUserPolicy", named.clone()).await.good();
        ann.call("iam", "ListRoles", json!({})).await.refused(403, "AccessDenied");
        for operation in ["GetUserPolicy", "DeleteUserPolicy"] {
            let message = root.call("iam", operation, named.clone()).await.refused(404, "NoSuchEntity");
            assert_eq!(message, "The user policy with name p cannot be found.");
        }
    }
}

#[tokio::test]
async fn nothing_is_put_into_or_found_in_a_user_that_is_not_there() {
    let world = World::new().await;
    let root = world.root();
    let policy = allow("*", "*").to_string();
    let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    for (operation, params) in [
        ("DeleteUser", json!({})),
        ("PutUserPolicy", json!({"PolicyName": "p", "PolicyDocument": policy})),
        ("GetUserPolicy", json!({"PolicyName": "p"})),
        ("ListUserPolicies", json!({})),
        ("DeleteUserPolicy", json!({"PolicyName": "p"})),
        ("AttachUserPolicy", json!({"PolicyArn": arn})),
        ("DetachUserPolicy", json!({"PolicyArn": arn})),
        ("ListAttachedUserPolicies", json!({})),
        ("CreateAccessKey", json!({})),
        ("ListAccessKeys", json!({})),
        ("UpdateAccessKey", json!({"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "Status": "Inactive"})),
        ("DeleteAccessKey", json!({"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA"})),
    ] {
        let mut params = params;
        params["UserName"] = json!("ghost");
        let message = root.call("iam", operation, params).await.refused(404, "NoSuchEntity");
        assert_eq!(message, "The user with name ghost cannot be found.", "{operation}");
    }
}

#[tokio::test]
async fn the_inline_policies_of_a_user_have_2048_characters_together() {
    let world = World::new().await;
    let root = world.root();
    root.call("iam", "CreateUser", json!({"UserName": "ann"})).await.good();
    let put = |name: &str, length: usize| {
        let params = json!({"UserName": "ann", "PolicyName": name, "PolicyDocument": of_length(length)});
        root.call("iam", "PutUserPolicy", params)
    };
    put("a", 1_024).await.good();
    put("b", 1_024).await.good();
    let message = put("c", 200).await.refused(409, "LimitExceeded");
    assert_eq!(message, "Maximum policy size of 2048 bytes exceeded for user ann");
    // One that is written again does not count twice.
    put("b", 1_000).await.good();
    put("b", 1_025).await.refused(409, "LimitExceeded");
}

/// A policy that takes exactly so much of a quota.
pub(crate) fn of_length(length: usize) -> String {
    let policy = |resource: &str| {
        let policy = allow("s3:GetObject", &format!("arn:aws:s3:::{resource}"));
        serde_json::to_string_pretty(&policy).unwrap()
    };
    let size = |text: &str| text.chars().filter(|character| !character.is_whitespace()).count();
    let text = policy(&"x".repeat(length - size(&policy(""))));
    assert_eq!(size(&text), length);
    text
}

/// A document as a client reads it.
pub(crate) fn decoded(document: &Value) -> String {
    percent_encoding::percent_decode_str(document.as_str().unwrap()).decode_utf8().unwrap().into_owned()
}

/// One member of each.
pub(crate) fn names(list: &Value, member: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}
