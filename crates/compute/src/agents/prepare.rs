//! Makes a package ready to run: unpacked, compiled, closed; once, for all sessions of it.
//!
//! Byte code is made before the first session starts, so that not every one does it anew, and then nobody writes into the
//! package any more: what a session writes is its own (a server that is root is not held by that). Nothing of the package
//! is executed meanwhile.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;

use super::program::Program;
use super::{AgentSpec, Inner, Language, StartError, lock};
use crate::Code;

/// How long byte code may take to be made.
const COMPILE_LIMIT: Duration = Duration::from_secs(120);

/// The folder of the package, ready, and what is executed of it.
pub(super) async fn find(inner: &Inner, spec: &AgentSpec) -> Result<(PathBuf, Program), StartError> {
    let code = match &spec.code {
        Code::Folder(folder) => std::path::absolute(folder).map_err(StartError::system("find the code"))?,
        Code::Archive { digest, archive } => inner.packages.ensure(*digest, archive).await?,
    };
    let program = Program::find(inner, spec, &code).await?;
    if matches!(spec.code, Code::Archive { .. }) {
        let ready = Arc::clone(lock(&inner.prepared).entry(code.clone()).or_default());
        // Whoever comes meanwhile waits; if the first gives up, the next goes on.
        ready.get_or_init(|| prepare(spec.language, &program.interpreter, &code)).await;
    }
    Ok((code, program))
}

/// That it fails harms nobody: a module that cannot be compiled may never be imported.
async fn prepare(language: Language, interpreter: &Path, code: &Path) {
    if matches!(language, Language::Python(_)) {
        let compiling = Command::new(interpreter)
            .args(["-I", "-m", "compileall", "-q", "-q"])
            .arg(code)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        let _ = tokio::time::timeout(COMPILE_LIMIT, compiling).await;
    }
    let code = code.to_owned();
    let _ = tokio::task::spawn_blocking(move || close(code)).await;
}

/// Takes the right to write from every folder of the package and from the byte code in it; its other files have lost it when
/// they were unpacked.
fn close(code: PathBuf) {
    let mut folders = vec![code];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "pyc") && kind.is_file() {
                let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o444));
            }
        }
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o555));
    }
}
