//! Workload identities.

use aws_shapes::bedrock_agentcore_control::{
    CreateWorkloadIdentityRequest, CreateWorkloadIdentityResponse, DeleteWorkloadIdentityRequest,
    DeleteWorkloadIdentityResponse, GetWorkloadIdentityRequest, GetWorkloadIdentityResponse,
    ListWorkloadIdentitiesRequest, ListWorkloadIdentitiesResponse, UpdateWorkloadIdentityRequest,
    UpdateWorkloadIdentityResponse, WorkloadIdentityOperations, WorkloadIdentityType,
};
use domain::{Arn, EventId, Scope, WorkloadIdentity};
use store::{StoreError, Tx};

use super::linked_identity::is_the_callers;
use super::tag::check_tags;
use super::{AgentCore, bad_token, name_taken, not_found, over_quota};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::paging::Paging;

/// How many identities a page has when the caller does not say: as many as one may have.
const PAGE: usize = 20;
/// Schemes that a browser is not sent to.
const NO_PLACES: [&str; 4] = ["javascript", "data", "vbscript", "file"];

impl WorkloadIdentityOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_workload_identity(
        &self,
        context: &Context,
        input: CreateWorkloadIdentityRequest,
    ) -> Result<CreateWorkloadIdentityResponse, Failure> {
        let id = EventId::mint(&*context.setup().random).to_string();
        let identity = WorkloadIdentity {
            return_urls: return_urls(input.allowed_resource_oauth2_return_urls)?,
            ..WorkloadIdentity::new(&context.scope, &input.name, id, context.now)
        };
        let tags = input.tags.clone().unwrap_or_default();
        check_tags(&tags)?;
        let allowed = authorize_workload(context, &identity.name, |it| it.requesting_tags(&tags)).await?;
        let mut tx = allowed.begin().await?;
        let most = context.setup().quotas.workload_identities;
        if tx.workload_identity_count(&context.scope).await? >= i64::try_from(most).unwrap_or(i64::MAX) {
            return Err(over_quota("workload identities", most));
        }
        tx.insert_workload_identity(&identity).await.map_err(|error| match error {
            StoreError::Exists => name_taken("A workload identity", &identity.name),
            error => error.into(),
        })?;
        if let Some(tags) = input.tags {
            tx.put_tags(&identity.scope, &identity.arn(), &tags).await?;
        }
        allowed.commit(tx).await?;
        Ok(CreateWorkloadIdentityResponse {
            workload_identity_arn: identity.arn().to_string(),
            name: identity.name,
            allowed_resource_oauth2_return_urls: given(identity.return_urls),
        })
    }

    async fn get_workload_identity(
        &self,
        context: &Context,
        input: GetWorkloadIdentityRequest,
    ) -> Result<GetWorkloadIdentityResponse, Failure> {
        let allowed = authorize(context, &input.name).await?;
        let identity = find(&mut allowed.read().await?, &context.scope, &input.name).await?;
        Ok(describe(identity))
    }

    async fn update_workload_identity(
        &self,
        context: &Context,
        input: UpdateWorkloadIdentityRequest,
    ) -> Result<UpdateWorkloadIdentityResponse, Failure> {
        let given = return_urls(input.allowed_resource_oauth2_return_urls)?;
        let allowed = authorize(context, &input.name).await?;
        let mut tx = allowed.begin().await?;
        let mut identity = find(&mut tx, &context.scope, &input.name).await?;
        identity.return_urls = given;
        identity.updated_at = context.now;
        tx.update_workload_identity(&mut identity).await?;
        allowed.commit(tx).await?;
        Ok(describe(identity))
    }

    /// Its tokens end with it.
    async fn delete_workload_identity(
        &self,
        context: &Context,
        input: DeleteWorkloadIdentityRequest,
    ) -> Result<DeleteWorkloadIdentityResponse, Failure> {
        let allowed = authorize(context, &input.name).await?;
        let mut tx = allowed.begin().await?;
        let identity = find(&mut tx, &context.scope, &input.name).await?;
        is_the_callers(&identity, "be deleted")?;
        tx.delete_all_tags(&identity.arn()).await?;
        tx.delete_workload_identity(&identity).await?;
        allowed.commit(tx).await?;
        Ok(DeleteWorkloadIdentityResponse::default())
    }

    async fn list_workload_identities(
        &self,
        context: &Context,
        input: ListWorkloadIdentitiesRequest,
    ) -> Result<ListWorkloadIdentitiesResponse, Failure> {
        let allowed = authorize(context, "*").await?;
        let paging =
            Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(bad_token)?;
        let found = allowed.read().await?.workload_identities(&context.scope, paging.page()).await?;
        let (identities, next_token) = paging.cut(found, |identity| identity.name.clone());
        let item = |identity: WorkloadIdentity| WorkloadIdentityType {
            workload_identity_arn: identity.arn().to_string(),
            name: identity.name,
        };
        Ok(ListWorkloadIdentitiesResponse {
            workload_identities: identities.into_iter().map(item).collect(),
            next_token,
        })
    }
}

async fn authorize<'a>(context: &'a Context, name: &str) -> Result<Authorized<'a>, Failure> {
    authorize_workload(context, name, |conditions| conditions).await
}

/// Asks about the directory and about the identity in it, as the "Service Authorization Reference" has it.
pub(crate) async fn authorize_workload<'a>(
    context: &'a Context,
    name: &str,
    conditions: impl Fn(iam::Context) -> iam::Context,
) -> Result<Authorized<'a>, Failure> {
    context.notes.workload(name);
    context.authorize_with(&Arn::workload_directory(&context.scope), &conditions)?;
    context.authorize_tagged_with(&Arn::workload_identity(&context.scope, name), &conditions).await
}

/// The workload identity of a name.
pub(crate) async fn find(tx: &mut Tx, scope: &Scope, name: &str) -> Result<WorkloadIdentity, Failure> {
    tx.workload_identity(scope, name).await?.ok_or_else(|| not_found("WorkloadIdentity", &name))
}

/// The URLs that a person may be sent to: absolute, and nothing that a browser would run or read from the disk.
fn return_urls(given: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
    let given = given.unwrap_or_default();
    for url in &given {
        check_return_url("allowedResourceOauth2ReturnUrls", url)?;
    }
    Ok(given)
}

/// Whether a person may be sent to a URL at all.
pub(super) fn check_return_url(field: &str, url: &str) -> Result<(), Failure> {
    let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
    if NO_PLACES.contains(&scheme.as_str()) || url.contains('#') {
        let message = format!(
            "{url} is no place to send a browser to: give an absolute URL without a fragment, such as \
             https://app.example/callback."
        );
        return Err(invalid(field, message));
    }
    Ok(())
}

/// AWS leaves out a list that is empty.
fn given(urls: Vec<String>) -> Option<Vec<String>> {
    Some(urls).filter(|urls| !urls.is_empty())
}

fn describe(identity: WorkloadIdentity) -> GetWorkloadIdentityResponse {
    GetWorkloadIdentityResponse {
        workload_identity_arn: identity.arn().to_string(),
        name: identity.name,
        allowed_resource_oauth2_return_urls: given(identity.return_urls),
        created_time: identity.created_at,
        last_updated_time: identity.updated_at,
    }
}
