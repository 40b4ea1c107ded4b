//! Policies beside others: those that add nothing, and permits that others forbid altogether.

use std::collections::BTreeSet;

use cedar_policy::Schema;
use policy::Effect;

use super::subject::matching;
use super::{Correction, Finding, Kind, Report, Subject};
use crate::compare::Search;
use crate::environment::{self, Environment, World};
use crate::failing;
use crate::session::Session;
use crate::undecided::Undecided;
use crate::witness::Witness;

/// In which environments of its scope a policy matches some request, and which.
#[derive(Default)]
pub(super) struct Matches(pub(super) Vec<(Environment, Search)>);

impl Matches {
    /// A request that it matches.
    pub(super) fn example(&self) -> Option<&Witness> {
        self.0.iter().find_map(|(_, search)| search.witness())
    }
}

/// What is known so far of one policy: whether it could still be a finding.
#[derive(Clone, Default)]
struct Suspicion {
    refuted: bool,
    undecided: Option<Undecided>,
}

impl Suspicion {
    fn consider(&mut self, refutation: Search) {
        match refutation {
            Search::Nothing => {}
            Search::Found(_) => self.refuted = true,
            Search::Undecided(why) => self.undecided = Some(why),
        }
    }

    fn is_proven(&self) -> bool {
        !self.refuted && self.undecided.is_none()
    }
}

/// Looks at each policy beside the others, and says what each of them matches.
pub(super) async fn look(
    session: &mut Session,
    world: &World,
    schema: &Schema,
    subjects: &[&Subject],
    report: &mut Report,
) -> Result<Vec<Matches>, Undecided> {
    let mut matches: Vec<Matches> = subjects.iter().map(|_| Matches::default()).collect();
    let mut contradicted = vec![Suspicion::default(); subjects.len()];
    let forbids: Vec<&Subject> =
        subjects.iter().copied().filter(|subject| subject.outline.effect == Effect::Forbid).collect();
    for (environment, concrete) in environment::list(world, schema) {
        let requests = match session.requests(&environment, concrete, schema) {
            Err(why @ Undecided::Invalid(_)) => return Err(why),
            requests => requests,
        };
        for ((subject, matches), contradicted) in subjects.iter().zip(&mut matches).zip(&mut contradicted) {
            if !subject.is_about(&environment) {
                continue;
            }
            let matched = match &requests {
                Ok(requests) => session.look_for_allowed(&subject.matching, requests, schema).await,
                Err(why) => Search::Undecided(why.clone()),
            };
            if subject.outline.effect == Effect::Permit && !contradicted.refuted {
                let beside: Vec<_> = forbids.iter().filter(|forbid| forbid.is_about(&environment)).collect();
                let survives = match (&matched, &requests, beside.is_empty()) {
                    (Search::Found(_), Ok(requests), false) => {
                        let policies = beside.into_iter().map(|forbid| &forbid.policy);
                        let all = failing::as_decided(policies.chain([&subject.policy]))?;
                        session.look_for_allowed(&all, requests, schema).await
                    }
                    (matched, ..) => matched.clone(),
                };
                contradicted.consider(survives);
            }
            matches.0.push((environment.clone(), matched));
        }
    }
    for ((subject, matches), contradicted) in subjects.iter().zip(&matches).zip(contradicted) {
        if subject.outline.effect == Effect::Forbid {
            continue;
        }
        let Some(example) = matches.example() else { continue };
        if contradicted.is_proven() {
            report.findings.push(Finding {
                kind: Kind::Contradicted,
                policy: subject.id.clone(),
                message:
                    "the policy permits nothing, because everything that it permits is forbidden by others"
                        .to_owned(),
                witness: Some(example.clone()),
                correction: Some(Correction::Remove),
            });
        } else if let (false, Some(why)) = (contradicted.refuted, contradicted.undecided) {
            report.leave_open(subject, "permits anything that others do not forbid", why);
        }
    }
    shadowed(session, world, schema, subjects, &matches, report).await?;
    Ok(matches)
}

/// Looks for policies that could go, the later ones first: of two that are the same, the first stays.
async fn shadowed(
    session: &mut Session,
    world: &World,
    schema: &Schema,
    subjects: &[&Subject],
    matches: &[Matches],
    report: &mut Report,
) -> Result<(), Undecided> {
    let mut gone: BTreeSet<&str> = BTreeSet::new();
    for (subject, matches) in subjects.iter().zip(matches).rev() {
        let Some(example) = matches.example() else { continue };
        let others: Vec<&Subject> = subjects
            .iter()
            .copied()
            .filter(|other| other.id != subject.id && !gone.contains(other.id.as_str()))
            .filter(|other| other.outline.effect == subject.outline.effect)
            .collect();
        let mut suspicion = Suspicion::default();
        for (environment, concrete) in environment::list(world, schema) {
            if suspicion.refuted {
                break;
            }
            if !subject.is_about(&environment) {
                continue;
            }
            let beside: Vec<&Subject> =
                others.iter().copied().filter(|other| other.is_about(&environment)).collect();
            suspicion.consider(beyond(session, &environment, concrete, schema, subject, beside).await?);
        }
        if suspicion.is_proven() {
            gone.insert(&subject.id);
            let (does, others) = match subject.outline.effect {
                Effect::Permit => ("permits", "permit"),
                Effect::Forbid => ("forbids", "forbid"),
            };
            report.findings.push(Finding {
                kind: Kind::Shadowed,
                policy: subject.id.clone(),
                message: format!("the policy adds nothing: whatever it {does}, other policies {others}"),
                witness: Some(example.clone()),
                correction: Some(Correction::Remove),
            });
        } else if let (false, Some(why)) = (suspicion.refuted, suspicion.undecided) {
            report.leave_open(subject, "adds anything to the others", why);
        }
    }
    Ok(())
}

/// Looks for a request that the policy matches and none of the others does.
async fn beyond(
    session: &mut Session,
    environment: &Environment,
    concrete: cedar_policy::RequestEnv,
    schema: &Schema,
    subject: &Subject,
    others: Vec<&Subject>,
) -> Result<Search, Undecided> {
    let requests = match session.requests(environment, concrete, schema) {
        Ok(requests) => requests,
        Err(why @ Undecided::Invalid(_)) => return Err(why),
        Err(why) => return Ok(Search::Undecided(why)),
    };
    let others = matching(others)?;
    let this = session.compile(&subject.matching, &requests, schema);
    let others = session.compile(&others, &requests, schema);
    Ok(match (this, others) {
        (Ok(this), Ok(others)) => session.allowed_beyond(&this, &others).await,
        (Err(why), _) | (_, Err(why)) => Search::Undecided(why),
    })
}
