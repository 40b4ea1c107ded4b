//! `userIdentity` of a record. Source: "CloudTrail userIdentity element".

use domain::{Actor, AuditEvent, AuditPrincipal, Timestamp};
use serde_json::{Value, json};

/// Who asked, as CloudTrail says it.
pub(super) fn user_identity(event: &AuditEvent) -> Value {
    match &event.actor {
        Actor::Iam { arn, access_key_id } => {
            let principal = event.call.as_ref().and_then(|call| call.principal.as_ref());
            of_iam(arn, access_key_id, principal)
        }
        // The token says who, and it is in `additionalEventData`.
        Actor::Token { .. } | Actor::Anonymous => {
            json!({ "type": "AWSAccount", "principalId": "", "accountId": "anonymous" })
        }
        Actor::Client { client_id } => json!({ "type": "Unknown", "principalId": client_id }),
        Actor::System => json!({ "type": "AWSService", "invokedBy": "portcullis" }),
    }
}

/// What `LookupEvents` calls the user: a user's or a session's name.
pub(super) fn user_name(event: &AuditEvent) -> Option<String> {
    match &event.actor {
        Actor::Iam { arn, .. } => Some(name_of(arn).to_owned()),
        Actor::Token { subject, .. } => subject.clone(),
        Actor::Client { client_id } => Some(client_id.clone()),
        Actor::System => Some("portcullis".to_owned()),
        Actor::Anonymous => None,
    }
}

/// The last part of an ARN: of `…:root`, too.
fn name_of(arn: &str) -> &str {
    let end = arn.rsplit(':').next().unwrap_or(arn);
    end.rsplit('/').next().unwrap_or(end)
}

fn of_iam(arn: &str, access_key_id: &str, principal: Option<&AuditPrincipal>) -> Value {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let id = principal.map_or("", |it| it.id.as_str());
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let kind = match resource.split('/').next() {
        Some("assumed-role") => "AssumedRole",
        Some("user") => "IAMUser",
        Some("root") => "Root",
        _ => "Unknown",
    };
    let mut identity = json!({
        "type": kind,
        "principalId": id,
        "arn": arn,
        "accountId": account,
        "accessKeyId": access_key_id,
    });
    let Some(members) = identity.as_object_mut() else { return identity };
    if kind == "IAMUser" {
        members.insert("userName".to_owned(), name_of(arn).into());
    }
    if kind == "AssumedRole" {
        let role = principal.and_then(|it| it.role.as_deref());
        let began = principal.and_then(|it| it.began);
        members.insert("sessionContext".to_owned(), session(resource, role, id, account, began));
    }
    identity
}

fn session(resource: &str, role: Option<&str>, id: &str, account: &str, began: Option<Timestamp>) -> Value {
    let name = resource.split('/').nth(1).unwrap_or_default();
    let arn = role.map_or_else(|| format!("arn:aws:iam::{account}:role/{name}"), str::to_owned);
    let mut attributes = json!({ "mfaAuthenticated": "false" });
    if let (Some(began), Some(members)) = (began, attributes.as_object_mut()) {
        members.insert("creationDate".to_owned(), super::record::moment(began).into());
    }
    json!({
        "sessionIssuer": {
            "type": "Role",
            "principalId": id.split(':').next().unwrap_or_default(),
            "arn": arn,
            "accountId": account,
            "userName": name,
        },
        "webIdFederationData": {},
        "attributes": attributes,
    })
}
