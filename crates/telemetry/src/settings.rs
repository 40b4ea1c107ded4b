//! Where telemetry goes, and how much of it.
//!
//! Source: "OpenTelemetry Protocol Exporter" and "General SDK Configuration" of the OpenTelemetry specification; the
//! environment and the configuration file are read elsewhere.

use std::time::Duration;

use domain::Secret;
use http::HeaderName;
use percent_encoding::percent_decode_str;

use crate::TraceId;

/// The most pairs of one list.
const MOST_PAIRS: usize = 64;

/// What is exported, where to, and how.
pub struct Settings {
    /// Where each signal goes.
    pub signals: Signals,
    /// Headers of every export, such as a key of the collector's.
    pub headers: Vec<(HeaderName, Secret)>,
    /// How long one export may take.
    pub timeout: Duration,
    /// How many spans, and as many log records, may wait.
    pub queue: usize,
    /// How long they wait for company.
    pub gather: Duration,
    /// How often metrics are exported.
    pub metrics_every: Duration,
    /// Which traces are recorded.
    pub sampling: Sampling,
    /// Who tells all this: attributes of the resource.
    pub resource: Vec<(String, String)>,
}

/// The URL of each signal, whole; a signal without one is not exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// For spans.
    pub traces: Option<String>,
    /// For metrics.
    pub metrics: Option<String>,
    /// For log records.
    pub logs: Option<String>,
}

impl Signals {
    /// All signals under a base URL (`{base}/v1/traces` and so on).
    #[must_use]
    pub fn under(base: &str) -> Self {
        let base = base.trim_end_matches('/');
        let of = |signal: &str| Some(format!("{base}/v1/{signal}"));
        Self { traces: of("traces"), metrics: of("metrics"), logs: of("logs") }
    }

    /// Whether anything is exported.
    #[must_use]
    pub fn any(&self) -> bool {
        self.traces.is_some() || self.metrics.is_some() || self.logs.is_some()
    }
}

/// Which traces are recorded. Whether a span is recorded whose caller says so already is the caller's word, unless the
/// sampling is not `parent_based`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Of traces that begin here, how many: 0 to 1.
    pub ratio: f64,
    /// Whether callers decide about theirs.
    pub parent_based: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { ratio: 1.0, parent_based: true }
    }
}

impl Sampling {
    /// By the names of OpenTelemetry's samplers (`OTEL_TRACES_SAMPLER` and its argument).
    ///
    /// # Errors
    /// [`InvalidSetting`] for a name that is not known or an argument that is no ratio.
    pub fn named(name: &str, argument: Option<&str>) -> Result<Self, InvalidSetting> {
        let (parent_based, plain) = match name.strip_prefix("parentbased_") {
            Some(plain) => (true, plain),
            None => (false, name),
        };
        let ratio = match plain {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => Self::ratio(argument.unwrap_or("1"))?,
            _ => {
                return Err(InvalidSetting(format!(
                    "`{name}` is no sampler: use always_on, always_off or traceidratio, with parentbased_ before it or without"
                )));
            }
        };
        Ok(Self { ratio, parent_based })
    }

    /// A ratio, read.
    ///
    /// # Errors
    /// [`InvalidSetting`] when it is not a number from 0 to 1.
    pub fn ratio(text: &str) -> Result<f64, InvalidSetting> {
        let ratio = text.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.ok_or_else(|| InvalidSetting(format!("`{text}` is no ratio: write a number from 0 to 1")))
    }

    /// Whether a trace that begins here is recorded: the same answer for the same trace everywhere.
    #[must_use]
    pub fn takes(&self, trace: &TraceId) -> bool {
        let [.., a, b, c, d] = *trace;
        let drawn = f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0);
        drawn < self.ratio
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct InvalidSetting(pub String);

/// Names and values as `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_RESOURCE_ATTRIBUTES` have them: `name=value`, separated by
/// commas, values percent-encoded. The error repeats nothing of them: they may be secret.
///
/// # Errors
/// [`InvalidSetting`] when a part is no pair, or they are more than 64.
pub fn read_pairs(text: &str) -> Result<Vec<(String, String)>, InvalidSetting> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read = |(number, part): (usize, &str)| {
        let pair = part.split_once('=').filter(|(name, _)| !name.trim().is_empty() && number < MOST_PAIRS);
        let value = |value: &str| {
            percent_decode_str(value.trim()).decode_utf8().map(std::borrow::Cow::into_owned).ok()
        };
        pair.and_then(|(name, given)| Some((name.trim().to_owned(), value(given)?))).ok_or_else(|| {
            InvalidSetting(format!(
                "part {} is no `name=value`: separate at most {MOST_PAIRS} of them by commas, and percent-encode values",
                number + 1
            ))
        })
    };
    parts.enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_errors_keep_their_values() {
        let pairs = read_pairs("authorization=Bearer%20a%3Db, x-team = blue,").unwrap();
        assert_eq!(
            pairs,
            [("authorization".to_owned(), "Bearer a=b".to_owned()), ("x-team".to_owned(), "blue".to_owned())]
        );
        let error = read_pairs("a=1,geheim").unwrap_err().to_string();
        assert!(error.starts_with("part 2 ") && !error.contains("geheim"), "{error}");
        assert!(read_pairs(&vec!["a=1"; MOST_PAIRS + 1].join(",")).is_err());
    }

    #[test]
    fn samplers_are_known_by_their_names() {
        let sampling = Sampling::named("parentbased_traceidratio", Some("0.25")).unwrap();
        assert_eq!(sampling, Sampling { ratio: 0.25, parent_based: true });
        let low = [0; 16];
        let mut high = [0; 16];
        high[12] = 0x40;
        assert!(sampling.takes(&low) && !sampling.takes(&high));
        assert!(Sampling::named("always_on", None).unwrap().takes(&[255; 16]));
        assert!(!Sampling::named("always_off", None).unwrap().takes(&low));
        assert!(Sampling::named("sometimes", None).is_err());
        for wrong in ["2", "-1", "NaN", ""] {
            assert!(Sampling::named("traceidratio", Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn signals_have_their_paths_under_a_base() {
        let signals = Signals::under("http://collector:4318/");
        assert_eq!(signals.logs.as_deref(), Some("http://collector:4318/v1/logs"));
        assert!(signals.any() && !Signals::default().any());
    }
}
