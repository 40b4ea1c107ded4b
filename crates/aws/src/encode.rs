//! Writes answers and faults as the bytes that AWS's clients expect.

use aws_shapes::{Location, Member, OperationSpec, Protocol, Schema, ServiceSpec, TimestampFormat};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::{RequestId, Timestamp};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use quick_xml::escape::escape;
use serde_json::{Map, Value, json};

use crate::Fault;

/// An answer on the wire.
pub type Answer = Response<Bytes>;

/// Writes the answer of an operation.
#[must_use]
pub fn encode(
    service: &ServiceSpec,
    operation: &OperationSpec,
    value: &Value,
    request_id: &RequestId,
) -> Answer {
    let empty = Map::new();
    let object = value.as_object().unwrap_or(&empty);
    let members = match operation.output {
        Some(Schema::Structure(members)) => *members,
        _ => &[],
    };
    match service.protocol {
        Protocol::RestJson1 => rest(operation, members, object, request_id),
        Protocol::AwsJson11 => {
            let body = if operation.output.is_some() {
                json_structure(members, object).to_string()
            } else {
                String::new()
            };
            answer(operation.status, "application/x-amz-json-1.1", body.into(), request_id)
        }
        Protocol::AwsQuery => xml(service, operation, members, object, request_id),
    }
}

/// Writes a fault. `service` is absent when the request never got as far as one.
#[must_use]
pub fn encode_fault(
    service: Option<&ServiceSpec>,
    protocol: Protocol,
    fault: &Fault,
    request_id: &RequestId,
) -> Answer {
    let (code, status) = fault.face(service);
    match protocol {
        Protocol::AwsQuery => {
            let kind = if status >= 500 { "Receiver" } else { "Sender" };
            let namespace = service.and_then(|service| service.xml_namespace).unwrap_or_default();
            let body = format!(
                "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                escape(&fault.message)
            );
            answer(status, "text/xml", body.into(), request_id)
        }
        Protocol::AwsJson11 => {
            let body = json!({ "__type": code, "message": fault.message }).to_string();
            with_error_type(answer(status, "application/x-amz-json-1.1", body.into(), request_id), code)
        }
        Protocol::RestJson1 => {
            let mut body = Map::from_iter([("message".to_owned(), json!(fault.message))]);
            if code == "ValidationException" {
                body.insert("reason".to_owned(), json!(fault.reason.unwrap_or("FieldValidationFailed")));
                if !fault.fields.is_empty() {
                    let fields = fault.fields.iter();
                    let fields = fields.map(|field| json!({ "name": field.name, "message": field.message }));
                    body.insert("fieldList".to_owned(), fields.collect());
                }
            } else if service.is_some_and(|service| service.name == "lambda") {
                body.insert("Type".to_owned(), json!(if status >= 500 { "Service" } else { "User" }));
            }
            let body = Value::Object(body);
            with_error_type(answer(status, "application/json", body.to_string().into(), request_id), code)
        }
    }
}

fn with_error_type(mut answer: Answer, code: &'static str) -> Answer {
    answer.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
    answer
}

fn answer(status: u16, content_type: &'static str, body: Bytes, request_id: &RequestId) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    // Keys, secrets and tokens are among the answers.
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert("x-amzn-requestid", id);
    }
    answer
}

fn rest(
    operation: &OperationSpec,
    members: &[Member],
    object: &Map<String, Value>,
    request_id: &RequestId,
) -> Answer {
    let status = members
        .iter()
        .filter(|member| member.location == Location::Status)
        .find_map(|member| object.get(member.name)?.as_u64())
        .and_then(|status| u16::try_from(status).ok())
        .unwrap_or(operation.status);
    let body: Bytes = match operation.output_payload {
        Some(payload) => {
            let encoded = object.get(payload).and_then(Value::as_str).unwrap_or_default();
            STANDARD.decode(encoded).unwrap_or_default().into()
        }
        None if status == 204 || operation.output.is_none() => Bytes::new(),
        None => json_structure(members, object).to_string().into(),
    };
    let mut answer = answer(status, "application/json", body, request_id);
    for member in members.iter().filter(|member| member.location == Location::Header) {
        let text = object
            .get(member.name)
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let name = HeaderName::from_bytes(member.wire.as_bytes());
        if let (Some(Ok(value)), Ok(name)) = (text.map(HeaderValue::try_from), name) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn json_structure(members: &[Member], object: &Map<String, Value>) -> Value {
    let mut written = Map::new();
    for member in members.iter().filter(|member| member.location == Location::Body) {
        if let Some(value) = object.get(member.name).filter(|value| !value.is_null()) {
            written.insert(member.wire.to_owned(), json_value(member.schema, value));
        }
    }
    Value::Object(written)
}

fn json_value(schema: &Schema, value: &Value) -> Value {
    match (schema, value) {
        (Schema::Structure(members) | Schema::Union(members), Value::Object(object)) => {
            json_structure(members, object)
        }
        (Schema::List { element, .. }, Value::Array(elements)) => {
            elements.iter().map(|inner| json_value(element, inner)).collect()
        }
        (Schema::Map { value: inner, .. }, Value::Object(object)) => {
            Value::Object(object.iter().map(|(key, value)| (key.clone(), json_value(inner, value))).collect())
        }
        (Schema::Timestamp(format), value) => {
            let moment = Timestamp::from_millis(value.as_i64().unwrap_or_default());
            match format {
                TimestampFormat::Iso8601 => Value::String(moment.to_string()),
                // Milliseconds of this and the next centuries are exact in a double.
                #[expect(clippy::cast_precision_loss, reason = "the protocol writes seconds as a double")]
                TimestampFormat::EpochSeconds => json!(moment.millis() as f64 / 1000.0),
            }
        }
        (_, value) => value.clone(),
    }
}

fn xml(
    service: &ServiceSpec,
    operation: &OperationSpec,
    members: &[Member],
    object: &Map<String, Value>,
    request_id: &RequestId,
) -> Answer {
    let name = operation.name;
    let mut body = format!("<{name}Response xmlns=\"{}\">", service.xml_namespace.unwrap_or_default());
    if let Some(wrapper) = operation.result_wrapper {
        body.push_str(&format!("<{wrapper}>"));
        xml_members(members, object, &mut body);
        body.push_str(&format!("</{wrapper}>"));
    }
    body.push_str(&format!(
        "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    ));
    answer(operation.status, "text/xml", body.into(), request_id)
}

fn xml_members(members: &[Member], object: &Map<String, Value>, body: &mut String) {
    for member in members {
        if let Some(value) = object.get(member.name).filter(|value| !value.is_null()) {
            xml_element(member.wire, member.schema, value, body);
        }
    }
}

fn xml_element(name: &str, schema: &Schema, value: &Value, body: &mut String) {
    body.push_str(&format!("<{name}>"));
    match (schema, value) {
        (Schema::Structure(members) | Schema::Union(members), Value::Object(object)) => {
            xml_members(members, object, body);
        }
        (Schema::List { element, wire, .. }, Value::Array(elements)) => {
            elements.iter().for_each(|inner| xml_element(wire, element, inner, body));
        }
        (Schema::Map { value: inner, .. }, Value::Object(object)) => {
            for (key, value) in object {
                body.push_str(&format!("<entry><key>{}</key>", escape(key.as_str())));
                xml_element("value", inner, value, body);
                body.push_str("</entry>");
            }
        }
        (Schema::Timestamp(_), value) => {
            body.push_str(&Timestamp::from_millis(value.as_i64().unwrap_or_default()).to_string());
        }
        (_, Value::String(text)) => body.push_str(&escape(text.as_str())),
        (_, other) => body.push_str(&other.to_string()),
    }
    body.push_str(&format!("</{name}>"));
}

#[cfg(test)]
mod tests {
    use aws_shapes::{bedrock_agentcore_control as agentcore, cognito_idp, iam, lambda};
    use serde_json::json;

    use super::*;

    fn text(answer: &Answer) -> String {
        String::from_utf8(answer.body().to_vec()).unwrap()
    }

    fn id() -> RequestId {
        RequestId::from_text("id-1")
    }

    #[test]
    fn moments_are_written_as_the_model_says() {
        let gateway = json!({"gatewayId": "g", "createdAt": 1_763_717_400_123_i64, "description": null});
        let answer = encode(&agentcore::SERVICE, &agentcore::CREATE_GATEWAY, &gateway, &id());
        assert_eq!(answer.status(), 202);
        assert_eq!(
            text(&answer),
            r#"{"gatewayId":"g","createdAt":"2025-11-21T09:30:00.123Z"}"#.to_owned().pipe_sorted()
        );
        let pool = json!({"UserPool": {"Id": "p", "CreationDate": 1_763_717_400_500_i64}});
        let answer = encode(&cognito_idp::SERVICE, &cognito_idp::CREATE_USER_POOL, &pool, &id());
        assert!(text(&answer).contains("1763717400.5"), "{}", text(&answer));
    }

    #[test]
    fn xml_is_escaped_and_wrapped() {
        let role =
            json!({"Role": {"RoleName": "a<b", "CreateDate": 0, "Path": "/", "Arn": "x", "RoleId": "y"}});
        let answer = encode(&iam::SERVICE, &iam::CREATE_ROLE, &role, &id());
        let body = text(&answer);
        assert!(body.starts_with("<CreateRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateRoleResult><Role>"), "{body}");
        assert!(body.contains("<RoleName>a&lt;b</RoleName>"), "{body}");
        assert!(body.contains("<CreateDate>1970-01-01T00:00:00.000Z</CreateDate>"), "{body}");
        assert!(
            body.ends_with(
                "<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></CreateRoleResponse>"
            ),
            "{body}"
        );
    }

    #[test]
    fn a_payload_its_headers_and_its_status_are_raw() {
        let value = json!({"StatusCode": 200, "FunctionError": "Unhandled", "Payload": "e30=", "ExecutedVersion": "$LATEST"});
        let answer = encode(&lambda::SERVICE, &lambda::INVOKE, &value, &id());
        assert_eq!(text(&answer), "{}");
        assert_eq!(answer.headers()["x-amz-function-error"], "Unhandled");
    }

    #[test]
    fn faults_wear_the_face_of_their_protocol() {
        let fault = Fault::new("ResourceNotFoundException", "no gateway");
        let answer = encode_fault(Some(&agentcore::SERVICE), Protocol::RestJson1, &fault, &id());
        assert_eq!((answer.status().as_u16(), text(&answer).as_str()), (404, r#"{"message":"no gateway"}"#));
        assert_eq!(answer.headers()["x-amzn-errortype"], "ResourceNotFoundException");
        let fault = Fault::new("EntityAlreadyExistsException", "there is one & only one");
        let answer = encode_fault(Some(&iam::SERVICE), Protocol::AwsQuery, &fault, &id());
        assert_eq!(answer.status(), 409);
        assert!(
            text(&answer)
                .contains("<Code>EntityAlreadyExists</Code><Message>there is one &amp; only one</Message>")
        );
        let fault = Fault::new("InvalidParameterException", "no");
        let answer = encode_fault(Some(&cognito_idp::SERVICE), Protocol::AwsJson11, &fault, &id());
        assert_eq!(answer.status(), 400);
        assert!(text(&answer).contains(r#""__type":"InvalidParameterException""#));
    }

    /// Members in the order in which this build's maps keep them.
    trait Sorted {
        fn pipe_sorted(self) -> String;
    }

    impl Sorted for String {
        fn pipe_sorted(self) -> String {
            serde_json::from_str::<Value>(&self).unwrap().to_string()
        }
    }
}
