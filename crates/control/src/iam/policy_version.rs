//! Versions of managed policies: at most five, one of them in force. A version's number is not used again.

use aws_shapes::iam::{
    CreatePolicyVersionRequest, CreatePolicyVersionResponse, DeletePolicyVersionRequest,
    GetPolicyVersionRequest, GetPolicyVersionResponse, ListPolicyVersionsRequest, ListPolicyVersionsResponse,
    PolicyVersion as WireVersion, PolicyVersionOperations, SetDefaultPolicyVersionRequest,
};
use domain::{Arn, ManagedPolicy, PolicyVersion};
use store::Tx;

use super::document::{Kind, compile, encoded};
use super::listing::Listing;
use super::managed_policy::{AWS, authorize, not_found, outside, read_near_arn};
use super::{Iam, delete_conflict, no_such, over_quota};
use crate::context::Context;
use crate::fault::Failure;

/// How many versions a policy may have.
const MOST: usize = 5;

impl PolicyVersionOperations<Context> for Iam {
    type Error = Failure;

    async fn create_policy_version(
        &self,
        context: &Context,
        input: CreatePolicyVersionRequest,
    ) -> Result<CreatePolicyVersionResponse, Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let document = compile(&input.policy_document, Kind::Managed)?;
        let allowed = authorize(context, &arn).await?;
        let mut tx = allowed.begin().await?;
        let mut policy = own(&mut tx, &arn).await?;
        if policy.all_versions().len() >= MOST {
            return Err(over_quota(format!(
                "A managed policy can have up to {MOST} versions. Before you create a new version, you must delete \
                 an existing version."
            )));
        }
        let number = policy.add_version(document, context.now);
        if input.set_as_default == Some(true) {
            policy.put_in_force(number, context.now);
        }
        tx.update_managed_policy(&context.scope.account, &policy).await?;
        allowed.commit(tx).await?;
        let made = policy.versions.iter().find(|version| version.number == number);
        // The document is not in the answer of CreatePolicyVersion.
        let policy_version = made.map(|made| WireVersion { document: None, ..describe(&policy, made) });
        Ok(CreatePolicyVersionResponse { policy_version })
    }

    async fn get_policy_version(
        &self,
        context: &Context,
        input: GetPolicyVersionRequest,
    ) -> Result<GetPolicyVersionResponse, Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn).await?;
        let found = allowed.read().await?.managed_policy(&arn).await?;
        let version = found.as_ref().and_then(|policy| {
            let versions = policy.all_versions();
            let found = versions.iter().find(|version| version_id(version.number) == input.version_id);
            found.map(|version| describe(policy, version))
        });
        let policy_version = Some(version.ok_or_else(|| no_such_version(&arn, &input.version_id))?);
        Ok(GetPolicyVersionResponse { policy_version })
    }

    async fn list_policy_versions(
        &self,
        context: &Context,
        input: ListPolicyVersionsRequest,
    ) -> Result<ListPolicyVersionsResponse, Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn).await?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let policy = allowed.read().await?.managed_policy(&arn).await?.ok_or_else(|| not_found(&arn))?;
        // The newest first, as AWS lists them.
        let newest_first = |version: &PolicyVersion| format!("{:010}", u32::MAX - version.number);
        let page = listing.page(policy.all_versions(), newest_first);
        let page = page.map(|version| WireVersion { document: None, ..describe(&policy, &version) });
        Ok(ListPolicyVersionsResponse {
            versions: Some(page.items),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    async fn set_default_policy_version(
        &self,
        context: &Context,
        input: SetDefaultPolicyVersionRequest,
    ) -> Result<(), Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn).await?;
        let mut tx = allowed.begin().await?;
        let mut policy = own(&mut tx, &arn).await?;
        let number = number_of(&policy, &arn, &input.version_id)?;
        policy.put_in_force(number, context.now);
        tx.update_managed_policy(&context.scope.account, &policy).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn delete_policy_version(
        &self,
        context: &Context,
        input: DeletePolicyVersionRequest,
    ) -> Result<(), Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn).await?;
        let mut tx = allowed.begin().await?;
        let mut policy = own(&mut tx, &arn).await?;
        let number = number_of(&policy, &arn, &input.version_id)?;
        if number == policy.version {
            return Err(delete_conflict("Cannot delete the default version of a policy."));
        }
        policy.versions = policy.all_versions();
        policy.versions.retain(|version| version.number != number);
        policy.updated_at = Some(context.now);
        tx.update_managed_policy(&context.scope.account, &policy).await?;
        Ok(allowed.commit(tx).await?)
    }
}

/// A version's number as the API writes it: `v1`.
pub(super) fn version_id(number: u32) -> String {
    format!("v{number}")
}

/// A policy of the account's own: AWS's are nobody's to change.
async fn own(tx: &mut Tx, arn: &Arn) -> Result<ManagedPolicy, Failure> {
    if arn.account() == AWS {
        return Err(outside());
    }
    tx.managed_policy(arn).await?.ok_or_else(|| not_found(arn))
}

fn number_of(policy: &ManagedPolicy, arn: &Arn, id: &str) -> Result<u32, Failure> {
    let found = policy.all_versions().into_iter().find(|version| version_id(version.number) == id);
    found.map(|version| version.number).ok_or_else(|| no_such_version(arn, id))
}

fn no_such_version(arn: &Arn, id: &str) -> Failure {
    no_such(format!("Policy {arn} version {id} does not exist or is not attachable."))
}

/// A version as answers carry it.
pub(super) fn describe(policy: &ManagedPolicy, version: &PolicyVersion) -> WireVersion {
    WireVersion {
        document: Some(encoded(&version.document)),
        version_id: Some(version_id(version.number)),
        is_default_version: Some(version.number == policy.version),
        create_date: Some(version.created_at),
    }
}
