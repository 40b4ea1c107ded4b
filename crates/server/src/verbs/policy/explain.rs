//! `portcullis policy explain`: why a caller may call a tool, or may not, and what would have to be different.

use std::cmp::Reverse;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::Args;
use domain::{Clock as _, PolicyMode, SystemClock, Timestamp};
use policy::{Account, Call, Condition, Decision, Effect, Explanation, Holds, Reason};
use serde_json::{Value, json};

use super::caller::{Caller, described};
use super::files::read_statements;
use super::sources::{Ground, Guarded, Sources, Standing};
use super::verdict::Verdict;
use crate::terminal::{Failure, say, visible};
use crate::verbs::open::block_on;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    caller: Caller,
    #[command(flatten)]
    candidates: Candidates,
    /// The tool's full name: {target}___{tool}
    #[arg(long, value_name = "NAME")]
    tool: String,
    /// The call's arguments: a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    arguments: String,
    /// When the call is made [default: now]
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Tell of policies too that are about other tools, callers or gateways
    #[arg(long)]
    all: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// The policies that decide, where they are not those in force.
#[derive(Args)]
pub(super) struct Candidates {
    /// Decide by the policies of these files or folders instead of those in force
    #[arg(long, value_name = "FILES")]
    policies: Vec<PathBuf>,
}

impl Candidates {
    /// Whether files were named.
    pub(super) fn are_given(&self) -> bool {
        !self.policies.is_empty()
    }

    /// The policies that decide.
    pub(super) fn of(&self, ground: &Ground) -> Result<Vec<Standing>, Failure> {
        if !self.policies.is_empty() {
            return read_statements(&self.policies);
        }
        match &ground.store {
            None => Err(Failure::usage("say with --policies which files hold the policies")),
            Some(found) if found.engine.is_none() => Err(Failure::usage(
                "no policy engine guards the gateway: everybody whom it recognises may call every tool",
            )),
            Some(_) => Ok(ground.policies.clone()),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    if !serde_json::from_str::<Value>(&arguments.arguments).is_ok_and(|value| value.is_object()) {
        return Err(Failure::usage("--arguments is no JSON object"));
    }
    let now = moment(arguments.now.as_deref())?;
    let principal = arguments.caller.principal()?;
    let ground = block_on(arguments.sources.ground())?;
    let policies = arguments.candidates.of(&ground)?;
    let guarded = ground.guarded(&policies)?;
    let engine = guarded.engine(&policies)?;
    let call = Call { tool: &arguments.tool, arguments: &arguments.arguments, now };
    let explanation = engine.explain(&principal, &call);
    let report = Report {
        explanation: &explanation,
        policies: &policies,
        caller: described(&principal),
        tool: &arguments.tool,
        now,
        binds: binds(&ground),
        all: arguments.all,
    };
    if arguments.json {
        say(report.json())?;
    } else {
        report.show(&guarded)?;
    }
    let tool = visible(&arguments.tool);
    match (&explanation.decision.reason, explanation.decision.allow, report.binds) {
        (Reason::Arguments(unfit), ..) => Err(Failure::usage(visible(&format!(
            "the arguments do not fit the tool's input schema, and no policy was asked: {unfit}"
        )))),
        (_, true, _) => Ok(Verdict::Good),
        (_, false, true) => Ok(Verdict::Bad(format!("the policies deny the call of {tool}"))),
        (_, false, false) => Ok(Verdict::Bad(format!(
            "the policies would deny the call of {tool}, and under LOG_ONLY it is made"
        ))),
    }
}

/// A moment that was given, or the present one.
pub(super) fn moment(given: Option<&str>) -> Result<Timestamp, Failure> {
    match given {
        None => Ok(SystemClock.now()),
        Some(text) => Timestamp::parse(text).ok_or_else(|| {
            Failure::usage(format!("`{text}` is no moment: write one such as 2026-11-21T09:30:00Z"))
        }),
    }
}

fn binds(ground: &Ground) -> bool {
    let gateways = ground.store.iter().flat_map(|found| &found.gateways);
    !gateways.filter_map(|gateway| gateway.policy.as_ref()).any(|it| it.mode == PolicyMode::LogOnly)
}

/// What there is to say.
struct Report<'a> {
    explanation: &'a Explanation,
    policies: &'a [Standing],
    caller: String,
    tool: &'a str,
    now: Timestamp,
    /// Whether the gateway does what the policies say.
    binds: bool,
    all: bool,
}

impl Report<'_> {
    fn show(&self, guarded: &Guarded) -> Result<(), Failure> {
        let Explanation { decision, offered, listed, .. } = self.explanation;
        let (word, colour) = match (&decision.reason, decision.allow, self.binds) {
            (Reason::Arguments(_), ..) => ("NOT ASKED", AnsiColor::Yellow),
            (_, true, true) => ("ALLOWED", AnsiColor::Green),
            (_, false, true) => ("DENIED", AnsiColor::Red),
            (_, true, false) => ("WOULD BE ALLOWED", AnsiColor::Green),
            (_, false, false) => ("WOULD BE DENIED", AnsiColor::Red),
        };
        let style = Style::new().fg_color(Some(colour.into())).bold();
        say(format!(
            "{style}{word}{style:#}: {} calls {} at {}.",
            visible(&self.caller),
            visible(self.tool),
            self.now
        ))?;
        say(self.why(decision))?;
        match (offered, listed) {
            (false, _) => say(format!("{} offers no such tool.{}", guarded.arn, self.meant(guarded)))?,
            (true, true) => say("The tool is in the caller's list.")?,
            (true, false) => {
                say(
                    "The tool is not in the caller's list: no arguments and no time would make the call permitted.",
                )?;
            }
        }
        if !self.binds {
            say(
                "The policy engine is attached under LOG_ONLY: the call is made whatever the decision, and recorded.",
            )?;
        }
        let (told, others): (Vec<_>, Vec<_>) =
            self.ordered().into_iter().partition(|it| self.all || it.is_in_scope());
        told.into_iter().try_for_each(|account| self.account(account))?;
        if !others.is_empty() {
            let names: Vec<String> = others.iter().map(|it| self.name(it)).collect();
            say(format!(
                "\nAbout other tools, callers or gateways (--all tells of them): {}.",
                names.join(", ")
            ))?;
        }
        Ok(())
    }

    /// Why, in a sentence.
    fn why(&self, decision: &Decision) -> String {
        let names = || {
            let names: Vec<String> = decision
                .determining
                .iter()
                .map(|id| self.policies.iter().find(|it| it.id == *id).map_or(id.to_string(), called))
                .collect();
            names.join(", ")
        };
        match &decision.reason {
            Reason::PermittedBy => format!("It is permitted by {}.", names()),
            Reason::ForbiddenBy => format!("It is forbidden by {}.", names()),
            Reason::DefaultDeny => "No policy permits it, and what is not permitted is denied.".to_owned(),
            Reason::ForbidFailed => {
                "A forbid fails to evaluate, and nobody can say that it would not have forbidden it."
                    .to_owned()
            }
            Reason::Arguments(unfit) => {
                let then =
                    if self.binds { "the gateway denies such a call" } else { "such a call would be denied" };
                let unfit = visible(&unfit.to_string());
                format!(
                    "The arguments do not fit the tool's input schema, so no policy was asked, and {then}: {unfit}."
                )
            }
            Reason::Unseen(_) => format!("{}.", visible(&decision.audit_text())),
        }
    }

    /// The tools that may have been meant.
    fn meant(&self, guarded: &Guarded) -> String {
        let found = policy::suggest(self.tool, guarded.tools());
        match found.as_slice() {
            [] => String::new(),
            found => format!(" Did you mean {}?", found.join(" or ")),
        }
    }

    /// What decides first, then what comes nearest.
    fn ordered(&self) -> Vec<&Account> {
        let mut accounts: Vec<&Account> = self.explanation.accounts.iter().collect();
        accounts.sort_by_key(|account| {
            let rank = match (&account.outcome, account.effect) {
                (Holds::Yes, Effect::Forbid) => 0,
                (Holds::Fails(_), Effect::Forbid) => 1,
                (Holds::Yes, Effect::Permit) => 2,
                (Holds::Fails(_), Effect::Permit) => 3,
                (_, Effect::Permit) => 4,
                (_, Effect::Forbid) => 5,
            };
            (Reverse(account.is_in_scope()), rank, account.missing())
        });
        accounts
    }

    fn account(&self, account: &Account) -> Result<(), Failure> {
        let applies = match &account.outcome {
            Holds::Yes if account.conditions.is_empty() => "applies, always".to_owned(),
            Holds::Yes => "applies".to_owned(),
            Holds::No => match account.missing() {
                1 => "does not apply: one condition does not hold".to_owned(),
                count => format!("does not apply: {count} conditions do not hold"),
            },
            Holds::Fails(why) => format!("fails to evaluate: {}", visible(why)),
            Holds::Unknown => "cannot be evaluated".to_owned(),
        };
        say(format!("\n{} {} {applies}", account.effect.as_str(), self.name(account)))?;
        account.conditions.iter().try_for_each(condition)
    }

    fn name(&self, account: &Account) -> String {
        let standing = self.policies.iter().find(|it| it.id == account.policy);
        standing.map_or_else(|| account.policy.to_string(), called)
    }

    fn json(&self) -> Value {
        let Explanation { decision, offered, listed, .. } = self.explanation;
        let accounts = self.ordered().into_iter().filter(|it| self.all || it.is_in_scope());
        let errors =
            decision.errors.iter().map(|it| json!({ "policy": it.policy.as_str(), "message": it.message }));
        json!({
            "decision": if decision.allow { "allow" } else { "deny" },
            "reason": decision.audit_text(),
            "determining": decision.determining.iter().map(domain::PolicyId::as_str).collect::<Vec<_>>(),
            "errors": errors.collect::<Vec<_>>(),
            "caller": self.caller,
            "tool": self.tool,
            "time": self.now.to_string(),
            "offered": offered,
            "listed": listed,
            "binds": self.binds,
            "argumentsFit": !matches!(decision.reason, Reason::Arguments(_)),
            "policies": accounts.map(|account| self.account_json(account)).collect::<Vec<_>>(),
        })
    }

    fn account_json(&self, account: &Account) -> Value {
        let name = self.policies.iter().find(|it| it.id == account.policy).map(|it| it.name.as_str());
        json!({
            "policy": account.policy.as_str(),
            "name": name,
            "effect": account.effect.as_str(),
            "outcome": match &account.outcome {
                Holds::Yes => "applies",
                Holds::No => "doesNotApply",
                Holds::Fails(_) => "fails",
                Holds::Unknown => "unknown",
            },
            "conditions": account.conditions.iter().map(condition_json).collect::<Vec<_>>(),
        })
    }
}

fn called(standing: &Standing) -> String {
    match standing.name == standing.id.as_str() {
        true => visible(&standing.name),
        false => format!("{} ({})", visible(&standing.name), standing.id),
    }
}

fn condition(condition: &Condition) -> Result<(), Failure> {
    let (word, colour) = match &condition.holds {
        Holds::Yes => ("holds", AnsiColor::Green),
        Holds::No => ("FAILS", AnsiColor::Red),
        Holds::Fails(_) => ("ERROR", AnsiColor::Red),
        Holds::Unknown => ("?    ", AnsiColor::Yellow),
    };
    let style = Style::new().fg_color(Some(colour.into()));
    say(format!("  {style}{word}{style:#}  {}", visible(&condition.text)))?;
    if condition.holds == Holds::Yes {
        return Ok(());
    }
    for seen in &condition.seen {
        let value = seen.value.as_deref().map_or("absent".to_owned(), visible);
        say(format!("           {} is {value}", visible(&seen.what)))?;
    }
    match &condition.remedy {
        Some(remedy) => say(format!("         → {}", visible(remedy))),
        None => Ok(()),
    }
}

fn condition_json(condition: &Condition) -> Value {
    let (holds, error) = match &condition.holds {
        Holds::Yes => (Some(true), None),
        Holds::No => (Some(false), None),
        Holds::Fails(why) => (None, Some(why)),
        Holds::Unknown => (None, None),
    };
    let seen: Vec<Value> =
        condition.seen.iter().map(|seen| json!({ "what": seen.what, "value": seen.value })).collect();
    json!({
        "part": condition.part.as_str(),
        "text": condition.text,
        "holds": holds,
        "error": error,
        "seen": seen,
        "change": condition.remedy,
    })
}
