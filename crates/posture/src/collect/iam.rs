//! Roles and users, with what they may do.

use std::collections::BTreeMap;

use domain::Timestamp;
use percent_encoding::percent_decode_str;

use super::xml::Tree;
use crate::client::{Access, CallError};
use crate::{Inventory, Key, NamedDocument, Role, User};

/// The most pages of one list.
const MOST_PAGES: usize = 1_000;

pub(super) async fn roles(access: &Access<'_>, inventory: &mut Inventory) {
    let listed = all(access, "ListRoles", &[], "Roles").await;
    let mut managed = BTreeMap::new();
    for role in inventory.read("ListRoles", listed) {
        let name = role.text("RoleName");
        let policies = policies(access, inventory, "Role", &name, &mut managed).await;
        let trust = decoded(&role.text("AssumeRolePolicyDocument"));
        inventory.roles.push(Role { arn: role.text("Arn"), name, trust, policies });
    }
}

pub(super) async fn users(access: &Access<'_>, inventory: &mut Inventory) {
    let listed = all(access, "ListUsers", &[], "Users").await;
    let mut managed = BTreeMap::new();
    for user in inventory.read("ListUsers", listed) {
        let name = user.text("UserName");
        let policies = policies(access, inventory, "User", &name, &mut managed).await;
        let listed = all(access, "ListAccessKeys", &[("UserName", &name)], "AccessKeyMetadata").await;
        let keys = inventory.read("ListAccessKeys", listed).into_iter().map(|key| Key {
            id: key.text("AccessKeyId"),
            active: key.text("Status") == "Active",
            created_at: Timestamp::parse(&key.text("CreateDate")).unwrap_or_default(),
        });
        let keys = keys.collect();
        inventory.users.push(User { arn: user.text("Arn"), name, policies, keys });
    }
}

/// The documents of a role or a user: inline and attached ones. What is attached several times is read once.
async fn policies(
    access: &Access<'_>,
    inventory: &mut Inventory,
    kind: &str,
    name: &str,
    managed: &mut BTreeMap<String, String>,
) -> Vec<NamedDocument> {
    let whose = format!("{kind}Name");
    let mut documents = Vec::new();
    let operation = format!("List{kind}Policies");
    let listed = all(access, &operation, &[(&whose, name)], "PolicyNames").await;
    for policy in inventory.read(&operation, listed) {
        let policy = policy.own_text();
        let operation = format!("Get{kind}Policy");
        let read = access.iam(&operation, &[(&whose, name), ("PolicyName", &policy)]).await;
        let read = read.and_then(|text| Tree::parse(&text));
        let tree = inventory.read(&operation, read);
        let document = decoded(&tree.find("PolicyDocument").map(Tree::own_text).unwrap_or_default());
        documents.push(NamedDocument { name: policy, document });
    }
    let operation = format!("ListAttached{kind}Policies");
    let listed = all(access, &operation, &[(&whose, name)], "AttachedPolicies").await;
    for attached in inventory.read(&operation, listed) {
        let arn = attached.text("PolicyArn");
        if !managed.contains_key(&arn) {
            let document = inventory.read("GetPolicyVersion", managed_policy(access, &arn).await);
            managed.insert(arn.clone(), document);
        }
        let document = managed.get(&arn).cloned().unwrap_or_default();
        documents.push(NamedDocument { name: arn, document });
    }
    documents
}

async fn managed_policy(access: &Access<'_>, arn: &str) -> Result<String, CallError> {
    let policy = Tree::parse(&access.iam("GetPolicy", &[("PolicyArn", arn)]).await?)?;
    let version = policy.find("DefaultVersionId").map(Tree::own_text).unwrap_or_default();
    let given = [("PolicyArn", arn), ("VersionId", version.as_str())];
    let read = Tree::parse(&access.iam("GetPolicyVersion", &given).await?)?;
    Ok(decoded(&read.find("Document").map(Tree::own_text).unwrap_or_default()))
}

/// All members of a list, page after page.
async fn all(
    access: &Access<'_>,
    operation: &str,
    given: &[(&str, &str)],
    list: &str,
) -> Result<Vec<Tree>, CallError> {
    let (mut members, mut marker) = (Vec::new(), None::<String>);
    for _ in 0..MOST_PAGES {
        let mut given = given.to_vec();
        given.extend(marker.iter().map(|marker| ("Marker", marker.as_str())));
        let tree = Tree::parse(&access.iam(operation, &given).await?)?;
        members.extend(tree.find(list).into_iter().flat_map(Tree::members).cloned());
        marker = tree.find("Marker").map(Tree::own_text).filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(members);
        }
    }
    Err(CallError::Unreadable(format!("{operation} has more than {MOST_PAGES} pages")))
}

/// IAM writes documents percent-encoded.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
