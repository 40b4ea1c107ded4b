//! What a gateway may do to its targets: the policies of its role, and whether the role trusts it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use domain::{
    AccessKeyId, AccountId, Arn, Caller, Gateway, Holder, Principal, Role, SessionFacts, Timestamp,
};
use iam::{Context, Named, Policy, PolicyKind, PolicySets, Question, Requester};
use identity::outbound::Role as ActingRole;
use identity::principal::{Permissions, PrincipalError, permissions_of};
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
        Roles::default().of(tx, gateway).await
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

/// Roles as one transaction finds them: each is read and its policies are compiled once, whoever shares it.
#[derive(Default)]
pub struct Roles {
    known: HashMap<(AccountId, String), Option<Found>>,
}

impl Roles {
    /// Assumes the role of a gateway on the gateway's behalf.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn of(&mut self, tx: &mut Tx, gateway: &Gateway) -> Result<RoleAccess, StoreError> {
        let name = gateway.role.resource().rsplit('/').next().unwrap_or_default();
        let found = match self.known.entry((gateway.scope.account.clone(), name.to_owned())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let found = Found::read(tx, &gateway.scope.account, name).await?;
                unknown.insert(found)
            }
        };
        let none = |why: String| Ok(RoleAccess::None(why.into()));
        let Some(found) = found.as_ref().filter(|found| found.role.arn() == gateway.role) else {
            return none(format!("the role {} does not exist", gateway.role));
        };
        if !found.trusts(gateway) {
            return none(format!("the role {} does not trust {SERVICE} for this gateway", gateway.role));
        }
        let permissions = match &found.permissions {
            Ok(permissions) => Arc::clone(permissions),
            Err(why) => return Ok(RoleAccess::None(Arc::clone(why))),
        };
        let caller = Caller {
            account: found.role.account.clone(),
            principal: Principal::AssumedRole {
                role: found.role.name.clone(),
                path: found.role.path.clone(),
                id: found.role.id.clone(),
                session: format!("gateway-{}", gateway.id),
            },
            access_key: AccessKeyId::from_text("gateway"),
            session_policies: Vec::new(),
            issued_at: None,
            expires_at: None,
            session: SessionFacts::default(),
        };
        Ok(RoleAccess::Session { caller: Box::new(caller), permissions })
    }
}

/// A role, and what belongs to it.
struct Found {
    role: Role,
    /// Its trust policy; one that cannot be read trusts nobody.
    trust: Option<Named>,
    /// What it may, or why nobody knows.
    permissions: Result<Arc<Permissions>, Arc<str>>,
}

impl Found {
    async fn read(tx: &mut Tx, account: &AccountId, name: &str) -> Result<Option<Self>, StoreError> {
        let Some(role) = tx.role(account, name).await? else { return Ok(None) };
        let trust = Policy::parse(&role.trust_policy.0, PolicyKind::Trust).ok().map(|policy| Named {
            name: format!("the trust policy of {}", role.arn()),
            policy: Arc::new(policy),
        });
        let permissions = match permissions_of(tx, account, &Holder::Role(role.name.clone())).await {
            Ok(permissions) => Ok(Arc::new(permissions)),
            Err(PrincipalError::Store(error)) => return Err(error),
            Err(error) => Err(error.to_string().into()),
        };
        Ok(Some(Self { role, trust, permissions }))
    }

    /// Whether the service may assume the role on behalf of this gateway: `aws:SourceArn` and `aws:SourceAccount` name it.
    fn trusts(&self, gateway: &Gateway) -> bool {
        let Some(trust) = &self.trust else { return false };
        let role = &self.role;
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
        iam::evaluate_trust(&question, trust, &PolicySets::default()).is_allowed()
    }
}
