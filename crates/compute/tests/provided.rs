//! `provided` runtimes: the Runtime API as an executable of the author's own meets it.
//!
//! The executables are Python scripts with `http.client`, which stands for everybody else's client.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::common::{REQUEST, Scene, archive, launch, provided, text};

    /// What every bootstrap begins with: `call(method, path, body)` gives status, headers and body.
    const CLIENT: &str = r#"
import http.client, json, os
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    connection.request(method, "/2018-06-01/runtime/" + path, body, headers)
    response = connection.getresponse()
    return response.status, response.headers, response.read()
def next():
    status, headers, body = call("GET", "invocation/next")
    return headers["Lambda-Runtime-Aws-Request-Id"], headers, body
"#;

    fn bootstrap(source: &str) -> Arc<compute::Launch> {
        Arc::new(provided(&format!("{CLIENT}{source}")))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bootstrap_speaks_for_itself() {
        let scene = Scene::new();
        let tool = bootstrap(
            r#"
while True:
    request, headers, body = next()
    names = ["Aws-Request-Id", "Invoked-Function-Arn", "Client-Context"]
    answer = {name: headers.get("Lambda-Runtime-" + name) for name in names}
    answer["deadline"] = headers["Lambda-Runtime-Deadline-Ms"].isdigit()
    answer["trace"] = headers["Lambda-Runtime-Trace-Id"][:5]
    answer["type"] = headers["Content-Type"]
    answer["handler"] = os.environ["_HANDLER"]
    answer["execution_env"] = os.environ.get("AWS_EXECUTION_ENV")
    answer["event"] = json.loads(body)
    assert call("POST", f"invocation/{request}/response", json.dumps(answer))[0] == 202
"#,
        );
        for number in 0..3 {
            let answer = scene.ask(&tool, &number.to_string()).await;
            assert_eq!(
                answer,
                json!({
                    "Aws-Request-Id": REQUEST,
                    "Invoked-Function-Arn": "arn:aws:lambda:us-west-2:123456789012:function:tool",
                    "Client-Context": null,
                    "deadline": true, "trace": "Root=", "type": "application/json",
                    "handler": "any", "execution_env": null, "event": number,
                })
            );
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn answers_are_passed_on_unread() {
        let scene = Scene::new();
        let tool = bootstrap(
            r#"
request, _, _ = next()
call("POST", f"invocation/{request}/response", b"no \xff JSON")
request, _, _ = next()
call("POST", f"invocation/{request}/error", b'{"errorMessage":"mine","errorType":"Own"}', {"Lambda-Runtime-Function-Error-Type": "Own.Type"})
request, _, _ = next()
call("POST", f"invocation/{request}/error", b"")
"#,
        );
        let odd = scene.run(&tool, "1").await;
        assert_eq!((&odd.payload[..], odd.function_error), (&b"no \xff JSON"[..], None));
        let (error, completed) = scene.fail(&tool, "1").await;
        assert_eq!(error, json!({"errorMessage": "mine", "errorType": "Own"}));
        assert_eq!(completed.function_error.unwrap().error_type.as_deref(), Some("Own.Type"));
        let silent = scene.run(&tool, "1").await;
        assert_eq!(silent.payload, "");
        assert_eq!(silent.function_error.unwrap().error_type, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn wrong_turns_are_refused() {
        let scene = Scene::new();
        let tool = bootstrap(
            r#"
seen = []
def note(method, path, body=None):
    status, _, reply = call(method, path, body)
    seen.append([status, json.loads(reply)["errorType"]])
first, _, _ = next()
note("GET", "invocation/next")
note("POST", "init/error", "{}")
note("POST", "invocation/another/response", "1")
note("POST", "invocation/another/error", "{}")
note("POST", "invocation/next", "1")
note("GET", f"invocation/{first}/response")
note("GET", "restore/next")
call("POST", f"invocation/{first}/response", "1")
note("POST", f"invocation/{first}/response", "2")
second, _, _ = next()
call("POST", f"invocation/{second}/response", json.dumps(seen))
next()
"#,
        );
        assert_eq!(scene.ask(&tool, "1").await, 1);
        assert_eq!(
            scene.ask(&tool, "1").await,
            json!([
                [403, "InvalidStateTransition"],
                [403, "InvalidStateTransition"],
                [400, "InvalidRequestID"],
                [400, "InvalidRequestID"],
                [405, "MethodNotAllowed"],
                [405, "MethodNotAllowed"],
                [404, "NotFound"],
                [400, "InvalidRequestID"],
            ])
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn too_large_an_answer_is_refused_and_the_connection_kept() {
        let scene = Scene::new();
        let tool = bootstrap(
            r#"
request, _, _ = next()
status, _, reply = call("POST", f"invocation/{request}/response", b"x" * (6 * 1024 * 1024 + 101))
request, _, _ = next()
call("POST", f"invocation/{request}/response", json.dumps([status, json.loads(reply)]))
next()
"#,
        );
        let (error, _) = scene.fail(&tool, "1").await;
        assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
        let error_body = json!({
            "errorMessage": "Exceeded maximum allowed payload size (6291556 bytes).",
            "errorType": "RequestEntityTooLarge",
        });
        assert_eq!(scene.ask(&tool, "1").await, json!([413, error_body]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_new_connection_for_every_request_does_too() {
        let scene = Scene::new();
        let tool = bootstrap(
            r#"
while True:
    request, _, body = next()
    connection.close()
    call("POST", f"invocation/{request}/response", body)
    connection.close()
"#,
        );
        for number in 0..5 {
            assert_eq!(scene.ask(&tool, &number.to_string()).await, number);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_start_that_fails_is_explained() {
        let scene = Scene::new();
        let fails = bootstrap(
            "call('POST', 'init/error', '{\"errorMessage\":\"no database\",\"errorType\":\"Init.No\"}', {'Lambda-Runtime-Function-Error-Type': 'Init.No'})",
        );
        let (error, completed) = scene.fail(&fails, "1").await;
        assert_eq!(
            error,
            json!({"errorMessage": "no database", "errorType": "Init.No", "requestId": REQUEST})
        );
        assert_eq!(completed.function_error.unwrap().error_type.as_deref(), Some("Init.No"));

        let ends = bootstrap("print('that was it')");
        let mut ends = Arc::try_unwrap(ends).ok().unwrap();
        ends.revision_id = "ends".to_owned();
        let (error, completed) = scene.fail(&Arc::new(ends), "1").await;
        assert_eq!(
            error["errorMessage"],
            format!("RequestId: {REQUEST} Error: Runtime exited without providing a reason")
        );
        assert!(text(&completed.log_tail).starts_with("that was it\nSTART "));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_executed_is_named() {
        let scene = Scene::new();
        for (files, words) in [
            (vec![("other", "", 0o755)], "Couldn't find valid bootstrap(s): [/var/task/bootstrap]"),
            (
                vec![("bootstrap", "#!/bin/sh\n", 0o644)],
                "Couldn't find valid bootstrap(s): [/var/task/bootstrap]",
            ),
            (vec![("bootstrap/file", "", 0o755)], "Couldn't find valid bootstrap(s): [/var/task/bootstrap]"),
            (
                vec![("bootstrap", "#!/no/such/shell\n", 0o755)],
                "fork/exec /var/task/bootstrap: no such file or directory",
            ),
            (vec![("bootstrap", "\x7fELF", 0o755)], "fork/exec /var/task/bootstrap: exec format error"),
        ] {
            let mut tool = launch("provided.al2023", "any", archive(&files));
            tool.revision_id = format!("{files:?}");
            let (error, _) = scene.fail(&Arc::new(tool), "1").await;
            assert_eq!(
                error,
                json!({
                    "errorType": "Runtime.InvalidEntrypoint",
                    "errorMessage": format!("RequestId: {REQUEST} Error: {words}"),
                })
            );
        }
    }
}
