//! What an upstream says about itself: the lists of an MCP server, and whether a function is there.

use std::collections::HashSet;

use domain::{McpServer, Target, Upstream};
use functions::FunctionName;
use mcp::upstream::{Listed, Peer, Plain, Sender};

use super::outbound;
use super::target_upstream::lists_itself;
use super::tools::check_name;
use crate::plane::ControlPlane;

/// What was learnt from an upstream.
pub(super) struct Found {
    /// What it lists; `None` where the configuration defines the tools.
    pub(super) listed: Option<Listed>,
    /// What its owner should know.
    pub(super) remarks: Vec<String>,
}

/// Asks the upstream of a target for what it lists itself, and looks for what calls will need.
///
/// The error is the reason why the target cannot be used, in words for its owner.
pub(super) async fn of_upstream(plane: &ControlPlane, target: &Target) -> Result<Found, String> {
    let mut found = Found {
        listed: None,
        remarks: outbound::remark(&target.upstream, &target.outbound).into_iter().collect(),
    };
    match &target.upstream {
        Upstream::Lambda { function } => {
            let name = FunctionName::parse(function.as_str(), &target.scope);
            let known = match name {
                Some(name) => plane.setup.functions.find_named(&name).await.ok().flatten().is_some(),
                None => false,
            };
            if !known {
                found.remarks.push(format!(
                    "The function {function} does not exist here yet. Calls fail until it does."
                ));
            }
        }
        Upstream::Mcp(server) if lists_itself(&target.upstream) => {
            let mut listed = lists(plane, server).await?;
            found.remarks.append(&mut listed.remarks);
            found.listed = Some(listed);
        }
        _ => {}
    }
    Ok(found)
}

async fn lists(plane: &ControlPlane, server: &McpServer) -> Result<Listed, String> {
    let endpoint = &server.endpoint;
    let sender = Sender { client: &plane.setup.client, dress: &Plain };
    let most = plane.setup.quotas.tools_per_target;
    let listed = mcp::Upstream::new(endpoint)
        .list(sender, &Peer::default(), most)
        .await
        .map_err(|error| format!("The tools of {endpoint} cannot be read: {error}"))?;
    let mut seen = HashSet::new();
    for tool in &listed.tools {
        check_name(&tool.name)?;
        if !seen.insert(tool.name.as_str()) {
            return Err(format!("{endpoint} lists the tool {} twice.", tool.name));
        }
    }
    Ok(listed)
}
