//! Managed policies: the account's own, and those of AWS that every account has and none can change.
//!
//! A policy has one version, `v1`, for as long as `CreatePolicyVersion` is not promised.

use aws::Fault;
use aws_shapes::iam::{
    CreatePolicyRequest, CreatePolicyResponse, DeletePolicyRequest, GetPolicyRequest, GetPolicyResponse,
    GetPolicyVersionRequest, GetPolicyVersionResponse, ListPoliciesRequest, ListPoliciesResponse,
    ManagedPolicyOperations, Policy as WirePolicy, PolicyScopeType, PolicyVersion,
};
use domain::{Arn, ManagedPolicy};
use store::{Page, StoreError};

use super::document::{Kind, compile, encoded};
use super::listing::Listing;
use super::{Iam, NO_PATH, already_exists, delete_conflict, invalid_input, no_such};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// The only version of every policy.
const VERSION: &str = "v1";
/// What stands in the place of the account in the ARNs of AWS's policies.
const AWS: &str = "aws";

impl ManagedPolicyOperations<Context> for Iam {
    type Error = Failure;

    async fn create_policy(
        &self,
        context: &Context,
        input: CreatePolicyRequest,
    ) -> Result<CreatePolicyResponse, Failure> {
        let account = &context.scope.account;
        let path = input.path.unwrap_or_else(|| NO_PATH.to_owned());
        let policy = ManagedPolicy {
            arn: Arn::iam(account, &format!("policy{path}{}", input.policy_name)),
            id: ManagedPolicy::mint_id(&*context.setup().random),
            name: input.policy_name,
            path,
            description: input.description.filter(|text| !text.is_empty()),
            document: compile(&input.policy_document, Kind::Managed)?,
            created_at: context.now,
        };
        let allowed = authorize(context, &policy.arn, &policy.name)?;
        let mut tx = allowed.begin().await?;
        tx.insert_managed_policy(account, &policy).await.map_err(|error| match error {
            StoreError::Exists => already_exists(format!(
                "A policy called {} already exists. Duplicate names are not allowed.",
                policy.name
            )),
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CreatePolicyResponse { policy: Some(describe(policy, 0)) })
    }

    async fn get_policy(
        &self,
        context: &Context,
        input: GetPolicyRequest,
    ) -> Result<GetPolicyResponse, Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn, arn.as_str())?;
        let mut tx = allowed.read().await?;
        let policy = tx.managed_policy(&arn).await?.ok_or_else(|| not_found(&arn))?;
        let attached = tx.count_attachments(&context.scope.account, &arn).await?;
        Ok(GetPolicyResponse { policy: Some(describe(policy, attached)) })
    }

    async fn get_policy_version(
        &self,
        context: &Context,
        input: GetPolicyVersionRequest,
    ) -> Result<GetPolicyVersionResponse, Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn, arn.as_str())?;
        let found = allowed.read().await?.managed_policy(&arn).await?;
        let policy = found.filter(|_| input.version_id == VERSION).ok_or_else(|| {
            let version = &input.version_id;
            no_such(format!("Policy {arn} version {version} does not exist or is not attachable."))
        })?;
        Ok(GetPolicyVersionResponse {
            policy_version: Some(PolicyVersion {
                document: Some(encoded(&policy.document)),
                version_id: Some(VERSION.to_owned()),
                is_default_version: Some(true),
                create_date: Some(policy.created_at),
            }),
        })
    }

    async fn list_policies(
        &self,
        context: &Context,
        input: ListPoliciesRequest,
    ) -> Result<ListPoliciesResponse, Failure> {
        let account = &context.scope.account;
        let prefix = input.path_prefix.as_deref().unwrap_or(NO_PATH);
        let listed = Arn::iam(account, &format!("policy{prefix}"));
        let called = format!("policy path {prefix}");
        let allowed = context.authorize_called(&listed, &called, |conditions| conditions)?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let mut tx = allowed.read().await?;
        let owners: &[_] = match input.scope.unwrap_or(PolicyScopeType::All) {
            PolicyScopeType::All => &[None, Some(account)],
            PolicyScopeType::Aws => &[None],
            PolicyScopeType::Local => &[Some(account)],
        };
        let mut counted = Vec::new();
        for owner in owners {
            for policy in tx.managed_policies(*owner, Page::ALL).await? {
                if policy.path.starts_with(prefix) {
                    let attached = tx.count_attachments(account, &policy.arn).await?;
                    counted.push((policy, attached));
                }
            }
        }
        counted.retain(|(_, attached)| *attached > 0 || input.only_attached != Some(true));
        let page = listing.page(counted, |(policy, _)| key(policy));
        // The description is only in the answer of GetPolicy, says the API reference.
        let page =
            page.map(|(policy, attached)| WirePolicy { description: None, ..describe(policy, attached) });
        Ok(ListPoliciesResponse {
            policies: Some(page.items),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    async fn delete_policy(&self, context: &Context, input: DeletePolicyRequest) -> Result<(), Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn, arn.as_str())?;
        if arn.account() == AWS {
            return Err(outside());
        }
        let account = &context.scope.account;
        let mut tx = allowed.begin().await?;
        if tx.managed_policy(&arn).await?.is_none() {
            return Err(not_found(&arn));
        }
        if tx.count_attachments(account, &arn).await? > 0 {
            return Err(delete_conflict("Cannot delete a policy attached to entities."));
        }
        tx.delete_managed_policy(account, &arn).await?;
        Ok(allowed.commit(tx).await?)
    }
}

/// Decides about a managed policy, and calls it in a refusal what IAM does.
fn authorize<'a>(context: &'a Context, arn: &Arn, called: &str) -> Result<Authorized<'a>, Failure> {
    context.authorize_called(arn, &format!("policy {called}"), |conditions| conditions)
}

/// The ARN of a managed policy, of whomever.
pub(super) fn read_arn(text: &str) -> Result<Arn, Failure> {
    let arn = Arn::parse(text).ok();
    let arn = arn.filter(|arn| arn.service() == "iam" && arn.resource().starts_with("policy/"));
    arn.ok_or_else(|| invalid_input(format!("ARN {text} is not valid.")))
}

/// The ARN of a managed policy of the caller's account, or of AWS's.
fn read_near_arn(context: &Context, text: &str) -> Result<Arn, Failure> {
    let arn = read_arn(text)?;
    let near = [context.scope.account.as_str(), AWS].contains(&arn.account());
    if near { Ok(arn) } else { Err(outside()) }
}

fn outside() -> Failure {
    Fault::new("AccessDenied", "Policy is outside your own account.").with_status(403).into()
}

fn not_found(arn: &Arn) -> Failure {
    no_such(format!("Policy {arn} was not found."))
}

/// What orders policies in lists. An account's policy may have the name of one of AWS's.
pub(super) fn key(policy: &ManagedPolicy) -> String {
    format!("{} {}", policy.arn.account(), policy.name.to_lowercase())
}

fn describe(policy: ManagedPolicy, attached: i64) -> WirePolicy {
    WirePolicy {
        policy_name: Some(policy.name),
        policy_id: Some(policy.id),
        arn: Some(policy.arn.into()),
        path: Some(policy.path),
        default_version_id: Some(VERSION.to_owned()),
        attachment_count: Some(attached),
        is_attachable: Some(true),
        description: policy.description,
        create_date: Some(policy.created_at),
        update_date: Some(policy.created_at),
    }
}
