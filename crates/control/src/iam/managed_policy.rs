//! Managed policies: the account's own, and those of AWS that every account has and none can change. Their versions are
//! in `policy_version.rs`.

use ::iam::Context as Conditions;
use aws::Fault;
use aws_shapes::iam::{
    CreatePolicyRequest, CreatePolicyResponse, DeletePolicyRequest, EntityType, GetPolicyRequest,
    GetPolicyResponse, ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse, ListPoliciesRequest,
    ListPoliciesResponse, ManagedPolicyOperations, Policy as WirePolicy, PolicyGroup, PolicyRole,
    PolicyScopeType, PolicyUsageType, PolicyUser,
};
use domain::{Arn, Holder, ManagedPolicy};
use store::{Page, StoreError, Tx};

use super::document::{Kind, compile};
use super::listing::Listing;
use super::policy_version::version_id;
use super::{Iam, NO_PATH, already_exists, delete_conflict, invalid_input, no_such, tags};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// What stands in the place of the account in the ARNs of AWS's policies.
pub(super) const AWS: &str = "aws";

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
            version: ManagedPolicy::FIRST,
            versions: Vec::new(),
            versions_made: ManagedPolicy::FIRST,
            updated_at: None,
            tags: tags::read(input.tags.unwrap_or_default())?,
        };
        let called = format!("policy {}", policy.name);
        let allowed =
            context.authorize_called(&policy.arn, &called, |it| it.requesting_tags(&policy.tags))?;
        let mut tx = allowed.begin().await?;
        tx.insert_managed_policy(account, &policy).await.map_err(|error| match error {
            StoreError::Exists => already_exists(format!(
                "A policy called {} already exists. Duplicate names are not allowed.",
                policy.name
            )),
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CreatePolicyResponse { policy: Some(describe(policy, Uses::default())) })
    }

    async fn get_policy(
        &self,
        context: &Context,
        input: GetPolicyRequest,
    ) -> Result<GetPolicyResponse, Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn).await?;
        let mut tx = allowed.read().await?;
        let policy = tx.managed_policy(&arn).await?.ok_or_else(|| not_found(&arn))?;
        let uses = Uses::of(&mut tx, context, &arn).await?;
        Ok(GetPolicyResponse { policy: Some(describe(policy, uses)) })
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
        let boundaries = boundaries(&mut tx, context).await?;
        let mut counted = Vec::new();
        for owner in owners {
            for policy in tx.managed_policies(*owner, Page::ALL).await? {
                if policy.path.starts_with(prefix) {
                    let uses = Uses::among(&mut tx, context, &boundaries, &policy.arn).await?;
                    counted.push((policy, uses));
                }
            }
        }
        counted.retain(|(_, uses)| match &input.policy_usage_filter {
            Some(PolicyUsageType::PermissionsBoundary) => uses.boundaries > 0,
            Some(PolicyUsageType::PermissionsPolicy) => uses.attachments > 0,
            None => uses.attachments > 0 || input.only_attached != Some(true),
        });
        let page = listing.page(counted, |(policy, _)| key(policy));
        // The description and the tags are only in the answer of GetPolicy, says the API reference.
        let page =
            page.map(|(policy, uses)| WirePolicy { description: None, tags: None, ..describe(policy, uses) });
        Ok(ListPoliciesResponse {
            policies: Some(page.items),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    async fn delete_policy(&self, context: &Context, input: DeletePolicyRequest) -> Result<(), Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn).await?;
        if arn.account() == AWS {
            return Err(outside());
        }
        let account = &context.scope.account;
        let mut tx = allowed.begin().await?;
        let found = tx.managed_policy(&arn).await?;
        if found.is_none() {
            return Err(not_found(&arn));
        }
        let uses = Uses::of(&mut tx, context, &arn).await?;
        if uses.attachments > 0 || uses.boundaries > 0 {
            return Err(delete_conflict("Cannot delete a policy attached to entities."));
        }
        if found.is_none_or(|policy| policy.all_versions().len() > 1) {
            return Err(delete_conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                 versions. The default version is deleted with the policy.",
            ));
        }
        tx.delete_managed_policy(account, &arn).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn list_entities_for_policy(
        &self,
        context: &Context,
        input: ListEntitiesForPolicyRequest,
    ) -> Result<ListEntitiesForPolicyResponse, Failure> {
        let arn = read_near_arn(context, &input.policy_arn)?;
        let allowed = authorize(context, &arn).await?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let mut tx = allowed.read().await?;
        if tx.managed_policy(&arn).await?.is_none() {
            return Err(not_found(&arn));
        }
        let prefix = input.path_prefix.as_deref().unwrap_or(NO_PATH);
        let wanted = |kind: EntityType| input.entity_filter.is_none() || input.entity_filter == Some(kind);
        let as_boundary = input.policy_usage_filter == Some(PolicyUsageType::PermissionsBoundary);
        let as_policy = input.policy_usage_filter != Some(PolicyUsageType::PermissionsBoundary);
        let bounds = |boundary: Option<&Arn>| {
            input.policy_usage_filter != Some(PolicyUsageType::PermissionsPolicy) && boundary == Some(&arn)
        };
        let account = &context.scope.account;
        let attached = if as_policy { tx.attached_to(account, &arn).await? } else { Vec::new() };
        let holds = |holder: Holder| attached.contains(&holder);
        let mut found = Vec::new();
        for group in tx.groups(account, Page::ALL).await? {
            let holds = !as_boundary && holds(Holder::Group(group.name.to_lowercase()));
            if wanted(EntityType::Group) && holds && group.path.starts_with(prefix) {
                found.push(Entity::Group(group.name, group.id));
            }
        }
        for role in tx.roles(account, Page::ALL).await? {
            let holds = bounds(role.boundary.as_ref()) || holds(Holder::Role(role.name.to_lowercase()));
            if wanted(EntityType::Role) && holds && role.path.starts_with(prefix) {
                found.push(Entity::Role(role.name, role.id));
            }
        }
        for user in tx.users(account, Page::ALL).await? {
            let holds = bounds(user.boundary.as_ref()) || holds(Holder::User(user.name.to_lowercase()));
            if wanted(EntityType::User) && holds && user.path.starts_with(prefix) {
                found.push(Entity::User(user.name, user.id));
            }
        }
        let page = listing.page(found, Entity::key);
        let (mut policy_groups, mut policy_roles, mut policy_users) = (Vec::new(), Vec::new(), Vec::new());
        for entity in page.items {
            match entity {
                Entity::Group(name, id) => {
                    policy_groups.push(PolicyGroup { group_name: Some(name), group_id: Some(id) });
                }
                Entity::Role(name, id) => {
                    policy_roles.push(PolicyRole { role_name: Some(name), role_id: Some(id) });
                }
                Entity::User(name, id) => {
                    policy_users.push(PolicyUser { user_name: Some(name), user_id: Some(id) });
                }
            }
        }
        Ok(ListEntitiesForPolicyResponse {
            policy_groups: Some(policy_groups),
            policy_users: Some(policy_users),
            policy_roles: Some(policy_roles),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

/// Who has a policy: its name and its id.
enum Entity {
    Group(String, String),
    Role(String, String),
    User(String, String),
}

impl Entity {
    fn key(&self) -> String {
        match self {
            Self::Group(name, _) => format!("group {}", name.to_lowercase()),
            Self::Role(name, _) => format!("role {}", name.to_lowercase()),
            Self::User(name, _) => format!("user {}", name.to_lowercase()),
        }
    }
}

/// To how many a policy is attached, and how many it bounds.
#[derive(Clone, Copy, Default)]
pub(super) struct Uses {
    pub(super) attachments: i64,
    pub(super) boundaries: i64,
}

impl Uses {
    pub(super) async fn of(tx: &mut Tx, context: &Context, arn: &Arn) -> Result<Self, Failure> {
        let boundaries = boundaries(tx, context).await?;
        Self::among(tx, context, &boundaries, arn).await
    }

    /// The same, where the boundaries of the account were read before.
    async fn among(tx: &mut Tx, context: &Context, boundaries: &[Arn], arn: &Arn) -> Result<Self, Failure> {
        let bounded = boundaries.iter().filter(|boundary| *boundary == arn).count();
        Ok(Self {
            attachments: tx.count_attachments(&context.scope.account, arn).await?,
            boundaries: i64::try_from(bounded).unwrap_or(i64::MAX),
        })
    }
}

/// The boundary of every user and role that has one.
async fn boundaries(tx: &mut Tx, context: &Context) -> Result<Vec<Arn>, Failure> {
    let account = &context.scope.account;
    let users = tx.users(account, Page::ALL).await?.into_iter().filter_map(|user| user.boundary);
    let of_users: Vec<_> = users.collect();
    let of_roles = tx.roles(account, Page::ALL).await?.into_iter().filter_map(|role| role.boundary);
    Ok(of_users.into_iter().chain(of_roles).collect())
}

/// Decides about a managed policy, and calls it in a refusal what IAM does.
pub(super) async fn authorize<'a>(context: &'a Context, arn: &Arn) -> Result<Authorized<'a>, Failure> {
    authorize_with(context, arn, |conditions| conditions).await
}

/// The same, with condition keys of the operation's own.
pub(super) async fn authorize_with<'a>(
    context: &'a Context,
    arn: &Arn,
    conditions: impl FnOnce(Conditions) -> Conditions,
) -> Result<Authorized<'a>, Failure> {
    let found = context.setup().store.read().await?.managed_policy(arn).await?;
    let tags = found.map(|policy| policy.tags).unwrap_or_default();
    context.authorize_called(arn, &format!("policy {arn}"), |known| {
        conditions(known.with_tags("aws:ResourceTag", &tags).with_tags("iam:ResourceTag", &tags))
    })
}

/// The ARN of a managed policy, of whomever.
pub(crate) fn read_arn(text: &str) -> Result<Arn, Failure> {
    let arn = Arn::parse(text).ok();
    let arn = arn.filter(|arn| arn.service() == "iam" && arn.resource().starts_with("policy/"));
    arn.ok_or_else(|| invalid_input(format!("ARN {text} is not valid.")))
}

/// The ARN of a managed policy of the caller's account, or of AWS's.
pub(super) fn read_near_arn(context: &Context, text: &str) -> Result<Arn, Failure> {
    let arn = read_arn(text)?;
    let near = [context.scope.account.as_str(), AWS].contains(&arn.account());
    if near { Ok(arn) } else { Err(outside()) }
}

pub(super) fn outside() -> Failure {
    Fault::new("AccessDenied", "Policy is outside your own account.").with_status(403).into()
}

pub(super) fn not_found(arn: &Arn) -> Failure {
    no_such(format!("Policy {arn} was not found."))
}

/// What orders policies in lists. An account's policy may have the name of one of AWS's.
pub(super) fn key(policy: &ManagedPolicy) -> String {
    format!("{} {}", policy.arn.account(), policy.name.to_lowercase())
}

/// A managed policy that a request names, if it is the account's or AWS's.
///
/// # Errors
/// `NoSuchEntity` when there is none.
pub(super) async fn find_near(tx: &mut Tx, context: &Context, arn: &Arn) -> Result<ManagedPolicy, Failure> {
    let near = [context.scope.account.as_str(), AWS].contains(&arn.account());
    let found = if near { tx.managed_policy(arn).await? } else { None };
    found.ok_or_else(|| no_such(format!("Policy {arn} does not exist or is not attachable.")))
}

fn describe(policy: ManagedPolicy, uses: Uses) -> WirePolicy {
    WirePolicy {
        permissions_boundary_usage_count: Some(uses.boundaries),
        tags: tags::wire(&policy.tags),
        default_version_id: Some(version_id(policy.version)),
        policy_name: Some(policy.name),
        policy_id: Some(policy.id),
        arn: Some(policy.arn.into()),
        path: Some(policy.path),
        attachment_count: Some(uses.attachments),
        is_attachable: Some(true),
        description: policy.description,
        create_date: Some(policy.created_at),
        update_date: Some(policy.updated_at.unwrap_or(policy.created_at)),
    }
}
