//! Actors for the tests: a supervisor in a folder of its own, and functions made of a few lines of Python or JavaScript.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub(crate) mod agents;

use std::ffi::OsString;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use compute::{
    Code, Completed, Credentials, Digest, Invocation, InvokeError, Launch, Provider, Settings, Supervisor,
};
use domain::{Arn, FunctionRuntime, Secret, SystemClock, SystemRandom, Timestamp};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;
use zip::write::{SimpleFileOptions, ZipWriter};

pub(crate) const REQUEST: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// A supervisor in a folder of its own.
pub(crate) struct Scene {
    pub(crate) supervisor: Supervisor,
    pub(crate) folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(
            folder.path().join("work"),
            Handle::current(),
            Arc::new(SystemClock),
            Arc::new(SystemRandom),
        );
        settings.search_path = search_path();
        settings.max_wait = Duration::from_secs(60);
        change(&mut settings);
        Self { supervisor: Supervisor::new(settings).unwrap(), folder }
    }

    /// Invokes and expects that the function was run.
    pub(crate) async fn run(&self, launch: &Arc<Launch>, payload: &str) -> Completed {
        self.invoke(launch, payload).await.unwrap()
    }

    pub(crate) async fn invoke(&self, launch: &Arc<Launch>, payload: &str) -> Result<Completed, InvokeError> {
        self.supervisor.invoke(launch, event(payload)).await
    }

    /// Invokes and expects an answer, which it reads as JSON.
    pub(crate) async fn ask(&self, launch: &Arc<Launch>, payload: &str) -> Value {
        let completed = self.run(launch, payload).await;
        assert_eq!(
            completed.function_error,
            None,
            "{}\n{}",
            text(&completed.payload),
            text(&completed.log_tail)
        );
        json(&completed)
    }

    /// Invokes and expects a function error, which it reads as JSON.
    pub(crate) async fn fail(&self, launch: &Arc<Launch>, payload: &str) -> (Value, Completed) {
        let completed = self.run(launch, payload).await;
        assert!(completed.function_error.is_some(), "{}", text(&completed.payload));
        (json(&completed), completed)
    }

    /// The function's log as one text.
    pub(crate) fn log(&self, launch: &Launch) -> String {
        let lines = self.supervisor.logs(&launch.function);
        lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }
}

pub(crate) fn event(payload: &str) -> Invocation {
    Invocation {
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        client_context: None,
        request_id: REQUEST.to_owned(),
        trace_id: None,
    }
}

/// A Python function whose module `app` is `source`.
pub(crate) fn python(source: &str) -> Launch {
    launch("python3.12", "app.handler", archive(&[("app.py", source, 0o644)]))
}

/// A JavaScript function whose module `index.js` is `source`.
pub(crate) fn node(source: &str) -> Launch {
    launch("nodejs20.x", "index.handler", archive(&[("index.js", source, 0o644)]))
}

/// A `provided` function whose `bootstrap` is `source` behind a shebang of the Python that runs the tests.
pub(crate) fn provided(source: &str) -> Launch {
    let bootstrap = format!("#!{}\n{source}", python_executable());
    launch("provided.al2023", "any", archive(&[("bootstrap", &bootstrap, 0o755)]))
}

pub(crate) fn launch(runtime: &str, handler: &str, code: Bytes) -> Launch {
    Launch {
        function: Arn::parse("arn:aws:lambda:us-west-2:123456789012:function:tool").unwrap(),
        invoked_as: Arn::parse("arn:aws:lambda:us-west-2:123456789012:function:tool").unwrap(),
        version: "$LATEST".to_owned(),
        revision_id: "first".to_owned(),
        updated_at: Timestamp::from_seconds(1),
        name: "tool".to_owned(),
        runtime: FunctionRuntime::parse(runtime).unwrap(),
        handler: handler.to_owned(),
        memory_mib: 256,
        timeout_seconds: 60,
        code: Code::Archive { digest: Digest::of(&code), archive: Provider::fixed(code) },
        environment: Vec::new(),
        server_environment: Vec::new(),
        endpoint_url: Some("http://127.0.0.1:4848".to_owned()),
        credentials: Provider::fixed(credentials(None)),
    }
}

pub(crate) fn credentials(expires_at: Option<Timestamp>) -> Credentials {
    Credentials {
        access_key_id: "ASIAEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret"),
        session_token: Some(Secret::new("token")),
        expires_at,
    }
}

/// A zip archive of files with their modes.
pub(crate) fn archive(files: &[(&str, &str, u32)]) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content, mode) in files {
        let options = SimpleFileOptions::default().unix_permissions(*mode);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner().into()
}

pub(crate) fn json(completed: &Completed) -> Value {
    serde_json::from_slice(&completed.payload).unwrap_or_else(|_| panic!("{}", text(&completed.payload)))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits, for as long as a loaded machine may need.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process runs; one that has ended and only awaits its parent does not.
pub(crate) fn is_alive(pid: &Value) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// How many files a folder has.
pub(crate) fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[expect(clippy::disallowed_methods, reason = "tests look for Python where the one who runs them does")]
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

pub(crate) fn python_executable() -> String {
    let output = std::process::Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
