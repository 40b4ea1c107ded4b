//! Two sets of policies: what one allows that the other does not.

use cedar_policy::{PolicySet, Schema};

use crate::environment::{self, Environment, Requests, World};
use crate::policies::{self, Statement};
use crate::session::Session;
use crate::undecided::Undecided;
use crate::witness::Witness;

/// Whether there is such a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Search {
    /// There is none: proven.
    Nothing,
    /// There is: this one, which Cedar has decided.
    Found(Box<Witness>),
    /// It is not known.
    Undecided(Undecided),
}

/// What changes from one set of policies to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Each environment in which something changes or in which it is not known, in the order of the tools.
    pub differences: Vec<Difference>,
    /// How many environments were looked at.
    pub environments: usize,
}

/// What changes in one environment. At least one of the two is not [`Search::Nothing`].
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Which requests.
    pub environment: Environment,
    /// A request that was denied before and is allowed afterwards.
    pub newly_allowed: Search,
    /// A request that was allowed before and is denied afterwards.
    pub newly_denied: Search,
}

/// Whether two sets of policies decide every request alike.
#[derive(Clone, Debug, PartialEq)]
pub enum Equivalence {
    /// They do: proven for every environment.
    Equivalent,
    /// They do not.
    Different {
        /// A request that they decide differently.
        witness: Box<Witness>,
        /// Whether it is the first set that allows it.
        first_allows: bool,
    },
    /// No difference was found, and it is not proven that there is none.
    Undecided(Undecided),
}

impl Comparison {
    /// Whether it is proven that nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Two sets of policies in a world.
pub(crate) struct Pair {
    world: World,
    schema: Schema,
    before: PolicySet,
    after: PolicySet,
}

impl Pair {
    pub(crate) fn parse(world: World, before: &[Statement], after: &[Statement]) -> Result<Self, Undecided> {
        let schema = environment::parse(&world)?;
        Ok(Self { world, schema, before: policies::parse(before)?, after: policies::parse(after)? })
    }

    pub(crate) async fn compare(&self, session: &mut Session) -> Comparison {
        let environments = environment::list(&self.world, &self.schema);
        let mut comparison = Comparison { differences: Vec::new(), environments: environments.len() };
        for (environment, concrete) in environments {
            let (newly_allowed, newly_denied) = match session.requests(&environment, concrete, &self.schema) {
                Ok(requests) => self.search(session, &requests).await,
                Err(undecided) => (Search::Undecided(undecided.clone()), Search::Undecided(undecided)),
            };
            if (&newly_allowed, &newly_denied) != (&Search::Nothing, &Search::Nothing) {
                comparison.differences.push(Difference { environment, newly_allowed, newly_denied });
            }
        }
        comparison
    }

    pub(crate) async fn equivalent(&self, session: &mut Session) -> Equivalence {
        let mut open = None;
        for (environment, concrete) in environment::list(&self.world, &self.schema) {
            let searches = match session.requests(&environment, concrete, &self.schema) {
                Ok(requests) => self.search(session, &requests).await,
                Err(undecided) => (Search::Undecided(undecided), Search::Nothing),
            };
            for (search, first_allows) in [(searches.0, false), (searches.1, true)] {
                match search {
                    Search::Nothing => {}
                    Search::Found(witness) => return Equivalence::Different { witness, first_allows },
                    Search::Undecided(undecided) => open = open.or(Some(undecided)),
                }
            }
        }
        open.map_or(Equivalence::Equivalent, Equivalence::Undecided)
    }

    /// What is newly allowed, and what is newly denied.
    async fn search(&self, session: &mut Session, requests: &Requests) -> (Search, Search) {
        let before = session.compile(&self.before, requests, &self.schema);
        let after = session.compile(&self.after, requests, &self.schema);
        match (before, after) {
            (Ok(before), Ok(after)) => {
                let newly_allowed = session.allowed_beyond(&after, &before).await;
                (newly_allowed, session.allowed_beyond(&before, &after).await)
            }
            (Err(undecided), _) | (_, Err(undecided)) => {
                (Search::Undecided(undecided.clone()), Search::Undecided(undecided))
            }
        }
    }
}
