//! Functions. Nothing is built and nothing is waited for, so a function is active when it is made.

use std::collections::BTreeMap;

use aws::Fault;
use aws_shapes::lambda::{
    CreateFunctionRequest, DeleteFunctionRequest, DeleteFunctionResponse, EnvironmentResponse,
    FunctionCodeLocation, FunctionConfiguration, FunctionOperations, GetFunctionRequest, GetFunctionResponse,
    InvocationRequest, InvocationResponse, LastUpdateStatus, ListFunctionsRequest, ListFunctionsResponse,
    PackageType, State,
};
use domain::{Arn, Function, RequestId, Secret, Timestamp};
use serde_json::Value;
use store::{Page, StoreError, Tx};

use super::settings::{Settings, architecture, inspect};
use super::{LATEST, Lambda, find, invalid, invoke, read_name};
use crate::context::Context;
use crate::fault::Failure;
use crate::paging::Paging;
use crate::roles;

/// How many functions a page has at most, whatever the caller says (API reference, ListFunctions).
const PAGE: i64 = 50;
/// How many bytes the archives of an account may have together in a region ("Lambda quotas": 75 GB).
const MAX_CODE_BYTES: u64 = 75 * 1024 * 1024 * 1024;
/// The longest name ("FunctionName": 64 characters without what an ARN adds to it).
const MAX_NAME: usize = 64;

impl FunctionOperations<Context> for Lambda {
    type Error = Failure;

    async fn create_function(
        &self,
        context: &Context,
        input: CreateFunctionRequest,
    ) -> Result<FunctionConfiguration, Failure> {
        let name = read_name(&input.function_name, &context.scope)?;
        if name.qualifier.is_some() || name.name.len() > MAX_NAME {
            return Err(invalid(format!(
                "A new function is named without a version, in at most {MAX_NAME} characters."
            )));
        }
        let settings = Settings::read(input)?;
        let allowed = context.authorize(&Arn::function(&name.scope, &name.name))?;
        roles::require_pass_role(context, &settings.role, roles::LAMBDA)?;
        let digest = inspect(settings.archive.clone()).await?;
        let function = Function {
            name: name.name,
            scope: name.scope,
            description: settings.description,
            runtime: settings.runtime,
            handler: settings.handler,
            role: settings.role,
            timeout_seconds: settings.timeout_seconds,
            memory_mib: settings.memory_mib,
            code_sha256: digest.to_base64(),
            code_size: u64::try_from(settings.archive.len()).unwrap_or(u64::MAX),
            updated_at: context.now,
            revision_id: RequestId::mint(&*context.setup().random).to_string(),
            revision: 1,
        };
        let mut tx = allowed.begin().await?;
        check_free(&mut tx, &function).await?;
        check_role(&mut tx, &function, context.now).await?;
        let environment = settings.environment;
        tx.insert_function(&function, &environment, &settings.archive).await.map_err(
            |error| match error {
                StoreError::Exists => exists(&function.name),
                error => error.into(),
            },
        )?;
        allowed.commit(tx).await?;
        context.setup().functions.forget(&function.scope, &function.name);
        Ok(describe(&function, environment))
    }

    /// There is no URL to fetch the code from, so nothing is said about where it is.
    async fn get_function(
        &self,
        context: &Context,
        input: GetFunctionRequest,
    ) -> Result<GetFunctionResponse, Failure> {
        let found = find(context, &input.function_name, input.qualifier.as_deref()).await?;
        let mut tx = found.allowed.read().await?;
        let function = found.present(&mut tx).await?;
        let environment = tx.function_environment(&function.scope, &function.name).await?;
        Ok(GetFunctionResponse {
            configuration: Some(describe(&function, environment)),
            code: Some(FunctionCodeLocation::default()),
        })
    }

    async fn list_functions(
        &self,
        context: &Context,
        input: ListFunctionsRequest,
    ) -> Result<ListFunctionsResponse, Failure> {
        let allowed = context.authorize_without_resource(&Arn::function(&context.scope, "*"))?;
        let size = input.max_items.unwrap_or(PAGE).min(PAGE);
        let paging = Paging::new(input.marker.as_deref(), Some(size), 0).ok_or_else(|| {
            invalid("Marker is not a marker of this list. Use the one that the page before returned.")
        })?;
        let mut tx = allowed.read().await?;
        let found = tx.functions(&context.scope, paging.page()).await?;
        let (found, next_marker) = paging.cut(found, |function| function.name.clone());
        let mut functions = Vec::with_capacity(found.len());
        for function in found {
            let environment = tx.function_environment(&function.scope, &function.name).await?;
            functions.push(describe(&function, environment));
        }
        Ok(ListFunctionsResponse { next_marker, functions: Some(functions) })
    }

    async fn delete_function(
        &self,
        context: &Context,
        input: DeleteFunctionRequest,
    ) -> Result<DeleteFunctionResponse, Failure> {
        let name = read_name(&input.function_name, &context.scope)?;
        if name.qualifier.as_deref() == Some(LATEST) {
            return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
        }
        let found = find(context, &input.function_name, None).await?;
        let mut tx = found.allowed.begin().await?;
        let function = found.present(&mut tx).await?;
        tx.delete_function(&function.scope, &function.name).await?;
        found.allowed.commit(tx).await?;
        context.setup().functions.retire(&function.scope, &function.name);
        Ok(DeleteFunctionResponse { status_code: Some(204) })
    }

    async fn invoke(
        &self,
        context: &Context,
        input: InvocationRequest,
    ) -> Result<InvocationResponse, Failure> {
        invoke::invoke(context, input).await
    }
}

/// Sees that there is room for a new function, and none of its name.
async fn check_free(tx: &mut Tx, function: &Function) -> Result<(), Failure> {
    if tx.function(&function.scope, &function.name).await?.is_some() {
        return Err(exists(&function.name));
    }
    let present = tx.functions(&function.scope, Page::ALL).await?;
    let together: u64 = present.iter().chain([function]).map(|function| function.code_size).sum();
    if together > MAX_CODE_BYTES {
        return Err(Fault::new("CodeStorageExceededException", "Code storage limit exceeded.").into());
    }
    Ok(())
}

/// Sees that Lambda may assume a function's role on its behalf.
async fn check_role(tx: &mut Tx, function: &Function, now: Timestamp) -> Result<(), Failure> {
    let role = roles::find(tx, &function.scope.account, &function.role).await?;
    if role.is_some_and(|role| roles::trusts(&role, roles::LAMBDA, &function.arn(), now)) {
        return Ok(());
    }
    Err(invalid(NOT_ASSUMED))
}

/// What Lambda says when it may not assume a role; the toolkit waits for this text to go away.
pub(super) const NOT_ASSUMED: &str = "The role defined for the function cannot be assumed by Lambda.";

fn exists(name: &str) -> Failure {
    Fault::new("ResourceConflictException", format!("Function already exist: {name}")).into()
}

fn describe(function: &Function, environment: BTreeMap<String, Secret>) -> FunctionConfiguration {
    let variables: BTreeMap<_, _> =
        environment.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect();
    FunctionConfiguration {
        function_name: Some(function.name.clone()),
        function_arn: Some(function.arn().into()),
        runtime: serde_json::from_value(Value::String(function.runtime.to_string())).ok(),
        role: Some(function.role.to_string()),
        handler: Some(function.handler.clone()),
        code_size: i64::try_from(function.code_size).ok(),
        description: Some(function.description.clone()),
        timeout: Some(i64::from(function.timeout_seconds)),
        memory_size: Some(i64::from(function.memory_mib)),
        last_modified: Some(last_modified(function.updated_at)),
        code_sha256: Some(function.code_sha256.clone()),
        version: Some(LATEST.to_owned()),
        environment: (!variables.is_empty()).then_some(EnvironmentResponse { variables: Some(variables) }),
        revision_id: Some(function.revision_id.clone()),
        state: Some(State::Active),
        last_update_status: Some(LastUpdateStatus::Successful),
        package_type: Some(PackageType::Zip),
        architectures: architecture().map(|own| vec![own]),
    }
}

/// A moment in Lambda's form: `2026-11-21T09:30:00.000+0000`.
fn last_modified(moment: Timestamp) -> String {
    moment.to_string().replace('Z', "+0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_lambdas_form() {
        assert_eq!(last_modified(Timestamp::from_millis(1_763_717_400_123)), "2025-11-21T09:30:00.123+0000");
    }
}
