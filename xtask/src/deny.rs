//! `cargo xtask deny`: cargo-deny on `deny.toml`, where it is installed.

use crate::chore::{Chore, Failure, cargo, is_installed};

pub(crate) fn run(chore: &Chore) -> Result<(), Failure> {
    if !is_installed("cargo-deny") {
        return Err(Failure::new(
            "cargo-deny is not installed: `cargo install --locked cargo-deny` compiles it\nLicences, bans, versions and sources are checked without it by `cargo xtask tidy`",
        ));
    }
    chore.say("advisories, bans, licences, sources");
    chore.run(cargo().args(["deny", "--locked", "check"]))
}
