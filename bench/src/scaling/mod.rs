//! From one replica to two, measured on this machine, and beyond, by a model that is held against the measurement.
//!
//! One replica and then two serve on one PostgreSQL, each with one thread, wherever the system puts them; the processor
//! time of everybody is read. How fast PostgreSQL takes the audit trail is measured apart. docs/performance.md has the
//! model in words.

mod measured;
mod model;
mod trail;

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::runtime;
use crate::scene::Places;
use crate::scene::machine::{Core, Machine, Server, free_port};
use crate::scene::stage::{self, GUARDED};
use crate::target::{Target, hint, tell};
use measured::Served;
use model::Model;

/// How many replicas are looked at.
const REPLICAS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// How far the model may be from the measurement.
const TOLERANCE: f64 = 0.20;

#[derive(Args)]
pub(crate) struct Options {
    /// An empty PostgreSQL database: postgres://USER@HOST:PORT/NAME
    #[arg(long, value_name = "URL")]
    database: String,
    /// How long each measuring takes
    #[arg(long, default_value_t = 8.0, value_name = "SECONDS")]
    seconds: f64,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let machine = Machine::find(options.places.server.clone())?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    hint(&format!("{cores} cores; nobody is pinned, because there are more parts than cores"));
    let upstream = machine.start_part(Core::Any, &["upstream"])?;
    let port = free_port()?;
    let public = format!("http://127.0.0.1:{port}");
    let replica = |name, port| Server {
        name,
        core: Core::Any,
        port,
        database: Some(&options.database),
        public_url: Some(&public),
        ..Server::default()
    };
    let (one, other) = (replica("one", port), replica("other", 0));
    let first = machine.start_server(&one)?;
    let setting = stage::set_up(&machine, (one.name, &first), &upstream.address, &[GUARDED], &|_| ());
    let stage = runtime()?.block_on(setting)?;

    hint("the audit trail, as fast as PostgreSQL takes it");
    let trail = runtime()?.block_on(trail::measure(&options.database, &machine.master_key))?;
    let database = measured::postgres(&options.database);
    let serve =
        |servers: &[_]| measured::serve(&machine, &stage, servers, &upstream, &database, options.seconds);
    hint("one replica");
    let alone = serve(&[&first])?;
    hint("two replicas");
    let second = machine.start_server(&other)?;
    let both = serve(&[&first, &second])?;

    let model = Model::of(&alone, &trail, cores);
    let (predicted, measured) = (model.here(2), both.per_second);
    let off = predicted / measured - 1.0;
    let mut table = served(&alone, &both);
    // Writing into a string cannot fail.
    let _ = writeln!(
        table,
        "\nTwo replicas serve {:.2} times what one does; {:.2} by the model, and {:.2} by it if the machine is as idle as it was.\n\n{}\n{}",
        both.per_second / alone.per_second,
        predicted / alone.per_second,
        model.here_but_for(2, both.idle_cores) / alone.per_second,
        trail.told(),
        model.told(&REPLICAS)
    );
    let target = Target::new(
        off.abs() <= TOLERANCE,
        format!(
            "two replicas here: {measured:.0} calls/s, {predicted:.0} by the model, which is {:+.0} of 100 off (target ±{:.0})",
            off * 100.0,
            TOLERANCE * 100.0
        ),
    );
    let figures =
        json!({ "one": alone, "two": both, "trail": trail, "model": model, "predicted": predicted });
    tell((&options.places.results, "scaling"), &table, &figures, &[target])
}

fn served(alone: &Served, both: &Served) -> String {
    let mut text = String::from(
        "| replicas | calls/s | p50 µs | p99 µs | µs of processor a call: replicas | PostgreSQL | upstream | load | idle cores |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (number, served) in [(1, alone), (2, both)] {
        let _ = writeln!(
            text,
            "| {number} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} |",
            served.per_second,
            served.p50_us,
            served.p99_us,
            served.replica_us,
            served.database_us,
            served.upstream_us,
            served.load_us,
            served.idle_cores
        );
    }
    text
}
