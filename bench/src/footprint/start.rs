//! How soon a server is ready that has many gateways stored: from its process' beginning until `/readyz` says 200, and until
//! a guarded call is answered.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::LocalSet;

use super::Options;
use crate::failure::Failure;
use crate::load::Connection;
use crate::process::resident_exactly;
use crate::runtime;
use crate::scene::aws::Aws;
use crate::scene::machine::{Core, Machine, Server, free_port};
use crate::scene::stage::{self, GUARDED, Which};
use crate::target::{Target, hint, tell};

/// How many gateways are made at once.
const AT_ONCE: usize = 8;
/// How often the server is started.
const STARTS: usize = 5;
/// How long a start may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most milliseconds until it is ready.
const TARGET_MS: f64 = 300.0;

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let machine = Machine::find(options.places.server.clone())?;
    hint(machine.placement());
    let upstream = machine.start_part(Core::Others, &["upstream"])?;
    let settings = format!("[quotas]\ngateways = {}\n", options.gateways + 1);
    let wanted = Server { name: "start", port: free_port()?, settings: &settings, ..Server::default() };
    let server = machine.start_server(&wanted)?;
    let setting = stage::set_up(&machine, (wanted.name, &server), &upstream.address, &[GUARDED], &|_| ());
    let stage = Rc::new(runtime()?.block_on(setting)?);
    hint(&format!("storing {} gateways", options.gateways));
    let aws = Rc::new(Aws::new(&server.address, machine.credentials(wanted.name)?)?);
    let making = async {
        let makers: Vec<_> = (0..AT_ONCE)
            .map(|first| {
                let (aws, stage) = (Rc::clone(&aws), Rc::clone(&stage));
                let numbers = (first..options.gateways).step_by(AT_ONCE);
                tokio::task::spawn_local(async move {
                    for number in numbers {
                        stage::gateway(&aws, &stage.ground, Which::Unguarded, &format!("stored-{number}"))
                            .await?;
                    }
                    Ok::<_, Failure>(())
                })
            })
            .collect();
        for maker in makers {
            maker.await.map_err(|error| Failure::of("what makes gateways broke", error))??;
        }
        Ok::<_, Failure>(())
    };
    LocalSet::new().block_on(&runtime()?, making)?;
    let plan = stage.plan(GUARDED, &server, 1)?;
    server.end()?;

    let (mut ready, mut called, mut resident) = (Vec::new(), Vec::new(), 0.0);
    for start in 1..=STARTS {
        let began = Instant::now();
        let server = machine.spawn_server(&wanted)?;
        while !is_ready(&server.address) {
            if began.elapsed() > PATIENCE {
                return Err(Failure::new("the server does not become ready"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        ready.push(began.elapsed().as_secs_f64() * 1e3);
        let id = plan.ids(0).next().unwrap_or_default();
        let call = async {
            let mut connection = Connection::open(&plan).await?;
            let answer = connection.exchange(id).await?;
            plan.check(id, &answer)
        };
        let outcome: Result<(), String> = runtime()?.block_on(call);
        outcome.map_err(|error| Failure::of("the first call after a start", error))?;
        called.push(began.elapsed().as_secs_f64() * 1e3);
        resident = resident_exactly(server.pid());
        hint(&format!("start {start} of {STARTS}: {:.0} ms", ready.last().copied().unwrap_or_default()));
        server.end()?;
    }
    let (ready, called) = (median(ready), median(called));
    let table = format!(
        "| a start with {} gateways stored (median of {STARTS}, on one core) | |\n|---|---:|\n\
         | ready after | {ready:.0} ms |\n\
         | a guarded call answered after | {called:.0} ms |\n\
         | memory then | {resident:.1} MiB |\n",
        options.gateways + 1
    );
    let target = Target::new(
        ready <= TARGET_MS,
        format!(
            "ready {ready:.0} ms after the start with {} gateways stored (target {TARGET_MS:.0} with 1000)",
            options.gateways + 1
        ),
    );
    let figures = json!({
        "gateways": options.gateways + 1, "ready_ms": ready, "called_ms": called, "resident_mib": resident });
    tell((&options.places.results, "start"), &table, &figures, &[target])
}

fn is_ready(address: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
