//! JavaScript functions, as their authors see them: modules, events, context, the three styles of answering, errors and
//! logs. They run on the `node` of the search path, whichever version it is.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use compute::{Code, Digest, ErrorKind, Launch, Provider};
    use domain::{Arn, FunctionRuntime, Secret};
    use serde_json::{Value, json};

    use crate::common::{self, REQUEST, Scene, archive, event, launch, node, text};

    const ECHO: &str = "exports.handler = async (event) => event;\n";

    /// The function with another state, for the next invocation to see.
    fn again(source: &str, revision: &str) -> Arc<Launch> {
        let mut tool = node(source);
        revision.clone_into(&mut tool.revision_id);
        Arc::new(tool)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_event_comes_back() {
        let scene = Scene::new();
        let echo = Arc::new(node(ECHO));
        for payload in [r#"{"a":[1,2.5,null,"ä€🦀"]}"#, r#""text""#, "null", "[]"] {
            assert_eq!(scene.ask(&echo, payload).await, serde_json::from_str::<Value>(payload).unwrap());
        }
        assert_eq!(scene.ask(&echo, "").await, json!({}), "no payload is an empty object");
        let (error, _) = scene.fail(&echo, "{nonsense").await;
        assert_eq!(error["errorType"], "SyntaxError");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn modules_of_both_kinds_are_loaded() {
        let scene = Scene::new();
        let esm = "import { two } from './two.mjs';\nexport const handler = async (event) => event + two;\n";
        let two = "export const two = 2;\n";
        let awaited = "const three = await Promise.resolve(3);\nexport const handler = async (event) => event + three;\n";
        let files = archive(&[
            (
                "index.js",
                "const { one } = require('./lib/one');\nexports.handler = async (event) => event + one;\nexports.deep = { down: { here: async () => 'deep' } };\n",
                0o644,
            ),
            ("lib/one.js", "exports.one = 1;\n", 0o644),
            ("mod.mjs", esm, 0o644),
            ("two.mjs", two, 0o644),
            ("awaits.mjs", awaited, 0o644),
            ("common.cjs", ECHO, 0o644),
            ("typed/package.json", r#"{"type":"module"}"#, 0o644),
            (
                "typed/index.js",
                "import { two } from '../two.mjs';\nexport const handler = async (event) => event * two;\n",
                0o644,
            ),
            ("default.mjs", "export default { handler: async () => 'default' };\n", 0o644),
            ("node_modules/dependency/index.js", "exports.name = 'dependency';\n", 0o644),
            ("depends.js", "exports.handler = async () => require('dependency').name;\n", 0o644),
        ]);
        for (handler, answer) in [
            ("index.handler", json!(6)),
            ("index.deep.down.here", json!("deep")),
            ("mod.handler", json!(7)),
            ("awaits.handler", json!(8)),
            ("common.handler", json!(5)),
            ("typed/index.handler", json!(10)),
            ("default.handler", json!("default")),
            ("depends.handler", json!("dependency")),
        ] {
            let mut tool = launch("nodejs20.x", handler, files.clone());
            handler.clone_into(&mut tool.revision_id);
            assert_eq!(scene.ask(&Arc::new(tool), "5").await, answer, "{handler}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_context_tells_what_lambdas_does() {
        let scene = Scene::new();
        let mut tool = node(
            "exports.handler = async (event, context) => ({
                names: [context.functionName, context.functionVersion, context.invokedFunctionArn],
                memory: context.memoryLimitInMB,
                request: context.awsRequestId,
                log: [context.logGroupName, context.logStreamName],
                client: context.clientContext ?? null,
                waits: context.callbackWaitsForEmptyEventLoop,
                remaining: context.getRemainingTimeInMillis(),
                kinds: [typeof context.done, typeof context.succeed, typeof context.fail],
                trace: process.env._X_AMZN_TRACE_ID,
                runtime: process.env.AWS_EXECUTION_ENV,
                cwd: process.cwd() === process.env.LAMBDA_TASK_ROOT,
            });",
        );
        let arn = "arn:aws:lambda:us-west-2:123456789012:function:tool";
        tool.version = "7".to_owned();
        tool.invoked_as = Arn::parse(&format!("{arn}:PROD")).unwrap();
        let tool = Arc::new(tool);
        let mut invocation = event("{}");
        let context = r#"{"custom":{"bedrockAgentCoreToolName":"T___größe"}}"#;
        invocation.client_context = Some(Bytes::from_static(context.as_bytes()));
        let completed = scene.supervisor.invoke(&tool, invocation).await.unwrap();
        assert_eq!(completed.version, "7");
        let answer = common::json(&completed);
        assert_eq!(answer["names"], json!(["tool", "7", format!("{arn}:PROD")]));
        assert_eq!(answer["memory"], "256");
        assert_eq!(answer["request"], REQUEST);
        assert_eq!(answer["log"][0], "/aws/lambda/tool");
        assert!(answer["log"][1].as_str().unwrap().contains("/[7]"), "{answer}");
        assert_eq!(answer["client"]["custom"]["bedrockAgentCoreToolName"], "T___größe");
        assert_eq!(answer["waits"], true);
        assert!((1..=60_000).contains(&answer["remaining"].as_u64().unwrap()), "{answer}");
        assert_eq!(answer["kinds"], json!(["function", "function", "function"]));
        assert!(answer["trace"].as_str().unwrap().starts_with("Root=1-"), "{answer}");
        assert_eq!(answer["runtime"], "AWS_Lambda_nodejs20.x");
        assert_eq!(answer["cwd"], true);
        assert!(text(&completed.log_tail).contains(&format!("START RequestId: {REQUEST} Version: 7\n")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn versions_run_beside_each_other_and_stay_warm() {
        let scene = Scene::new();
        let source =
            "const born = Math.random();\nexports.handler = async (e, c) => [c.functionVersion, born];\n";
        let version = |number: &str, seconds: i64| {
            let mut tool = node(source);
            number.clone_into(&mut tool.version);
            tool.updated_at = domain::Timestamp::from_seconds(seconds);
            Arc::new(tool)
        };
        let (old, new) = (version("1", 1), version("$LATEST", 2));
        let first = scene.ask(&old, "1").await;
        let second = scene.ask(&new, "1").await;
        assert_eq!((&first[0], &second[0]), (&json!("1"), &json!("$LATEST")));
        assert_eq!(scene.ask(&old, "1").await, first, "the later state of another version does not end it");
        assert_eq!(scene.ask(&new, "1").await, second);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn callbacks_answer_when_the_event_loop_is_empty() {
        let scene = Scene::new();
        let tool = Arc::new(node(
            "let late = 0, left;
             exports.handler = (event, context, callback) => {
                clearTimeout(left);
                if (event === 'late') return callback(null, late);
                if (event === 'leaves') {
                    context.callbackWaitsForEmptyEventLoop = false;
                    left = setTimeout(() => { late += 1; }, 60000);
                    return callback(null, { late });
                }
                setTimeout(() => { late += 1; }, 200);
                if (event === 'error') return callback(new RangeError('no such city: Ys'));
                if (event === 'text') return callback('in words');
                if (event === 'succeed') return context.succeed({ by: 'succeed' });
                if (event === 'fail') return context.fail(new Error('by fail'));
                if (event === 'done') return context.done(null, 'by done');
                if (event === 'nothing') return undefined;
                callback(null, { late });
                callback(null, 'twice');
             };",
        ));
        assert_eq!(scene.ask(&tool, r#""wait""#).await, json!({"late": 0}));
        assert_eq!(scene.ask(&tool, r#""late""#).await, json!(1), "the timer ran before the answer");
        let leaving = scene.run(&tool, r#""leaves""#).await;
        assert!(leaving.duration < Duration::from_secs(30), "{:?}", leaving.duration);
        assert_eq!(scene.ask(&tool, r#""succeed""#).await, json!({"by": "succeed"}));
        assert_eq!(scene.ask(&tool, r#""done""#).await, json!("by done"));
        assert_eq!(scene.ask(&tool, r#""nothing""#).await, Value::Null, "nobody called back");
        let (error, completed) = scene.fail(&tool, r#""error""#).await;
        assert_eq!(
            (&error["errorType"], &error["errorMessage"]),
            (&json!("RangeError"), &json!("no such city: Ys"))
        );
        assert_eq!(completed.init_duration, None, "the instance lives on");
        let (error, _) = scene.fail(&tool, r#""text""#).await;
        assert_eq!(error, json!({"errorType": "string", "errorMessage": "in words", "trace": []}));
        assert_eq!(scene.fail(&tool, r#""fail""#).await.0["errorMessage"], "by fail");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_newest_runtime_has_no_callbacks() {
        let scene = Scene::new();
        let with = |source: &str, revision: &str| {
            let mut tool = node(source);
            tool.runtime = FunctionRuntime::parse("nodejs24.x").unwrap();
            revision.clone_into(&mut tool.revision_id);
            Arc::new(tool)
        };
        let (error, _) =
            scene.fail(&with("exports.handler = (e, c, callback) => callback(null, 1);", "a"), "{}").await;
        assert_eq!(error["errorType"], "Runtime.CallbackHandlerDeprecated", "{error}");
        let tool = with("exports.handler = (e, context) => [typeof context.done, e];", "b");
        assert_eq!(scene.ask(&tool, "1").await, json!(["undefined", 1]));
        let (error, _) = scene.fail(&with("exports.handler = () => new Promise(() => {});", "c"), "{}").await;
        assert_eq!(error["errorType"], "Runtime.NodeJsExit", "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_error_is_reported_with_its_trace() {
        let scene = Scene::new();
        let tool = Arc::new(node(
            "class CityError extends Error { constructor(m) { super(m); this.name = 'CityError'; } }
             const inner = () => { throw new CityError('no such city: Ys'); };
             exports.handler = async () => { inner(); };",
        ));
        let (error, completed) = scene.fail(&tool, "{}").await;
        assert_eq!(error["errorType"], "CityError");
        assert_eq!(error["errorMessage"], "no such city: Ys");
        let trace = error["trace"].as_array().unwrap();
        assert!(
            trace[1].as_str().unwrap().contains("at inner (") && !error.to_string().contains("bootstrap"),
            "{error}"
        );
        let function_error = completed.function_error.unwrap();
        assert_eq!(function_error.kind, ErrorKind::Unhandled);
        assert_eq!(function_error.error_type.as_deref(), Some("CityError"));
        let tail = text(&completed.log_tail);
        assert!(
            tail.contains(&format!("\t{REQUEST}\tERROR\tInvoke Error\t{{\"errorType\":\"CityError\"")),
            "{tail}"
        );
        assert_eq!(scene.fail(&tool, "{}").await.1.init_duration, None, "the instance lives on");
        for (revision, thrown, error_type, message) in [
            ("b", "throw 'text'", "string", "text"),
            ("c", "throw undefined", "string", "handled"),
            ("d", "return Promise.reject({ code: 5 })", "object", "{ code: 5 }"),
            ("e", "throw Object.assign(new Error('x'), { name: null })", "Error", "x"),
        ] {
            let tool = again(&format!("exports.handler = async () => {{ {thrown}; }};"), revision);
            let (error, _) = scene.fail(&tool, "{}").await;
            assert_eq!(
                (&error["errorType"], &error["errorMessage"]),
                (&json!(error_type), &json!(message)),
                "{thrown}"
            );
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_nobody_caught_ends_the_instance_and_is_reported() {
        let scene = Scene::new();
        let tool = Arc::new(node(
            "exports.handler = (event, context, callback) => {
                if (event === 'rejection') { Promise.reject(new TypeError('forgotten')); setTimeout(() => {}, 5000); return; }
                if (event === 'exception') { setTimeout(() => { throw new TypeError('thrown later'); }, 10); return; }
                if (event === 'exit') { process.exit(3); }
                callback(null, 'well');
             };",
        ));
        let (error, _) = scene.fail(&tool, r#""rejection""#).await;
        assert_eq!(error["errorType"], "Runtime.UnhandledPromiseRejection", "{error}");
        assert_eq!(error["errorMessage"], "TypeError: forgotten");
        let (error, _) = scene.fail(&tool, r#""exception""#).await;
        assert_eq!(
            (&error["errorType"], &error["errorMessage"]),
            (&json!("TypeError"), &json!("thrown later"))
        );
        let (error, _) = scene.fail(&tool, r#""exit""#).await;
        assert_eq!(error["errorType"], "Runtime.ExitError", "{error}");
        assert_eq!(scene.ask(&tool, "1").await, "well");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_json_is_answered() {
        let scene = Scene::new();
        let tool = Arc::new(node("exports.handler = async (event) => eval(event);"));
        for wrong in ["10n", "({ deep: [1n] })", "(() => { const a = {}; a.a = a; return a; })()"] {
            let (error, _) = scene.fail(&tool, &json!(wrong).to_string()).await;
            assert_eq!(error["errorMessage"], "Unable to stringify response body", "{wrong}");
        }
        for (expression, answer) in [
            ("undefined", Value::Null),
            ("NaN", Value::Null),
            ("() => 1", Value::Null),
            ("new Date(0)", json!("1970-01-01T00:00:00.000Z")),
            ("({ a: undefined, b: [undefined] })", json!({"b": [null]})),
        ] {
            assert_eq!(scene.ask(&tool, &json!(expression).to_string()).await, answer, "{expression}");
        }
        let lone = scene.run(&tool, r#""'\\ud800'""#).await;
        assert_eq!(text(&lone.payload), r#""\ud800""#);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn handlers_that_cannot_be_loaded_are_explained() {
        let scene = Scene::new();
        let files = archive(&[
            ("index.js", ECHO, 0o644),
            ("missing.js", "require('no-such-module');\n", 0o644),
            ("missing2.mjs", "import 'no-such-module';\n", 0o644),
            ("broken.js", "exports.handler = (;\n", 0o644),
            ("raises.js", "throw new RangeError('at the start');\n", 0o644),
            ("leaves.js", "process.exit(3);\n", 0o644),
            ("value.js", "exports.handler = 5;\n", 0o644),
        ]);
        for (handler, error_type, message) in [
            ("nowhere.handler", "Runtime.ImportModuleError", "Error: Cannot find module '"),
            ("missing.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'no-such-module'"),
            ("missing2.handler", "Runtime.ImportModuleError", "Error [ERR_MODULE_NOT_FOUND]"),
            ("index.main", "Runtime.HandlerNotFound", "index.main is undefined or not exported"),
            ("value.handler", "Runtime.HandlerNotFound", "value.handler is not a function"),
            ("broken.handler", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
            ("nodot", "Runtime.MalformedHandlerName", "'nodot' is not a valid handler name"),
            ("../index.handler", "Runtime.MalformedHandlerName", "'../index.handler' is not"),
            ("raises.handler", "RangeError", "at the start"),
            ("leaves.handler", "Runtime.ExitError", "RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd Error"),
        ] {
            let mut tool = launch("nodejs20.x", handler, files.clone());
            handler.clone_into(&mut tool.revision_id);
            let (error, completed) = scene.fail(&Arc::new(tool), "{}").await;
            assert_eq!(error["errorType"], error_type, "{handler}: {error}");
            assert!(error["errorMessage"].as_str().unwrap().starts_with(message), "{handler}: {error}");
            assert_eq!(completed.function_error.unwrap().error_type.as_deref(), Some(error_type));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_printed_is_logged_with_its_invocation() {
        let scene = Scene::new();
        let tool = Arc::new(node(
            "console.log('loading');
             exports.handler = async (event) => {
                console.log('hello %d', event, { a: 1 });
                console.error('it is bad');
                console.debug('detail');
                process.stdout.write('no end of line');
                return 1;
             };",
        ));
        let tail = text(&scene.run(&tool, "7").await.log_tail);
        let lines: Vec<_> = tail.lines().collect();
        assert_eq!(lines[0], format!("START RequestId: {REQUEST} Version: $LATEST"));
        for (level, message) in [("INFO", "hello 7 { a: 1 }"), ("ERROR", "it is bad"), ("DEBUG", "detail")] {
            let ending = format!("Z\t{REQUEST}\t{level}\t{message}");
            assert!(lines.iter().any(|line| line.ends_with(&ending)), "{tail}");
        }
        assert!(lines.contains(&"no end of line"), "{tail}");
        assert!(
            lines[lines.len() - 1].starts_with(&format!("REPORT RequestId: {REQUEST}\tDuration: ")),
            "{tail}"
        );
        assert!(!tail.contains("loading"), "what was printed before is not this invocation's");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn large_events_and_answers_pass_whole() {
        let scene = Scene::new();
        let tool = Arc::new(node(
            "exports.handler = async (e) => typeof e === 'number' ? 'x'.repeat(e) : e.length;",
        ));
        let largest = 6 * 1024 * 1024 - 2;
        assert_eq!(scene.ask(&tool, &json!("x".repeat(largest)).to_string()).await, largest);
        let largest = 6 * 1024 * 1024 + 100 - 2;
        assert_eq!(scene.run(&tool, &largest.to_string()).await.payload.len(), largest + 2);
        let (error, completed) = scene.fail(&tool, &(largest + 1).to_string()).await;
        assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
        assert_eq!(completed.init_duration, None, "still the same instance");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_environment_is_clean_and_the_limits_hold() {
        let scene = Scene::new();
        let mut tool =
            node("exports.handler = async (event) => { if (event) for (;;); return process.env; };");
        tool.environment = vec![
            ("GREETING".to_owned(), Secret::new("hello")),
            ("AWS_REGION".to_owned(), Secret::new("mars")),
        ];
        tool.timeout_seconds = 2;
        let tool = Arc::new(tool);
        let environment = scene.ask(&tool, "null").await;
        assert_eq!(
            (&environment["GREETING"], &environment["AWS_REGION"]),
            (&json!("hello"), &json!("us-west-2"))
        );
        for ours in ["CARGO", "CARGO_MANIFEST_DIR", "USER", "SHELL"] {
            assert_eq!(environment[ours], Value::Null, "{ours} is the server's own");
        }
        let (error, _) = scene.fail(&tool, "1").await;
        assert_eq!(error["errorType"], "Sandbox.Timedout", "{error}");
        let hungry = again(
            "exports.handler = async () => { const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1)); };",
            "b",
        );
        let (error, _) = scene.fail(&hungry, "{}").await;
        assert_eq!(error["errorType"], "Runtime.ExitError", "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_server_closing_ends_idle_functions() {
        let scene = Scene::new();
        let tool = Arc::new(node("exports.handler = async () => process.pid;"));
        let pid = scene.ask(&tool, "1").await;
        assert!(common::is_alive(&pid));
        drop(scene);
        common::eventually("the process is gone", || !common::is_alive(&pid)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_missing_is_named() {
        let scene = Scene::with(|settings| settings.search_path = "/nowhere".into());
        let error = scene.invoke(&Arc::new(node(ECHO)), "{}").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no interpreter for nodejs20.x: install Node.js 20, or name an interpreter in the server's settings"
        );
        let scene = Scene::with(|settings| settings.node = Some("/bin/true".into()));
        let error = scene.invoke(&Arc::new(node(ECHO)), "{}").await.unwrap_err();
        assert_eq!(error.to_string(), "no interpreter for nodejs20.x: `/bin/true` is no Node.js interpreter");
        let code = archive(&[("index.js", ECHO, 0o644)]);
        let mut tool = launch("nodejs22.x", "index.handler", code.clone());
        tool.code = Code::Archive { digest: Digest::of(&code), archive: Provider::fixed(code) };
        assert_eq!(Scene::new().ask(&Arc::new(tool), "1").await, 1, "another version serves");
    }
}
