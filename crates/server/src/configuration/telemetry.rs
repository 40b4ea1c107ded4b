//! Where telemetry goes: `[telemetry]`, under the environment variables that every exporter of OpenTelemetry reads.
//!
//! Source: "OpenTelemetry Protocol Exporter" and "Environment Variable Specification" of the OpenTelemetry specification.
//! Without an endpoint nothing is exported. Headers are secrets: they are in no error.

use std::collections::BTreeMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use domain::Secret;
use http::{HeaderName, Uri};
use serde::Deserialize;
use telemetry::{InvalidSetting, Sampling, Settings, Signals, read_pairs};

use super::variable;
use crate::terminal::Failure;

const TIMEOUT: Duration = Duration::from_secs(10);
const GATHER: Duration = Duration::from_secs(1);
const METRICS_EVERY: Duration = Duration::from_secs(60);
/// How many spans, and as many log records, may wait.
const QUEUE: usize = 8_192;
/// The longest header of an export, in bytes.
const LONGEST_HEADER: usize = 8_192;

/// `[telemetry]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Telemetry {
    endpoint: Option<String>,
    headers: BTreeMap<String, String>,
    timeout_seconds: Option<NonZeroU64>,
    sample_ratio: Option<f64>,
    queue: Option<NonZeroUsize>,
    metrics_seconds: Option<NonZeroU64>,
    service_name: Option<String>,
}

impl Telemetry {
    /// What is exported, if anything is.
    pub(super) fn settings(self) -> Result<Option<Settings>, Failure> {
        if variable("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let signals = self.signals()?;
        if !signals.any() {
            return Ok(None);
        }
        for url in [&signals.traces, &signals.metrics, &signals.logs].into_iter().flatten() {
            check_url(url)?;
        }
        let protocol = variable("OTEL_EXPORTER_OTLP_PROTOCOL");
        if let Some(protocol) = protocol.filter(|protocol| protocol != "http/protobuf") {
            return Err(Failure::usage(format!(
                "OTEL_EXPORTER_OTLP_PROTOCOL is `{protocol}`, and telemetry is exported as http/protobuf only: unset it, and name a collector's HTTP port (4318, most often)"
            )));
        }
        let seconds = |number: NonZeroU64| Duration::from_secs(number.get());
        Ok(Some(Settings {
            signals,
            headers: self.headers()?,
            timeout: match millis("OTEL_EXPORTER_OTLP_TIMEOUT")? {
                Some(timeout) => timeout,
                None => self.timeout_seconds.map_or(TIMEOUT, seconds),
            },
            queue: self.queue.map_or(QUEUE, NonZeroUsize::get),
            gather: millis("OTEL_BSP_SCHEDULE_DELAY")?.unwrap_or(GATHER),
            metrics_every: match millis("OTEL_METRIC_EXPORT_INTERVAL")? {
                Some(interval) => interval,
                None => self.metrics_seconds.map_or(METRICS_EVERY, seconds),
            },
            sampling: self.sampling()?,
            resource: self.resource()?,
        }))
    }

    fn signals(&self) -> Result<Signals, Failure> {
        let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT").or_else(|| self.endpoint.clone());
        let under = base.as_deref().map(Signals::under).unwrap_or_default();
        let one = |signal: &str, usual: Option<String>| {
            match variable(&format!("OTEL_{signal}_EXPORTER")).as_deref() {
                None | Some("otlp") => {}
                Some("none") => return Ok(None),
                Some(other) => {
                    return Err(Failure::usage(format!(
                        "OTEL_{signal}_EXPORTER is `{other}`: only otlp and none are known"
                    )));
                }
            }
            Ok(variable(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")).or(usual))
        };
        Ok(Signals {
            traces: one("TRACES", under.traces)?,
            metrics: one("METRICS", under.metrics)?,
            logs: one("LOGS", under.logs)?,
        })
    }

    fn headers(&self) -> Result<Vec<(HeaderName, Secret)>, Failure> {
        let mut headers = self.headers.clone();
        if let Some(text) = variable("OTEL_EXPORTER_OTLP_HEADERS") {
            headers.extend(named("OTEL_EXPORTER_OTLP_HEADERS", read_pairs(&text))?);
        }
        let header = |(name, value): (String, String)| {
            let known = HeaderName::try_from(name.as_str()).ok();
            let value = Secret::new(value);
            let sound = value.is_printable() && value.expose().len() <= LONGEST_HEADER;
            known.filter(|_| sound).map(|name| (name, value)).ok_or_else(|| {
                Failure::usage(
                    "a header of the telemetry exports has no name or value that a header can have: see telemetry.headers and OTEL_EXPORTER_OTLP_HEADERS",
                )
            })
        };
        headers.into_iter().map(header).collect()
    }

    fn sampling(&self) -> Result<Sampling, Failure> {
        let argument = variable("OTEL_TRACES_SAMPLER_ARG");
        if let Some(name) = variable("OTEL_TRACES_SAMPLER") {
            return named("OTEL_TRACES_SAMPLER", Sampling::named(&name, argument.as_deref()));
        }
        let ratio = self.sample_ratio.unwrap_or(1.0);
        named("telemetry.sample-ratio", Sampling::ratio(&ratio.to_string()))
            .map(|ratio| Sampling { ratio, parent_based: true })
    }

    fn resource(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut resource = match variable("OTEL_RESOURCE_ATTRIBUTES") {
            Some(text) => named("OTEL_RESOURCE_ATTRIBUTES", read_pairs(&text))?,
            None => Vec::new(),
        };
        let name = variable("OTEL_SERVICE_NAME").or_else(|| self.service_name.clone());
        let named = resource.iter().any(|(key, _)| key == "service.name");
        if let Some(name) = name {
            resource.retain(|(key, _)| key != "service.name");
            resource.push(("service.name".to_owned(), name));
        } else if !named {
            resource.push(("service.name".to_owned(), "portcullis".to_owned()));
        }
        resource.push(("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
        Ok(resource)
    }
}

fn check_url(url: &str) -> Result<(), Failure> {
    let parsed = url.parse::<Uri>().ok();
    let sound =
        parsed.is_some_and(|it| matches!(it.scheme_str(), Some("https" | "http")) && it.host().is_some());
    if sound && !url.contains('@') {
        return Ok(());
    }
    Err(Failure::usage(
        "the endpoint of telemetry must be a URL without a name or password in it, such as http://127.0.0.1:4318: see telemetry.endpoint and OTEL_EXPORTER_OTLP_ENDPOINT",
    ))
}

fn millis(name: &str) -> Result<Option<Duration>, Failure> {
    let read = |text: String| match text.trim().parse::<u64>() {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err(Failure::usage(format!("{name} is no number of milliseconds: `{text}`"))),
    };
    variable(name).map(read).transpose()
}

fn named<T>(name: &str, read: Result<T, InvalidSetting>) -> Result<T, Failure> {
    read.map_err(|error| Failure::usage(format!("{name}: {error}")))
}
