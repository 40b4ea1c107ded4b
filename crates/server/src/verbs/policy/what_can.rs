//! `portcullis policy what-can`: the tools that a caller sees, and what is left to be decided of each call.

use clap::Args;
use policy::{Access, Outlook, Prospect};
use serde_json::{Value, json};

use super::caller::{Caller, described};
use super::explain::Candidates;
use super::sources::{Sources, Standing};
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
    /// Tell of tools too that the caller does not see
    #[arg(long)]
    all: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let principal = arguments.caller.principal()?;
    let ground = block_on(arguments.sources.ground())?;
    let policies = arguments.candidates.of(&ground)?;
    let engine = ground.guarded(&policies)?.engine(&policies)?;
    let mut outlooks = engine.outlooks(&principal);
    let (all, caller) = (outlooks.len(), described(&principal));
    outlooks.retain(|outlook| arguments.all || outlook.listed);
    if arguments.json {
        let tools: Vec<Value> = outlooks.iter().map(|it| outlook_json(it, &policies)).collect();
        say(json!({ "caller": caller, "tools": tools }))?;
        return Ok(Verdict::Good);
    }
    let seen = outlooks.iter().filter(|it| it.listed).count();
    say(format!("{} sees {seen} of {all} tools.", visible(&caller)))?;
    outlooks.iter().try_for_each(|outlook| show(outlook, &policies))?;
    Ok(Verdict::Good)
}

fn show(outlook: &Outlook, policies: &[Standing]) -> Result<(), Failure> {
    let words = match outlook.access {
        Access::Allowed => "every call is allowed",
        Access::Conditional => "it depends on the call",
        Access::Denied if outlook.listed => "in the list, and every call is denied",
        Access::Denied => "not in the list, and every call is denied",
    };
    say(format!("\n{}: {words}", visible(&outlook.tool)))?;
    outlook.prospects.iter().try_for_each(|prospect| {
        let name = name_of(policies, prospect);
        match &prospect.condition {
            None => say(format!("  {} {}", prospect.effect.as_str(), visible(&name))),
            Some(condition) => {
                let effect = prospect.effect.as_str();
                say(format!("  {effect} {} when {{ {} }}", visible(&name), visible(condition)))
            }
        }
    })
}

fn outlook_json(outlook: &Outlook, policies: &[Standing]) -> Value {
    let prospects: Vec<Value> = outlook
        .prospects
        .iter()
        .map(|prospect| {
            json!({
                "policy": prospect.policy.as_str(),
                "name": name_of(policies, prospect),
                "effect": prospect.effect.as_str(),
                "condition": prospect.condition,
            })
        })
        .collect();
    json!({ "tool": outlook.tool, "listed": outlook.listed, "access": access(outlook.access), "policies": prospects })
}

/// The access in one word.
pub(super) fn access(access: Access) -> &'static str {
    match access {
        Access::Allowed => "allowed",
        Access::Conditional => "conditional",
        Access::Denied => "denied",
    }
}

fn name_of(policies: &[Standing], prospect: &Prospect) -> String {
    let standing = policies.iter().find(|it| it.id == prospect.policy);
    standing.map_or_else(|| prospect.policy.to_string(), |it| it.name.clone())
}
