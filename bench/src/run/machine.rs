//! The machine: which core each part gets, and the processes of the parts.
//!
//! What is measured runs on the first core and everything else on the second, by `taskset`. Where that cannot be had,
//! nothing is pinned, and the report says so: then the figures compare badly with others.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::serve::LISTENS;

/// How long a part has to begin.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a process belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Core {
    /// To what is measured.
    Measured,
    /// To all others.
    Others,
}

impl Core {
    fn number(self) -> &'static str {
        match self {
            Self::Measured => "0",
            Self::Others => "1",
        }
    }
}

/// The machine, and what runs on it.
pub(super) struct Machine {
    /// This program, which plays the other parts too.
    pub(super) bench: PathBuf,
    server: PathBuf,
    pinned: bool,
    /// What the server writes, for this run only.
    folder: Folder,
}

/// A process that ends when this value does.
pub(super) struct Running {
    child: Child,
    /// Where it listens: an address and a port.
    pub(super) address: String,
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that goes away when this value does.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Machine {
    /// Looks what there is.
    pub(super) fn find(server: Option<PathBuf>) -> Result<Self, Failure> {
        let bench = std::env::current_exe()?;
        let server = server.unwrap_or_else(|| bench.with_file_name("portcullis"));
        if !server.is_file() {
            return Err(Failure::new(format!(
                "there is no server at {}: `cargo xtask bench` builds it first",
                server.display()
            )));
        }
        let pinned = [Core::Measured, Core::Others].into_iter().all(can_pin);
        let folder = std::env::temp_dir().join(format!("portcullis-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self { bench, server, pinned, folder: Folder(folder) })
    }

    /// How the parts are placed, in words.
    pub(super) fn placement(&self) -> &'static str {
        if self.pinned {
            "pinned: server and proxy on core 0, upstream, load and functions on core 1"
        } else {
            "NOT pinned, because two cores and `taskset` (Debian: util-linux) are needed for that: \
             the parts disturb each other, and the figures say little"
        }
    }

    /// Which cores a shell script shall give to what it runs: a prefix of its command.
    pub(super) fn script_prefix(&self) -> String {
        if self.pinned { format!("taskset -c {} ", Core::Others.number()) } else { String::new() }
    }

    /// Starts a part that listens, and waits until it does.
    pub(super) fn start_part(&self, core: Core, arguments: &[&str]) -> Result<Running, Failure> {
        let mut child = self.command(core, &self.bench).args(arguments).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or_else(|| Failure::new("the part has no output"))?;
        let mut running = Running { child, address: String::new() };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().strip_prefix(LISTENS);
        let address =
            address.ok_or_else(|| Failure::new(format!("`bench {}` did not begin", arguments.join(" "))))?;
        address.clone_into(&mut running.address);
        Ok(running)
    }

    /// Runs a part to its end; gives what it said.
    pub(super) fn ask_part(&self, core: Core, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut command = self.command(core, &self.bench);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(input)?;
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(Failure::new(format!("`bench {}` failed ({})", arguments.join(" "), output.status)))
        }
    }

    /// Starts the server on a folder of its own and SQLite, with one serving thread.
    pub(super) fn start_server(&self) -> Result<Running, Failure> {
        let data = self.folder.0.join("data");
        let settings = self.folder.0.join("portcullis.toml");
        std::fs::write(
            &settings,
            "listen = \"127.0.0.1:0\"\n\n[server]\nthreads = 1\n\n[log]\nfilter = \"warn\"\n",
        )?;
        let mut command = self.command(Core::Measured, &self.server);
        command.arg("serve").arg("--config").arg(&settings).arg("--data-dir").arg(&data);
        let child = command.stdout(Stdio::null()).spawn()?;
        let mut running = Running { child, address: String::new() };
        running.address = self.wait_for_server(&mut running.child, &data)?;
        Ok(running)
    }

    /// The root credentials of the server: the key's id and its secret.
    pub(super) fn credentials(&self) -> Result<(String, String), Failure> {
        let path = self.folder.0.join("data/credentials");
        let text = std::fs::read_to_string(path)?;
        let value = |name| setting(&text, name).ok_or_else(|| Failure::new(format!("there is no {name}")));
        Ok((value("aws_access_key_id")?, value("aws_secret_access_key")?))
    }

    /// The server writes its address into the files for AWS's clients before it listens.
    fn wait_for_server(&self, child: &mut Child, data: &Path) -> Result<String, Failure> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = child.try_wait()? {
                return Err(Failure::new(format!("the server ended ({status})")));
            }
            let text = std::fs::read_to_string(data.join("config")).unwrap_or_default();
            let url = setting(&text, "endpoint_url");
            let address = url.as_deref().and_then(|url| url.strip_prefix("http://"));
            if let Some(address) = address
                && std::net::TcpStream::connect(address).is_ok()
            {
                return Ok(address.to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(Failure::new("the server does not listen"))
    }

    fn command(&self, core: Core, program: &Path) -> Command {
        if !self.pinned {
            return Command::new(program);
        }
        // taskset becomes the program: the process is the one that is measured.
        let mut command = Command::new("taskset");
        command.args(["-c", core.number()]).arg(program);
        command
    }
}

/// Whether a process can be put on a core.
fn can_pin(core: Core) -> bool {
    let mut command = Command::new("taskset");
    command.args(["-c", core.number(), "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The value of a line `name = value`.
fn setting(text: &str, name: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| line.split_once('='));
    values.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim().to_owned())
}
