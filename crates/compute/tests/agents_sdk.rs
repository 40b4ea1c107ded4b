//! Other people's agents, unmodified: the SDK's `BedrockAgentCoreApp`, with and without OpenTelemetry's wrapper, and a
//! `FastMCP` server, each vendored into an archive as a user's package is.
//!
//! `PORTCULLIS_TEST_AGENT_PYTHON` names a Python that has `bedrock-agentcore`, `mcp` and `opentelemetry-instrumentation`
//! installed: the archive is made of its packages. Without it there is nothing to run.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use compute::agents::{AgentLimits, AgentSpec, Language, Protocol};
    use compute::{Code, Digest, Provider};

    use crate::common::agents::{Stage, agent, exchange, get, post};
    use crate::common::{count, eventually};

    const AGENT: &str = r#"
import asyncio
from bedrock_agentcore import BedrockAgentCoreApp

app = BedrockAgentCoreApp()

@app.entrypoint
async def invoke(payload, context):
    if payload.get("stream"):
        async def pieces():
            for piece in ("one", "two"):
                yield {"piece": piece}
        return pieces()
    if payload.get("work"):
        task = app.add_async_task("work")
        async def work():
            await asyncio.sleep(payload["work"])
            app.complete_async_task(task)
        asyncio.create_task(work())
    return {"said": payload.get("prompt"), "session": context.session_id}

if __name__ == "__main__":
    app.run()
"#;

    const SERVER: &str = r#"
from mcp.server.fastmcp import FastMCP

mcp = FastMCP("tools", host="0.0.0.0", stateless_http=True)

@mcp.tool()
def double(value: int) -> int:
    """Doubles a number."""
    return value * 2

mcp.run(transport="streamable-http")
"#;

    /// Vendors the packages that these need, with what those need, and two files beside them.
    const VENDOR: &str = r#"
import importlib.metadata as metadata, pathlib, re, sys, zipfile
wanted, seen = ["bedrock-agentcore", "mcp", "opentelemetry-instrumentation", "opentelemetry-distro"], {}
while wanted:
    name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
    if name in seen:
        continue
    try:
        seen[name] = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        continue
    for need in seen[name].requires or []:
        if "extra ==" not in need:
            wanted.append(re.match(r"[A-Za-z0-9._-]+", need)[0])
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    written = set()
    for found in seen.values():
        for file in found.files or []:
            parts = file.parts
            if parts[-1].endswith(".pyc"):
                continue
            place = "bin/" + parts[-1] if "bin" in parts and parts[0] == ".." else str(file)
            source = pathlib.Path(found.locate_file(file))
            if not place.startswith("..") and place not in written and source.is_file():
                written.add(place)
                archive.write(source, place)
    archive.writestr("agent.py", sys.argv[2])
    archive.writestr("server.py", sys.argv[3])
"#;

    #[expect(clippy::disallowed_methods, reason = "the one who runs the tests says where the SDK is")]
    fn python() -> Option<PathBuf> {
        std::env::var_os("PORTCULLIS_TEST_AGENT_PYTHON").map(PathBuf::from)
    }

    fn vendored(python: &PathBuf) -> Bytes {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("agent.zip");
        let made =
            Command::new(python).args(["-c", VENDOR]).arg(&archive).args([AGENT, SERVER]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::read(archive).unwrap().into()
    }

    fn spec(code: &Bytes, entry_point: &[&str], version: &str) -> AgentSpec {
        let mut spec = agent("");
        spec.code = Code::Archive { digest: Digest::of(code), archive: Provider::fixed(code.clone()) };
        spec.entry_point = entry_point.iter().map(|word| (*word).to_owned()).collect();
        spec.language = Language::Python(11);
        spec.version = version.to_owned();
        spec.limits = AgentLimits::default();
        spec
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn unmodified_agents_of_the_sdk_and_unmodified_mcp_servers_run() {
        let Some(python) = python() else { return };
        let code = vendored(&python);
        let stage = Stage::with(|settings| settings.start_limit = Duration::from_secs(180));

        let mut plain = spec(&code, &["agent.py"], "1");
        plain.idle_timeout = Duration::from_secs(2);
        let plain = Arc::new(plain);
        let lease = stage.session(&plain, "one").await;
        let body = r#"{"prompt": "hello"}"#;
        let request = format!(
            "POST /invocations HTTP/1.1\r\nHost: agent\r\nContent-Type: application/json\r\n\
             X-Amzn-Bedrock-AgentCore-Runtime-Session-Id: one\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(lease.addr(), request).await.unwrap();
        assert!(answer.contains(r#"{"said": "hello", "session": "one"}"#), "{answer}");
        let streamed = post(lease.addr(), "/invocations", r#"{"stream": true}"#).await.unwrap();
        assert!(
            streamed.contains(r#"data: {"piece": "one"}"#) && streamed.contains(r#"{"piece": "two"}"#),
            "{streamed}"
        );
        // What the SDK says of a task that goes on is understood.
        post(lease.addr(), "/invocations", r#"{"work": 6}"#).await.unwrap();
        assert!(get(lease.addr(), "/ping", "").await.unwrap().contains("HealthyBusy"));
        drop(lease);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(stage.agents.counts().sessions, 1, "it works on something");
        eventually("it is idle", || stage.agents.counts().sessions == 0).await;
        assert!(stage.log(&plain).contains("the session has ended: it was idle"));

        let instrumented = Arc::new(spec(&code, &["opentelemetry-instrument", "agent.py"], "2"));
        let lease = stage.session(&instrumented, "one").await;
        let answer = post(lease.addr(), "/invocations", body).await.unwrap();
        assert!(answer.contains(r#""said": "hello""#), "{answer}");
        drop(lease);

        let mut server = spec(&code, &["server.py"], "3");
        server.protocol = Protocol::Mcp;
        let server = Arc::new(server);
        let lease = stage.session(&server, "one").await;
        let call = r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "double", "arguments": {"value": 21}}}"#;
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost:8000\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMcp-Session-Id: given-by-the-platform\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{call}",
            call.len()
        );
        let answer = exchange(lease.addr(), request).await.unwrap();
        assert!(answer.contains("42"), "{answer}\n{}", stage.log(&server));
        drop(lease);
        stage.agents.shutdown(Duration::from_secs(5)).await;
        assert_eq!(count(&stage.folders()), 0);
    }
}
