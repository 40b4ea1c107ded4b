//! Lists of secrets: filtered as `ListSecrets` has it, ordered by name.

use std::collections::BTreeMap;

use aws::Fault;
use aws_shapes::secretsmanager::{
    Filter, FilterNameStringType, ListSecretsRequest, ListSecretsResponse, SecretListEntry, SortOrderType,
};
use domain::KeptSecret;
use store::Tx;

use super::secret::{is_gone, show_tags};
use super::{invalid_parameter, managed};
use crate::context::Context;
use crate::fault::Failure;
use crate::paging::Paging;

/// How many secrets a page has when the caller does not say.
const PAGE: usize = 100;

/// A page of the secrets of a scope, those of credential providers among them.
pub(super) async fn list(
    tx: &mut Tx,
    context: &Context,
    input: ListSecretsRequest,
) -> Result<ListSecretsResponse, Failure> {
    let paging = Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(|| {
        let message = "NextToken is not a token of this list. Use the one that the page before returned.";
        Failure::from(Fault::new("InvalidNextTokenException", message))
    })?;
    let filters = input.filters.unwrap_or_default();
    let filters = filters.iter().map(read_filter).collect::<Result<Vec<_>, _>>()?;
    let mut secrets = tx.secrets(&context.scope).await?;
    secrets.extend(managed::all(tx, &context.scope).await?);
    let with_deleted = input.include_planned_deletion == Some(true);
    secrets.retain(|secret| {
        !is_gone(secret, context.now)
            && (with_deleted || secret.gone_at.is_none())
            && filters.iter().all(|(key, values)| is_wanted(secret, *key, values))
    });
    secrets.sort_by(|one, other| one.name.cmp(&other.name));
    let after = paging.page().after;
    if input.sort_order == Some(SortOrderType::Desc) {
        secrets.reverse();
        secrets.retain(|secret| after.is_empty() || secret.name.as_str() < after);
    } else {
        secrets.retain(|secret| secret.name.as_str() > after);
    }
    let (secrets, next_token) = paging.cut(secrets, |secret| secret.name.clone());
    Ok(ListSecretsResponse { secret_list: Some(secrets.into_iter().map(describe).collect()), next_token })
}

/// The versions that have labels, with them.
pub(super) fn labels(secret: &KeptSecret) -> Option<BTreeMap<String, Vec<String>>> {
    let labelled = secret.versions.iter().filter(|version| !version.labels.is_empty());
    let labels: BTreeMap<_, _> =
        labelled.map(|version| (version.id.clone(), version.labels.clone())).collect();
    Some(labels).filter(|labels| !labels.is_empty())
}

fn describe(secret: KeptSecret) -> SecretListEntry {
    SecretListEntry {
        arn: Some(secret.arn().into()),
        secret_versions_to_stages: labels(&secret),
        tags: show_tags(&secret.tags),
        owning_service: secret.owner.map(str::to_owned),
        name: Some(secret.name),
        description: secret.description,
        last_changed_date: Some(secret.changed_at),
        last_accessed_date: secret.accessed_on,
        deleted_date: secret.gone_at,
        created_date: Some(secret.created_at),
    }
}

fn read_filter(filter: &Filter) -> Result<(FilterNameStringType, &[String]), Failure> {
    match (filter.key, filter.values.as_deref()) {
        (Some(key), Some(values)) => Ok((key, values)),
        _ => Err(invalid_parameter("A filter needs both Key and Values.")),
    }
}

/// Whether one of the values fits; a value after `!` fits where the rest of it does not.
fn is_wanted(secret: &KeptSecret, key: FilterNameStringType, values: &[String]) -> bool {
    values.iter().any(|value| match value.strip_prefix('!') {
        Some(unwanted) => !fits(secret, key, unwanted),
        None => fits(secret, key, value),
    })
}

fn fits(secret: &KeptSecret, key: FilterNameStringType, value: &str) -> bool {
    let description = secret.description.as_deref().unwrap_or_default();
    let owner = secret.owner.unwrap_or_default();
    match key {
        FilterNameStringType::Name => secret.name.starts_with(value),
        FilterNameStringType::Description => description.to_lowercase().starts_with(&value.to_lowercase()),
        FilterNameStringType::TagKey => secret.tags.keys().any(|tag| tag.starts_with(value)),
        FilterNameStringType::TagValue => secret.tags.values().any(|tag| tag.starts_with(value)),
        FilterNameStringType::OwningService => owner.starts_with(value),
        FilterNameStringType::All => {
            let mut words: Vec<_> = [secret.name.as_str(), description, owner].map(str::to_lowercase).into();
            words
                .extend(secret.tags.iter().flat_map(|(key, value)| [key, value]).map(|it| it.to_lowercase()));
            value.to_lowercase().split_whitespace().all(|word| words.iter().any(|it| it.contains(word)))
        }
    }
}
