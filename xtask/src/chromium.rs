//! The browser in which the end-to-end tests have people sign in: the system's Chromium.

use std::path::PathBuf;

use crate::chore::{Chore, Failure, install_package};

/// The package, and the program in it.
const CHROMIUM: &str = "chromium";

/// The program `chromium`, installed where it is not.
pub(crate) fn program(chore: &Chore) -> Result<PathBuf, Failure> {
    if let Some(program) = find() {
        return Ok(program);
    }
    install_package(chore, CHROMIUM)?;
    find().ok_or_else(|| Failure::new("Chromium is installed and its program is not found"))
}

#[expect(clippy::disallowed_methods, reason = "a chore reads the environment that it was started in")]
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(CHROMIUM)).find(|program| program.is_file())
}
