//! The settings of the server: from a file, from the environment, from the command line, the later over the earlier.
//!
//! The environment is read here and nowhere else.

mod audit;
mod aws;
mod file;
mod generation;
mod inference;
mod limits;
mod log;
mod mail;
mod names;
mod runtimes;
mod telemetry;
mod tls;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::generation::ModelSettings;
use ::runtimes::Partner;
use compute::RunAs;
use control::Quotas;
use control::pinning::Pins;
use credentials::GuardRole;
use domain::{Region, Secret};
use egress::{Network, Reach};
use gateway::{PromptsAndResources, Recorder, Traffic};
use identity::provider::IssuerStyle;
use prover::SolverSettings;

use crate::command_line::Settings;
use crate::key_command::MasterKeyCommand;
use crate::notice::Notices;
use crate::proxies::Transport;
use crate::terminal::Failure;
pub(crate) use audit::Audit;
pub(crate) use aws::AwsEnvironment;
use file::Switch;
pub(crate) use file::{File, Metrics};
use generation::Generation;
pub(crate) use limits::{Drain, Limits};
pub(crate) use log::{LogFilter, LogFormat};
pub(crate) use names::PublicUrl;
pub(crate) use tls::{Pair, TlsFiles};

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4848);
const DATA_DIR: &str = "portcullis-data";
const REGION: &str = "us-west-2";
/// What AgentCore gives a call of a tool ("Quotas": invocation timeout).
const CALL_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// What AgentCore takes and passes on ("Quotas": payload).
const MAX_PAYLOAD_MEGABYTES: usize = 6;
const MEGABYTE: usize = 1024 * 1024;
/// The largest object of the object store.
const MAX_OBJECT_MEGABYTES: u64 = 100;
/// How long what is recorded of calls is kept.
const RETENTION_DAYS: u32 = 30;

/// Everything that can be set.
pub(crate) struct Configuration {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) database: String,
    /// Absent, it is the address that is listened on.
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) hosts: Vec<String>,
    pub(crate) threads: usize,
    pub(crate) limits: Limits,
    pub(crate) drain: Drain,
    /// Absent, the listener speaks in the clear.
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) region: Region,
    pub(crate) reach: Reach,
    pub(crate) issuer_style: IssuerStyle,
    /// Whose users' tokens workloads may bring, besides the issuers that gateways name: discovery URLs.
    pub(crate) trusted_issuers: Vec<String>,
    pub(crate) functions: Functions,
    /// How many sessions of agents may run at once.
    pub(crate) max_agent_sessions: Option<usize>,
    /// Partners that show a key to agent runtimes.
    pub(crate) partners: Vec<Partner>,
    pub(crate) call_timeout: Duration,
    /// The largest request to a gateway and the largest answer of an upstream, in bytes.
    pub(crate) largest_payload: usize,
    pub(crate) traffic: Traffic,
    /// What becomes of prompts and resources where policies guard.
    pub(crate) prompts_and_resources: PromptsAndResources,
    pub(crate) metrics: Metrics,
    /// How long a replica may serve without having reached the database.
    pub(crate) lease: Duration,
    /// The proxies whose word for the client's address is taken.
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) guard_role: GuardRole,
    pub(crate) pins: Pins,
    pub(crate) quotas: Quotas,
    /// What proves things about policies.
    pub(crate) solver: SolverSettings,
    /// The relay that mail is handed to, if there is one.
    pub(crate) relay: Option<::mail::RelaySettings>,
    /// The model that agents call as Bedrock's, if there is one.
    pub(crate) inference: Option<::inference::ModelSettings>,
    /// The model that writes policies of plain language, if there is one.
    pub(crate) model: Option<ModelSettings>,
    /// The largest object of the object store.
    pub(crate) max_object_bytes: u64,
    /// Absent, it is for the verb to say.
    pub(crate) log_filter: Option<LogFilter>,
    pub(crate) log_format: LogFormat,
    /// What is exported of the server's work. It holds secrets, and is taken by whoever begins to export.
    pub(crate) telemetry: Option<Arc<::telemetry::Settings>>,
    /// `PORTCULLIS_MASTER_KEY`, instead of the file.
    pub(crate) master_key: Option<Secret>,
    /// The command that keeps the master key, instead of the file.
    pub(crate) master_key_command: Option<MasterKeyCommand>,
    pub(crate) recording: Recording,
    /// How the audit trail is kept.
    pub(crate) audit: Audit,
    /// `PORTCULLIS_ROOT_ACCESS_KEY_ID` and `PORTCULLIS_ROOT_SECRET_ACCESS_KEY`, instead of those that are made.
    pub(crate) root: Option<(String, Secret)>,
    /// Where interpreters are looked for.
    pub(crate) path: std::ffi::OsString,
    /// Where a service manager wants to be told how the server stands.
    pub(crate) notices: Notices,
    /// The file as it is written.
    pub(crate) written: toml::Table,
}

/// How functions run.
pub(crate) struct Functions {
    pub(crate) python: Option<PathBuf>,
    pub(crate) node: Option<PathBuf>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_instances: Option<usize>,
    pub(crate) max_instances_per_function: Option<usize>,
    /// The user whom functions run as; the server's own when there is none.
    pub(crate) run_as: Option<RunAs>,
}

/// What is recorded of calls besides their audit events, and how long it is kept.
pub(crate) struct Recording {
    pub(crate) recorder: Recorder,
    pub(crate) retention: Duration,
}

impl Configuration {
    /// Puts the settings together.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Failure> {
        let (mut file, written) = match &settings.config {
            Some(path) => File::read(path)?,
            None => Default::default(),
        };
        let (master_key, master_key_command) = master_key(file.vault)?;
        let listen = settings.listen.or(file.listen).unwrap_or(LISTEN);
        let data_dir = settings.data_dir.clone().or(file.data_dir).unwrap_or_else(|| PathBuf::from(DATA_DIR));
        let database = settings.database.clone().or(file.database);
        let count = |number: Option<NonZeroUsize>| number.map(NonZeroUsize::get);
        let region = match file.region {
            Some(region) => region.0,
            None => Region::parse(REGION).map_err(|error| Failure::new(error.to_string()))?,
        };
        Ok(Self {
            listen,
            database: database
                .unwrap_or_else(|| format!("sqlite:{}", data_dir.join("portcullis.db").display())),
            public_url: settings.public_url.clone().or(file.public_url.map(|url| url.0)),
            hosts: file.server.hosts.into_iter().map(|host| host.0.to_string()).collect(),
            threads: count(file.server.threads).unwrap_or_else(cores),
            limits: file.limits.settings(file.server.max_connections)?,
            drain: file.drain.settings(),
            tls: file.tls.settings(settings)?,
            audit: file.audit.settings(&data_dir, &region)?,
            region,
            data_dir,
            reach: Reach {
                allowed: file.outbound.allow.into_iter().map(|network| network.0).collect(),
                // What only this machine reaches may reach this machine.
                loopback: file.outbound.loopback.unwrap_or(listen.ip().is_loopback()),
            },
            issuer_style: file.oidc.issuer_style.into(),
            trusted_issuers: file.identity.trusted_issuers,
            functions: Functions {
                python: file.functions.python,
                node: file.functions.node,
                idle_timeout: file.functions.idle_seconds.map(Duration::from_secs),
                max_instances: count(file.functions.max_instances),
                max_instances_per_function: count(file.functions.max_instances_per_function),
                run_as: file.functions.run_as.map(|it| RunAs { user: it.user, group: it.group }),
            },
            max_agent_sessions: count(file.runtimes.max_sessions),
            partners: file.runtimes.partners(),
            call_timeout: file
                .gateway
                .call_timeout_seconds
                .map_or(CALL_TIMEOUT, |seconds| Duration::from_secs(seconds.get())),
            largest_payload: file
                .gateway
                .max_payload_megabytes
                .map_or(MAX_PAYLOAD_MEGABYTES, NonZeroUsize::get)
                .saturating_mul(MEGABYTE),
            traffic: file.quotas.traffic(),
            prompts_and_resources: file
                .policy
                .prompts_and_resources
                .as_ref()
                .map(|it| it.0)
                .unwrap_or_default(),
            metrics: file.server.metrics,
            lease: file.replica.lease()?,
            trusted_proxies: file.server.trusted_proxies.into_iter().map(|network| network.0).collect(),
            pins: file.gateway.pin_tools.map(|pins| pins.0).unwrap_or_default(),
            guard_role: file.gateway.guard_role.map(|role| role.0).unwrap_or_default(),
            quotas: file.quotas.whole(),
            relay: file.mail.take().map(mail::Mail::settings).transpose()?,
            inference: file.model.take().map(inference::Model::settings).transpose()?,
            model: file.policy.generation.take().map(Generation::settings).transpose()?,
            solver: file.policy.solver(settings, path()),
            max_object_bytes: file
                .objects
                .max_object_megabytes
                .map_or(MAX_OBJECT_MEGABYTES, NonZeroU64::get)
                .saturating_mul(MEGABYTE as u64),
            log_filter: log_filter()?.or(file.log.filter.map(|filter| filter.0)),
            log_format: file.log.format,
            telemetry: file.telemetry.settings()?.map(Arc::new),
            master_key,
            master_key_command,
            recording: recording(file.policy.recording),
            root: root()?,
            path: path(),
            notices: Notices::to(variable("NOTIFY_SOCKET")),
            written,
        })
    }

    /// How the listener is spoken to.
    pub(crate) fn transport(&self) -> Transport {
        if self.tls.is_some() { Transport::Tls } else { Transport::Clear }
    }

    /// A file of the data directory.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.data_dir.join(name)
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here")]
fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Who is at the command line, for the audit trail: the user that the process runs as, and what that user is called here.
pub(crate) fn operator() -> String {
    let uid = rustix::process::getuid().as_raw();
    let name = variable("LOGNAME").or_else(|| variable("USER"));
    let plain = |name: &String| {
        name.len() <= 64 && name.chars().all(|it| it.is_alphanumeric() || "-_.@".contains(it))
    };
    match name.filter(plain) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

fn log_filter() -> Result<Option<LogFilter>, Failure> {
    const NAME: &str = "PORTCULLIS_LOG";
    let read = |text: String| text.parse().map_err(|error| Failure::usage(format!("{NAME}: {error}")));
    variable(NAME).map(read).transpose()
}

/// The master key, or the command that keeps it; neither, it is in the data directory.
fn master_key(vault: file::Vault) -> Result<(Option<Secret>, Option<MasterKeyCommand>), Failure> {
    const NAME: &str = "PORTCULLIS_MASTER_KEY";
    let file = vault.master_key_file.as_ref().map(|path| {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("cannot read vault.master-key-file {}: {error}", path.display()))
        })?;
        Ok::<_, Failure>(Secret::new(text.trim()))
    });
    let told = [
        (NAME, variable(NAME).is_some()),
        ("vault.master-key-file", file.is_some()),
        ("vault.master-key-command", vault.master_key_command.is_some()),
    ];
    let told: Vec<_> = told.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect();
    if let [one, other, ..] = told.as_slice() {
        return Err(Failure::usage(format!(
            "{one} and {other} both say where the master key is: set one of them"
        )));
    }
    let key = file.transpose()?.or_else(|| variable(NAME).map(Secret::new));
    Ok((key, vault.command()?))
}

fn recording(file: file::Recording) -> Recording {
    let days = file.retention_days.map_or(RETENTION_DAYS, NonZeroU32::get);
    Recording {
        recorder: Recorder {
            claims: file.claims == Switch::On,
            arguments: file.arguments == Switch::On,
            gateways: file.gateways,
        },
        retention: Duration::from_secs(u64::from(days) * 24 * 60 * 60),
    }
}

fn root() -> Result<Option<(String, Secret)>, Failure> {
    const KEY: &str = "PORTCULLIS_ROOT_ACCESS_KEY_ID";
    const SECRET: &str = "PORTCULLIS_ROOT_SECRET_ACCESS_KEY";
    match (variable(KEY), variable(SECRET)) {
        (Some(key), Some(secret)) => {
            let sound =
                (16..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !sound || secret.len() < 16 {
                return Err(Failure::usage(format!(
                    "{KEY} must have 16 to 128 letters and digits, and {SECRET} at least 16 characters"
                )));
            }
            Ok(Some((key, Secret::new(secret))))
        }
        (None, None) => Ok(None),
        _ => Err(Failure::usage(format!("{KEY} and {SECRET} belong together: set both or none"))),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// All variables that are Unicode, for the command that `exec` runs.
#[expect(clippy::disallowed_methods, reason = "the environment is read here")]
pub(crate) fn environment() -> exec::Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Reads a file of the data directory, for verbs that need one that `serve` makes.
pub(crate) fn read_data_file(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!(
            "cannot read {}: {error}\nStart the server once with `portcullis serve`, or say with --data-dir where its data are",
            path.display()
        ))
    })
}
