//! The command line: one verb a subcommand. Every setting of the server is a flag, an environment variable and a line of
//! a configuration file; the flag wins.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use prover::SolverUse;

use crate::configuration::PublicUrl;
use crate::verbs::audit::Audit;
use crate::verbs::backup::Backup;
use crate::verbs::doctor::Doctor;
use crate::verbs::migrate::Migrate;
use crate::verbs::policy::Policy;
use crate::verbs::pool::Pool;
use crate::verbs::restore::Restore;
use crate::verbs::vault::Vault;

#[derive(Parser)]
#[command(name = "portcullis", version, about, propagate_version = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Answer AWS's APIs, MCP and OpenID requests
    Serve(Settings),
    /// Start the server and watch the three layers guard a real tool
    Demo(Demo),
    /// Print the exports that point AWS's clients at this server
    Env(Env),
    /// Ask the running server how it is; fails when it is not well
    Health(Health),
    /// Run a command whose calls of AWS's hosts are answered here
    Exec(Exec),
    /// Make and list accounts
    Account(Account),
    /// Read the audit trail, verify it, and give it to others
    Audit(Audit),
    /// Read the mail that functions sent
    Mail(Mail),
    /// Write, check, test and explain Cedar policies
    Policy(Policy),
    /// Care for the keys of user pools
    Pool(Pool),
    /// Change the keys under which secrets are sealed
    Vault(Vault),
    /// Look at gateways' targets, and approve what their servers changed
    Target(Target),
    /// Look at a token, and say why a gateway accepts it or does not
    Token(Token),
    /// Look at credential providers, and try them
    Identity(Identity),
    /// Copy the whole database into one sealed file, while servers run
    Backup(Backup),
    /// Fill an empty database with a backup
    Restore(Restore),
    /// Move everything from one database into another
    Migrate(Migrate),
    /// Look at everything that a server stands on, and say what to do; fails when there is a problem
    Doctor(Doctor),
    /// Print the completions of a shell
    Completions(Completions),
    /// Answer the calls of one process, for `exec`
    #[command(hide = true)]
    Intercept(Intercept),
}

/// Where the server is, and where its data are.
#[derive(Args, Clone, Default)]
pub(crate) struct Settings {
    /// Read settings from this TOML file
    #[arg(long, env = "PORTCULLIS_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Listen on this address [default: 127.0.0.1:4848]
    #[arg(long, env = "PORTCULLIS_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Keep keys, credentials and embedded storage in this folder [default: ./portcullis-data]
    #[arg(long, env = "PORTCULLIS_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Use this database: sqlite:PATH or postgres://… [default: SQLite in the data directory]
    #[arg(long, env = "PORTCULLIS_DATABASE", value_name = "URL", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// The URL under which clients reach this server [default: the listen address]
    #[arg(long, env = "PORTCULLIS_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<PublicUrl>,
    /// Speak TLS with this certificate, in PEM, with the intermediate ones behind it [default: no TLS]
    #[arg(long, env = "PORTCULLIS_TLS_CERTIFICATE", value_name = "FILE", hide_short_help = true)]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, env = "PORTCULLIS_TLS_KEY", value_name = "FILE", hide_short_help = true)]
    pub(crate) tls_key: Option<PathBuf>,
    /// Whether a solver proves what policies do: auto, required or off [default: auto]
    #[arg(long, env = "PORTCULLIS_POLICY_SOLVER", value_name = "USE", hide_short_help = true)]
    pub(crate) policy_solver: Option<SolverUse>,
    /// The solver's program [default: cvc5]
    #[arg(long, env = "PORTCULLIS_SOLVER_PROGRAM", value_name = "FILE", hide_short_help = true)]
    pub(crate) solver_program: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// End after the story instead of going on to serve
    #[arg(long)]
    pub(crate) exit: bool,
}

#[derive(Args)]
pub(crate) struct Env {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Print a JSON object instead of shell exports
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Health {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Ask whether it is ready to serve, and not only whether it lives
    #[arg(long)]
    pub(crate) ready: bool,
}

#[derive(Args)]
pub(crate) struct Exec {
    /// Where Portcullis listens [default: what the data directory says]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<exec::Place>,
    /// The folder with the keys, credentials and address of the server [default: ./portcullis-data]
    #[arg(long, env = "PORTCULLIS_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) others: Others,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What becomes of hosts that are not AWS's.
#[derive(Args)]
pub(crate) struct Others {
    /// Refuse all hosts that nobody answers for, but this machine itself
    #[arg(long)]
    pub(crate) offline: bool,
    /// Have a host, or all names under one (*.example.com), answered by a local server
    #[arg(long = "answer", value_name = "HOST=URL")]
    pub(crate) answers: Vec<exec::Answer>,
}

#[derive(Args)]
pub(crate) struct Intercept {
    /// Where Portcullis listens
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: exec::Place,
    /// The process whose calls are answered
    #[arg(long, value_name = "PID")]
    pub(crate) process: u32,
    /// Leave the work to a process that is nobody's child
    #[arg(long)]
    pub(crate) detach: bool,
    #[command(flatten)]
    pub(crate) others: Others,
}

#[derive(Args)]
pub(crate) struct Account {
    #[command(subcommand)]
    pub(crate) verb: AccountVerb,
}

#[derive(Subcommand)]
pub(crate) enum AccountVerb {
    /// Make an account with root credentials, which are printed once
    Create {
        #[command(flatten)]
        settings: Settings,
        /// The account's twelve digits [default: random ones]
        #[arg(long, value_name = "DIGITS")]
        id: Option<String>,
        /// What people call it
        #[arg(long, default_value = "")]
        name: String,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the accounts
    List {
        #[command(flatten)]
        settings: Settings,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(crate) struct Mail {
    #[command(subcommand)]
    pub(crate) verb: MailVerb,
}

#[derive(Subcommand)]
pub(crate) enum MailVerb {
    /// List the messages in the outbox, the newest first
    List {
        #[command(flatten)]
        settings: Settings,
        /// Only the messages of this account [default: 000000000000]
        #[arg(long, value_name = "DIGITS")]
        account: Option<String>,
        /// How many at most
        #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT")]
        lines: u32,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(crate) struct Target {
    #[command(subcommand)]
    pub(crate) verb: TargetVerb,
}

#[derive(Subcommand)]
pub(crate) enum TargetVerb {
    /// List the targets of a gateway, or of all gateways
    List {
        #[command(flatten)]
        settings: Settings,
        /// Only the targets of this gateway
        #[arg(long, value_name = "ID")]
        gateway: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show how the tools that a server lists now differ from those that are approved
    Diff {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        which: WhichTarget,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Put the tools in force that a server lists now
    Approve {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        which: WhichTarget,
        /// Approve only what has this digest, which `diff` shows
        #[arg(long, value_name = "SHA256")]
        digest: Option<String>,
        /// Approve although policies would no longer fit, which `check` lists
        #[arg(long)]
        force: bool,
    },
    /// Say which policies would no longer fit if a target were changed; fails when there is one
    Check {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        which: WhichTarget,
        /// The change: a targetConfiguration or a request that holds one, in JSON; without it, what waits for approval
        file: Option<PathBuf>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Say what AWS would refuse of an OpenAPI document or a Smithy model; fails when it would refuse anything
    Preflight {
        #[command(flatten)]
        settings: Settings,
        /// The document: JSON or YAML
        #[arg(required_unless_present = "gateway", conflicts_with = "gateway")]
        file: Option<PathBuf>,
        /// The name of the target that it will become
        #[arg(long, value_name = "NAME", default_value = "target")]
        target: String,
        /// Look at the targets of this gateway instead
        #[arg(long, value_name = "ID")]
        gateway: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A target.
#[derive(Args)]
pub(crate) struct WhichTarget {
    /// The gateway's id
    #[arg(long, value_name = "ID")]
    pub(crate) gateway: String,
    /// The target's name or id
    #[arg(long, value_name = "NAME")]
    pub(crate) target: String,
}

#[derive(Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) verb: TokenVerb,
}

#[derive(Subcommand)]
pub(crate) enum TokenVerb {
    /// Show what a token says, without believing any of it
    Decode {
        /// The token, or - to read it from standard input, where no list of processes shows it
        token: String,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Say whether a gateway accepts a token; fails when it does not
    Verify(TokenAtGateway),
    /// Say rule by rule why a gateway accepts a token or does not, and what to do; fails when it does not
    Why(TokenAtGateway),
}

/// A token before a gateway.
#[derive(Args)]
pub(crate) struct TokenAtGateway {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// The token, or - to read it from standard input, where no list of processes shows it
    pub(crate) token: String,
    /// The gateway's id
    #[arg(long, value_name = "ID")]
    pub(crate) gateway: String,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Identity {
    #[command(subcommand)]
    pub(crate) verb: IdentityVerb,
}

#[derive(Subcommand)]
pub(crate) enum IdentityVerb {
    /// List the credential providers of an account and region
    List {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask a provider's token endpoint for a token, or see whether its API key is there; prints neither
    TestProvider {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        place: Place,
        /// The provider's name
        name: String,
        /// Ask for this scope; may be given more than once
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End every access token of a workload identity; those who may get tokens for it can get others
    Revoke {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        place: Place,
        /// The workload identity's name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// An account and a region.
#[derive(Args)]
pub(crate) struct Place {
    /// The account [default: 000000000000]
    #[arg(long, value_name = "DIGITS")]
    pub(crate) account: Option<String>,
    /// The region [default: the server's]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
}

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}
