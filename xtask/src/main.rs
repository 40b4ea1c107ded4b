//! The chores of the project, one verb each: `cargo xtask codegen | tidy | deny | test | bench | layout | fuzz |
//! sanitize | dev`.
//!
//! A chore needs nothing but Rust, Python 3 and the package registries: what else it wants, it installs into an
//! ignored folder (PostgreSQL from the system's packages), and says so.

mod bench;
mod chore;
mod chromium;
mod codegen;
mod deny;
mod dev;
mod faketime;
mod fuzz;
mod layout;
mod node;
mod postgres;
mod python;
mod sanitize;
mod solver;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use chore::Chore;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The chores of the project")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Derive crates/aws-shapes and docs/surface.md from models/
    Codegen {
        /// Change nothing; fail when what is checked in is stale
        #[arg(long)]
        check: bool,
    },
    /// Ask cargo-deny about what is built: deny.toml, and advisories besides
    Deny,
    /// Check the walls of the house and the habits that Clippy does not know
    Tidy,
    /// Run every test: format, lints, walls, unit and integration tests, real clients, on both databases
    Test {
        /// Also what is longer: many crash points, large corpora, overload, a soak of five minutes
        #[arg(long)]
        full: bool,
        /// Only the end-to-end tests whose name holds this
        #[arg(long, value_name = "EXPRESSION")]
        only: Option<String>,
    },
    /// Measure the gateway beside a bare reverse proxy: a table on standard output, JSON in bench/results
    Bench {
        /// What `bench run` shall get: --quick, --only TEXT, --seconds SECONDS, --peers, --peer NAME=COMMAND; or what else is
        /// measured, and what that shall get: memory, start, overload, soak --minutes MINUTES, scaling, policy, iam, vault
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// List the functions that a start and calls execute, for the linker: before a release
    Layout,
    /// Try what reads the bytes of strangers with many of them, each target for a bounded time
    Fuzz {
        /// How long each target is tried: 60 seconds, or 600 with --full, when it is not said
        #[arg(long, value_name = "SECONDS")]
        seconds: Option<u32>,
        /// Ten minutes for each target
        #[arg(long)]
        full: bool,
        /// How many targets are tried side by side: one for each core, when it is not said
        #[arg(long, value_name = "NUMBER")]
        jobs: Option<usize>,
        /// Only this target
        #[arg(long, value_name = "NAME")]
        target: Option<String>,
    },
    /// Run the fuzz targets on their seeds, and tests around C code and threads, under the compiler's sanitizers (nightly)
    Sanitize {
        /// How long each fuzz target goes on behind its seeds and corpus
        #[arg(long, default_value_t = 20, value_name = "SECONDS")]
        seconds: u32,
        /// Only this: targets, tests or threads
        #[arg(long, value_name = "PART")]
        only: Option<sanitize::Part>,
    },
    /// Run a server for development, rebuilt when it is started
    Dev {
        /// What `portcullis serve` shall get
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::Codegen { check } => codegen::run(&Chore::begin("codegen"), codegen::Mode::from_check(check)),
        Verb::Deny => deny::run(&Chore::begin("deny")),
        Verb::Tidy => tidy::run(&Chore::begin("tidy")),
        Verb::Test { full, only } => test::run(&Chore::begin("test"), &test::Extent::new(full, only)),
        Verb::Bench { arguments } => bench::run(&Chore::begin("bench"), &arguments),
        Verb::Layout => layout::run(&Chore::begin("layout")),
        Verb::Fuzz { seconds, full, jobs, target } => {
            fuzz::run(&Chore::begin("fuzz"), &fuzz::Extent { seconds, full, jobs, only: target })
        }
        Verb::Sanitize { seconds, only } => sanitize::run(&Chore::begin("sanitize"), seconds, only),
        Verb::Dev { arguments } => dev::run(&Chore::begin("dev"), &arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            chore::complain(&failure);
            ExitCode::FAILURE
        }
    }
}
