//! The machine: which core each part gets, and the processes of the parts.
//!
//! What is measured runs on the first core and everything else on the second, by `taskset`. Where that cannot be had,
//! nothing is pinned, and the report says so: then the figures compare badly with others.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use domain::SystemRandom;
use store::MasterKey;

use crate::failure::Failure;
use crate::load::{Measured, Paced, Plan, Slot};
use crate::serve::LISTENS;

/// The largest engine has more about one gateway than is usual.
const ROOM: &str = "[quotas]\npolicy-bytes-per-resource = 4194304\n";
/// Where a server that shares its database finds its master key.
const MASTER_KEY: &str = "PORTCULLIS_MASTER_KEY";

/// How long a part has to begin.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a process belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    /// To what is measured.
    Measured,
    /// To all others.
    Others,
    /// Wherever the system puts it.
    Any,
}

impl Core {
    fn number(self) -> Option<&'static str> {
        match self {
            Self::Measured => Some("0"),
            Self::Others => Some("1"),
            Self::Any => None,
        }
    }
}

/// The machine, and what runs on it.
pub(crate) struct Machine {
    /// This program, which plays the other parts too.
    pub(crate) bench: PathBuf,
    server: PathBuf,
    pinned: bool,
    /// The key of servers that share a database.
    pub(crate) master_key: MasterKey,
    /// What the server writes, for this run only.
    folder: Folder,
}

/// A server that is to be started.
pub(crate) struct Server<'a> {
    /// The name of its folder: one that is started again under a name finds what it left.
    pub(crate) name: &'a str,
    /// Where it runs.
    pub(crate) core: Core,
    /// Where it listens; 0 leaves that to the system.
    pub(crate) port: u16,
    /// Tables of its configuration file, besides one serving thread and a quiet log.
    pub(crate) settings: &'a str,
    /// The URL of its database; SQLite in its folder unless there is one.
    pub(crate) database: Option<&'a str>,
    /// What clients reach it by, where it is not where it listens.
    pub(crate) public_url: Option<&'a str>,
}

impl Default for Server<'_> {
    fn default() -> Self {
        Self {
            name: "server",
            core: Core::Measured,
            port: 0,
            settings: ROOM,
            database: None,
            public_url: None,
        }
    }
}

/// A process that ends when this value does.
pub(crate) struct Running {
    child: Child,
    /// Where it listens: an address and a port.
    pub(crate) address: String,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("the server ended badly ({status})")))
        }
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
    pub(crate) fn find(server: Option<PathBuf>) -> Result<Self, Failure> {
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
        let master_key = MasterKey::generate(&SystemRandom);
        Ok(Self { bench, server, pinned, master_key, folder: Folder(folder) })
    }

    /// How the parts are placed, in words.
    pub(crate) fn placement(&self) -> &'static str {
        if self.pinned {
            "pinned: server, proxy and peers on core 0, one after the other; upstream, load and functions on core 1"
        } else {
            "NOT pinned, because two cores and `taskset` (Debian: util-linux) are needed for that: \
             the parts disturb each other, and the figures say little"
        }
    }

    /// Which cores a shell script shall give to what it runs: a prefix of its command.
    pub(crate) fn script_prefix(&self) -> String {
        let number = Core::Others.number().filter(|_| self.pinned);
        number.map(|number| format!("taskset -c {number} ")).unwrap_or_default()
    }

    /// Starts a part that listens, and waits until it does.
    pub(crate) fn start_part(&self, core: Core, arguments: &[&str]) -> Result<Running, Failure> {
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
    pub(crate) fn ask_part(&self, core: Core, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Failure> {
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

    /// Calls as the plan says, by a process of its own.
    pub(crate) fn load(&self, plan: &Plan) -> Result<Measured, Failure> {
        self.load_on(Core::Others, plan)
    }

    /// The same, where it is said.
    pub(crate) fn load_on(&self, core: Core, plan: &Plan) -> Result<Measured, Failure> {
        let answer = self.ask_part(core, &["load"], &serde_json::to_vec(plan)?)?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Calls by the clock, by a process of its own; gives what came back, slot by slot.
    pub(crate) fn load_paced(&self, paced: &Paced) -> Result<Vec<Slot>, Failure> {
        let answer = self.ask_part(Core::Others, &["paced"], &serde_json::to_vec(paced)?)?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Starts a server with one serving thread, and waits until it listens.
    pub(crate) fn start_server(&self, wanted: &Server<'_>) -> Result<Running, Failure> {
        let mut running = self.spawn_server(wanted)?;
        running.address = wait_for_server(&mut running.child, &self.data(wanted.name))?;
        Ok(running)
    }

    /// Starts a server, and does not wait for it.
    pub(crate) fn spawn_server(&self, wanted: &Server<'_>) -> Result<Running, Failure> {
        let folder = self.folder.0.join(wanted.name);
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("portcullis.toml");
        let Server { port, settings, .. } = wanted;
        std::fs::write(
            &file,
            format!(
                "listen = \"127.0.0.1:{port}\"\n\n[server]\nthreads = 1\n\n[log]\nfilter = \"warn\"\n\n{settings}"
            ),
        )?;
        let data = self.data(wanted.name);
        // Where the last one of this name listened is no news of this one.
        let _ = std::fs::remove_file(data.join("config"));
        let mut command = self.command(wanted.core, &self.server);
        command.arg("serve").arg("--config").arg(&file).arg("--data-dir").arg(&data);
        if let Some(url) = wanted.database {
            command.arg("--database").arg(url).env(MASTER_KEY, &*self.master_key.to_text());
        }
        if let Some(url) = wanted.public_url {
            command.arg("--public-url").arg(url);
        }
        let child = command.stdout(Stdio::null()).spawn()?;
        Ok(Running { child, address: format!("127.0.0.1:{port}") })
    }

    /// The root credentials of a server: the key's id and its secret.
    pub(crate) fn credentials(&self, server: &str) -> Result<(String, String), Failure> {
        let text = std::fs::read_to_string(self.data(server).join("credentials"))?;
        let value = |name| setting(&text, name).ok_or_else(|| Failure::new(format!("there is no {name}")));
        Ok((value("aws_access_key_id")?, value("aws_secret_access_key")?))
    }

    /// Starts somebody else's program by a shell line, and waits until it listens on `address`.
    pub(crate) fn start_line(&self, core: Core, line: &str, address: &str) -> Result<Running, Failure> {
        // The shell becomes the program, so that the process is the one that is measured.
        let mut command = self.command(core, Path::new("sh"));
        let child = command.args(["-c", &format!("exec {line}")]).stdout(Stdio::null()).spawn()?;
        let mut running = Running { child, address: address.to_owned() };
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = running.child.try_wait()? {
                return Err(Failure::new(format!("`{line}` ended ({status})")));
            }
            if TcpStream::connect(address).is_ok() {
                return Ok(running);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(Failure::new(format!("`{line}` does not listen on {address}")))
    }

    /// A folder for what a part needs, gone when the measuring ends.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.folder.0.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn data(&self, server: &str) -> PathBuf {
        self.folder.0.join(server).join("data")
    }

    fn command(&self, core: Core, program: &Path) -> Command {
        let Some(number) = core.number().filter(|_| self.pinned) else { return Command::new(program) };
        // taskset becomes the program: the process is the one that is measured.
        let mut command = Command::new("taskset");
        command.args(["-c", number]).arg(program);
        command
    }
}

/// The server writes its address into the files for AWS's clients before it listens.
fn wait_for_server(child: &mut Child, data: &Path) -> Result<String, Failure> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Err(Failure::new(format!("the server ended ({status})")));
        }
        let text = std::fs::read_to_string(data.join("config")).unwrap_or_default();
        let url = setting(&text, "endpoint_url");
        let address = url.as_deref().and_then(|url| url.strip_prefix("http://"));
        if let Some(address) = address
            && TcpStream::connect(address).is_ok()
        {
            return Ok(address.to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(Failure::new("the server does not listen"))
}

/// A port of this machine that nobody listens on.
pub(crate) fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Whether a process can be put on a core.
fn can_pin(core: Core) -> bool {
    let mut command = Command::new("taskset");
    command
        .args(["-c", core.number().unwrap_or_default(), "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The value of a line `name = value`.
fn setting(text: &str, name: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| line.split_once('='));
    values.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim().to_owned())
}
