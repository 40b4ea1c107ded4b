//! Fifth stage: may this caller make this call? [`Permitted`] is the proof that it may, and is made nowhere else.
//!
//! Under ENFORCE one and the same denial answers a tool that is forbidden and one that does not exist: whoever may not
//! use a tool cannot find out that it is there. Only a tool of the caller's own list gets an error that speaks about it.

use std::str::FromStr;

use domain::{HttpService, PolicyId, PolicyMode, Timestamp};
use mcp::jsonrpc::CallParams;
use policy::{Call, Observation, Observer};
use serde_json::value::RawValue;

use crate::alarm;
use crate::authenticate::Caller;
use crate::denial;
use crate::snapshot::{Gate, Guard, OfferEntry, Rules, TargetEntry, ToolEntry};

/// A call that may be made.
///
/// Its fields are private: nothing outside this file can make one.
pub(crate) struct Permitted<'a> {
    tool: &'a ToolEntry,
    call: &'a CallParams<'a>,
}

impl<'a> Permitted<'a> {
    pub(crate) fn tool(&self) -> &'a ToolEntry {
        self.tool
    }

    /// The arguments as the caller wrote them; an empty object when there are none.
    pub(crate) fn arguments(&self) -> &'a str {
        self.call.arguments.map_or("{}", RawValue::get)
    }

    /// What was asked.
    pub(crate) fn call(&self) -> &'a CallParams<'a> {
        self.call
    }
}

/// What becomes of prompts and resources where policies guard the tools. Cedar has no action for them, so that no policy
/// can be about one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PromptsAndResources {
    /// Whoever may call the gateway may read them, as on AWS ("Use a gateway with policy").
    #[default]
    Allow,
    /// Nobody may: what no policy permits is denied, here too.
    Refuse,
}

impl FromStr for PromptsAndResources {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "allow" => Ok(Self::Allow),
            "refuse" => Ok(Self::Refuse),
            other => Err(format!("`{other}` is neither allow nor refuse")),
        }
    }
}

/// The right to read prompts and resources of a gateway. Its field is private: [`reading`] makes it.
pub(crate) struct Reading {
    decided: Decided,
}

impl Reading {
    /// What was decided, for the record.
    pub(crate) fn decided(&self) -> &Decided {
        &self.decided
    }
}

/// Decides whether prompts and resources may be read at all, before anything is looked up.
pub(crate) fn reading(gate: &Gate, rule: PromptsAndResources) -> Result<Reading, Decided> {
    let Guard::Policies { mode, .. } = &gate.guard else {
        return Ok(Reading { decided: Decided::default() });
    };
    let decided = match rule {
        PromptsAndResources::Allow => Decided::default(),
        PromptsAndResources::Refuse => {
            denied(*mode == PolicyMode::Enforce, "prompts and resources are refused where policies guard")
        }
    };
    if decided.allowed == Some(false) && decided.binds { Err(decided) } else { Ok(Reading { decided }) }
}

/// A prompt or a resource that may be read. AgentCore's policies are about tools: whoever may call the gateway may read
/// what it offers besides, unless that is refused altogether ([`PromptsAndResources`]).
pub(crate) struct Readable<'a> {
    offer: &'a OfferEntry,
    call: &'a CallParams<'a>,
}

impl<'a> Readable<'a> {
    pub(crate) fn offer(&self) -> &'a OfferEntry {
        self.offer
    }

    /// What was asked.
    pub(crate) fn call(&self) -> &'a CallParams<'a> {
        self.call
    }
}

/// Lets a caller who was recognised read a prompt or a resource.
pub(crate) fn readable<'a>(
    _: &Caller,
    _: &Reading,
    offer: &'a OfferEntry,
    call: &'a CallParams<'a>,
) -> Readable<'a> {
    Readable { offer, call }
}

/// A request that may go to an HTTP target. Its fields are private, as those of [`Permitted`].
pub(crate) struct Passable<'a> {
    target: &'a TargetEntry,
    service: &'a HttpService,
}

impl<'a> Passable<'a> {
    pub(crate) fn target(&self) -> &'a TargetEntry {
        self.target
    }

    pub(crate) fn service(&self) -> &'a HttpService {
        self.service
    }
}

/// What became of a request to an HTTP target before it was made.
pub(crate) enum Passage<'a> {
    Permitted(Passable<'a>, Decided),
    /// There is no such target, and the caller may know.
    Unknown,
    Denied(Decided),
}

/// Decides about a request to an HTTP target: the action is the target's name alone, and there is no input.
pub(crate) fn pass<'a>(gate: &'a Gate, caller: &Caller, target: &str, now: Timestamp) -> Passage<'a> {
    let found = gate.catalogue.http_target(target);
    let permitted = |decided| match found {
        Some((target, service)) => Passage::Permitted(Passable { target, service }, decided),
        None => Passage::Unknown,
    };
    let Guard::Policies { mode, rules, watched, .. } = &gate.guard else {
        return permitted(Decided::default());
    };
    let binds = *mode == PolicyMode::Enforce;
    let decided = match (rules, caller.principal()) {
        (Rules::Broken(problem), _) => broken(gate, *mode, problem, now),
        (_, None) => denied(binds, "the caller cannot be described to the policies"),
        (_, Some(_)) if found.is_none() => denied(binds, "no such target"),
        (Rules::Ready(engine), Some(principal)) => {
            let call = Call { tool: target, arguments: "{}", now };
            let decision = engine.decide(principal, &call);
            let observed = watched.as_ref().map(|watched| watched.observe(principal, &call, &decision));
            alarm::failed(gate, *mode, target, &decision, now);
            let reason = denial::reason(engine, principal, &call, &decision);
            Decided { observed, ..Decided::of(&decision, binds, reason) }
        }
    };
    gate.meter.decided(*mode, &decided);
    if decided.allowed != Some(true) && binds { Passage::Denied(decided) } else { permitted(decided) }
}

/// What was decided, for the record.
#[derive(Default)]
pub(crate) struct Decided {
    /// Whether the policies allow it; `None` when none were asked.
    pub(crate) allowed: Option<bool>,
    /// Whether the decision binds.
    pub(crate) binds: bool,
    /// The policies that decided.
    pub(crate) policies: Vec<PolicyId>,
    /// Why, in words for the audit trail.
    pub(crate) reason: Option<String>,
    /// The policies that failed to evaluate.
    pub(crate) failed: Vec<PolicyId>,
    /// What policies that do not bind would have done, where there are any.
    pub(crate) observed: Option<Observation>,
}

impl Decided {
    fn of(decision: &policy::Decision, binds: bool, reason: Option<String>) -> Self {
        Self {
            allowed: Some(decision.allow),
            binds,
            reason,
            failed: decision.errors.iter().map(|error| error.policy.clone()).collect(),
            policies: decision.determining.clone(),
            observed: None,
        }
    }
}

/// What became of a call before it was made.
pub(crate) enum Ruling<'a> {
    /// It may be made.
    Permitted(Permitted<'a>, Decided),
    /// It may be made, and its arguments are not what the tool takes.
    Unsound(String, Decided),
    /// There is no such tool, and the caller may know.
    Unknown,
    /// It may not be made.
    Denied(Decided),
}

/// Decides about a call.
pub(crate) fn authorize<'a>(
    gate: &Gate,
    caller: &Caller,
    tool: Option<&'a ToolEntry>,
    call: &'a CallParams<'a>,
    now: Timestamp,
) -> Ruling<'a> {
    match &gate.guard {
        Guard::Open => match tool {
            Some(tool) => permit(tool, call, Decided::default()),
            None => Ruling::Unknown,
        },
        Guard::Policies { mode, rules, watched, .. } => {
            let watched = watched.as_deref();
            guarded(&Guarded { gate, mode: *mode, rules, watched }, caller, tool, call, now)
        }
    }
}

/// A gateway with policies.
struct Guarded<'g> {
    gate: &'g Gate,
    mode: PolicyMode,
    rules: &'g Rules,
    watched: Option<&'g Observer>,
}

fn guarded<'a>(
    guarded: &Guarded<'_>,
    caller: &Caller,
    tool: Option<&'a ToolEntry>,
    call: &'a CallParams<'a>,
    now: Timestamp,
) -> Ruling<'a> {
    let Guarded { gate, mode, rules, watched } = *guarded;
    let binds = mode == PolicyMode::Enforce;
    // Whether the arguments were held against the tool's schema.
    let mut is_sound = false;
    let decided = match (rules, tool, caller.principal()) {
        (Rules::Broken(problem), ..) => broken(gate, mode, problem, now),
        (_, _, None) => denied(binds, "the caller cannot be described to the policies"),
        (_, None, _) => denied(binds, "no such tool"),
        (Rules::Ready(engine), Some(tool), Some(principal)) => {
            let arguments = call.arguments.map_or("{}", RawValue::get);
            let asked = Call { tool: &tool.name, arguments, now };
            if !caller.visible(gate).contains(tool.place) {
                let decision = engine.decide(principal, &asked);
                let observed = watched.map(|watched| watched.observe(principal, &asked, &decision));
                Decided { observed, ..denial::unlisted(engine, principal, &asked, decision, binds) }
            } else if let Err(problem) = tool.arguments.check(call.arguments) {
                // The tool is in the caller's own list, so it may be told what is wrong with the call.
                let reason = Some("the arguments do not fit the tool's input schema".to_owned());
                return Ruling::Unsound(problem, Decided { binds, reason, ..Decided::default() });
            } else {
                let decision = caller.settled().decide(engine, principal, &asked);
                let observed = watched.map(|watched| watched.observe(principal, &asked, &decision));
                alarm::failed(gate, mode, &tool.name, &decision, now);
                let reason = denial::reason(engine, principal, &asked, &decision);
                is_sound = true;
                Decided { observed, ..Decided::of(&decision, binds, reason) }
            }
        }
    };
    gate.meter.decided(mode, &decided);
    let granted = |tool, decided| {
        if is_sound {
            Ruling::Permitted(Permitted { tool, call }, decided)
        } else {
            permit(tool, call, decided)
        }
    };
    match (tool, decided.allowed) {
        (Some(tool), Some(true)) => granted(tool, decided),
        _ if binds => Ruling::Denied(decided),
        (Some(tool), _) => granted(tool, decided),
        (None, _) => Ruling::Unknown,
    }
}

fn permit<'a>(tool: &'a ToolEntry, call: &'a CallParams<'a>, decided: Decided) -> Ruling<'a> {
    match tool.arguments.check(call.arguments) {
        Ok(()) => Ruling::Permitted(Permitted { tool, call }, decided),
        Err(problem) => Ruling::Unsound(problem, decided),
    }
}

fn denied(binds: bool, reason: &str) -> Decided {
    Decided { allowed: Some(false), binds, reason: Some(reason.to_owned()), ..Decided::default() }
}

/// The policies were not compiled, so nobody can say what they say.
fn broken(gate: &Gate, mode: PolicyMode, problem: &str, now: Timestamp) -> Decided {
    alarm::unavailable(gate, mode, problem, now);
    gate.meter.unavailable(mode);
    denied(mode == PolicyMode::Enforce, "the policies cannot be evaluated")
}
