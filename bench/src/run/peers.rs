//! Others' programs, measured in the same run: a peer gets the upstream and a place to listen on, takes its turn on the
//! core of what is measured, and is called as the gateway is.
//!
//! A peer is a shell line, or a file that also says how it is called and what its own configuration is. In both,
//! `{upstream}` and `{listen}` stand for an address and a port, `{upstream_port}` and `{listen_port}` for the port alone,
//! and `{folder}` for a folder of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::report::Report;
use super::scenario::{Asked, Scenario, Subject};
use crate::failure::Failure;
use crate::load::Measured;
use crate::scene::machine::{Core, Machine, Running, free_port};
use crate::scene::stage::{GUARDED, READ_TOOL, Which};
use crate::tools::STREAM_PATH;

/// How many call at once.
const CONCURRENCIES: [usize; 4] = [1, 16, 64, 256];

/// How a peer is started and called.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Peer {
    pub(super) name: String,
    command: String,
    /// Where a tool is called that answers in JSON.
    #[serde(default = "usual_path")]
    pub(super) path: String,
    /// Where a tool is called that answers with a stream.
    #[serde(default = "usual_stream_path")]
    pub(super) stream_path: String,
    /// The bearer token that it wants.
    #[serde(default)]
    pub(super) token: Option<String>,
    /// What it puts before the names of tools.
    #[serde(default)]
    pub(super) tool_prefix: String,
    /// Whether it wants `initialize` first, and its session's id after that.
    #[serde(default)]
    pub(super) session: bool,
    /// The files of its folder.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

fn usual_path() -> String {
    "/1/mcp".to_owned()
}

fn usual_stream_path() -> String {
    STREAM_PATH.to_owned()
}

impl Peer {
    /// Reads `NAME=COMMAND`, or the file that is named.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        if !Path::new(text).is_file()
            && let Some((name, command)) = text.split_once('=')
        {
            return Ok(Self {
                name: name.to_owned(),
                command: command.to_owned(),
                path: usual_path(),
                stream_path: usual_stream_path(),
                token: None,
                tool_prefix: String::new(),
                session: false,
                files: BTreeMap::new(),
            });
        }
        let read = std::fs::read_to_string(text).map_err(|error| {
            Failure::new(format!("the peer `{text}` is neither NAME=COMMAND nor a file: {error}"))
        })?;
        toml::from_str(&read).map_err(|error| Failure::new(format!("the peer {text}: {error}")))
    }

    /// Starts it in front of the upstream.
    pub(super) fn start(&self, machine: &Machine, upstream: &str) -> Result<Running, Failure> {
        let folder = machine.folder(&format!("peer-{}", self.name.replace('/', "-")))?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
        let filled = |text: &str| {
            text.replace("{upstream}", upstream)
                .replace("{upstream_port}", &port(upstream))
                .replace("{listen}", &listen)
                .replace("{listen_port}", &port(&listen))
                .replace("{folder}", &folder.to_string_lossy())
        };
        for (name, text) in &self.files {
            if name.contains('/') {
                return Err(Failure::new(format!(
                    "the peer {}: a file is in its folder: `{name}`",
                    self.name
                )));
            }
            std::fs::write(folder.join(name), filled(text))?;
        }
        let started = machine.start_line(Core::Measured, &filled(&self.command), &listen);
        started.map_err(|error| Failure::of(&format!("the peer {}", self.name), error))
    }
}

/// What is measured with peers, at each concurrency: everybody, in JSON and as a stream; and the gateway where a policy reads
/// an argument, so that it decides anew each time.
pub(super) fn scenarios(peers: usize) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for concurrency in CONCURRENCIES {
        let mut measure = |asked, subjects: Vec<Subject>| {
            scenarios.extend(subjects.into_iter().map(|subject| Scenario { subject, asked, concurrency }));
        };
        let floor = [Subject::Upstream, Subject::Proxy];
        let peers = || (0..peers).map(Subject::Peer);
        let gateways = [Which::Unguarded, GUARDED].map(Subject::Gateway);
        measure(Asked::Call { tool: 0 }, floor.into_iter().chain(gateways).chain(peers()).collect());
        measure(Asked::Call { tool: READ_TOOL }, vec![Subject::Gateway(GUARDED)]);
        let streaming = [Subject::Gateway(Which::Streaming)];
        measure(Asked::Stream, floor.into_iter().chain(streaming).chain(peers()).collect());
    }
    scenarios
}

/// The gateway beside each peer, and beside the floor, as a table in Markdown.
pub(super) fn ratios(report: &Report, names: &[String]) -> String {
    let mut text = String::from(
        "\nThe guarded gateway (token, 100 policies) held against each: more than 1 is more calls, a longer wait, more of the processor.\n\
         Where a policy reads an argument, each call is decided anew.\n\n\
         | against | asked | at once | calls/s | p50 | p99 | CPU a call |\n|---|---|---:|---:|---:|---:|---:|\n",
    );
    let others = [("bare upstream", Subject::Upstream), ("bare proxy", Subject::Proxy)];
    let peers = names.iter().enumerate().map(|(number, name)| (name.as_str(), Subject::Peer(number)));
    for (name, subject) in others.into_iter().chain(peers) {
        let call = Asked::Call { tool: 0 };
        for (ours, theirs, called, which) in [
            (call, call, "JSON", GUARDED),
            (Asked::Call { tool: READ_TOOL }, call, "JSON, an argument is read", GUARDED),
            (Asked::Stream, Asked::Stream, "SSE", Which::Streaming),
        ] {
            for concurrency in CONCURRENCIES {
                let of = |subject, asked| report.find(&Scenario { subject, asked, concurrency });
                if let (Some(ours), Some(theirs)) = (of(Subject::Gateway(which), ours), of(subject, theirs)) {
                    let _ =
                        writeln!(text, "| {name} | {called} | {concurrency} | {} |", against(ours, theirs));
                }
            }
        }
    }
    text
}

fn against(ours: &Measured, theirs: &Measured) -> String {
    format!(
        "{:.2} | {:.2} | {:.2} | {:.2}",
        ours.per_second / theirs.per_second,
        ours.p50_us / theirs.p50_us,
        ours.p99_us / theirs.p99_us,
        ours.processor_us / theirs.processor_us
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_line_or_a_file() {
        let peer = Peer::read("other=other --to {upstream} --at={listen}").unwrap();
        assert_eq!((&*peer.name, &*peer.command), ("other", "other --to {upstream} --at={listen}"));
        assert_eq!((&*peer.path, peer.session), ("/1/mcp", false));
        let file: Peer = toml::from_str(
            "name = \"other\"\ncommand = \"other {folder}/a\"\nsession = true\n[files]\na = \"{listen}\"\n",
        )
        .unwrap();
        assert!(file.session && file.files.contains_key("a"));
        assert!(Peer::read("/no/such/file").unwrap_err().to_string().contains("NAME=COMMAND"));
        assert!(toml::from_str::<Peer>("name = \"x\"\ncommand = \"y\"\ntokn = \"z\"\n").is_err());
    }
}
