//! Settings that change while the server runs: on SIGHUP the configuration is read again, whole or not at all.
//!
//! What can change is put in force; what has changed and needs a restart is named in the log. The names are those of the
//! file; flags and variables win over it as they did at the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use toml::{Table, Value};

use crate::command_line::Settings;
use crate::composition::House;
use crate::configuration::{Configuration, Drain, LogFilter};
use crate::proxies::Proxies;
use crate::terminal::Failure;
use crate::verbs::serve::LogHandle;

/// The settings that change while the server runs, and the sections of which all do.
const CHANGEABLE: [&str; 8] = [
    "drain.",
    "limits.",
    "log.filter",
    "server.max-connections",
    "server.metrics",
    "server.trusted-proxies",
    "tls.certificate",
    "tls.key",
];

/// Reads the settings again.
pub(crate) struct Reload {
    settings: Settings,
    /// The file as the server started with it.
    started: Table,
    /// The file as it was last put in force.
    applied: Table,
    house: Arc<House>,
    log: LogHandle,
    drain: Arc<ArcSwap<Drain>>,
}

impl Reload {
    /// For a server that started with this configuration.
    pub(crate) fn new(
        settings: Settings,
        configuration: &Configuration,
        house: Arc<House>,
        log: LogHandle,
    ) -> Self {
        let started = configuration.written.clone();
        let drain = Arc::new(ArcSwap::from_pointee(configuration.drain));
        Self { settings, applied: started.clone(), started, house, log, drain }
    }

    /// How the server ends, as it is in force.
    pub(crate) fn drain(&self) -> Arc<ArcSwap<Drain>> {
        Arc::clone(&self.drain)
    }

    /// Reads the settings again at every SIGHUP.
    pub(crate) fn follow(mut self) -> Result<impl Future<Output = ()> + Send, Failure> {
        let mut hang_up = signal(SignalKind::hangup())
            .map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
        Ok(async move {
            while hang_up.recv().await.is_some() {
                let read = tokio::task::spawn_blocking(move || {
                    let done = self.again();
                    (self, done)
                });
                let Ok((back, done)) = read.await else { return };
                self = back;
                if let Err(failure) = done {
                    tracing::error!(
                        error = %failure,
                        "The settings cannot be put in force; all of those before them stay.",
                    );
                }
            }
        })
    }

    /// Reads the settings, and puts in force what can change.
    fn again(&mut self) -> Result<(), Failure> {
        let configuration = Configuration::read(&self.settings)?;
        // What can be refused comes first, so that nothing has changed when it is.
        if let (Some(tls), Some(files)) = (&self.house.tls, &configuration.tls) {
            tls.reload(&files.pair, &*self.house.clock)?;
        }
        (self.log)(configuration.log_filter.clone().unwrap_or_else(LogFilter::usual).filter())?;
        let house = &self.house;
        house.doors.set(configuration.limits);
        house.proxies.store(Arc::new(Proxies::new(configuration.trusted_proxies.clone())));
        house.metrics.store(Arc::new(configuration.metrics));
        self.drain.store(Arc::new(configuration.drain));
        let is_switched = house.tls.is_some() != configuration.tls.is_some();
        let can_change = |name: &String| {
            let is_named = |it: &&str| name == it || (it.ends_with('.') && name.starts_with(*it));
            CHANGEABLE.iter().any(is_named) && !(is_switched && name.starts_with("tls."))
        };
        let changed = differences(&self.applied, &configuration.written);
        let in_force: Vec<_> = changed.into_iter().filter(can_change).collect();
        let late = differences(&self.started, &configuration.written);
        let late: Vec<_> = late.into_iter().filter(|name| !can_change(name)).collect();
        if !late.is_empty() {
            tracing::warn!(
                settings = late.join(", "),
                "These settings have changed since the start, and need a restart.",
            );
        }
        tracing::info!(changed = in_force.join(", "), "The settings were read again.");
        self.applied = configuration.written;
        Ok(())
    }
}

/// The names of the settings that differ.
fn differences(one: &Table, other: &Table) -> Vec<String> {
    let (one, other) = (settings(one), settings(other));
    let mut names: Vec<_> = one.keys().chain(other.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter(|name| one.get(name) != other.get(name)).collect()
}

/// Every setting by its name, with dots between the parts.
fn settings(table: &Table) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    let mut waiting: Vec<_> = table.iter().map(|(name, value)| (name.clone(), value)).collect();
    while let Some((name, value)) = waiting.pop() {
        match value {
            Value::Table(inner) => {
                waiting.extend(inner.iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => {
                found.insert(name, value);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let read = |text: &str| toml::from_str::<Table>(text).unwrap();
        let one = read("listen = \"a\"\n[log]\nfilter = \"info\"\n[limits]\nheaders = 5\n");
        let other = read(
            "listen = \"a\"\n[log]\nfilter = \"debug\"\n[functions]\nrun-as = { user = 1, group = 2 }\n",
        );
        assert_eq!(
            differences(&one, &other),
            ["functions.run-as.group", "functions.run-as.user", "limits.headers", "log.filter"]
        );
        assert!(differences(&one, &one).is_empty());
    }
}
