//! Python environments for the real clients: pinned, in ignored folders, made anew when their list changes.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::chore::{Chore, Failure, install_package, project, read};

/// An environment with the packages of `e2e/requirements-{name}.txt`.
pub(crate) fn environment(chore: &Chore, name: &str) -> Result<PathBuf, Failure> {
    let wanted = read(&project().join(format!("e2e/requirements-{name}.txt")))?;
    let folder = project().join(format!("e2e/.venv-{name}"));
    let python = folder.join("bin/python");
    let stamp = folder.join("requirements.txt");
    if std::fs::read_to_string(&stamp).ok().as_ref() == Some(&wanted) && python.is_file() {
        return Ok(python);
    }
    chore.say(format!("installing the clients of e2e/requirements-{name}.txt"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    if make(&folder).is_err() {
        install_package(chore, "python3-venv")?;
        make(&folder)?;
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    chore.run(install.arg(project().join(format!("e2e/requirements-{name}.txt"))))?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}

fn make(folder: &PathBuf) -> Result<(), Failure> {
    let made = Command::new("python3").args(["-m", "venv"]).arg(folder).stdout(Stdio::null()).status();
    match made {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::new("Python 3 cannot make a virtual environment")),
        Err(error) => Err(Failure::new(format!("cannot start python3: {error}"))),
    }
}
