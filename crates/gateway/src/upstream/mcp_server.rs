//! An MCP server: the call is passed on under the tool's own name, the answer as it comes.

use bytes::Bytes;
use domain::Outcome;
use mcp::{Upstream, UpstreamError};

use super::Failed;
use crate::answer::Reply;
use crate::authorize::Permitted;
use crate::pipeline::Lane;

pub(super) async fn call(
    lane: &Lane,
    server: &Upstream,
    permitted: &Permitted<'_>,
    id: &str,
) -> Result<Reply, Failed> {
    let patience = lane.plane.setup.call_timeout;
    let answered = server.exchange(&lane.client, "tools/call", &permitted.params(), patience).await;
    let answer = answered.map_err(|error| failed(server, &error))?;
    let mut reply = Reply::passed_on(Bytes::from(answer.for_client(id)));
    if answer.is_error() {
        reply.outcome = Outcome::Failure;
        reply.error = Some("UpstreamError".to_owned());
    }
    Ok(reply)
}

fn failed(server: &Upstream, error: &UpstreamError) -> Failed {
    Failed::new(format!("The MCP server {} failed: {error}", server.endpoint()))
}
