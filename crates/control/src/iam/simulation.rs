//! What policies would decide: the evaluator that decides requests, asked about requests that nobody makes.
//!
//! There is one result for each pair of an action and a resource, with the statements that the decision rests on and the
//! condition keys that the policies look at and nobody gave. A user or a role that is simulated has the keys that it
//! always has; the time, the address and everything else come from `ContextEntries`.

use ::iam::{
    Context as Conditions, Effect, Matched, Named, PolicySets, Question, Requester, statement_places,
};
use aws_shapes::iam::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, GetContextKeysForCustomPolicyRequest,
    GetContextKeysForPolicyResponse, GetContextKeysForPrincipalPolicyRequest,
    PermissionsBoundaryDecisionDetail, PolicyEvaluationDecisionType, PolicySimulationOperations,
    PolicySourceType, Position, SimulateCustomPolicyRequest, SimulatePolicyResponse,
    SimulatePrincipalPolicyRequest, Statement,
};
use domain::{AccountId, Arn, Document, Holder};

use super::listing::Listing;
use super::simulation_source::{Input, Source, read_holder};
use super::{Iam, holder, invalid_input, no_such_holder};
use crate::context::Context;
use crate::fault::Failure;

/// How many decisions one request may ask for.
const MOST_PAIRS: usize = 2_000;

impl PolicySimulationOperations<Context> for Iam {
    type Error = Failure;

    async fn simulate_custom_policy(
        &self,
        context: &Context,
        input: SimulateCustomPolicyRequest,
    ) -> Result<SimulatePolicyResponse, Failure> {
        let account = &context.scope.account;
        let allowed = context.authorize_without_resource(&Arn::iam(account, "root"))?;
        let mut source = Source::nobody(account);
        source.policies = Input::read_all("PolicyInputList", input.policy_input_list)?;
        Simulation {
            source,
            bounds: input.permissions_boundary_policy_input_list,
            actions: input.action_names,
            resources: input.resource_arns,
            resource_policy: input.resource_policy,
            resource_owner: input.resource_owner,
            caller: input.caller_arn,
            entries: input.context_entries.unwrap_or_default(),
        }
        .run(context, &mut allowed.read().await?, Listing::new(input.marker.as_deref(), input.max_items)?)
        .await
    }

    async fn simulate_principal_policy(
        &self,
        context: &Context,
        input: SimulatePrincipalPolicyRequest,
    ) -> Result<SimulatePolicyResponse, Failure> {
        let holder = read_holder(context, &input.policy_source_arn)?;
        let mut source = of_principal(context, &holder, &input.policy_source_arn).await?;
        let more = input.policy_input_list.unwrap_or_default();
        source.policies.extend(Input::read_all("PolicyInputList", more)?);
        Simulation {
            source,
            bounds: input.permissions_boundary_policy_input_list,
            actions: input.action_names,
            resources: input.resource_arns,
            resource_policy: input.resource_policy,
            resource_owner: input.resource_owner,
            caller: input.caller_arn,
            entries: input.context_entries.unwrap_or_default(),
        }
        .run(
            context,
            &mut context.setup().store.read().await?,
            Listing::new(input.marker.as_deref(), input.max_items)?,
        )
        .await
    }

    async fn get_context_keys_for_custom_policy(
        &self,
        context: &Context,
        input: GetContextKeysForCustomPolicyRequest,
    ) -> Result<GetContextKeysForPolicyResponse, Failure> {
        context.authorize_without_resource(&Arn::iam(&context.scope.account, "root"))?;
        let policies = Input::read_all("PolicyInputList", input.policy_input_list)?;
        Ok(GetContextKeysForPolicyResponse { context_key_names: Some(keys(policies.iter())) })
    }

    async fn get_context_keys_for_principal_policy(
        &self,
        context: &Context,
        input: GetContextKeysForPrincipalPolicyRequest,
    ) -> Result<GetContextKeysForPolicyResponse, Failure> {
        let holder = read_holder(context, &input.policy_source_arn)?;
        let source = of_principal(context, &holder, &input.policy_source_arn).await?;
        let more = Input::read_all("PolicyInputList", input.policy_input_list.unwrap_or_default())?;
        let all = source.policies.iter().chain(&source.boundary).chain(&more);
        Ok(GetContextKeysForPolicyResponse { context_key_names: Some(keys(all)) })
    }
}

/// The principal of a request, if the caller may look at it.
async fn of_principal(context: &Context, holder: &Holder, arn: &str) -> Result<Source, Failure> {
    let allowed = holder::authorize_called(context, holder, arn).await?;
    let mut tx = allowed.read().await?;
    if allowed.resource().as_str() != arn {
        return Err(no_such_holder(holder));
    }
    holder::require(&mut tx, context, &allowed, holder).await?;
    Source::read(&mut tx, context, holder).await
}

/// What is simulated.
struct Simulation {
    source: Source,
    bounds: Option<Vec<String>>,
    actions: Vec<String>,
    resources: Option<Vec<String>>,
    resource_policy: Option<String>,
    resource_owner: Option<String>,
    caller: Option<String>,
    entries: Vec<ContextEntry>,
}

impl Simulation {
    async fn run(
        mut self,
        context: &Context,
        tx: &mut store::Tx,
        listing: Listing,
    ) -> Result<SimulatePolicyResponse, Failure> {
        let resources =
            self.resources.take().filter(|list| !list.is_empty()).unwrap_or_else(|| vec!["*".to_owned()]);
        let actions = std::mem::take(&mut self.actions);
        if let Some(wrong) = actions.iter().find(|action| !is_action(action)) {
            return Err(invalid_input(format!(
                "{wrong} is no action: write service:Action, without wildcards."
            )));
        }
        if actions.len() * resources.len() > MOST_PAIRS {
            return Err(invalid_input(format!(
                "The request asks for more than {MOST_PAIRS} decisions: ask for fewer actions or resources."
            )));
        }
        if let Some(bounds) = self.bounds.take() {
            let mut bounds = Input::read_all("PermissionsBoundaryPolicyInputList", bounds)?;
            if bounds.len() > 1 {
                return Err(invalid_input("There can be one permissions boundary at most.".to_owned()));
            }
            self.source.boundary = bounds.pop();
        }
        if let Some(caller) = &self.caller {
            self.source.caller = Source::caller_of(tx, context, caller).await?;
        } else if self.resource_policy.is_some()
            && self.source.policies.iter().all(|it| it.kind == PolicySourceType::None)
        {
            return Err(invalid_input("CallerArn is required when ResourcePolicy is given.".to_owned()));
        }
        let resource_policy = match self.resource_policy.take() {
            Some(text) => {
                Some(Input::read("ResourcePolicy".to_owned(), PolicySourceType::Resource, Document(text))?)
            }
            None => None,
        };
        let owner = self.resource_owner.as_deref().map(read_owner).transpose()?;
        let facts = self.entries.iter().try_fold(self.source.facts.clone(), with_entry)?;
        let pairs =
            actions.iter().flat_map(|action| resources.iter().map(move |resource| (action, resource)));
        // Each pair is called by its place, so that a page goes on where the last one ended.
        let pairs = pairs.enumerate().map(|(at, (action, resource))| (format!("{at:06}"), action, resource));
        let page = listing.page(pairs.collect(), |(place, ..)| place.clone());
        let judged = Judged { source: self.source, resource_policy, owner, facts };
        let page = page.map(|(_, action, resource)| judged.result(action, resource));
        Ok(SimulatePolicyResponse {
            evaluation_results: Some(page.items),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

/// Everything that has a say in a result.
struct Judged {
    source: Source,
    resource_policy: Option<Input>,
    owner: Option<AccountId>,
    facts: Conditions,
}

impl Judged {
    fn result(&self, action: &str, resource: &str) -> EvaluationResult {
        let own: Vec<Named> = self.source.policies.iter().map(|input| input.named.clone()).collect();
        let sets = PolicySets {
            identity: &own,
            boundary: self.source.boundary.as_ref().map(|input| &input.named),
            session: None,
            resource: self.resource_policy.as_ref().map(|input| &input.named),
        };
        let owner = self.owner.as_ref().unwrap_or(&self.source.caller.account);
        let names_owner = resource.split(':').nth(4).is_some_and(|account| !account.is_empty());
        let question = Question {
            requester: Requester::Iam(&self.source.caller),
            action,
            resource,
            resource_account: (self.owner.is_some() || !names_owner).then_some(owner),
            context: &self.facts,
        };
        let effect = ::iam::evaluate(&question, &sets).effect;
        let matched = ::iam::matching(&question, &sets);
        let by_boundary = self.source.boundary.as_ref().map(|boundary| {
            let alone =
                PolicySets { identity: std::slice::from_ref(&boundary.named), ..PolicySets::default() };
            let allowed = ::iam::evaluate(&question, &alone).effect == Effect::Allow;
            PermissionsBoundaryDecisionDetail { allowed_by_permissions_boundary: Some(allowed) }
        });
        EvaluationResult {
            eval_action_name: action.to_owned(),
            eval_resource_name: Some(resource.to_owned()),
            eval_decision: match effect {
                Effect::Allow => PolicyEvaluationDecisionType::Allowed,
                Effect::ExplicitDeny => PolicyEvaluationDecisionType::ExplicitDeny,
                Effect::ImplicitDeny => PolicyEvaluationDecisionType::ImplicitDeny,
            },
            matched_statements: Some(self.shown(&matched, effect)),
            missing_context_values: Some(self.missing()),
            permissions_boundary_decision_detail: by_boundary,
        }
    }

    /// The statements that a decision rests on: those that deny, or those that allow.
    fn shown(&self, matched: &[Matched], effect: Effect) -> Vec<Statement> {
        let denies = effect == Effect::ExplicitDeny;
        let resting = matched.iter().filter(|it| it.denies == denies && effect != Effect::ImplicitDeny);
        resting.filter_map(|it| self.inputs().find_map(|input| shown(input, it))).collect()
    }

    fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.source.policies.iter().chain(&self.source.boundary).chain(&self.resource_policy)
    }

    fn missing(&self) -> Vec<String> {
        let mut keys = keys(self.inputs());
        keys.retain(|key| !self.facts.has(key));
        keys
    }
}

fn shown(input: &Input, matched: &Matched) -> Option<Statement> {
    if input.named.name != matched.statement.policy {
        return None;
    }
    let places = statement_places(&input.text.0);
    let place = places.get(matched.statement.index);
    let position = |place: ::iam::Place| Position {
        line: i64::try_from(place.line).ok(),
        column: i64::try_from(place.column).ok(),
    };
    Some(Statement {
        source_policy_id: Some(input.named.name.clone()),
        source_policy_type: Some(input.kind),
        start_position: place.map(|(begin, _)| position(*begin)),
        end_position: place.map(|(_, end)| position(*end)),
    })
}

fn keys<'a>(policies: impl Iterator<Item = &'a Input>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for key in policies.flat_map(|input| input.named.policy.context_keys()) {
        if !all.iter().any(|known| known.eq_ignore_ascii_case(&key)) {
            all.push(key);
        }
    }
    all
}

fn is_action(text: &str) -> bool {
    let parts = text.split_once(':');
    parts.is_some_and(|(service, name)| !service.is_empty() && !name.is_empty() && !text.contains(['*', '?']))
}

fn read_owner(text: &str) -> Result<AccountId, Failure> {
    let account = Arn::parse(text).map_or_else(|_| text.to_owned(), |arn| arn.account().to_owned());
    AccountId::parse(&account)
        .map_err(|_| invalid_input(format!("ResourceOwner {text} must be the ARN of an account's root.")))
}

/// A key that a request gives. Those of a list type have several values, even where there is one.
fn with_entry(context: Conditions, entry: &ContextEntry) -> Result<Conditions, Failure> {
    let (Some(name), Some(values)) = (&entry.context_key_name, &entry.context_key_values) else {
        return Err(invalid_input("A context entry has a name and values.".to_owned()));
    };
    let many = matches!(
        entry.context_key_type,
        Some(
            ContextKeyTypeEnum::StringList
                | ContextKeyTypeEnum::NumericList
                | ContextKeyTypeEnum::BooleanList
                | ContextKeyTypeEnum::IpList
                | ContextKeyTypeEnum::BinaryList
                | ContextKeyTypeEnum::DateList
        )
    );
    match values.as_slice() {
        _ if many => Ok(context.with_many(name, values.iter().map(String::as_str))),
        [one] => Ok(context.with(name, one.as_str())),
        _ => Err(invalid_input(format!("The context key {name} has several values: give it a list type."))),
    }
}
