//! Tags of gateways, policy engines, credential providers and workload identities.

use aws_shapes::bedrock_agentcore_control::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, TagOperations, TagResourceRequest,
    TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
};
use domain::{Arn, GatewayId};
use store::Tx;

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
        let allowed = context.authorize(&arn)?;
        let mut tx = allowed.begin().await?;
        exists(context, &mut tx, &arn).await?;
        tx.put_tags(&context.scope, &arn, &input.tags).await?;
        if tx.tags(&arn).await?.len() > MOST_TAGS {
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
        let allowed = context.authorize(&arn)?;
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
        let allowed = context.authorize(&arn)?;
        let mut tx = allowed.read().await?;
        exists(context, &mut tx, &arn).await?;
        Ok(ListTagsForResourceResponse { tags: Some(tx.tags(&arn).await?) })
    }
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
    if let Some((scope, kind, name)) = arn.as_credential_provider() {
        return find_provider(tx, &scope, kind, &name).await.map(|_| ());
    }
    if let Some(name) = arn.as_workload_identity() {
        return find_workload(tx, &context.scope, name).await.map(|_| ());
    }
    let engine = engine_of(arn, &context.scope).ok_or_else(unknown)?;
    find_engine(tx, &context.scope, &engine).await.map(|_| ())
}
