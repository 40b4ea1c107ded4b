//! A schema small enough to ask about one tool.
//!
//! Cedar's partial evaluator looks at every action of its schema before it looks at a policy, so that a
//! gateway's whole schema would make a list cost the square of the number of tools. The scope's part about
//! the action is answered by the index, and what is left of a policy rarely mentions the action at all: then
//! only the type of the arguments matters, and one schema with one action serves all tools that take the
//! same.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use cedar_policy::{
    Context, Entities, Entity, EntityUid, PartialEntities, PartialEntityUid, PartialRequest, Schema,
};

use crate::engine::Tool;
use crate::input_type::Record;
use crate::names::action_uid;
use crate::principal::Principal;
use crate::schema;
use crate::schema_text;

/// A tool in a small schema.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) schema: Arc<Schema>,
    action: EntityUid,
}

impl Model {
    /// A call by `principal` of which neither arguments nor time are known.
    pub(crate) fn request(&self, principal: &Principal, gateway: &EntityUid) -> Option<PartialRequest> {
        self.request_by(principal.uid.clone(), gateway, None)
    }

    /// A call of which the context may be known: all of it, as the schema has it.
    pub(crate) fn request_by(
        &self,
        caller: EntityUid,
        gateway: &EntityUid,
        context: Option<Context>,
    ) -> Option<PartialRequest> {
        let (caller, gateway) =
            (PartialEntityUid::from_concrete(caller), PartialEntityUid::from_concrete(gateway.clone()));
        PartialRequest::new(caller, self.action.clone(), gateway, context, &self.schema).ok()
    }

    /// What is known of the caller and the gateway.
    pub(crate) fn entities(&self, principal: &Principal, gateway: &EntityUid) -> Option<PartialEntities> {
        let gateway = Entity::with_uid(gateway.clone());
        let entities = Entities::from_entities([principal.entity.clone(), gateway], None).ok()?;
        PartialEntities::from_concrete(entities, &self.schema).ok()
    }
}

/// The models of a gateway's tools.
#[derive(Debug, Default)]
pub(crate) struct Models {
    /// For each distinct input. `None` where Cedar refused the schema, which it has no reason to.
    inputs: Vec<Option<Model>>,
    /// For each tool, made when it is first needed: for the rare policy that reads arguments *and* looks at
    /// the action beyond its scope.
    tools: Vec<OnceLock<Option<Model>>>,
    records: Vec<Record>,
    actions: Vec<String>,
}

static NOTHING: Record = Record { fields: BTreeMap::new() };

/// How many inputs share a schema. One schema for each takes longer to make, one for all longer to use.
const CHUNK: usize = 16;

impl Models {
    /// `actions` are those that the policies' conditions mention: they must exist for a policy to be typed.
    pub(crate) fn new(records: Vec<Record>, tools: usize, actions: Vec<String>) -> Self {
        let names: Vec<String> = (0..CHUNK).map(|number| format!("___{number}")).collect();
        let inputs = records.chunks(CHUNK).flat_map(|records| {
            let tools = || names.iter().map(String::as_str).zip(records);
            let schema = parse(&tools().collect(), &actions);
            tools().map(move |(name, _)| {
                let schema = Arc::clone(schema.as_ref()?);
                Some(Model { schema, action: action_uid(name) })
            })
        });
        Self {
            inputs: inputs.collect(),
            tools: std::iter::repeat_with(OnceLock::new).take(tools).collect(),
            records,
            actions,
        }
    }

    /// The model for layers that do not look at the action.
    pub(crate) fn of_input(&self, tool: &Tool) -> Option<&Model> {
        self.inputs.get(tool.input?)?.as_ref()
    }

    /// The model for a layer, also for one that reads nothing of the context.
    pub(crate) fn for_layer(&self, tool: &Tool, mentions_action: bool) -> Option<&Model> {
        match tool.input {
            Some(_) if !mentions_action => self.of_input(tool),
            // A schema for one tool is one whatever it takes.
            _ => self.of_tool(tool),
        }
    }

    /// What policies read of a tool's input; nothing where none does.
    pub(crate) fn record(&self, tool: &Tool) -> Option<&Record> {
        match tool.input {
            Some(input) => self.records.get(input),
            None => Some(&NOTHING),
        }
    }

    /// The model for layers that do.
    pub(crate) fn of_tool(&self, tool: &Tool) -> Option<&Model> {
        let make = || {
            let record = self.record(tool)?;
            Some(Model {
                schema: parse(&BTreeMap::from([(tool.name.as_str(), record)]), &self.actions)?,
                action: tool.action.clone(),
            })
        };
        self.tools.get(tool.position)?.get_or_init(make).as_ref()
    }
}

fn parse(tools: &BTreeMap<&str, &Record>, actions: &[String]) -> Option<Arc<Schema>> {
    let text = schema_text::write(tools, actions.iter().map(String::as_str));
    schema::parse(&text).ok().map(Arc::new)
}
