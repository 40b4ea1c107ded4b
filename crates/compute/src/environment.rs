//! The environment of a function's process: what Lambda promises and nothing of the server's own.
//!
//! Sources: Lambda Developer Guide, "Defined runtime environment variables"; "Using the Lambda runtime API".
//! Reserved names are Lambda's. `TZ`, `LANG`, `PATH` and other defaults may be replaced by the function, as on
//! Lambda; so may `AWS_ENDPOINT_URL`, for a function that wants to talk to AWS itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use domain::FunctionRuntime;

use crate::{Credentials, Launch};

/// The names that a function's `Environment` may not hold ("Reserved environment variables").
const RESERVED: [&str; 19] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// Whether Lambda reserves the name of an environment variable, so that `CreateFunction` must refuse it.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.binary_search(&name).is_ok()
}

/// Where a process finds things.
pub(crate) struct Places<'a> {
    /// The unpacked code: the working directory.
    pub(crate) task_root: &'a Path,
    /// The folder of the runtime client.
    pub(crate) runtime_dir: &'a Path,
    /// The process's own folder, `HOME` and `TMPDIR`.
    pub(crate) scratch: &'a Path,
    /// The folder of the interpreter, first on `PATH`.
    pub(crate) interpreter_dir: Option<&'a Path>,
    /// `127.0.0.1:PORT`.
    pub(crate) runtime_api: &'a str,
    /// The name of the process's own log stream.
    pub(crate) log_stream: &'a str,
}

/// The whole environment of a process.
pub(crate) fn build(
    launch: &Launch,
    credentials: &Credentials,
    places: &Places<'_>,
) -> BTreeMap<String, OsString> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: OsString| variables.insert(name.to_owned(), value);

    let mut path = OsString::new();
    if let Some(folder) = places.interpreter_dir {
        path.push(folder);
        path.push(":");
    }
    path.push("/usr/local/bin:/usr/bin:/bin");
    set("PATH", path);
    set("LANG", "en_US.UTF-8".into());
    set("TZ", ":UTC".into());
    set("HOME", places.scratch.into());
    set("TMPDIR", places.scratch.into());
    for (name, value) in &launch.server_environment {
        set(name, value.into());
    }
    if let Some(url) = &launch.endpoint_url {
        set("AWS_ENDPOINT_URL", url.into());
    }
    for (name, value) in &launch.environment {
        if !is_reserved(name) {
            set(name, value.expose().into());
        }
    }

    let region = launch.function.region();
    set("AWS_REGION", region.into());
    set("AWS_DEFAULT_REGION", region.into());
    set("AWS_ACCESS_KEY_ID", credentials.access_key_id.as_str().into());
    set("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose().into());
    if let Some(token) = &credentials.session_token {
        set("AWS_SESSION_TOKEN", token.expose().into());
    }
    set("AWS_LAMBDA_FUNCTION_NAME", launch.name.as_str().into());
    set("AWS_LAMBDA_FUNCTION_VERSION", launch.version.as_str().into());
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", launch.memory_mib.to_string().into());
    set("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", launch.name).into());
    set("AWS_LAMBDA_LOG_STREAM_NAME", places.log_stream.into());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into());
    set("AWS_LAMBDA_RUNTIME_API", places.runtime_api.into());
    if matches!(launch.runtime, FunctionRuntime::Python(_) | FunctionRuntime::Node(_)) {
        // Lambda does not set it for `provided` runtimes.
        set("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", launch.runtime).into());
    }
    set("LAMBDA_TASK_ROOT", places.task_root.into());
    set("LAMBDA_RUNTIME_DIR", places.runtime_dir.into());
    set("_HANDLER", launch.handler.as_str().into());
    // A name with `=` or a NUL would make the operating system refuse the process.
    variables.retain(|name, value| {
        !name.is_empty() && !name.contains(['=', '\0']) && !value.as_encoded_bytes().contains(&0)
    });
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_found() {
        assert!(RESERVED.is_sorted(), "binary search needs order");
        for name in RESERVED {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["AWS_ENDPOINT_URL", "PATH", "TZ", "aws_region", ""] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
