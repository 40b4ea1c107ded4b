//! What an agent is: one version of one runtime, and what its processes may use.

use std::fmt;
use std::time::Duration;

use domain::{Arn, Secret};

use crate::{Code, Credentials, Provider};

/// One version of one runtime, with all that a process of it needs. It has no `Debug`, because its environment may hold
/// secrets.
pub struct AgentSpec {
    /// The runtime's ARN, without a version. Its region becomes `AWS_REGION`.
    pub runtime: Arn,
    /// The version, `1` and up. Each has sessions of its own.
    pub version: String,
    /// The runtime's name: its log file is called by it.
    pub name: String,
    /// Where its code is: an archive is unpacked once for each digest, within [`crate::package::Bounds::AGENT`].
    pub code: Code,
    /// `codeConfiguration.entryPoint`: a script of the package, or a program and its arguments, such as
    /// `["opentelemetry-instrument", "main.py"]`.
    pub entry_point: Vec<String>,
    /// What runs it.
    pub language: Language,
    /// `environmentVariables` of the runtime. Names that the server sets itself are ignored.
    pub environment: Vec<(String, Secret)>,
    /// Variables that the server adds, such as `AWS_CA_BUNDLE`. The runtime's own take precedence.
    pub server_environment: Vec<(String, String)>,
    /// `AWS_ENDPOINT_URL` of the agent, by which the AWS SDKs in it find this server.
    pub endpoint_url: Option<String>,
    /// Gives temporary credentials of the runtime's role, as often as the agent asks: AWS's SDKs fetch them from a
    /// loopback address (`AWS_CONTAINER_CREDENTIALS_FULL_URI`) and fetch new ones before they expire.
    pub credentials: Option<Provider<Credentials>>,
    /// What it speaks.
    pub protocol: Protocol,
    /// After this time without a request, and without being busy, a session ends (60 to 1,209,600 s; default 900).
    pub idle_timeout: Duration,
    /// A session ends when it is as old as this, whatever it does (60 to 1,209,600 s; default 28,800).
    pub max_life: Duration,
    /// What a session may use.
    pub limits: AgentLimits,
}

impl AgentSpec {
    /// `idleRuntimeSessionTimeout`, if it is not set: 15 minutes.
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(900);
    /// `maxLifetime`, if it is not set: 8 hours.
    pub const MAX_LIFE: Duration = Duration::from_secs(28_800);
}

/// What an agent speaks, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /invocations`, `GET /ping`, and perhaps `/ws`, on port 8080. It is ready when it answers `/ping` with 200.
    Http,
    /// `POST /mcp` on port 8000. It is ready when it listens.
    Mcp,
}

impl Protocol {
    /// The port that the agent believes to listen on.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 8080,
            Self::Mcp => 8000,
        }
    }
}

/// What runs an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Python 3, with its minor version.
    Python(u8),
    /// Node.js, with its major version.
    Node(u8),
}

impl Language {
    /// Reads `AgentManagedRuntimeType`: `PYTHON_3_10` to `PYTHON_3_14`, `NODE_22`. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "PYTHON_3_10" => Some(Self::Python(10)),
            "PYTHON_3_11" => Some(Self::Python(11)),
            "PYTHON_3_12" => Some(Self::Python(12)),
            "PYTHON_3_13" => Some(Self::Python(13)),
            "PYTHON_3_14" => Some(Self::Python(14)),
            "NODE_22" => Some(Self::Node(22)),
            _ => None,
        }
    }
}

/// As `AgentManagedRuntimeType` says it.
impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Python(minor) => write!(formatter, "PYTHON_3_{minor}"),
            Self::Node(major) => write!(formatter, "NODE_{major}"),
        }
    }
}

/// What one session may use. What is over it is killed, but for files, whose writing fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentLimits {
    /// Memory of all its processes, in MiB, with 32 MiB on top. Default: 2,048.
    pub memory_mib: u32,
    /// Processes. Default: 256.
    pub processes: usize,
    /// Bytes in its folder, which has its home, its temporary files and its working directory. Default: 1 GiB, AWS's.
    pub disk_bytes: u64,
    /// Files and folders in its folder. Default: 100,000.
    pub disk_entries: u64,
    /// The largest file that it may write, in bytes. Default: 512 MiB.
    pub largest_file: u64,
    /// Files that one of its processes may have open. Default: 1,024.
    pub open_files: u64,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            memory_mib: 2048,
            processes: 256,
            disk_bytes: 1024 * 1024 * 1024,
            disk_entries: 100_000,
            largest_file: 512 * 1024 * 1024,
            open_files: 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_read_and_write_awss_names() {
        for name in ["PYTHON_3_10", "PYTHON_3_13", "NODE_22"] {
            assert_eq!(Language::parse(name).unwrap().to_string(), name);
        }
        for wrong in ["", "PYTHON_3_9", "NODE_20", "python_3_12"] {
            assert_eq!(Language::parse(wrong), None, "{wrong}");
        }
    }
}
