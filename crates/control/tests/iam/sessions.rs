//! STS: who somebody is, and sessions of roles.

use std::time::Duration;

use domain::{Actor, Decision, Outcome};
use serde_json::{Value, json};

use crate::support::{World, allow, trust};

const ROLE: &str = "arn:aws:iam::000000000000:role/r";

fn session(role: &str) -> Value {
    json!({"RoleArn": role, "RoleSessionName": "session"})
}

fn refusal(user: &str, role: &str) -> String {
    format!("User: {user} is not authorized to perform: sts:AssumeRole on resource: {role}")
}

#[tokio::test]
async fn everybody_may_ask_who_they_are() {
    let world = World::new().await;
    let who = world.root().call("sts", "GetCallerIdentity", json!({})).await.good();
    assert_eq!(
        who,
        json!({"UserId": "000000000000", "Account": "000000000000", "Arn": "arn:aws:iam::000000000000:root"})
    );
    let forbidden = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "sts:GetCallerIdentity", "Resource": "*"}],
    });
    let ann = world.user("ann", Some(forbidden)).await;
    let who = ann.call("sts", "GetCallerIdentity", json!({})).await.good();
    assert_eq!(who["Arn"], "arn:aws:iam::000000000000:user/ann");
    assert!(who["UserId"].as_str().unwrap().starts_with("AIDA"));
}

#[tokio::test]
async fn a_session_is_the_role_until_it_ends() {
    for world in World::on_each_database().await {
        let root = world.root();
        let ann = world.user("ann", Some(allow("sts:AssumeRole", ROLE))).await;
        let may = allow("iam:ListRoles", "*");
        root.makes_role("r", trust("AWS", "arn:aws:iam::000000000000:root"), Some(may)).await;
        let made = ann.call("sts", "AssumeRole", session(ROLE)).await.good();
        let user = &made["AssumedRoleUser"];
        assert_eq!(user["Arn"], "arn:aws:sts::000000000000:assumed-role/r/session");
        assert!(user["AssumedRoleId"].as_str().unwrap().starts_with("AROA"));
        assert!(user["AssumedRoleId"].as_str().unwrap().ends_with(":session"));
        assert_eq!(made["Credentials"]["Expiration"], "2025-11-21T10:30:00.000Z");
        let event = world.event("sts:AssumeRole").await;
        assert_eq!((event.decision, event.outcome), (Decision::Allow, Outcome::Success));
        assert_eq!(event.resource.as_deref(), Some(ROLE));
        let session = ann.assumes(session(ROLE)).await;
        let who = session.call("sts", "GetCallerIdentity", json!({})).await.good();
        assert_eq!((&who["Arn"], &who["UserId"]), (&user["Arn"], &user["AssumedRoleId"]));
        session.call("iam", "ListRoles", json!({})).await.good();
        session.call("iam", "ListUsers", json!({})).await.refused(403, "AccessDenied");
        let message = session.call("iam", "GetUser", json!({})).await.refused(400, "ValidationError");
        assert_eq!(message, "Must specify userName when calling with non-User credentials");
        // The token belongs to its key and nobody else's.
        let key = session.access_key_id();
        let bare = world.actor(key, "whatever", None);
        bare.call("iam", "ListRoles", json!({})).await.refused(403, "InvalidClientTokenId");
        world.advance(Duration::from_secs(3_600));
        session.call("iam", "ListRoles", json!({})).await.refused(403, "ExpiredToken");
    }
}

#[tokio::test]
async fn a_role_that_is_not_there_and_one_that_does_not_trust_are_refused_alike() {
    let world = World::new().await;
    let root = world.root();
    let ann = world.user("ann", Some(allow("sts:AssumeRole", "*"))).await;
    let mut forbidden = trust("AWS", "000000000000");
    forbidden["Statement"][0]["Effect"] = json!("Deny");
    root.makes_role("distrusts", trust("Service", "lambda.amazonaws.com"), None).await;
    root.makes_role("forbids", forbidden, None).await;
    root.makes_role("trusts-bob", trust("AWS", "arn:aws:iam::000000000000:user/bob"), None).await;
    for name in ["distrusts", "forbids", "trusts-bob", "nowhere"] {
        let role = format!("arn:aws:iam::000000000000:role/{name}");
        let message = ann.call("sts", "AssumeRole", session(&role)).await.refused(403, "AccessDenied");
        assert_eq!(message, refusal("arn:aws:iam::000000000000:user/ann", &role));
    }
    // Nor does an account that is not there differ from one that is.
    let role = "arn:aws:iam::999999999999:role/r";
    let message = ann.call("sts", "AssumeRole", session(role)).await.refused(403, "AccessDenied");
    assert_eq!(message, refusal("arn:aws:iam::000000000000:user/ann", role));
}

#[tokio::test]
async fn a_trusted_account_decides_by_its_own_policies_and_a_trusted_user_needs_none() {
    let world = World::new().await;
    let root = world.root();
    root.makes_role("r", trust("AWS", "000000000000"), None).await;
    let ann = world.user("ann", None).await;
    ann.call("sts", "AssumeRole", session(ROLE)).await.refused(403, "AccessDenied");
    let named = trust("AWS", "arn:aws:iam::000000000000:user/ann").to_string();
    let update = json!({"RoleName": "r", "PolicyDocument": named});
    root.call("iam", "UpdateAssumeRolePolicy", update).await.good();
    ann.call("sts", "AssumeRole", session(ROLE)).await.good();
    let bob = world.user("bob", Some(allow("sts:*", "*"))).await;
    bob.call("sts", "AssumeRole", session(ROLE)).await.refused(403, "AccessDenied");
}

/// AWS lets the root of an account assume nothing; here it needs the role's trust and nothing else.
#[tokio::test]
async fn the_root_assumes_roles_that_trust_its_account() {
    let world = World::new().await;
    let root = world.root();
    root.makes_role("r", trust("AWS", "000000000000"), None).await;
    root.call("sts", "AssumeRole", session(ROLE)).await.good();
    let other = root.makes_role("other", trust("Service", "lambda.amazonaws.com"), None).await;
    root.call("sts", "AssumeRole", session(&other)).await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn across_accounts_both_sides_must_allow() {
    for world in World::on_each_database().await {
        let other = world.account("111111111111").await;
        let role = other
            .makes_role(
                "shared",
                trust("AWS", "arn:aws:iam::000000000000:root"),
                Some(allow("iam:ListRoles", "*")),
            )
            .await;
        assert_eq!(role, "arn:aws:iam::111111111111:role/shared");
        let may = world.user("may", Some(allow("sts:AssumeRole", &role))).await;
        let may_not = world.user("may-not", None).await;
        may_not.call("sts", "AssumeRole", session(&role)).await.refused(403, "AccessDenied");
        let there = may.assumes(session(&role)).await;
        // Whose role it is reads in their own trail who came.
        let event = world.event("sts:AssumeRole").await;
        assert_eq!(event.scope.account.as_str(), "111111111111");
        assert!(matches!(event.actor, Actor::Iam { arn, .. } if arn.ends_with("000000000000:user/may")));
        let who = there.call("sts", "GetCallerIdentity", json!({})).await.good();
        assert_eq!(who["Account"], "111111111111");
        let listed = there.call("iam", "ListRoles", json!({})).await.good();
        assert_eq!(listed["Roles"][0]["Arn"], role.as_str());
        let distrusts = other.makes_role("closed", trust("AWS", "111111111111"), None).await;
        may.call("sts", "AssumeRole", session(&distrusts)).await.refused(403, "AccessDenied");
    }
}

#[tokio::test]
async fn trust_may_ask_for_an_external_id_and_a_session_name() {
    let world = World::new().await;
    let mut trusted = trust("AWS", "arn:aws:iam::000000000000:user/ann");
    trusted["Statement"][0]["Condition"] = json!({
        "StringEquals": {"sts:ExternalId": "42-is-it"},
        "StringLike": {"sts:RoleSessionName": "ann-*"},
    });
    world.root().makes_role("r", trusted, None).await;
    let ann = world.user("ann", None).await;
    let params = |id: Option<&str>, name: &str| {
        let mut params = json!({"RoleArn": ROLE, "RoleSessionName": name});
        if let Some(id) = id {
            params["ExternalId"] = json!(id);
        }
        params
    };
    ann.call("sts", "AssumeRole", params(Some("42-is-it"), "ann-1")).await.good();
    for wrong in [params(None, "ann-1"), params(Some("43"), "ann-1"), params(Some("42-is-it"), "bob-1")] {
        ann.call("sts", "AssumeRole", wrong).await.refused(403, "AccessDenied");
    }
}

#[tokio::test]
async fn a_session_lasts_as_long_as_its_role_lets_it() {
    let world = World::new().await;
    let root = world.root();
    let params = json!({
        "RoleName": "r",
        "AssumeRolePolicyDocument": trust("AWS", "000000000000").to_string(),
        "MaxSessionDuration": 7_200,
    });
    root.call("iam", "CreateRole", params).await.good();
    let policy = allow("sts:AssumeRole", "*").to_string();
    let put = json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": policy});
    root.call("iam", "PutRolePolicy", put).await.good();
    let lasting = |seconds: i64| {
        let mut params = session(ROLE);
        params["DurationSeconds"] = json!(seconds);
        params
    };
    let made = root.call("sts", "AssumeRole", lasting(7_200)).await.good();
    assert_eq!(made["Credentials"]["Expiration"], "2025-11-21T11:30:00.000Z");
    let made = root.call("sts", "AssumeRole", lasting(900)).await.good();
    assert_eq!(made["Credentials"]["Expiration"], "2025-11-21T09:45:00.000Z");
    let message = root.call("sts", "AssumeRole", lasting(7_201)).await.refused(400, "ValidationError");
    assert_eq!(message, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    root.call("sts", "AssumeRole", lasting(899)).await.refused(400, "ValidationError");
    let chained = root.assumes(session(ROLE)).await;
    chained.call("sts", "AssumeRole", lasting(3_600)).await.good();
    let message = chained.call("sts", "AssumeRole", lasting(3_601)).await.refused(400, "ValidationError");
    assert_eq!(
        message,
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    );
}

#[tokio::test]
async fn a_session_policy_narrows_and_never_widens() {
    for world in World::on_each_database().await {
        let root = world.root();
        let both = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": ["iam:ListRoles", "iam:ListUsers"], "Resource": "*"}],
        });
        root.makes_role("r", trust("AWS", "000000000000"), Some(both)).await;
        let mut params = session(ROLE);
        let narrow = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": ["iam:ListRoles", "iam:ListPolicies"], "Resource": "*"}],
        });
        params["Policy"] = json!(narrow.to_string());
        let narrowed = root.assumes(params.clone()).await;
        narrowed.call("iam", "ListRoles", json!({})).await.good();
        let message = narrowed.call("iam", "ListUsers", json!({})).await.refused(403, "AccessDenied");
        assert!(message.contains("no session policy allows"), "{message}");
        narrowed.call("iam", "ListPolicies", json!({})).await.refused(403, "AccessDenied");
        params["Policy"] = json!("{}");
        root.call("sts", "AssumeRole", params.clone()).await.refused(400, "MalformedPolicyDocument");
        params["Policy"] = json!(" ".repeat(3_000));
        let message = root.call("sts", "AssumeRole", params).await.refused(400, "PackedPolicyTooLarge");
        assert_eq!(message, "Packed policy consumes 146% of allotted space, please use smaller policy.");
    }
}

#[tokio::test]
async fn a_session_dies_with_its_role() {
    let world = World::new().await;
    let root = world.root();
    root.makes_role("r", trust("AWS", "000000000000"), None).await;
    let orphan = root.assumes(session(ROLE)).await;
    root.call("iam", "DeleteRole", json!({"RoleName": "r"})).await.good();
    orphan.call("sts", "GetCallerIdentity", json!({})).await.refused(403, "InvalidClientTokenId");
    // A role of the same name is another role.
    root.makes_role("r", trust("AWS", "000000000000"), None).await;
    orphan.call("sts", "GetCallerIdentity", json!({})).await.refused(403, "InvalidClientTokenId");
}

#[tokio::test]
async fn what_is_no_role_cannot_be_assumed() {
    let world = World::new().await;
    for (wrong, text) in [
        ("just-a-name-and-no-arn-at-all", "just-a-name-and-no-arn-at-all is invalid"),
        ("arn:aws:iam::000000000000:user/ann", "Request ARN is invalid"),
        ("arn:aws:s3:::role/bucket", "Request ARN is invalid"),
    ] {
        let message =
            world.root().call("sts", "AssumeRole", session(wrong)).await.refused(400, "ValidationError");
        assert_eq!(message, text);
    }
    // With another path it is another role.
    world.root().makes_role("r", trust("AWS", "000000000000"), None).await;
    let elsewhere = session("arn:aws:iam::000000000000:role/team/r");
    world.root().call("sts", "AssumeRole", elsewhere).await.refused(403, "AccessDenied");
}
