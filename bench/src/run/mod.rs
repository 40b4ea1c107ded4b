//! Measures everything: starts the parts, sets the gateways up, calls as each scenario says, tells what came of it.
//!
//! The server and the bare proxy have one core to themselves, and take turns on it; the upstream, the load and the
//! functions have the other. Every figure of the gateway stands beside the proxy's of the same run, because machines
//! differ and ratios travel.

mod peers;
mod report;
mod scenario;

use std::io::Write as _;
use std::time::Instant;

use clap::Args;

use crate::failure::Failure;
use crate::runtime;
use crate::scene::Places;
use crate::scene::machine::{Core, Machine, Server};
use crate::scene::stage::{self, GUARDED, Which};
use peers::Peer;
use report::Report;
use scenario::Scenario;

#[derive(Args)]
pub(crate) struct Options {
    /// How long each scenario is measured
    #[arg(long, default_value_t = 4.0, value_name = "SECONDS")]
    seconds: f64,
    /// Only what the targets are about, and shorter
    #[arg(long)]
    quick: bool,
    /// The gateway, the bare upstream, the bare proxy and every peer, at 1, 16, 64 and 256 at once, in JSON and as a stream
    #[arg(long)]
    peers: bool,
    /// Another program to measure: NAME=COMMAND, with {upstream} and {listen} in it, or a file (docs/performance.md)
    #[arg(long, value_name = "PEER")]
    peer: Vec<String>,
    /// Only scenarios whose name holds this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let began = Instant::now();
    let say = |what: &str| {
        let seconds = began.elapsed().as_secs();
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(std::io::stderr(), "[bench {:02}:{:02}] {what}", seconds / 60, seconds % 60);
    };
    let machine = Machine::find(options.places.server.clone())?;
    say(machine.placement());
    let upstream = machine.start_part(Core::Others, &["upstream"])?;
    let proxy = machine.start_part(Core::Measured, &["proxy", &upstream.address])?;
    let server = machine.start_server(&Server::default())?;
    let peers: Result<Vec<_>, Failure> = options
        .peer
        .iter()
        .map(|text| {
            let peer = Peer::read(text)?;
            say(&format!("the peer {}", peer.name));
            let running = peer.start(&machine, &upstream.address)?;
            Ok((peer, running))
        })
        .collect();
    let peers = peers?;
    let with_peers = options.peers || !peers.is_empty();
    let all = if with_peers { peers::scenarios(peers.len()) } else { scenario::all(options.quick) };
    let scenarios: Vec<Scenario> = all
        .into_iter()
        .filter(|scenario| options.only.as_ref().is_none_or(|text| scenario.name().contains(text)))
        .collect();
    let wanted = if with_peers {
        vec![GUARDED, Which::Streaming, Which::Unguarded]
    } else {
        let is_needed = |which: &Which| scenarios.iter().any(|scenario| scenario.needs(*which));
        stage::everything().into_iter().filter(is_needed).collect()
    };
    let named = (Server::default().name, &server);
    let stage = runtime()?.block_on(stage::set_up(&machine, named, &upstream.address, &wanted, &say))?;
    let names = peers.iter().map(|(peer, _)| peer.name.clone()).collect();
    let parts = scenario::Parts { upstream, proxy, server, peers, stage };
    let seconds = if options.quick { options.seconds.min(2.0) } else { options.seconds };
    let mut report = Report::begin(&machine, seconds, names);
    for scenario in scenarios {
        let measured = machine.load(&parts.plan(&scenario, seconds)?)?;
        say(&format!("{}: {}", scenario.name(), report::line(&measured)));
        report.add(scenario, measured);
    }
    let written = report.write(&options.places.results)?;
    std::io::stdout().write_all(report.table().as_bytes())?;
    say(&format!("the figures are in {}", written.display()));
    parts.server.end()?;
    report.fail_on_errors()
}
