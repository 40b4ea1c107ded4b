//! Everything that an account has in IAM, in one list.

use aws_shapes::iam::{
    AccountOperations, AttachedPolicy, EntityType, GetAccountAuthorizationDetailsRequest,
    GetAccountAuthorizationDetailsResponse, GroupDetail, ManagedPolicyDetail, PolicyDetail, RoleDetail,
    UserDetail,
};
use domain::{Arn, Group, Holder, ManagedPolicy, Role, User};
use store::{Page, Tx};

use super::document::encoded;
use super::listing::Listing;
use super::managed_policy::Uses;
use super::policy_version::{describe as describe_version, version_id};
use super::{Iam, boundary, tags};
use crate::context::Context;
use crate::fault::Failure;

/// One of an account's users, groups, roles and policies.
enum Entity {
    User(User),
    Group(Group),
    Role(Role),
    Policy(ManagedPolicy),
}

impl AccountOperations<Context> for Iam {
    type Error = Failure;

    async fn get_account_authorization_details(
        &self,
        context: &Context,
        input: GetAccountAuthorizationDetailsRequest,
    ) -> Result<GetAccountAuthorizationDetailsResponse, Failure> {
        let account = &context.scope.account;
        let allowed = context.authorize_without_resource(&Arn::iam(account, "root"))?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let filter = input.filter.unwrap_or_default();
        let wanted = |kind: EntityType| filter.is_empty() || filter.contains(&kind);
        let mut tx = allowed.read().await?;
        let mut all = Vec::new();
        if wanted(EntityType::User) {
            all.extend(tx.users(account, Page::ALL).await?.into_iter().map(Entity::User));
        }
        if wanted(EntityType::Group) {
            all.extend(tx.groups(account, Page::ALL).await?.into_iter().map(Entity::Group));
        }
        if wanted(EntityType::Role) {
            all.extend(tx.roles(account, Page::ALL).await?.into_iter().map(Entity::Role));
        }
        for (kind, owner) in
            [(EntityType::LocalManagedPolicy, Some(account)), (EntityType::AwsManagedPolicy, None)]
        {
            if wanted(kind) {
                all.extend(tx.managed_policies(owner, Page::ALL).await?.into_iter().map(Entity::Policy));
            }
        }
        let page = listing.page(all, Entity::key);
        let (mut users, mut groups, mut roles, mut policies) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for entity in page.items {
            match entity {
                Entity::User(user) => users.push(of_user(&mut tx, context, user).await?),
                Entity::Group(group) => groups.push(of_group(&mut tx, context, group).await?),
                Entity::Role(role) => roles.push(of_role(&mut tx, context, role).await?),
                Entity::Policy(policy) => policies.push(of_policy(&mut tx, context, policy).await?),
            }
        }
        Ok(GetAccountAuthorizationDetailsResponse {
            user_detail_list: Some(users),
            group_detail_list: Some(groups),
            role_detail_list: Some(roles),
            policies: Some(policies),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

impl Entity {
    fn key(&self) -> String {
        match self {
            Self::User(user) => format!("1 {}", user.name.to_lowercase()),
            Self::Group(group) => format!("2 {}", group.name.to_lowercase()),
            Self::Role(role) => format!("3 {}", role.name.to_lowercase()),
            Self::Policy(policy) => format!("4 {}", policy.arn),
        }
    }
}

async fn of_user(tx: &mut Tx, context: &Context, user: User) -> Result<UserDetail, Failure> {
    let groups = tx.groups_of(&context.scope.account, &user.name).await?;
    let (inline, attached) = held(tx, context, &Holder::User(user.name.clone())).await?;
    Ok(UserDetail {
        arn: Some(user.arn().into()),
        path: Some(user.path),
        user_name: Some(user.name),
        user_id: Some(user.id),
        create_date: Some(user.created_at),
        user_policy_list: Some(inline),
        group_list: Some(groups.into_iter().map(|group| group.name).collect()),
        attached_managed_policies: Some(attached),
        permissions_boundary: boundary::wire(user.boundary.as_ref()),
        tags: tags::wire(&user.tags),
    })
}

async fn of_group(tx: &mut Tx, context: &Context, group: Group) -> Result<GroupDetail, Failure> {
    let (inline, attached) = held(tx, context, &Holder::Group(group.name.clone())).await?;
    Ok(GroupDetail {
        arn: Some(group.arn().into()),
        path: Some(group.path),
        group_name: Some(group.name),
        group_id: Some(group.id),
        create_date: Some(group.created_at),
        group_policy_list: Some(inline),
        attached_managed_policies: Some(attached),
    })
}

async fn of_role(tx: &mut Tx, context: &Context, role: Role) -> Result<RoleDetail, Failure> {
    let (inline, attached) = held(tx, context, &Holder::Role(role.name.clone())).await?;
    Ok(RoleDetail {
        arn: Some(role.arn().into()),
        path: Some(role.path),
        role_name: Some(role.name),
        role_id: Some(role.id),
        create_date: Some(role.created_at),
        assume_role_policy_document: Some(encoded(&role.trust_policy)),
        role_policy_list: Some(inline),
        attached_managed_policies: Some(attached),
        permissions_boundary: boundary::wire(role.boundary.as_ref()),
        tags: tags::wire(&role.tags),
    })
}

async fn of_policy(
    tx: &mut Tx,
    context: &Context,
    policy: ManagedPolicy,
) -> Result<ManagedPolicyDetail, Failure> {
    let uses = Uses::of(tx, context, &policy.arn).await?;
    let versions = policy.all_versions();
    Ok(ManagedPolicyDetail {
        policy_version_list: Some(
            versions.iter().map(|version| describe_version(&policy, version)).collect(),
        ),
        policy_name: Some(policy.name),
        policy_id: Some(policy.id),
        arn: Some(policy.arn.into()),
        path: Some(policy.path),
        default_version_id: Some(version_id(policy.version)),
        attachment_count: Some(uses.attachments),
        permissions_boundary_usage_count: Some(uses.boundaries),
        is_attachable: Some(true),
        description: policy.description,
        create_date: Some(policy.created_at),
        update_date: Some(policy.updated_at.unwrap_or(policy.created_at)),
    })
}

async fn held(
    tx: &mut Tx,
    context: &Context,
    holder: &Holder,
) -> Result<(Vec<PolicyDetail>, Vec<AttachedPolicy>), Failure> {
    let account = &context.scope.account;
    let inline = tx.inline_policies(account, holder).await?.into_iter().map(|(name, document)| {
        PolicyDetail { policy_name: Some(name), policy_document: Some(encoded(&document)) }
    });
    let inline = inline.collect();
    let attached = tx
        .attached_policies(account, holder)
        .await?
        .into_iter()
        .map(|policy| AttachedPolicy { policy_name: Some(policy.name), policy_arn: Some(policy.arn.into()) });
    Ok((inline, attached.collect()))
}
