//! The way in: each call is a piece of work on a thread of its own.
//!
//! Cedar's compilers recurse, and what a statement needs of the stack is more than a thread of the server
//! has. So the work runs on threads with a deep one, few at a time, and each ends by its deadline: whoever
//! waits is answered then even if a compilation is not done, and a caller who goes away takes the solver with
//! it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::analysis::{self, Place, Report, Subject};
use crate::compare::{Comparison, Equivalence, Pair};
use crate::environment::{self, World};
use crate::policies::Statement;
use crate::session::Session;
use crate::settings::{SolverSettings, SolverUse};
use crate::undecided::Undecided;

/// How many pieces of work run at once; others wait for their turn.
const AT_ONCE: usize = 2;
/// How much longer than its budget a piece of work may take to say what it knows.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Address space for a thread's stack, of which only what is touched becomes memory.
const DEEP_STACK: usize = 256 * 1024 * 1024;

/// Answers questions about policies. Cheap to clone; clones share how many solvers run at once.
#[derive(Clone, Debug)]
pub struct Prover {
    settings: SolverSettings,
    places: Arc<Semaphore>,
}

impl Prover {
    /// A prover with these settings. No solver is started before a question needs one.
    #[must_use]
    pub fn new(settings: SolverSettings) -> Self {
        Self { settings, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Whether its answers may depend on a solver.
    #[must_use]
    pub fn solver_use(&self) -> SolverUse {
        self.settings.solver_use
    }

    /// What changes from `before` to `after`, for each kind of caller, tool and gateway of the world.
    ///
    /// # Errors
    /// [`Undecided`] when nothing at all could be asked: a schema or statement that does not parse, no time
    /// left. What is undecided of a single environment stands in the comparison.
    pub async fn compare(
        &self,
        world: World,
        before: Vec<Statement>,
        after: Vec<Statement>,
    ) -> Result<Comparison, Undecided> {
        self.work(move |mut session| async move {
            Ok(Pair::parse(world, &before, &after)?.compare(&mut session).await)
        })
        .await
    }

    /// Whether two sets of policies decide every request of the world alike.
    pub async fn equivalent(
        &self,
        world: World,
        first: Vec<Statement>,
        second: Vec<Statement>,
    ) -> Equivalence {
        let proven = self.work(move |mut session| async move {
            Ok(Pair::parse(world, &first, &second)?.equivalent(&mut session).await)
        });
        proven.await.unwrap_or_else(Equivalence::Undecided)
    }

    /// What a single policy does that is hardly meant, as AgentCore finds it: it allows or denies everything, or
    /// nothing. `schema` is the one that the statement was checked against.
    ///
    /// # Errors
    /// [`Undecided`] when that is not known.
    pub async fn effects(
        &self,
        schema: String,
        statement: String,
    ) -> Result<Vec<policy::Finding>, Undecided> {
        self.work(move |mut session| async move {
            let world = World { schema, gateways: Vec::new() };
            let subject = Subject::read(&Statement::new("statement", statement))?;
            analysis::effects(&mut session, &world, &environment::parse(&world)?, &subject).await
        })
        .await
    }

    /// Looks at policies together: what each does that is hardly meant, also beside the others, in every place that
    /// it reaches.
    ///
    /// # Errors
    /// [`Undecided`] when nothing at all could be asked. What is undecided of a single policy stands in the
    /// report.
    pub async fn analyse(&self, places: Vec<Place>, policies: Vec<Statement>) -> Result<Report, Undecided> {
        self.work(move |mut session| async move { analysis::analyse(&mut session, &places, &policies).await })
            .await
    }

    /// Runs `work` on a deep stack until the budget is spent or nobody waits for it.
    pub(crate) async fn work<T, W, F>(&self, work: W) -> Result<T, Undecided>
    where
        T: Send + 'static,
        W: FnOnce(Session) -> F + Send + 'static,
        F: Future<Output = Result<T, Undecided>>,
    {
        let settings = self.settings.clone();
        let waiting = tokio::time::timeout(settings.budget, Arc::clone(&self.places).acquire_owned());
        let Ok(Ok(place)) = waiting.await else { return Err(Undecided::OutOfBudget) };
        let deadline = Instant::now() + settings.budget;
        let (answer, answered) = oneshot::channel();
        let thread = std::thread::Builder::new().name("prover".to_owned()).stack_size(DEEP_STACK);
        let started = thread
            .spawn(move || run(place, answer, || async { work(Session::new(settings, deadline)?).await }));
        started.map_err(|error| Undecided::Invalid(format!("no thread could be started: {error}")))?;
        // Work that finds its time spent says what it knows; only work that does not even find that is left alone.
        match tokio::time::timeout_at((deadline + LAST_WORDS).into(), answered).await {
            Ok(Ok(result)) => result,
            // The thread is gone without an answer: a panic of Cedar's.
            Ok(Err(_)) => Err(Undecided::Invalid("Cedar's symbolic compiler failed".to_owned())),
            Err(_) => Err(Undecided::OutOfBudget),
        }
    }
}

fn run<T, F>(
    _place: OwnedSemaphorePermit,
    mut answer: oneshot::Sender<Result<T, Undecided>>,
    work: impl FnOnce() -> F,
) where
    F: Future<Output = Result<T, Undecided>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(async {
            tokio::select! {
                result = work() => Some(result),
                () = answer.closed() => None,
            }
        }),
        Err(error) => Some(Err(Undecided::Invalid(format!("no runtime could be started: {error}")))),
    };
    if let Some(result) = result {
        let _ = answer.send(result);
    }
}
