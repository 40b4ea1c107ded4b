//! The binary: reads its command line, and does one verb.
//!
//! `serve` puts the house together (`composition.rs`) and listens (`listener.rs`); `demo` does the same and plays the
//! whole story on it; the other verbs read or change the data directory and end.

mod arriving;
mod audit_trail;
mod bootstrap;
mod command_line;
mod composition;
mod configuration;
mod connection;
mod consent;
mod control_edge;
mod crowded;
mod demo;
mod doors;
mod drain;
mod key_command;
mod listener;
mod master_key;
mod metrics;
mod notice;
mod numbers;
mod oidc;
mod pressure;
mod processes;
mod proxies;
mod recordings;
mod reload;
mod replica;
mod response;
mod route;
mod sign_in;
mod sockets;
mod terminal;
mod tls;

mod verbs;

use std::process::ExitCode;

use clap::Parser as _;

use command_line::{CommandLine, Verb};
use terminal::complain;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let CommandLine { verb } = CommandLine::parse();
    // One cryptographic provider for all of TLS; a second one would be a mistake in the build.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = match verb {
        Verb::Serve(arguments) => verbs::serve::run(&arguments),
        Verb::Demo(arguments) => demo::run(arguments),
        Verb::Env(arguments) => verbs::env::run(&arguments),
        Verb::Health(arguments) => verbs::health::run(&arguments),
        Verb::Exec(arguments) => verbs::exec::run(&arguments),
        Verb::Intercept(arguments) => verbs::intercept::run(arguments),
        Verb::Account(arguments) => verbs::account::run(arguments),
        Verb::Audit(arguments) => verbs::audit::run(arguments),
        Verb::Mail(arguments) => verbs::mail::run(arguments),
        Verb::Vault(arguments) => verbs::vault::run(arguments),
        Verb::Policy(arguments) => verbs::policy::run(arguments),
        Verb::Pool(arguments) => verbs::pool::run(arguments),
        Verb::Target(arguments) => verbs::target::run(arguments),
        Verb::Token(arguments) => verbs::token::run(arguments),
        Verb::Identity(arguments) => verbs::identity::run(arguments),
        Verb::Backup(arguments) => verbs::backup::run(arguments),
        Verb::Restore(arguments) => verbs::restore::run(&arguments),
        Verb::Migrate(arguments) => verbs::migrate::run(arguments),
        Verb::Doctor(arguments) => verbs::doctor::run(&arguments),
        Verb::Completions(arguments) => verbs::completions::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => complain(&failure),
    }
}
