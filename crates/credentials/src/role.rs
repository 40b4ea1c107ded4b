//! What a gateway may do to its targets: the policies of its role, and whether the role trusts it.

use std::sync::Arc;

use domain::{AccessKeyId, Arn, Caller, Gateway, Holder, Principal, Role, SessionFacts, Timestamp};
use iam::{Context, Named, Policy, PolicyKind, PolicySets, Question, Requester};
use identity::outbound::Role as ActingRole;
use identity::principal::{Permissions, permissions_of};
use store::{StoreError, Tx};

/// The service that assumes the roles of gateways.
const SERVICE: &str = "bedrock-agentcore.amazonaws.com";

/// The role of a gateway.
#[derive(Clone)]
pub enum RoleAccess {
    /// A session of the role, with its policies.
    Session {
        /// The session.
        caller: Box<Caller>,
        /// What the role has.
        permissions: Arc<Permissions>,
    },
    /// No session can be had, and why.
    None(Arc<str>),
}

impl RoleAccess {
    /// Reads the role of a gateway and assumes it on the gateway's behalf.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn read(tx: &mut Tx, gateway: &Gateway) -> Result<Self, StoreError> {
        let none = |why: String| Ok(Self::None(why.into()));
        let name = gateway.role.resource().rsplit('/').next().unwrap_or_default();
        let role = tx.role(&gateway.scope.account, name).await?.filter(|role| role.arn() == gateway.role);
        let Some(role) = role else { return none(format!("the role {} does not exist", gateway.role)) };
        if !trusts(&role, gateway) {
            return none(format!("the role {} does not trust {SERVICE} for this gateway", gateway.role));
        }
        let holder = Holder::Role(role.name.clone());
        let permissions = match permissions_of(tx, &gateway.scope.account, &holder).await {
            Ok(permissions) => permissions,
            Err(identity::principal::PrincipalError::Store(error)) => return Err(error),
            Err(error) => return none(error.to_string()),
        };
        let caller = Caller {
            account: role.account.clone(),
            principal: Principal::AssumedRole {
                role: role.name,
                path: role.path,
                id: role.id,
                session: format!("gateway-{}", gateway.id),
            },
            access_key: AccessKeyId::from_text("gateway"),
            session_policies: Vec::new(),
            issued_at: None,
            expires_at: None,
            session: SessionFacts::default(),
        };
        Ok(Self::Session { caller: Box::new(caller), permissions: Arc::new(permissions) })
    }

    /// The role as it acts for a gateway, or why it cannot.
    ///
    /// # Errors
    /// Why no session can be had, in words for the gateway's owner.
    pub fn session<'a>(&'a self, gateway: &'a Arn) -> Result<ActingRole<'a>, &'a str> {
        match self {
            Self::Session { caller, permissions } => Ok(ActingRole { caller, permissions, source: gateway }),
            Self::None(why) => Err(why),
        }
    }

    /// What the role lacks to have calls decided by a policy engine (developer guide, "Gateway and Policy IAM
    /// permissions"): each as `action on resource`. Empty when nothing is lacking.
    #[must_use]
    pub fn lacks_for_policies(&self, gateway: &Arn, engine: &Arn, now: Timestamp) -> Vec<String> {
        let (caller, permissions) = match self {
            Self::Session { caller, permissions } => (caller, permissions),
            Self::None(why) => return vec![why.to_string()],
        };
        let requester = Requester::Iam(caller);
        let conditions = permissions
            .conditions(caller)
            .at(now)
            .with("aws:SourceArn", gateway.as_str())
            .with("aws:SourceAccount", gateway.account());
        let needed = [
            ("bedrock-agentcore:GetPolicyEngine", engine),
            ("bedrock-agentcore:AuthorizeAction", engine),
            ("bedrock-agentcore:AuthorizeAction", gateway),
            ("bedrock-agentcore:PartiallyAuthorizeActions", engine),
            ("bedrock-agentcore:PartiallyAuthorizeActions", gateway),
        ];
        let sets = permissions.sets(None);
        let is_lacking = |(action, resource): &(&str, &Arn)| {
            let resource = resource.as_str();
            let question =
                Question { requester, action, resource, resource_account: None, context: &conditions };
            !iam::evaluate(&question, &sets).is_allowed()
        };
        let lacking = needed.into_iter().filter(is_lacking);
        lacking.map(|(action, resource)| format!("{action} on {resource}")).collect()
    }

    /// Whether the role may invoke a function, by its own policies and the function's.
    ///
    /// # Errors
    /// Why it may not, as AWS words it.
    pub fn may_invoke(
        &self,
        gateway: &Arn,
        function: &Arn,
        resource: Option<&Named>,
        now: Timestamp,
    ) -> Result<(), String> {
        let (caller, permissions) = match self {
            Self::Session { caller, permissions } => (caller, permissions),
            Self::None(why) => return Err(why.to_string()),
        };
        let requester = Requester::Iam(caller);
        let conditions = permissions
            .conditions(caller)
            .at(now)
            .with("aws:SourceArn", gateway.as_str())
            .with("aws:SourceAccount", gateway.account());
        let question = Question {
            requester,
            action: "lambda:InvokeFunction",
            resource: function.as_str(),
            resource_account: None,
            context: &conditions,
        };
        let verdict = iam::evaluate(&question, &permissions.sets(resource));
        verdict.denial(&question).map_or(Ok(()), Err)
    }
}

/// Whether the service may assume the role on behalf of this gateway: `aws:SourceArn` and `aws:SourceAccount` name it.
fn trusts(role: &Role, gateway: &Gateway) -> bool {
    let Ok(policy) = Policy::parse(&role.trust_policy.0, PolicyKind::Trust) else { return false };
    let trust = Named { name: format!("the trust policy of {}", role.arn()), policy: Arc::new(policy) };
    let (role_arn, source) = (role.arn(), Arn::gateway(&gateway.scope, &gateway.id));
    let requester = Requester::Service(SERVICE);
    let conditions = Context::of(&requester)
        .with("aws:SourceArn", source.as_str())
        .with("aws:SourceAccount", source.account());
    let question = Question {
        requester,
        action: "sts:AssumeRole",
        resource: role_arn.as_str(),
        resource_account: Some(&role.account),
        context: &conditions,
    };
    iam::evaluate_trust(&question, &trust, &PolicySets::default()).is_allowed()
}
