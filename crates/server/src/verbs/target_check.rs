//! `portcullis target check`: which policies a change of a target would leave behind, before anybody makes it.
//!
//! The change is what is held of the target, or what a file configures. Nothing is written and no upstream is asked.

use std::path::Path;

use control::policy_impact::{self, Broken};
use control::target_proposal::proposed;
use serde_json::{Value, json};
use store::Page;

use super::input::read;
use super::open::Opened;
use super::target::{find_gateway, named};
use crate::command_line::WhichTarget;
use crate::terminal::{Failure, Shown, say, visible};

/// Says which policies no longer fit, and fails when there is one.
pub(super) async fn check(
    opened: &Opened,
    which: &WhichTarget,
    file: Option<&Path>,
    shown: Shown,
) -> Result<(), Failure> {
    let mut tx = opened.store.read().await?;
    let gateway = find_gateway(&mut tx, &which.gateway).await?;
    let targets = tx.targets(&gateway.scope, &gateway.id, Page::ALL).await?;
    let present = named(&targets, &which.target);
    let impact = match (file, present) {
        (Some(file), present) => {
            let text = read(file)?;
            let after = proposed(&gateway, &which.target, present, &text)
                .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
            policy_impact::of_change(&mut tx, &gateway, present, Some(&after)).await
        }
        (None, Some(target)) => policy_impact::of_approval(&mut tx, &gateway, target).await,
        (None, None) => return Err(super::target::unknown(which)),
    };
    let impact = impact.map_err(|error| Failure::new(error.to_string()))?;
    match shown {
        Shown::Json => say(json!({ "policies": impact.broken().iter().map(told).collect::<Vec<_>>() }))?,
        Shown::Text if impact.broken().is_empty() => say("Every policy that fits now still would.")?,
        Shown::Text => impact.broken().iter().try_for_each(|policy| say(line(policy)))?,
    }
    match impact.broken().len() {
        0 => Ok(()),
        left => Err(Failure::new(format!("{left} policies would no longer fit the tools"))),
    }
}

fn line(policy: &Broken) -> String {
    let binds = if policy.binds { "binds" } else { "does not bind" };
    visible(&format!(
        "{} {} ({}, {binds}): {}",
        policy.effect.as_str(),
        policy.name,
        policy.policy,
        policy.problem
    ))
}

fn told(policy: &Broken) -> Value {
    json!({
        "policyId": policy.policy,
        "name": policy.name,
        "effect": policy.effect.as_str(),
        "binds": policy.binds,
        "problem": policy.problem,
    })
}
