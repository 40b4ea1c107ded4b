//! Users of a pool, as administrators make them. Nobody is written to: a password that is not given here has to be set
//! afterwards.

use aws::Fault;
use aws_shapes::cognito_idp::{
    AdminCreateUserRequest, AdminCreateUserResponse, AdminDeleteUserRequest, AdminGetUserRequest,
    AdminGetUserResponse, AdminSetUserPasswordRequest, AdminSetUserPasswordResponse, AttributeType,
    ListUsersRequest, ListUsersResponse, UserOperations, UserStatusType, UserType,
};
use domain::{Arn, PoolUser, PoolUserStatus, Secret, UserAttribute, UserPoolId, uuid};
use store::{StoreError, Tx};

use super::sign_in::face;
use super::{Cognito, find_pool, invalid, over_limit, page};
use crate::context::Context;
use crate::fault::Failure;

/// How many users a pool may have (Cognito quotas).
const MOST_USERS: i64 = 40_000_000;
/// How many attributes a user may have (Cognito quotas: the standard ones and 50 custom ones).
const MOST_ATTRIBUTES: usize = 70;
/// How long a temporary password is good (`TemporaryPasswordValidityDays`: seven days).
const TEMPORARY: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);
/// The attributes that every pool has ("Standard attributes").
const STANDARD: [&str; 19] = [
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
];

impl UserOperations<Context> for Cognito {
    type Error = Failure;

    async fn admin_create_user(
        &self,
        context: &Context,
        input: AdminCreateUserRequest,
    ) -> Result<AdminCreateUserResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        find_pool(&mut allowed.read().await?, &context.scope, &pool).await?;
        let password = match input.temporary_password {
            Some(password) => Some(hash(context, password).await?),
            None => None,
        };
        let user = PoolUser {
            pool,
            scope: context.scope.clone(),
            name: input.username,
            sub: uuid(&*context.setup().random),
            attributes: attributes(input.user_attributes)?,
            status: PoolUserStatus::ForceChangePassword,
            password_expires_at: password.is_some().then(|| context.now.plus(TEMPORARY)),
            password,
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        };
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &user.pool).await?;
        if tx.count_pool_users(&user.pool).await? >= MOST_USERS {
            return Err(over_limit("users per user pool", usize::try_from(MOST_USERS).unwrap_or(usize::MAX)));
        }
        tx.insert_pool_user(&user).await.map_err(|error| match error {
            StoreError::Exists => Fault::new("UsernameExistsException", "User account already exists").into(),
            error => Failure::from(error),
        })?;
        allowed.commit(tx).await?;
        Ok(AdminCreateUserResponse { user: Some(describe(user)) })
    }

    async fn admin_get_user(
        &self,
        context: &Context,
        input: AdminGetUserRequest,
    ) -> Result<AdminGetUserResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let mut tx = allowed.read().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        let user = find_user(&mut tx, &pool, &input.username).await?;
        let username = user.name.clone();
        let shown = describe(user);
        Ok(AdminGetUserResponse {
            username,
            user_attributes: shown.attributes,
            user_create_date: shown.user_create_date,
            user_last_modified_date: shown.user_last_modified_date,
            enabled: shown.enabled,
            user_status: shown.user_status,
        })
    }

    /// Takes back what the user's sign-ins handed out, too: whoever knew the former password shall have nothing left.
    async fn admin_set_user_password(
        &self,
        context: &Context,
        input: AdminSetUserPasswordRequest,
    ) -> Result<AdminSetUserPasswordResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let mut tx = allowed.read().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        find_user(&mut tx, &pool, &input.username).await?;
        drop(tx);
        let password = hash(context, input.password).await?;
        let mut tx = allowed.begin().await?;
        let mut user = find_user(&mut tx, &pool, &input.username).await?;
        let permanent = input.permanent.unwrap_or_default();
        user.password = Some(password);
        user.password_expires_at = (!permanent).then(|| context.now.plus(TEMPORARY));
        user.status = if permanent { PoolUserStatus::Confirmed } else { PoolUserStatus::ForceChangePassword };
        user.updated_at = context.now;
        tx.update_pool_user(&mut user).await?;
        tx.revoke_user(&pool, &user.name).await?;
        tx.forget_attempts(&pool, &user.name).await?;
        allowed.commit(tx).await?;
        Ok(AdminSetUserPasswordResponse::default())
    }

    async fn admin_delete_user(
        &self,
        context: &Context,
        input: AdminDeleteUserRequest,
    ) -> Result<(), Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        find_user(&mut tx, &pool, &input.username).await?;
        tx.delete_pool_user(&pool, &input.username).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn list_users(
        &self,
        context: &Context,
        input: ListUsersRequest,
    ) -> Result<ListUsersResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let paging = page(input.pagination_token.as_deref(), input.limit)?;
        let mut tx = allowed.read().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        let found = tx.pool_users(&pool, paging.page()).await?;
        let (users, pagination_token) = paging.cut(found, PoolUser::key);
        Ok(ListUsersResponse { users: Some(users.into_iter().map(describe).collect()), pagination_token })
    }
}

/// The user of a name, if the pool has one.
pub(super) async fn find_user(tx: &mut Tx, pool: &UserPoolId, name: &str) -> Result<PoolUser, Failure> {
    let found = tx.pool_user(pool, name).await?;
    found.ok_or_else(|| Fault::new("UserNotFoundException", "User does not exist.").into())
}

async fn hash(context: &Context, password: String) -> Result<Secret, Failure> {
    context.setup().provider.new_password(Secret::new(password)).await.map_err(|error| face(&error))
}

/// Each attribute once, and only such as every pool has: there is no schema of a pool's own.
fn attributes(given: Option<Vec<AttributeType>>) -> Result<Vec<UserAttribute>, Failure> {
    let mut known: Vec<UserAttribute> = Vec::new();
    for attribute in given.unwrap_or_default() {
        let AttributeType { name, value } = attribute;
        if name == "sub" {
            return Err(invalid("Cannot modify the non-mutable attribute sub"));
        }
        if !STANDARD.contains(&name.as_str()) {
            let message = format!(
                "Attributes did not conform to the schema: {name}: Attribute does not exist in the schema."
            );
            return Err(invalid(message));
        }
        if known.iter().any(|it| it.name == name) || known.len() >= MOST_ATTRIBUTES {
            return Err(invalid(format!("The attribute {name} is given more than once.")));
        }
        known.push(UserAttribute { name, value: value.unwrap_or_default() });
    }
    Ok(known)
}

fn describe(user: PoolUser) -> UserType {
    let sub = AttributeType { name: "sub".to_owned(), value: Some(user.sub) };
    let others = user.attributes.into_iter();
    let others = others.map(|it| AttributeType { name: it.name, value: Some(it.value) });
    UserType {
        username: Some(user.name),
        attributes: Some(std::iter::once(sub).chain(others).collect()),
        user_create_date: Some(user.created_at),
        user_last_modified_date: Some(user.updated_at),
        enabled: Some(true),
        user_status: Some(match user.status {
            PoolUserStatus::Confirmed => UserStatusType::Confirmed,
            PoolUserStatus::ForceChangePassword => UserStatusType::ForceChangePassword,
        }),
    }
}
