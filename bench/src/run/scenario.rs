//! What is measured: who is called, for what, by how many at once.

use serde_json::json;

use super::peers::Peer;
use crate::failure::Failure;
use crate::load::Plan;
use crate::scene::machine::Running;
use crate::scene::stage::{OTHER_POLICIES, POLICIES, READ_TOOL, Stage, TARGET, Which};
use crate::tools::{self, ANSWER, EVENTS, REST_PATH, SIZES, STREAM_PATH};

/// How many call at once.
const CONCURRENCIES: [usize; 3] = [1, 16, 64];
/// How long is called before anything is measured.
const WARM_UP_MS: u64 = 600;

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The MCP server or REST service itself.
    Upstream,
    /// The bare reverse proxy in front of it.
    Proxy,
    /// A gateway.
    Gateway(Which),
    /// The peer of this number.
    Peer(usize),
}

/// For what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A call of the tool of this number.
    Call { tool: usize },
    /// A list of so many tools.
    List { tools: usize },
    /// An operation of the REST service.
    Rest,
    /// A call whose answer is a stream of events.
    Stream,
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scenario {
    pub(super) subject: Subject,
    pub(super) asked: Asked,
    pub(super) concurrency: usize,
}

/// All scenarios, in the order in which they are measured: the floor right before what stands on it.
pub(super) fn all(quick: bool) -> Vec<Scenario> {
    let concurrencies = if quick { vec![16] } else { CONCURRENCIES.to_vec() };
    concurrencies.into_iter().flat_map(at).collect()
}

fn at(concurrency: usize) -> Vec<Scenario> {
    let call = Asked::Call { tool: 0 };
    let mut asked = vec![(Subject::Upstream, call), (Subject::Proxy, call)];
    asked.push((Subject::Gateway(Which::Unguarded), call));
    for tools in SIZES {
        asked.extend(POLICIES.map(|policies| (Subject::Gateway(Which::Mcp { tools, policies }), call)));
    }
    asked.push((Subject::Gateway(largest()), Asked::Call { tool: READ_TOOL }));
    asked.push((Subject::Gateway(Which::Function), call));
    for (which, other) in [(Which::OpenApi, Asked::Rest), (Which::Streaming, Asked::Stream)] {
        asked.extend([(Subject::Upstream, other), (Subject::Proxy, other), (Subject::Gateway(which), other)]);
    }
    for tools in SIZES {
        let Which::Mcp { policies, .. } = largest() else { continue };
        let list = Asked::List { tools };
        let gateway = Subject::Gateway(Which::Mcp { tools, policies });
        asked.extend([(Subject::Upstream, list), (Subject::Proxy, list), (gateway, list)]);
    }
    asked.into_iter().map(|(subject, asked)| Scenario { subject, asked, concurrency }).collect()
}

/// The gateway with the most tools under the most policies.
pub(super) fn largest() -> Which {
    let most = |numbers: [usize; 3]| numbers.into_iter().max().unwrap_or_default();
    Which::Mcp { tools: most(SIZES), policies: most(POLICIES) }
}

impl Scenario {
    /// Its name.
    pub(super) fn name(&self) -> String {
        let (subject, asked) = (self.subject.name(), self.asked.name());
        let policies = self.policies().map(|policies| format!(" policies={policies}")).unwrap_or_default();
        format!("{subject}: {asked} tools={}{policies} c={}", self.tools(), self.concurrency)
    }

    /// The scenario whose figures these are held against.
    pub(super) fn beside(&self) -> Self {
        let asked = match self.asked {
            Asked::Call { .. } => Asked::Call { tool: 0 },
            other => other,
        };
        Self { subject: Subject::Proxy, asked, ..*self }
    }

    /// Whether a gateway has to be there: what is called, and those whose tools the policies of its engine are about.
    pub(super) fn needs(&self, which: Which) -> bool {
        match which {
            Which::Mcp { policies, .. } if self.policies() == Some(policies) => true,
            which => self.subject == Subject::Gateway(which),
        }
    }

    /// How many policies guard what is called.
    pub(super) fn policies(&self) -> Option<usize> {
        match self.subject {
            Subject::Gateway(Which::Mcp { policies, .. }) => Some(policies),
            Subject::Gateway(Which::Function | Which::OpenApi | Which::Streaming) => Some(OTHER_POLICIES),
            Subject::Upstream | Subject::Proxy | Subject::Peer(_) | Subject::Gateway(Which::Unguarded) => {
                None
            }
        }
    }

    /// How many tools what is called has.
    pub(super) fn tools(&self) -> usize {
        match (self.asked, self.subject) {
            (Asked::List { tools }, _) | (_, Subject::Gateway(Which::Mcp { tools, .. })) => tools,
            _ => 1,
        }
    }
}

impl Subject {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Upstream => "bare upstream",
            Self::Proxy => "bare proxy",
            Self::Gateway(Which::Mcp { .. }) => "gateway, MCP server",
            Self::Gateway(Which::Function) => "gateway, function",
            Self::Gateway(Which::OpenApi) => "gateway, REST service",
            Self::Gateway(Which::Streaming) => "gateway, streaming",
            Self::Gateway(Which::Unguarded) => "gateway, unguarded",
            Self::Peer(_) => "peer",
        }
    }
}

impl Asked {
    pub(super) fn name(self) -> String {
        match self {
            Self::Call { tool: READ_TOOL } => "call, an argument is read".to_owned(),
            Self::Call { .. } => "call".to_owned(),
            Self::List { tools } => format!("list of {tools}"),
            Self::Rest => "call of an operation".to_owned(),
            Self::Stream => format!("call, {EVENTS} events and an answer"),
        }
    }

    /// The message; `prefix` stands before the names of tools, where tools are called and not what is behind them.
    pub(super) fn body(self, prefix: Option<&str>) -> String {
        let is_bare = prefix.is_none();
        let prefix = prefix.unwrap_or_default();
        let (method, params) = match self {
            Self::Call { tool } => {
                let name = format!("{prefix}{}", tools::name(tool));
                ("tools/call", json!({ "name": name, "arguments": tools::arguments() }))
            }
            Self::List { .. } => ("tools/list", json!({})),
            Self::Rest if is_bare => return operation(),
            Self::Rest => {
                let name = format!("{prefix}{}", tools::name(0));
                ("tools/call", json!({ "name": name, "arguments": tools::arguments() }))
            }
            Self::Stream => {
                let name = format!("{prefix}{}", tools::name(0));
                let meta = json!({ "progressToken": "bench" });
                ("tools/call", json!({ "name": name, "arguments": tools::arguments(), "_meta": meta }))
            }
        };
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"{method}\",\"params\":{params}}}", Plan::ID)
    }

    /// How many bytes the answer has at least.
    fn least(self) -> usize {
        match self {
            Self::Call { .. } | Self::Rest | Self::Stream => 0,
            Self::List { tools } => (0..tools).map(|tool| tools::definition(tool).to_string().len()).sum(),
        }
    }
}

/// What the REST service is sent without a gateway: the arguments, and an id that tells its answer from others.
fn operation() -> String {
    let arguments = tools::arguments().to_string();
    format!("{},\"id\":{}}}", arguments.trim_end_matches('}'), Plan::ID)
}

/// The parts that run.
pub(super) struct Parts {
    pub(super) upstream: Running,
    pub(super) proxy: Running,
    pub(super) server: Running,
    pub(super) peers: Vec<(Peer, Running)>,
    pub(super) stage: Stage,
}

impl Parts {
    /// The plan of a scenario.
    pub(super) fn plan(&self, scenario: &Scenario, seconds: f64) -> Result<Plan, Failure> {
        let own = match scenario.asked {
            Asked::Rest => REST_PATH.to_owned(),
            Asked::Stream => STREAM_PATH.to_owned(),
            Asked::Call { .. } | Asked::List { .. } => format!("/{}/mcp", scenario.tools()),
        };
        let (mut session, mut exact) = (false, true);
        let (part, path, prefix, token) = match scenario.subject {
            Subject::Upstream => (&self.upstream, own, None, None),
            Subject::Proxy => (&self.proxy, own, None, None),
            Subject::Peer(number) => {
                let (peer, running) =
                    self.peers.get(number).ok_or_else(|| Failure::new("there is no such peer"))?;
                let path = if scenario.asked == Asked::Stream { &peer.stream_path } else { &peer.path };
                (session, exact) = (peer.session, false);
                (running, path.clone(), Some(peer.tool_prefix.clone()), peer.token.clone())
            }
            Subject::Gateway(which) => {
                let path = self.stage.paths.get(&which).cloned();
                let path = path.ok_or_else(|| Failure::new("the gateway was not set up"))?;
                let token = (which != Which::Unguarded).then(|| self.stage.token.clone());
                (&self.server, path, Some(format!("{TARGET}___")), token)
            }
        };
        let expected = match (scenario.asked, scenario.subject) {
            (Asked::List { .. }, _) => "\"tools\":[{".to_owned(),
            // A function's answer is quoted once more; its text has nothing that quoting would change.
            (_, Subject::Gateway(Which::Function)) => tools::text(),
            _ => ANSWER.to_owned(),
        };
        Ok(Plan {
            address: part.address.clone(),
            path,
            token,
            body: scenario.asked.body(prefix.as_deref()),
            expected,
            least: scenario.asked.least(),
            events: if scenario.asked == Asked::Stream { EVENTS + 1 } else { 0 },
            concurrency: scenario.concurrency,
            warm_up_ms: WARM_UP_MS,
            window_ms: (seconds.max(0.1) * 1_000.0) as u64,
            watched: part.pid(),
            beside: Vec::new(),
            session,
            exact,
        })
    }
}
