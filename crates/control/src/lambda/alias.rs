//! Aliases: names for versions, which may be moved from one to another, or share their invocations between two.

use aws::Fault;
use aws_shapes::lambda::{
    AliasConfiguration, AliasOperations, AliasRoutingConfiguration, CreateAliasRequest, DeleteAliasRequest,
    GetAliasRequest, ListAliasesRequest, ListAliasesResponse, UpdateAliasRequest,
};
use domain::{Arn, Function, FunctionAlias, LATEST, RequestId, VersionShare, version_number};
use functions::{FunctionName, meant};
use store::{StoreError, Tx};

use super::{Lambda, check_revision, find_whole, invalid, not_found};
use crate::context::Context;
use crate::fault::Failure;
use crate::paging::Paging;

/// How many aliases a page has at most, whatever the caller says (API reference, ListAliases).
const PAGE: i64 = 50;

impl AliasOperations<Context> for Lambda {
    type Error = Failure;

    async fn create_alias(
        &self,
        context: &Context,
        input: CreateAliasRequest,
    ) -> Result<AliasConfiguration, Failure> {
        let found = find_whole(context, &input.function_name).await?;
        check_name(&input.name)?;
        let mut tx = found.allowed.begin().await?;
        let function = found.present(&mut tx).await?;
        let routing = input.routing_config.unwrap_or_default();
        let alias = FunctionAlias {
            beside: read_routing(&mut tx, &function, &input.function_version, routing).await?,
            name: input.name,
            version: input.function_version,
            description: input.description.unwrap_or_default(),
            revision_id: RequestId::mint(&*context.setup().random).to_string(),
        };
        tx.insert_function_alias(&function.scope, &function.name, &alias).await.map_err(
            |error| match error {
                StoreError::Exists => {
                    let message = format!("Alias already exists: {}", arn(&function, &alias.name));
                    Failure::from(Fault::new("ResourceConflictException", message))
                }
                error => error.into(),
            },
        )?;
        found.allowed.commit(tx).await?;
        context.setup().functions.forget(&function.scope, &function.name);
        Ok(describe(&function, alias))
    }

    async fn get_alias(
        &self,
        context: &Context,
        input: GetAliasRequest,
    ) -> Result<AliasConfiguration, Failure> {
        let found = find_whole(context, &input.function_name).await?;
        let function = &found.function.function;
        let mut tx = found.allowed.read().await?;
        let alias = tx.function_alias(&function.scope, &function.name, &input.name).await?;
        let alias = alias.ok_or_else(|| missing("Cannot find alias arn", function, &input.name))?;
        Ok(describe(function, alias))
    }

    async fn list_aliases(
        &self,
        context: &Context,
        input: ListAliasesRequest,
    ) -> Result<ListAliasesResponse, Failure> {
        let found = find_whole(context, &input.function_name).await?;
        let size = input.max_items.unwrap_or(PAGE).min(PAGE);
        let paging = Paging::new(input.marker.as_deref(), Some(size), 0).ok_or_else(|| {
            invalid("Marker is not a marker of this list. Use the one that the page before returned.")
        })?;
        let function = &found.function.function;
        let mut tx = found.allowed.read().await?;
        let aliases = tx.function_aliases(&function.scope, &function.name, paging.page()).await?;
        let (aliases, next_marker) = paging.cut(aliases, |alias| alias.name.clone());
        let wanted = |alias: &FunctionAlias| {
            let shared = alias.beside.as_ref().map(|share| &share.version);
            input.function_version.as_ref().is_none_or(|only| alias.version == *only || shared == Some(only))
        };
        let aliases = aliases.into_iter().filter(wanted).map(|alias| describe(function, alias)).collect();
        Ok(ListAliasesResponse { next_marker, aliases: Some(aliases) })
    }

    async fn update_alias(
        &self,
        context: &Context,
        input: UpdateAliasRequest,
    ) -> Result<AliasConfiguration, Failure> {
        let found = find_whole(context, &input.function_name).await?;
        let mut tx = found.allowed.begin().await?;
        let function = found.present(&mut tx).await?;
        let alias = tx.function_alias(&function.scope, &function.name, &input.name).await?;
        let mut alias = alias.ok_or_else(|| missing("Alias not found", &function, &input.name))?;
        check_revision(input.revision_id.as_deref(), &alias.revision_id)?;
        if let Some(version) = input.function_version {
            alias.version = version;
        }
        let routing = input.routing_config.unwrap_or_else(|| shown_routing(&alias).unwrap_or_default());
        alias.beside = read_routing(&mut tx, &function, &alias.version, routing).await?;
        if let Some(description) = input.description {
            alias.description = description;
        }
        alias.revision_id = RequestId::mint(&*context.setup().random).to_string();
        tx.update_function_alias(&function.scope, &function.name, &alias).await?;
        found.allowed.commit(tx).await?;
        context.setup().functions.forget(&function.scope, &function.name);
        Ok(describe(&function, alias))
    }

    /// An alias that is not there is deleted already, as on Lambda.
    async fn delete_alias(&self, context: &Context, input: DeleteAliasRequest) -> Result<(), Failure> {
        let found = find_whole(context, &input.function_name).await?;
        let mut tx = found.allowed.begin().await?;
        let function = found.present(&mut tx).await?;
        match tx.delete_function_alias(&function.scope, &function.name, &input.name).await {
            Ok(()) => {}
            Err(StoreError::Stale) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        found.allowed.commit(tx).await?;
        context.setup().functions.forget(&function.scope, &function.name);
        Ok(())
    }
}

/// A name that could be taken for a version would hide one.
fn check_name(name: &str) -> Result<(), Failure> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(format!("{name} is a number, and the name of an alias is none.")));
    }
    Ok(())
}

/// Sees that the versions of an alias exist and can share its invocations; gives the one beside its own.
async fn read_routing(
    tx: &mut Tx,
    function: &Function,
    version: &str,
    routing: AliasRoutingConfiguration,
) -> Result<Option<VersionShare>, Failure> {
    let own = find_version(tx, function, version).await?;
    let weights = routing.additional_version_weights.unwrap_or_default();
    if weights.len() > 1 {
        return Err(invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    let Some((other, weight)) = weights.into_iter().next() else { return Ok(None) };
    if !(0.0..=1.0).contains(&weight) {
        return Err(invalid(format!(
            "The weight of version {other} is {weight}, and must be from 0.0 to 1.0."
        )));
    }
    if version == LATEST {
        return Err(invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
    }
    if other == version {
        return Err(invalid(format!(
            "Invalid function version {other}. Function version {other} is already included in routing configuration."
        )));
    }
    if find_version(tx, function, &other).await?.role != own.role {
        return Err(invalid("The versions of an alias must have the same execution role."));
    }
    Ok(Some(VersionShare { version: other, weight }))
}

async fn find_version(tx: &mut Tx, function: &Function, version: &str) -> Result<Function, Failure> {
    if version != LATEST && version_number(version).is_none() {
        return Err(not_found(arn(function, version).as_str()));
    }
    let name = FunctionName {
        scope: function.scope.clone(),
        name: function.name.clone(),
        qualifier: Some(version.to_owned()),
    };
    let found = meant(tx, &name).await?;
    found.map(|found| found.function).ok_or_else(|| not_found(name.arn().as_str()))
}

fn describe(function: &Function, alias: FunctionAlias) -> AliasConfiguration {
    AliasConfiguration {
        alias_arn: Some(arn(function, &alias.name).into()),
        routing_config: shown_routing(&alias),
        name: Some(alias.name),
        function_version: Some(alias.version),
        description: Some(alias.description),
        revision_id: Some(alias.revision_id),
    }
}

fn shown_routing(alias: &FunctionAlias) -> Option<AliasRoutingConfiguration> {
    let share = alias.beside.as_ref()?;
    let weights = [(share.version.clone(), share.weight)].into();
    Some(AliasRoutingConfiguration { additional_version_weights: Some(weights) })
}

fn arn(function: &Function, alias: &str) -> Arn {
    Arn::qualified_function(&function.scope, &function.name, Some(alias))
}

fn missing(what: &str, function: &Function, alias: &str) -> Failure {
    let message = format!("{what}: {}", arn(function, alias));
    Fault::new("ResourceNotFoundException", message).into()
}
