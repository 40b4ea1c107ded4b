//! `portcullis audit verify`: whether the trail is what was written. Answers with 0 when it is, with 1 when something was
//! tampered with, and with 2 when that could not be found out.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use store::{Finding, Verified};
use trail::KeptCheckpoints;

use crate::command_line::Settings;
use crate::terminal::{Failure, remark, say, table, visible};
use crate::verbs::open::{block_on, open};

/// How many findings are shown; the others are counted.
const SHOWN: usize = 1_000;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    /// Hold the trail also against the checkpoints of this folder or file, such as a copy that was kept elsewhere; may be given more than once
    #[arg(long, value_name = "PATH")]
    checkpoints: Vec<PathBuf>,
    /// Hold the trail against nothing but the checkpoints that are named
    #[arg(long, requires = "checkpoints")]
    only_those: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// The failure, and whether it is that the trail was tampered with.
pub(super) fn run(arguments: Arguments) -> Result<(), (Failure, bool)> {
    let Arguments { settings, mut checkpoints, only_those, json } = arguments;
    let looked = block_on(async {
        if let Some(missing) = checkpoints.iter().find(|path| !path.exists()) {
            return Err(Failure::new(format!("cannot read {}: it is not there", missing.display())));
        }
        let opened = open(&settings).await?;
        let own = opened.configuration.audit.checkpoints.clone();
        if !only_those {
            checkpoints.insert(0, own);
        }
        // Before the database, which goes on while its server runs.
        let kept = KeptCheckpoints::open(&checkpoints).map_err(|error| Failure::new(error.to_string()))?;
        let mut findings: Vec<Finding> = kept.findings().iter().take(SHOWN).cloned().collect();
        let mut count = kept.findings().len();
        let verified = opened.store.verify_trail(&kept, |finding| {
            count += 1;
            if findings.len() < SHOWN {
                findings.push(finding);
            }
        });
        let verified = verified.await?;
        Ok((verified, findings, count))
    });
    let (verified, findings, count) = looked.map_err(|failure| (failure, false))?;
    let shown = if json { show_json(&verified, &findings, count) } else { show(&verified, &findings, count) };
    shown.map_err(|failure| (failure, false))?;
    if count == 0 {
        return Ok(());
    }
    let what = if count == 1 { "1 finding" } else { &format!("{count} findings") };
    Err((Failure::new(format!("the audit trail is not what was written: {what}")), true))
}

fn show(verified: &[Verified], findings: &[Finding], count: usize) -> Result<(), Failure> {
    let mut chains = table(&["CHAIN", "EVENTS", "CLOSED BY RETENTION", "CHECKPOINT", "PUBLIC KEY"]);
    for chain in verified {
        let checkpoint = chain.checkpoint.map_or_else(|| "none".to_owned(), |place| format!("place {place}"));
        let closed = if chain.closed == 0 { "-".to_owned() } else { format!("places 1 to {}", chain.closed) };
        chains.add_row([
            visible(&chain.chain),
            chain.events.to_string(),
            closed,
            checkpoint,
            chain.key.to_string(),
        ]);
    }
    if verified.is_empty() {
        say("There are no chains yet.")?;
    } else {
        say(chains)?;
    }
    for finding in findings {
        say(line(finding))?;
    }
    if count > findings.len() {
        remark(format!("{} more findings are not shown", count - findings.len()));
    }
    for chain in verified.iter().filter(|it| it.checkpoint.is_none() && it.end > 0) {
        remark(format!(
            "no checkpoint outside the database is about the chain {}: that an older state of it was put back could not be seen",
            visible(&chain.chain)
        ));
    }
    if count == 0 {
        say("The audit trail is what was written.")?;
    }
    Ok(())
}

/// One finding as a line: what was done, to which event of which chain, and how it is known.
fn line(finding: &Finding) -> String {
    let mut line = format!("{}:", finding.fraud.to_string().to_uppercase());
    if !finding.chain.is_empty() {
        line.push_str(&format!(" chain {}", visible(&finding.chain)));
    }
    if let Some(place) = finding.place {
        line.push_str(&format!(" place {place}"));
    }
    if let Some(event) = &finding.event {
        line.push_str(&format!(" event {}", visible(event)));
    }
    if let Some(seq) = finding.seq {
        line.push_str(&format!(" (number {seq})"));
    }
    format!("{line}: {}", visible(&finding.detail))
}

fn show_json(verified: &[Verified], findings: &[Finding], count: usize) -> Result<(), Failure> {
    let chains: Vec<Value> = verified
        .iter()
        .map(|it| {
            json!({
                "chain": it.chain,
                "publicKey": it.key.to_string(),
                "events": it.events,
                "closed": it.closed,
                "end": it.end,
                "checkpoint": it.checkpoint,
            })
        })
        .collect();
    let findings: Vec<Value> = findings
        .iter()
        .map(|it| {
            json!({
                "what": it.fraud.to_string(),
                "chain": it.chain,
                "place": it.place,
                "number": it.seq,
                "eventId": it.event,
                "detail": it.detail,
            })
        })
        .collect();
    say(json!({ "intact": count == 0, "chains": chains, "findings": findings, "count": count }))
}
