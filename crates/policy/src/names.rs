//! The names of AgentCore's Cedar vocabulary.
//!
//! Namespace, entity types and action groups are those of "Schema constraints" in the AgentCore developer
//! guide; nothing else exists in the schema, so this is the one file that spells them.

use std::sync::LazyLock;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use domain::{Authorizer, Gateway};

/// The only namespace of the schema.
pub(crate) const NAMESPACE: &str = "AgentCore";
/// Callers of a gateway with a JWT authorizer; the id is the token's `sub`.
pub(crate) const OAUTH_USER: &str = "AgentCore::OAuthUser";
/// Callers of a gateway with IAM authorization; the id is the caller's ARN without a session name.
pub(crate) const IAM_ENTITY: &str = "AgentCore::IamEntity";
/// Gateways; the id is the gateway's ARN.
pub(crate) const GATEWAY: &str = "AgentCore::Gateway";
/// Actions: tools and their groups.
pub(crate) const ACTION: &str = "AgentCore::Action";
/// The group of everything that a gateway does.
pub(crate) const MCP: &str = "Mcp";
/// The group of all tool calls.
pub(crate) const CALL_TOOL: &str = "CallTool";

/// The kinds of caller that a policy can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// `AgentCore::OAuthUser`: a caller with a JWT.
    OAuthUser,
    /// `AgentCore::IamEntity`: a caller who signed with AWS credentials.
    IamEntity,
}

impl PrincipalKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::OAuthUser, Self::IamEntity];

    /// The kinds of caller that a gateway has: those that its authorizer tells apart, and either where it has none.
    #[must_use]
    pub fn of_gateway(gateway: &Gateway) -> Vec<Self> {
        match gateway.authorizer {
            Authorizer::CustomJwt(_) => vec![Self::OAuthUser],
            Authorizer::AwsIam => vec![Self::IamEntity],
            Authorizer::None => Self::ALL.to_vec(),
        }
    }

    /// The entity type, as policies write it.
    #[must_use]
    pub fn entity_type(self) -> &'static str {
        match self {
            Self::OAuthUser => OAUTH_USER,
            Self::IamEntity => IAM_ENTITY,
        }
    }

    /// The entity's name for Cedar.
    pub(crate) fn uid(self, id: &str) -> EntityUid {
        match self {
            Self::OAuthUser => uid(&OAUTH_USER_TYPE, id),
            Self::IamEntity => uid(&IAM_ENTITY_TYPE, id),
        }
    }
}

/// Names a gateway for Cedar.
pub(crate) fn gateway_uid(arn: &str) -> EntityUid {
    uid(&GATEWAY_TYPE, arn)
}

/// Names a tool or a group of tools for Cedar.
pub(crate) fn action_uid(name: &str) -> EntityUid {
    uid(&ACTION_TYPE, name)
}

/// Whether a name is one of the built-in groups. A tool cannot have it: its full name has a separator.
pub(crate) fn is_built_in(name: &str) -> bool {
    name == MCP || name == CALL_TOOL
}

/// The target that a tool's full name begins with, when it can serve as a group of tools: AgentCore lets a
/// policy say `action in AgentCore::Action::"Target"`. A target that is called as one of the built-in groups
/// is none, because the policy would mean something wider than it says.
pub(crate) fn target_of(tool: &str) -> Option<&str> {
    let (target, _) = domain::split_tool_name(tool)?;
    (!target.is_empty() && !is_built_in(target)).then_some(target)
}

fn uid(entity_type: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(entity_type.clone(), EntityId::new(id))
}

static OAUTH_USER_TYPE: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type(OAUTH_USER));
static IAM_ENTITY_TYPE: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type(IAM_ENTITY));
static GATEWAY_TYPE: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type(GATEWAY));
static ACTION_TYPE: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type(ACTION));

#[expect(clippy::expect_used, reason = "called on the constants above, which a test parses")]
fn entity_type(name: &str) -> EntityTypeName {
    name.parse().expect("the constant is an entity type name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_parses() {
        for kind in PrincipalKind::ALL {
            assert_eq!(kind.uid("x").to_string(), format!("{}::\"x\"", kind.entity_type()));
        }
        assert_eq!(gateway_uid("g").to_string(), "AgentCore::Gateway::\"g\"");
        assert_eq!(action_uid("a\"b").to_string(), "AgentCore::Action::\"a\\\"b\"");
    }

    #[test]
    fn a_target_is_what_stands_before_three_underscores() {
        assert_eq!(target_of("RefundTool___process_refund"), Some("RefundTool"));
        assert_eq!(target_of("Target___POST:/invocations"), Some("Target"));
        assert_eq!(target_of("CallTool___x"), None);
        assert_eq!(target_of("no_separator"), None);
    }
}
