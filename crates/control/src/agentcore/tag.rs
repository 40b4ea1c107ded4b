//! Tags of gateways, policy engines, agent runtimes and their endpoints, credential providers and workload identities.

use std::collections::BTreeMap;

use aws_shapes::bedrock_agentcore_control::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, TagOperations, TagResourceRequest,
    TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
};
use domain::{Arn, GatewayId};
use store::Tx;

use super::agent_runtime::find as find_runtime;
use super::agent_runtime_endpoint::find as find_endpoint;
use super::credential::find as find_provider;
use super::gateway::find as find_gateway;
use super::policy_engine::find as find_engine;
use super::workload_identity::find as find_workload;
use super::{AgentCore, engine_of, not_found};
use crate::context::Context;
use crate::fault::{Failure, invalid};

/// The most tags of one resource.
const MOST_TAGS: usize = 50;

impl TagOperations<Context> for AgentCore {
    type Error = Failure;

    async fn tag_resource(
        &self,
        context: &Context,
        input: TagResourceRequest,
    ) -> Result<TagResourceResponse, Failure> {
        let arn = read_arn(&input.resource_arn)?;
        check_tags(&input.tags)?;
        let allowed = context.authorize_tagged_with(&arn, |it| it.requesting_tags(&input.tags)).await?;
        let mut tx = allowed.begin().await?;
        exists(context, &mut tx, &arn).await?;
        tx.put_tags(&context.scope, &arn, &input.tags).await?;
        let all = tx.tags(&arn).await?;
        check_tags(&all)?;
        if all.len() > MOST_TAGS {
            return Err(invalid("tags", format!("A resource may have {MOST_TAGS} tags at most.")));
        }
        allowed.commit(tx).await?;
        Ok(TagResourceResponse::default())
    }

    async fn untag_resource(
        &self,
        context: &Context,
        input: UntagResourceRequest,
    ) -> Result<UntagResourceResponse, Failure> {
        let arn = read_arn(&input.resource_arn)?;
        let keys = input.tag_keys.iter().map(String::as_str);
        let allowed = context.authorize_tagged_with(&arn, |it| it.with_many("aws:TagKeys", keys)).await?;
        let mut tx = allowed.begin().await?;
        exists(context, &mut tx, &arn).await?;
        tx.delete_tags(&context.scope, &arn, &input.tag_keys).await?;
        allowed.commit(tx).await?;
        Ok(UntagResourceResponse::default())
    }

    async fn list_tags_for_resource(
        &self,
        context: &Context,
        input: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, Failure> {
        let arn = read_arn(&input.resource_arn)?;
        let allowed = context.authorize_tagged(&arn).await?;
        let mut tx = allowed.read().await?;
        exists(context, &mut tx, &arn).await?;
        Ok(ListTagsForResourceResponse { tags: Some(tx.tags(&arn).await?) })
    }
}

/// Holds tags against what conditions can tell apart: they know no upper and lower case in the names of keys, so of two
/// tags that differ in nothing else they would see one, and not the other.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Failure> {
    let mut seen = BTreeMap::new();
    for key in tags.keys() {
        if let Some(other) = seen.insert(key.to_ascii_lowercase(), key) {
            return Err(invalid(
                "tags",
                format!(
                    "The tags {other} and {key} differ in upper and lower case alone, which policies cannot tell apart. \
                     Keep one of them."
                ),
            ));
        }
    }
    Ok(())
}

fn read_arn(text: &str) -> Result<Arn, Failure> {
    Arn::parse(text).map_err(|error| invalid("resourceArn", error.to_string()))
}

async fn exists(context: &Context, tx: &mut Tx, arn: &Arn) -> Result<(), Failure> {
    let unknown = || not_found("Resource", arn);
    if arn.service() != "bedrock-agentcore" || arn.scope().as_ref() != Some(&context.scope) {
        return Err(unknown());
    }
    if let Some(id) = arn.resource().strip_prefix("gateway/") {
        return find_gateway(tx, &context.scope, &GatewayId::from_text(id)).await.map(|_| ());
    }
    if let Some((scope, id, endpoint)) = arn.as_agent_runtime() {
        return match endpoint {
            Some(name) => find_endpoint(tx, &scope, &id, name).await.map(|_| ()),
            None => find_runtime(tx, &scope, &id).await.map(|_| ()),
        };
    }
    if let Some((scope, kind, name)) = arn.as_credential_provider() {
        return find_provider(tx, &scope, kind, &name).await.map(|_| ());
    }
    if let Some(name) = arn.as_workload_identity() {
        return find_workload(tx, &context.scope, name).await.map(|_| ());
    }
    let engine = engine_of(arn, &context.scope).ok_or_else(unknown)?;
    find_engine(tx, &context.scope, &engine).await.map(|_| ())
}
