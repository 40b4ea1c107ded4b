//! What an agent is: an archive in the object store, or a program that already runs, by its URL. AWS's containers are
//! refused in words that name these two.
//!
//! A URL stands where AWS has a container's: `containerConfiguration.containerUri`. Whether its address may be dialled is
//! decided when it is, by the operator's rules for all that is called (`outbound.allow`); here it must be a URL that the
//! rules can be asked about.

use aws_lc_rs::digest;
use aws_shapes::bedrock_agentcore_control::{AgentRuntimeArtifact, Code, CodeConfiguration};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use compute::package::{self, Bounds};
use domain::{AgentArtifact, AgentCode};
use objects::{Location, ReadError};

use crate::context::Context;
use crate::fault::{Failure, invalid, sentence};

/// The largest archive, in bytes ("Quotas": direct code deployment, compressed).
const MAX_ARCHIVE_BYTES: u64 = 250 * 1024 * 1024;
/// Where an agent's URL is.
const URI: &str = "agentRuntimeArtifact/containerConfiguration/containerUri";
/// Where an agent's archive is.
const CODE: &str = "agentRuntimeArtifact/codeConfiguration";

/// Where the agent comes from, by the request.
pub(super) enum Source {
    Url(String),
    Code { at: Location, runtime: &'static str, entry_point: Vec<String> },
}

/// The agent, with its archive where it has one.
pub(super) struct Fetched {
    artifact: AgentArtifact,
    archive: Option<Bytes>,
}

impl Fetched {
    pub(super) fn artifact(&self) -> &AgentArtifact {
        &self.artifact
    }

    pub(super) fn archive(&self) -> Option<&[u8]> {
        self.archive.as_deref()
    }
}

impl Source {
    /// Reads which it is.
    ///
    /// # Errors
    /// For a container, and for a URL or an entry point that cannot be used.
    pub(super) fn read(given: AgentRuntimeArtifact) -> Result<Self, Failure> {
        match given {
            AgentRuntimeArtifact::ContainerConfiguration(container) => read_url(&container.container_uri),
            AgentRuntimeArtifact::CodeConfiguration(code) => read_code(code),
        }
    }

    /// Reads the archive with the rights of the caller: who may not `s3:GetObject` it cannot have it run.
    ///
    /// # Errors
    /// When the caller may not read it, or it is not there, too large, or no archive that can be unpacked.
    pub(super) async fn fetch(&self, context: &Context) -> Result<Fetched, Failure> {
        let (at, runtime, entry_point) = match self {
            Self::Url(url) => {
                return Ok(Fetched { artifact: AgentArtifact::Url(url.clone()), archive: None });
            }
            Self::Code { at, runtime, entry_point } => (at, runtime, entry_point),
        };
        let objects = &context.setup().objects;
        let bucket = objects.bucket(&at.bucket).await?;
        let account = bucket.as_ref().map(|bucket| &bucket.scope.account);
        context.require_of("s3:GetObject", &at.arn(), account)?;
        let archive = objects.read(at, bucket.as_ref(), MAX_ARCHIVE_BYTES).await;
        let archive = archive.map_err(|error| match error {
            ReadError::Store(error) => Failure::from(error),
            error => {
                invalid(CODE, format!("The code s3://{}/{} cannot be read: {error}.", at.bucket, at.key))
            }
        })?;
        let looked_at = archive.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let digest = STANDARD.encode(digest::digest(&digest::SHA256, &looked_at));
            package::check_within(Bounds::AGENT, &looked_at).map(|_| digest)
        });
        let sha256 = checked
            .await
            .map_err(|error| Failure::internal(&error))?
            .map_err(|error| invalid(CODE, sentence(&error)))?;
        let code = AgentCode {
            bucket: at.bucket.clone(),
            key: at.key.clone(),
            sha256,
            runtime: (*runtime).to_owned(),
            entry_point: entry_point.clone(),
        };
        Ok(Fetched { artifact: AgentArtifact::Code(code), archive: Some(archive) })
    }
}

fn read_url(uri: &str) -> Result<Source, Failure> {
    if !uri.starts_with("http://") && !uri.starts_with("https://") {
        return Err(invalid(
            URI,
            "Containers are not run here. Name an archive in the object store with codeConfiguration, or an agent that \
             already runs by its URL, as in containerUri \"http://127.0.0.1:8080\".",
        ));
    }
    let refused = |why: &str| invalid(URI, format!("The URL of an agent {why}."));
    let url: http::Uri = uri.parse().map_err(|_| refused("must be one that can be read"))?;
    let authority = url.authority().ok_or_else(|| refused("must name a host"))?;
    if authority.as_str().contains('@') {
        return Err(refused("must not hold a user name or a password"));
    }
    if url.query().is_some() || uri.contains('#') {
        return Err(refused("must have neither a query nor a fragment"));
    }
    if url.path().split('/').any(|part| matches!(part, "." | "..") || part.contains('%')) {
        return Err(refused("must have a plain path"));
    }
    Ok(Source::Url(uri.trim_end_matches('/').to_owned()))
}

fn read_code(given: CodeConfiguration) -> Result<Source, Failure> {
    let Code::S3(at) = given.code;
    let is_file = |entry: &String| {
        let file = entry.as_str();
        !file.starts_with('/') && !file.contains(['\\', '\0']) && file.split('/').all(|part| part != "..")
    };
    if !given.entry_point.last().is_some_and(is_file) {
        return Err(invalid(
            &format!("{CODE}/entryPoint"),
            "The last element of entryPoint is a file of the archive, such as main.py.",
        ));
    }
    Ok(Source::Code {
        at: Location { bucket: at.bucket, key: at.prefix },
        runtime: given.runtime.as_str(),
        entry_point: given.entry_point,
    })
}
