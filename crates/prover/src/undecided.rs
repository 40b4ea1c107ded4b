//! Why a question has no answer.

use cedar_policy_symcc::err::Error;

/// Why it is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The solver is switched off.
    #[error("it takes a solver, and the solver is switched off")]
    Off,
    /// The program could not be started.
    #[error("the solver `{program}` could not be started ({why}): install cvc5, or name its program")]
    Missing {
        /// The program, as it is set.
        program: String,
        /// What the operating system says.
        why: String,
    },
    /// It thought longer than one question may take.
    #[error("the solver did not answer in time")]
    TimedOut,
    /// All questions together took longer than they may.
    #[error("there was no time left to ask the solver")]
    OutOfBudget,
    /// It ended before it had answered.
    #[error("the solver ended before it answered")]
    Crashed,
    /// What it answered is no answer, or too long.
    #[error("what the solver answered was not understood")]
    Garbage,
    /// It refused the question.
    #[error("the solver refused the question: {0}")]
    Refused(String),
    /// It says that it does not know.
    #[error("the solver does not know")]
    Unknown,
    /// The request it found is not decided as it says: either it is wrong, or the request cannot occur.
    #[error("the request that the solver found is not one that can occur")]
    Unconfirmed,
    /// Cedar's symbolic compiler has no formula for it.
    #[error("the policies cannot be turned into formulas: {0}")]
    Unsupported(String),
    /// A schema or a statement that is not good, or a fault of ours.
    #[error("the policies cannot be analysed: {0}")]
    Invalid(String),
}

impl Undecided {
    /// Whether it is for want of a solver that works, and not of an answer.
    #[must_use]
    pub fn is_for_want_of_a_solver(&self) -> bool {
        matches!(self, Self::Off | Self::Missing { .. } | Self::Crashed | Self::Garbage | Self::Refused(_))
    }

    /// What the symbolic compiler says. A failure of the solver's process is known better by who ran it.
    pub(crate) fn from_compiler(error: &Error) -> Self {
        match error {
            Error::SolverUnknown => Self::Unknown,
            Error::SolverError(_) => Self::Garbage,
            Error::DecodeModel(_) => Self::Garbage,
            Error::ConcretizeError(_) | Error::ModelInvalid { .. } => Self::Unconfirmed,
            Error::PolicyNotWellTyped { errs } => {
                let errors: Vec<String> = errs.iter().map(ToString::to_string).collect();
                Self::Invalid(errors.join("; "))
            }
            other => Self::Unsupported(other.to_string()),
        }
    }
}
