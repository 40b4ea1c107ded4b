//! Whether IAM lets a caller do what it asks of a runtime.
//!
//! A runtime and its endpoint are both resources of the call, and either may have a policy of its own ("Resource-based
//! policies for Amazon Bedrock AgentCore", hierarchical authorization). Whatever denies one of them denies the call.
//!
//! A caller of the runtime's account gets in by its own policies about either: who may call a runtime may call all its
//! endpoints, and who may call one endpoint may call no other. Where its own policies say nothing, the runtime's and the
//! endpoint's must let it in, both; and a caller of another account must be let in to both from both sides. Callers who do
//! not sign have no policies of their own ([`identity::attached`]).

use std::net::IpAddr;

use domain::{Scope, Timestamp};
use http::request::Parts;
use iam::{Context, Effect, PolicySets, Question, Requester, Verdict};
use identity::attached::{Attached, Invocation};
use identity::principal::Identity;

use crate::refusal::Refusal;

/// A resource of a call.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) arn: &'a str,
    /// What is attached to it.
    pub(crate) attached: &'a Attached,
}

/// What is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The runtime, and its endpoint.
    pub(crate) parts: [Part<'a>; 2],
    /// Where both are.
    pub(crate) scope: &'a Scope,
}

/// A request about it.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) action: &'a str,
    pub(crate) head: &'a Parts,
    pub(crate) peer: IpAddr,
    pub(crate) now: Timestamp,
}

/// Decides about a caller who signed; gives what allowed it, where a statement did.
///
/// # Errors
/// AWS's AccessDeniedException when nothing allows it, or something denies it.
pub(crate) fn signed(identity: &Identity, request: &Request<'_>) -> Result<Option<String>, Refusal> {
    let requester = Requester::Iam(&identity.caller);
    let judged = |part: Part<'_>, policy| {
        request.decide(part, requester, identity.conditions(), &identity.sets(policy))
    };
    let verdicts = request.subject.parts.map(|part| (part, judged(part, part.attached.policy.as_ref())));
    let denied = |(_, verdict): &&(Part<'_>, Verdict)| verdict.effect == Effect::ExplicitDeny;
    if let Some((part, verdict)) = verdicts.iter().find(denied) {
        return Err(request.refused(*part, requester, verdict));
    }
    let Some((part, lacking)) = verdicts.iter().find(|(_, verdict)| !verdict.is_allowed()) else {
        return Ok(verdicts.iter().find_map(|(_, verdict)| deciding(verdict)));
    };
    if identity.caller.account == request.subject.scope.account {
        let own = request.subject.parts.map(|part| judged(part, None));
        if let Some(verdict) = own.iter().find(|verdict| verdict.is_allowed()) {
            return Ok(deciding(verdict));
        }
    }
    Err(request.refused(*part, requester, lacking))
}

/// Decides about a caller whom no account knows; gives what allowed it, where a statement did.
///
/// # Errors
/// AWS's AccessDeniedException when the runtime or its endpoint has a policy that does not let everybody in.
pub(crate) fn unsigned(request: &Request<'_>) -> Result<Option<String>, Refusal> {
    let mut by = None;
    for part in request.subject.parts {
        let Some(policy) = &part.attached.policy else { continue };
        let sets = PolicySets { resource: Some(policy), ..PolicySets::default() };
        let verdict = request.decide(part, Requester::Anonymous, Context::of(&Requester::Anonymous), &sets);
        if !verdict.is_allowed() {
            return Err(request.refused(part, Requester::Anonymous, &verdict));
        }
        by = by.or(deciding(&verdict));
    }
    Ok(by)
}

impl Request<'_> {
    fn decide(
        &self,
        part: Part<'_>,
        requester: Requester<'_>,
        caller: Context,
        sets: &PolicySets<'_>,
    ) -> Verdict {
        let invocation =
            Invocation { scope: self.subject.scope, head: self.head, peer: self.peer, now: self.now };
        let context = part.attached.conditions(caller, &invocation);
        iam::evaluate(&self.question(part, requester, &context), sets)
    }

    fn question<'q>(
        &'q self,
        part: Part<'q>,
        requester: Requester<'q>,
        context: &'q Context,
    ) -> Question<'q> {
        Question { requester, action: self.action, resource: part.arn, resource_account: None, context }
    }

    fn refused(&self, part: Part<'_>, requester: Requester<'_>, verdict: &Verdict) -> Refusal {
        let (action, resource) = (self.action, part.arn);
        tracing::info!(action, resource, verdict = %verdict, "IAM denies a call of an agent runtime.");
        let context = Context::of(&requester);
        let denial = verdict.denial(&self.question(part, requester, &context));
        Refusal::denied(denial.unwrap_or_else(|| "The call is not allowed.".to_owned()))
    }
}

fn deciding(verdict: &Verdict) -> Option<String> {
    verdict.deciding.as_ref().map(ToString::to_string)
}
