//! How a function, or a version of one, is shown.

use std::collections::BTreeMap;

use aws_shapes::lambda::{EnvironmentResponse, FunctionConfiguration, LastUpdateStatus, PackageType, State};
use domain::{Arn, Function, Secret, Timestamp};
use serde_json::Value;

use super::settings::architecture;

/// A function under the ARN by which it was asked for. There is nothing to wait for, so it is always active.
pub(super) fn describe(
    function: &Function,
    arn: &Arn,
    environment: BTreeMap<String, Secret>,
) -> FunctionConfiguration {
    let variables: BTreeMap<_, _> =
        environment.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect();
    FunctionConfiguration {
        function_name: Some(function.name.clone()),
        function_arn: Some(arn.to_string()),
        runtime: serde_json::from_value(Value::String(function.runtime.to_string())).ok(),
        role: Some(function.role.to_string()),
        handler: Some(function.handler.clone()),
        code_size: i64::try_from(function.code_size).ok(),
        description: Some(function.description.clone()),
        timeout: Some(i64::from(function.timeout_seconds)),
        memory_size: Some(i64::from(function.memory_mib)),
        last_modified: Some(last_modified(function.updated_at)),
        code_sha256: Some(function.code_sha256.clone()),
        version: Some(function.version.clone()),
        environment: (!variables.is_empty()).then_some(EnvironmentResponse { variables: Some(variables) }),
        revision_id: Some(function.revision_id.clone()),
        state: Some(State::Active),
        last_update_status: Some(LastUpdateStatus::Successful),
        package_type: Some(PackageType::Zip),
        architectures: architecture().map(|own| vec![own]),
    }
}

/// A moment in Lambda's form: `2026-11-21T09:30:00.000+0000`.
fn last_modified(moment: Timestamp) -> String {
    moment.to_string().replace('Z', "+0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_lambdas_form() {
        assert_eq!(last_modified(Timestamp::from_millis(1_763_717_400_123)), "2025-11-21T09:30:00.123+0000");
    }
}
