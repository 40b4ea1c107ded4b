//! The solver that proves what policies allow: the system's cvc5. Tests that need it fail without it.

use std::path::PathBuf;

use crate::chore::{Chore, Failure, install_package};

/// The package, and the program in it.
const CVC5: &str = "cvc5";

/// Sees to it that `cvc5` is on the search path.
pub(crate) fn install(chore: &Chore) -> Result<(), Failure> {
    if find().is_none() {
        install_package(chore, CVC5)?;
        find().ok_or_else(|| Failure::new("cvc5 is installed and its program is not found"))?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a chore reads the environment that it was started in")]
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(CVC5)).find(|program| program.is_file())
}
