//! `portcullis policy analyse`: what policies do that is hardly meant, each with a request that shows it.
//!
//! Findings of AgentCore's kinds are those that keep CreatePolicy from accepting a policy; the others are advice. What
//! could not be decided is said, because a report that is silent about it would read like a proof.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use domain::Gateway;
use policy::{GatewayTools, Offered, PrincipalKind, Schema, Validation};
use prover::{Correction, Finding, Kind, Open, Place, Prover, Report, Severity, SolverUse, Statement, World};
use serde_json::{Value, json};

use super::files::read_statements;
use super::sources::{Ground, Sources, Standing};
use super::verdict::Verdict;
use crate::configuration::Configuration;
use crate::terminal::{Failure, remark, say, table, visible};
use crate::verbs::open::block_on;

/// The most open questions that are told one by one.
const MOST_TOLD: usize = 20;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// Files of policies, or folders with *.cedar files [default: the policies in force]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How long all questions together may take, in seconds; each has the limit of the server's
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    budget: u64,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let mut settings = Configuration::read(&arguments.sources.settings)?.solver;
    settings.budget = Duration::from_secs(arguments.budget);
    let solver_use = settings.solver_use;
    let analysis = block_on(async {
        let ground = arguments.sources.ground().await?;
        let policies = match arguments.files.as_slice() {
            [] => ground.policies.clone(),
            files => read_statements(files)?,
        };
        let (sound, wrong) = check(&ground, policies)?;
        let statements = sound
            .iter()
            .map(|policy| Statement::new(policy.name.clone(), policy.statement.clone()))
            .collect();
        let report = Prover::new(settings).analyse(places(&ground, &sound)?, statements).await;
        Ok(Analysis { wrong, report: report.map_err(|undecided| Failure::new(undecided.to_string()))? })
    })?;
    let shown = if arguments.json { say(analysis.json()) } else { analysis.show() };
    shown?;
    match (analysis.blocking(), analysis.report.open.len()) {
        (0, open @ 1..) if solver_use == SolverUse::Required => Err(Failure::new(format!(
            "policy.solver is required, and {open} questions could not be decided: no proof"
        ))),
        (0, _) => Ok(Verdict::Good),
        (1, _) => Ok(Verdict::Bad("1 finding keeps a policy from being accepted".to_owned())),
        (many, _) => Ok(Verdict::Bad(format!("{many} findings keep policies from being accepted"))),
    }
}

/// A policy that is not even valid, and why.
struct Wrong {
    policy: String,
    problem: String,
}

/// Sets aside what is no policy for the schema. Names that do not exist are for the analysis to tell.
fn check(ground: &Ground, policies: Vec<Standing>) -> Result<(Vec<Standing>, Vec<Wrong>), Failure> {
    let schema = ground.schema()?;
    let (mut sound, mut wrong) = (Vec::new(), Vec::new());
    for policy in policies {
        let problems = policy::check(&policy.statement, &schema, Validation::IgnoreAllFindings);
        let problems = problems.err().unwrap_or_default();
        let (unknown, others): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.message.starts_with("unrecognized "));
        if others.is_empty() || (!unknown.is_empty() && policy::Outline::read(&policy.statement).is_ok()) {
            sound.push(policy);
        } else {
            wrong.extend(
                others
                    .into_iter()
                    .map(|problem| Wrong { policy: policy.name.clone(), problem: problem.to_string() }),
            );
        }
    }
    Ok((sound, wrong))
}

/// The gateways, each with its own tools and callers. A schema alone stands for the gateways that the policies name.
fn places(ground: &Ground, policies: &[Standing]) -> Result<Vec<Place>, Failure> {
    let Some(found) = &ground.store else {
        let schema = ground.schema()?.to_cedar().to_owned();
        let mut named: Vec<String> =
            policies.iter().flat_map(|policy| policy::named_gateways(&policy.statement)).collect();
        named.sort();
        named.dedup();
        let place =
            |gateways| Place { world: World { schema: schema.clone(), gateways }, callers: Vec::new() };
        return Ok(match named.as_slice() {
            [] => vec![place(Vec::new())],
            _ => named.into_iter().map(|gateway| place(vec![gateway])).collect(),
        });
    };
    let place = |(offered, gateway): (&Offered, &Gateway)| {
        let tools: GatewayTools<'_> = offered.tools();
        let schema = Schema::build(&[tools]).map_err(|error| Failure::new(error.to_string()))?;
        let world = World { schema: schema.to_cedar().to_owned(), gateways: vec![offered.arn().to_owned()] };
        Ok(Place { world, callers: PrincipalKind::of_gateway(gateway) })
    };
    if found.gateways.is_empty() {
        // An engine that guards nothing yet: what is said of every tool can be looked at.
        let world = World { schema: ground.schema()?.to_cedar().to_owned(), gateways: Vec::new() };
        return Ok(vec![Place { world, callers: Vec::new() }]);
    }
    ground.offered.iter().zip(&found.gateways).map(place).collect()
}

struct Analysis {
    wrong: Vec<Wrong>,
    report: Report,
}

impl Analysis {
    fn blocking(&self) -> usize {
        let blocks = |finding: &&Finding| finding.kind.severity() == Severity::Blocking;
        self.wrong.len() + self.report.findings.iter().filter(blocks).count()
    }

    fn json(&self) -> Value {
        let wrong = self.wrong.iter().map(|wrong| {
            json!({"kind": "INVALID", "severity": "blocking", "policy": wrong.policy, "message": wrong.problem})
        });
        let findings = self.report.findings.iter().map(finding);
        let open = self.report.open.iter().map(
            |open| json!({"policy": open.policy, "question": whether(open), "why": open.why.to_string()}),
        );
        json!({
            "findings": wrong.chain(findings).collect::<Vec<_>>(),
            "open": open.collect::<Vec<_>>(),
            "blocking": self.blocking(),
        })
    }

    fn show(&self) -> Result<(), Failure> {
        if self.wrong.is_empty() && self.report.findings.is_empty() {
            say("No findings.")?;
        } else {
            let mut rows = table(&["SEVERITY", "KIND", "POLICY", "FINDING"]);
            for wrong in &self.wrong {
                rows.add_row(["blocking", "INVALID", &visible(&wrong.policy), &visible(&wrong.problem)]);
            }
            for found in &self.report.findings {
                let message = visible(&found.message);
                rows.add_row([severity(found.kind), found.kind.as_str(), &visible(&found.policy), &message]);
            }
            say(rows.to_string().trim_end())?;
        }
        for found in &self.report.findings {
            let policy = visible(&found.policy);
            if let Some(witness) = &found.witness {
                say(format!("\n{policy} {} is shown by\n{:#}", found.kind.as_str(), witness.to_json()))?;
            }
            match &found.correction {
                Some(Correction::Replace(text)) => {
                    say(format!("\n{policy} without {}\n{}", found.kind.as_str(), lines(text)))?;
                }
                Some(Correction::Remove) => {
                    say(format!("\n{policy} can be removed: nothing is decided differently without it"))?;
                }
                None => {}
            }
        }
        for open in self.report.open.iter().take(MOST_TOLD) {
            remark(visible(&format!("{}: not known {}: {}", open.policy, whether(open), open.why)));
        }
        if let Some(more @ 1..) = self.report.open.len().checked_sub(MOST_TOLD) {
            remark(format!("{more} more questions are open: --json tells them all"));
        }
        Ok(())
    }
}

fn finding(found: &Finding) -> Value {
    json!({
        "kind": found.kind.as_str(),
        "severity": severity(found.kind),
        "policy": found.policy,
        "message": found.message,
        "witness": found.witness.as_ref().map(prover::Witness::to_json),
        "correction": found.correction.as_ref().map(|correction| match correction {
            Correction::Replace(statement) => json!({"action": "replace", "statement": statement}),
            Correction::Remove => json!({"action": "remove"}),
        }),
    })
}

fn severity(kind: Kind) -> &'static str {
    match kind.severity() {
        Severity::Blocking => "blocking",
        Severity::Advisory => "advice",
    }
}

/// A statement with its line breaks kept and nothing else that a terminal would not show as it is.
fn lines(statement: &str) -> String {
    statement.lines().map(visible).collect::<Vec<_>>().join("\n")
}

fn whether(open: &Open) -> String {
    format!("whether the policy {}", open.question)
}
