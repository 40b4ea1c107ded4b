//! Users.

use aws_shapes::iam::{
    AttachUserPolicyRequest, CreateUserRequest, CreateUserResponse, DeleteUserPolicyRequest,
    DeleteUserRequest, DetachUserPolicyRequest, GetUserPolicyRequest, GetUserPolicyResponse, GetUserRequest,
    GetUserResponse, ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse,
    ListUserPoliciesRequest, ListUserPoliciesResponse, ListUsersRequest, ListUsersResponse,
    PutUserPolicyRequest, User as WireUser, UserOperations,
};
use domain::{Arn, Holder, Principal, User};
use store::{Page, StoreError, Tx};

use super::document::encoded;
use super::listing::Listing;
use super::managed_policy::read_arn;
use super::{
    Iam, NO_PATH, already_exists, boundary, delete_conflict, holder, no_such_holder, tags, validation_error,
};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// What the root of an account is called where the model wants a user's name. (AWS leaves the name out, which its own
/// model does not allow.)
pub(super) const ROOT: &str = "root";

impl UserOperations<Context> for Iam {
    type Error = Failure;

    async fn create_user(
        &self,
        context: &Context,
        input: CreateUserRequest,
    ) -> Result<CreateUserResponse, Failure> {
        let user = User {
            account: context.scope.account.clone(),
            path: input.path.unwrap_or_else(|| NO_PATH.to_owned()),
            id: User::mint_id(&*context.setup().random),
            created_at: context.now,
            name: input.user_name,
            tags: tags::read(input.tags.unwrap_or_default())?,
            boundary: input.permissions_boundary.as_deref().map(read_arn).transpose()?,
        };
        let allowed = context.authorize_with(&user.arn(), |conditions| {
            boundary::asked(conditions, user.boundary.as_ref()).requesting_tags(&user.tags)
        })?;
        let mut tx = allowed.begin().await?;
        boundary::require_there(&mut tx, context, user.boundary.as_ref()).await?;
        tx.insert_user(&user).await.map_err(|error| match error {
            StoreError::Exists => already_exists(format!("User with name {} already exists.", user.name)),
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CreateUserResponse { user: Some(describe(user)) })
    }

    /// The user of this name, or the one who asks.
    async fn get_user(&self, context: &Context, input: GetUserRequest) -> Result<GetUserResponse, Failure> {
        let holder = named_or_own(context, input.user_name)?;
        let allowed = holder::authorize(context, &holder).await?;
        let mut tx = allowed.read().await?;
        let user = match &holder {
            Holder::Root => describe_root(context, &mut tx).await?,
            Holder::User(_) | Holder::Role(_) | Holder::Group(_) => {
                describe(find(&mut tx, context, &allowed, &holder).await?)
            }
        };
        Ok(GetUserResponse { user })
    }

    async fn list_users(
        &self,
        context: &Context,
        input: ListUsersRequest,
    ) -> Result<ListUsersResponse, Failure> {
        let prefix = input.path_prefix.as_deref().unwrap_or(NO_PATH);
        let allowed = context.authorize(&Arn::iam(&context.scope.account, &format!("user{prefix}")))?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let mut users = allowed.read().await?.users(&context.scope.account, Page::ALL).await?;
        users.retain(|user| user.path.starts_with(prefix));
        let page = listing.page(users, |user| user.name.to_lowercase()).map(describe);
        Ok(ListUsersResponse { users: page.items, is_truncated: page.is_truncated, marker: page.marker })
    }

    async fn delete_user(&self, context: &Context, input: DeleteUserRequest) -> Result<(), Failure> {
        let holder = Holder::User(input.user_name);
        let allowed = holder::authorize(context, &holder).await?;
        let mut tx = allowed.begin().await?;
        holder::require(&mut tx, context, &allowed, &holder).await?;
        holder::require_bare(&mut tx, context, &holder).await?;
        if !tx.access_keys(&context.scope.account, &holder).await?.is_empty() {
            return Err(delete_conflict("Cannot delete entity, must delete access keys first."));
        }
        if !tx.groups_of(&context.scope.account, holder.name()).await?.is_empty() {
            return Err(delete_conflict("Cannot delete entity, must remove users from group first."));
        }
        tx.delete_user(&context.scope.account, holder.name()).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn put_user_policy(&self, context: &Context, input: PutUserPolicyRequest) -> Result<(), Failure> {
        let holder = Holder::User(input.user_name);
        holder::put_inline(context, &holder, &input.policy_name, &input.policy_document).await
    }

    async fn get_user_policy(
        &self,
        context: &Context,
        input: GetUserPolicyRequest,
    ) -> Result<GetUserPolicyResponse, Failure> {
        let holder = Holder::User(input.user_name.clone());
        let document = holder::inline(context, &holder, &input.policy_name).await?;
        Ok(GetUserPolicyResponse {
            user_name: input.user_name,
            policy_name: input.policy_name,
            policy_document: encoded(&document),
        })
    }

    async fn list_user_policies(
        &self,
        context: &Context,
        input: ListUserPoliciesRequest,
    ) -> Result<ListUserPoliciesResponse, Failure> {
        let page = (input.marker.as_deref(), input.max_items);
        let page = holder::inline_names(context, &Holder::User(input.user_name), page).await?;
        Ok(ListUserPoliciesResponse {
            policy_names: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    async fn delete_user_policy(
        &self,
        context: &Context,
        input: DeleteUserPolicyRequest,
    ) -> Result<(), Failure> {
        holder::delete_inline(context, &Holder::User(input.user_name), &input.policy_name).await
    }

    async fn attach_user_policy(
        &self,
        context: &Context,
        input: AttachUserPolicyRequest,
    ) -> Result<(), Failure> {
        holder::attach(context, &Holder::User(input.user_name), &input.policy_arn).await
    }

    async fn detach_user_policy(
        &self,
        context: &Context,
        input: DetachUserPolicyRequest,
    ) -> Result<(), Failure> {
        holder::detach(context, &Holder::User(input.user_name), &input.policy_arn).await
    }

    async fn list_attached_user_policies(
        &self,
        context: &Context,
        input: ListAttachedUserPoliciesRequest,
    ) -> Result<ListAttachedUserPoliciesResponse, Failure> {
        let page = (input.marker.as_deref(), input.max_items);
        let holder = Holder::User(input.user_name);
        let page = holder::attached(context, &holder, input.path_prefix.as_deref(), page).await?;
        Ok(ListAttachedUserPoliciesResponse {
            attached_policies: Some(page.items),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

/// The user of a name, or without one whoever calls.
///
/// # Errors
/// `ValidationError` without a name for a session of a role, which is no user.
pub(super) fn named_or_own(context: &Context, name: Option<String>) -> Result<Holder, Failure> {
    match (name, &context.identity()?.caller.principal) {
        (Some(name), _) => Ok(Holder::User(name)),
        (None, Principal::Root) => Ok(Holder::Root),
        (None, Principal::User { name, .. }) => Ok(Holder::User(name.clone())),
        (None, Principal::AssumedRole { .. }) => {
            Err(validation_error("Must specify userName when calling with non-User credentials"))
        }
    }
}

pub(super) async fn find(
    tx: &mut Tx,
    context: &Context,
    allowed: &Authorized<'_>,
    holder: &Holder,
) -> Result<User, Failure> {
    let found = tx.user(&context.scope.account, holder.name()).await?;
    let user = found.ok_or_else(|| no_such_holder(holder))?;
    holder::still(allowed, &user.arn())?;
    Ok(user)
}

pub(super) fn describe(user: User) -> WireUser {
    WireUser {
        arn: user.arn().into(),
        path: user.path,
        user_name: user.name,
        user_id: user.id,
        create_date: user.created_at,
        permissions_boundary: boundary::wire(user.boundary.as_ref()),
        tags: tags::wire(&user.tags),
    }
}

async fn describe_root(context: &Context, tx: &mut Tx) -> Result<WireUser, Failure> {
    let own = &context.scope.account;
    let account = tx.accounts().await?.into_iter().find(|account| account.id == *own);
    Ok(WireUser {
        path: NO_PATH.to_owned(),
        user_name: ROOT.to_owned(),
        user_id: own.to_string(),
        arn: Arn::iam(own, "root").into(),
        create_date: account.map_or(context.now, |account| account.created_at),
        permissions_boundary: None,
        tags: None,
    })
}
