//! How much memory the server keeps: under load, for each 1,000 tools, and for each connection that is kept idle.
//!
//! Each question has a server of its own, so that what one left behind is not the other's. Load is put on one that has set
//! up what is called, and on it once more when it was started again: it has only read what is stored then, as most servers
//! have. An idle connection is one that has made a guarded call and is kept for the next.

use serde::Serialize;
use serde_json::json;

use super::Options;
use crate::failure::Failure;
use crate::load::{Connection, Measured, Plan};
use crate::process::{Memory, memory, most_descriptors, resident_exactly};
use crate::runtime;
use crate::scene::aws::Aws;
use crate::scene::machine::{Core, Machine, Running, Server, free_port};
use crate::scene::stage::{self, GUARDED, Stage, Which};
use crate::target::{Target, hint, tell};

/// How many gateways of 1,000 tools are made.
const LARGE: usize = 5;
/// How many call at once.
const CONCURRENCY: usize = 64;
/// The most MiB under load.
const LOADED_TARGET: f64 = 40.0;
/// The most MiB with 10,000 idle connections.
const IDLE_TARGET: f64 = 400.0;

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let needed = options.connections + 200;
    if most_descriptors() < needed {
        return Err(Failure::new(format!(
            "{} connections need {needed} open files: raise the limit first, `ulimit -n {needed}`",
            options.connections
        )));
    }
    let machine = Machine::find(options.places.server.clone())?;
    hint(machine.placement());
    let upstream = machine.start_part(Core::Others, &["upstream"])?;
    let loaded = loaded(&machine, &upstream, options.seconds)?;
    let tools = tools(&machine, &upstream)?;
    let idle = idle(&machine, &upstream, options.connections)?;
    let each = (idle.after - idle.before) * 1024.0 / options.connections as f64;
    let table = format!(
        "| what | MiB |\n|---|---:|\n\
         | a server that has just started | {:.1} |\n\
         | with a gateway of 100 tools under 100 policies | {:.1} |\n\
         | the same, {CONCURRENCY} at once for {:.0} s ({:.0} calls/s) | {:.1} |\n\
         | the most that it had until then | {:.1} |\n\
         | started again with it, {CONCURRENCY} at once for {:.0} s ({:.0} calls/s) | {:.1} |\n\
         | each 1,000 tools more, listed once | {tools:.1} |\n\
         | {} idle connections, in all | {:.1} |\n\n\
         An idle connection: {each:.1} KiB.\n",
        loaded.empty,
        loaded.set_up,
        options.seconds,
        loaded.first.load.per_second,
        loaded.first.memory.resident_mib,
        loaded.first.memory.peak_mib,
        options.seconds,
        loaded.again.load.per_second,
        loaded.again.memory.resident_mib,
        options.connections,
        idle.after,
    );
    let targets = [
        under_load(&loaded.first, "of a server that has set up what is called"),
        under_load(&loaded.again, "of one that was started with it"),
        Target::new(
            idle.before + each * 10_000.0 / 1024.0 <= IDLE_TARGET,
            format!(
                "{:.1} MiB with 10000 idle connections, by what {} took (target {IDLE_TARGET:.0})",
                idle.before + each * 10_000.0 / 1024.0,
                options.connections
            ),
        ),
    ];
    let figures = json!({
        "started_mib": loaded.empty,
        "set_up_mib": loaded.set_up,
        "under_load": loaded.first,
        "under_load_again": loaded.again,
        "thousand_tools_mib": tools,
        "connections": options.connections,
        "idle_before_mib": idle.before,
        "idle_mib": idle.after,
        "idle_connection_kib": each,
    });
    tell((&options.places.results, "memory"), &table, &figures, &targets)
}

struct Loaded {
    empty: f64,
    set_up: f64,
    first: Burden,
    again: Burden,
}

/// A load, and the MiB of the server at its end, and at most until then.
#[derive(Serialize)]
struct Burden {
    load: Measured,
    #[serde(flatten)]
    memory: Memory,
}

fn under_load(burden: &Burden, whose: &str) -> Target {
    let resident = burden.memory.resident_mib;
    Target::new(
        resident <= LOADED_TARGET,
        format!("{resident:.1} MiB resident under load, {whose} (target {LOADED_TARGET:.0})"),
    )
}

fn loaded(machine: &Machine, upstream: &Running, seconds: f64) -> Result<Loaded, Failure> {
    hint("memory under load");
    let wanted = Server { name: "loaded", port: free_port()?, ..Server::default() };
    let server = machine.start_server(&wanted)?;
    let empty = resident_exactly(server.pid());
    let stage = set_up(machine, &wanted, &server, upstream, &[GUARDED])?;
    let set_up = resident_exactly(server.pid());
    let bear = |server: &Running| {
        let plan =
            Plan { window_ms: (seconds * 1_000.0) as u64, ..stage.plan(GUARDED, server, CONCURRENCY)? };
        let load = machine.load(&plan)?;
        match &load.first_error {
            Some(error) => Err(Failure::new(format!("there were wrong answers under load: {error}"))),
            None => Ok(Burden { load, memory: memory(server.pid()) }),
        }
    };
    let first = bear(&server)?;
    server.end()?;
    let again = bear(&machine.start_server(&wanted)?)?;
    Ok(Loaded { empty, set_up, first, again })
}

/// What 1,000 tools take: the memory that gateways of so many take more, a list of each with it.
fn tools(machine: &Machine, upstream: &Running) -> Result<f64, Failure> {
    const LARGEST: Which = Which::Mcp { tools: 1_000, policies: 0 };
    let wanted = Server { name: "tools", ..Server::default() };
    let server = machine.start_server(&wanted)?;
    let stage = set_up(machine, &wanted, &server, upstream, &[Which::Unguarded])?;
    let before = resident_exactly(server.pid());
    runtime()?.block_on(async {
        let aws = Aws::new(&server.address, machine.credentials(wanted.name)?)?;
        for number in 0..LARGE {
            hint(&format!("1,000 tools more ({} of {LARGE})", number + 1));
            let made = stage::gateway(&aws, &stage.ground, LARGEST, &format!("tools-{number}")).await?;
            aws.list(&format!("/gateways/{}/mcp", made.id), &stage.token).await?;
        }
        Ok::<_, Failure>(())
    })?;
    Ok((resident_exactly(server.pid()) - before) / LARGE as f64)
}

struct Idle {
    before: f64,
    after: f64,
}

fn idle(machine: &Machine, upstream: &Running, connections: usize) -> Result<Idle, Failure> {
    hint(&format!("{connections} idle connections"));
    let room = connections + 100;
    let settings =
        format!("[limits]\nconnections = {room}\nconnections-per-peer = {room}\nidle-seconds = 900\n");
    let wanted = Server { name: "idle", settings: &settings, ..Server::default() };
    let server = machine.start_server(&wanted)?;
    let stage = set_up(machine, &wanted, &server, upstream, &[GUARDED])?;
    let plan = stage.plan(GUARDED, &server, 1)?;
    runtime()?.block_on(async {
        let before = resident_exactly(server.pid());
        let mut held = Vec::with_capacity(connections);
        for id in plan.ids(0).take(connections) {
            let call = async {
                let mut connection = Connection::open(&plan).await?;
                let answer = connection.exchange(id).await?;
                plan.check(id, &answer)?;
                Ok(connection)
            };
            let made = call.await;
            held.push(made.map_err(|error: String| Failure::of("a connection that is to be kept", error))?);
        }
        Ok(Idle { before, after: resident_exactly(server.pid()) })
    })
}

fn set_up(
    machine: &Machine,
    wanted: &Server<'_>,
    server: &Running,
    upstream: &Running,
    gateways: &[Which],
) -> Result<Stage, Failure> {
    let setting = stage::set_up(machine, (wanted.name, server), &upstream.address, gateways, &|_| ());
    runtime()?.block_on(setting)
}
