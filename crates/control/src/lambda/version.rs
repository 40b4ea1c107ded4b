//! Published versions: copies of `$LATEST` that never change.

use std::collections::BTreeMap;

use aws_shapes::lambda::{
    FunctionConfiguration, ListVersionsByFunctionRequest, ListVersionsByFunctionResponse,
    PublishVersionRequest, VersionOperations,
};
use domain::{Arn, Function, RequestId, Secret};
use store::Tx;

use super::describe::describe;
use super::function::check_room;
use super::{Lambda, check_revision, find_whole, invalid};
use crate::context::Context;
use crate::fault::Failure;
use crate::paging::Paging;

/// How many versions a page has at most, whatever the caller says (API reference, ListVersionsByFunction).
const PAGE: i64 = 50;
/// Where `$LATEST` stands in the list: before all numbers.
const FIRST: &str = "0";

impl VersionOperations<Context> for Lambda {
    type Error = Failure;

    async fn publish_version(
        &self,
        context: &Context,
        input: PublishVersionRequest,
    ) -> Result<FunctionConfiguration, Failure> {
        let found = find_whole(context, &input.function_name).await?;
        let mut tx = found.allowed.begin().await?;
        let mut function = found.present(&mut tx).await?;
        check_revision(input.revision_id.as_deref(), &function.revision_id)?;
        let present = &function.code_sha256;
        if let Some(expected) = input.code_sha256.as_ref().filter(|expected| *expected != present) {
            return Err(invalid(format!(
                "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({present}). Please try \
                 again with the CodeSHA256 in $LATEST."
            )));
        }
        let environment = tx.function_environment(&function).await?;
        let published = publish(context, &mut tx, &mut function, &environment, input.description).await?;
        found.allowed.commit(tx).await?;
        context.setup().functions.forget(&function.scope, &function.name);
        Ok(describe(&published, &published.qualified_arn(), environment))
    }

    async fn list_versions_by_function(
        &self,
        context: &Context,
        input: ListVersionsByFunctionRequest,
    ) -> Result<ListVersionsByFunctionResponse, Failure> {
        let found = find_whole(context, &input.function_name).await?;
        let size = input.max_items.unwrap_or(PAGE).min(PAGE);
        let paging = Paging::new(input.marker.as_deref(), Some(size), 0).ok_or_else(|| {
            invalid("Marker is not a marker of this list. Use the one that the page before returned.")
        })?;
        let mut tx = found.allowed.read().await?;
        let latest = &found.function.function;
        let mut all = if paging.page().after.is_empty() { vec![latest.clone()] } else { Vec::new() };
        all.extend(tx.function_versions(&latest.scope, &latest.name, paging.page()).await?);
        let key = |version: &Function| version.number().map_or(FIRST.to_owned(), |number| number.to_string());
        let (page, next_marker) = paging.cut(all, key);
        let mut versions = Vec::with_capacity(page.len());
        for version in page {
            let environment = tx.function_environment(&version).await?;
            let arn = Arn::qualified_function(&version.scope, &version.name, Some(&version.version));
            versions.push(describe(&version, &arn, environment));
        }
        Ok(ListVersionsByFunctionResponse { next_marker, versions: Some(versions) })
    }
}

/// Publishes `$LATEST`, unless it would run as the last version does: then that one is given again.
pub(super) async fn publish(
    context: &Context,
    tx: &mut Tx,
    function: &mut Function,
    environment: &BTreeMap<String, Secret>,
    description: Option<String>,
) -> Result<Function, Failure> {
    let last = tx.function_version(&function.scope, &function.name, function.last_version).await?;
    if let Some(last) = last.filter(|last| last.runs_like(function)) {
        let known = tx.function_environment(&last).await?;
        let same = known.len() == environment.len()
            && known
                .iter()
                .zip(environment)
                .all(|((name, value), (other, given))| name == other && value.same_as(given));
        if same {
            return Ok(last);
        }
    }
    function.last_version += 1;
    let version = Function {
        version: function.last_version.to_string(),
        description: description.unwrap_or_else(|| function.description.clone()),
        revision_id: RequestId::mint(&*context.setup().random).to_string(),
        ..function.clone()
    };
    check_room(tx, &version).await?;
    tx.insert_function_version(&version, environment).await?;
    tx.update_function(function, environment, None).await?;
    Ok(version)
}
