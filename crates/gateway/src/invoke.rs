//! Whether IAM lets a caller invoke the gateway (`bedrock-agentcore:InvokeGateway`).
//!
//! Of a caller who signs, its own policies and the gateway's resource policy are asked together: within an account either
//! may allow, from another account both must. Of all others the gateway's alone is asked ([`identity::attached`]).

use std::net::IpAddr;

use domain::Timestamp;
use http::request::Parts;
use iam::{Context, PolicySets, Question, Requester};
use identity::attached::Invocation;
use identity::principal::Identity;

use crate::answer::Reply;
use crate::snapshot::Gate;

const ACTION: &str = "bedrock-agentcore:InvokeGateway";

/// Whether a caller who signed may invoke the gateway.
pub(crate) fn signed(
    gate: &Gate,
    identity: &Identity,
    head: &Parts,
    peer: IpAddr,
    now: Timestamp,
) -> Result<(), Reply> {
    let request = Invocation { scope: &gate.gateway.scope, head, peer, now };
    let conditions = gate.attached.conditions(identity.conditions(), &request);
    let sets = identity.sets(gate.attached.policy.as_ref());
    decide(gate, Requester::Iam(&identity.caller), &conditions, &sets)
}

/// Whether a caller whom no account knows may invoke the gateway.
pub(crate) fn unsigned(gate: &Gate, head: &Parts, peer: IpAddr, now: Timestamp) -> Result<(), Reply> {
    let resource = gate.attached.policy.as_ref();
    if resource.is_none() {
        return Ok(());
    }
    let request = Invocation { scope: &gate.gateway.scope, head, peer, now };
    let conditions = gate.attached.conditions(Context::of(&Requester::Anonymous), &request);
    decide(gate, Requester::Anonymous, &conditions, &PolicySets { resource, ..PolicySets::default() })
}

fn decide(
    gate: &Gate,
    requester: Requester<'_>,
    context: &Context,
    sets: &PolicySets<'_>,
) -> Result<(), Reply> {
    let resource = gate.arn.as_str();
    let question = Question { requester, action: ACTION, resource, resource_account: None, context };
    let verdict = iam::evaluate(&question, sets);
    match verdict.denial(&question) {
        None => Ok(()),
        Some(denial) => {
            tracing::info!(gateway.id = %gate.gateway.id, verdict = %verdict, "IAM denies an invocation.");
            Err(Reply::forbidden(&denial))
        }
    }
}
