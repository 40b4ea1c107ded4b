//! What is generated for a service: which operations of which resource, which shapes they reach, and which file each
//! shape stands in. Members that are not honoured are cut off here, and with them all that only they reach.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Model, Operation, Shape};
use super::surface::Service;
use crate::chore::Failure;

pub(crate) struct Plan<'a> {
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    pub(crate) service: &'a Service,
    pub(crate) resources: Vec<Resource<'a>>,
    /// Structures and enumerations by the module they stand in.
    pub(crate) homes: BTreeMap<&'a str, String>,
    /// Structures that say the same as another one, and which.
    pub(crate) twins: BTreeMap<&'a str, &'a str>,
    /// The errors that some promised operation may answer.
    pub(crate) errors: BTreeSet<&'a str>,
}

pub(crate) struct Resource<'a> {
    pub(crate) name: &'a str,
    pub(crate) operations: Vec<&'a Operation>,
}

impl<'a> Plan<'a> {
    pub(crate) fn make(name: &'a str, service: &'a Service, model: &'a Model) -> Result<Self, Failure> {
        check_honours(name, service, model)?;
        let mut resources = Vec::new();
        let mut errors = BTreeSet::new();
        let mut reached_by: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (resource, promised) in &service.resources {
            let mut operations = Vec::new();
            for operation_name in promised {
                let operation = model.operations.get(operation_name).ok_or_else(|| {
                    Failure::new(format!("models/surface.toml: {name} has no operation `{operation_name}`"))
                })?;
                let ends = operation.input.iter().map(|input| input.shape.as_str());
                for end in ends.chain(operation.output.iter().map(|output| output.shape.as_str())) {
                    reach(model, service, end, resource, &mut reached_by)?;
                }
                errors.extend(operation.errors.iter().map(|error| error.shape.as_str()));
                operations.push(operation);
            }
            resources.push(Resource { name: resource, operations });
        }
        let twins = twins(model, service, reached_by.keys().copied());
        let mut homes = BTreeMap::new();
        for (shape, by) in reached_by {
            let home = match (by.len(), by.first()) {
                (1, Some(resource)) => super::naming::snake(resource),
                _ => "shared".to_owned(),
            };
            homes.insert(shape, home);
        }
        Ok(Self { name, title: &model.metadata.service_full_name, service, resources, homes, twins, errors })
    }

    /// Whether a member of a structure, or a value of an enumeration, is honoured.
    pub(crate) fn honours(&self, shape: &str, member: &str) -> bool {
        self.service.honours.get(shape).is_none_or(|honoured| honoured.iter().any(|name| name == member))
    }
}

/// Structures with the same members, as far as they are honoured, are one: the answers of Create, Get and Update mostly
/// are. The one with the shortest name stands for all.
fn twins<'a>(
    model: &'a Model,
    service: &Service,
    reached: impl Iterator<Item = &'a str>,
) -> BTreeMap<&'a str, &'a str> {
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in reached {
        let Some(shape) = model.shapes.get(name).filter(|shape| shape.kind == "structure" && !shape.union)
        else {
            continue;
        };
        let honours = service.honours.get(name);
        let mut signature = format!("{:?}", shape.payload);
        for (member, reference) in &shape.members {
            let honoured = honours.is_none_or(|names| names.contains(member));
            let required = shape.required.contains(member);
            let place = (&reference.location, &reference.location_name, reference.idempotency_token);
            // A member that is not honoured still counts: a request that carries it is refused by its own schema.
            let refers = if honoured { reference.shape.as_str() } else { "" };
            signature.push_str(&format!("{member} {refers} {required} {place:?};"));
        }
        alike.entry(signature).or_default().push(name);
    }
    let mut twins = BTreeMap::new();
    for mut names in alike.into_values() {
        names.sort_by_key(|name| (name.len(), *name));
        if let Some((first, others)) = names.split_first() {
            twins.extend(others.iter().map(|other| (*other, *first)));
        }
    }
    twins
}

/// A line of `honours` that names nothing is a mistake.
fn check_honours(name: &str, service: &Service, model: &Model) -> Result<(), Failure> {
    for (shape_name, honoured) in &service.honours {
        let shape = model.shape(shape_name)?;
        for member in honoured {
            let known =
                shape.members.iter().any(|(known, _)| known == member) || shape.values.contains(member);
            if !known {
                return Err(Failure::new(format!(
                    "models/surface.toml: {name}.honours.{shape_name} names `{member}`, which the model lacks"
                )));
            }
        }
    }
    Ok(())
}

/// Marks the structures and enumerations that `shape` leads to as reached by `resource`.
fn reach<'a>(
    model: &'a Model,
    service: &Service,
    shape_name: &'a str,
    resource: &'a str,
    reached_by: &mut BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> Result<(), Failure> {
    let shape = model.shape(shape_name)?;
    if is_named(shape) && !reached_by.entry(shape_name).or_default().insert(resource) {
        return Ok(());
    }
    let honoured = |member: &str| {
        service.honours.get(shape_name).is_none_or(|names| names.iter().any(|name| name == member))
    };
    let members = shape.members.iter().filter(|(name, _)| honoured(name)).map(|(_, reference)| reference);
    for reference in members.chain(&shape.member).chain(&shape.key).chain(&shape.value) {
        reach(model, service, &reference.shape, resource, reached_by)?;
    }
    Ok(())
}

/// Whether a shape becomes a Rust type of its own.
pub(crate) fn is_named(shape: &Shape) -> bool {
    shape.kind == "structure" || !shape.values.is_empty()
}
