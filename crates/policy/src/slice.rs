//! Which policies can be about a call: the index that makes a decision independent of all others.
//!
//! A policy is filed by what its scope says of the action: every tool, every tool of one target, or the tools
//! that it names. A tool's slice is at most three layers (those about every tool, those about its target,
//! those that name it), split by the kind of caller. Layers with the same content are one object, so that a
//! thousand tools under ten general policies hold ten policies and not ten thousand; and what is found out
//! about a layer for one tool often holds for the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::{Policy, PolicyId, PolicySet};

use crate::check::unreadable;
use crate::input_type::ToolInput;
use crate::names::{ACTION, PrincipalKind, target_of};
use crate::reads::Reads;
use crate::source::Source;
use crate::statement::{ActionScope, Effect};

/// Policies that are always considered together.
#[derive(Debug)]
pub(crate) struct Layer {
    /// Distinguishes the layers of one engine.
    pub(crate) id: usize,
    /// The policies' ids, in alphabetical order.
    pub(crate) ids: BTreeSet<domain::PolicyId>,
    pub(crate) policies: PolicySet,
    pub(crate) effects: HashMap<PolicyId, Effect>,
    pub(crate) reads: Reads,
    /// What the forbids among them read.
    forbids_read: Reads,
    /// Whether a condition looks at the action.
    pub(crate) mentions_action: bool,
    /// Whether one of the permits may apply, as questions. Empty where the context is not read.
    pub(crate) permits: Questions,
    /// Whether one of the forbids may apply, as questions. Empty where the context is not read.
    pub(crate) forbids: Questions,
}

impl Layer {
    fn new(id: usize) -> Self {
        Self {
            id,
            ids: BTreeSet::new(),
            policies: PolicySet::new(),
            effects: HashMap::new(),
            reads: Reads::default(),
            forbids_read: Reads::default(),
            mentions_action: false,
            permits: Questions::default(),
            forbids: Questions::default(),
        }
    }

    fn add(&mut self, filed: &Filed) -> Result<(), String> {
        let policy = filed.policy.clone();
        self.ids.insert(domain::PolicyId::from_text(AsRef::<str>::as_ref(policy.id())));
        let statement = filed.source.statement();
        self.effects.insert(policy.id().clone(), statement.effect);
        self.policies.add(policy).map_err(|error| error.to_string())?;
        self.reads.merge(&statement.reads);
        if statement.effect == Effect::Forbid {
            self.forbids_read.merge(&statement.reads);
        }
        self.mentions_action |= statement.mentions_action;
        Ok(())
    }

    fn ask(&mut self, filed: &Filed) -> Result<(), String> {
        let question = filed.source.question()?.clone();
        let questions = match filed.source.effect() {
            Effect::Permit => &mut self.permits,
            Effect::Forbid => &mut self.forbids,
        };
        questions.add(question)
    }
}

/// Policies as permits, to be asked one batch after the other until the answer is known. The first batch is one policy and
/// each later one twice as large: one that applies is mostly found at once, and many that do not cost few questions.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    pub(crate) batches: Vec<PolicySet>,
}

impl Questions {
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    fn add(&mut self, question: Policy) -> Result<(), String> {
        let size =
            1_usize.checked_shl(u32::try_from(self.batches.len().saturating_sub(1)).unwrap_or(u32::MAX));
        match self.batches.last_mut().filter(|last| size.is_none_or(|size| last.num_of_policies() < size)) {
            Some(last) => last.add(question).map_err(|error| error.to_string()),
            None => {
                let alone = PolicySet::from_policies([question]).map_err(|error| error.to_string())?;
                self.batches.push(alone);
                Ok(())
            }
        }
    }
}

/// The policies that may apply to the calls of one tool by one kind of caller.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    pub(crate) layers: Vec<Arc<Layer>>,
    reads: Reads,
    pub(crate) mentions_action: bool,
}

impl Slice {
    /// What the policies read of the context.
    pub(crate) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The first part of a tool's arguments that a forbid asks about and cannot see.
    pub(crate) fn unseen_by_a_forbid(&self, input: &ToolInput) -> Option<String> {
        let reads = self.layers.iter().filter_map(|layer| layer.forbids_read.field("input"));
        let unseen = reads.flat_map(|reads| unreadable(reads, input));
        unseen.map(|part| part.path.join(".")).next()
    }

    fn push(&mut self, layer: Arc<Layer>) {
        self.reads.merge(&layer.reads);
        self.mentions_action |= layer.mentions_action;
        self.layers.push(layer);
    }
}

/// What compiled policies are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Whether a call may be made.
    Decide,
    /// Which of them match it. Every one of them is a permit then, because an answer that names forbids names no
    /// permits; what it would do is in [`Layer::effects`].
    Observe,
}

/// The policies of an engine, before the tools are known.
pub(crate) struct Index {
    purpose: Purpose,
    policies: Vec<Filed>,
    actions: BTreeSet<String>,
    depth: usize,
}

/// A policy, and the same without the part of its scope that the index answers.
struct Filed {
    source: Arc<Source>,
    policy: Policy,
}

impl Index {
    pub(crate) fn new(purpose: Purpose) -> Self {
        Self { purpose, policies: Vec::new(), actions: BTreeSet::new(), depth: 0 }
    }

    pub(crate) fn add(&mut self, source: &Arc<Source>) -> Result<(), String> {
        let policy = match self.purpose {
            Purpose::Decide => source.rule()?,
            Purpose::Observe => source.question()?,
        };
        let literals = policy.entity_literals();
        let actions = literals.iter().filter(|uid| uid.type_name().to_string() == ACTION);
        self.actions.extend(actions.map(|uid| AsRef::<str>::as_ref(uid.id()).to_owned()));
        self.depth = self.depth.max(source.statement().depth);
        self.policies.push(Filed { source: Arc::clone(source), policy: policy.clone() });
        Ok(())
    }

    /// Files the policies under the tools.
    pub(crate) fn slices<'t>(self, tools: impl Iterator<Item = &'t str> + Clone) -> Slices {
        let mut targets: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut names = BTreeSet::new();
        for tool in tools {
            names.insert(tool);
            if let Some(target) = target_of(tool) {
                targets.entry(target).or_default().push(tool);
            }
        }
        let mut files = HashMap::<(PrincipalKind, File), Vec<usize>>::new();
        for (number, filed) in self.policies.iter().enumerate() {
            let statement = filed.source.statement();
            for kind in &statement.principals {
                for file in files_of(&statement.action, &names, &targets) {
                    files.entry((*kind, file)).or_default().push(number);
                }
            }
        }
        Slices { index: self, files, layers: BTreeMap::new() }
    }
}

/// Where a policy is filed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum File {
    EveryTool,
    Target(String),
    Tool(String),
}

/// Where a policy belongs: in one file for a tool at most, so that no tool meets it twice.
fn files_of(action: &ActionScope, tools: &BTreeSet<&str>, targets: &HashMap<&str, Vec<&str>>) -> Vec<File> {
    match action {
        ActionScope::EveryTool => vec![File::EveryTool],
        ActionScope::Is(name) => vec![File::Tool(name.clone())],
        ActionScope::In(names) => match names.as_slice() {
            [target] if targets.contains_key(target.as_str()) && !tools.contains(target.as_str()) => {
                vec![File::Target(target.clone())]
            }
            _ => {
                let of_targets = names.iter().filter_map(|name| targets.get(name.as_str())).flatten();
                let named = names.iter().map(String::as_str);
                let covered: BTreeSet<&str> = of_targets.copied().chain(named).collect();
                covered.into_iter().map(|tool| File::Tool(tool.to_owned())).collect()
            }
        },
    }
}

/// The filed policies, from which the slice of each tool is taken.
pub(crate) struct Slices {
    index: Index,
    files: HashMap<(PrincipalKind, File), Vec<usize>>,
    layers: BTreeMap<Vec<usize>, Arc<Layer>>,
}

impl Slices {
    pub(crate) fn slice(&mut self, tool: &str, kind: PrincipalKind) -> Result<Slice, String> {
        let mut slice = Slice::default();
        let target = target_of(tool).map(|target| File::Target(target.to_owned()));
        for file in [Some(File::EveryTool), target, Some(File::Tool(tool.to_owned()))].into_iter().flatten() {
            if let Some(numbers) = self.files.get(&(kind, file)) {
                let numbers = numbers.clone();
                slice.push(self.layer(numbers)?);
            }
        }
        Ok(slice)
    }

    /// The actions that the policies' conditions name.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &str> {
        self.index.actions.iter().map(String::as_str)
    }

    /// How deep the deepest policy is at most.
    pub(crate) fn depth(&self) -> usize {
        self.index.depth
    }

    fn layer(&mut self, numbers: Vec<usize>) -> Result<Arc<Layer>, String> {
        if let Some(layer) = self.layers.get(&numbers) {
            return Ok(Arc::clone(layer));
        }
        let mut layer = Layer::new(self.layers.len());
        let filed = || numbers.iter().filter_map(|number| self.index.policies.get(*number));
        for policy in filed() {
            layer.add(policy)?;
        }
        // Nobody lists by policies that do not bind.
        if self.index.purpose == Purpose::Decide && !layer.reads.is_empty() {
            for policy in filed() {
                layer.ask(policy)?;
            }
        }
        let layer = Arc::new(layer);
        self.layers.insert(numbers, Arc::clone(&layer));
        Ok(layer)
    }
}
