//! AWS Lambda: functions, their versions and aliases, invoking them, and who may.
//!
//! A function may be named by name, by `account:function:name` or by ARN, each with a version or an alias behind it, and
//! one of another account may be called if both sides allow it: the resource policy of what is named (a function, a
//! version or an alias) is heard in every decision about it.

mod alias;
mod code;
mod describe;
mod function;
mod invoke;
mod permission;
mod settings;
mod update;
mod version;

use std::sync::Arc;

use aws::Fault;
use domain::{Function, LATEST, Scope};
use functions::{FunctionName, Prepared, meant};
use store::Tx;

use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// The operations of the service.
pub(crate) struct Lambda;

/// A function, or a version or an alias of one, that a caller named, and that a policy allows the operation on.
struct Found<'a> {
    allowed: Authorized<'a>,
    name: FunctionName,
    function: Arc<Prepared>,
}

/// Finds what a caller named in order to invoke it: as the data plane knows it.
async fn find_to_invoke<'a>(
    context: &'a Context,
    called: &str,
    qualifier: Option<&str>,
) -> Result<Found<'a>, Failure> {
    let name = read_qualified(called, qualifier, &context.scope)?;
    let function = context.setup().functions.find_named(&name).await?;
    decide(context, name, function)
}

/// Finds what a caller named, as it stands in the store.
async fn find<'a>(context: &'a Context, called: &str, qualifier: Option<&str>) -> Result<Found<'a>, Failure> {
    let name = read_qualified(called, qualifier, &context.scope)?;
    let function = context.setup().functions.read(&name).await?.map(Arc::new);
    decide(context, name, function)
}

/// Finds a function that a caller named for an operation that is about all of it.
async fn find_whole<'a>(context: &'a Context, called: &str) -> Result<Found<'a>, Failure> {
    let name = read_name(called, &context.scope)?;
    if name.qualifier.as_deref().is_some_and(|qualifier| qualifier != LATEST) {
        return Err(invalid(format!(
            "{called} names a version or an alias, and this operation is about the function: leave it out."
        )));
    }
    find(context, &FunctionName { qualifier: None, ..name }.arn().to_string(), None).await
}

/// Decides about the operation on what was found. It is looked up before the decision because its resource policy is
/// heard in it; to those who may not know, what does not exist is denied like anything else.
fn decide(context: &Context, name: FunctionName, found: Option<Arc<Prepared>>) -> Result<Found<'_>, Failure> {
    let arn = name.arn();
    let policy = found.as_ref().and_then(|function| function.resource_policy.as_ref());
    let allowed = context.authorize_beside(&arn, policy)?;
    let function = found.ok_or_else(|| not_found(arn.as_str()))?;
    Ok(Found { allowed, name, function })
}

impl Found<'_> {
    /// The function as it is in a transaction: in the state that was decided about.
    async fn present(&self, tx: &mut Tx) -> Result<Function, Failure> {
        let decided = &self.function.function;
        let present = meant(tx, &self.name).await?.ok_or_else(|| not_found(self.name.arn().as_str()))?;
        if present.function.revision_id == decided.revision_id {
            return Ok(present.function);
        }
        let message = format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            self.name.arn()
        );
        Err(Fault::new("ResourceConflictException", message).into())
    }

    /// The name of its resource policy in its function: the version or the alias, or nothing for the function's own.
    fn qualifier(&self) -> &str {
        self.name.qualifier.as_deref().unwrap_or_default()
    }
}

/// What a name and a qualifier mean together.
fn read_qualified(called: &str, qualifier: Option<&str>, own: &Scope) -> Result<FunctionName, Failure> {
    let name = read_name(called, own)?;
    let qualifier = match (name.qualifier.as_deref(), qualifier) {
        (Some(one), Some(other)) if one != other => {
            return Err(invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        (one, other) => one.or(other).map(str::to_owned),
    };
    Ok(FunctionName { qualifier, ..name })
}

/// The function that a name means to a caller.
fn read_name(called: &str, own: &Scope) -> Result<FunctionName, Failure> {
    let name = FunctionName::parse(called, own)
        .ok_or_else(|| invalid(format!("{called} is not the name or the ARN of a function.")))?;
    if name.scope.region == own.region {
        return Ok(name);
    }
    let message =
        format!("Functions from '{}' are not reachable in this region ('{}')", name.scope.region, own.region);
    Err(Fault::new("ResourceNotFoundException", message).into())
}

fn not_found(arn: &str) -> Failure {
    Fault::new("ResourceNotFoundException", format!("Function not found: {arn}")).into()
}

fn invalid(message: impl Into<String>) -> Failure {
    Fault::new("InvalidParameterValueException", message).into()
}

/// Sees that a function is in the state that the caller knows, where the caller says which.
fn check_revision(expected: Option<&str>, present: &str) -> Result<(), Failure> {
    if expected.is_none_or(|expected| expected == present) {
        return Ok(());
    }
    let message = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to \
                   retrieve the latest Revision Id";
    Err(Fault::new("PreconditionFailedException", message).into())
}
