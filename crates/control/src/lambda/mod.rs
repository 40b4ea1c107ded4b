//! AWS Lambda: functions, invoking them, and who may.
//!
//! A function has one version, `$LATEST`. It may be named by name, by `account:function:name` or by ARN, and one of
//! another account may be called if both sides allow it: its resource policy is heard in every decision about it.

mod function;
mod invoke;
mod permission;
mod settings;

use std::sync::Arc;

use aws::Fault;
use domain::{Arn, Function, Scope};
use functions::{FunctionName, Prepared};
use store::Tx;

use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// The operations of the service.
pub(crate) struct Lambda;

/// The only version of every function.
const LATEST: &str = "$LATEST";

/// A function that a caller named, and that a policy allows the operation on.
struct Found<'a> {
    allowed: Authorized<'a>,
    function: Arc<Prepared>,
}

/// Finds the function that a caller named, and decides about the operation on it. The function is looked up before the
/// decision because its resource policy is heard in it; to those who may not know, one that does not exist is denied
/// like any other.
async fn find<'a>(context: &'a Context, called: &str, qualifier: Option<&str>) -> Result<Found<'a>, Failure> {
    let name = read_name(called, &context.scope)?;
    let qualifier = match (name.qualifier.as_deref(), qualifier) {
        (Some(one), Some(other)) if one != other => {
            return Err(invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        (one, other) => one.or(other),
    };
    let arn = Arn::function(&name.scope, &name.name);
    let found = context.setup().functions.find(&name.scope, &name.name).await?;
    let policy = found.as_ref().and_then(|function| function.resource_policy.as_ref());
    let allowed = context.authorize_beside(&arn, policy)?;
    match (found, qualifier) {
        (_, Some(qualifier)) if qualifier != LATEST => Err(not_found(&format!("{arn}:{qualifier}"))),
        (Some(function), _) => Ok(Found { allowed, function }),
        (None, _) => Err(not_found(arn.as_str())),
    }
}

impl Found<'_> {
    /// The function as it is in a transaction: the one that was decided about.
    async fn present(&self, tx: &mut Tx) -> Result<Function, Failure> {
        let decided = &self.function.function;
        let present = tx.function(&decided.scope, &decided.name).await?;
        let present = present.filter(|function| function.revision_id == decided.revision_id);
        present.ok_or_else(|| not_found(decided.arn().as_str()))
    }
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
