//! The environment of an agent's process: what the contract of AgentCore's containers promises, and nothing of the
//! server's own.
//!
//! Credentials are not in it: the SDKs fetch them where `AWS_CONTAINER_CREDENTIALS_FULL_URI` says, so that a session
//! outlives the ones it began with.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use domain::Secret;

use super::folder::Places;
use super::program::SYSTEM_FOLDERS;
use super::{AgentSpec, Protocol};

/// Names the session's folder: by it, processes that left the group are found.
pub(super) const MARK: &str = "PORTCULLIS_AGENT";

/// Names that a runtime's `environmentVariables` do not set, because the server does.
const RESERVED: [&str; 11] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "DOCKER_CONTAINER",
    "HOME",
    "NODE_OPTIONS",
    "PORT",
    "PORTCULLIS_AGENT",
    "PORTCULLIS_AGENT_PORT",
    "TMPDIR",
];

/// What else a process is told.
pub(super) struct Surroundings<'a> {
    pub(super) places: &'a Places,
    /// The package, unpacked.
    pub(super) code: &'a Path,
    pub(super) shims: &'a Path,
    pub(super) interpreter: &'a Path,
    /// Where its credentials are, and the token that opens them.
    pub(super) role: Option<(String, Secret)>,
}

/// The whole environment of a process.
pub(super) fn build(spec: &AgentSpec, surroundings: &Surroundings<'_>) -> BTreeMap<String, OsString> {
    let Surroundings { places, code, shims, interpreter, role } = surroundings;
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: OsString| variables.insert(name.to_owned(), value);
    set("LANG", "C.UTF-8".into());
    set("TZ", ":UTC".into());
    // What it prints is read as it is printed, and its code's folder stays as it is.
    for name in ["PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE", "PYTHONUTF8"] {
        set(name, "1".into());
    }
    for (name, value) in &spec.server_environment {
        set(name, value.into());
    }
    if let Some(url) = &spec.endpoint_url {
        set("AWS_ENDPOINT_URL", url.into());
    }
    let mut own_path = None;
    for (name, value) in &spec.environment {
        match name.as_str() {
            "PYTHONPATH" => own_path = Some(value.expose()),
            name if RESERVED.contains(&name) => {}
            name => {
                set(name, value.expose().into());
            }
        }
    }
    let bin = code.join("bin");
    let folders = [bin.as_path()].into_iter().chain(interpreter.parent());
    set("PATH", joined(folders.map(Path::as_os_str).chain(SYSTEM_FOLDERS.iter().map(OsStr::new))));
    set(
        "PYTHONPATH",
        joined([shims.as_os_str(), code.as_os_str()].into_iter().chain(own_path.map(OsStr::new))),
    );
    set("NODE_OPTIONS", format!("--require \"{}\"", shims.join(super::shims::NODE).display()).into());
    set("HOME", places.home.clone().into());
    set("TMPDIR", places.temporary.clone().into());
    set(MARK, places.folder.clone().into());
    set("PORTCULLIS_AGENT_PORT", spec.protocol.port().to_string().into());
    set("PORT", spec.protocol.port().to_string().into());
    if spec.protocol == Protocol::Mcp {
        set("FASTMCP_PORT", spec.protocol.port().to_string().into());
    }
    // The SDK for Python looks at it to know that it is not on somebody's desk.
    set("DOCKER_CONTAINER", "1".into());
    set("AWS_REGION", spec.runtime.region().into());
    set("AWS_DEFAULT_REGION", spec.runtime.region().into());
    if let Some((url, token)) = role {
        set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.into());
        set("AWS_CONTAINER_AUTHORIZATION_TOKEN", token.expose().into());
    }
    // A name with `=` or a NUL would make the operating system refuse the process.
    variables.retain(|name, value| {
        !name.is_empty() && !name.contains(['=', '\0']) && !value.as_encoded_bytes().contains(&0)
    });
    variables
}

/// The values of those variables whose names say that they are secret.
pub(super) fn secrets(spec: &AgentSpec) -> Vec<Secret> {
    const WORDS: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL", "AUTH"];
    let secret = |name: &str| WORDS.iter().any(|word| name.to_ascii_uppercase().contains(word));
    spec.environment.iter().filter(|(name, _)| secret(name)).map(|(_, value)| value.clone()).collect()
}

fn joined<'a>(folders: impl Iterator<Item = &'a OsStr>) -> OsString {
    folders.collect::<Vec<_>>().join(OsStr::new(":"))
}
