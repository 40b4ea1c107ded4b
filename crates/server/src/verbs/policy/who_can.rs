//! `portcullis policy who-can`: who may call a tool, as the policies say it, and which clients of the gateway's own user pool
//! could.

use clap::Args;
use policy::{Access, Effect, Engine, PrincipalKind, Requirement};
use serde_json::{Value, json};

use super::caller::of_claims;
use super::explain::Candidates;
use super::population;
use super::sources::{Ground, Sources, Standing};
use super::unconsidered::unconsidered;
use super::verdict::Verdict;
use super::what_can::access;
use crate::terminal::{Failure, say, visible};
use crate::verbs::open::block_on;

#[derive(Args)]
pub(super) struct Arguments {
    /// The tool's full name: {target}___{tool}
    #[arg(value_name = "TOOL")]
    tool: String,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    candidates: Candidates,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// The clients of the pool with what they could do, or why nothing is known of them.
type Clients = Result<Vec<(String, Access)>, String>;

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let (ground, clients, unconsidered) = block_on(async {
        let ground = arguments.sources.ground().await?;
        let clients = match &ground.store {
            Some(found) => population::clients(found).await?,
            None => Err("there is no user pool beside files".to_owned()),
        };
        let unconsidered = unconsidered(ground.store.as_ref()).await?;
        Ok((ground, clients, unconsidered))
    })?;
    let policies = arguments.candidates.of(&ground)?;
    let engine = engine_with(&ground, &policies, &arguments.tool)?;
    let requirements = engine.requirements(&arguments.tool);
    let clients: Clients = match clients {
        Ok(members) => {
            let could = |member: &population::Member| {
                let outlooks = engine.outlooks(&of_claims(&member.claims)?);
                let outlook = outlooks.into_iter().find(|outlook| outlook.tool == arguments.tool);
                let access = outlook.map_or(Access::Denied, |outlook| outlook.access);
                Ok::<_, Failure>((member.name.clone(), access))
            };
            Ok(members.iter().map(could).collect::<Result<_, Failure>>()?)
        }
        Err(why) => Err(why),
    };
    if arguments.json {
        say(report(&arguments.tool, &requirements, &policies, &clients, &unconsidered))?;
        return Ok(Verdict::Good);
    }
    let (permits, forbids): (Vec<_>, Vec<_>) =
        requirements.iter().partition(|requirement| requirement.effect == Effect::Permit);
    if permits.is_empty() {
        say(format!("Nobody can call {}: no policy permits it.", visible(&arguments.tool)))?;
    } else {
        say(format!("{} can be called by", visible(&arguments.tool)))?;
        permits.iter().try_for_each(|permit| show(permit, &policies))?;
    }
    if !forbids.is_empty() && !permits.is_empty() {
        say("\nand not by")?;
        forbids.iter().try_for_each(|forbid| show(forbid, &policies))?;
    }
    match clients {
        Err(why) => say(format!("\nWhich clients could is not told: {why}."))?,
        Ok(clients) => {
            let able: Vec<_> = clients.iter().filter(|(_, access)| *access != Access::Denied).collect();
            say(format!(
                "\nOf {} clients of the user pool that act for themselves, with a token of all their scopes, {} could:",
                clients.len(),
                able.len()
            ))?;
            able.into_iter().try_for_each(|(name, could)| match could {
                Access::Conditional => say(format!("  {}, depending on the call", visible(name))),
                _ => say(format!("  {}", visible(name))),
            })?;
        }
    }
    unconsidered.iter().try_for_each(|who| say(format!("Not considered: {who}.")))?;
    Ok(Verdict::Good)
}

/// The engine; it must know the tool.
fn engine_with(ground: &Ground, policies: &[Standing], tool: &str) -> Result<Engine, Failure> {
    let guarded = ground.guarded(policies)?;
    if !guarded.tools().any(|known| known == tool) {
        let meant = policy::suggest(tool, guarded.tools());
        let meant =
            if meant.is_empty() { String::new() } else { format!(": did you mean {}?", meant.join(" or ")) };
        return Err(Failure::usage(format!("{} offers no tool {}{meant}", guarded.arn, visible(tool))));
    }
    guarded.engine(policies)
}

fn show(requirement: &Requirement, policies: &[Standing]) -> Result<(), Failure> {
    say(format!("  {}  [{}]", who(requirement), visible(&name_of(requirement, policies))))?;
    requirement.conditions.iter().try_for_each(|(_, words)| say(format!("    - {}", visible(words))))
}

/// The callers that a policy can be about, in words.
fn who(requirement: &Requirement) -> &'static str {
    match requirement.principals.as_slice() {
        [PrincipalKind::OAuthUser] => "callers with a token",
        [PrincipalKind::IamEntity] => "callers who sign",
        _ => "callers of any kind",
    }
}

fn report(
    tool: &str,
    requirements: &[Requirement],
    policies: &[Standing],
    clients: &Clients,
    unconsidered: &[String],
) -> Value {
    let told: Vec<Value> = requirements
        .iter()
        .map(|requirement| {
            let conditions = requirement.conditions.iter();
            let conditions = conditions.map(|(text, words)| json!({ "text": text, "words": words }));
            json!({
                "policy": requirement.policy.as_str(),
                "name": name_of(requirement, policies),
                "effect": requirement.effect.as_str(),
                "principals": requirement.principals.iter().map(|it| it.entity_type()).collect::<Vec<_>>(),
                "conditions": conditions.collect::<Vec<_>>(),
            })
        })
        .collect();
    let (known, unknown) = match clients {
        Ok(clients) => {
            let clients = clients.iter();
            let told = clients.map(|(name, could)| json!({ "client": name, "access": access(*could) }));
            (Some(told.collect::<Vec<_>>()), None)
        }
        Err(why) => (None, Some(why)),
    };
    json!({
        "tool": tool,
        "policies": told,
        "clients": known,
        "clientsUnknown": unknown,
        "notConsidered": unconsidered,
    })
}

fn name_of(requirement: &Requirement, policies: &[Standing]) -> String {
    let standing = policies.iter().find(|it| it.id == requirement.policy);
    standing.map_or_else(|| requirement.policy.to_string(), |it| it.name.clone())
}
