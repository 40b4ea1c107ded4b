//! `portcullis policy diff`: what one set of policies allows that another does not, proven, with a request that shows it.
//!
//! The difference is one of meaning: two texts that decide every request alike do not differ. It takes a solver; without
//! one the sets are only known to be the same where their statements are, apart from how they are written. A request that
//! is shown has been decided by both sets as a gateway decides it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use domain::Timestamp;
use policy::{Call, Engine, Principal, PrincipalKind};
use prover::{Comparison, Environment, Prover, Search, Statement, Undecided, Witness, World};
use serde_json::{Map, Value, json};

use super::candidate::accepted;
use super::files::read_statements;
use super::sources::{Ground, Guarded, Sources, Standing};
use super::verdict::Verdict;
use crate::configuration::Configuration;
use crate::terminal::{Failure, Shown, remark, say, visible};
use crate::verbs::open::block_on;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// The policies before and after: files, folders with *.cedar, or - for standard input; one alone is compared with
    /// those in force on the gateway
    #[arg(required = true, num_args = 1..=2, value_names = ["OLD", "NEW"])]
    sets: Vec<PathBuf>,
    /// How long all questions together may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    budget: u64,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Compares. Fails with 1 when the sets differ, with 2 when that is not known.
pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let found = block_on(compare(arguments))?;
    match Shown::of(arguments.json) {
        Shown::Json => say(found.json())?,
        Shown::Text => found.show()?,
    }
    match (found.changes.is_empty(), found.open.first()) {
        (false, _) => Ok(Verdict::Bad("the policies do not decide alike".to_owned())),
        (true, None) => Ok(Verdict::Good),
        (true, Some(open)) => Err(open.failure()),
    }
}

async fn compare(arguments: &Arguments) -> Result<Differences, Failure> {
    let ground = arguments.sources.ground().await?;
    let schema = ground.schema()?;
    let (before, after) = match arguments.sets.as_slice() {
        [after] if ground.store.is_some() => {
            (ground.policies.clone(), accepted(read_statements(std::slice::from_ref(after))?, &schema)?)
        }
        [before, after] => {
            let read = |path| accepted(read_statements(std::slice::from_ref(path))?, &schema);
            (read(before)?, read(after)?)
        }
        _ => return Err(Failure::usage("say what NEW is compared with: OLD, or a gateway with --gateway")),
    };
    if texts(&before) == texts(&after) {
        return Ok(Differences::default());
    }
    let all: Vec<_> = before.iter().chain(&after).cloned().collect();
    let guarded = ground.guarded(&all)?;
    let mut settings = Configuration::read(&arguments.sources.settings)?.solver;
    settings.budget = Duration::from_secs(arguments.budget);
    let compared = Prover::new(settings)
        .compare(world(&ground, schema.to_cedar()), statements(&before), statements(&after))
        .await
        .map_err(|undecided| open_question(&undecided))?;
    Ok(Differences::of(compared, &Both { guarded, before, after }))
}

/// The requests that there are: those to the gateway, or to any where nobody said which.
fn world(ground: &Ground, schema: &str) -> World {
    let gateways = ground.offered.iter().map(policy::Offered::arn).filter(|arn| !arn.is_empty());
    World { schema: schema.to_owned(), gateways: gateways.map(str::to_owned).collect() }
}

fn statements(policies: &[Standing]) -> Vec<Statement> {
    policies.iter().map(|policy| Statement::new(policy.id.as_str(), policy.statement.as_str())).collect()
}

/// What the policies say, however they are written, and in whatever order. Saying a thing twice changes nothing.
fn texts(policies: &[Standing]) -> Vec<String> {
    let normal =
        |policy: &Standing| policy::normalised(&policy.statement).unwrap_or_else(|| policy.statement.clone());
    let mut texts: Vec<_> = policies.iter().map(normal).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn open_question(undecided: &Undecided) -> Failure {
    let hint = match undecided {
        Undecided::Missing { .. } => " with --solver-program (on Debian, apt-get install cvc5 installs it)",
        Undecided::Off => ": set policy.solver to auto, or say --policy-solver auto",
        _ => "",
    };
    let what = match undecided.is_for_want_of_a_solver() {
        true => "the policies are not the same, and whether they mean the same takes a solver: ",
        false => "",
    };
    Failure::new(visible(&format!("{what}{undecided}{hint}")))
}

/// Both sets, at the gateway that requests are about.
struct Both {
    guarded: Guarded,
    before: Vec<Standing>,
    after: Vec<Standing>,
}

impl Both {
    /// Whether a gateway decides the request so: by the first set and by the second.
    fn decide(&self, witness: &Witness) -> Option<(bool, bool)> {
        let tags: Map<String, Value> =
            witness.tags.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect();
        let principal = match kind_of(&witness.principal_type)? {
            PrincipalKind::OAuthUser => Principal::oauth(&witness.principal, &tags).ok()?,
            PrincipalKind::IamEntity => Principal::iam_named(&witness.principal).ok()?,
        };
        let now = match &witness.now {
            Some(now) => Timestamp::parse(now)?,
            None => Timestamp::default(),
        };
        let arguments = witness.arguments.to_string();
        let call = Call { tool: &witness.action, arguments: &arguments, now };
        let allows = |engine: Engine| engine.decide(&principal, &call).allow;
        Some((
            allows(self.guarded.engine_at(&witness.resource, &self.before).ok()?),
            allows(self.guarded.engine_at(&witness.resource, &self.after).ok()?),
        ))
    }
}

fn kind_of(entity_type: &str) -> Option<PrincipalKind> {
    PrincipalKind::ALL.into_iter().find(|kind| kind.entity_type() == entity_type)
}

/// What changes.
#[derive(Default)]
struct Differences {
    changes: Vec<Change>,
    /// What is not known.
    open: Vec<Open>,
    environments: usize,
}

struct Change {
    environment: Environment,
    allowed: bool,
    witness: Box<Witness>,
}

struct Open {
    environment: Environment,
    why: Undecided,
}

impl Open {
    fn failure(&self) -> Failure {
        let Environment { action, principal, .. } = &self.environment;
        let calls = visible(&format!("calls of {action} by {principal}"));
        Failure::new(format!("{calls}: {}", open_question(&self.why)))
    }
}

impl Change {
    fn word(&self) -> &'static str {
        if self.allowed { "newly allowed" } else { "newly denied" }
    }
}

impl Differences {
    fn of(compared: Comparison, both: &Both) -> Self {
        let mut found = Self { environments: compared.environments, ..Self::default() };
        for difference in compared.differences {
            for (search, allowed) in [(difference.newly_allowed, true), (difference.newly_denied, false)] {
                let environment = difference.environment.clone();
                match search {
                    Search::Nothing => {}
                    Search::Found(witness) if both.decide(&witness) == Some((!allowed, allowed)) => {
                        found.changes.push(Change { environment, allowed, witness });
                    }
                    Search::Found(_) => found.open.push(Open { environment, why: Undecided::Unconfirmed }),
                    Search::Undecided(why) => found.open.push(Open { environment, why }),
                }
            }
        }
        found
    }

    fn show(&self) -> Result<(), Failure> {
        for change in &self.changes {
            let Environment { action, principal, .. } = &change.environment;
            say(visible(&format!("{}: {action} by {principal}", change.word())))?;
            say(format!("  for example {}", visible(&told(&change.witness))))?;
        }
        for open in &self.open {
            remark(open.failure());
        }
        match (self.changes.len(), self.open.is_empty()) {
            (0, true) => say("The policies decide every request alike."),
            (0, false) => Ok(()),
            (some, _) => say(format!("Kinds of requests that are decided differently: {some}.")),
        }
    }

    fn json(&self) -> Value {
        let changes = self.changes.iter().map(|change| {
            json!({
                "change": change.word(),
                "tool": change.environment.action,
                "principal": change.environment.principal,
                "gateway": change.environment.gateway,
                "witness": change.witness.to_json(),
            })
        });
        let open = self.open.iter().map(|open| {
            json!({
                "tool": open.environment.action,
                "principal": open.environment.principal,
                "gateway": open.environment.gateway,
                "why": open.why.to_string(),
            })
        });
        json!({
            "same": self.changes.is_empty() && self.open.is_empty(),
            "changes": changes.collect::<Vec<_>>(),
            "undecided": open.collect::<Vec<_>>(),
            "kinds": self.environments,
        })
    }
}

/// A request in one line.
fn told(witness: &Witness) -> String {
    let kind = witness.principal_type.trim_start_matches("AgentCore::");
    let mut line = format!("{kind} {:?}", witness.principal);
    if !witness.tags.is_empty() {
        line.push_str(&format!(" with the claims {}", json!(witness.tags)));
    }
    line.push_str(&format!(" and the arguments {}", witness.arguments));
    if let Some(now) = &witness.now {
        line.push_str(&format!(" at {now}"));
    }
    line
}
