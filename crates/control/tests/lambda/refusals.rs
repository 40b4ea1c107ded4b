//! Every promised operation, unsigned, signed by a stranger, by a user whom no policy allows anything, malformed, and for
//! a function that is not there.

use std::collections::BTreeSet;

use aws_shapes::lambda::SERVICE;
use domain::{Actor, Decision, Outcome};
use serde_json::{Value, json};

use crate::support::{World, allow};
use crate::{ECHO, archive, call, make, python, with};

const ROLE: &str = "arn:aws:iam::000000000000:role/functions";

/// An operation with a request that is sound, about a function that does not exist, and one that is not.
struct Case {
    operation: &'static str,
    action: &'static str,
    sound: Value,
    malformed: Value,
}

fn cases() -> Vec<Case> {
    let name = json!({"FunctionName": "no-such"});
    let spaced = json!({"FunctionName": "two words"});
    let case = |operation, action, sound, malformed| Case { operation, action, sound, malformed };
    let permission = with(
        &name,
        json!({"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "000000000000"}),
    );
    let alias = with(&name, json!({"Name": "PROD"}));
    let of_alias = with(&alias, json!({"FunctionVersion": "1"}));
    let spaced_alias = with(&alias, json!({"Name": "two words", "FunctionVersion": "1"}));
    let code = with(&name, json!({"ZipFile": archive(&[("lambda_function.py", ECHO)])}));
    vec![
        case("GetFunctionConfiguration", "GetFunctionConfiguration", name.clone(), spaced.clone()),
        case("UpdateFunctionCode", "UpdateFunctionCode", code, spaced.clone()),
        case(
            "UpdateFunctionConfiguration",
            "UpdateFunctionConfiguration",
            with(&name, json!({"Timeout": 5})),
            with(&name, json!({"Timeout": 0})),
        ),
        case("PublishVersion", "PublishVersion", name.clone(), spaced.clone()),
        case("ListVersionsByFunction", "ListVersionsByFunction", name.clone(), spaced.clone()),
        case("CreateAlias", "CreateAlias", of_alias.clone(), spaced_alias.clone()),
        case("GetAlias", "GetAlias", alias.clone(), spaced_alias.clone()),
        case("ListAliases", "ListAliases", name.clone(), spaced.clone()),
        case("UpdateAlias", "UpdateAlias", of_alias, spaced_alias.clone()),
        case("DeleteAlias", "DeleteAlias", alias, spaced_alias),
        case("CreateFunction", "CreateFunction", python("no-such", ROLE, ECHO), json!({})),
        case("GetFunction", "GetFunction", name.clone(), spaced.clone()),
        case("ListFunctions", "ListFunctions", json!({}), json!({"MaxItems": 0})),
        case("DeleteFunction", "DeleteFunction", name.clone(), spaced.clone()),
        case("Invoke", "InvokeFunction", name.clone(), spaced.clone()),
        case(
            "AddPermission",
            "AddPermission",
            permission.clone(),
            with(&permission, json!({"Action": "s3:Get"})),
        ),
        case("GetPolicy", "GetPolicy", name.clone(), spaced.clone()),
        case(
            "RemovePermission",
            "RemovePermission",
            with(&name, json!({"StatementId": "s"})),
            with(&spaced, json!({"StatementId": "s"})),
        ),
    ]
}

#[test]
fn the_cases_are_all_operations_that_are_promised() {
    let known: BTreeSet<_> = cases().iter().map(|case| case.operation).collect();
    let promised: BTreeSet<_> = SERVICE.operations.iter().map(|operation| operation.name).collect();
    assert_eq!(known, promised);
}

#[tokio::test]
async fn nobody_unsigned_gets_anything() {
    let world = World::new().await;
    for case in cases() {
        let answered = call(&world.anonymous(), case.operation, case.sound).await;
        answered.refused(403, "MissingAuthenticationTokenException");
    }
}

#[tokio::test]
async fn nobody_with_an_unknown_key_or_another_ones_secret_gets_anything() {
    let world = World::new().await;
    let forger = world.actor(world.root().access_key_id(), "a guess", None);
    for case in cases() {
        let answered = call(&world.stranger(), case.operation, case.sound.clone()).await;
        answered.refused(403, "UnrecognizedClientException");
        call(&forger, case.operation, case.sound).await.refused(403, "InvalidSignatureException");
    }
}

#[tokio::test]
async fn a_user_without_policies_may_do_nothing_and_learns_nothing() {
    let world = World::new().await;
    let nobody = world.user("nobody", None).await;
    make(&world.root(), "there", ECHO).await;
    for case in cases() {
        let refusal = |answered: crate::support::Answered| answered.refused(403, "AccessDeniedException");
        let message = refusal(call(&nobody, case.operation, case.sound.clone()).await);
        let action = format!("lambda:{}", case.action);
        let about = case.sound["FunctionName"].as_str().unwrap_or("*");
        let arn = if about == "*" {
            about.to_owned()
        } else {
            format!("arn:aws:lambda:us-west-2:000000000000:function:{about}")
        };
        let expected = format!(
            "User: arn:aws:iam::000000000000:user/nobody is not authorized to perform: {action} on resource: {arn} "
        );
        assert!(message.starts_with(&expected), "{message}");
        let event = world.event(&action).await;
        assert_eq!((event.decision, event.outcome), (Decision::Deny, Outcome::Refused), "{action}");
        assert!(matches!(event.actor, Actor::Iam { arn, .. } if arn.ends_with("user/nobody")), "{action}");
        // A function that is there is refused in the same words.
        if about != "*" {
            let params = with(&case.sound, json!({"FunctionName": "there"}));
            let same = refusal(call(&nobody, case.operation, params).await);
            assert_eq!(same, message.replace("no-such", "there"));
        }
    }
}

#[tokio::test]
async fn a_policy_for_one_function_is_no_policy_for_another() {
    let world = World::new().await;
    make(&world.root(), "mine", ECHO).await;
    let arn = "arn:aws:lambda:us-west-2:000000000000:function:mine";
    let keeper = world.user("keeper", Some(allow("lambda:*", arn))).await;
    call(&keeper, "GetFunction", json!({"FunctionName": "mine"})).await.good();
    call(&keeper, "Invoke", json!({"FunctionName": arn})).await.good();
    call(&keeper, "GetFunction", json!({"FunctionName": "other"}))
        .await
        .refused(403, "AccessDeniedException");
    call(&keeper, "ListFunctions", json!({})).await.refused(403, "AccessDeniedException");
}

#[tokio::test]
async fn malformed_requests_are_refused_before_anything_else() {
    let world = World::new().await;
    for case in cases() {
        let message =
            call(&world.root(), case.operation, case.malformed).await.refused(400, "ValidationException");
        assert!(message.contains("failed to satisfy constraint"), "{}: {message}", case.operation);
    }
    let event = json!({"FunctionName": "f", "InvocationType": "Event"});
    let message = call(&world.root(), "Invoke", event).await.refused(400, "ValidationException");
    assert!(message.contains("not supported by Portcullis yet"), "{message}");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    for world in World::on_each_database().await {
        let arn = "arn:aws:lambda:us-west-2:000000000000:function:no-such";
        for case in cases() {
            if matches!(case.operation, "CreateFunction" | "ListFunctions") {
                continue;
            }
            for called in ["no-such", arn, "000000000000:function:no-such"] {
                let params = with(&case.sound, json!({"FunctionName": called}));
                let answered = call(&world.root(), case.operation, params).await;
                let message = answered.refused(404, "ResourceNotFoundException");
                assert_eq!(message, format!("Function not found: {arn}"), "{}", case.operation);
            }
        }
    }
}

#[tokio::test]
async fn versions_other_regions_and_odd_names_are_told_apart() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "f", ECHO).await;
    let get = |name: &str| call(&root, "GetFunction", json!({"FunctionName": name}));
    let arn = "arn:aws:lambda:us-west-2:000000000000:function:f";
    get("f:$LATEST").await.good();
    get(&format!("{arn}:$LATEST")).await.good();
    let params = json!({"FunctionName": "f", "Qualifier": "$LATEST"});
    call(&root, "Invoke", params).await.good();
    for params in [json!({"FunctionName": "f:PROD"}), json!({"FunctionName": "f", "Qualifier": "PROD"})] {
        let message = call(&root, "Invoke", params).await.refused(404, "ResourceNotFoundException");
        assert_eq!(message, format!("Function not found: {arn}:PROD"));
    }
    let params = json!({"FunctionName": "f:$LATEST", "Qualifier": "1"});
    let message = call(&root, "GetFunction", params).await.refused(400, "InvalidParameterValueException");
    assert_eq!(
        message,
        "The derived qualifier from the function name does not match the specified qualifier."
    );
    let message = get("arn:aws:lambda:eu-west-1:000000000000:function:f").await;
    assert_eq!(
        message.refused(404, "ResourceNotFoundException"),
        "Functions from 'eu-west-1' are not reachable in this region ('us-west-2')"
    );
    let abroad = root.in_region("eu-west-1");
    let answered = call(&abroad, "GetFunction", json!({"FunctionName": "f"})).await;
    answered.refused(404, "ResourceNotFoundException");
    let message = call(&root, "DeleteFunction", json!({"FunctionName": "f:$LATEST"})).await;
    message.refused(400, "InvalidParameterValueException");
    get("f").await.good();
}
