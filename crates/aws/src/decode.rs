//! Reads a request by its protocol into a tree of values, keyed by the names of the model's members.
//!
//! Where the wire only has text (paths, queries, headers, forms), numbers and booleans are read as what the schema
//! wants; text that is none stays text, and [`crate::check`] reports it.

use aws_shapes::{Location, Member, Protocol, Schema};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::{Map, Value};

use crate::form::{self, Form, Unreadable};
use crate::{Fault, Routed};

/// Reads the request for `routed`.
///
/// # Errors
/// When the body cannot be read at all: no JSON, a repeated member, no object.
pub fn decode(routed: &Routed, query: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, Fault> {
    let Some(Schema::Structure(members)) = routed.operation.input else {
        return Ok(Value::Object(Map::new()));
    };
    match routed.service.protocol {
        Protocol::AwsQuery => Form::parse(body)
            .and_then(|form| form.tree(members))
            .map_err(|error| Fault::unreadable(routed.service, error.to_string())),
        Protocol::AwsJson11 => json_body(routed, members, body),
        Protocol::RestJson1 => rest(routed, members, query, headers, body),
    }
}

fn rest(
    routed: &Routed,
    members: &[Member],
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, Fault> {
    let payload = routed.operation.input_payload;
    let mut value =
        if payload.is_some() { Value::Object(Map::new()) } else { json_body(routed, members, body)? };
    let Some(object) = value.as_object_mut() else { return Ok(value) };
    if let Some(payload) = payload.filter(|_| !body.is_empty()) {
        object.insert(payload.to_owned(), Value::String(STANDARD.encode(body)));
    }
    let unreadable = |error: Unreadable| Fault::unreadable(routed.service, error.to_string());
    let pairs = form::pairs(query.as_bytes()).map_err(unreadable)?;
    for member in members {
        let found = match member.location {
            Location::Label => {
                let label = routed.labels.iter().find(|(name, _)| *name == member.wire);
                label.map(|(_, text)| from_text(member.schema, text))
            }
            Location::Header => {
                let header = headers.get(member.wire).and_then(|value| value.to_str().ok());
                header.map(|text| from_text(member.schema, text))
            }
            Location::Query => {
                let values: Vec<_> = pairs.iter().filter(|(name, _)| name == member.wire).collect();
                match (member.schema, values.as_slice()) {
                    (_, []) => None,
                    (Schema::List { element, .. }, values) => {
                        Some(values.iter().map(|(_, text)| from_text(element, text)).collect())
                    }
                    (schema, [(_, text)]) => Some(from_text(schema, text)),
                    _ => return Err(unreadable(Unreadable::Repeated(member.wire.to_owned()))),
                }
            }
            Location::Body | Location::Status => continue,
        };
        // A member that belongs elsewhere does not count when it stands in the body.
        match found {
            Some(found) => object.insert(member.name.to_owned(), found),
            None => object.remove(member.name),
        };
    }
    Ok(value)
}

fn json_body(routed: &Routed, members: &[Member], body: &[u8]) -> Result<Value, Fault> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    let value = strict_json::parse(body).map_err(|error| {
        Fault::unreadable(routed.service, format!("Could not parse request body into json: {error}"))
    })?;
    let Value::Object(mut object) = value else {
        return Err(Fault::unreadable(
            routed.service,
            "Could not parse request body into json: it must be an object",
        ));
    };
    for member in members.iter().filter(|member| member.wire != member.name) {
        if let Some(value) = object.remove(member.wire) {
            object.insert(member.name.to_owned(), value);
        }
    }
    Ok(Value::Object(object))
}

/// A text as its schema wants it, where it can be read so.
pub(crate) fn from_text(schema: &Schema, text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    match schema {
        Schema::Integer { .. } => text.parse::<i64>().map_or_else(|_| as_text(), Value::from),
        Schema::Number => text.parse::<f64>().map_or_else(|_| as_text(), Value::from),
        Schema::Boolean => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => as_text(),
        },
        _ => as_text(),
    }
}

#[cfg(test)]
mod tests {
    use aws_shapes::{bedrock_agentcore_control as agentcore, iam, lambda, sts};
    use serde_json::json;

    use super::*;

    #[test]
    fn rest_members_come_from_where_the_model_says() {
        let routed = Routed {
            service: &agentcore::SERVICE,
            operation: &agentcore::LIST_GATEWAY_TARGETS,
            labels: vec![("gatewayIdentifier", "g-1".to_owned())],
        };
        let body = br#"{"gatewayIdentifier":"forged","maxResults":1}"#;
        let value = decode(&routed, "maxResults=5&nextToken=a%20b", &HeaderMap::new(), body).unwrap();
        assert_eq!(value, json!({"gatewayIdentifier": "g-1", "maxResults": 5, "nextToken": "a b"}));
    }

    #[test]
    fn a_payload_is_the_body_as_it_came() {
        let routed = Routed {
            service: &lambda::SERVICE,
            operation: &lambda::INVOKE,
            labels: vec![("FunctionName", "f".to_owned())],
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-log-type", "Tail".parse().unwrap());
        let value = decode(&routed, "", &headers, b"not json").unwrap();
        assert_eq!(value, json!({"FunctionName": "f", "LogType": "Tail", "Payload": "bm90IGpzb24="}));
    }

    #[test]
    fn forms_hold_numbers_lists_and_what_is_not_honoured() {
        let routed = Routed { service: &iam::SERVICE, operation: &iam::CREATE_ROLE, labels: vec![] };
        let body =
            b"Action=CreateRole&RoleName=r&MaxSessionDuration=3600&Tags.member.1.Key=k&Tags.member.1.Value=v";
        let value = decode(&routed, "", &HeaderMap::new(), body).unwrap();
        let tags = json!([{"Key": "k", "Value": "v"}]);
        assert_eq!(value, json!({"RoleName": "r", "MaxSessionDuration": 3600, "Tags": tags}));
        let routed = Routed { service: &sts::SERVICE, operation: &sts::ASSUME_ROLE, labels: vec![] };
        let body = b"Action=AssumeRole&RoleSessionName=s&ProvidedContexts.member.1.ProviderArn=a";
        let value = decode(&routed, "", &HeaderMap::new(), body).unwrap();
        assert_eq!(value, json!({"RoleSessionName": "s", "ProvidedContexts": true}));
    }

    #[test]
    fn forms_are_read_strictly() {
        let read = |operation, body: &[u8]| {
            let routed = Routed { service: &iam::SERVICE, operation, labels: vec![] };
            decode(&routed, "", &HeaderMap::new(), body).map_err(|fault| (fault.code, fault.message))
        };
        let problem = |body| read(&iam::CREATE_USER, body).unwrap_err();
        assert_eq!(
            problem(b"UserName=a&UserName=b"),
            ("MalformedQueryString", "The parameter UserName is given twice".to_owned())
        );
        assert_eq!(problem(b"UserName=%ff").0, "MalformedQueryString");
        assert!(problem(b"UserName.member.1=a").1.contains("UserName.member.1"));
        assert_eq!(read(&iam::CREATE_USER, b"UserName=a+b%2B&Other=1").unwrap(), json!({"UserName": "a b+"}));
    }

    #[test]
    fn a_query_string_gives_one_value_where_one_is_wanted() {
        let routed =
            Routed { service: &agentcore::SERVICE, operation: &agentcore::LIST_GATEWAYS, labels: vec![] };
        let fault = decode(&routed, "maxResults=5&maxResults=6", &HeaderMap::new(), b"").unwrap_err();
        assert_eq!(fault.message, "The parameter maxResults is given twice");
        let routed = Routed {
            service: &agentcore::SERVICE,
            operation: &agentcore::UNTAG_RESOURCE,
            labels: vec![("resourceArn", "arn".to_owned())],
        };
        let value = decode(&routed, "tagKeys=a&tagKeys=b", &HeaderMap::new(), b"").unwrap();
        assert_eq!(value["tagKeys"], json!(["a", "b"]));
    }

    #[test]
    fn a_repeated_member_is_no_body() {
        let routed = Routed {
            service: &agentcore::SERVICE,
            operation: &agentcore::CREATE_POLICY_ENGINE,
            labels: vec![],
        };
        let fault = decode(&routed, "", &HeaderMap::new(), br#"{"name":"a","name":"b"}"#).unwrap_err();
        assert_eq!((fault.code, fault.reason), ("ValidationException", Some("CannotParse")));
        assert!(fault.message.contains("duplicate member `name`"), "{}", fault.message);
        assert!(decode(&routed, "", &HeaderMap::new(), b"[]").is_err());
        assert_eq!(decode(&routed, "", &HeaderMap::new(), b"").unwrap(), json!({}));
    }
}
