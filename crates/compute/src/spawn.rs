//! Makes a process with a folder of its own, and a pipe for what it writes.
//!
//! It happens where blocking is allowed, because making a folder and a process of a large server takes a while.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use crate::RunAs;

/// Why a process was not spawned.
pub(crate) enum SpawnFailure {
    /// Its folder or its pipe could not be made.
    Folder(io::Error),
    /// It could not be executed.
    Execute(io::Error),
}

/// Makes the process's folder, has it furnished, and makes the process. Both its outputs go into the pipe that comes back.
pub(crate) async fn spawn(
    mut command: Command,
    scratch: PathBuf,
    run_as: Option<RunAs>,
    furnish: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(Child, pipe::Receiver), SpawnFailure> {
    let spawning = tokio::task::spawn_blocking(move || {
        fs::DirBuilder::new().mode(0o700).create(&scratch).map_err(SpawnFailure::Folder)?;
        if let Some(RunAs { user, group }) = run_as {
            std::os::unix::fs::chown(&scratch, Some(user), Some(group)).map_err(SpawnFailure::Folder)?;
            command.uid(user).gid(group);
        }
        if let Err(error) = furnish() {
            let _ = fs::remove_dir_all(&scratch);
            return Err(SpawnFailure::Folder(error));
        }
        let (reader, writer) = io::pipe().map_err(SpawnFailure::Folder)?;
        let second = writer.try_clone().map_err(SpawnFailure::Folder)?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(SpawnFailure::Folder)?;
        let child = command.stdout(writer).stderr(second).spawn();
        if child.is_err() {
            let _ = fs::remove_dir_all(&scratch);
        }
        Ok((child.map_err(SpawnFailure::Execute)?, output))
    });
    match spawning.await {
        Ok(spawned) => spawned,
        Err(error) => Err(SpawnFailure::Folder(io::Error::other(error))),
    }
}
