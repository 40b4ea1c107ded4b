//! Node and the packages that the end-to-end tests run with it: pinned, in ignored folders, made anew when their list
//! changes.
//!
//! Node itself comes from the Python package index (`e2e/requirements-node.txt`), which has it for every platform we
//! test on, so that nothing has to be on the machine but what the other chores need. No package's install script runs.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::chore::{Chore, Failure, project, read};
use crate::python;

/// The program `node`; the packages of `e2e/conformance/package.json` are beside it, in `e2e/.node/node_modules`.
pub(crate) fn environment(chore: &Chore) -> Result<PathBuf, Failure> {
    let bin = python::environment(chore, "node")?.with_file_name("");
    let node = bin.join("node");
    let asked = ["package.json", "package-lock.json"];
    let from = project().join("e2e/conformance");
    let wanted = asked.iter().map(|name| read(&from.join(name))).collect::<Result<String, _>>()?;
    let folder = project().join("e2e/.node");
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).ok().as_ref() == Some(&wanted) {
        return Ok(node);
    }
    chore.say("installing the packages of e2e/conformance/package.json");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    for name in asked {
        std::fs::copy(from.join(name), folder.join(name))?;
    }
    let mut install = Command::new(bin.join("npm"));
    install.arg("--prefix").arg(&folder).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    chore.run(install.stdout(Stdio::null()))?;
    std::fs::write(stamp, wanted)?;
    Ok(node)
}
