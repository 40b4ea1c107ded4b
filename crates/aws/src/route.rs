//! Which service and which operation a request is for.
//!
//! One address answers every service, so the way is found by what clients send: the credential scope of the signature,
//! then `X-Amz-Target`, then the form's `Action`, then the path: one listener, many names.

use aws_shapes::{OperationSpec, Protocol, SERVICES, Segment, ServiceSpec};
use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::form::{Form, Unreadable};
use crate::{Fault, sigv4};

/// An operation that was found, and the values of its path.
pub struct Routed {
    /// The service.
    pub service: &'static ServiceSpec,
    /// The operation.
    pub operation: &'static OperationSpec,
    /// The labels of the path, decoded.
    pub labels: Vec<(&'static str, String)>,
}

/// The service that a request is for: by the scope of its signature, or, unsigned, by `X-Amz-Target`. Of services that are
/// signed for by one name it is the one that has an operation at the path.
#[must_use]
pub fn service_by_signature(method: &str, path: &str, headers: &HeaderMap) -> Option<&'static ServiceSpec> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(signed) = text("authorization").and_then(sigv4::claimed_service) {
        let of_name = || SERVICES.iter().copied().filter(|service| service.signing_name == signed);
        let of_path = of_name().find(|service| {
            service.protocol == Protocol::RestJson1 && by_path(service, method, path).is_ok()
        });
        return of_path.or_else(|| of_name().next());
    }
    let prefix = text("x-amz-target")?.rsplit_once('.')?.0;
    SERVICES.iter().copied().find(|service| service.target_prefix == Some(prefix))
}

/// The service that has an operation at a path: for requests that are not signed.
#[must_use]
pub fn service_by_path(method: &str, path: &str) -> Option<&'static ServiceSpec> {
    SERVICES
        .iter()
        .copied()
        .find(|service| service.protocol == Protocol::RestJson1 && by_path(service, method, path).is_ok())
}

/// The action of an unsigned request of the query protocol: the form's `Action`. Nothing for a request that is signed, or
/// that is no form.
#[must_use]
pub fn unsigned_action(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let is_form = protocol_of(headers) == Protocol::AwsQuery;
    if !is_form || headers.contains_key("authorization") {
        return None;
    }
    Form::parse(body).ok()?.get("Action").map(str::to_owned)
}

/// The protocol in which a request wants its error, when its service is not known.
#[must_use]
pub fn protocol_of(headers: &HeaderMap) -> Protocol {
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        Protocol::AwsQuery
    } else if headers.contains_key("x-amz-target") {
        Protocol::AwsJson11
    } else {
        Protocol::RestJson1
    }
}

/// The operation of `service` that a request is for.
///
/// # Errors
/// AWS's error for an operation that is not promised.
pub fn operation(
    service: &'static ServiceSpec,
    method: &str,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Routed, Fault> {
    match service.protocol {
        Protocol::RestJson1 => by_path(service, method, path),
        Protocol::AwsJson11 => {
            let target =
                headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let name = target.rsplit_once('.').map_or(target, |(_, name)| name);
            by_name(service, name)
        }
        Protocol::AwsQuery => {
            let unreadable = |error: Unreadable| Fault::unreadable(service, error.to_string());
            let form = Form::parse(body).map_err(unreadable)?;
            let action = form.get("Action").ok_or_else(Fault::missing_action)?;
            match form.get("Version") {
                Some(version) if version != service.api_version => {
                    Err(Fault::unknown_version(action, version))
                }
                _ => by_name(service, action),
            }
        }
    }
}

fn by_name(service: &'static ServiceSpec, name: &str) -> Result<Routed, Fault> {
    let found = service.operations.iter().copied().find(|operation| operation.name == name);
    match found {
        Some(operation) => Ok(Routed { service, operation, labels: Vec::new() }),
        None => Err(Fault::unknown_operation(service, name)),
    }
}

/// A path matches with or without a slash at its end: people who write curl by hand leave it out.
fn by_path(service: &'static ServiceSpec, method: &str, path: &str) -> Result<Routed, Fault> {
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let candidates = service.operations.iter().copied().filter(|operation| operation.method == method);
    for operation in candidates {
        if let Some(labels) = labels(operation.segments, &segments) {
            return Ok(Routed { service, operation, labels });
        }
    }
    Err(Fault::unknown_operation(service, &format!("{method} {path}")))
}

fn labels(pattern: &'static [Segment], path: &[&str]) -> Option<Vec<(&'static str, String)>> {
    if pattern.len() != path.len() {
        return None;
    }
    let mut labels = Vec::new();
    for (expected, actual) in pattern.iter().zip(path) {
        match expected {
            Segment::Literal(literal) if literal == actual => {}
            Segment::Literal(_) => return None,
            Segment::Label(name) => {
                labels.push((*name, percent_decode_str(actual).decode_utf8().ok()?.into_owned()));
            }
        }
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(service: &'static ServiceSpec, method: &str, path: &str) -> Option<(&'static str, Vec<String>)> {
        let routed = operation(service, method, path, &HeaderMap::new(), b"").ok()?;
        Some((routed.operation.name, routed.labels.into_iter().map(|(_, value)| value).collect()))
    }

    #[test]
    fn paths_are_found_with_and_without_their_last_slash() {
        let agentcore = &aws_shapes::bedrock_agentcore_control::SERVICE;
        assert_eq!(find(agentcore, "POST", "/gateways/"), Some(("CreateGateway", vec![])));
        assert_eq!(find(agentcore, "POST", "/gateways"), Some(("CreateGateway", vec![])));
        assert_eq!(find(agentcore, "GET", "/gateways/g-1"), Some(("GetGateway", vec!["g-1".into()])));
        assert_eq!(
            find(agentcore, "PUT", "/gateways/g-1/targets/T/"),
            Some(("UpdateGatewayTarget", vec!["g-1".into(), "T".into()]))
        );
        assert_eq!(find(agentcore, "GET", "/gateways/g-1/mcp"), None);
        assert_eq!(find(agentcore, "PATCH", "/gateways/"), None);
    }

    #[test]
    fn an_arn_is_one_encoded_segment() {
        let agentcore = &aws_shapes::bedrock_agentcore_control::SERVICE;
        let arn = "arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/g-1";
        assert_eq!(
            find(
                agentcore,
                "GET",
                "/tags/arn%3Aaws%3Abedrock-agentcore%3Aus-west-2%3A000000000000%3Agateway%2Fg-1"
            ),
            Some(("ListTagsForResource", vec![arn.into()]))
        );
    }

    #[test]
    fn a_form_names_its_action() {
        let iam = &aws_shapes::iam::SERVICE;
        let routed =
            operation(iam, "POST", "/", &HeaderMap::new(), b"Version=2010-05-08&Action=GetRole&RoleName=r");
        assert_eq!(routed.ok().map(|routed| routed.operation.name), Some("GetRole"));
        let fault = operation(iam, "POST", "/", &HeaderMap::new(), b"Action=Nope").err().unwrap();
        assert_eq!(fault.code, "InvalidAction");
    }
}
