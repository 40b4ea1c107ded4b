//! Replicas under load, and what everybody's part in a call is.

use serde::Serialize;

use crate::failure::Failure;
use crate::load::{Measured, Plan};
use crate::process::children;
use crate::scene::machine::{Core, Machine, Running};
use crate::scene::stage::{GUARDED, Stage};
use crate::target::hint;

/// How many call at once, all replicas together.
const CONCURRENCY: usize = 64;

/// What replicas served together.
#[derive(Debug, Serialize)]
pub(super) struct Served {
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// Processor time of a call, in microseconds.
    pub(super) replica_us: f64,
    pub(super) database_us: f64,
    pub(super) upstream_us: f64,
    pub(super) load_us: f64,
    /// How many cores of the machine had nothing to do meanwhile.
    pub(super) idle_cores: f64,
}

/// Calls all replicas at once, each by a process of its own.
pub(super) fn serve(
    machine: &Machine,
    stage: &Stage,
    replicas: &[&Running],
    upstream: &Running,
    database: &[u32],
    seconds: f64,
) -> Result<Served, Failure> {
    let plan = |replica: &Running| {
        Ok::<_, Failure>(Plan {
            window_ms: (seconds * 1e3) as u64,
            beside: vec![database.to_vec(), vec![upstream.pid()]],
            ..stage.plan(GUARDED, replica, CONCURRENCY / replicas.len().max(1))?
        })
    };
    let plans = replicas.iter().map(|replica| plan(replica)).collect::<Result<Vec<_>, _>>()?;
    let measured: Result<Vec<Measured>, Failure> = std::thread::scope(|scope| {
        let loads: Vec<_> =
            plans.iter().map(|plan| scope.spawn(|| machine.load_on(Core::Any, plan))).collect();
        let joined = loads.into_iter().map(|load| load.join().map_err(|_| Failure::new("a load broke"))?);
        joined.collect()
    });
    let measured = measured?;
    if let Some(error) = measured.iter().find_map(|one| one.first_error.as_ref()) {
        return Err(Failure::new(format!("there were wrong answers: {error}")));
    }
    let served = sum(&measured);
    hint(&format!("{:.0} calls a second", served.per_second));
    Ok(served)
}

fn sum(measured: &[Measured]) -> Served {
    let answers: f64 = measured.iter().map(|one| one.answers as f64).sum();
    let total =
        |of: &dyn Fn(&Measured) -> f64| measured.iter().map(|one| of(one) * one.answers as f64).sum::<f64>();
    // Each saw all that the shared parts used: they are counted once.
    let shared = |number: usize| {
        let seen = |one: &Measured| one.beside_us.get(number).copied().unwrap_or_default();
        total(&seen) / measured.len().max(1) as f64 / answers
    };
    Served {
        per_second: measured.iter().map(|one| one.per_second).sum(),
        p50_us: total(&|one| one.p50_us) / answers,
        p99_us: measured.iter().map(|one| one.p99_us).fold(0.0, f64::max),
        replica_us: total(&|one| one.processor_us) / answers,
        database_us: shared(0),
        upstream_us: shared(1),
        load_us: total(&|one| one.own_us) / answers,
        idle_cores: total(&|one| one.idle_cores) / answers,
    }
}

/// The processes of the PostgreSQL at a URL, where it runs on this machine with its port on its command line; none, and
/// then its processor time is not told, where it does not.
pub(super) fn postgres(url: &str) -> Vec<u32> {
    let port = url.rsplit('@').next().and_then(|rest| rest.split('/').next()?.rsplit_once(':'));
    let Some((_, port)) = port else { return Vec::new() };
    let root = std::fs::read_dir("/proc").into_iter().flatten().flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let mut words = line.split(|byte| *byte == 0).filter_map(|word| std::str::from_utf8(word).ok());
        let is_postgres = words.next()?.ends_with("postgres");
        (is_postgres && words.any(|word| word == port)).then_some(pid)
    });
    root.map(|root| [vec![root], children(root)].concat()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_counted_once() {
        let one = |answers: u64, database| Measured {
            answers,
            per_second: answers as f64,
            p50_us: 100.0,
            p99_us: 200.0,
            processor_us: 70.0,
            busy: 1.0,
            resident_mib: 1,
            errors: 0,
            first_error: None,
            own_us: 10.0,
            beside_us: vec![database, 5.0],
            idle_cores: 0.5,
        };
        // 3,000 µs of the database in all, which both saw.
        let both = sum(&[one(100, 30.0), one(300, 10.0)]);
        assert!((both.database_us - 7.5).abs() < 1e-9, "{}", both.database_us);
        assert!((both.replica_us - 70.0).abs() < 1e-9 && (both.per_second - 400.0).abs() < 1e-9);
        assert!((both.idle_cores - 0.5).abs() < 1e-9, "{}", both.idle_cores);
    }
}
