//! Policies of IAM that tenants write: whatever comes breaks nothing, nothing is allowed by default, and a deny wins.
//!
//! The parts of an input: a policy, an action, a resource.
#![no_main]

use std::sync::Arc;

use iam::{Context, Named, Policy, PolicyKind, PolicySets, Question, Requester};
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::parts;
use serde_json::{Value, json};

fuzz_target!(|input: &[u8]| {
    let Some(mut parts) = parts(input) else { return };
    let text = parts.next().unwrap_or_default();
    let (action, resource) = (parts.next().unwrap_or("s3:GetObject"), parts.next().unwrap_or("*"));
    for kind in [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust] {
        let Ok(policy) = Policy::parse(text, kind) else { continue };
        let may = allows(policy, action, resource);
        let document: Value = serde_json::from_str(text).expect("what is read is JSON");
        if !text.contains("Allow") && !text.contains('\\') {
            assert!(!may, "it is allowed by default");
        }
        let (Some(document), PolicyKind::Resource) = (denying(document), kind) else { continue };
        if let Ok(denied) = Policy::parse(&document.to_string(), kind) {
            assert!(!allows(denied, action, resource), "an allow wins over a deny");
        }
    }
});

/// Whether a stranger is let in by the policy of a resource.
fn allows(policy: Policy, action: &str, resource: &str) -> bool {
    let context = Context::new();
    let named = Named { name: "it".to_owned(), policy: Arc::new(policy) };
    let identity = std::slice::from_ref(&named);
    let sets = PolicySets { identity, boundary: None, session: None, resource: Some(&named) };
    [Requester::Anonymous, Requester::Service("lambda.amazonaws.com")].into_iter().any(|requester| {
        let question = Question { requester, action, resource, resource_account: None, context: &context };
        iam::evaluate(&question, &sets).is_allowed()
    })
}

/// The same, and a statement that denies everything to everybody.
fn denying(mut document: Value) -> Option<Value> {
    let statements = document.get_mut("Statement")?;
    let all = json!({ "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*" });
    match statements {
        Value::Array(statements) => statements.push(all),
        Value::Object(_) => *statements = json!([statements.take(), all]),
        _ => return None,
    }
    Some(document)
}
