//! Running functions.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Decision, Outcome};
use serde_json::{Value, json};

use crate::support::{Actor, Answered, World, allow, trust};
use crate::{ECHO, call, make, make_role, python, with};

/// A tool of a gateway, as the documents write it.
const TOOL: &str = r#"
import os

def lambda_handler(event, context):
    name = ""
    if context.client_context and context.client_context.custom:
        name = context.client_context.custom.get("bedrockAgentCoreToolName", "")
    if "___" in name:
        name = name.split("___")[-1]
    print(f"tool {name}")
    return {
        "tool": name,
        "recipient": event.get("recipient_email"),
        "sender": os.environ.get("SES_SENDER_EMAIL"),
        "key": os.environ["AWS_ACCESS_KEY_ID"][:4],
        "request": context.aws_request_id,
        "arn": context.invoked_function_arn,
    }
"#;

async fn invoke(actor: &Actor, name: &str, payload: &str) -> Answered {
    let params = json!({"FunctionName": name, "Payload": STANDARD.encode(payload)});
    call(actor, "Invoke", params).await
}

fn json_of(answered: &Answered) -> Value {
    serde_json::from_slice(&answered.bytes).unwrap()
}

#[tokio::test]
async fn a_tool_is_run_end_to_end() {
    for world in World::on_each_database().await {
        let root = world.root();
        let role = make_role(&root).await;
        let params = with(
            &python("mail", &role, TOOL),
            json!({"Environment": {"Variables": {"SES_SENDER_EMAIL": "a@example.com"}}}),
        );
        call(&root, "CreateFunction", params).await.good();
        let context = r#"{"custom":{"bedrockAgentCoreToolName":"Mail___markdown_to_email"}}"#;
        let params = json!({
            "FunctionName": "mail",
            "Payload": STANDARD.encode(r#"{"recipient_email":"b@example.com"}"#),
            "ClientContext": STANDARD.encode(context),
            "LogType": "Tail",
            "InvocationType": "RequestResponse",
        });
        let answered = call(&root, "Invoke", params).await;
        assert_eq!(answered.status, 200, "{}", answered.message);
        let header = |name: &str| answered.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("x-amz-executed-version"), Some("$LATEST"));
        assert_eq!(header("x-amz-function-error"), None);
        let log = STANDARD.decode(header("x-amz-log-result").unwrap()).unwrap();
        let log = String::from_utf8(log).unwrap();
        assert!(log.contains("tool markdown_to_email") && log.contains("REPORT RequestId"), "{log}");
        assert_eq!(
            json_of(&answered),
            json!({
                "tool": "markdown_to_email",
                "recipient": "b@example.com",
                "sender": "a@example.com",
                "key": "ASIA",
                "request": header("x-amzn-requestid").unwrap(),
                "arn": "arn:aws:lambda:us-west-2:000000000000:function:mail",
            })
        );
        let event = world.event("lambda:InvokeFunction").await;
        assert_eq!((event.decision, event.outcome, event.error), (Decision::Allow, Outcome::Success, None));
        assert_eq!(event.resource.unwrap(), "arn:aws:lambda:us-west-2:000000000000:function:mail");
        assert_eq!(event.request_id.as_str(), header("x-amzn-requestid").unwrap());
    }
}

#[tokio::test]
async fn no_payload_is_an_empty_object_and_any_json_is_an_event() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "echo", ECHO).await;
    let answered = call(&root, "Invoke", json!({"FunctionName": "echo"})).await;
    assert_eq!((answered.text().as_str(), answered.headers.get("x-amz-log-result")), ("{}", None));
    for payload in [r#"{"a": [1, 2.5, null, "ä€"]}"#, r#""text""#, "null", "[]", " 7 "] {
        let answered = invoke(&root, "echo", payload).await;
        assert_eq!(json_of(&answered), serde_json::from_str::<Value>(payload).unwrap());
    }
}

#[tokio::test]
async fn a_failing_function_is_an_answer_with_a_header() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "broken", "def lambda_handler(event, context):\n    raise ValueError('no such city: Ys')\n")
        .await;
    let answered = invoke(&root, "broken", "{}").await;
    assert_eq!(
        (answered.status, &answered.headers["x-amz-function-error"]),
        (200, &"Unhandled".parse().unwrap())
    );
    let error = json_of(&answered);
    assert_eq!(
        (&error["errorType"], &error["errorMessage"]),
        (&json!("ValueError"), &json!("no such city: Ys"))
    );
    let event = world.event("lambda:InvokeFunction").await;
    assert_eq!((event.outcome, event.error.as_deref()), (Outcome::Failure, Some("ValueError")));
}

#[tokio::test]
async fn a_dry_run_decides_and_runs_nothing() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "broken", "raise RuntimeError('run')\n").await;
    let params = json!({"FunctionName": "broken", "InvocationType": "DryRun"});
    let answered = call(&root, "Invoke", params.clone()).await;
    assert_eq!((answered.status, answered.bytes.len()), (204, 0));
    assert_eq!(world.event("lambda:InvokeFunction").await.outcome, Outcome::Success);
    let nobody = world.user("nobody", None).await;
    call(&nobody, "Invoke", params).await.refused(403, "AccessDeniedException");
}

#[tokio::test]
async fn requests_that_no_function_could_read_are_refused() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "echo", ECHO).await;
    for payload in ["{", "{\"a\":1}}", "hello", "'a'"] {
        let message = invoke(&root, "echo", payload).await.refused(400, "InvalidRequestContentException");
        assert!(message.starts_with("Could not parse request body into json: "), "{message}");
    }
    let params = json!({"FunctionName": "echo", "Payload": STANDARD.encode(b"\"\xff\"")});
    call(&root, "Invoke", params).await.refused(400, "InvalidRequestContentException");
    for context in
        ["no base64!", &STANDARD.encode("no json"), &STANDARD.encode("[]"), &STANDARD.encode("{}}")]
    {
        let params = json!({"FunctionName": "echo", "ClientContext": context});
        let message = call(&root, "Invoke", params).await.refused(400, "InvalidRequestContentException");
        assert_eq!(message, "Client context must be a valid Base64-encoded JSON object.");
    }
    let context = format!("{{\"custom\":{{\"a\":\"{}\"}}}}", "x".repeat(2700));
    let params = json!({"FunctionName": "echo", "ClientContext": STANDARD.encode(context)});
    let message = call(&root, "Invoke", params).await.refused(400, "InvalidRequestContentException");
    assert_eq!(message, "Client context must have at most 3583 bytes.");
    let large = format!("\"{}\"", "x".repeat(6 * 1024 * 1024 - 1));
    let message = invoke(&root, "echo", &large).await.refused(413, "RequestTooLargeException");
    assert_eq!(
        message,
        "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"
    );
    let event = world.event("lambda:InvokeFunction").await;
    assert_eq!(event.error.as_deref(), Some("RequestTooLargeException"));
    let invocations = world.events().await.into_iter().filter(|it| it.action == "lambda:InvokeFunction");
    assert_eq!(invocations.count(), 11, "each leaves one event");
}

#[tokio::test]
async fn a_function_without_its_role_is_not_run() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "echo", ECHO).await;
    root.call("iam", "DeleteRole", json!({"RoleName": "functions"})).await.good();
    let message = invoke(&root, "echo", "{}").await.refused(403, "AccessDeniedException");
    assert_eq!(message, "The role defined for the function cannot be assumed by Lambda.");
    // A namesake that does not trust Lambda is no better.
    let role = root.makes_role("functions", trust("AWS", "000000000000"), None).await;
    invoke(&root, "echo", "{}").await.refused(403, "AccessDeniedException");
    let policy = trust("Service", "lambda.amazonaws.com").to_string();
    let params = json!({"RoleName": "functions", "PolicyDocument": policy});
    root.call("iam", "UpdateAssumeRolePolicy", params).await.good();
    invoke(&root, "echo", "{}").await.good();
    assert_eq!(role, "arn:aws:iam::000000000000:role/functions");
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_the_record_of_the_call() {
    let world = World::new().await;
    let root = world.root();
    let slow = "import time\ndef lambda_handler(event, context):\n    time.sleep(20)\n";
    make(&root, "slow", slow).await;
    let patience = Duration::from_millis(800);
    let answered = tokio::time::timeout(patience, invoke(&root, "slow", "{}")).await;
    assert!(answered.is_err());
    let event = world.event("lambda:InvokeFunction").await;
    assert_eq!((event.decision, event.outcome), (Decision::Allow, Outcome::Abandoned));
    assert!(event.latency_us > 100_000, "{event:?}");
}

#[tokio::test]
async fn a_role_session_invokes_what_its_policies_allow() {
    let world = World::new().await;
    let root = world.root();
    make(&root, "echo", ECHO).await;
    let arn = "arn:aws:lambda:us-west-2:000000000000:function:echo";
    let policy = allow("lambda:InvokeFunction", arn);
    let role = root.makes_role("caller", trust("AWS", "000000000000"), Some(policy)).await;
    let session = root.assumes(json!({"RoleArn": role, "RoleSessionName": "session"})).await;
    invoke(&session, "echo", "1").await.good();
    call(&session, "GetFunction", json!({"FunctionName": "echo"}))
        .await
        .refused(403, "AccessDeniedException");
}

#[tokio::test]
async fn another_accounts_function_is_run_if_both_sides_allow() {
    let world = World::new().await;
    let owner = world.root();
    make(&owner, "echo", ECHO).await;
    let arn = "arn:aws:lambda:us-west-2:000000000000:function:echo";
    let stranger = world.account("111111111111").await;
    let may = stranger.makes_user("may", Some(allow("lambda:InvokeFunction", arn))).await;
    let may_not = stranger.makes_user("may-not", None).await;
    invoke(&may, arn, "1").await.refused(403, "AccessDeniedException");
    let params = json!({
        "FunctionName": "echo",
        "StatementId": "cross-account-access",
        "Action": "lambda:InvokeFunction",
        "Principal": "111111111111",
    });
    call(&owner, "AddPermission", params).await.good();
    assert_eq!(invoke(&may, arn, "1").await.text(), "1");
    assert_eq!(invoke(&may, "000000000000:function:echo", "2").await.text(), "2");
    // The account's own policies must allow it too, and nothing else is allowed.
    invoke(&may_not, arn, "1").await.refused(403, "AccessDeniedException");
    call(&may, "GetFunction", json!({"FunctionName": arn})).await.refused(403, "AccessDeniedException");
    // The caller's own account has no such function, and the owner's trail has the call.
    invoke(&may, "echo", "1").await.refused(403, "AccessDeniedException");
    let events = world.events().await;
    let done = events.iter().filter(|event| event.action == "lambda:InvokeFunction");
    let done: Vec<_> = done.filter(|event| event.outcome == Outcome::Success).collect();
    assert_eq!(done.len(), 2);
    assert!(done.iter().all(|event| event.scope.account.as_str() == "000000000000"));
    let params = json!({"FunctionName": "echo", "StatementId": "cross-account-access"});
    call(&owner, "RemovePermission", params).await.good();
    invoke(&may, arn, "1").await.refused(403, "AccessDeniedException");
}
