//! The functions that see and may change what goes through a gateway: one for requests and one for answers at most
//! ("Interceptors" in the developer guide).

use aws_shapes::bedrock_agentcore_control::{
    GatewayInterceptionPoint, GatewayInterceptorConfiguration, InterceptorConfiguration,
};
use domain::{Arn, Interceptor};

use crate::fault::{Failure, invalid};

const FIELD: &str = "interceptorConfigurations";

/// `interceptorConfigurations` as the domain knows it.
pub(super) fn read_interceptors(
    given: Vec<GatewayInterceptorConfiguration>,
) -> Result<Vec<Interceptor>, Failure> {
    let read = given.into_iter().map(read_interceptor).collect::<Result<Vec<_>, _>>()?;
    for (point, count) in [
        ("REQUEST", read.iter().filter(|it| it.on_request).count()),
        ("RESPONSE", read.iter().filter(|it| it.on_response).count()),
    ] {
        if count > 1 {
            return Err(invalid(
                FIELD,
                format!("A gateway has at most one interceptor for the interception point {point}."),
            ));
        }
    }
    Ok(read)
}

fn read_interceptor(given: GatewayInterceptorConfiguration) -> Result<Interceptor, Failure> {
    let InterceptorConfiguration::Lambda(lambda) = given.interceptor;
    let function = Arn::parse(&lambda.arn).map_err(|error| invalid(FIELD, error.to_string()))?;
    let at = |point| given.interception_points.iter().filter(|it| **it == point).count();
    let (requests, responses) =
        (at(GatewayInterceptionPoint::Request), at(GatewayInterceptionPoint::Response));
    if requests > 1 || responses > 1 {
        return Err(invalid(FIELD, "An interceptor names each of its interception points once."));
    }
    let (pass_headers, without_response_body) = match given.input_configuration {
        Some(input) => (input.pass_request_headers, input.payload_filter.is_some()),
        None => (false, false),
    };
    Ok(Interceptor {
        function,
        on_request: requests == 1,
        on_response: responses == 1,
        pass_headers,
        without_response_body,
    })
}
