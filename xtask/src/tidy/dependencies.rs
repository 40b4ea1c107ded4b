//! `docs/dependencies.md` names every crate that is depended on, and no other.

use std::collections::BTreeSet;
use std::path::Path;

use super::rooms::dependencies;
use crate::chore::{Failure, read};

pub(super) fn check(root: &Path) -> Result<Vec<String>, Failure> {
    let mut used = BTreeSet::new();
    let rooms: Vec<_> = std::fs::read_dir(root.join("crates"))?.flatten().map(|entry| entry.path()).collect();
    let ours: BTreeSet<String> =
        rooms.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    for folder in rooms.iter().cloned().chain([root.join("xtask"), root.join("bench"), root.join("fuzz")]) {
        let manifest = folder.join("Cargo.toml");
        if manifest.exists() {
            used.extend(dependencies(&manifest)?);
        }
    }
    used.retain(|name| !ours.contains(name));
    let page = read(&root.join("docs/dependencies.md"))?;
    // A row of the table begins with the crate's name in backticks.
    let listed: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    let missing =
        used.difference(&listed).map(|name| format!("docs/dependencies.md does not say why we use {name}"));
    let stale =
        listed.difference(&used).map(|name| format!("docs/dependencies.md lists {name}, which nobody uses"));
    Ok(missing.chain(stale).collect())
}
