//! Python functions, as their authors see them: events, context, answers, errors and logs.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use compute::{Code, ErrorKind, Launch, Provider};
    use serde_json::{Value, json};

    use crate::common::{self, REQUEST, Scene, archive, event, launch, python, text};

    const ECHO: &str = "def handler(event, context):\n    return event\n";

    #[tokio::test(flavor = "multi_thread")]
    async fn an_event_comes_back() {
        let scene = Scene::new();
        let echo = Arc::new(python(ECHO));
        for payload in [r#"{"a":[1,2.5,null,"ä€🦀"]}"#, r#""text""#, "null", "[]"] {
            let answer = scene.ask(&echo, payload).await;
            assert_eq!(answer, serde_json::from_str::<Value>(payload).unwrap());
        }
        assert_eq!(scene.ask(&echo, "").await, json!({}), "no payload is an empty object");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_context_tells_what_lambdas_does() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            r#"
import os
def handler(event, context):
    return {
        "names": [context.function_name, context.function_version, context.invoked_function_arn],
        "memory": context.memory_limit_in_mb,
        "request": context.aws_request_id,
        "log": [context.log_group_name, context.log_stream_name],
        "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],
        "client_context": context.client_context,
        "remaining": context.get_remaining_time_in_millis(),
        "trace": os.environ["_X_AMZN_TRACE_ID"],
        "cwd": os.getcwd() == os.environ["LAMBDA_TASK_ROOT"],
    }
"#,
        ));
        let answer = scene.ask(&tool, "{}").await;
        let arn = "arn:aws:lambda:us-west-2:123456789012:function:tool";
        assert_eq!(answer["names"], json!(["tool", "$LATEST", arn]));
        assert_eq!(answer["memory"], "256");
        assert_eq!(answer["request"], REQUEST);
        assert_eq!(answer["log"][0], "/aws/lambda/tool");
        assert!(answer["log"][1].as_str().unwrap().contains("/[$LATEST]"));
        assert_eq!(answer["identity"], json!([null, null]));
        assert_eq!(answer["client_context"], Value::Null);
        assert_eq!(answer["cwd"], true);
        let remaining = answer["remaining"].as_u64().unwrap();
        assert!((1..=60_000).contains(&remaining), "{remaining}");
        let trace = answer["trace"].as_str().unwrap();
        assert!(trace.starts_with("Root=1-") && trace.ends_with(";Sampled=0"), "{trace}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_gateways_client_context_names_the_tool() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            r#"
def handler(event, context):
    name = ""
    if context.client_context and context.client_context.custom:
        name = context.client_context.custom.get("bedrockAgentCoreToolName", "")
    client = context.client_context.client
    return [name.split("___")[-1], context.client_context.env, client and client.app_title]
"#,
        ));
        let ask = async |context: &str| {
            let mut invocation = event("{}");
            invocation.client_context = Some(Bytes::copy_from_slice(context.as_bytes()));
            let completed = scene.supervisor.invoke(&tool, invocation).await.unwrap();
            common::json(&completed)
        };
        let bare = ask(r#"{"custom":{"bedrockAgentCoreToolName":"Mail___markdown_to_email"}}"#).await;
        assert_eq!(bare, json!(["markdown_to_email", null, null]));
        let full = ask(
            "{\n  \"custom\": {\"bedrockAgentCoreToolName\": \"T___größe🦀\"},\r\n\t\"env\": {\"a\": \"b\"},\n  \
             \"client\": {\"app_title\": \"t\"}\n}",
        )
        .await;
        assert_eq!(full, json!(["größe🦀", {"a": "b"}, "t"]));
        let broken = ask("{nonsense").await;
        assert_eq!(broken["errorType"], "Runtime.LambdaContextUnmarshalError");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_exception_is_reported_with_its_trace() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            "def inner():\n    raise ValueError('no such city: Ys')\ndef handler(event, context):\n    inner()\n",
        ));
        let (error, completed) = scene.fail(&tool, "{}").await;
        assert_eq!(error["errorMessage"], "no such city: Ys");
        assert_eq!(error["errorType"], "ValueError");
        assert_eq!(error["requestId"], REQUEST);
        let trace = error["stackTrace"].as_array().unwrap();
        assert_eq!(trace.len(), 2, "only the function's own frames: {trace:?}");
        assert!(trace[1].as_str().unwrap().contains("in inner\n    raise ValueError"));
        let function_error = completed.function_error.unwrap();
        assert_eq!(function_error.kind, ErrorKind::Unhandled);
        assert_eq!(function_error.kind.as_str(), "Unhandled");
        assert_eq!(function_error.error_type.as_deref(), Some("ValueError"));
        let tail = text(&completed.log_tail);
        assert!(
            tail.contains("[ERROR] ValueError: no such city: Ys\nTraceback (most recent call last):"),
            "{tail}"
        );
        // The instance lives on.
        assert_eq!(scene.fail(&tool, "{}").await.1.init_duration, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_json_is_answered() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            r#"
import datetime, decimal
def handler(event, context):
    return eval(event)
"#,
        ));
        for wrong in ["float('nan')", "[float('inf')]", "object()", "b'\\xff'", "{(1, 2): 3}"] {
            let (error, _) = scene.fail(&tool, &json!(wrong).to_string()).await;
            assert_eq!(error["errorType"], "Runtime.MarshalError", "{wrong}");
        }
        let (error, _) = scene.fail(&tool, "\"datetime.datetime(2026, 1, 1)\"").await;
        assert_eq!(
            error["errorMessage"],
            "Unable to marshal response: Object of type datetime is not JSON serializable"
        );
        for (expression, answer) in [
            ("decimal.Decimal('1.5')", json!(1.5)),
            ("decimal.Decimal('3')", json!(3)),
            ("b'{\"a\": 1}'", json!({"a": 1})),
            ("{1: (2, 3)}", json!({"1": [2, 3]})),
        ] {
            assert_eq!(scene.ask(&tool, &json!(expression).to_string()).await, answer, "{expression}");
        }
        let lone = scene.run(&tool, "\"'\\\\ud800'\"").await;
        assert_eq!(text(&lone.payload), r#""\ud800""#);
        let (error, _) = scene.fail(&tool, "{nonsense").await;
        assert_eq!(error["errorType"], "Runtime.UnmarshalError");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn handlers_that_cannot_be_loaded_are_explained() {
        let scene = Scene::new();
        let files = archive(&[
            ("app.py", ECHO, 0o644),
            ("missing.py", "import no_such_module\n", 0o644),
            ("broken.py", "def handler(:\n", 0o644),
            ("raises.py", "raise KeyError('x')\n", 0o644),
            ("leaves.py", "import sys\nsys.exit(3)\n", 0o644),
        ]);
        for (handler, error_type, message) in [
            (
                "nowhere.handler",
                "Runtime.ImportModuleError",
                "Unable to import module 'nowhere': No module named 'nowhere'",
            ),
            (
                "missing.handler",
                "Runtime.ImportModuleError",
                "Unable to import module 'missing': No module named 'no_such_module'",
            ),
            ("app.main", "Runtime.HandlerNotFound", "Handler 'main' missing on module 'app'"),
            ("broken.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'broken'"),
            ("nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot'"),
            (
                "sys.exit",
                "Runtime.BuiltInModuleConflict",
                "Cannot use built-in module sys as a handler module",
            ),
            ("raises.handler", "KeyError", "'x'"),
            (
                "leaves.handler",
                "Runtime.ExitError",
                "RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd Error: Runtime exited with error: exit status 3",
            ),
        ] {
            let mut tool = launch("python3.12", handler, files.clone());
            tool.revision_id = handler.to_owned();
            let tool = Arc::new(tool);
            let (error, completed) = scene.fail(&tool, "{}").await;
            assert_eq!(error["errorType"], error_type, "{error}");
            assert!(error["errorMessage"].as_str().unwrap().starts_with(message), "{error}");
            if error_type != "Runtime.ExitError" {
                assert_eq!(error["requestId"], REQUEST, "{error}");
            }
            assert_eq!(completed.function_error.unwrap().error_type.as_deref(), Some(error_type));
            let tail = text(&completed.log_tail);
            assert!(tail.contains(error_type) && tail.contains("REPORT RequestId"), "{tail}");
        }
        let nested =
            launch("python3.12", "src/tools/app.handler", archive(&[("src/tools/app.py", ECHO, 0o644)]));
        let mut dotted =
            launch("python3.12", "src.tools.app.handler", archive(&[("src/tools/app.py", ECHO, 0o644)]));
        dotted.revision_id = "dotted".to_owned();
        assert_eq!(scene.ask(&Arc::new(nested), "1").await, 1);
        assert_eq!(scene.ask(&Arc::new(dotted), "1").await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_printed_is_logged_with_its_invocation() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            r#"
import logging, sys
print("loading")
def handler(event, context):
    print("hello", event)
    sys.stderr.write("to stderr\n")
    logging.getLogger().error("it is %s", "bad")
    context.log("no end of line")
    return 1
"#,
        ));
        let completed = scene.run(&tool, "7").await;
        let tail = text(&completed.log_tail);
        let lines: Vec<_> = tail.lines().collect();
        assert_eq!(lines[0], format!("START RequestId: {REQUEST} Version: $LATEST"));
        assert!(lines.contains(&"hello 7") && lines.contains(&"to stderr"), "{tail}");
        assert!(lines.contains(&"no end of line"), "{tail}");
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("[ERROR]\t")
                    && line.ends_with(&format!("\t{REQUEST}\tit is bad"))),
            "{tail}"
        );
        assert_eq!(lines[lines.len() - 2], format!("END RequestId: {REQUEST}"));
        let report = lines[lines.len() - 1];
        assert!(report.starts_with(&format!("REPORT RequestId: {REQUEST}\tDuration: ")), "{report}");
        assert!(report.contains("\tMemory Size: 256 MB\tMax Memory Used: "), "{report}");
        assert!(report.contains("\tInit Duration: "), "{report}");
        assert!(!tail.contains("loading"), "what was printed before is not this invocation's");
        assert!(scene.log(&tool).starts_with("loading\nSTART "));
        let file = scene.folder.path().join("work/logs/123456789012/us-west-2/tool.log");
        common::eventually("the file holds the report", || {
            std::fs::read_to_string(&file).is_ok_and(|text| text.contains("Z REPORT RequestId"))
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_the_end_of_a_long_log_is_its_tail() {
        let scene = Scene::new();
        let tool =
            Arc::new(python("def handler(event, context):\n    for i in range(20000):\n        print(i)\n"));
        let tail = text(&scene.run(&tool, "{}").await.log_tail);
        assert_eq!(tail.len(), 4096);
        assert!(tail.contains("\n19999\nEND "), "{tail}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_largest_answer_is_six_mebibytes() {
        let scene = Scene::new();
        let tool = Arc::new(python("def handler(event, context):\n    return 'x' * event\n"));
        let largest = 6 * 1024 * 1024 + 100 - 2;
        assert_eq!(scene.run(&tool, &largest.to_string()).await.payload.len(), largest + 2);
        let (error, completed) = scene.fail(&tool, &(largest + 1).to_string()).await;
        assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
        assert_eq!(
            error["errorMessage"],
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        );
        assert_eq!(completed.init_duration, None, "still the same instance");
        assert_eq!(scene.run(&tool, "1").await.payload, "\"x\"");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_large_event_arrives_whole() {
        let scene = Scene::new();
        let tool = Arc::new(python("def handler(event, context):\n    return len(event)\n"));
        let largest = 6 * 1024 * 1024 - 2;
        let payload = json!("x".repeat(largest)).to_string();
        assert_eq!(scene.ask(&tool, &payload).await, largest);
        let refused = scene.invoke(&tool, &format!("{payload} ")).await.unwrap_err();
        assert_eq!(refused.to_string(), "the event has 6291457 bytes, and at most 6291456 are allowed");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_is_used_in_place() {
        let scene = Scene::new();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.py"), ECHO).unwrap();
        let mut tool: Launch = python("");
        tool.code = Code::Folder(folder.path().to_owned());
        assert_eq!(scene.ask(&Arc::new(tool), "5").await, 5);
        assert_eq!(common::count(folder.path()), 1, "nothing is written there");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_missing_is_named() {
        let scene = Scene::with(|settings| settings.search_path = "/nowhere".into());
        let error = scene.invoke(&Arc::new(python(ECHO)), "{}").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no interpreter for python3.12: install Python 3.12, or name an interpreter in the server's settings"
        );
        let scene = Scene::with(|settings| settings.python = Some("/bin/sh".into()));
        let error = scene.invoke(&Arc::new(python(ECHO)), "{}").await.unwrap_err();
        assert_eq!(error.to_string(), "no interpreter for python3.12: `/bin/sh` is no Python 3 interpreter");

        let scene = Scene::new();
        let mut tool = python(ECHO);
        tool.credentials = Provider::new(|| async { Err("the role is gone".into()) });
        let error = scene.invoke(&Arc::new(tool), "{}").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the credentials of the function's role could not be had: the role is gone"
        );
        let mut tool = python("handler = print");
        tool.revision_id = "second".to_owned();
        if let Code::Archive { archive, .. } = &mut tool.code {
            *archive = Provider::fixed(Bytes::from_static(b"other bytes"));
        }
        let error = scene.invoke(&Arc::new(tool), "{}").await.unwrap_err();
        assert!(error.to_string().contains("the archive has the SHA-256"), "{error}");
    }
}
