//! Roles.

use aws_shapes::iam::{
    AttachRolePolicyRequest, CreateRoleRequest, CreateRoleResponse, DeleteRolePolicyRequest,
    DeleteRoleRequest, DetachRolePolicyRequest, GetRolePolicyRequest, GetRolePolicyResponse, GetRoleRequest,
    GetRoleResponse, ListAttachedRolePoliciesRequest, ListAttachedRolePoliciesResponse,
    ListRolePoliciesRequest, ListRolePoliciesResponse, ListRolesRequest, ListRolesResponse,
    PutRolePolicyRequest, Role as WireRole, RoleOperations, UpdateAssumeRolePolicyRequest,
    UpdateRoleDescriptionRequest, UpdateRoleDescriptionResponse, UpdateRoleRequest, UpdateRoleResponse,
};
use domain::{Arn, Holder, Role};
use store::{Page, StoreError, Tx};

use super::document::{Kind, compile, encoded};
use super::listing::Listing;
use super::managed_policy::read_arn;
use super::service_linked_role::OF_SERVICES;
use super::{Iam, NO_PATH, already_exists, boundary, holder, no_such_holder, tags, validation_error};
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
            tags: tags::read(input.tags.unwrap_or_default())?,
            boundary: input.permissions_boundary.as_deref().map(read_arn).transpose()?,
        };
        let allowed = context.authorize_with(&role.arn(), |conditions| {
            boundary::asked(conditions, role.boundary.as_ref()).requesting_tags(&role.tags)
        })?;
        if role.path.starts_with(OF_SERVICES) {
            return Err(validation_error(
                "Path /aws-service-role/ is for roles of services: use CreateServiceLinkedRole.",
            ));
        }
        let mut tx = allowed.begin().await?;
        boundary::require_there(&mut tx, context, role.boundary.as_ref()).await?;
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
        change(context, input.role_name, |role| Role { trust_policy, ..role }).await.map(|_| ())
    }

    /// What is not given becomes what a role has that was made without it.
    async fn update_role(
        &self,
        context: &Context,
        input: UpdateRoleRequest,
    ) -> Result<UpdateRoleResponse, Failure> {
        let longest = input.max_session_duration.and_then(|seconds| u32::try_from(seconds).ok());
        change(context, input.role_name, |role| Role {
            description: input.description.filter(|text| !text.is_empty()).or(role.description),
            max_session_seconds: longest.unwrap_or(role.max_session_seconds),
            ..role
        })
        .await?;
        Ok(UpdateRoleResponse {})
    }

    async fn update_role_description(
        &self,
        context: &Context,
        input: UpdateRoleDescriptionRequest,
    ) -> Result<UpdateRoleDescriptionResponse, Failure> {
        let description = Some(input.description).filter(|text| !text.is_empty());
        let role = change(context, input.role_name, |role| Role { description, ..role }).await?;
        Ok(UpdateRoleDescriptionResponse { role: Some(describe(role)) })
    }

    async fn delete_role(&self, context: &Context, input: DeleteRoleRequest) -> Result<(), Failure> {
        let holder = Holder::Role(input.role_name);
        let allowed = holder::authorize(context, &holder).await?;
        holder::modifiable(allowed.resource())?;
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

/// Changes a role that its account may change.
pub(super) async fn change(
    context: &Context,
    name: String,
    how: impl FnOnce(Role) -> Role,
) -> Result<Role, Failure> {
    let holder = Holder::Role(name);
    let allowed = holder::authorize(context, &holder).await?;
    holder::modifiable(allowed.resource())?;
    let mut tx = allowed.begin().await?;
    let role = how(find(&mut tx, context, &allowed, &holder).await?);
    tx.update_role(&role).await?;
    allowed.commit(tx).await?;
    Ok(role)
}

pub(super) async fn find(
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

pub(super) fn describe(role: Role) -> WireRole {
    WireRole {
        arn: role.arn().into(),
        path: role.path,
        role_name: role.name,
        role_id: role.id,
        create_date: role.created_at,
        assume_role_policy_document: Some(encoded(&role.trust_policy)),
        description: role.description,
        max_session_duration: Some(i64::from(role.max_session_seconds)),
        permissions_boundary: boundary::wire(role.boundary.as_ref()),
        tags: tags::wire(&role.tags),
    }
}
