//! The solver's process: started with nothing of ours, bounded, and gone when nobody waits for it.
//!
//! It gets formulas on its standard input and says `sat`, `unsat` or `unknown`, and on request a model. Its
//! environment is empty, so that it inherits no secret. It leads a group of its own, which is killed when the
//! value is dropped: also what a wrapper script has started ends then. Source: SMT-LIB 2.6, and cvc5's
//! options.

use std::process::Stdio;

use cedar_policy_symcc::solver::DecisionWithModel;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Take};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::settings::SolverSettings;
use crate::undecided::Undecided;

/// The most that is read of one answer, in bytes.
const LONGEST_ANSWER: u64 = 1024 * 1024;
/// The most that is told of an error of the solver's, in characters.
const LONGEST_ERROR: usize = 200;

/// A solver that runs.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    input: ChildStdin,
    output: Take<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts it.
    pub(super) fn start(settings: &SolverSettings) -> Result<Self, Undecided> {
        let missing =
            |why: String| Undecided::Missing { program: settings.program.display().to_string(), why };
        let milliseconds = settings.question_limit.as_millis();
        let found = settings.found().ok_or_else(|| missing("it is in no folder of PATH".to_owned()))?;
        let mut command = Command::new(found);
        command
            // Strings beyond the basic operations: `like` becomes a regular expression.
            .args(["--lang", "smt", "--strings-exp", "--incremental"])
            // For one that outlives us: killed itself, this process can kill nobody.
            .arg(format!("--tlimit-per={milliseconds}"))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| missing(error.to_string()))?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(missing("it has no streams".to_owned()));
        };
        let process = Self { child, group, input, output: BufReader::new(output).take(LONGEST_ANSWER) };
        process.bound(settings.memory).map_err(|error| missing(error.to_string()))?;
        Ok(process)
    }

    /// Sends the formulas and reads what it makes of them.
    pub(super) async fn ask(
        &mut self,
        formulas: &[u8],
        with_model: bool,
    ) -> Result<DecisionWithModel, Undecided> {
        self.output.set_limit(LONGEST_ANSWER);
        self.send(formulas).await?;
        self.send(b"(check-sat)\n").await?;
        let verdict = self.line().await?;
        match verdict.trim() {
            "unsat" => Ok(DecisionWithModel::Unsat),
            "unknown" => Ok(DecisionWithModel::Unknown),
            "sat" if with_model => Ok(DecisionWithModel::Sat { model: self.model().await? }),
            "sat" => Ok(DecisionWithModel::Sat { model: String::new() }),
            other => Err(refusal(other)),
        }
    }

    /// The model stands between a line with an opening and a line with a closing parenthesis.
    async fn model(&mut self) -> Result<String, Undecided> {
        self.send(b"(get-model)\n").await?;
        let mut model = self.line().await?;
        if model.trim() != "(" {
            return Err(refusal(model.trim()));
        }
        loop {
            let line = self.line().await?;
            model.push_str(&line);
            if line.trim() == ")" {
                return Ok(model);
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Undecided> {
        let sent = self.input.write_all(bytes).await;
        // It may have said why before it closed its end; that is read where the answer is.
        match sent {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Undecided::Crashed),
            _ => Ok(()),
        }
    }

    async fn line(&mut self) -> Result<String, Undecided> {
        let mut line = String::new();
        match self.output.read_line(&mut line).await {
            Ok(0) if self.output.limit() == 0 => Err(Undecided::Garbage),
            Ok(0) => Err(Undecided::Crashed),
            Ok(_) => Ok(line),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(Undecided::Garbage),
            Err(_) => Err(Undecided::Crashed),
        }
    }

    /// Bounds its memory, from outside: inside the process it would take `unsafe`.
    #[cfg(target_os = "linux")]
    fn bound(&self, memory: u64) -> std::io::Result<()> {
        use rustix::process::{Resource, Rlimit, prlimit};
        for (resource, limit) in [(Resource::Core, 0), (Resource::Fsize, 0), (Resource::As, memory)] {
            let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
            match prlimit(self.group, resource, limit) {
                // It has ended already, or the server itself may have less: then that holds.
                Ok(_) | Err(rustix::io::Errno::SRCH | rustix::io::Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Bounds its memory: there is no way on this system.
    #[cfg(not(target_os = "linux"))]
    fn bound(&self, _memory: u64) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its number is its own until somebody waits for it, which only `child` does, later.
        if let (Some(group), Ok(None)) = (self.group, self.child.try_wait()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// cvc5 says `(error "…")` to what it does not understand.
fn refusal(line: &str) -> Undecided {
    match line.strip_prefix("(error \"") {
        Some(error) => Undecided::Refused(
            error
                .trim_end_matches("\")")
                .chars()
                .filter(|character| !character.is_control())
                .take(LONGEST_ERROR)
                .collect(),
        ),
        None => Undecided::Garbage,
    }
}
