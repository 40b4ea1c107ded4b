//! The solver as the symbolic compiler sees it: formulas are written into memory, and a question sends them.
//!
//! What goes wrong with the process is kept apart as an [`Undecided`], because the compiler's own errors have
//! no place for it. After a failure the process is gone; the next question starts another one.

mod process;

use std::time::{Duration, Instant};

use cedar_policy_symcc::SmtLibScript as _;
use cedar_policy_symcc::solver::{Decision, DecisionWithModel, Solver, SolverError};
use tokio::io::AsyncWrite;

use crate::settings::{SolverSettings, SolverUse};
use crate::undecided::Undecided;
use process::Process;

/// The most that is sent to the solver for one question, in bytes.
const MOST_FORMULAS: usize = 16 * 1024 * 1024;

/// A solver for the questions of one call.
pub(crate) struct Cvc5 {
    settings: SolverSettings,
    /// When there is no time left.
    deadline: Instant,
    script: Vec<u8>,
    process: Option<Process>,
    failure: Option<Undecided>,
}

impl Cvc5 {
    pub(crate) fn new(settings: SolverSettings, deadline: Instant) -> Self {
        Self { settings, deadline, script: Vec::new(), process: None, failure: None }
    }

    /// Why the last question failed, if it was for the solver's sake.
    pub(crate) fn take_failure(&mut self) -> Option<Undecided> {
        self.failure.take()
    }

    /// The time that is left for one question.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let left = self.deadline.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some(left.min(self.settings.question_limit))
    }

    async fn ask(&mut self, with_model: bool) -> Result<DecisionWithModel, SolverError> {
        let answer = self.ask_in_time(with_model).await;
        self.script.clear();
        answer.map_err(|undecided| {
            // Whatever it was saying, the next question would read it.
            self.process = None;
            let told = SolverError::Solver(undecided.to_string());
            self.failure = Some(undecided);
            told
        })
    }

    async fn ask_in_time(&mut self, with_model: bool) -> Result<DecisionWithModel, Undecided> {
        if self.settings.solver_use == SolverUse::Off {
            return Err(Undecided::Off);
        }
        if self.script.len() > MOST_FORMULAS {
            return Err(Undecided::Unsupported("they are too large".to_owned()));
        }
        let limit = self.time_left().ok_or(Undecided::OutOfBudget)?;
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(&self.settings)?,
        };
        let asked = tokio::time::timeout(limit, process.ask(&self.script, with_model)).await;
        let answer = asked.map_err(|_| {
            let in_time = limit >= self.settings.question_limit;
            if in_time { Undecided::TimedOut } else { Undecided::OutOfBudget }
        })??;
        self.process = Some(process);
        Ok(answer)
    }
}

impl Solver for Cvc5 {
    fn smtlib_input(&mut self) -> &mut (dyn AsyncWrite + Unpin + Send) {
        &mut self.script
    }

    async fn enable_models(&mut self) -> Result<(), SolverError> {
        Ok(self.script.set_option("produce-models", "true").await?)
    }

    async fn check_sat(&mut self) -> Result<Decision, SolverError> {
        Ok(match self.ask(false).await? {
            DecisionWithModel::Sat { .. } => Decision::Sat,
            DecisionWithModel::Unsat => Decision::Unsat,
            DecisionWithModel::Unknown => Decision::Unknown,
        })
    }

    async fn check_sat_with_model(&mut self) -> Result<DecisionWithModel, SolverError> {
        self.ask(true).await
    }
}
