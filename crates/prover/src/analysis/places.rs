//! Policies of an engine that guards several gateways: a finding counts when it is one wherever the policy
//! reaches.
//!
//! A permit that others shadow on one gateway may be what counts on another, and each gateway has tools of its
//! own. So each is looked at alone, with the policies that reach it.

use cedar_policy::Schema;
use policy::{PrincipalKind, ResourceScope};

use super::{Report, Subject, look};
use crate::environment::{self, World};
use crate::policies::Statement;
use crate::session::Session;
use crate::undecided::Undecided;

/// A gateway, or any gateway, with who calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its requests.
    pub world: World,
    /// The kinds of caller that it has; empty for any.
    pub callers: Vec<PrincipalKind>,
}

/// Looks at the policies in every place.
pub(crate) async fn analyse(
    session: &mut Session,
    places: &[Place],
    policies: &[Statement],
) -> Result<Report, Undecided> {
    let subjects: Vec<Subject> = policies.iter().map(Subject::read).collect::<Result<_, _>>()?;
    let schemas: Vec<Schema> =
        places.iter().map(|place| environment::parse(&place.world)).collect::<Result<_, _>>()?;
    let mut reports = Vec::new();
    for (number, (place, schema)) in places.iter().zip(&schemas).enumerate() {
        let here: Vec<&Subject> = subjects
            .iter()
            .filter(|subject| {
                // A policy about a gateway that is nowhere is told so once.
                reaches(subject, place) || (number == 0 && !places.iter().any(|it| reaches(subject, it)))
            })
            .collect();
        let report = look(session, place, schema, &here).await?;
        let seen: Vec<String> = here.iter().map(|subject| subject.id.clone()).collect();
        reports.push((seen, report));
    }
    let mut whole = Report::default();
    for subject in &subjects {
        let mut theirs =
            reports.iter().filter(|(seen, _)| seen.contains(&subject.id)).map(|(_, report)| report);
        let Some(first) = theirs.next() else { continue };
        let others: Vec<&Report> = theirs.collect();
        let own = first.findings.iter().filter(|finding| finding.policy == subject.id);
        whole.findings.extend(
            own.filter(|finding| {
                let same = |report: &&Report| {
                    report.findings.iter().any(|it| it.policy == finding.policy && it.kind == finding.kind)
                };
                others.iter().all(same)
            })
            .cloned(),
        );
        let open = std::iter::once(first).chain(others).flat_map(|report| &report.open);
        for open in open.filter(|open| open.policy == subject.id) {
            if !whole.open.contains(open) {
                whole.open.push(open.clone());
            }
        }
    }
    Ok(whole)
}

fn reaches(subject: &Subject, place: &Place) -> bool {
    match &subject.outline.resource {
        ResourceScope::Gateway(arn) => place.world.gateways.is_empty() || place.world.gateways.contains(arn),
        _ => true,
    }
}
