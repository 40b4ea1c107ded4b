//! The shims that put a socket of the server's in the place of the port that an agent opens: one file a language.
//!
//! The server opens a socket on a free port of 127.0.0.1 and gives it to the process as its standard input. The shim takes
//! it from there, and when the agent binds the port of its contract, on whatever address, it gets that socket. Every other
//! port that it binds on all addresses is bound on loopback alone.

use std::fs;
use std::path::Path;

use crate::SetupError;
use crate::workdir::folder_error;

/// What Python imports before everything else.
const PYTHON: &str = "sitecustomize.py";
/// What Node.js is told to require.
pub(super) const NODE: &str = "listen.cjs";

/// Writes the shims into their folder.
pub(super) fn write(folder: &Path) -> Result<(), SetupError> {
    for (name, text) in
        [(PYTHON, include_str!("shims/sitecustomize.py")), (NODE, include_str!("shims/listen.cjs"))]
    {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|source| folder_error("write", &path, source))?;
    }
    Ok(())
}
