//! Changing a function: its code, or how it is run. A change is in force when the answer is given; an invocation that
//! has begun ends with what it began with.

use aws_shapes::lambda::{
    FunctionConfiguration, UpdateFunctionCodeRequest, UpdateFunctionConfigurationRequest,
};
use domain::{Function, RequestId};

use super::code::Source;
use super::describe::describe;
use super::function::{check_role, check_room};
use super::settings::{Changes, check_architectures, inspect};
use super::version::publish;
use super::{check_revision, find_whole};
use crate::context::Context;
use crate::fault::Failure;
use crate::roles;

/// `UpdateFunctionCode`.
pub(super) async fn code(
    context: &Context,
    input: UpdateFunctionCodeRequest,
) -> Result<FunctionConfiguration, Failure> {
    let found = find_whole(context, &input.function_name).await?;
    check_architectures(&input.architectures.unwrap_or_default())?;
    let archive = Source::read(input.zip_file, input.s3_bucket, input.s3_key)?.archive(context).await?;
    let digest = inspect(archive.clone()).await?;
    let mut tx = found.allowed.begin().await?;
    let mut function = found.present(&mut tx).await?;
    check_revision(input.revision_id.as_deref(), &function.revision_id)?;
    let environment = tx.function_environment(&function).await?;
    function.code_sha256 = digest.to_base64();
    function.code_size = u64::try_from(archive.len()).unwrap_or(u64::MAX);
    check_room(&mut tx, &function).await?;
    if input.dry_run == Some(true) {
        return Ok(describe(&function, &function.arn(), environment));
    }
    touch(context, &mut function);
    tx.update_function(&function, &environment, Some(&archive)).await?;
    let published = match input.publish {
        Some(true) => Some(publish(context, &mut tx, &mut function, &environment, None).await?),
        Some(false) | None => None,
    };
    found.allowed.commit(tx).await?;
    context.setup().functions.forget(&function.scope, &function.name);
    let shown = published.unwrap_or(function);
    Ok(describe(&shown, &shown.qualified_arn(), environment))
}

/// `UpdateFunctionConfiguration`.
pub(super) async fn configuration(
    context: &Context,
    input: UpdateFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, Failure> {
    let found = find_whole(context, &input.function_name).await?;
    let revision = input.revision_id.clone();
    let changes = Changes::read(input)?;
    if let Some(role) = &changes.role {
        roles::require_pass_role(context, role, roles::LAMBDA)?;
    }
    let mut tx = found.allowed.begin().await?;
    let mut function = found.present(&mut tx).await?;
    check_revision(revision.as_deref(), &function.revision_id)?;
    let environment = match changes.environment {
        Some(given) => given,
        None => tx.function_environment(&function).await?,
    };
    function.runtime = changes.runtime.unwrap_or(function.runtime);
    function.handler = changes.handler.unwrap_or(function.handler);
    function.description = changes.description.unwrap_or(function.description);
    function.timeout_seconds = changes.timeout_seconds.unwrap_or(function.timeout_seconds);
    function.memory_mib = changes.memory_mib.unwrap_or(function.memory_mib);
    if let Some(role) = changes.role {
        function.role = role;
        check_role(&mut tx, &function, context.now).await?;
    }
    touch(context, &mut function);
    tx.update_function(&function, &environment, None).await?;
    found.allowed.commit(tx).await?;
    context.setup().functions.forget(&function.scope, &function.name);
    Ok(describe(&function, &function.arn(), environment))
}

/// Gives a function a new state. Its time never goes back, because processes of a later state supersede those of an
/// earlier one.
fn touch(context: &Context, function: &mut Function) {
    function.updated_at = context.now.max(function.updated_at);
    function.revision_id = RequestId::mint(&*context.setup().random).to_string();
    function.revision += 1;
}
