//! Permissions boundaries: a managed policy that bounds what a user's or a role's policies may grant.

use ::iam::Context as Conditions;
use aws_shapes::iam::{
    AttachedPermissionsBoundary, DeleteRolePermissionsBoundaryRequest, DeleteUserPermissionsBoundaryRequest,
    PermissionsBoundaryAttachmentType, PermissionsBoundaryOperations, PutRolePermissionsBoundaryRequest,
    PutUserPermissionsBoundaryRequest,
};
use domain::{Arn, Holder, Role, User};
use store::Tx;

use super::managed_policy::{find_near, read_arn};
use super::{Iam, holder, no_such, role, user};
use crate::context::Context;
use crate::fault::Failure;

impl PermissionsBoundaryOperations<Context> for Iam {
    type Error = Failure;

    async fn put_user_permissions_boundary(
        &self,
        context: &Context,
        input: PutUserPermissionsBoundaryRequest,
    ) -> Result<(), Failure> {
        put(context, Holder::User(input.user_name), Some(read_arn(&input.permissions_boundary)?)).await
    }

    async fn delete_user_permissions_boundary(
        &self,
        context: &Context,
        input: DeleteUserPermissionsBoundaryRequest,
    ) -> Result<(), Failure> {
        put(context, Holder::User(input.user_name), None).await
    }

    async fn put_role_permissions_boundary(
        &self,
        context: &Context,
        input: PutRolePermissionsBoundaryRequest,
    ) -> Result<(), Failure> {
        put(context, Holder::Role(input.role_name), Some(read_arn(&input.permissions_boundary)?)).await
    }

    async fn delete_role_permissions_boundary(
        &self,
        context: &Context,
        input: DeleteRolePermissionsBoundaryRequest,
    ) -> Result<(), Failure> {
        put(context, Holder::Role(input.role_name), None).await
    }
}

/// Puts a boundary in the place of the one that was there, or none. Conditions see the boundary that is asked for; of one
/// that is taken away they see the one that was there.
async fn put(context: &Context, holder: Holder, boundary: Option<Arn>) -> Result<(), Failure> {
    let allowed = holder::authorize_with(context, &holder, |it| asked(it, boundary.as_ref())).await?;
    holder::modifiable(allowed.resource())?;
    let mut tx = allowed.begin().await?;
    require_there(&mut tx, context, boundary.as_ref()).await?;
    let had = match &holder {
        Holder::User(_) => {
            let user = user::find(&mut tx, context, &allowed, &holder).await?;
            let had = user.boundary.is_some();
            tx.update_user(&User { boundary: boundary.clone(), ..user }).await?;
            had
        }
        Holder::Role(_) => {
            let role = role::find(&mut tx, context, &allowed, &holder).await?;
            let had = role.boundary.is_some();
            tx.update_role(&Role { boundary: boundary.clone(), ..role }).await?;
            had
        }
        Holder::Root | Holder::Group(_) => false,
    };
    if boundary.is_none() && !had {
        let (kind, name) = (holder.kind(), holder.name());
        return Err(no_such(format!("The {kind} with name {name} has no permissions boundary.")));
    }
    Ok(allowed.commit(tx).await?)
}

/// The boundary that a request asks for, as conditions see it.
pub(super) fn asked(conditions: Conditions, boundary: Option<&Arn>) -> Conditions {
    match boundary {
        Some(boundary) => conditions.with("iam:PermissionsBoundary", boundary.as_str()),
        None => conditions,
    }
}

/// Sees that the policy that is to bound is there.
///
/// # Errors
/// `NoSuchEntity` when it is not.
pub(super) async fn require_there(
    tx: &mut Tx,
    context: &Context,
    boundary: Option<&Arn>,
) -> Result<(), Failure> {
    match boundary {
        Some(boundary) => find_near(tx, context, boundary).await.map(|_| ()),
        None => Ok(()),
    }
}

/// A boundary as answers carry it.
pub(super) fn wire(boundary: Option<&Arn>) -> Option<AttachedPermissionsBoundary> {
    boundary.map(|boundary| AttachedPermissionsBoundary {
        permissions_boundary_type: Some(PermissionsBoundaryAttachmentType::PermissionsBoundaryPolicy),
        permissions_boundary_arn: Some(boundary.to_string()),
    })
}
