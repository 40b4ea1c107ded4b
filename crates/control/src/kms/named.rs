//! Which key a `KeyId` names: an id, an alias, or the ARN of either ("Key identifiers"); and whether it can be used.

use aws::Fault;
use domain::{Arn, KmsKey, KmsKeyState, Scope};
use store::{KmsAlias, Tx};

use super::{invalid_state, not_found};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// What a caller needs to put data of another service under a key.
const FOR_SERVICES: [&str; 3] = ["kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"];

/// Decides whether the caller may do the operation on the key that is named. It is looked up before the decision, because
/// the decision is about its ARN and its tags, and nothing else is read.
pub(super) async fn authorize<'a>(
    context: &'a Context,
    id: &str,
    conditions: impl FnOnce(::iam::Context) -> ::iam::Context,
) -> Result<Authorized<'a>, Failure> {
    let found = look_up(&mut context.setup().store.read().await?, &context.scope, id, context).await?;
    let arn = found.as_ref().map_or_else(|| unknown_arn(context, id), KmsKey::arn);
    let alias = id.rsplit(':').next().filter(|name| name.starts_with("alias/"));
    context.authorize_with(&arn, |given| {
        let given = with_keys(given, found.as_ref());
        conditions(match alias {
            Some(alias) => given.with("kms:RequestAlias", alias),
            None => given,
        })
    })
}

/// The key that was decided about.
pub(super) async fn find(
    tx: &mut Tx,
    context: &Context,
    allowed: &Authorized<'_>,
    id: &str,
) -> Result<KmsKey, Failure> {
    let found = look_up(tx, &context.scope, id, context).await?;
    let found = found.filter(|found| found.arn() == *allowed.resource());
    found.ok_or_else(|| not_found(format!("Key '{}' does not exist", unknown_arn(context, id))))
}

/// Fails when a key must not encrypt or decrypt now.
pub(crate) fn check_usable(key: &KmsKey) -> Result<(), Failure> {
    match key.state {
        KmsKeyState::Enabled => Ok(()),
        KmsKeyState::Disabled => {
            Err(Fault::new("DisabledException", format!("{} is disabled.", key.arn())).into())
        }
        KmsKeyState::PendingDeletion => Err(invalid_state(format!("{} is pending deletion.", key.arn()))),
    }
}

/// Fails unless the key of an ARN is one of the caller's account and region, enabled, and the caller may use it through
/// `service`. AWS's services ask KMS as the caller, so what KMS refuses, they refuse.
pub(crate) async fn usable_by_caller(
    tx: &mut Tx,
    context: &Context,
    arn: &Arn,
    service: &str,
) -> Result<KmsKey, Failure> {
    let named = arn.as_kms_key().filter(|(of, _)| *of == context.scope);
    let key = match named {
        Some((scope, id)) => tx.kms_key(&scope, id).await?.filter(|key| !key.is_gone(context.now)),
        None => None,
    };
    let via = format!("{service}.{}.amazonaws.com", context.scope.region);
    for action in FOR_SERVICES {
        context.require(action, arn, |given| {
            with_keys(given, key.as_ref()).with("kms:ViaService", via.as_str())
        })?;
    }
    let invalid = |message: String| Failure::from(Fault::new("ValidationException", message));
    let key = key.ok_or_else(|| {
        invalid(format!(
            "The KMS key {arn} does not exist in this account and region: it must be a symmetric key of {} in {}.",
            context.scope.account, context.scope.region
        ))
    })?;
    if key.state != KmsKeyState::Enabled {
        return Err(invalid(format!("The KMS key {arn} is {}: it must be enabled.", key.state.in_words())));
    }
    Ok(key)
}

/// Fails unless the caller may open what the key of an ARN protects, through `service`: whoever takes a key off something.
pub(crate) async fn openable_by_caller(
    tx: &mut Tx,
    context: &Context,
    arn: &Arn,
    service: &str,
) -> Result<(), Failure> {
    let key = match arn.as_kms_key() {
        Some((scope, id)) => tx.kms_key(&scope, id).await?,
        None => None,
    };
    let via = format!("{service}.{}.amazonaws.com", context.scope.region);
    context.require("kms:Decrypt", arn, |given| {
        with_keys(given, key.as_ref()).with("kms:ViaService", via.as_str())
    })
}

/// The condition keys that every call about a key has.
fn with_keys(given: ::iam::Context, key: Option<&KmsKey>) -> ::iam::Context {
    let Some(key) = key else { return given };
    let given = given
        .with("kms:CallerAccount", key.scope.account.as_str())
        .with("kms:KeySpec", "SYMMETRIC_DEFAULT")
        .with("kms:KeyUsage", "ENCRYPT_DECRYPT")
        .with("kms:KeyOrigin", "AWS_KMS")
        .with("kms:MultiRegion", "false");
    key.tags
        .iter()
        .fold(given, |given, (name, value)| given.with(&format!("aws:ResourceTag/{name}"), value.as_str()))
}

async fn look_up(tx: &mut Tx, scope: &Scope, id: &str, context: &Context) -> Result<Option<KmsKey>, Failure> {
    let arn = Arn::parse(id).ok();
    let name = match &arn {
        None => id,
        Some(arn) if arn.service() == "kms" && arn.scope().as_ref() == Some(scope) => arn.resource(),
        Some(_) => return Ok(None),
    };
    let id = if name.starts_with("alias/") {
        let alias = alias_of(tx, scope, name).await?;
        let Some(alias) = alias else { return Ok(None) };
        alias.key
    } else if arn.is_some() {
        let Some(id) = name.strip_prefix("key/") else { return Ok(None) };
        id.to_owned()
    } else {
        name.to_owned()
    };
    Ok(tx.kms_key(scope, &id).await?.filter(|key| !key.is_gone(context.now)))
}

/// The alias of a name, with `alias/` before it.
pub(super) async fn alias_of(tx: &mut Tx, scope: &Scope, name: &str) -> Result<Option<KmsAlias>, Failure> {
    Ok(tx.kms_aliases(scope).await?.into_iter().find(|alias| alias.name == name))
}

/// What is decided about where there is no key.
fn unknown_arn(context: &Context, id: &str) -> Arn {
    let arn = Arn::parse(id).ok().filter(|arn| arn.service() == "kms");
    arn.unwrap_or_else(|| {
        if id.starts_with("alias/") {
            alias_arn(&context.scope, id)
        } else {
            Arn::kms_key(&context.scope, id)
        }
    })
}

/// The ARN of an alias, whose name has `alias/` before it.
pub(super) fn alias_arn(scope: &Scope, name: &str) -> Arn {
    Arn::new("kms", scope.region.as_str(), scope.account.as_str(), name)
}
