//! What an upstream says about itself: the lists of an MCP server, and whether a function is there.

use std::collections::HashSet;

use credentials::{Brought, Credential, Need, RoleAccess};
use domain::{Arn, Document, McpServer, Target, Upstream};
use functions::FunctionName;
use http::StatusCode;
use mask::Mask;
use mcp::UpstreamError;
use mcp::upstream::{Listed, Peer, Sender};

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
                // What another account has is nobody's to learn here.
                Some(name) if name.scope.account != target.scope.account => true,
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
            let mut listed = lists(plane, target, server).await?;
            found.remarks.append(&mut listed.remarks);
            found.listed = Some(listed);
        }
        _ => {}
    }
    Ok(found)
}

/// The lists of a server, which is shown what calls of the target will carry: the gateway's role asks, on behalf of
/// nobody in particular.
async fn lists(plane: &ControlPlane, target: &Target, server: &McpServer) -> Result<Listed, String> {
    let endpoint = &server.endpoint;
    let failed = |why: &dyn std::fmt::Display| format!("The tools of {endpoint} cannot be read: {why}");
    let role = role(plane, target).await.map_err(|why| failed(&why))?;
    let gateway = Arn::gateway(&target.scope, &target.gateway);
    let need = Need {
        scope: &target.scope,
        gateway: &gateway,
        role: &role,
        outbound: &target.outbound,
        service: None,
        brought: Brought::default(),
    };
    let credentials = &plane.setup.credentials;
    let mut credential = credentials.of(&need).await.map_err(|refused| failed(&refused))?;
    let mut listed = asked(plane, endpoint, &credential).await;
    if let Err(UpstreamError::Status(StatusCode::UNAUTHORIZED)) = listed
        && credentials.forget(&need, &credential).await.unwrap_or_default()
    {
        // A token that its server withdrew; a fresh one may be better.
        credential = credentials.of(&need).await.map_err(|refused| failed(&refused))?;
        listed = asked(plane, endpoint, &credential).await;
    }
    let listed = match (listed, credential.mask()) {
        (Ok(listed), None) => listed,
        (Ok(listed), Some(mask)) => without_secrets(listed, mask),
        (Err(error), mask) => {
            let reason = failed(&error);
            return Err(mask.map_or_else(|| reason.clone(), |mask| mask.text(&reason).into_owned()));
        }
    };
    let mut seen = HashSet::new();
    for tool in &listed.tools {
        check_name(&tool.name)?;
        if !seen.insert(tool.name.as_str()) {
            return Err(format!("{endpoint} lists the tool {} twice.", tool.name));
        }
    }
    Ok(listed)
}

async fn asked(
    plane: &ControlPlane,
    endpoint: &str,
    credential: &Credential,
) -> Result<Listed, UpstreamError> {
    let sender =
        Sender { client: &plane.setup.client, dress: credential, largest: plane.setup.largest_payload };
    let most = plane.setup.quotas.tools_per_target;
    mcp::Upstream::new(endpoint).list(sender, &Peer::default(), most).await
}

/// The role of the target's gateway.
async fn role(plane: &ControlPlane, target: &Target) -> Result<RoleAccess, String> {
    let reading = async {
        let mut tx = plane.setup.store.read().await?;
        match tx.gateway(&target.scope, &target.gateway).await? {
            Some(gateway) => RoleAccess::read(&mut tx, &gateway).await,
            None => Ok(RoleAccess::None("the gateway is gone".into())),
        }
    };
    reading.await.map_err(|error: store::StoreError| error.to_string())
}

/// What a server lists, without the secrets that it was shown: definitions are read by models.
fn without_secrets(mut listed: Listed, mask: &Mask) -> Listed {
    let clean = |text: &mut String| {
        if let std::borrow::Cow::Owned(masked) = mask.text(text) {
            *text = masked;
        }
    };
    let document = |Document(text): &mut Document| clean(text);
    for tool in &mut listed.tools {
        clean(&mut tool.name);
        document(&mut tool.definition);
        document(&mut tool.input_schema);
    }
    let offers = &mut listed.offers;
    for offer in [&mut offers.prompts, &mut offers.resources, &mut offers.templates].into_iter().flatten() {
        clean(&mut offer.name);
        document(&mut offer.definition);
    }
    listed.remarks.iter_mut().for_each(clean);
    listed
}
