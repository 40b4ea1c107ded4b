//! What tells servers of the end-to-end tests a wrong time: libfaketime, of the system.

use std::path::PathBuf;

use crate::chore::{Chore, Failure, install_package};

/// The package, and the library in it that is for processes with threads.
const PACKAGE: &str = "libfaketime";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Sees to it that the library is there. Where it cannot be, the tests of clocks are skipped, and say so.
pub(crate) fn install(chore: &Chore) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") || is_there() {
        return Ok(());
    }
    install_package(chore, PACKAGE).or_else(|failure| {
        chore.say(format!("clocks are not tried: {failure}"));
        Ok(())
    })
}

/// Where distributions keep it: beside the libraries of the architecture, or beside all of them.
fn is_there() -> bool {
    let architectures = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let folders = architectures.map(|folder| folder.path());
    folders
        .chain(["/usr/lib", "/usr/local/lib"].map(PathBuf::from))
        .any(|folder| folder.join(LIBRARY).is_file())
}
