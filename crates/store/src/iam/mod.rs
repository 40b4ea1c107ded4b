//! Users, groups, roles, managed policies, identity providers, what is attached to whom, and access keys. Names of users, roles and policies are
//! kept as they were given and found without regard to case, as IAM finds them.

mod access_keys;
mod attachments;
mod groups;
mod managed_policies;
mod oidc_providers;
mod principals;

/// A name as it is found: without regard to case.
fn folded(name: &str) -> String {
    name.to_lowercase()
}
