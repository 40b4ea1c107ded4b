//! Cedar policies, proven: what a set of policies allows that another does not, and a request that shows it.
//!
//! Cedar's symbolic compiler turns a question about policies into formulas, and a solver (cvc5) answers them.
//! The solver is another program and may be absent, so everything here has an answer for that, and so it has
//! for a solver that hangs, crashes or talks nonsense: [`Undecided`], never a wrong answer. What the solver
//! finds is a request, and it counts only after Cedar itself has decided that request as the solver says.
//!
//! The crate takes texts (a schema as [`policy::Schema`] writes it, statements) and gives back its own types.

mod analysis;
mod compare;
mod environment;
mod failing;
mod formula;
mod identity;
mod policies;
mod prover;
mod rewrite;
mod session;
mod settings;
mod solver;
mod undecided;
mod witness;

pub use analysis::{Correction, Finding, Kind, Open, Place, Report, Severity};
pub use compare::{Comparison, Difference, Equivalence, Search};
pub use environment::{Environment, World};
pub use policies::Statement;
pub use prover::Prover;
pub use settings::{InvalidSolverUse, SolverSettings, SolverUse};
pub use undecided::Undecided;
pub use witness::Witness;
