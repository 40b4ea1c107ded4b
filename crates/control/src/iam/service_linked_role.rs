//! Service-linked roles: a service says what they are, and an account can only make them and take them away.

use aws_shapes::iam::{
    CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse, DeleteServiceLinkedRoleRequest,
    DeleteServiceLinkedRoleResponse, DeletionTaskStatusType, GetServiceLinkedRoleDeletionStatusRequest,
    GetServiceLinkedRoleDeletionStatusResponse, ServiceLinkedRoleOperations,
};
use domain::{Arn, Document, Holder, Role};
use store::StoreError;

use super::role::describe;
use super::{Iam, holder, invalid_input, no_such};
use crate::context::Context;
use crate::fault::Failure;

/// The path of all service-linked roles.
pub(super) const OF_SERVICES: &str = "/aws-service-role/";

/// The services that have one here, with the role's name (developer guide, "Service-linked roles").
const SERVICES: [(&str, &str); 2] = [
    ("network.bedrock-agentcore.amazonaws.com", "AWSServiceRoleForBedrockAgentCoreNetwork"),
    ("runtime-identity.bedrock-agentcore.amazonaws.com", "AWSServiceRoleForBedrockAgentCoreRuntimeIdentity"),
];

impl ServiceLinkedRoleOperations<Context> for Iam {
    type Error = Failure;

    async fn create_service_linked_role(
        &self,
        context: &Context,
        input: CreateServiceLinkedRoleRequest,
    ) -> Result<CreateServiceLinkedRoleResponse, Failure> {
        let service = input.aws_service_name;
        let path = format!("{OF_SERVICES}{service}/");
        let known = SERVICES.iter().find(|(known, _)| *known == service);
        let name = known.map_or("*", |(_, name)| *name);
        let arn = Arn::iam(&context.scope.account, &format!("role{path}{name}"));
        let allowed = context.authorize_with(&arn, |it| it.with("iam:AWSServiceName", service.as_str()))?;
        if known.is_none() || input.custom_suffix.is_some() {
            return Err(invalid_input(match known {
                None => format!("The service {service} has no service-linked role here."),
                Some(_) => format!("Custom suffix is not allowed for {service}"),
            }));
        }
        let role = Role {
            account: context.scope.account.clone(),
            id: Role::mint_id(&*context.setup().random),
            description: input.description.filter(|text| !text.is_empty()),
            trust_policy: trust(&service),
            max_session_seconds: 3_600,
            created_at: context.now,
            tags: std::collections::BTreeMap::new(),
            boundary: None,
            name: name.to_owned(),
            path,
        };
        let mut tx = allowed.begin().await?;
        tx.insert_role(&role).await.map_err(|error| match error {
            StoreError::Exists => invalid_input(format!(
                "Service role name {name} has been taken in this account, please try a different suffix."
            )),
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CreateServiceLinkedRoleResponse { role: Some(describe(role)) })
    }

    /// Nothing here uses such a role while it is taken away, so that it is gone with the answer.
    async fn delete_service_linked_role(
        &self,
        context: &Context,
        input: DeleteServiceLinkedRoleRequest,
    ) -> Result<DeleteServiceLinkedRoleResponse, Failure> {
        let holder = Holder::Role(input.role_name);
        let allowed = holder::authorize(context, &holder).await?;
        let mut tx = allowed.begin().await?;
        holder::require(&mut tx, context, &allowed, &holder).await?;
        if holder::modifiable(allowed.resource()).is_ok() {
            return Err(invalid_input(format!("{} is no service-linked role.", holder.name())));
        }
        tx.delete_role(&context.scope.account, holder.name()).await?;
        let resource = allowed.resource().resource().strip_prefix("role/").unwrap_or_default();
        let id = domain::uuid(&*context.setup().random);
        let deletion_task_id = format!("task/{resource}/{id}");
        allowed.commit(tx).await?;
        Ok(DeleteServiceLinkedRoleResponse { deletion_task_id })
    }

    async fn get_service_linked_role_deletion_status(
        &self,
        context: &Context,
        input: GetServiceLinkedRoleDeletionStatusRequest,
    ) -> Result<GetServiceLinkedRoleDeletionStatusResponse, Failure> {
        let task = &input.deletion_task_id;
        let resource =
            task.strip_prefix("task/").and_then(|rest| rest.rsplit_once('/')).map(|(role, _)| role);
        let known = resource.filter(|role| format!("/{role}").starts_with(OF_SERVICES));
        let name = known.and_then(|role| role.rsplit('/').next()).unwrap_or_default();
        let arn = Arn::iam(&context.scope.account, &format!("role/{}", known.unwrap_or("*")));
        let allowed = context.authorize(&arn)?;
        let is_known = SERVICES.iter().any(|(_, of_service)| *of_service == name);
        if !is_known || allowed.read().await?.role(&context.scope.account, name).await?.is_some() {
            return Err(no_such(format!("Deletion task {task} cannot be found.")));
        }
        Ok(GetServiceLinkedRoleDeletionStatusResponse {
            status: DeletionTaskStatusType::Succeeded,
            reason: None,
        })
    }
}

fn trust(service: &str) -> Document {
    Document(format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
    ))
}
