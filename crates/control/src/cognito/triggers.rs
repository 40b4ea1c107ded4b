//! `LambdaConfig`: the function that shapes a pool's tokens. Its other triggers are not honoured, and refused by name.

use aws_shapes::cognito_idp::{
    LambdaConfigType, PreTokenGenerationLambdaVersionType, PreTokenGenerationVersionConfigType,
};
use domain::{Arn, PreTokenTrigger, Scope, TriggerVersion};
use functions::FunctionName;

use super::invalid;
use crate::fault::Failure;

/// The trigger that is asked for. Whether there is such a function, and whether the pool may invoke it, is found out when
/// it is needed, as on AWS.
pub(super) fn read(given: Option<LambdaConfigType>, own: &Scope) -> Result<Option<PreTokenTrigger>, Failure> {
    let Some(given) = given else { return Ok(None) };
    let (arn, version) = match (given.pre_token_generation, given.pre_token_generation_config) {
        (None, None) => return Ok(None),
        (Some(arn), None) => (arn, TriggerVersion::V1),
        (Some(arn), Some(config)) if arn != config.lambda_arn => {
            return Err(invalid(
                "PreTokenGeneration and the LambdaArn of PreTokenGenerationConfig must be the same.",
            ));
        }
        (_, Some(config)) => {
            let version = match config.lambda_version {
                PreTokenGenerationLambdaVersionType::V10 => TriggerVersion::V1,
                PreTokenGenerationLambdaVersionType::V20 => TriggerVersion::V2,
                PreTokenGenerationLambdaVersionType::V30 => TriggerVersion::V3,
            };
            (config.lambda_arn, version)
        }
    };
    let wrong = || invalid(format!("{arn} is not the ARN of a function."));
    let function = Arn::parse(&arn).map_err(|_| wrong())?;
    if function.service() != "lambda" || FunctionName::parse(&arn, own).is_none() {
        return Err(wrong());
    }
    Ok(Some(PreTokenTrigger { function, version }))
}

/// The same as the API shows it: both members name the function.
pub(super) fn describe(trigger: &PreTokenTrigger) -> LambdaConfigType {
    let lambda_version = match trigger.version {
        TriggerVersion::V1 => PreTokenGenerationLambdaVersionType::V10,
        TriggerVersion::V2 => PreTokenGenerationLambdaVersionType::V20,
        TriggerVersion::V3 => PreTokenGenerationLambdaVersionType::V30,
    };
    let arn = trigger.function.to_string();
    LambdaConfigType {
        pre_token_generation: Some(arn.clone()),
        pre_token_generation_config: Some(PreTokenGenerationVersionConfigType {
            lambda_version,
            lambda_arn: arn,
        }),
    }
}
