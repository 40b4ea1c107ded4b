//! Why nothing allowed: the statements that would have, but for one thing.
//!
//! They are looked for only after an implicit deny, so that an allowed request pays nothing for them. They say
//! what policies say and what the request had, and are for those who keep the policies, not for the requester.

use std::fmt;

use crate::condition::Condition;
use crate::context::Values;
use crate::evaluate::{Asked, Holder, ResourceRole};
use crate::policy::{Says, Statement};
use crate::verdict::{PolicySource, StatementRef};
use crate::{Context, Named, PolicySets};

/// How many near misses are told.
const MOST: usize = 8;

/// A statement that allows the action, and why it did not allow it here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The statement.
    pub statement: StatementRef,
    /// The part its policy plays.
    pub source: PolicySource,
    /// Why it did not allow.
    pub miss: Miss,
}

/// Why a statement that allows an action did not allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Everything else fits, but these conditions do not hold.
    Conditions(Vec<FailedCondition>),
    /// It is about other resources: those that it lists, as they were written.
    Resource(Vec<String>),
    /// It is about somebody else.
    Principal,
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCondition {
    /// The operator as it was written, such as `StringEquals`.
    pub operator: String,
    /// The key as it was written, such as `aws:SourceIp`.
    pub key: String,
    /// The policy's values as they were written, with variables in them.
    pub expected: Vec<String>,
    /// The request's values; empty if the key is absent.
    pub actual: Vec<String>,
}

/// The near misses of a question, the nearest first.
pub(crate) fn near_misses(asked: &Asked<'_>, sets: &PolicySets<'_>, role: ResourceRole) -> Vec<NearMiss> {
    let slice = std::slice::from_ref::<Named>;
    let all = [
        (sets.identity, PolicySource::Identity),
        (sets.boundary.map(slice).unwrap_or_default(), PolicySource::Boundary),
        (sets.session.unwrap_or_default(), PolicySource::Session),
        (sets.resource.map(slice).unwrap_or_default(), role.source()),
    ];
    let mut found = Vec::new();
    for (policies, source) in all {
        for named in policies {
            for statement in &named.policy.statements {
                if let Some(miss) = miss(asked, statement, source.holder()) {
                    found.push(NearMiss { statement: StatementRef::new(named, statement), source, miss });
                }
            }
        }
    }
    found.sort_by_key(|near_miss| near_miss.miss.distance());
    found.truncate(MOST);
    found
}

fn miss(asked: &Asked<'_>, statement: &Statement, holder: Holder) -> Option<Miss> {
    if statement.says == Says::Deny || !statement.actions.covers(asked.action) {
        return None;
    }
    if asked.grip(statement, holder).is_none() {
        return Some(Miss::Principal);
    }
    if !asked.covers_resource(statement) {
        let resources = statement.resources.as_ref()?;
        let prefix = if resources.negated { "not " } else { "" };
        let written = resources.written.iter().take(MOST);
        return Some(Miss::Resource(written.map(|text| format!("{prefix}{text}")).collect()));
    }
    let failed: Vec<_> = statement
        .conditions
        .iter()
        .filter(|condition| !condition.holds(asked.context))
        .map(|condition| FailedCondition::of(condition, asked.context))
        .collect();
    (!failed.is_empty()).then_some(Miss::Conditions(failed))
}

impl PolicySource {
    fn holder(self) -> Holder {
        match self {
            Self::Identity | Self::Boundary | Self::Session => Holder::Requester,
            Self::Resource | Self::Trust => Holder::Resource,
        }
    }
}

impl Miss {
    fn distance(&self) -> usize {
        match self {
            Self::Conditions(failed) => failed.len(),
            Self::Resource(_) => 1_000,
            Self::Principal => 1_001,
        }
    }
}

impl FailedCondition {
    fn of(condition: &Condition, context: &Context) -> Self {
        Self {
            operator: condition.written_operator.to_string(),
            key: condition.written_key.to_string(),
            expected: condition.written_values.to_vec(),
            actual: context.get(&condition.key).map(Values::all).unwrap_or_default().to_vec(),
        }
    }
}

/// `statement S of P allows it, but for StringEquals aws:SourceAccount `1` (the request has none)`.
impl fmt::Display for NearMiss {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, {} {}, ", self.statement, self.source.article(), self.source)?;
        match &self.miss {
            Miss::Conditions(failed) => {
                out.write_str("allows it where ")?;
                for (at, condition) in failed.iter().enumerate() {
                    let and = if at == 0 { "" } else { " and " };
                    write!(out, "{and}{condition}")?;
                }
                Ok(())
            }
            Miss::Resource(resources) => {
                write!(out, "allows it on other resources: {}", Quoted(resources))
            }
            Miss::Principal => out.write_str("allows it to somebody else"),
        }
    }
}

impl fmt::Display for FailedCondition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = Quoted(&self.expected);
        write!(out, "{} {} {expected}", self.key, self.operator)?;
        if self.actual.is_empty() {
            out.write_str(" (the request has no such key)")
        } else {
            write!(out, " (the request has {})", Quoted(&self.actual))
        }
    }
}

/// Texts in backticks, separated by commas.
struct Quoted<'a>(&'a [String]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, text) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(out, "{comma}`{text}`")?;
        }
        Ok(())
    }
}
