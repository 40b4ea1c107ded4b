//! What a function's name means: `$LATEST`, a published version, or the version or versions of an alias.
//!
//! Source: Lambda Developer Guide, "Manage Lambda function versions" and "Create an alias for a Lambda function".

use domain::{Function, LATEST, version_number};
use store::{StoreError, Tx};

use crate::FunctionName;

/// The version that is meant, and of an alias perhaps another beside it.
pub struct Meant {
    /// The version.
    pub function: Function,
    /// Another version and its share of the invocations, from 0 to 1.
    pub beside: Option<(f64, Function)>,
}

/// What a name means at this moment; `None` when there is no such function, version or alias.
///
/// # Errors
/// [`StoreError`] when the store fails.
pub async fn meant(tx: &mut Tx, name: &FunctionName) -> Result<Option<Meant>, StoreError> {
    let (scope, called) = (&name.scope, name.name.as_str());
    let qualifier = name.qualifier.as_deref().unwrap_or(LATEST);
    if qualifier == LATEST || version_number(qualifier).is_some() {
        return Ok(version(tx, name, qualifier).await?.map(|function| Meant { function, beside: None }));
    }
    let Some(alias) = tx.function_alias(scope, called, qualifier).await? else { return Ok(None) };
    let Some(function) = version(tx, name, &alias.version).await? else { return Ok(None) };
    let beside = match alias.beside {
        Some(share) => version(tx, name, &share.version).await?.map(|other| (share.weight, other)),
        None => None,
    };
    Ok(Some(Meant { function, beside }))
}

async fn version(tx: &mut Tx, name: &FunctionName, version: &str) -> Result<Option<Function>, StoreError> {
    match version_number(version) {
        Some(number) => tx.function_version(&name.scope, &name.name, number).await,
        None => tx.function(&name.scope, &name.name).await,
    }
}
