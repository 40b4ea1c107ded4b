//! Actors for the tests of agents: agents in a folder of their own, and small ones made with Python's own HTTP server.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use compute::agents::{AgentLimits, AgentSettings, AgentSpec, Agents, Language, Lease, Protocol};
use compute::{Code, Digest, Provider};
use domain::{Arn, Secret, SystemClock, SystemRandom};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::{archive, credentials, search_path};

/// An agent that does what it is told: it evaluates the Python in the body and answers with what that gives, as JSON.
pub(crate) const OBEDIENT: &str = r#"
import http.server, json, os, signal, socket, subprocess, sys, threading, time
status = "Healthy"
memory = {}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, body):
        body = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.reply({"status": status})
    def do_POST(self):
        deed = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            self.reply(eval(deed, globals()))
        except SyntaxError:
            exec(deed, globals())
            self.reply(None)
    def log_message(self, *words):
        pass
def daemon(seconds=1000, mib=0):
    """Leaves the group and the parents, as daemons do, and tells its number."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            held = b'x' * (mib << 20)
            os.write(writer, str(os.getpid()).encode())
            time.sleep(seconds)
        os._exit(0)
    os.wait()
    return int(os.read(reader, 20))
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
if __name__ == "__main__":
    Server(("0.0.0.0", 8080), Handler).serve_forever()
"#;

/// Agents in a folder of their own.
pub(crate) struct Stage {
    pub(crate) agents: Arc<Agents>,
    pub(crate) folder: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut AgentSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let agents = Arc::new(Agents::new(settings(folder.path().join("work"), change)).unwrap());
        Self { agents, folder }
    }

    pub(crate) async fn session(&self, spec: &Arc<AgentSpec>, name: &str) -> Lease {
        self.agents.session(spec, name).await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Has an obedient agent do something.
    pub(crate) async fn tell(&self, spec: &Arc<AgentSpec>, name: &str, deed: &str) -> Value {
        let lease = self.session(spec, name).await;
        serde_json::from_str(&post(lease.addr(), "/invocations", deed).await.unwrap()).unwrap()
    }

    /// The folders of sessions.
    pub(crate) fn folders(&self) -> PathBuf {
        self.folder.path().join("work/sessions")
    }

    pub(crate) fn log(&self, spec: &AgentSpec) -> String {
        self.agents.logs(&spec.runtime).iter().map(|line| format!("{}\n", line.text)).collect()
    }
}

pub(crate) fn settings(work_dir: PathBuf, change: impl FnOnce(&mut AgentSettings)) -> AgentSettings {
    let mut settings =
        AgentSettings::new(work_dir, Handle::current(), Arc::new(SystemClock), Arc::new(SystemRandom));
    settings.search_path = search_path();
    settings.stop_grace = Duration::from_secs(2);
    settings.ping_interval = Duration::from_millis(100);
    change(&mut settings);
    settings
}

/// A Python agent whose `main.py` is `source`.
pub(crate) fn agent(source: &str) -> AgentSpec {
    package(&[("main.py", source, 0o644)], &["main.py"], Language::Python(11))
}

pub(crate) fn package(files: &[(&str, &str, u32)], entry_point: &[&str], language: Language) -> AgentSpec {
    let code = archive(files);
    AgentSpec {
        runtime: Arn::parse("arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/helper-abc1234567")
            .unwrap(),
        version: "1".to_owned(),
        name: "helper".to_owned(),
        code: Code::Archive { digest: Digest::of(&code), archive: Provider::fixed(code) },
        entry_point: entry_point.iter().map(|word| (*word).to_owned()).collect(),
        language,
        environment: vec![("OWN".to_owned(), Secret::new("its own"))],
        server_environment: Vec::new(),
        endpoint_url: Some("http://127.0.0.1:4848".to_owned()),
        credentials: Some(Provider::fixed(credentials(None))),
        protocol: Protocol::Http,
        idle_timeout: AgentSpec::IDLE_TIMEOUT,
        max_life: AgentSpec::MAX_LIFE,
        limits: AgentLimits { memory_mib: 256, ..AgentLimits::default() },
    }
}

/// The body of what a POST is answered with; an error if the connection breaks.
pub(crate) async fn post(to: SocketAddr, path: &str, body: &str) -> std::io::Result<String> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: agent\r\nContent-Type: application/json\r\n");
    exchange(to, format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())).await
}

/// The body of what a GET is answered with.
pub(crate) async fn get(to: SocketAddr, path: &str, headers: &str) -> std::io::Result<String> {
    exchange(to, format!("GET {path} HTTP/1.1\r\nHost: agent\r\n{headers}Connection: close\r\n\r\n")).await
}

pub(crate) async fn exchange(to: SocketAddr, request: String) -> std::io::Result<String> {
    let exchanging = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((_, body)) => Ok(body.to_owned()),
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    });
    exchanging.await.unwrap()
}
