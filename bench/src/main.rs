//! How fast the gateway is, beside a bare reverse proxy in the same run.
//!
//! One program plays every part but the gateway's own: `run` starts the others, sets the gateway up by signed AWS calls,
//! measures one scenario after the other and prints the table (`cargo xtask bench` is the short way to it). `upstream`
//! is a minimal MCP server, `proxy` the floor that everything is compared with, `load` the one who calls, `function` a
//! Lambda bootstrap. docs/performance.md says how to read the figures.

mod failure;
mod function;
mod iam;
mod load;
mod message;
mod policy;
mod process;
mod proxy;
mod run;
mod serve;
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
    },
    /// Call as the plan on standard input says, and report as JSON
    Load,
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
        Part::Proxy { upstream } => proxy::run(&upstream),
        Part::Load => load::run(),
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
