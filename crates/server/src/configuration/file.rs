//! The configuration file. A mistake in it is shown with its line; a name that is not known is a mistake.

use std::ffi::OsString;
use std::fmt::Display;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use control::pinning::Pins;
use credentials::GuardRole;
use domain::Region;
use egress::Network;
use gateway::{PromptsAndResources, Traffic};
use identity::provider::IssuerStyle;
use prover::{SolverSettings, SolverUse};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::generation::Generation;
use super::inference::Model;
use super::log::{LogFilter, LogFormat};
use super::mail::Mail;
use super::names::{HostName, PublicUrl};
use super::runtimes::Runtimes;
use super::telemetry::Telemetry;
use crate::command_line::Settings;
use crate::key_command::MasterKeyCommand;
use crate::terminal::Failure;

/// The file as it is written; everything may be left out.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct File {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) database: Option<String>,
    pub(crate) public_url: Option<Written<PublicUrl>>,
    pub(crate) region: Option<Written<Region>>,
    pub(crate) server: Server,
    pub(crate) tls: super::tls::Section,
    pub(crate) limits: super::limits::Section,
    pub(crate) drain: super::limits::DrainSection,
    pub(crate) gateway: Gateway,
    pub(crate) policy: Policy,
    pub(crate) quotas: Quotas,
    pub(crate) outbound: Outbound,
    pub(crate) oidc: Oidc,
    pub(crate) identity: Identity,
    pub(crate) functions: Functions,
    pub(crate) runtimes: Runtimes,
    pub(crate) objects: Objects,
    pub(crate) model: Option<Model>,
    pub(crate) mail: Option<Mail>,
    pub(crate) log: Log,
    pub(crate) telemetry: Telemetry,
    pub(crate) vault: Vault,
    pub(crate) audit: super::audit::Section,
    pub(crate) replica: Replica,
}

/// A value that is written as text and read by its own type, so that what is wrong with it is shown with its line too.
pub(crate) struct Written<T>(pub(crate) T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Server {
    pub(crate) hosts: Vec<Written<HostName>>,
    pub(crate) threads: Option<NonZeroUsize>,
    pub(crate) max_connections: Option<NonZeroUsize>,
    pub(crate) metrics: Metrics,
    pub(crate) trusted_proxies: Vec<Written<Network>>,
}

/// How this server shares its database with others.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Replica {
    lease_seconds: Option<NonZeroU64>,
}

impl Replica {
    /// How long a lease is: 5 seconds, or 2 to 300 as the file says.
    pub(crate) fn lease(&self) -> Result<Duration, Failure> {
        match self.lease_seconds.map_or(5, NonZeroU64::get) {
            seconds @ 2..=300 => Ok(Duration::from_secs(seconds)),
            seconds => Err(Failure::usage(format!(
                "replica.lease-seconds is {seconds}: give a number from 2 to 300"
            ))),
        }
    }
}

/// Who may read `/metrics`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Metrics {
    /// Whoever calls from this machine, and not through a proxy.
    #[default]
    Local,
    /// Everybody who reaches the server.
    Everybody,
    /// Nobody.
    Nobody,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Gateway {
    pub(crate) call_timeout_seconds: Option<NonZeroU64>,
    pub(crate) max_payload_megabytes: Option<NonZeroUsize>,
    pub(crate) pin_tools: Option<Written<Pins>>,
    pub(crate) guard_role: Option<Written<GuardRole>>,
}

/// How policies are analysed, what they decide beside tools, and who writes them of plain language.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Policy {
    pub(crate) prompts_and_resources: Option<Written<PromptsAndResources>>,
    pub(crate) recording: Recording,
    pub(crate) solver: Option<Written<SolverUse>>,
    pub(crate) solver_program: Option<PathBuf>,
    pub(crate) solver_seconds: Option<NonZeroU64>,
    pub(crate) generation: Option<Generation>,
}

impl Policy {
    /// The solver; flags and variables win over the file.
    pub(crate) fn solver(&self, settings: &Settings, search_path: OsString) -> SolverSettings {
        let usual = SolverSettings::default();
        let question_limit = self.solver_seconds.map(|seconds| Duration::from_secs(seconds.get()));
        let question_limit = question_limit.unwrap_or(usual.question_limit);
        SolverSettings {
            solver_use: settings.policy_solver.or(self.solver.as_ref().map(|it| it.0)).unwrap_or_default(),
            program: settings
                .solver_program
                .clone()
                .or_else(|| self.solver_program.clone())
                .unwrap_or(usual.program),
            search_path,
            question_limit,
            // A policy is a few questions for each tool; most are answered in milliseconds.
            budget: question_limit.saturating_mul(6),
            ..usual
        }
    }
}

/// What one account may have.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Quotas {
    pub(crate) gateways: Option<usize>,
    pub(crate) targets_per_gateway: Option<usize>,
    pub(crate) tools_per_target: Option<usize>,
    pub(crate) rate_limits_per_gateway: Option<usize>,
    pub(crate) policy_engines: Option<usize>,
    pub(crate) policies_per_engine: Option<usize>,
    pub(crate) policy_bytes: Option<usize>,
    pub(crate) policy_bytes_per_resource: Option<usize>,
    pub(crate) policy_generations_per_engine: Option<usize>,
    pub(crate) credential_providers_per_kind: Option<usize>,
    pub(crate) workload_identities: Option<usize>,
    pub(crate) agent_runtimes: Option<usize>,
    pub(crate) versions_per_agent_runtime: Option<usize>,
    pub(crate) endpoints_per_agent_runtime: Option<usize>,
    pub(crate) requests_per_second_per_gateway: Option<NonZeroU32>,
    pub(crate) requests_per_second_per_account: Option<NonZeroU32>,
    pub(crate) searches_per_minute_per_gateway: Option<NonZeroU32>,
}

impl Quotas {
    /// The quotas with those that are not set at AWS's.
    pub(crate) fn whole(&self) -> control::Quotas {
        let usual = control::Quotas::default();
        control::Quotas {
            gateways: self.gateways.unwrap_or(usual.gateways),
            targets_per_gateway: self.targets_per_gateway.unwrap_or(usual.targets_per_gateway),
            tools_per_target: self.tools_per_target.unwrap_or(usual.tools_per_target),
            rate_limits_per_gateway: self.rate_limits_per_gateway.unwrap_or(usual.rate_limits_per_gateway),
            policy_engines: self.policy_engines.unwrap_or(usual.policy_engines),
            policies_per_engine: self.policies_per_engine.unwrap_or(usual.policies_per_engine),
            policy_bytes: self.policy_bytes.unwrap_or(usual.policy_bytes),
            policy_bytes_per_resource: self
                .policy_bytes_per_resource
                .unwrap_or(usual.policy_bytes_per_resource),
            policy_generations_per_engine: self
                .policy_generations_per_engine
                .unwrap_or(usual.policy_generations_per_engine),
            credential_providers_per_kind: self
                .credential_providers_per_kind
                .unwrap_or(usual.credential_providers_per_kind),
            workload_identities: self.workload_identities.unwrap_or(usual.workload_identities),
            agent_runtimes: self.agent_runtimes.unwrap_or(usual.agent_runtimes),
            versions_per_agent_runtime: self
                .versions_per_agent_runtime
                .unwrap_or(usual.versions_per_agent_runtime),
            endpoints_per_agent_runtime: self
                .endpoints_per_agent_runtime
                .unwrap_or(usual.endpoints_per_agent_runtime),
        }
    }

    /// What is not set is not limited.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            requests_per_second_per_gateway: self.requests_per_second_per_gateway,
            requests_per_second_per_account: self.requests_per_second_per_account,
            searches_per_minute_per_gateway: self.searches_per_minute_per_gateway,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Outbound {
    pub(crate) allow: Vec<Written<Network>>,
    pub(crate) loopback: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Oidc {
    pub(crate) issuer_style: Style,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Vault {
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) master_key_command: Option<Vec<String>>,
}

/// What is recorded of calls besides their audit events.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recording {
    pub(crate) claims: Switch,
    pub(crate) arguments: Switch,
    pub(crate) gateways: Vec<String>,
    pub(crate) retention_days: Option<NonZeroU32>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Switch {
    #[default]
    Off,
    On,
}

impl Vault {
    /// The command that keeps the master key.
    pub(crate) fn command(self) -> Result<Option<MasterKeyCommand>, Failure> {
        let Some(words) = self.master_key_command else { return Ok(None) };
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program = program.ok_or_else(|| {
            Failure::usage("vault.master-key-command must be a list: a program and its arguments")
        })?;
        Ok(Some(MasterKeyCommand { program, arguments: words.collect() }))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Identity {
    pub(crate) trusted_issuers: Vec<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Style {
    #[default]
    Public,
    Aws,
}

impl From<Style> for IssuerStyle {
    fn from(style: Style) -> Self {
        match style {
            Style::Public => Self::Public,
            Style::Aws => Self::Aws,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Functions {
    pub(crate) python: Option<PathBuf>,
    pub(crate) node: Option<PathBuf>,
    pub(crate) idle_seconds: Option<u64>,
    pub(crate) max_instances: Option<NonZeroUsize>,
    pub(crate) max_instances_per_function: Option<NonZeroUsize>,
    pub(crate) run_as: Option<User>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Objects {
    pub(crate) max_object_megabytes: Option<NonZeroU64>,
}

/// A user of the operating system.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Log {
    pub(crate) filter: Option<Written<LogFilter>>,
    pub(crate) format: LogFormat,
}

impl File {
    /// Reads a file, and gives it as it is written, too.
    pub(crate) fn read(path: &Path) -> Result<(Self, toml::Table), Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        // The error shows the line and points at what is wrong in it.
        let wrong = |error: toml::de::Error| Failure::usage(format!("{}: {error}", path.display()));
        Ok((toml::from_str(&text).map_err(wrong)?, toml::from_str(&text).map_err(wrong)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        std::fs::write(&path, text).unwrap();
        File::read(&path).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_are_shown_with_their_line() {
        let shown = problem("listen = \"127.0.0.1:1\"\n\n[server]\nthreads = \"two\"\n");
        assert!(shown.contains("line 4") && shown.contains("threads = \"two\""), "{shown}");
        let shown = problem("listne = \"127.0.0.1:1\"\n");
        assert!(shown.contains("line 1") && shown.contains("unknown field `listne`"), "{shown}");
        for (text, line, what) in [
            ("\nregion = \"US West\"\n", "line 2", "US West"),
            ("public-url = \"gate.example.com\"\n", "line 1", "is no public URL"),
            ("[server]\nhosts = [\"https://gate\"]\n", "line 2", "is no host name"),
            ("[server]\nthreads = 0\n", "line 2", "nonzero"),
            ("[gateway]\npin-tools = \"some\"\n", "line 2", "`some` is none of mcp, all and off"),
            ("[policy]\nprompts-and-resources = \"deny\"\n", "line 2", "`deny` is neither allow nor refuse"),
            ("[server]\nmetrics = \"all\"\n", "line 2", "unknown variant `all`"),
            ("[policy]\nsolver = \"maybe\"\n", "line 2", "`maybe` is not a use of the solver"),
            ("[quotas]\ntools = 5\n", "line 2", "unknown field `tools`"),
            ("[log]\nfilter = \"a=b=c\"\n", "line 2", "is no log filter"),
            (
                "[outbound]\n\nallow = [\n  \"10.0.0.0/8\",\n  \"10.0.0.0/99\",\n]\n",
                "line 3",
                "`10.0.0.0/99` is no network",
            ),
        ] {
            let shown = problem(text);
            assert!(shown.contains(line) && shown.contains(what), "{shown}");
        }
    }
}
