//! `portcullis target`: what stands behind gateways, and the approval of tools that their servers changed.
//!
//! The verbs work on the database; a running server sees an approval by the change feed.

use control::pinning::{self, Difference};
use control::policy_impact;
use domain::{Arn, AuditEvent, Gateway, GatewayId, Target};
use serde_json::{Value, json};
use store::{Page, Tx};

use super::input::read;
use super::open::{Opened, block_on, open};
use super::preflight::Report;
use super::target_check::check;
use crate::bootstrap::event;
use crate::command_line::{Target as Arguments, TargetVerb, WhichTarget};
use crate::terminal::{Failure, Shown, say, table, visible};

/// Lists targets, shows what is held, or approves it.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        TargetVerb::List { settings, gateway, json } => block_on(async {
            let opened = open(&settings).await?;
            let mut tx = opened.store.read().await?;
            let gateways = match gateway {
                Some(id) => vec![find_gateway(&mut tx, &id).await?],
                None => tx.all_gateways().await?,
            };
            let mut targets = Vec::new();
            for gateway in gateways {
                targets.extend(tx.targets(&gateway.scope, &gateway.id, Page::ALL).await?);
            }
            if json {
                say(Value::from(targets.iter().map(listed).collect::<Vec<_>>()))
            } else {
                list(&targets)
            }
        }),
        TargetVerb::Diff { settings, which, json } => block_on(async {
            let opened = open(&settings).await?;
            let target = find(&mut opened.store.read().await?, &which).await?;
            if json { say(difference_json(&target)) } else { show(&target) }
        }),
        TargetVerb::Preflight { file: Some(file), target, json, .. } => {
            let text = read(&file)?;
            judge(&[Report::of_document(&file.display().to_string(), &target, &text)], Shown::of(json))
        }
        TargetVerb::Preflight { settings, gateway, json, .. } => block_on(async {
            let opened = open(&settings).await?;
            let mut tx = opened.store.read().await?;
            let gateway = find_gateway(&mut tx, &gateway.unwrap_or_default()).await?;
            let targets = tx.targets(&gateway.scope, &gateway.id, Page::ALL).await?;
            let reports: Vec<_> = targets.iter().map(Report::of_target).collect();
            judge(&reports, Shown::of(json))
        }),
        TargetVerb::Check { settings, which, file, json } => {
            block_on(async { check(&open(&settings).await?, &which, file.as_deref(), Shown::of(json)).await })
        }
        TargetVerb::Approve { settings, which, digest, force } => block_on(async {
            approve(&open(&settings).await?, &which, digest.as_deref(), Behind::of(force)).await
        }),
    }
}

/// Prints the reports, and fails when AWS would refuse anything.
fn judge(reports: &[Report], shown: Shown) -> Result<(), Failure> {
    match shown {
        Shown::Json => say(Value::from(reports.iter().map(Report::json).collect::<Vec<_>>()))?,
        Shown::Text => reports.iter().try_for_each(Report::show)?,
    }
    match reports.iter().map(Report::refused_by_aws).sum::<usize>() {
        0 => Ok(()),
        refused => Err(Failure::new(format!("{refused} findings would keep this from being served on AWS"))),
    }
}

/// Whether policies may be left behind that no longer fit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Refused,
    Accepted,
}

impl Behind {
    fn of(force: bool) -> Self {
        if force { Self::Accepted } else { Self::Refused }
    }
}

/// Puts what is held in force. Policies that it would leave behind are told before, and nothing is done then without
/// consent.
async fn approve(
    opened: &Opened,
    which: &WhichTarget,
    digest: Option<&str>,
    behind: Behind,
) -> Result<(), Failure> {
    let mut tx = opened.store.begin().await?;
    let mut target = find(&mut tx, which).await?;
    let Some(held) = &target.held else {
        return say(format!("Nothing of {} waits for approval.", target.name));
    };
    if target.status.is_transitional() {
        return Err(Failure::new(format!(
            "the target is {} and its tools are being read: wait until that has ended, and look at the difference again",
            target.status
        )));
    }
    let present = pinning::digest_of_all(&held.tools);
    if digest.is_some_and(|wanted| wanted != present) {
        return Err(Failure::new(format!(
            "what waits for approval has the digest {present}: the server changed its tools again since you looked, \
             so look at the difference again"
        )));
    }
    let gateway = find_gateway(&mut tx, &which.gateway).await?;
    let impact = policy_impact::of_approval(&mut tx, &gateway, &target).await;
    let impact = impact.map_err(|error| Failure::new(error.to_string()))?;
    if !impact.broken().is_empty() && behind == Behind::Refused {
        return Err(Failure::new(format!(
            "{} Nothing was approved. Change the policies first, or approve with --force and leave them as they are",
            impact.told().join(" ")
        )));
    }
    let Some(found) = pinning::approve(&mut target, opened.clock.now()) else { return Ok(()) };
    target.status_reasons.extend(impact.reasons());
    tx.update_target(&mut target).await?;
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    let left = impact.note().map(|note| format!("; {note}")).unwrap_or_default();
    let approved = AuditEvent {
        scope: target.scope.clone(),
        resource: Some(Arn::target(&target.scope, &target.gateway, &target.id).to_string()),
        reason: Some(bounded(&format!("digest {present}; {}{left}", told.join(", ")))),
        ..event("target.approve", &target.scope.account, &*opened.clock, &*opened.random)
    };
    tx.commit(&approved).await?;
    opened.in_force().await?;
    say(format!(
        "{} of {} is in force as its server lists it now: {}.",
        target.name,
        target.gateway,
        told.join(", ")
    ))
}

/// As much of a text as the audit trail keeps.
fn bounded(text: &str) -> String {
    text.chars().take(1_024).collect()
}

fn list(targets: &[Target]) -> Result<(), Failure> {
    let mut shown = table(&["GATEWAY", "TARGET", "ID", "STATUS", "TOOLS", "HELD"]);
    for target in targets {
        shown.add_row([
            target.gateway.to_string(),
            target.name.clone(),
            target.id.to_string(),
            target.status.to_string(),
            target.tools.len().to_string(),
            held_count(target).to_string(),
        ]);
    }
    say(shown)
}

fn listed(target: &Target) -> Value {
    json!({
        "gatewayId": target.gateway.to_string(),
        "targetId": target.id.to_string(),
        "name": target.name,
        "status": target.status.as_str(),
        "statusReasons": target.status_reasons,
        "tools": target.tools.len(),
        "held": held_count(target),
    })
}

fn held_count(target: &Target) -> usize {
    target.held.as_ref().map_or(0, |held| pinning::differences(&target.tools, &held.tools).len())
}

fn show(target: &Target) -> Result<(), Failure> {
    let Some(held) = &target.held else {
        return say(format!("Nothing of {} waits for approval.", target.name));
    };
    for difference in pinning::differences(&target.tools, &held.tools) {
        say(visible(&difference.to_string()))?;
        let (before, after) = definitions(&difference);
        for (mark, definition) in [('-', before), ('+', after)] {
            let Some(definition) = definition else { continue };
            for line in pretty(definition).lines() {
                say(format!("  {mark} {}", visible(line)))?;
            }
        }
    }
    say(format!("since   {}", held.since))?;
    say(format!("digest  {}", pinning::digest_of_all(&held.tools)))
}

fn difference_json(target: &Target) -> Value {
    let Some(held) = &target.held else { return json!({ "differences": [] }) };
    let differences: Vec<_> = pinning::differences(&target.tools, &held.tools)
        .iter()
        .map(|difference| {
            let (before, after) = definitions(difference);
            let parsed = |text: Option<&str>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
            let (kind, name, former) = match difference {
                Difference::Changed { name, .. } => ("changed", name, None),
                Difference::Added { name, .. } => ("added", name, None),
                Difference::Removed { name, .. } => ("removed", name, None),
                Difference::Renamed { from, to } => ("renamed", to, Some(from)),
            };
            json!({ "kind": kind, "name": name, "formerName": former, "before": parsed(before), "after": parsed(after) })
        })
        .collect();
    json!({
        "since": held.since.to_string(),
        "digest": pinning::digest_of_all(&held.tools),
        "differences": differences,
    })
}

fn definitions(difference: &Difference) -> (Option<&str>, Option<&str>) {
    match difference {
        Difference::Changed { before, after, .. } => (Some(&before.0), Some(&after.0)),
        Difference::Added { after, .. } => (None, Some(&after.0)),
        Difference::Removed { before, .. } => (Some(&before.0), None),
        Difference::Renamed { .. } => (None, None),
    }
}

/// A definition as it is read best. What a server wrote is shown with its control characters escaped, as JSON does.
fn pretty(definition: &str) -> String {
    serde_json::from_str::<Value>(definition)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| definition.escape_debug().to_string())
}

async fn find(tx: &mut Tx, which: &WhichTarget) -> Result<Target, Failure> {
    let gateway = find_gateway(tx, &which.gateway).await?;
    let targets = tx.targets(&gateway.scope, &gateway.id, Page::ALL).await?;
    named(&targets, &which.target).cloned().ok_or_else(|| unknown(which))
}

/// The target of this id, or else of this name.
pub(super) fn named<'t>(targets: &'t [Target], name: &str) -> Option<&'t Target> {
    let by_id = targets.iter().find(|target| target.id.as_str() == name);
    by_id.or_else(|| targets.iter().find(|target| target.name == name))
}

/// There is no such target.
pub(super) fn unknown(which: &WhichTarget) -> Failure {
    Failure::usage(format!(
        "the gateway {} has no target {}: `portcullis target list --gateway {}` lists those it has",
        which.gateway, which.target, which.gateway
    ))
}

pub(super) async fn find_gateway(tx: &mut Tx, id: &str) -> Result<Gateway, Failure> {
    let wanted = GatewayId::from_text(id.to_owned());
    tx.all_gateways().await?.into_iter().find(|gateway| gateway.id == wanted).ok_or_else(|| {
        Failure::usage(format!(
            "there is no gateway {id}: `portcullis target list` lists the targets of all gateways"
        ))
    })
}
