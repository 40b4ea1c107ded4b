//! Functions: made, shown, listed, deleted. Nothing is built and nothing is waited for, so a function is active when it
//! is made.

use aws::Fault;
use aws_shapes::lambda::{
    CreateFunctionRequest, DeleteFunctionRequest, DeleteFunctionResponse, FunctionCodeLocation,
    FunctionConfiguration, FunctionOperations, GetFunctionConfigurationRequest, GetFunctionRequest,
    GetFunctionResponse, InvocationRequest, InvocationResponse, ListFunctionsRequest, ListFunctionsResponse,
    UpdateFunctionCodeRequest, UpdateFunctionConfigurationRequest,
};
use domain::{Arn, Function, LATEST, RequestId, Timestamp, version_number};
use store::{Page, StoreError, Tx};

use super::describe::describe;
use super::settings::{Settings, inspect};
use super::version::publish;
use super::{Lambda, find, find_whole, invalid, invoke, read_name, read_qualified, update};
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
        let to_publish = input.publish == Some(true);
        let settings = Settings::read(input)?;
        let allowed = context.authorize(&Arn::function(&name.scope, &name.name))?;
        roles::require_pass_role(context, &settings.role, roles::LAMBDA)?;
        let archive = settings.code.archive(context).await?;
        let digest = inspect(archive.clone()).await?;
        let mut function = Function {
            name: name.name,
            scope: name.scope,
            version: LATEST.to_owned(),
            last_version: 0,
            description: settings.description,
            runtime: settings.runtime,
            handler: settings.handler,
            role: settings.role,
            timeout_seconds: settings.timeout_seconds,
            memory_mib: settings.memory_mib,
            code_sha256: digest.to_base64(),
            code_size: u64::try_from(archive.len()).unwrap_or(u64::MAX),
            updated_at: context.now,
            revision_id: RequestId::mint(&*context.setup().random).to_string(),
            revision: 1,
        };
        let mut tx = allowed.begin().await?;
        check_free(&mut tx, &function).await?;
        check_role(&mut tx, &function, context.now).await?;
        let environment = settings.environment;
        tx.insert_function(&function, &environment, &archive).await.map_err(|error| match error {
            StoreError::Exists => exists(&function.name),
            error => error.into(),
        })?;
        let published = match to_publish {
            true => Some(publish(context, &mut tx, &mut function, &environment, None).await?),
            false => None,
        };
        allowed.commit(tx).await?;
        context.setup().functions.forget(&function.scope, &function.name);
        let shown = published.unwrap_or(function);
        Ok(describe(&shown, &shown.qualified_arn(), environment))
    }

    /// There is no URL to fetch the code from, so nothing is said about where it is.
    async fn get_function(
        &self,
        context: &Context,
        input: GetFunctionRequest,
    ) -> Result<GetFunctionResponse, Failure> {
        let found = find(context, &input.function_name, input.qualifier.as_deref()).await?;
        let mut tx = found.allowed.read().await?;
        let function = &found.function.function;
        let environment = tx.function_environment(function).await?;
        Ok(GetFunctionResponse {
            configuration: Some(describe(function, &found.name.arn(), environment)),
            code: Some(FunctionCodeLocation::default()),
        })
    }

    async fn get_function_configuration(
        &self,
        context: &Context,
        input: GetFunctionConfigurationRequest,
    ) -> Result<FunctionConfiguration, Failure> {
        let found = find(context, &input.function_name, input.qualifier.as_deref()).await?;
        let mut tx = found.allowed.read().await?;
        let function = &found.function.function;
        let environment = tx.function_environment(function).await?;
        Ok(describe(function, &found.name.arn(), environment))
    }

    async fn update_function_code(
        &self,
        context: &Context,
        input: UpdateFunctionCodeRequest,
    ) -> Result<FunctionConfiguration, Failure> {
        update::code(context, input).await
    }

    async fn update_function_configuration(
        &self,
        context: &Context,
        input: UpdateFunctionConfigurationRequest,
    ) -> Result<FunctionConfiguration, Failure> {
        update::configuration(context, input).await
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
            let environment = tx.function_environment(&function).await?;
            functions.push(describe(&function, &function.arn(), environment));
        }
        Ok(ListFunctionsResponse { next_marker, functions: Some(functions) })
    }

    async fn delete_function(
        &self,
        context: &Context,
        input: DeleteFunctionRequest,
    ) -> Result<DeleteFunctionResponse, Failure> {
        let name = read_qualified(&input.function_name, input.qualifier.as_deref(), &context.scope)?;
        if let Some(qualifier) = &name.qualifier {
            let number = version_number(qualifier).ok_or_else(|| match qualifier.as_str() {
                LATEST => invalid("$LATEST version cannot be deleted without deleting the function."),
                alias => invalid(format!("{alias} is no version. An alias is deleted with DeleteAlias.")),
            })?;
            delete_version(context, &name.arn(), number).await?;
            return Ok(DeleteFunctionResponse { status_code: Some(204) });
        }
        let found = find_whole(context, &input.function_name).await?;
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

/// Deletes a version that no alias means.
async fn delete_version(context: &Context, version: &Arn, number: i64) -> Result<(), Failure> {
    let found = find(context, version.as_str(), None).await?;
    let mut tx = found.allowed.begin().await?;
    let Function { scope, name, version, .. } = found.present(&mut tx).await?;
    let aliases = tx.function_aliases(&scope, &name, Page::ALL).await?;
    let referring: Vec<_> = aliases
        .into_iter()
        .filter(|alias| {
            alias.version == version || alias.beside.as_ref().is_some_and(|other| other.version == version)
        })
        .map(|alias| alias.name)
        .collect();
    if !referring.is_empty() {
        let referring = referring.join(", ");
        let message =
            format!("Unable to delete version because the following aliases reference it: [{referring}]");
        return Err(Fault::new("ResourceConflictException", message).into());
    }
    tx.delete_function_version(&scope, &name, number).await?;
    found.allowed.commit(tx).await?;
    context.setup().functions.retire(&scope, &name);
    Ok(())
}

/// Sees that there is room for a new function, and none of its name.
async fn check_free(tx: &mut Tx, function: &Function) -> Result<(), Failure> {
    if tx.function(&function.scope, &function.name).await?.is_some() {
        return Err(exists(&function.name));
    }
    check_room(tx, function).await
}

/// Sees that there is room for the code of a function or a version that comes to those that are there, or that takes
/// the place of the function of its name.
pub(super) async fn check_room(tx: &mut Tx, function: &Function) -> Result<(), Failure> {
    let others = tx.functions(&function.scope, Page::ALL).await?;
    let others = others.iter().filter(|other| function.number().is_some() || other.name != function.name);
    let versions = tx.all_function_versions(&function.scope).await?;
    let together: u64 = others.chain(&versions).chain([function]).map(|function| function.code_size).sum();
    if together > MAX_CODE_BYTES {
        return Err(Fault::new("CodeStorageExceededException", "Code storage limit exceeded.").into());
    }
    Ok(())
}

/// Sees that Lambda may assume a function's role on its behalf.
pub(super) async fn check_role(tx: &mut Tx, function: &Function, now: Timestamp) -> Result<(), Failure> {
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
