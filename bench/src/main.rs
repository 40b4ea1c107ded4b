//! How fast the gateway is, beside a bare reverse proxy in the same run.
//!
//! One program plays every part but the gateway's own: `run` starts the others, sets the gateway up by signed AWS calls,
//! measures one scenario after the other and prints the table (`cargo xtask bench` is the short way to it). `upstream`
//! is a minimal MCP server, `proxy` the floor that everything is compared with, `load` the one who calls, `function` a
//! Lambda bootstrap. docs/performance.md says how to read the figures.

mod failure;
mod footprint;
mod function;
mod iam;
mod lasting;
mod load;
mod message;
mod policy;
mod process;
mod proxy;
mod run;
mod scaling;
mod scene;
mod serve;
mod target;
mod tools;
mod upstream;
mod vault;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::{Failure, complain};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "bench", about = "How fast the gateway is, beside a bare reverse proxy")]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Measure everything: start all parts, print the table, write the JSON
    Run(run::Options),
    /// A minimal MCP server: `/{tools}/mcp` has so many tools
    Upstream,
    /// A bare reverse proxy, and nothing else
    Proxy {
        /// Where requests go: an address and a port
        upstream: String,
        /// Where it listens
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
    },
    /// Call as the plan on standard input says, and report as JSON
    Load,
    /// Call by the clock as standard input says, and report as JSON
    Paced,
    /// How much memory the server keeps: under load, for tools, for idle connections
    Memory(footprint::Options),
    /// How soon a server is ready that has many gateways stored
    Start(footprint::Options),
    /// Offer much more than can be served, and see that the server stays small, refuses fast, and recovers
    Overload(lasting::OverloadOptions),
    /// What two replicas serve beside one, and what a model says of more
    Scaling(scaling::Options),
    /// Load the server for long while everything changes, and see that it stays as it was
    Soak(lasting::SoakOptions),
    /// Read tokens of people out of a vault with few and with many, in a new database
    Vault {
        /// A folder for the database
        folder: PathBuf,
    },
    /// Decide and list in this process, under few policies and many, beside Cedar alone
    Policy {
        /// Where the figures go, as JSON
        #[arg(long, default_value = "bench/results")]
        results: PathBuf,
    },
    /// Decide by IAM in this process, with few statements and many
    Iam {
        /// Where the figures go, as JSON
        #[arg(long, default_value = "bench/results")]
        results: PathBuf,
    },
    /// A Lambda function's bootstrap, which answers with its event
    Function {
        /// Where the Runtime API is: an address and a port
        #[arg(long, env = "AWS_LAMBDA_RUNTIME_API")]
        api: String,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().part {
        Part::Run(options) => run::run(&options),
        Part::Upstream => upstream::run(),
        Part::Proxy { upstream, listen } => proxy::run(&upstream, &listen),
        Part::Load => load::run(),
        Part::Paced => load::run_paced(),
        Part::Memory(options) => footprint::memory(&options),
        Part::Start(options) => footprint::start(&options),
        Part::Overload(options) => lasting::overload(&options),
        Part::Scaling(options) => scaling::run(&options),
        Part::Soak(options) => lasting::soak(&options),
        Part::Vault { folder } => vault::run(&folder),
        Part::Policy { results } => policy::run(&results),
        Part::Iam { results } => iam::run(&results),
        Part::Function { api } => function::run(&api),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => complain(&failure),
    }
}

/// The runtime of every part: one thread, as the gateway's own are.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
