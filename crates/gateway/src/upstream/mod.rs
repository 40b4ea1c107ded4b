//! The call itself. Every way to an upstream demands a proof that only `authorize` can make: a [`Permitted`] for a tool,
//! a [`Readable`] for what is offered besides.

mod agent_runtime;
mod bridge;
pub(crate) mod consent;
mod failed;
pub(crate) mod http;
mod lambda;
mod mcp_server;
mod rest;
mod unlisted;

use ::http::HeaderMap;
use mcp::Members;

use crate::answer::Reply;
use crate::authorize::{Permitted, Readable};
use crate::snapshot::{McpEntry, OfferEntry, TargetEntry, ToolEntry, UpstreamEntry};
use crate::turn::Turn;

pub(crate) use failed::Failed;
pub(crate) use lambda::invoke;
use mcp_server::Asking;
pub(crate) use unlisted::unlisted_tools;

/// What is asked about a prompt or a resource.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) method: &'a str,
    /// The member of the parameters that names it.
    pub(crate) member: &'a str,
}

/// Calls a tool.
pub(crate) async fn call(turn: &Turn, permitted: &Permitted<'_>, id: &str) -> Reply {
    let tool = permitted.tool();
    turn.wish.get_or_init(|| consent::Wish::read(permitted.call().meta));
    let called = match turn.gate.catalogue.target(tool.target) {
        None => Err(Failed::of_gateway("the tool's target is gone")),
        Some(target) => match &target.upstream {
            UpstreamEntry::Lambda { function, prepared } => {
                let call = lambda::Call { target: &target.id, function, prepared: prepared.as_deref(), id };
                Box::pin(lambda::call(turn, permitted, &call)).await
            }
            UpstreamEntry::Mcp(server) => {
                let headers = mirrored(tool, permitted);
                let asking = Asking {
                    method: "tools/call",
                    member: "name",
                    name: &tool.own_name,
                    call: permitted.call(),
                    headers,
                };
                mcp_server::ask(turn, target, server, id, &asking).await
            }
            UpstreamEntry::Rest => Box::pin(rest::call(turn, permitted, target, id)).await,
            UpstreamEntry::Http(_) => Err(Failed::of_gateway("the tool's target cannot be called")),
        },
    };
    called.unwrap_or_else(|mut failed| match failed.consent.take() {
        Some(page) => consent::asked(turn, id, &page),
        None => failed.into_result(&turn.gate, id),
    })
}

/// The headers that mirror arguments, where the tool has such.
fn mirrored(tool: &ToolEntry, permitted: &Permitted<'_>) -> HeaderMap {
    if tool.param_headers.is_empty() {
        return HeaderMap::new();
    }
    let arguments = serde_json::from_str(permitted.arguments()).unwrap_or_default();
    tool.param_headers.of_arguments(&arguments).into_iter().collect()
}

/// Asks for a prompt or a resource.
pub(crate) async fn read(turn: &Turn, readable: &Readable<'_>, id: &str, question: Question<'_>) -> Reply {
    let offer = readable.offer();
    let Some((target, server)) = server_of(turn, offer) else {
        return Failed::of_gateway("the target is gone").into_error(&turn.gate, id);
    };
    let Question { method, member } = question;
    let asking =
        Asking { method, member, name: &offer.own_name, call: readable.call(), headers: HeaderMap::new() };
    let answered = mcp_server::ask(turn, target, server, id, &asking).await;
    answered.unwrap_or_else(|failed| failed.into_error(&turn.gate, id))
}

/// Asks a server to complete an argument.
pub(crate) async fn complete(turn: &Turn, offer: &OfferEntry, id: &str, params: Members<'_>) -> Reply {
    let Some((target, server)) = server_of(turn, offer) else {
        return Failed::of_gateway("the target is gone").into_error(&turn.gate, id);
    };
    let answered = mcp_server::complete(turn, target, server, id, params).await;
    answered.unwrap_or_else(|failed| failed.into_error(&turn.gate, id))
}

fn server_of<'g>(turn: &'g Turn, offer: &OfferEntry) -> Option<(&'g TargetEntry, &'g McpEntry)> {
    let target = turn.gate.catalogue.target(offer.target)?;
    match &target.upstream {
        UpstreamEntry::Mcp(server) => Some((target, server)),
        _ => None,
    }
}
