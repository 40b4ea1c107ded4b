//! `[audit]`: how long the audit trail is kept, where its checkpoints are, and what is done when it cannot be kept.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::sigv4::Credentials;
use domain::{Region, Secret};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use store::WhenFailing;
use trail::{FileSink, S3Place};

use super::file::Written;
use super::variable;
use crate::terminal::Failure;

/// The folder of the checkpoints in the data directory.
pub(crate) const FOLDER: &str = "audit";
/// How many events wait to be written, when it is not said.
const BUFFER: usize = 8_192;
/// How large a file of events becomes, and how many older ones are kept.
const MEGABYTES: u64 = 100;
const KEEP: u32 = 10;
/// How long events are gathered for one object of a bucket.
const GATHER: Duration = Duration::from_secs(60);
/// How long a destination may fail.
const GRACE: Duration = Duration::from_secs(60);
/// Who signs for the bucket, and what a log endpoint is shown.
const S3_KEY: &str = "PORTCULLIS_AUDIT_S3_ACCESS_KEY_ID";
const S3_SECRET: &str = "PORTCULLIS_AUDIT_S3_SECRET_ACCESS_KEY";
const OTLP_HEADERS: &str = "PORTCULLIS_AUDIT_OTLP_HEADERS";
/// The longest name of a chain.
const LONGEST_NAME: usize = 64;

/// The section as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Section {
    replica: Option<String>,
    checkpoints: Option<PathBuf>,
    retention_days: Option<NonZeroU32>,
    buffer: Option<NonZeroUsize>,
    when_failing: Choice,
    grace_seconds: Option<u64>,
    file: Option<FileSection>,
    s3: Option<S3Section>,
    otlp: Option<OtlpSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileSection {
    path: PathBuf,
    megabytes: Option<NonZeroU64>,
    keep: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct S3Section {
    bucket: String,
    #[serde(default)]
    prefix: String,
    region: Option<Written<Region>>,
    endpoint: Option<String>,
    seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct OtlpSection {
    url: String,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Choice {
    #[default]
    RefuseControlChanges,
    RefuseTraffic,
    Drop,
}

/// How the audit trail is kept.
pub(crate) struct Audit {
    /// The name of this replica's chain; absent, one is made at the first start.
    pub(crate) replica: Option<String>,
    /// The folder of the checkpoints.
    pub(crate) checkpoints: PathBuf,
    /// How long events are kept; absent, for ever.
    pub(crate) retention: Option<Duration>,
    /// How many events of the data plane wait in memory at most.
    pub(crate) buffer: usize,
    /// What is done when the trail cannot be kept.
    pub(crate) when_failing: WhenFailing,
    /// Where events go besides.
    pub(crate) sinks: Sinks,
}

/// Where events go besides the database.
pub(crate) struct Sinks {
    /// How long one may fail before the trail counts as one that cannot be kept.
    pub(crate) grace: Duration,
    pub(crate) file: Option<FileSink>,
    pub(crate) s3: Option<S3>,
    pub(crate) otlp: Option<Otlp>,
}

/// A bucket.
pub(crate) struct S3 {
    endpoint: String,
    bucket: String,
    prefix: String,
    region: Region,
    credentials: Option<Credentials>,
    /// How long events are gathered for one object.
    pub(crate) gather: Duration,
}

/// An endpoint for logs.
pub(crate) struct Otlp {
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
}

impl Section {
    /// The settings, with those that are not set as they usually are.
    pub(super) fn settings(self, data_dir: &Path, region: &Region) -> Result<Audit, Failure> {
        let sound = |name: &String| {
            (1..=LONGEST_NAME).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if self.replica.as_ref().is_some_and(|name| !sound(name)) {
            return Err(Failure::usage(format!(
                "audit.replica must have 1 to {LONGEST_NAME} letters, digits, dots, hyphens and underscores"
            )));
        }
        Ok(Audit {
            replica: self.replica,
            checkpoints: self.checkpoints.unwrap_or_else(|| data_dir.join(FOLDER)),
            sinks: Sinks {
                grace: self.grace_seconds.map_or(GRACE, Duration::from_secs),
                file: self.file.map(|it| {
                    let bytes = it.megabytes.map_or(MEGABYTES, NonZeroU64::get).saturating_mul(1024 * 1024);
                    FileSink::new(it.path, bytes, it.keep.unwrap_or(KEEP))
                }),
                s3: self.s3.map(|it| it.settings(region)).transpose()?,
                otlp: self.otlp.map(OtlpSection::settings).transpose()?,
            },
            retention: self
                .retention_days
                .map(|days| Duration::from_secs(u64::from(days.get()) * 24 * 60 * 60)),
            buffer: self.buffer.map_or(BUFFER, NonZeroUsize::get),
            when_failing: match self.when_failing {
                Choice::RefuseControlChanges => WhenFailing::RefuseControlChanges,
                Choice::RefuseTraffic => WhenFailing::RefuseTraffic,
                Choice::Drop => WhenFailing::Drop,
            },
        })
    }
}

impl S3Section {
    fn settings(self, region: &Region) -> Result<S3, Failure> {
        let region = self.region.map_or_else(|| region.clone(), |region| region.0);
        let endpoint = self.endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let sound = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./=".contains(&byte))
                && !text.contains("..")
        };
        if self.bucket.is_empty() || self.bucket.contains('/') || !sound(&self.bucket) || !sound(&self.prefix)
        {
            return Err(Failure::usage(
                "audit.s3.bucket and audit.s3.prefix may have letters, digits, dots, hyphens, underscores and equals signs, and the prefix slashes",
            ));
        }
        let credentials = variable(S3_KEY).zip(variable(S3_SECRET)).map(|(access_key_id, secret)| {
            Credentials { access_key_id, secret: Secret::new(secret), session_token: None }
        });
        Ok(S3 {
            endpoint: url("audit.s3.endpoint", endpoint)?,
            bucket: self.bucket,
            prefix: self.prefix,
            region,
            credentials,
            gather: self.seconds.map_or(GATHER, Duration::from_secs),
        })
    }
}

impl S3 {
    /// Where objects are put. Only who delivers needs the key.
    pub(crate) fn place(&self) -> Result<S3Place, Failure> {
        let credentials = self.credentials.clone().ok_or_else(|| {
            Failure::usage(format!(
                "audit.s3 needs a key that may write to the bucket: set {S3_KEY} and {S3_SECRET}"
            ))
        })?;
        Ok(S3Place {
            endpoint: self.endpoint.clone(),
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            region: self.region.clone(),
            credentials,
        })
    }
}

impl OtlpSection {
    fn settings(self) -> Result<Otlp, Failure> {
        let mut headers = HeaderMap::new();
        for pair in variable(OTLP_HEADERS).iter().flat_map(|text| text.split(',')) {
            let header = pair.split_once('=').and_then(|(name, value)| {
                let mut value: HeaderValue = value.trim().parse().ok()?;
                value.set_sensitive(true);
                Some((name.trim().parse::<HeaderName>().ok()?, value))
            });
            let (name, value) = header.ok_or_else(|| {
                Failure::usage(format!(
                    "{OTLP_HEADERS} must be headers as name=value, with commas between them"
                ))
            })?;
            headers.insert(name, value);
        }
        Ok(Otlp { url: url("audit.otlp.url", self.url)?, headers })
    }
}

/// A URL without a name or password in it.
fn url(setting: &str, text: String) -> Result<String, Failure> {
    let is_http = text.starts_with("https://") || text.starts_with("http://");
    if !is_http || text.contains('@') || text.parse::<http::Uri>().is_err() {
        return Err(Failure::usage(format!(
            "{setting} must be an http or https URL without a name or password in it"
        )));
    }
    Ok(text)
}
