//! What was measured, as a table for people and as JSON for programs: absolute figures, and beside them what they are of
//! the bare proxy's in the same run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use domain::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::peers;
use super::scenario::{Asked, Scenario, Subject, largest};
use crate::failure::Failure;
use crate::load::Measured;
use crate::scene::machine::Machine;
use crate::scene::stage::{POLICIES, Which};
use crate::target::verdict;
use crate::tools::{EVENTS, SIZES};

/// What a call through the gateway may cost more than through the bare proxy, in microseconds of processor time.
const CALL_TARGET_US: f64 = 60.0;
/// What a warm list of 1,000 tools may take, in microseconds.
const LIST_TARGET_US: f64 = 500.0;

/// The figures of one run.
pub(super) struct Report {
    date: Timestamp,
    machine: Value,
    placement: &'static str,
    /// The names of the peers.
    peers: Vec<String>,
    rows: Vec<(Scenario, Measured)>,
}

/// The figures of a scenario on one line.
pub(super) fn line(measured: &Measured) -> String {
    let errors = measured.first_error.as_ref().map(|error| format!("; {} ERRORS: {error}", measured.errors));
    format!(
        "{:.0}/s, p50 {:.0} µs, p99 {:.0} µs, {:.1} µs of processor{}",
        measured.per_second,
        measured.p50_us,
        measured.p99_us,
        measured.processor_us,
        errors.unwrap_or_default()
    )
}

impl Report {
    pub(super) fn begin(machine: &Machine, seconds: f64, peers: Vec<String>) -> Self {
        let first = |path: &str, name: &str| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned()).unwrap_or_default()
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            date: SystemClock.now(),
            machine: json!({
                "processor": first("/proc/cpuinfo", "model name"),
                "cores": cores,
                "kernel": first("/proc/sys/kernel/osrelease", ""),
                "load": first("/proc/loadavg", ""),
                "placement": machine.placement(),
                "seconds": seconds,
            }),
            placement: machine.placement(),
            peers,
            rows: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, scenario: Scenario, measured: Measured) {
        self.rows.push((scenario, measured));
    }

    /// The table, in Markdown.
    pub(super) fn table(&self) -> String {
        let mut text = format!("\nMeasured {}; {}.\n\n", self.date, self.placement);
        text.push_str(
            "| what | tools | policies | at once | calls/s | p50 µs | p99 µs | CPU µs | RSS MiB | calls/s of the proxy's | p50 of the proxy's | CPU µs more |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for (scenario, measured) in &self.rows {
            let policies =
                scenario.policies().map_or_else(|| "–".to_owned(), |policies| policies.to_string());
            let beside = self.beside(scenario).map_or_else(
                || "– | – | –".to_owned(),
                |proxy| {
                    format!(
                        "{:.2} | {:.1} | {:+.1}",
                        measured.per_second / proxy.per_second,
                        measured.p50_us / proxy.p50_us,
                        measured.processor_us - proxy.processor_us
                    )
                },
            );
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "| {}: {} | {} | {policies} | {} | {:.0} | {:.0} | {:.0} | {:.1} | {} | {beside} |",
                self.subject(scenario),
                scenario.asked.name(),
                scenario.tools(),
                scenario.concurrency,
                measured.per_second,
                measured.p50_us,
                measured.p99_us,
                measured.processor_us,
                measured.resident_mib,
            );
        }
        text.push('\n');
        for target in self.targets() {
            let _ = writeln!(text, "- {target}");
        }
        if self.rows.iter().any(|(scenario, _)| scenario.concurrency == 256) {
            text.push_str(&peers::ratios(self, &self.peers));
        }
        text
    }

    /// Writes the JSON into a folder, under the date and as `latest.json`.
    pub(super) fn write(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let rows: Vec<_> =
            self.rows.iter().map(|(scenario, measured)| self.row(scenario, measured)).collect();
        let document = json!({
            "date": self.date.to_string(),
            "machine": self.machine,
            "scenarios": rows,
            "targets": self.targets(),
        });
        let text = serde_json::to_string_pretty(&document)?;
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", self.date.to_string().replace(':', "-")));
        std::fs::write(&path, &text)?;
        std::fs::write(folder.join("latest.json"), &text)?;
        Ok(path)
    }

    /// Figures with errors in them are none.
    pub(super) fn fail_on_errors(&self) -> Result<(), Failure> {
        let wrong: Vec<_> = self.rows.iter().filter(|(_, measured)| measured.errors > 0).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = wrong.iter().map(|(scenario, _)| scenario.name()).collect();
        Err(Failure::new(format!("there were wrong answers in: {}", names.join("; "))))
    }

    fn row(&self, scenario: &Scenario, measured: &Measured) -> Value {
        let beside = self.beside(scenario).map(|proxy| {
            json!({
                "throughput": measured.per_second / proxy.per_second,
                "p50": measured.p50_us / proxy.p50_us,
                "p99": measured.p99_us / proxy.p99_us,
                "processor_us_more": measured.processor_us - proxy.processor_us,
            })
        });
        json!({
            "name": scenario.name(),
            "subject": self.subject(scenario),
            "asked": scenario.asked.name(),
            "tools": scenario.tools(),
            "policies": scenario.policies(),
            "concurrency": scenario.concurrency,
            "measured": measured,
            "beside_the_bare_proxy": beside,
        })
    }

    /// What the proxy did in the same place; nothing for the proxy itself and for what stands behind it.
    fn beside(&self, scenario: &Scenario) -> Option<&Measured> {
        match scenario.subject {
            Subject::Gateway(_) | Subject::Peer(_) => self.find(&scenario.beside()),
            Subject::Upstream | Subject::Proxy => None,
        }
    }

    fn subject(&self, scenario: &Scenario) -> &str {
        match scenario.subject {
            Subject::Peer(number) => self.peers.get(number).map_or("peer", String::as_str),
            other => other.name(),
        }
    }

    pub(super) fn find(&self, wanted: &Scenario) -> Option<&Measured> {
        self.rows.iter().find(|(scenario, _)| scenario == wanted).map(|(_, measured)| measured)
    }

    /// How the figures stand to the targets, in words.
    fn targets(&self) -> Vec<String> {
        [self.calls(), self.operation(), self.stream(), self.list(), self.growth()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn calls(&self) -> Option<String> {
        let guarded = self.rows.iter().filter(|(scenario, _)| {
            let is_mcp = matches!(scenario.subject, Subject::Gateway(Which::Mcp { .. }));
            is_mcp && matches!(scenario.asked, Asked::Call { .. }) && scenario.concurrency == 16
        });
        let more = guarded.filter_map(|(scenario, measured)| {
            Some(measured.processor_us - self.beside(scenario)?.processor_us)
        });
        let most =
            more.fold(None, |most: Option<f64>, more| Some(most.map_or(more, |most| most.max(more))))?;
        Some(format!(
            "tools/call, 16 at once: at most {most:.1} µs of processor time more than the bare proxy \
             (target {CALL_TARGET_US:.0}): {}",
            verdict(most <= CALL_TARGET_US)
        ))
    }

    fn operation(&self) -> Option<String> {
        let more = self.more(Which::OpenApi, Asked::Rest)?;
        Some(format!(
            "an operation of a REST service, 16 at once: {more:.1} µs of processor time more than the bare proxy \
             (target {CALL_TARGET_US:.0}): {}",
            verdict(more <= CALL_TARGET_US)
        ))
    }

    /// Each message of a stream is read, masked and written for itself: the target is about each.
    fn stream(&self) -> Option<String> {
        let more = self.more(Which::Streaming, Asked::Stream)?;
        let messages = EVENTS + 1;
        let each = more / messages as f64;
        Some(format!(
            "a stream of {messages} messages, 16 at once: {more:.1} µs of processor time more than the bare proxy, \
             {each:.1} a message (target {CALL_TARGET_US:.0} a message): {}",
            verdict(each <= CALL_TARGET_US)
        ))
    }

    /// What a gateway's answer costs more than the proxy's.
    fn more(&self, which: Which, asked: Asked) -> Option<f64> {
        let scenario = Scenario { subject: Subject::Gateway(which), asked, concurrency: 16 };
        Some(self.find(&scenario)?.processor_us - self.beside(&scenario)?.processor_us)
    }

    fn list(&self) -> Option<String> {
        let Which::Mcp { tools, .. } = largest() else { return None };
        let subject = Subject::Gateway(largest());
        let of = |concurrency| self.find(&Scenario { subject, asked: Asked::List { tools }, concurrency });
        let busy = of(16)?;
        let alone = of(1)
            .map_or_else(String::new, |alone| format!(", alone {:.0} µs from call to answer", alone.p50_us));
        let met =
            busy.processor_us <= LIST_TARGET_US && of(1).is_none_or(|alone| alone.p50_us <= LIST_TARGET_US);
        Some(format!(
            "tools/list of {tools}, warm: {:.0} µs of processor time{alone} (target {LIST_TARGET_US:.0}): {}",
            busy.processor_us,
            verdict(met)
        ))
    }

    fn growth(&self) -> Option<String> {
        let [few, _, many] = POLICIES;
        let [.., tools] = SIZES;
        let of = |policies| {
            let subject = Subject::Gateway(Which::Mcp { tools, policies });
            self.find(&Scenario { subject, asked: Asked::Call { tool: 0 }, concurrency: 16 })
        };
        let more = of(many)?.processor_us - of(few)?.processor_us;
        Some(format!(
            "tools/call, 16 at once: {many} policies instead of {few} cost {more:+.1} µs of processor time a call \
             (target: no growth beyond the noise of a run)"
        ))
    }
}
