//! Policies of resources: who may invoke a gateway, an agent runtime or an endpoint of one, besides those whose own
//! policies let them.
//!
//! What a policy may say depends on the resource. Its statements name the resource itself and nothing else, speak about
//! actions that the resource has, and for a resource whose callers bring tokens they are for everybody, because such
//! callers have no ARN that could be named (developer guide, "Resource-based policies"). Another kind of resource is a
//! row of [`KINDS`] and a line of [`Kind::is_signed_for`].

use ::iam::{Policy, PolicyKind};
use aws_shapes::bedrock_agentcore_control::{
    DeleteResourcePolicyRequest, DeleteResourcePolicyResponse, GetResourcePolicyRequest,
    GetResourcePolicyResponse, PutResourcePolicyRequest, PutResourcePolicyResponse, ResourcePolicyOperations,
};
use domain::{Arn, Authorizer, Document, GatewayId};
use store::Tx;

use super::agent_runtime::{find as find_runtime, find_version};
use super::agent_runtime_endpoint::find as find_endpoint;
use super::gateway::find as find_gateway;
use super::{AgentCore, not_found};
use crate::context::Context;
use crate::fault::{Failure, invalid};

/// The most statements of one policy.
const MOST_STATEMENTS: usize = 100;

/// A kind of resource that can have a policy.
struct Kind {
    /// How the resource part of its ARNs begins.
    prefix: &'static str,
    resource: Resource,
    /// What can be done to it by those whom its policy lets in.
    actions: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Resource {
    Gateway,
    /// An agent runtime, or an endpoint of one.
    AgentRuntime,
}

const KINDS: [Kind; 2] = [
    Kind { prefix: "gateway/", resource: Resource::Gateway, actions: &["bedrock-agentcore:InvokeGateway"] },
    Kind {
        prefix: "runtime/",
        resource: Resource::AgentRuntime,
        actions: &[
            "bedrock-agentcore:InvokeAgentRuntime",
            "bedrock-agentcore:InvokeAgentRuntimeForUser",
            "bedrock-agentcore:InvokeAgentRuntimeWithWebSocketStream",
            "bedrock-agentcore:InvokeAgentRuntimeWithWebSocketStreamForUser",
            "bedrock-agentcore:StopRuntimeSession",
            "bedrock-agentcore:GetAgentCard",
        ],
    },
];

impl ResourcePolicyOperations<Context> for AgentCore {
    type Error = Failure;

    async fn put_resource_policy(
        &self,
        context: &Context,
        input: PutResourcePolicyRequest,
    ) -> Result<PutResourcePolicyResponse, Failure> {
        let arn = read_arn(&input.resource_arn)?;
        let allowed = context.authorize_tagged(&arn).await?;
        let mut tx = allowed.begin().await?;
        let kind = kind_of(context, &arn)?;
        let is_signed_for = kind.is_signed_for(context, &mut tx, &arn).await?;
        check(&input.policy, kind, &arn, is_signed_for)?;
        tx.put_resource_policy(&context.scope, &arn, &Document(input.policy.clone())).await?;
        allowed.commit(tx).await?;
        Ok(PutResourcePolicyResponse { policy: input.policy })
    }

    async fn get_resource_policy(
        &self,
        context: &Context,
        input: GetResourcePolicyRequest,
    ) -> Result<GetResourcePolicyResponse, Failure> {
        let arn = read_arn(&input.resource_arn)?;
        let allowed = context.authorize_tagged(&arn).await?;
        let mut tx = allowed.read().await?;
        kind_of(context, &arn)?.is_signed_for(context, &mut tx, &arn).await?;
        // Where there is none the answer has no policy: the SDK's own tests say so.
        let policy = tx.resource_policy(&arn).await?;
        Ok(GetResourcePolicyResponse { policy: policy.map(|document| document.0) })
    }

    async fn delete_resource_policy(
        &self,
        context: &Context,
        input: DeleteResourcePolicyRequest,
    ) -> Result<DeleteResourcePolicyResponse, Failure> {
        let arn = read_arn(&input.resource_arn)?;
        let allowed = context.authorize_tagged(&arn).await?;
        let mut tx = allowed.begin().await?;
        kind_of(context, &arn)?.is_signed_for(context, &mut tx, &arn).await?;
        if !tx.delete_resource_policy(&context.scope, &arn).await? {
            return Err(none(&arn));
        }
        allowed.commit(tx).await?;
        Ok(DeleteResourcePolicyResponse::default())
    }
}

impl Kind {
    /// Sees that the resource is there, and says whether its callers sign.
    async fn is_signed_for(&self, context: &Context, tx: &mut Tx, arn: &Arn) -> Result<bool, Failure> {
        match self.resource {
            Resource::Gateway => {
                let id = arn.resource().strip_prefix(self.prefix).unwrap_or_default();
                let gateway = find_gateway(tx, &context.scope, &GatewayId::from_text(id)).await?;
                Ok(matches!(gateway.authorizer, Authorizer::AwsIam))
            }
            Resource::AgentRuntime => {
                let absent = || not_found("Resource", arn);
                let (scope, id, endpoint) = arn.as_agent_runtime().ok_or_else(absent)?;
                let runtime = find_runtime(tx, &scope, &id).await?;
                let number = match endpoint {
                    None => runtime.version,
                    Some(name) => {
                        let endpoint = find_endpoint(tx, &scope, &id, name).await?;
                        endpoint.live.unwrap_or(endpoint.target)
                    }
                };
                let version = find_version(tx, &runtime, number).await?;
                Ok(matches!(version.authorizer, Authorizer::AwsIam))
            }
        }
    }
}

fn read_arn(text: &str) -> Result<Arn, Failure> {
    Arn::parse(text).map_err(|error| invalid("resourceArn", error.to_string()))
}

/// The kind of a resource of this account and region.
fn kind_of(context: &Context, arn: &Arn) -> Result<&'static Kind, Failure> {
    let here = arn.service() == "bedrock-agentcore" && arn.scope().as_ref() == Some(&context.scope);
    let kind = KINDS.iter().find(|kind| here && arn.resource().starts_with(kind.prefix));
    kind.ok_or_else(|| not_found("Resource", arn))
}

fn none(arn: &Arn) -> Failure {
    not_found("A resource policy of", arn)
}

/// What a policy must be, to be attached to a resource.
fn check(text: &str, kind: &Kind, arn: &Arn, is_signed_for: bool) -> Result<(), Failure> {
    let refuse = |message: String| Err(invalid("policy", message));
    let policy =
        Policy::parse(text, PolicyKind::Resource).map_err(|error| invalid("policy", error.to_string()))?;
    let count = policy.outlines().len();
    if count > MOST_STATEMENTS {
        return refuse(format!("The policy has {count} statements; {MOST_STATEMENTS} are allowed."));
    }
    for statement in policy.outlines() {
        let place = format!("Statement[{}]", statement.index());
        if !statement.is_about_only(arn.as_str()) {
            return refuse(format!(
                "{place}: Resource must be the exact ARN of the resource that the policy is attached to, {arn}."
            ));
        }
        if !kind.actions.iter().any(|action| statement.speaks_about(action)) {
            return refuse(format!(
                "{place}: Action must be one that the resource has: {}.",
                kind.actions.join(", ")
            ));
        }
        if !is_signed_for && !statement.is_for_everyone() {
            return refuse(format!(
                "{place}: Principal must be \"*\", because the callers of this resource do not sign: tokens are \
                 verified before the policy is asked, and conditions can restrict who may call."
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/g-0123456789";

    fn refused(statement: &str, is_signed_for: bool) -> Option<String> {
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
        let arn = Arn::parse(ARN).unwrap();
        match check(&text, &KINDS[0], &arn, is_signed_for) {
            Ok(()) => None,
            Err(Failure::Fault(fault)) => Some(fault.message),
            Err(Failure::Internal(cause)) => panic!("{cause}"),
        }
    }

    fn statement(principal: &str, action: &str, resource: &str) -> String {
        format!(
            r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "{action}", "Resource": {resource}}}"#
        )
    }

    #[test]
    fn a_statement_is_about_the_resource_and_its_actions() {
        let (role, own) = (r#"{"AWS": "arn:aws:iam::123456789012:role/R"}"#, format!("\"{ARN}\""));
        assert_eq!(refused(&statement(role, "bedrock-agentcore:InvokeGateway", &own), true), None);
        assert_eq!(refused(&statement(role, "bedrock-agentcore:*", &own), true), None);
        for (action, resource, problem) in [
            ("bedrock-agentcore:InvokeGateway", "\"*\"", "exact ARN"),
            ("bedrock-agentcore:InvokeGateway", "\"arn:aws:bedrock-agentcore:*:*:gateway/*\"", "exact ARN"),
            ("bedrock-agentcore:InvokeAgentRuntime", own.as_str(), "one that the resource has"),
            ("s3:GetObject", own.as_str(), "one that the resource has"),
        ] {
            let refused = refused(&statement(role, action, resource), true).unwrap();
            assert!(refused.contains(problem), "{action} {resource}: {refused}");
        }
    }

    #[test]
    fn callers_with_tokens_cannot_be_named() {
        let own = format!("\"{ARN}\"");
        let said = |principal| refused(&statement(principal, "bedrock-agentcore:InvokeGateway", &own), false);
        assert_eq!(said("\"*\""), None);
        let refused = said(r#"{"AWS": "123456789012"}"#).unwrap();
        assert!(refused.contains("Principal must be"), "{refused}");
    }

    #[test]
    fn there_are_a_hundred_statements_at_most() {
        let one = statement("\"*\"", "bedrock-agentcore:InvokeGateway", &format!("\"{ARN}\""));
        let many = |count| format!("[{}]", vec![one.as_str(); count].join(", "));
        assert_eq!(refused(&many(100), false), None);
        assert!(refused(&many(101), false).unwrap().contains("101 statements"));
    }
}
