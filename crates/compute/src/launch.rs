//! What is run and with what: one exact state of a function, and one event for it.
//!
//! A [`Launch`] is prepared by whoever knows the function's configuration and is shared by all of its
//! invocations. Code and credentials are not in it but come from [`Provider`]s, because they are needed only
//! when a process is started, and because credentials are temporary.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{Arn, FunctionRuntime, Secret, Timestamp};

use crate::Digest;

/// One exact state of a function, with all that a process of it needs. It has no `Debug`, because its
/// environment may hold secrets.
pub struct Launch {
    /// The function's ARN, without a version. Its region becomes `AWS_REGION`.
    pub function: Arn,
    /// The ARN by which it is invoked: with the version or alias that the caller named, if any. It is what the
    /// function sees as `invokedFunctionArn`, and may differ between launches of one state.
    pub invoked_as: Arn,
    /// The version: `$LATEST`, or the number of a published one. Each version has processes of its own.
    pub version: String,
    /// Names this state of the function: together with the ARN and the version it decides which processes are reused.
    pub revision_id: String,
    /// When the function came into this state. Invocations of a later state supersede the processes of
    /// earlier ones; invocations of an earlier one still run, in processes that are not kept.
    pub updated_at: Timestamp,
    /// The function's name.
    pub name: String,
    /// What runs it.
    pub runtime: FunctionRuntime,
    /// The entry point: `module.function` for Python and JavaScript; `provided` runtimes find it in `_HANDLER`.
    pub handler: String,
    /// How much memory one process with its children may use, in MiB (Lambda: 128 to 10,240).
    pub memory_mib: u32,
    /// How long one invocation may take, in seconds (Lambda: 1 to 900). Zero counts as one.
    pub timeout_seconds: u32,
    /// Where its code is.
    pub code: Code,
    /// `Environment.Variables` of the function. Names for which [`crate::is_reserved_variable`] holds are
    /// ignored.
    pub environment: Vec<(String, Secret)>,
    /// Variables that the server adds, such as `AWS_CA_BUNDLE`. The function's own take precedence.
    pub server_environment: Vec<(String, String)>,
    /// `AWS_ENDPOINT_URL` of the function, by which the AWS SDKs in it find this server.
    pub endpoint_url: Option<String>,
    /// Gives temporary credentials of the function's role, at least once for each process.
    pub credentials: Provider<Credentials>,
}

impl Launch {
    /// How long one invocation may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_seconds.max(1)))
    }
}

/// Where a function's code is.
#[derive(Clone)]
pub enum Code {
    /// A zip archive, which is unpacked once for each digest in the life of a supervisor.
    Archive {
        /// The SHA-256 of the archive: what is fetched must have it.
        digest: Digest,
        /// Gives the bytes of the archive; asked only when they are not unpacked yet.
        archive: Provider<Bytes>,
    },
    /// A folder that somebody else keeps. It is used in place and may change under a running function.
    Folder(std::path::PathBuf),
}

/// Temporary credentials of a role. They have no `Debug`.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Secret,
    /// `AWS_SESSION_TOKEN`; `None` for credentials of a user.
    pub session_token: Option<Secret>,
    /// When they end; `None` when they do not. A process is not reused when they end before three minutes
    /// and the function's timeout have passed.
    pub expires_at: Option<Timestamp>,
}

/// Why a [`Provider`] had nothing to give, in words for the log.
pub type ProviderError = Box<dyn Error + Send + Sync>;

type Provided<T> = Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send>>;

/// Gives a value when it is needed: a shared asynchronous function.
pub struct Provider<T>(Arc<dyn Fn() -> Provided<T> + Send + Sync>);

impl<T> Provider<T> {
    /// A provider that calls `give` each time. The future runs on the supervisor's runtime and has 30 seconds.
    pub fn new<F, G>(give: F) -> Self
    where
        F: Fn() -> G + Send + Sync + 'static,
        G: Future<Output = Result<T, ProviderError>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(give())))
    }

    /// A provider that always gives `value`.
    pub fn fixed(value: T) -> Self
    where
        T: Clone + Send + Sync + 'static,
    {
        Self::new(move || {
            let value = value.clone();
            async move { Ok(value) }
        })
    }

    /// How long a provider may take.
    const PATIENCE: Duration = Duration::from_secs(30);

    pub(crate) async fn give(&self) -> Result<T, ProviderError> {
        match tokio::time::timeout(Self::PATIENCE, (self.0)()).await {
            Ok(given) => given,
            Err(_) => Err("no answer in 30 seconds".into()),
        }
    }
}

impl<T> Clone for Provider<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One event for a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The event: a JSON document of at most 6 MiB, passed on unread. Empty means `{}`, as it does to Lambda.
    pub payload: Bytes,
    /// The client context: a JSON object (already decoded from base64). It reaches the function with its line
    /// breaks as spaces and its characters outside ASCII escaped.
    pub client_context: Option<Bytes>,
    /// Names the invocation: a UUID, by Lambda's custom; 1 to 128 visible ASCII characters, without `/`.
    pub request_id: String,
    /// `Lambda-Runtime-Trace-Id`, when the caller has one; else one that says "not sampled" is made.
    pub trace_id: Option<String>,
}
