//! Hooks for languages whose clients may read no proxy variables: Python (bare urllib3, http.client, sockets) and Node.
//!
//! They follow the same rule as everything else here, lead connections to the interceptor's port, and leave the rest of
//! the language as it is. TLS stays between the client and the port, so nothing is trusted that the client does not check.

use std::path::Path;

use serde_json::json;

use crate::environment::Environment;
use crate::interceptor::OpenError;
use crate::names::Names;
use crate::trust::Others;

const PYTHON: &str = include_str!("hooks/sitecustomize.py");
const NODE: &str = include_str!("hooks/node.cjs");

/// Writes the hooks into a folder, and says what to set.
pub(crate) fn write(
    folder: &Path,
    names: &Names,
    port: u16,
    others: Others,
    before: &Environment,
) -> Result<Vec<(String, String)>, OpenError> {
    let settings = json!({
        "rule": names.rule(),
        "port": port,
        "offline": others == Others::Refused,
        "near": names.endpoint().host,
    });
    // As a literal in the literal of the language: JSON's strings are strings of both.
    let settings = json!(settings.to_string()).to_string();
    let put = |path: &Path, hook: &str| {
        let text = hook.replace("\"SETTINGS\"", &settings);
        std::fs::write(path, text).map_err(|error| OpenError::write(path, &error))
    };
    let python = folder.join("python");
    std::fs::create_dir(&python).map_err(|error| OpenError::write(&python, &error))?;
    put(&python.join("sitecustomize.py"), PYTHON)?;
    let node = folder.join("node.cjs");
    put(&node, NODE)?;
    let with = |before: Option<&str>, between: &str, own: String| match before {
        Some(before) => format!("{own}{between}{before}"),
        None => own,
    };
    Ok(vec![
        ("PYTHONPATH".to_owned(), with(before.get("PYTHONPATH"), ":", python.display().to_string())),
        (
            "NODE_OPTIONS".to_owned(),
            with(before.get("NODE_OPTIONS"), " ", format!("--require \"{}\"", node.display())),
        ),
    ])
}
