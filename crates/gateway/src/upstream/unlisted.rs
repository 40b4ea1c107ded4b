//! The tools of MCP servers whose lists are read only when somebody asks for them: a client waits, so several servers are
//! asked at once, and no longer than a call may take.

use std::future::{Future, poll_fn};
use std::task::Poll;

use bytes::Bytes;
use domain::tool_name;
use http::StatusCode;
use mcp::UpstreamError;
use mcp::upstream::Peer;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::Failed;
use super::mcp_server::failed;
use crate::credential::Carried;
use crate::snapshot::{McpEntry, TargetEntry, shown};
use crate::turn::Turn;

/// The most tools that one server may list at a time.
const MOST_TOOLS: usize = 1_000;
/// How many servers are asked at a time.
const AT_A_TIME: usize = 8;

/// The tools of the servers whose lists are read only when somebody asks for them, as far as the caller may see tools
/// that no policy knows.
pub(crate) async fn unlisted_tools(turn: &Turn) -> Vec<Bytes> {
    let peer = turn.peer();
    let patience = turn.lane.plane.setup.call_timeout;
    let until = Instant::now() + patience;
    let some = Semaphore::new(AT_A_TIME);
    let asked = turn.gate.catalogue.servers().filter(|(_, server)| server.unlisted);
    let asked = asked.map(|(target, entry)| {
        let (peer, some) = (&peer, &some);
        async move {
            let listing = async {
                let _turn = some.acquire().await;
                listed(turn, target, entry, peer).await
            };
            let late = || failed(target, entry, &UpstreamError::TimedOut(patience).into());
            timeout_at(until, listing).await.unwrap_or_else(|_| Err(late()))
        }
    });
    let mut tools = Vec::new();
    for listed in all(asked).await {
        match listed {
            Ok(listed) => tools.extend(listed),
            Err(failed) => {
                failed.noted(&turn.gate, "The tools of a target cannot be listed; the others are.");
            }
        }
    }
    tools
}

/// Does several things at once; what comes out keeps their order.
async fn all<F: Future>(work: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut work: Vec<_> = work.map(|work| (Box::pin(work), None)).collect();
    poll_fn(|context| {
        let mut ready = true;
        for (work, done) in work.iter_mut().filter(|(_, done)| done.is_none()) {
            match work.as_mut().poll(context) {
                Poll::Ready(output) => *done = Some(output),
                Poll::Pending => ready = false,
            }
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    work.into_iter().filter_map(|(_, done)| done).collect()
}

async fn listed(
    turn: &Turn,
    target: &TargetEntry,
    entry: &McpEntry,
    peer: &Peer,
) -> Result<Vec<Bytes>, Failed> {
    let mut carried = Carried::of(turn, target).await?;
    let listed = match entry.server.list_tools(carried.sender(), peer, MOST_TOOLS).await {
        Err(UpstreamError::Status(StatusCode::UNAUTHORIZED)) if carried.renew().await? => {
            entry.server.list_tools(carried.sender(), peer, MOST_TOOLS).await
        }
        listed => listed,
    };
    match listed {
        Ok(tools) => {
            let named = tools.iter().map(|tool| (tool_name(&target.name, &tool.name), tool));
            // What the server listed when its target was made is in the list already: no name stands there twice.
            let new = named.filter(|(name, _)| turn.gate.catalogue.tool(name).is_none());
            let shown = new.map(|(name, tool)| shown(&name, &tool.definition.0));
            Ok(shown.map(|shown| carried.masked(shown.into())).collect())
        }
        Err(error) => Err(carried.masked_failure(failed(target, entry, &error.into()))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_waits_for_each_other_is_done_at_once_and_keeps_its_order() {
        let meeting = tokio::sync::Barrier::new(3);
        let work = (0..3_u64).map(|number| {
            let meeting = &meeting;
            async move {
                tokio::time::sleep(Duration::from_millis(30 - 10 * number)).await;
                meeting.wait().await;
                number
            }
        });
        assert_eq!(all(work).await, [0, 1, 2]);
        assert!(all(std::iter::empty::<std::future::Ready<()>>()).await.is_empty());
    }
}
