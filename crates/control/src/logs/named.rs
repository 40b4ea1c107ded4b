//! Log groups by what requests call them: a name, or the ARN of one of this account and region.

use domain::{Arn, Scope};
use store::{LogGroup, Tx};

use super::{invalid, not_found};
use crate::context::Context;
use crate::fault::Failure;

/// `arn:aws:logs:{region}:{account}:{resource}`.
pub(super) fn arn(scope: &Scope, resource: &str) -> Arn {
    Arn::new("logs", scope.region.as_str(), scope.account.as_str(), resource)
}

/// A log group's ARN, as IAM's policies name it.
pub(super) fn group_arn(scope: &Scope, name: &str) -> Arn {
    arn(scope, &format!("log-group:{name}"))
}

/// A stream's ARN.
pub(super) fn stream_arn(scope: &Scope, group: &str, stream: &str) -> Arn {
    arn(scope, &format!("log-group:{group}:log-stream:{stream}"))
}

/// The name of the group that is meant, by exactly one of a name and an identifier.
pub(super) fn name_of(
    context: &Context,
    name: Option<String>,
    identifier: Option<String>,
) -> Result<String, Failure> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) if !identifier.starts_with("arn:") => Ok(identifier),
        (None, Some(identifier)) => of_arn(&context.scope, &identifier)
            .ok_or_else(|| invalid("The identifier is no log group of this account and region.")),
        _ => Err(invalid("Specify exactly one of logGroupName and logGroupIdentifier.")),
    }
}

/// The name in a log group's ARN, with or without `:*`, if it is one of this scope.
pub(super) fn of_arn(scope: &Scope, text: &str) -> Option<String> {
    let arn = Arn::parse(text).ok()?;
    let own = arn.service() == "logs"
        && arn.region() == scope.region.as_str()
        && arn.account() == scope.account.as_str();
    let name = arn.resource().strip_prefix("log-group:")?;
    let name = name.strip_suffix(":*").unwrap_or(name);
    (own && !name.is_empty() && !name.contains(':')).then(|| name.to_owned())
}

/// The group of a name.
pub(super) async fn find(tx: &mut Tx, scope: &Scope, name: &str) -> Result<LogGroup, Failure> {
    let found = tx.log_group(scope, name).await?;
    found.ok_or_else(|| not_found("The specified log group does not exist."))
}

#[cfg(test)]
mod tests {
    use domain::{AccountId, Region};

    use super::*;

    #[test]
    fn only_groups_of_the_scope_are_named_by_arn() {
        let scope = Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() };
        let account = scope.account.as_str();
        let of = |text: &str| of_arn(&scope, text);
        assert_eq!(
            of(&format!("arn:aws:logs:us-west-2:{account}:log-group:/a/b:*")).as_deref(),
            Some("/a/b")
        );
        assert_eq!(of(&format!("arn:aws:logs:us-west-2:{account}:log-group:/a/b")).as_deref(), Some("/a/b"));
        for wrong in [
            format!("arn:aws:logs:us-east-1:{account}:log-group:/a"),
            "arn:aws:logs:us-west-2:999999999999:log-group:/a".to_owned(),
            format!("arn:aws:logs:us-west-2:{account}:log-group:/a:log-stream:s"),
            format!("arn:aws:s3:us-west-2:{account}:log-group:/a"),
            format!("arn:aws:logs:us-west-2:{account}:delivery:x"),
        ] {
            assert_eq!(of(&wrong), None, "{wrong}");
        }
    }
}
