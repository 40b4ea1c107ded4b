//! Who somebody is.

use aws_shapes::sts::{
    CallerOperations, GetAccessKeyInfoRequest, GetAccessKeyInfoResponse, GetCallerIdentityRequest,
    GetCallerIdentityResponse,
};
use domain::{AccessKeyId, Arn};

use super::{Sts, validation_error};
use crate::context::Context;
use crate::fault::Failure;

impl CallerOperations<Context> for Sts {
    type Error = Failure;

    /// Open to everyone who is recognised; policies cannot forbid it (API reference).
    async fn get_caller_identity(
        &self,
        context: &Context,
        _: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, Failure> {
        let caller = &context.identity()?.caller;
        let allowed = context.open_to_everyone(caller.arn());
        Ok(GetCallerIdentityResponse {
            user_id: Some(caller.principal.unique_id(&caller.account)),
            account: Some(caller.account.to_string()),
            arn: Some(allowed.resource().to_string()),
        })
    }

    /// On AWS the id of a key says whose it is. Here it does not, so that only keys that are kept have an answer.
    async fn get_access_key_info(
        &self,
        context: &Context,
        input: GetAccessKeyInfoRequest,
    ) -> Result<GetAccessKeyInfoResponse, Failure> {
        let allowed = context.authorize_without_resource(&Arn::iam(&context.scope.account, "root"))?;
        let id = AccessKeyId::from_text(input.access_key_id);
        let found = allowed.read().await?.access_key(&id).await?;
        let key =
            found.ok_or_else(|| validation_error(format!("{id} is no access key that is known here.")))?;
        Ok(GetAccessKeyInfoResponse { account: Some(key.account.to_string()) })
    }
}
