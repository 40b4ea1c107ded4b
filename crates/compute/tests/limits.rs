//! What a function may not do: take too long, use too much, crash unnoticed, see the server, or outlive it.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use compute::RunAs;
    use domain::Secret;
    use serde_json::json;

    use crate::common::{REQUEST, Scene, eventually, is_alive, python, text};

    #[tokio::test(flavor = "multi_thread")]
    async fn time_is_up() {
        let scene = Scene::new();
        let mut tool = python(
            "import os\nprint('pid', os.getpid())\ndef handler(event, context):\n    print('looping')\n    while event:\n        pass\n    return 'done'\n",
        );
        tool.timeout_seconds = 1;
        let tool = Arc::new(tool);
        let began = Instant::now();
        let (error, completed) = scene.fail(&tool, "1").await;
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(
            error,
            json!({
                "errorType": "Sandbox.Timedout",
                "errorMessage": format!("RequestId: {REQUEST} Error: Task timed out after 1.00 seconds"),
            })
        );
        assert_eq!(completed.duration, Duration::from_secs(1));
        assert_eq!(completed.billed_milliseconds, 1000);
        let tail = text(&completed.log_tail);
        assert!(tail.contains("looping\n"), "{tail}");
        assert!(tail.contains(&format!("{REQUEST} Task timed out after 1.00 seconds\nEND ")), "{tail}");
        assert!(tail.ends_with("\tStatus: timeout\n"), "{tail}");
        let log = scene.log(&tool);
        let pid = log.lines().find_map(|line| line.strip_prefix("pid ")).unwrap();
        let pid = serde_json::from_str(pid).unwrap();
        eventually("the process is gone", || !is_alive(&pid)).await;
        assert_eq!(scene.ask(&tool, "0").await, "done", "the next has a new instance");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_start_that_takes_too_long_is_ended() {
        let scene = Scene::new();
        let mut tool = python("while True:\n    pass\n");
        tool.timeout_seconds = 1;
        let (error, _) = scene.fail(&Arc::new(tool), "1").await;
        assert_eq!(error["errorType"], "Sandbox.Timedout");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.ends_with("Task timed out after 10.00 seconds"), "{message}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_is_limited() {
        let scene = Scene::new();
        let mut tool = python(
            "import time\ndef handler(event, context):\n    hoard = []\n    while len(hoard) < event:\n        hoard.append(bytearray(b'x') * (1 << 20))\n        time.sleep(0.002)\n    return len(hoard)\n",
        );
        tool.memory_mib = 128;
        let tool = Arc::new(tool);
        assert_eq!(scene.ask(&tool, "64").await, 64);
        let (error, completed) = scene.fail(&tool, "4000").await;
        assert_eq!(
            error,
            json!({
                "errorType": "Runtime.ExitError",
                "errorMessage": format!("RequestId: {REQUEST} Error: Runtime exited with error: signal: killed"),
            })
        );
        let tail = text(&completed.log_tail);
        let used = tail.split("Max Memory Used: ").nth(1).unwrap().split(' ').next().unwrap();
        assert!(used.parse::<u32>().unwrap() > 128, "{tail}");
        assert_eq!(scene.ask(&tool, "1").await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_memory_of_children_counts_and_shared_pages_count_once() {
        let scene = Scene::new();
        let mut tool = python(
            r#"
import os, signal, time
def handler(event, context):
    shared = bytearray(b"x") * (60 << 20)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            mine = bytearray(b"x") * (event << 20)
            time.sleep(1000)
        children.append(child)
    time.sleep(2)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return len(shared)
"#,
        );
        tool.memory_mib = 128;
        let tool = Arc::new(tool);
        assert_eq!(scene.ask(&tool, "1").await, 60 << 20);
        let (error, _) = scene.fail(&tool, "60").await;
        assert_eq!(error["errorType"], "Runtime.ExitError");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_crash_is_reported() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            "import os, sys\ndef handler(event, context):\n    print('last words', end='')\n    sys.stdout.flush()\n    eval(event)\n",
        ));
        for (deed, words) in [
            ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
            ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
            ("os._exit(7)", "Runtime exited with error: exit status 7"),
            ("sys.exit(4)", "Runtime exited with error: exit status 4"),
            ("sys.exit()", "Runtime exited without providing a reason"),
        ] {
            let (error, completed) = scene.fail(&tool, &json!(deed).to_string()).await;
            assert_eq!(
                error,
                json!({
                    "errorType": "Runtime.ExitError",
                    "errorMessage": format!("RequestId: {REQUEST} Error: {words}"),
                }),
                "{deed}"
            );
            let tail = text(&completed.log_tail);
            let expected =
                format!("last words\nRequestId: {REQUEST} Error: {words}\nRuntime.ExitError\nEND ");
            assert!(tail.contains(&expected), "{tail}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_environment_is_lambdas_and_nothing_else() {
        let scene = Scene::new();
        let mut tool = python(
            "import os, sys\ndef handler(event, context):\n    return [dict(os.environ), sys.path[0], os.listdir(os.environ['HOME'])]\n",
        );
        tool.environment = vec![
            ("OWN".to_owned(), Secret::new("its own")),
            ("AWS_REGION".to_owned(), Secret::new("mars-1")),
            ("AWS_ACCESS_KEY_ID".to_owned(), Secret::new("forged")),
            ("TZ".to_owned(), Secret::new("Europe/Vienna")),
        ];
        tool.server_environment = vec![
            ("AWS_CA_BUNDLE".to_owned(), "/ca.pem".to_owned()),
            ("OWN".to_owned(), "the server's".to_owned()),
        ];
        let answer = scene.ask(&Arc::new(tool), "{}").await;
        let environment = answer[0].as_object().unwrap();
        let mut names: Vec<_> = environment.keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut expected = vec![
            "AWS_ACCESS_KEY_ID",
            "AWS_CA_BUNDLE",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "AWS_EXECUTION_ENV",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "HOME",
            "LAMBDA_RUNTIME_DIR",
            "LAMBDA_TASK_ROOT",
            "LANG",
            "OWN",
            "PATH",
            "TMPDIR",
            "TZ",
            "_HANDLER",
            "_X_AMZN_TRACE_ID",
        ];
        // Python may add this one itself where the locale of Lambda is not installed (PEP 538).
        names.retain(|name| *name != "LC_CTYPE");
        expected.sort_unstable();
        assert_eq!(names, expected);
        for (name, value) in [
            ("OWN", "its own"),
            ("AWS_REGION", "us-west-2"),
            ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4848"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("TZ", "Europe/Vienna"),
            ("_HANDLER", "app.handler"),
        ] {
            assert_eq!(environment[name], value, "{name}");
        }
        assert!(environment["PATH"].as_str().unwrap().ends_with(":/usr/local/bin:/usr/bin:/bin"));
        assert_eq!(answer[1], environment["LAMBDA_TASK_ROOT"]);
        assert_eq!(environment["HOME"], environment["TMPDIR"]);
        assert_eq!(answer[2], json!([]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn limits_of_the_system_are_set() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            r#"
import os, resource
def kind(fd):
    try:
        return os.readlink("/proc/self/fd/%d" % fd).split("[")[0]
    except OSError:
        return ""
def handler(event, context):
    return {
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "size": resource.getrlimit(resource.RLIMIT_FSIZE)[1],
        "data": resource.getrlimit(resource.RLIMIT_DATA)[1],
        "group": os.getpgid(0) == os.getpid(),
        "stdin": os.read(0, 1).decode(),
        "open": sorted(filter(None, map(kind, range(1024)))),
    }
"#,
        ));
        let answer = scene.ask(&tool, "{}").await;
        assert_eq!(
            answer,
            json!({
                "core": 0, "files": 1024, "size": 512 << 20, "data": (2_u64 * 256 + 1024) << 20,
                "group": true, "stdin": "", "open": ["/dev/null", "pipe:", "pipe:", "pipe:", "socket:"],
            })
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stranger_is_not_let_in() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            "import os\ndef handler(event, context):\n    return os.environ['AWS_LAMBDA_RUNTIME_API']\n",
        ));
        let address = scene.ask(&tool, "{}").await;
        let address = address.as_str().unwrap().to_owned();
        let refused = tokio::task::spawn_blocking(move || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let _ = stream.write_all(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer
        });
        assert_eq!(text(&refused.await.unwrap()), "");
        scene.ask(&tool, "{}").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn functions_may_run_as_another_user() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let scene = Scene::with(|settings| {
            let above = settings.work_dir.parent().unwrap();
            std::fs::set_permissions(above, std::fs::Permissions::from_mode(0o711)).unwrap();
            settings.search_path = "/usr/bin:/usr/local/bin".into();
            settings.run_as = Some(RunAs { user: 65534, group: 65534 });
        });
        let tool = Arc::new(python(
            r#"
import os
def handler(event, context):
    open(os.path.join(os.environ["HOME"], "own"), "w").close()
    try:
        os.listdir(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "../../logs"))
        read = True
    except OSError:
        read = False
    return [os.getresuid(), os.getresgid(), os.getgroups(), read]
"#,
        ));
        let nobody = [65534; 3];
        assert_eq!(scene.ask(&tool, "{}").await, json!([nobody, nobody, [], false]));
        assert_eq!(scene.ask(&tool, "{}").await, json!([nobody, nobody, [], false]));
    }

    /// Not a test of its own: a server that is killed while its functions work. See the next test.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "is run by another test, in a process of its own"]
    async fn a_server_that_will_be_killed() {
        let scene = Scene::new();
        let mut idle = python("import os\ndef handler(event, context):\n    return os.getpid()\n");
        idle.function = domain::Arn::parse("arn:aws:lambda:us-west-2:123456789012:function:idle").unwrap();
        let pid = scene.ask(&Arc::new(idle), "0").await;
        let busy = Arc::new(python(
            "import os\nprint('pid', os.getpid())\ndef handler(event, context):\n    while True: pass\n",
        ));
        let tell = async {
            eventually("it works", || scene.log(&busy).contains("START")).await;
            println!(
                "ORPHANS {pid} {}",
                scene.log(&busy).lines().find_map(|line| line.strip_prefix("pid ")).unwrap()
            );
        };
        tokio::join!(scene.run(&busy, "0"), tell);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn functions_do_not_outlive_a_killed_server() {
        use std::io::{BufRead, BufReader};
        let mut server = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "tests::a_server_that_will_be_killed"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(server.stdout.take().unwrap());
        let pids: Vec<serde_json::Value> = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, pids) = line.split_once("ORPHANS ")?;
                Some(pids.split(' ').map(|pid| serde_json::from_str(pid).unwrap()).collect())
            })
            .unwrap();
        assert!(pids.iter().all(is_alive), "{pids:?}");
        server.kill().unwrap();
        server.wait().unwrap();
        eventually("the orphans are gone", || !pids.iter().any(is_alive)).await;
    }
}
