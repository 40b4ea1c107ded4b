//! `portcullis policy replay`: what other policies would have made of the calls that came.

use clap::Args;
use domain::PolicyId;
use policy::{KnownCaller, PartialCall, PolicySetOnTrial, Principal, PrincipalKind, Rehearsal, Replayed};
use serde_json::{Map, Value, json};
use store::Recorded;

use super::candidate::Candidate;
use super::period::Since;
use super::sources::{Guarded, Standing, of_gateway};
use super::tally::{Count, Tally};
use super::traffic::{Traffic, Who, is_passage, was_allowed};
use super::verdict::Verdict;
use crate::command_line::Settings;
use crate::terminal::{Failure, Shown, remark, say, table, visible};
use crate::verbs::open::block_on;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    candidate: Candidate,
    /// The gateway whose calls are decided again
    #[arg(long, value_name = "ID")]
    gateway: String,
    /// How far back: 90m, 24h, 7d, or a moment
    #[arg(long, value_name = "PERIOD", default_value = "7d")]
    since: Since,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Decides calls again. Fails with 1 when any would be decided differently, with 2 when that could not be found out.
pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let found = block_on(replay(arguments))?;
    match Shown::of(arguments.json) {
        Shown::Json => say(found.json(arguments))?,
        Shown::Text => found.show()?,
    }
    match found.changed.times() {
        0 => Ok(Verdict::Good),
        1 => Ok(Verdict::Bad("1 call would be decided differently".to_owned())),
        many => Ok(Verdict::Bad(format!("{many} calls would be decided differently"))),
    }
}

async fn replay(arguments: &Arguments) -> Result<Findings, Failure> {
    let ground = of_gateway(&arguments.settings, &arguments.gateway).await?;
    let candidate = arguments.candidate.statements(&ground.policies, &ground.schema()?)?;
    let guarded = ground.guarded(&candidate)?;
    let rehearsal = Rehearsal {
        present: Some(on_trial(&guarded, &ground.policies)?),
        candidate: on_trial(&guarded, &candidate)?,
    };
    let nowhere = || Failure::new("the gateway was not found in the store");
    let place = ground.store.as_ref().ok_or_else(nowhere)?;
    let gateway = place.gateways.first().ok_or_else(nowhere)?;
    let since = arguments.since.before(place.opened.clock.now());
    let mut traffic = Traffic::since(&place.opened.store, gateway, since).await?;
    let mut findings = Findings::default();
    while let Some(calls) = traffic.next().await? {
        calls.iter().for_each(|call| findings.add(&rehearsal, call));
    }
    Ok(findings)
}

fn on_trial(guarded: &Guarded, policies: &[Standing]) -> Result<PolicySetOnTrial, Failure> {
    let texts = policies.iter().map(|policy| (policy.id.clone(), policy.statement.clone())).collect();
    PolicySetOnTrial::new(texts, |_| guarded.engine(policies))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    NewlyAllowed,
    NewlyDenied,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::NewlyAllowed => "newly allowed",
            Self::NewlyDenied => "newly denied",
        }
    }
}

/// What was not recorded and would have to be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Missing {
    claims: bool,
    arguments: bool,
}

impl Missing {
    fn words(self) -> Vec<&'static str> {
        let words = [(self.claims, "claims"), (self.arguments, "arguments")];
        words.into_iter().filter_map(|(missing, word)| missing.then_some(word)).collect()
    }
}

/// What became of all calls.
#[derive(Default)]
struct Findings {
    same: u64,
    unaffected: u64,
    /// Of tools that are gone.
    gone: u64,
    /// Of callers whom policies do not know.
    nobody: u64,
    changed: Tally<(Change, Who, String), String>,
    undecided: Tally<(Who, String, Missing), Vec<PolicyId>>,
}

impl Findings {
    fn add(&mut self, rehearsal: &Rehearsal, recorded: &Recorded) {
        let event = &recorded.event;
        let (Some(who), Some(tool)) = (Who::of(event), &event.tool) else {
            self.nobody += 1;
            return;
        };
        let recording = recorded.recording.as_ref();
        let arguments = recording.and_then(|it| it.arguments.as_deref());
        let call = PartialCall {
            tool,
            arguments: if is_passage(event) { Some("{}") } else { arguments },
            now: recording.map_or(event.time, |it| it.decided_at),
        };
        let claims = recording.and_then(|it| it.claims.as_deref());
        let known = claims.filter(|_| who.kind == PrincipalKind::OAuthUser).and_then(|text| {
            let claims: Map<String, Value> = serde_json::from_str(text).ok()?;
            Principal::oauth(&who.id, &claims).ok()
        });
        let caller = match &known {
            Some(principal) => KnownCaller::Whole(principal),
            None => KnownCaller::Named(who.kind, &who.id),
        };
        let replayed = rehearsal.replay(caller, &call, was_allowed(event));
        let (at, tool) = (event.time, tool.clone());
        match replayed {
            Replayed::Same => self.same += 1,
            Replayed::Unaffected => self.unaffected += 1,
            Replayed::ToolGone => self.gone += 1,
            Replayed::NewlyAllowed(decision) => {
                self.changed.add((Change::NewlyAllowed, who, tool), at, decision.audit_text());
            }
            Replayed::NewlyDenied(decision) => {
                self.changed.add((Change::NewlyDenied, who, tool), at, decision.audit_text());
            }
            Replayed::Undecidable(depends) => {
                let missing = Missing { claims: depends.on_claims, arguments: depends.on_arguments };
                self.undecided.add((who, tool, missing), at, depends.policies);
            }
        }
    }

    fn calls(&self) -> u64 {
        let decided = self.same + self.unaffected + self.gone + self.nobody;
        decided + self.changed.times() + self.undecided.times()
    }

    fn show(&self) -> Result<(), Failure> {
        if self.calls() == 0 {
            return say("No call of that time was decided by policies.");
        }
        if !self.changed.is_empty() {
            let mut shown = table(&["CHANGE", "CALLER", "TOOL", "CALLS", "FIRST", "LAST", "BECAUSE"]);
            for ((change, who, tool), count) in self.changed.iter() {
                let [calls, first, last] = cells(count);
                let (word, caller, tool) = (change.word().to_owned(), visible(&who.id), visible(tool));
                shown.add_row([word, caller, tool, calls, first, last, visible(&count.told)]);
            }
            say(shown)?;
        }
        if !self.undecided.is_empty() {
            let mut shown = table(&["UNDECIDABLE", "CALLER", "TOOL", "CALLS", "FIRST", "LAST", "HANGS ON"]);
            for ((who, tool, missing), count) in self.undecided.iter() {
                let [calls, first, last] = cells(count);
                let without = format!("without {}", missing.words().join(" and "));
                let policies: Vec<_> = count.told.iter().map(PolicyId::as_str).collect();
                let (caller, tool) = (visible(&who.id), visible(tool));
                shown.add_row([without, caller, tool, calls, first, last, visible(&policies.join(", "))]);
            }
            say(shown)?;
            remark(
                "what is not recorded cannot be decided again: see [policy.recording] in the configuration",
            );
        }
        let beyond = self.changed.beyond + self.undecided.beyond;
        if beyond > 0 {
            remark(format!(
                "{beyond} more calls are of callers and tools beyond the 10,000 that are told apart"
            ));
        }
        say(format!(
            "{} calls: {} as before, {} would change, {} undecidable, {} of tools that are gone.",
            self.calls(),
            self.same + self.unaffected,
            self.changed.times(),
            self.undecided.times(),
            self.gone
        ))
    }

    fn json(&self, arguments: &Arguments) -> Value {
        let changes = self.changed.iter().map(|((change, who, tool), count)| {
            let mut row = row(who, tool, count);
            row.insert("change".to_owned(), change.word().into());
            row.insert("reason".to_owned(), count.told.as_str().into());
            Value::Object(row)
        });
        let undecided = self.undecided.iter().map(|((who, tool, missing), count)| {
            let mut row = row(who, tool, count);
            row.insert("notRecorded".to_owned(), missing.words().into());
            row.insert("policies".to_owned(), count.told.iter().map(ToString::to_string).collect());
            Value::Object(row)
        });
        json!({
            "gatewayId": arguments.gateway,
            "calls": self.calls(),
            "same": self.same,
            "unaffected": self.unaffected,
            "changed": self.changed.times(),
            "undecidable": self.undecided.times(),
            "toolGone": self.gone,
            "callerUnknown": self.nobody,
            "changes": changes.collect::<Vec<_>>(),
            "undecided": undecided.collect::<Vec<_>>(),
        })
    }
}

/// A row of calls that are alike.
pub(super) fn row<T>(who: &Who, tool: &str, count: &Count<T>) -> Map<String, Value> {
    let row = json!({
        "caller": {"type": who.kind.entity_type(), "id": who.id},
        "tool": tool,
        "calls": count.times,
        "first": count.first.to_string(),
        "last": count.last.to_string(),
    });
    match row {
        Value::Object(row) => row,
        _ => Map::new(),
    }
}

/// How often, and when first and last.
pub(super) fn cells<T>(count: &Count<T>) -> [String; 3] {
    [count.times.to_string(), count.first.to_string(), count.last.to_string()]
}
