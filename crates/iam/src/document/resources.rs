//! `Resource` and `NotResource` in a document.
//!
//! IAM looks into the ARNs of identity policies: their partition, their service and, for IAM and S3, what those
//! services' ARNs can look like. Other services look at their own policies' ARNs, which is the callers' affair.

use super::Reader;
use super::json::Json;
use super::statement::{Either, Elements};
use crate::malformed::{Fault, MalformedPolicy};
use crate::policy::PolicyKind;
use crate::resource::ResourceElement;

const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

/// What the resource part of IAM's own ARNs begins with.
const IAM_PATHS: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

impl Reader {
    pub(super) fn resources(
        self,
        elements: &mut Elements,
    ) -> Result<Option<ResourceElement>, MalformedPolicy> {
        let found = self.either(elements, "Resource", "NotResource")?;
        if self.kind == PolicyKind::Trust {
            return match found {
                None => Ok(None),
                Some(Either { place, negated, .. }) => {
                    let fault = if negated { Fault::NotResourceForbidden } else { Fault::ResourceForbidden };
                    let hint = "remove it; a trust policy speaks about the role it belongs to";
                    Err(self.refuse(&fault, &place, hint))
                }
            };
        }
        let hint = "add Resource: \"*\", or the ARN of what the statement is about";
        let Some(Either { value, place, negated }) = found else {
            return Err(self.refuse(&Fault::MissingResource, &elements.place, hint));
        };
        let texts = self.texts(without_nulls(value), &place)?;
        if texts.is_empty() {
            return Err(self.refuse(&Fault::MissingResource, &place, hint));
        }
        for text in &texts {
            self.check_resource(text, &place)?;
        }
        Ok(Some(ResourceElement::compile(&texts, negated, self.variables())))
    }

    fn check_resource(self, text: &str, place: &str) -> Result<(), MalformedPolicy> {
        if text == "*" {
            return Ok(());
        }
        let fault = match self.kind {
            PolicyKind::Identity => identity_fault(text),
            PolicyKind::Resource | PolicyKind::Trust => {
                let complete = text.starts_with("arn:") && text.split(':').nth(5).is_some();
                (!complete).then(|| Fault::ResourceFormat(text.to_owned()))
            }
        };
        match fault {
            None => Ok(()),
            Some(fault) => {
                let hint = format!(
                    "write `{text}` as \"*\" or as arn:aws:service:region:account:resource, such as \
                     arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/*"
                );
                Err(self.refuse(&fault, place, hint))
            }
        }
    }
}

/// IAM takes a `null` in a list of resources for nothing.
fn without_nulls(value: Json) -> Json {
    match value {
        Json::List(mut list) => {
            list.retain(|element| !matches!(element, Json::Null));
            Json::List(list)
        }
        other => other,
    }
}

/// What IAM has against an ARN in an identity policy.
fn identity_fault(text: &str) -> Option<Fault> {
    let mut parts = text.splitn(6, ':');
    parts.next()?;
    let Some(partition) = parts.next() else {
        return Some(Fault::ResourceFormat(text.to_owned()));
    };
    if !text.starts_with("arn:") || !is_partition(partition) {
        let rest: Vec<&str> = text.splitn(6, ':').skip(2).collect();
        let part = |at: usize| rest.get(at).copied().unwrap_or("*");
        return Some(Fault::ResourcePartition {
            partition: partition.to_owned(),
            resource: format!("arn:{partition}:{}:{}:{}:{}", part(0), part(1), part(2), part(3)),
        });
    }
    let Some(service) = parts.next().filter(|service| !service.contains(['*', '?'])) else {
        return Some(Fault::ResourceVendor);
    };
    let (region, account, resource) = (parts.next(), parts.next(), parts.next());
    // Short ARNs are complete by themselves (`arn:aws:s3`), but not when they leave a component empty.
    let torn = resource.is_none() && text.contains("::");
    if service.is_empty() || torn {
        return Some(Fault::Legacy);
    }
    let (Some(region), Some(_), Some(resource)) = (region, account, resource) else {
        return None;
    };
    match service {
        "iam" if !region.is_empty() => Some(Fault::IamResourceRegion(text.to_owned())),
        "iam" if !is_iam_path(resource) => Some(Fault::IamResourcePath),
        // Access points and the newer kinds of buckets live in a region; plain buckets do not.
        "s3" if !region.is_empty() && !region.contains('*') && !resource.contains('/') => {
            Some(Fault::S3ResourceRegion(text.to_owned()))
        }
        _ => None,
    }
}

fn is_partition(text: &str) -> bool {
    text.contains('*') || PARTITIONS.contains(&text)
}

fn is_iam_path(resource: &str) -> bool {
    let first = resource.split('/').next().unwrap_or_default();
    first.contains(['*', '?', '$']) || IAM_PATHS.iter().any(|path| resource.starts_with(path))
}
