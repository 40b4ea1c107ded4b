//! Every promised operation, unsigned, signed by a stranger, by a user whom no policy allows anything, malformed, and for
//! something that is not there.

use std::collections::BTreeSet;

use aws_shapes::cognito_idp::SERVICE;
use domain::{Actor, Decision, Outcome};
use serde_json::{Value, json};

use crate::support::{World, allow};
use crate::{call, machine, make_pool, with};

const NO_POOL: &str = "us-west-2_abcdefghi";

/// An operation with a sound request about something that does not exist.
struct Case {
    operation: &'static str,
    sound: Value,
    /// What the refusal says of that; nothing where the request is about nothing in particular.
    missing: Option<&'static str>,
}

fn cases() -> Vec<Case> {
    let no_pool = Some("User pool us-west-2_abcdefghi does not exist.");
    let case = |operation, sound| Case { operation, sound, missing: no_pool };
    let open = |operation, sound| Case { operation, sound, missing: None };
    let pool = json!({"UserPoolId": NO_POOL});
    let server = with(&pool, json!({"Identifier": "s", "Name": "s"}));
    let client = with(&pool, json!({"ClientId": "c"}));
    let user = with(&pool, json!({"Username": "ada"}));
    let group = with(&pool, json!({"GroupName": "g"}));
    let domain = with(&pool, json!({"Domain": "my-agents"}));
    vec![
        open("CreateUserPool", json!({"PoolName": "p"})),
        case("DescribeUserPool", pool.clone()),
        case("UpdateUserPool", pool.clone()),
        case("DeleteUserPool", pool.clone()),
        open("ListUserPools", json!({"MaxResults": 60})),
        case("CreateUserPoolDomain", domain.clone()),
        open("DescribeUserPoolDomain", json!({"Domain": "my-agents"})),
        case("DeleteUserPoolDomain", domain),
        case("CreateResourceServer", server.clone()),
        case("DescribeResourceServer", with(&pool, json!({"Identifier": "s"}))),
        case("UpdateResourceServer", server),
        case("DeleteResourceServer", with(&pool, json!({"Identifier": "s"}))),
        case("ListResourceServers", pool.clone()),
        case("CreateUserPoolClient", machine(NO_POOL)),
        case("DescribeUserPoolClient", client.clone()),
        case("UpdateUserPoolClient", client.clone()),
        case("DeleteUserPoolClient", client),
        case("ListUserPoolClients", pool.clone()),
        case("AdminCreateUser", user.clone()),
        case("AdminGetUser", user.clone()),
        case("AdminSetUserPassword", with(&user, json!({"Password": "Correct-Horse-1"}))),
        case("AdminDeleteUser", user.clone()),
        case("ListUsers", pool.clone()),
        case("CreateGroup", group),
        case("ListGroups", pool),
        case("AdminAddUserToGroup", with(&user, json!({"GroupName": "g"}))),
        case("AdminListGroupsForUser", user),
    ]
}

#[test]
fn the_cases_are_all_operations_that_are_promised() {
    let known: BTreeSet<_> = cases().iter().map(|case| case.operation).collect();
    // Nobody signs those by which users sign in: the tests of the provider are about them.
    let signed = SERVICE.operations.iter().filter(|operation| operation.resource != "SignIn");
    let promised: BTreeSet<_> = signed.map(|operation| operation.name).collect();
    assert_eq!(known, promised);
}

#[tokio::test]
async fn nobody_unsigned_gets_anything() {
    let world = World::new().await;
    for case in cases() {
        let answered = call(&world.anonymous(), case.operation, case.sound).await;
        answered.refused(400, "MissingAuthenticationTokenException");
    }
}

#[tokio::test]
async fn nobody_with_an_unknown_key_or_another_ones_secret_gets_anything() {
    let world = World::new().await;
    let forger = world.actor(world.root().access_key_id(), "a guess", None);
    for case in cases() {
        let answered = call(&world.stranger(), case.operation, case.sound.clone()).await;
        answered.refused(400, "UnrecognizedClientException");
        let answered = call(&forger, case.operation, case.sound).await;
        answered.refused(400, "InvalidSignatureException");
    }
}

#[tokio::test]
async fn a_user_without_policies_may_do_nothing() {
    let world = World::new().await;
    let nobody = world.user("nobody", None).await;
    for case in cases() {
        let message =
            call(&nobody, case.operation, case.sound.clone()).await.refused(400, "AccessDeniedException");
        let action = format!("cognito-idp:{}", case.operation);
        let about = case.sound["UserPoolId"].as_str();
        let about = about.map_or_else(
            || "*".to_owned(),
            |id| format!("arn:aws:cognito-idp:us-west-2:000000000000:userpool/{id}"),
        );
        let expected = format!(
            "User: arn:aws:iam::000000000000:user/nobody is not authorized to perform: {action} on resource: {about} "
        );
        assert!(message.starts_with(&expected), "{message}");
        let event = world.event(&action).await;
        assert_eq!((event.decision, event.outcome), (Decision::Deny, Outcome::Refused), "{action}");
        assert!(matches!(event.actor, Actor::Iam { arn, .. } if arn.ends_with("user/nobody")), "{action}");
    }
}

#[tokio::test]
async fn a_policy_for_one_pool_is_no_policy_for_another() {
    let world = World::new().await;
    let (one, other) = (make_pool(&world.root(), "one").await, make_pool(&world.root(), "other").await);
    let arn = format!("arn:aws:cognito-idp:us-west-2:000000000000:userpool/{one}");
    let keeper = world.user("keeper", Some(allow("cognito-idp:*", &arn))).await;
    call(&keeper, "DescribeUserPool", json!({"UserPoolId": one})).await.good();
    call(&keeper, "ListUserPoolClients", json!({"UserPoolId": one})).await.good();
    let answered = call(&keeper, "DescribeUserPool", json!({"UserPoolId": other})).await;
    answered.refused(400, "AccessDeniedException");
    let answered = call(&keeper, "CreateUserPool", json!({"PoolName": "third"})).await;
    answered.refused(400, "AccessDeniedException");
}

#[tokio::test]
async fn malformed_requests_are_refused_before_anything_else() {
    let world = World::new().await;
    for case in cases() {
        let message =
            call(&world.root(), case.operation, json!({})).await.refused(400, "InvalidParameterException");
        assert!(message.contains("failed to satisfy constraint"), "{}: {message}", case.operation);
    }
    let users = json!({"PoolName": "p", "UsernameAttributes": ["email"]});
    let message =
        call(&world.root(), "CreateUserPool", users).await.refused(400, "InvalidParameterException");
    assert!(message.contains("not supported by Portcullis yet"), "{message}");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    for world in World::on_each_database().await {
        for case in cases() {
            let answered = call(&world.root(), case.operation, case.sound).await;
            match case.missing {
                Some(missing) => assert_eq!(answered.refused(400, "ResourceNotFoundException"), missing),
                None => drop(answered.good()),
            }
        }
    }
}

#[tokio::test]
async fn a_pool_of_another_account_or_region_is_not_there() {
    let world = World::new().await;
    let pool = make_pool(&world.root(), "p").await;
    let stranger = world.account("111111111111").await;
    for actor in [stranger, world.root().in_region("eu-west-1")] {
        for case in cases().into_iter().filter(|case| case.missing.is_some()) {
            let params = with(&case.sound, json!({"UserPoolId": pool}));
            let message =
                call(&actor, case.operation, params).await.refused(400, "ResourceNotFoundException");
            assert_eq!(message, format!("User pool {pool} does not exist."), "{}", case.operation);
        }
        let listed = call(&actor, "ListUserPools", json!({"MaxResults": 60})).await.good();
        assert_eq!(listed["UserPools"], json!([]));
    }
}
