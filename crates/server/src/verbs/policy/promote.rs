//! `portcullis policy promote`: decisions that were only recorded begin to bind.
//!
//! First what would have been denied is shown, by caller and tool, from the audit trail; then, when somebody has said yes,
//! the gateway goes from LOG_ONLY to ENFORCE, or one policy from LOG_ONLY to ACTIVE. Servers that run see it by the change
//! feed, as they see an update by the API.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use domain::{
    Arn, AuditEvent, Decision, Gateway, GatewayId, Policy, PolicyEnforcement, PolicyEngineId, PolicyMode,
    PolicyStatus, Timestamp,
};
use policy::{Offered, Problem, Schema, Validation};
use serde_json::{Value, json};
use store::{Page, Tx};

use super::in_force_since::last_change;
use super::period::Since;
use super::replay::{cells, row};
use super::tally::Tally;
use super::traffic::{Traffic, Who};
use super::verdict::Verdict;
use crate::bootstrap::event;
use crate::command_line::Settings;
use crate::configuration::operator;
use crate::terminal::{Failure, Shown, remark, say, table, visible};
use crate::verbs::open::{Opened, block_on, open};
use crate::verbs::target::find_gateway;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    /// The gateway whose policies shall bind
    #[arg(long, value_name = "ID")]
    gateway: String,
    /// Let this policy of the gateway's engine bind, and leave the gateway's mode as it is: its name or id
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// How far back calls are looked at: 90m, 24h, 7d, or a moment
    #[arg(long, value_name = "PERIOD", default_value = "7d")]
    since: Since,
    /// Do it without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Shows what would change, asks, and changes it.
pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    block_on(async {
        let opened = open(&arguments.settings).await?;
        let mut tx = opened.store.read().await?;
        let gateway = find_gateway(&mut tx, &arguments.gateway).await?;
        let subject = Subject::find(&mut tx, gateway, arguments.policy.as_deref()).await?;
        let problems = subject.problems(&mut tx).await?;
        drop(tx);
        if subject.binds() {
            return done(arguments, &Rehearsed::default(), &subject, "binds already");
        }
        if !problems.is_empty() {
            return Ok(Verdict::Bad(subject.unfit(&problems)));
        }
        let rehearsed = rehearse(&opened, arguments, &subject).await?;
        if !arguments.json {
            rehearsed.show(&subject)?;
        }
        if arguments.dry_run {
            return done(arguments, &rehearsed, &subject, "would bind: nothing was changed");
        }
        if !arguments.yes && !agreed(&subject)? {
            return done(arguments, &rehearsed, &subject, "does not bind: nothing was changed");
        }
        if let Verdict::Bad(unfit) = promote(&opened, &subject, &rehearsed).await? {
            return Ok(Verdict::Bad(unfit));
        }
        opened.in_force().await?;
        done(arguments, &rehearsed, &subject, "binds now")
    })
}

/// What shall bind.
struct Subject {
    gateway: Gateway,
    engine: PolicyEngineId,
    mode: PolicyMode,
    policy: Option<Policy>,
}

impl Subject {
    async fn find(tx: &mut Tx, gateway: Gateway, policy: Option<&str>) -> Result<Self, Failure> {
        let attached = gateway.policy.as_ref().ok_or_else(|| {
            Failure::usage(format!(
                "no policy engine guards the gateway {}: attach one with UpdateGateway, in the mode LOG_ONLY",
                gateway.id
            ))
        })?;
        let mode = attached.mode;
        let engine = attached.engine.resource().strip_prefix("policy-engine/").unwrap_or_default();
        let engine = PolicyEngineId::from_text(engine);
        let policy = match policy {
            None => None,
            Some(wanted) => {
                let policies = tx.policies(&gateway.scope, &engine, Page::ALL).await?;
                let found = policies.into_iter().find(|it| it.name == wanted || it.id.as_str() == wanted);
                Some(found.ok_or_else(|| {
                    Failure::usage(format!("the engine {engine} of the gateway has no policy `{wanted}`"))
                })?)
            }
        };
        Ok(Self { gateway, engine, mode, policy })
    }

    /// What keeps the policy that shall bind from fitting the tools that there are now: they may have changed since it was
    /// written, and one that did not bind has kept nobody from changing them.
    async fn problems(&self, tx: &mut Tx) -> Result<Vec<Problem>, Failure> {
        let Some(policy) = &self.policy else { return Ok(Vec::new()) };
        let Some(statement) = &policy.in_force else {
            return Err(Failure::new(format!("no statement of {} was found good yet", self.name())));
        };
        let scope = &self.gateway.scope;
        let mut gateways = tx.gateways_of_engine(scope, &self.engine).await?;
        for named in policy::named_gateways(statement) {
            let id = named.rsplit('/').next().unwrap_or_default();
            let known = gateways.iter().any(|gateway| gateway.id.as_str() == id);
            let found = if known { None } else { tx.gateway(scope, &GatewayId::from_text(id)).await? };
            gateways.extend(found);
        }
        let mut offered = Vec::new();
        for gateway in &gateways {
            offered.push(Offered::by_targets(gateway, &tx.targets(scope, &gateway.id, Page::ALL).await?));
        }
        let tools: Vec<_> = offered.iter().map(Offered::tools).collect();
        let schema = Schema::build(&tools).map_err(|error| Failure::new(error.to_string()))?;
        Ok(policy::check(statement, &schema, Validation::IgnoreAllFindings).err().unwrap_or_default())
    }

    fn unfit(&self, problems: &[Problem]) -> String {
        let told: Vec<String> = problems.iter().map(|problem| visible(&problem.to_string())).collect();
        format!(
            "{} does not fit the tools that there are now, and nothing was changed\n{}",
            self.name(),
            told.join("\n")
        )
    }

    fn binds(&self) -> bool {
        match &self.policy {
            Some(policy) => policy.enforcement == PolicyEnforcement::Active,
            None => self.mode == PolicyMode::Enforce,
        }
    }

    fn name(&self) -> String {
        match &self.policy {
            Some(policy) => format!("the policy {}", visible(&policy.name)),
            None => format!("the engine {} of the gateway {}", self.engine, self.gateway.id),
        }
    }
}

/// What would have been otherwise.
#[derive(Default)]
struct Rehearsed {
    calls: u64,
    /// From when on calls were counted.
    since: Timestamp,
    /// What happened then, where it is later than was asked for.
    cut: Option<String>,
    /// By whether the call would be denied, caller and tool; and why, or which policies.
    changed: Tally<(bool, Option<Who>, String), String>,
}

/// Reads what was recorded: of the gateway; of every gateway that the engine guards where it is about one policy.
async fn rehearse(opened: &Opened, arguments: &Arguments, subject: &Subject) -> Result<Rehearsed, Failure> {
    let scope = &subject.gateway.scope;
    let gateways = match &subject.policy {
        None => vec![subject.gateway.clone()],
        Some(_) => opened.store.read().await?.gateways_of_engine(scope, &subject.engine).await?,
    };
    let asked = arguments.since.before(opened.clock.now());
    let mut rehearsed = Rehearsed { since: asked, ..Rehearsed::default() };
    for gateway in &gateways {
        let mut tx = opened.store.read().await?;
        let change = last_change(&opened.store, &mut tx, gateway, &subject.engine, rehearsed.since).await?;
        if let Some(change) = change {
            (rehearsed.since, rehearsed.cut) = (change.at, Some(change.what));
        }
    }
    for gateway in gateways {
        let mut traffic = Traffic::since(&opened.store, &gateway, rehearsed.since).await?;
        while let Some(calls) = traffic.next().await? {
            calls.into_iter().for_each(|call| rehearsed.add(&call.event, subject.policy.as_ref()));
        }
    }
    Ok(rehearsed)
}

impl Rehearsed {
    fn add(&mut self, event: &AuditEvent, policy: Option<&Policy>) {
        self.calls += 1;
        let denied = match policy {
            None if event.decision == Decision::WouldDeny => true,
            Some(policy) if changes(event, policy) => event.decision == Decision::Allow,
            _ => return,
        };
        let told = match (&event.reason, policy) {
            (_, Some(policy)) => policy.id.to_string(),
            (Some(reason), None) => reason.clone(),
            (None, None) => event.policies.join(", "),
        };
        let tool = event.tool.clone().unwrap_or_default();
        self.changed.add((denied, Who::of(event), tool), event.time, told);
    }

    fn show(&self, subject: &Subject) -> Result<(), Failure> {
        if !self.changed.is_empty() {
            let mut shown = table(&["WOULD BE", "CALLER", "TOOL", "CALLS", "FIRST", "LAST", "BECAUSE"]);
            for ((denied, who, tool), count) in self.changed.iter() {
                let [calls, first, last] = cells(count);
                let caller = who.as_ref().map_or("-".to_owned(), |who| visible(&who.id));
                let would = if *denied { "denied" } else { "allowed" };
                shown.add_row([
                    would.to_owned(),
                    caller,
                    visible(tool),
                    calls,
                    first,
                    last,
                    visible(&count.told),
                ]);
            }
            say(shown)?;
        }
        if self.changed.beyond > 0 {
            remark(format!(
                "{} more calls are of callers and tools that are not told apart",
                self.changed.beyond
            ));
        }
        if let Some(what) = &self.cut {
            remark(format!(
                "calls are counted since {}, when {what}: those before were decided by other policies",
                self.since
            ));
        }
        say(format!(
            "{} of {} calls would be decided otherwise if {} bound.",
            self.changed.times(),
            self.calls,
            subject.name()
        ))
    }
}

/// Whether an event says that the policy alone, if it bound, would change the decision.
fn changes(event: &AuditEvent, policy: &Policy) -> bool {
    let would = event.log_only.as_ref().map(|log_only| &log_only.would_change);
    would.is_some_and(|would| would.iter().any(|id| id == policy.id.as_str()))
}

/// Asks whoever sits at the terminal.
fn agreed(subject: &Subject) -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage(format!(
            "nobody is there to ask whether {} shall bind: say --yes, or --dry-run",
            subject.name()
        )));
    }
    let mut out = anstream::stderr();
    let asked = write!(out, "Shall {} bind? [y/N] ", subject.name()).and_then(|()| out.flush());
    let mut answer = String::new();
    asked
        .and_then(|()| stdin.lock().read_line(&mut answer))
        .map_err(|error| Failure::new(format!("cannot ask: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Changes it, if it is still as it was shown, and writes down who did.
async fn promote(opened: &Opened, subject: &Subject, rehearsed: &Rehearsed) -> Result<Verdict, Failure> {
    let changed = || Failure::new("it was changed since it was looked at: look again");
    let busy = || Failure::new("it is being changed: wait until that has ended, and look again");
    let mut tx = opened.store.begin().await?;
    let name = subject.policy.as_ref().map(|policy| policy.id.to_string());
    let found = find_gateway(&mut tx, subject.gateway.id.as_str()).await?;
    let mut present = Subject::find(&mut tx, found, name.as_deref()).await?;
    let problems = present.problems(&mut tx).await?;
    if !problems.is_empty() {
        return Ok(Verdict::Bad(present.unfit(&problems)));
    }
    let (action, resource, from_to) = match &mut present.policy {
        Some(policy) => {
            if Some(&policy.statement) != subject.policy.as_ref().map(|it| &it.statement) {
                return Err(changed());
            }
            if policy.status != PolicyStatus::Active {
                return Err(busy());
            }
            (policy.enforcement, policy.asked_enforcement) =
                (PolicyEnforcement::Active, PolicyEnforcement::Active);
            policy.updated_at = opened.clock.now();
            tx.update_policy(policy).await?;
            let arn = Arn::policy(&policy.scope, &policy.engine, &policy.id);
            ("policy.promote", arn, "LOG_ONLY to ACTIVE")
        }
        None => {
            let gateway = &mut present.gateway;
            if gateway.status.is_transitional() {
                return Err(busy());
            }
            match &mut gateway.policy {
                Some(attached)
                    if present.engine == subject.engine && attached.mode == PolicyMode::LogOnly =>
                {
                    attached.mode = PolicyMode::Enforce;
                }
                _ => return Err(changed()),
            }
            gateway.updated_at = opened.clock.now();
            tx.update_gateway(gateway).await?;
            ("gateway.promote", Arn::gateway(&gateway.scope, &gateway.id), "LOG_ONLY to ENFORCE")
        }
    };
    let scope = &subject.gateway.scope;
    let told = format!(
        "by {}: {from_to}; {} of {} calls would have been decided otherwise",
        operator(),
        rehearsed.changed.times(),
        rehearsed.calls
    );
    let promoted = AuditEvent {
        scope: scope.clone(),
        resource: Some(resource.to_string()),
        reason: Some(told),
        ..event(action, &scope.account, &*opened.clock, &*opened.random)
    };
    tx.commit(&promoted).await?;
    Ok(Verdict::Good)
}

/// Says what became of it.
fn done(
    arguments: &Arguments,
    rehearsed: &Rehearsed,
    subject: &Subject,
    what: &str,
) -> Result<Verdict, Failure> {
    let said = match Shown::of(arguments.json) {
        Shown::Text => {
            let name = subject.name();
            let mut letters = name.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            say(format!("{}{} {what}.", first.map(String::from).unwrap_or_default(), letters.as_str()))
        }
        Shown::Json => {
            let changed = rehearsed.changed.iter().map(|((denied, who, tool), count)| {
                let mut row = match who {
                    Some(who) => row(who, tool, count),
                    None => serde_json::Map::new(),
                };
                row.insert("wouldBe".to_owned(), if *denied { "denied" } else { "allowed" }.into());
                row.insert("reason".to_owned(), count.told.as_str().into());
                Value::Object(row)
            });
            say(json!({
                "gatewayId": subject.gateway.id.to_string(),
                "policyEngineId": subject.engine.to_string(),
                "policyId": subject.policy.as_ref().map(|policy| policy.id.to_string()),
                "calls": rehearsed.calls,
                "since": rehearsed.since.to_string(),
                "sinceBecause": rehearsed.cut,
                "changed": rehearsed.changed.times(),
                "changes": changed.collect::<Vec<_>>(),
                "result": what,
            }))
        }
    };
    said.map(|()| Verdict::Good)
}
