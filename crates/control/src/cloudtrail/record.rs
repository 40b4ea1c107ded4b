//! An audit event as a record of CloudTrail's, version 1.11. Sources: "CloudTrail record contents"; for gateways,
//! "Understanding gateway CloudTrail log entries" of AgentCore's developer guide.
//!
//! What CloudTrail has no member for stands in `additionalEventData.portcullis`: what was decided by which policies, with
//! whose authority a target was called, and why what was allowed failed.

use domain::{Actor, AuditEvent, AuditKind, Outcome, Shown, Timestamp};
use serde_json::{Map, Value, json};

use super::identity::user_identity;

/// What stands where arguments and results were.
const REDACTED: &str = "REDACTED";
/// The operations of S3 that are data events: those on objects.
const DATA_OF_S3: [&str; 9] = [
    "GetObject",
    "PutObject",
    "DeleteObject",
    "HeadObject",
    "CopyObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "AbortMultipartUpload",
];

/// The record of an event.
#[must_use]
pub fn record(event: &AuditEvent) -> Value {
    let call = event.call.as_deref();
    let text = |text: Option<&String>| text.map_or(Value::Null, |text| text.as_str().into());
    let is_gateway = event.kind == AuditKind::Gateway;
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": user_identity(event),
        "eventTime": moment(event.time),
        "eventSource": source(event),
        "eventName": name(event),
        "awsRegion": region(event),
        "sourceIPAddress": event.source_ip.as_deref().unwrap_or("AWS Internal"),
        "userAgent": text(call.and_then(|call| call.user_agent.as_ref())),
        "requestParameters": if is_gateway { asked(event) } else { parameters(event) },
        "responseElements": if is_gateway { answered(event) } else { Value::Null },
        "additionalEventData": additional(event),
        "requestID": event.request_id.as_str(),
        "eventID": event.event_id.as_str(),
        "readOnly": reads(event),
        "resources": resources(event),
        "eventType": if event.actor == Actor::System || event.kind == AuditKind::Token { "AwsServiceEvent" } else { "AwsApiCall" },
        "managementEvent": is_management(event),
        "recipientAccountId": event.scope.account.as_str(),
        "eventCategory": if is_management(event) { "Management" } else { "Data" },
    });
    let Some(members) = record.as_object_mut() else { return record };
    if is_gateway {
        members.insert("sharedEventID".to_owned(), event.event_id.as_str().into());
    } else if event.outcome != Outcome::Success
        && let Some(error) = &event.error
    {
        members.insert("errorCode".to_owned(), error.as_str().into());
        members.insert("errorMessage".to_owned(), text(event.reason.as_ref()));
    }
    if let Some(host) = call.and_then(|call| call.host.as_ref()) {
        members.insert("tlsDetails".to_owned(), json!({ "clientProvidedHostHeader": host }));
    }
    record
}

/// Whether an event is one of management; the others are of data.
pub(super) fn is_management(event: &AuditEvent) -> bool {
    event.kind == AuditKind::Control
        && match event.action.split_once(':') {
            Some(("s3", name)) => !DATA_OF_S3.contains(&name),
            Some(("lambda", name)) => name != "InvokeFunction",
            _ => true,
        }
}

/// A moment as records write it: RFC 3339 in whole seconds.
pub(super) fn moment(moment: Timestamp) -> String {
    let text = Timestamp::from_seconds(moment.seconds()).to_string();
    text.replace(".000Z", "Z")
}

/// The service, by the prefix of its actions.
pub(super) fn source(event: &AuditEvent) -> String {
    match (event.kind, event.action.split_once(':')) {
        (AuditKind::Gateway, _) => "bedrock-agentcore.amazonaws.com".to_owned(),
        (AuditKind::Token, _) => "cognito-idp.amazonaws.com".to_owned(),
        (_, Some((prefix, _))) => format!("{prefix}.amazonaws.com"),
        (_, None) if event.actor == Actor::System => "portcullis".to_owned(),
        (_, None) => "unknown".to_owned(),
    }
}

/// The operation.
pub(super) fn name(event: &AuditEvent) -> &str {
    match event.kind {
        AuditKind::Gateway => "InvokeGateway",
        AuditKind::Token => "Token_POST",
        AuditKind::Control | AuditKind::Runtime => {
            event.action.split_once(':').map_or(event.action.as_str(), |(_, name)| name)
        }
    }
}

/// Whether nothing was to be changed.
pub(super) fn reads(event: &AuditEvent) -> bool {
    let said = event.call.as_ref().is_some_and(|call| call.reads);
    said || ["Get", "List", "Describe", "Head", "Lookup"].iter().any(|verb| name(event).starts_with(verb))
}

/// The type of the resource that an ARN names, as CloudFormation calls it.
pub(super) fn resource_type(arn: &str) -> &'static str {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, resource) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
    let kind = resource.split(['/', ':']).next().unwrap_or_default();
    match (service, kind) {
        ("bedrock-agentcore", "gateway") => "AWS::BedrockAgentCore::Gateway",
        ("bedrock-agentcore", "runtime") => "AWS::BedrockAgentCore::Runtime",
        ("bedrock-agentcore", "policy-engine") => "AWS::BedrockAgentCore::PolicyEngine",
        ("bedrock-agentcore", "workload-identity-directory") => "AWS::BedrockAgentCore::WorkloadIdentity",
        ("bedrock-agentcore", "token-vault") => "AWS::BedrockAgentCore::TokenVault",
        ("iam", "role") => "AWS::IAM::Role",
        ("iam", "user") => "AWS::IAM::User",
        ("iam", "group") => "AWS::IAM::Group",
        ("iam", "policy") => "AWS::IAM::Policy",
        ("lambda", _) => "AWS::Lambda::Function",
        ("cognito-idp", _) => "AWS::Cognito::UserPool",
        ("secretsmanager", _) => "AWS::SecretsManager::Secret",
        ("kms", "alias") => "AWS::KMS::Alias",
        ("kms", _) => "AWS::KMS::Key",
        ("s3", _) if resource.contains('/') => "AWS::S3::Object",
        ("s3", _) => "AWS::S3::Bucket",
        _ => "AWS::Unknown",
    }
}

fn region(event: &AuditEvent) -> &str {
    match event.scope.region.as_str() {
        // Where CloudTrail shows what belongs to no region.
        "aws-global" => "us-east-1",
        region => region,
    }
}

fn resources(event: &AuditEvent) -> Value {
    let Some(arn) = &event.resource else { return json!([]) };
    json!([{ "accountId": event.scope.account.as_str(), "type": resource_type(arn), "ARN": arn }])
}

fn parameters(event: &AuditEvent) -> Value {
    event.call.as_ref().and_then(|call| call.parameters.as_ref()).map_or(Value::Null, value)
}

/// The message to a gateway, without its arguments.
fn asked(event: &AuditEvent) -> Value {
    let call = event.call.as_deref();
    let mut body = Map::new();
    body.insert("jsonrpc".to_owned(), "2.0".into());
    if let Some(id) = call.and_then(|call| call.message.as_deref()) {
        body.insert("id".to_owned(), serde_json::from_str(id).unwrap_or_else(|_| id.into()));
    }
    body.insert("method".to_owned(), event.action.as_str().into());
    if let Some(tool) = &event.tool {
        let member = if event.action == "resources/read" { "uri" } else { "name" };
        body.insert("params".to_owned(), json!({ member: tool, "arguments": REDACTED }));
    }
    json!({ "body": body })
}

/// The answer of a gateway, without its content. Errors are in here, as AgentCore has it, and not in `errorCode`.
fn answered(event: &AuditEvent) -> Value {
    let call = event.call.as_deref();
    let id = call
        .and_then(|call| call.message.as_deref())
        .map(|id| serde_json::from_str(id).unwrap_or_else(|_| id.into()));
    let mut body = json!({ "jsonrpc": "2.0", "id": id.unwrap_or(Value::Null) });
    let inner = match (&event.outcome, &event.error) {
        (Outcome::Success, _) => ("result", json!({ "content": REDACTED, "isError": false })),
        (Outcome::Failure, Some(error)) if error == "ToolExecutionError" => {
            ("result", json!({ "content": REDACTED, "isError": true }))
        }
        (_, error) => {
            let code = error.as_ref().and_then(|error| error.parse::<i64>().ok());
            let message = error.as_deref().unwrap_or("abandoned");
            ("error", json!({ "code": code, "message": message }))
        }
    };
    if let Some(members) = body.as_object_mut() {
        members.insert(inner.0.to_owned(), inner.1);
    }
    let stream = call.is_some_and(|call| call.stream);
    json!({
        "body": body,
        "contentType": if stream { "text/event-stream" } else { "application/json" },
        "statusCode": call.and_then(|call| call.status),
    })
}

fn additional(event: &AuditEvent) -> Value {
    let call = event.call.as_deref();
    let mut more = Map::new();
    if event.kind == AuditKind::Gateway {
        more.insert("targetId".to_owned(), call.and_then(|call| call.target.as_deref()).into());
        more.insert("downstreamRequestIds".to_owned(), json!([]));
    }
    if let Some(token) = call.and_then(|call| call.token.as_ref()) {
        let members = |from: &std::collections::BTreeMap<String, Shown>| -> Map<String, Value> {
            from.iter().map(|(name, shown)| (name.clone(), value(shown))).collect()
        };
        let jwt =
            json!({ "headers": members(&token.headers), "claims": members(&token.claims), "type": "JWS" });
        more.insert("jwt".to_owned(), jwt);
    }
    // What the event says of itself, without what stands elsewhere in the record.
    let mut own = serde_json::to_value(event).unwrap_or_default();
    let mut kept = Map::new();
    for name in ["decision", "policies", "reason", "logOnly", "outcome", "error", "latencyUs", "tool"] {
        if let Some(it) = own.get_mut(name) {
            kept.insert(name.to_owned(), it.take());
        }
    }
    if let Some(call) = call {
        if let Some(authority) = &call.authority {
            kept.insert("authority".to_owned(), serde_json::to_value(authority).unwrap_or_default());
        }
        if let Some(trace) = &call.trace {
            // By the names that AgentCore's log records have.
            kept.insert("trace_id".to_owned(), trace.trace_id.as_str().into());
            kept.insert("span_id".to_owned(), trace.span_id.as_str().into());
        }
        if let Some(failure) = &call.failure {
            kept.insert("failure".to_owned(), failure.as_str().into());
        }
    }
    more.insert("portcullis".to_owned(), kept.into());
    more.into()
}

fn value(shown: &Shown) -> Value {
    serde_json::to_value(shown).unwrap_or_default()
}
