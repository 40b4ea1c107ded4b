//! Roles.

use aws_shapes::iam::{
    AttachRolePolicyRequest, CreateRoleRequest, CreateRoleResponse, DeleteRolePolicyRequest,
    DeleteRoleRequest, DetachRolePolicyRequest, GetRolePolicyRequest, GetRolePolicyResponse, GetRoleRequest,
    GetRoleResponse, ListAttachedRolePoliciesRequest, ListAttachedRolePoliciesResponse,
    ListRolePoliciesRequest, ListRolePoliciesResponse, ListRolesRequest, ListRolesResponse,
    PutRolePolicyRequest, Role as WireRole, RoleOperations, UpdateAssumeRolePolicyRequest,
};
use domain::{Arn, Holder, Role};
use store::{Page, StoreError, Tx};

use super::document::{Kind, compile, encoded};
use super::listing::Listing;
use super::{Iam, NO_PATH, already_exists, holder, no_such_holder};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// The longest session of a role that does not say, in seconds.
const SESSION_SECONDS: u32 = 3_600;

impl RoleOperations<Context> for Iam {
    type Error = Failure;

    async fn create_role(
        &self,
        context: &Context,
        input: CreateRoleRequest,
    ) -> Result<CreateRoleResponse, Failure> {
        let longest = input.max_session_duration.and_then(|seconds| u32::try_from(seconds).ok());
        let role = Role {
            account: context.scope.account.clone(),
            path: input.path.unwrap_or_else(|| NO_PATH.to_owned()),
            id: Role::mint_id(&*context.setup().random),
            description: input.description.filter(|text| !text.is_empty()),
            trust_policy: compile(&input.assume_role_policy_document, Kind::Trust)?,
            max_session_seconds: longest.unwrap_or(SESSION_SECONDS),
            created_at: context.now,
            name: input.role_name,
        };
        let allowed = context.authorize(&role.arn())?;
        let mut tx = allowed.begin().await?;
        tx.insert_role(&role).await.map_err(|error| match error {
            StoreError::Exists => already_exists(format!("Role with name {} already exists.", role.name)),
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CreateRoleResponse { role: describe(role) })
    }

    async fn get_role(&self, context: &Context, input: GetRoleRequest) -> Result<GetRoleResponse, Failure> {
        let holder = Holder::Role(input.role_name);
        let allowed = holder::authorize(context, &holder).await?;
        let role = find(&mut allowed.read().await?, context, &allowed, &holder).await?;
        Ok(GetRoleResponse { role: describe(role) })
    }

    async fn list_roles(
        &self,
        context: &Context,
        input: ListRolesRequest,
    ) -> Result<ListRolesResponse, Failure> {
        let prefix = input.path_prefix.as_deref().unwrap_or(NO_PATH);
        let allowed = context.authorize(&Arn::iam(&context.scope.account, &format!("role{prefix}")))?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let mut roles = allowed.read().await?.roles(&context.scope.account, Page::ALL).await?;
        roles.retain(|role| role.path.starts_with(prefix));
        let page = listing.page(roles, |role| role.name.to_lowercase()).map(describe);
        Ok(ListRolesResponse { roles: page.items, is_truncated: page.is_truncated, marker: page.marker })
    }

    async fn update_assume_role_policy(
        &self,
        context: &Context,
        input: UpdateAssumeRolePolicyRequest,
    ) -> Result<(), Failure> {
        let trust_policy = compile(&input.policy_document, Kind::Trust)?;
        let holder = Holder::Role(input.role_name);
        let allowed = holder::authorize(context, &holder).await?;
        let mut tx = allowed.begin().await?;
        let role = find(&mut tx, context, &allowed, &holder).await?;
        tx.update_role(&Role { trust_policy, ..role }).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn delete_role(&self, context: &Context, input: DeleteRoleRequest) -> Result<(), Failure> {
        let holder = Holder::Role(input.role_name);
        let allowed = holder::authorize(context, &holder).await?;
        let mut tx = allowed.begin().await?;
        holder::require(&mut tx, context, &allowed, &holder).await?;
        holder::require_bare(&mut tx, context, &holder).await?;
        tx.delete_role(&context.scope.account, holder.name()).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn put_role_policy(&self, context: &Context, input: PutRolePolicyRequest) -> Result<(), Failure> {
        let holder = Holder::Role(input.role_name);
        holder::put_inline(context, &holder, &input.policy_name, &input.policy_document).await
    }

    async fn get_role_policy(
        &self,
        context: &Context,
        input: GetRolePolicyRequest,
    ) -> Result<GetRolePolicyResponse, Failure> {
        let holder = Holder::Role(input.role_name.clone());
        let document = holder::inline(context, &holder, &input.policy_name).await?;
        Ok(GetRolePolicyResponse {
            role_name: input.role_name,
            policy_name: input.policy_name,
            policy_document: encoded(&document),
        })
    }

    async fn list_role_policies(
        &self,
        context: &Context,
        input: ListRolePoliciesRequest,
    ) -> Result<ListRolePoliciesResponse, Failure> {
        let page = (input.marker.as_deref(), input.max_items);
        let page = holder::inline_names(context, &Holder::Role(input.role_name), page).await?;
        Ok(ListRolePoliciesResponse {
            policy_names: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    async fn delete_role_policy(
        &self,
        context: &Context,
        input: DeleteRolePolicyRequest,
    ) -> Result<(), Failure> {
        holder::delete_inline(context, &Holder::Role(input.role_name), &input.policy_name).await
    }

    async fn attach_role_policy(
        &self,
        context: &Context,
        input: AttachRolePolicyRequest,
    ) -> Result<(), Failure> {
        holder::attach(context, &Holder::Role(input.role_name), &input.policy_arn).await
    }

    async fn detach_role_policy(
        &self,
        context: &Context,
        input: DetachRolePolicyRequest,
    ) -> Result<(), Failure> {
        holder::detach(context, &Holder::Role(input.role_name), &input.policy_arn).await
    }

    async fn list_attached_role_policies(
        &self,
        context: &Context,
        input: ListAttachedRolePoliciesRequest,
    ) -> Result<ListAttachedRolePoliciesResponse, Failure> {
        let page = (input.marker.as_deref(), input.max_items);
        let holder = Holder::Role(input.role_name);
        let page = holder::attached(context, &holder, input.path_prefix.as_deref(), page).await?;
        Ok(ListAttachedRolePoliciesResponse {
            attached_policies: Some(page.items),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

async fn find(
    tx: &mut Tx,
    context: &Context,
    allowed: &Authorized<'_>,
    holder: &Holder,
) -> Result<Role, Failure> {
    let found = tx.role(&context.scope.account, holder.name()).await?;
    let role = found.ok_or_else(|| no_such_holder(holder))?;
    holder::still(allowed, &role.arn())?;
    Ok(role)
}

fn describe(role: Role) -> WireRole {
    WireRole {
        arn: role.arn().into(),
        path: role.path,
        role_name: role.name,
        role_id: role.id,
        create_date: role.created_at,
        assume_role_policy_document: Some(encoded(&role.trust_policy)),
        description: role.description,
        max_session_duration: Some(i64::from(role.max_session_seconds)),
    }
}
