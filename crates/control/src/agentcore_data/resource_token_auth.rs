//! `CompleteResourceTokenAuth`: the workload's application says whose browser came back, and the tokens become that
//! person's, if the session was theirs.

use aws::Fault;
use aws_shapes::bedrock_agentcore::{
    CompleteResourceTokenAuthRequest, CompleteResourceTokenAuthResponse, ResourceTokenAuthOperations,
    UserIdentifier,
};
use domain::{Arn, AuthorizationStatus, WorkloadUser};
use identity::token::Claims;
use store::StoreError;

use super::AgentCoreData;
use super::workload_access_token::{user_of, verified, with_claims};
use crate::agentcore::authorize_workload;
use crate::context::Context;
use crate::fault::{Failure, invalid};

impl ResourceTokenAuthOperations<Context> for AgentCoreData {
    type Error = Failure;

    /// A session can be completed once, within its ten minutes. One that somebody else comes to complete is over: what a
    /// browser brought back in it is not its user's.
    async fn complete_resource_token_auth(
        &self,
        context: &Context,
        input: CompleteResourceTokenAuthRequest,
    ) -> Result<CompleteResourceTokenAuthResponse, Failure> {
        let who = Who::read(context, input.user_identifier).await?;
        // Before anything is looked up: whoever may not ask learns of no session.
        context.authorize_with(&Arn::workload_directory(&context.scope), |it| who.conditions(it))?;
        let outbound = &context.setup().outbound;
        let found = outbound.pending(&context.scope, &input.session_uri).await?;
        let pending = found.ok_or_else(no_session)?;
        let allowed = authorize_workload(context, pending.workload(), |it| who.conditions(it)).await?;
        if matches!(pending.status(), AuthorizationStatus::Completed | AuthorizationStatus::Failed) {
            return Err(no_session());
        }
        if !pending.is_for(&who.user) {
            outbound.disown(pending, &context.request_id).await?;
            return Err(no_session());
        }
        if pending.status() != AuthorizationStatus::Consented {
            return Err(invalid(
                "sessionUri",
                "The person has not consented yet: complete the session when the browser was sent to the return URL.",
            ));
        }
        let mut tx = allowed.begin().await?;
        pending.complete(&mut tx).await.map_err(|error| match error {
            StoreError::Stale => no_session(),
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CompleteResourceTokenAuthResponse::default())
    }
}

/// Who came back, as the application says.
struct Who {
    user: WorkloadUser,
    claims: Option<Claims>,
}

impl Who {
    /// A token is verified whole; an id is the application's word alone.
    async fn read(context: &Context, given: UserIdentifier) -> Result<Self, Failure> {
        match given {
            UserIdentifier::UserToken(token) => {
                let claims = verified(context, &token).await?;
                Ok(Self { user: user_of(&claims)?, claims: Some(claims) })
            }
            UserIdentifier::UserId(id) => Ok(Self { user: WorkloadUser::Id { id }, claims: None }),
        }
    }

    /// The condition keys that policies say by whom sessions may be completed for whom.
    fn conditions(&self, conditions: iam::Context) -> iam::Context {
        match (&self.user, &self.claims) {
            (_, Some(claims)) => with_claims(conditions, claims),
            (WorkloadUser::Id { id }, None) => conditions.with("bedrock-agentcore:userid", id.as_str()),
            _ => conditions,
        }
    }
}

/// One answer for a session that is not there, over, used or another's; AWS's words.
fn no_session() -> Failure {
    Fault::new("AccessDeniedException", "Invalid or expired session").into()
}
