//! Sessions of agents: many side by side, each with its own process and port, and nothing left of those that are over.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use compute::agents::{AgentSpec, Counts, Ending, Language, Protocol, StartError};
    use domain::Secret;
    use serde_json::{Value, json};

    use crate::common::agents::{OBEDIENT, Stage, agent, get, package, post};
    use crate::common::{count, eventually, is_alive};

    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_sessions_side_by_side() {
        let stage = Stage::new();
        let spec = Arc::new(agent(OBEDIENT));
        let tell = |name: String| {
            let (agents, spec) = (Arc::clone(&stage.agents), Arc::clone(&spec));
            tokio::spawn(async move {
                let lease = agents.session(&spec, &name).await.unwrap();
                let deed = format!("memory.setdefault('name', '{name}')");
                for _ in 0..3 {
                    let answer = post(lease.addr(), "/invocations", &deed).await.unwrap();
                    assert_eq!(answer, json!(name).to_string());
                }
                (lease.addr(), lease.pid().unwrap())
            })
        };
        let telling: Vec<_> = (0..50).map(|number| tell(format!("session-{number}"))).collect();
        let mut found = Vec::new();
        for told in telling {
            found.push(told.await.unwrap());
        }
        assert_eq!(found.iter().map(|(addr, _)| addr).collect::<HashSet<_>>().len(), 50);
        assert_eq!(found.iter().map(|(_, pid)| pid).collect::<HashSet<_>>().len(), 50);
        assert!(found.iter().all(|(addr, _)| addr.ip().is_loopback()));
        assert_eq!(stage.agents.counts(), Counts { sessions: 50, starting: 0, busy: 0 });
        // What one was told is not known to another, and stays where it was told.
        assert_eq!(stage.tell(&spec, "session-7", "memory").await, json!({"name": "session-7"}));
        assert_eq!(listening_elsewhere(), Vec::<String>::new());
        // While its session lives, nobody else gets its port.
        std::net::TcpListener::bind(found[0].0).unwrap_err();

        assert!(stage.agents.stop(&spec.runtime, "session-7").await);
        assert!(!stage.agents.stop(&spec.runtime, "session-7").await);
        assert_eq!(stage.agents.counts_of(&spec.runtime).sessions, 49);
        stage.agents.drop_runtime(&spec.runtime).await;
        assert_eq!(stage.agents.counts(), Counts::default());
        assert_eq!(count(&stage.folders()), 0);
        for (addr, pid) in found {
            assert!(!is_alive(&json!(pid)));
            let refused = std::net::TcpStream::connect(addr).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        }
    }

    /// Sockets that listen on 8080 or 8000: every agent believes that it does.
    fn listening_elsewhere() -> Vec<String> {
        let tables =
            ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
        let rows = tables.iter().flat_map(|table| table.lines());
        let listening = rows.filter(|row| row.split_ascii_whitespace().nth(3) == Some("0A"));
        let local = listening.filter_map(|row| row.split_ascii_whitespace().nth(1));
        local
            .filter(|local| local.ends_with(":1F90") || local.ends_with(":1F40"))
            .map(str::to_owned)
            .collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn callers_who_come_at_once_share_one_start() {
        let stage = Stage::new();
        let spec = Arc::new(agent(OBEDIENT));
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let (agents, spec) = (Arc::clone(&stage.agents), Arc::clone(&spec));
                tokio::spawn(async move { agents.session(&spec, "one").await.unwrap().pid() })
            })
            .collect();
        let mut pids = HashSet::new();
        for call in calls {
            pids.insert(call.await.unwrap());
        }
        assert_eq!(pids.len(), 1);
        // A version has sessions of its own, and `stop` means all of them.
        let mut second = agent(OBEDIENT);
        second.version = "2".to_owned();
        let second = Arc::new(second);
        assert!(!pids.contains(&stage.session(&second, "one").await.pid()));
        assert!(stage.agents.stop(&spec.runtime, "one").await);
        assert!(!stage.agents.has_session(&spec.runtime, "one"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn there_are_no_more_than_there_may_be_and_names_are_names() {
        let stage = Stage::with(|settings| settings.max_sessions = 1);
        let spec = Arc::new(agent(OBEDIENT));
        drop(stage.session(&spec, "first").await);
        let refused = stage.agents.session(&spec, "second").await.unwrap_err();
        assert!(matches!(refused, StartError::TooMany { limit: 1 }), "{refused}");
        for name in ["", "with space", "line\nbreak", "\u{e4}", &"x".repeat(257)] {
            assert!(matches!(stage.agents.session(&spec, name).await, Err(StartError::Name)), "{name}");
        }
        assert!(stage.agents.stop(&spec.runtime, "first").await);
        drop(stage.session(&spec, "second").await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_session_ends_when_it_is_idle_and_not_while_it_works() {
        let stage = Stage::new();
        let mut spec = agent(OBEDIENT);
        spec.idle_timeout = Duration::from_secs(1);
        let spec = Arc::new(spec);
        let lease = stage.session(&spec, "worker").await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(stage.agents.counts().busy, 1, "while it is leased, it is not idle");
        post(lease.addr(), "/invocations", "status = 'HealthyBusy'").await.unwrap();
        let addr = lease.addr();
        drop(lease);
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!(stage.agents.counts().sessions, 1, "while it says that it is busy, it is not idle");
        post(addr, "/invocations", "status = 'Healthy'").await.unwrap();
        let began = Instant::now();
        eventually("it has ended", || stage.agents.counts().sessions == 0).await;
        assert!(began.elapsed() >= Duration::from_millis(500), "it was busy a moment ago");
        assert!(stage.log(&spec).contains("[worker] the session has ended: it was idle\n"));
        assert_eq!(count(&stage.folders()), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_session_ends_when_it_is_old_whatever_it_does() {
        let stage = Stage::new();
        let mut spec = agent(OBEDIENT);
        spec.max_life = Duration::from_secs(2);
        let spec = Arc::new(spec);
        let lease = stage.session(&spec, "old").await;
        let working = post(lease.addr(), "/invocations", "time.sleep(100)");
        let (ending, answer) = tokio::join!(lease.ended(), working);
        assert_eq!(ending, Ending::TooOld);
        assert!(answer.is_err(), "{answer:?}");
        drop(lease);
        // Whoever comes while it ends gets a new one.
        assert_eq!(stage.tell(&spec, "old", "memory").await, json!({}));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_environment_is_the_contracts_and_nothing_else() {
        let stage = Stage::new();
        let mut spec = agent(OBEDIENT);
        spec.environment.extend([
            ("AWS_REGION".to_owned(), Secret::new("mars-1")),
            ("PORT".to_owned(), Secret::new("1")),
            ("PYTHONPATH".to_owned(), Secret::new("/own/modules")),
            ("API_KEY".to_owned(), Secret::new("sesame-open-4711")),
        ]);
        let spec = Arc::new(spec);
        let answer = stage.tell(&spec, "one", "dict(os.environ)").await;
        let environment = answer.as_object().unwrap();
        let mut names: Vec<_> = environment.keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected = [
            "API_KEY",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "AWS_REGION",
            "DOCKER_CONTAINER",
            "HOME",
            "LANG",
            "NODE_OPTIONS",
            "OWN",
            "PATH",
            "PORT",
            "PORTCULLIS_AGENT",
            "PORTCULLIS_AGENT_PORT",
            "PORTCULLIS_AGENT_SOCKET",
            "PYTHONDONTWRITEBYTECODE",
            "PYTHONNOUSERSITE",
            "PYTHONPATH",
            "PYTHONUNBUFFERED",
            "PYTHONUTF8",
            "TMPDIR",
            "TZ",
        ];
        assert_eq!(names, expected);
        assert_eq!(environment["AWS_REGION"], "us-west-2");
        assert_eq!(environment["PORT"], "8080");
        assert!(environment["PYTHONPATH"].as_str().unwrap().ends_with(":/own/modules"));

        // Its credentials are where the SDKs look for them, for its token only.
        let url = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"].as_str().unwrap();
        let token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"].as_str().unwrap();
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let (addr, path) = (host.parse().unwrap(), format!("/{path}"));
        let given = get(addr, &path, &format!("Authorization: {token}\r\n")).await.unwrap();
        let given: Value = serde_json::from_str(&given).unwrap();
        assert_eq!(given["AccessKeyId"], "ASIAEXAMPLE");
        assert_eq!(given["SecretAccessKey"], "secret");
        for headers in ["", "Authorization: wrong\r\n"] {
            assert!(get(addr, &path, headers).await.unwrap().contains("not for you"));
        }
        let other = stage.tell(&spec, "two", "os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN']").await;
        let headers = format!("Authorization: {}\r\n", other.as_str().unwrap());
        assert!(get(addr, &path, &headers).await.unwrap().contains("not for you"), "another session's token");

        // What is secret does not get into the log.
        let deed = "print(os.environ['OWN'], os.environ['API_KEY'], os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN'])";
        stage.tell(&spec, "one", deed).await;
        eventually("it is in the log", || stage.log(&spec).contains("[one] its own")).await;
        let log = stage.log(&spec);
        assert!(!log.contains("sesame") && !log.contains(token), "{log}");
        assert!(stage.agents.stop(&spec.runtime, "one").await);
        let late = get(addr, &path, &format!("Authorization: {token}\r\n")).await.unwrap();
        assert!(late.contains("not for you"), "its token has ended with it");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_session_writes_where_it_runs_and_code_is_nobodys() {
        let stage = Stage::new();
        let files = [("main.py", OBEDIENT, 0o644), ("data/words.txt", "hello", 0o644)];
        let spec = Arc::new(package(&files, &["main.py"], Language::Python(11)));
        stage.tell(&spec, "one", "open('notes.txt', 'w').write('mine')").await;
        assert_eq!(stage.tell(&spec, "one", "open('notes.txt').read()").await, "mine");
        assert_eq!(stage.tell(&spec, "two", "os.path.exists('notes.txt')").await, false);
        assert_eq!(stage.tell(&spec, "two", "open('data/words.txt').read()").await, "hello");
        let listed =
            stage.tell(&spec, "two", "[os.listdir(os.environ[n]) for n in ('HOME', 'TMPDIR')]").await;
        assert_eq!(listed, json!([[], []]));
        assert_eq!(stage.tell(&spec, "two", "sys.stdin.read()").await, "", "standard input is empty");
        // The package is closed to its sessions, byte code and all.
        let modes =
            "[oct(os.stat(os.path.realpath(p)).st_mode & 0o222) for p in ('main.py', 'data', '__pycache__')]";
        assert_eq!(stage.tell(&spec, "two", modes).await, json!(["0o0", "0o0", "0o0"]));
        assert_eq!(stage.tell(&spec, "two", "len(os.listdir('__pycache__'))").await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_agent_may_be_a_child_of_its_entry_point() {
        let stage = Stage::new();
        let start =
            "import subprocess, sys\nsys.exit(subprocess.run([sys.executable, 'main.py']).returncode)\n";
        let files = [("start.py", start, 0o644), ("main.py", OBEDIENT, 0o644)];
        let spec = Arc::new(package(&files, &["start.py"], Language::Python(11)));
        assert_eq!(stage.tell(&spec, "one", "1 + 1").await, 2);
        let executed = "import os, sys\nos.execl(sys.executable, sys.executable, 'main.py')\n";
        let files = [("start.py", executed, 0o644), ("main.py", OBEDIENT, 0o644)];
        let mut spec = package(&files, &["start.py"], Language::Python(11));
        spec.version = "2".to_owned();
        assert_eq!(stage.tell(&Arc::new(spec), "one", "1 + 1").await, 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn javascript_listens_on_the_same_port() {
        let stage = Stage::new();
        let source = r#"
const http = require("node:http");
const seen = [];
http.createServer((request, response) => {
  if (request.url === "/ping") { response.end('{"status":"Healthy"}'); return; }
  request.on("data", (piece) => seen.push(String(piece)));
  request.on("end", () => response.end(JSON.stringify(seen)));
}).listen(8080, "0.0.0.0", () => console.log("listening"));
"#;
        let spec = Arc::new(package(&[("index.js", source, 0o644)], &["index.js"], Language::Node(22)));
        let one = stage.session(&spec, "one").await;
        let two = stage.session(&spec, "two").await;
        assert_eq!(post(one.addr(), "/invocations", "a").await.unwrap(), r#"["a"]"#);
        assert_eq!(post(one.addr(), "/invocations", "b").await.unwrap(), r#"["a","b"]"#);
        assert_eq!(post(two.addr(), "/invocations", "c").await.unwrap(), r#"["c"]"#);
        assert!(stage.log(&spec).contains("[one] listening"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn mcp_has_another_port_and_no_ping() {
        let stage = Stage::new();
        let mut spec = agent(&OBEDIENT.replace("8080", "8000"));
        spec.protocol = Protocol::Mcp;
        let spec = Arc::new(spec);
        let lease = stage.session(&spec, "one").await;
        assert_eq!(post(lease.addr(), "/mcp", "6 * 7").await.unwrap(), "42");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_run_is_refused_with_reasons() {
        let stage = Stage::with(|settings| settings.start_limit = Duration::from_secs(2));
        let refusal = async |spec: AgentSpec| {
            let refused = stage.agents.session(&Arc::new(spec), "one").await.unwrap_err();
            refused.to_string()
        };
        let missing = refusal(package(&[("a.py", "", 0o644)], &["main.py"], Language::Python(11))).await;
        assert_eq!(missing, "the entry point cannot be run: the package has no file `main.py`");
        let mut no_archive = agent("");
        no_archive.code = compute::Code::Archive {
            digest: compute::Digest::of(b"other"),
            archive: compute::Provider::fixed(b"no archive".to_vec().into()),
        };
        assert!(refusal(no_archive).await.starts_with("the agent's code cannot be used"));
        let unwell = OBEDIENT.replace("self.reply({\"status\": status})", "self.send_error(500)");
        let unwell = refusal(agent(&unwell)).await;
        assert_eq!(unwell, "the agent was not ready after 2 s: it answers /ping with 500, and not with 200");
        eventually("nothing is left", || count(&stage.folders()) == 0).await;
    }
}
