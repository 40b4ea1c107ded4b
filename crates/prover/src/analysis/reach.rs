//! Policies about what does not exist: tools, gateways, callers.

use std::collections::BTreeSet;

use cedar_policy::Schema;
use policy::{PrincipalKind, ResourceScope};

use super::overlap::Matches;
use super::{Correction, Finding, Kind, Report, Subject};
use crate::compare::Search;
use crate::environment::World;

/// Which of the tools and targets that a policy names exist.
pub(super) enum Names {
    /// All of them, or it names none.
    AllKnown,
    /// Some: this is the policy about those.
    Only(Box<Subject>),
    /// None: no call is about it.
    Unknown,
}

/// Looks for tools and targets that do not exist, which Cedar knows no types for.
pub(super) fn names(schema: &Schema, subject: &Subject, report: &mut Report) -> Names {
    let known: BTreeSet<String> = schema.actions().map(|action| action.id().unescaped().to_owned()).collect();
    let named = subject.outline.actions();
    let (known, unknown): (Vec<&str>, Vec<&str>) =
        named.iter().map(String::as_str).partition(|name| known.contains(*name));
    if unknown.is_empty() {
        return Names::AllKnown;
    }
    report.findings.push(idle(subject, &unknown, "which no gateway has", &known));
    subject.about(&known).map_or(Names::Unknown, |rest| Names::Only(Box::new(rest)))
}

/// Looks at the scope of one policy. `matches` are what it matches in each environment of its scope.
pub(super) fn look(
    world: &World,
    callers: &[PrincipalKind],
    subject: &Subject,
    matches: &Matches,
    report: &mut Report,
) {
    gateway(world, subject, report);
    actions(subject, matches, report);
    principals(callers, subject, matches, report);
}

fn gateway(world: &World, subject: &Subject, report: &mut Report) {
    if let ResourceScope::Gateway(arn) = &subject.outline.resource
        && !world.gateways.is_empty()
        && !world.gateways.contains(arn)
    {
        let message = format!("the policy is about the gateway {arn}, and no request goes there");
        report.findings.push(finding(Kind::UnreachableAction, subject, message));
    }
}

/// Tools that the scope names by their own names. That conditions pick some of a target's tools is how policies
/// are written.
fn actions(subject: &Subject, matches: &Matches, report: &mut Report) {
    if matches.example().is_none() {
        return;
    }
    let never = |name: &&str| {
        let mut own = matches.0.iter().filter(|(environment, _)| environment.action == *name).peekable();
        own.peek().is_some() && own.all(|(_, search)| *search == Search::Nothing)
    };
    let named = subject.outline.actions();
    let (unmatched, left): (Vec<&str>, Vec<&str>) = named.iter().map(String::as_str).partition(never);
    if !unmatched.is_empty() {
        report.findings.push(idle(subject, &unmatched, "for which its conditions are never true", &left));
    }
}

/// A finding about names that do nothing, and the policy with those that are left.
fn idle(subject: &Subject, names: &[&str], why: &str, left: &[&str]) -> Finding {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("the policy names {}, {why}", quoted.join(", "));
    let correction = if left.is_empty() {
        Some(Correction::Remove)
    } else {
        subject.draft.clone().about(left).text().map(Correction::Replace)
    };
    Finding { correction, ..finding(Kind::UnreachableAction, subject, message) }
}

fn principals(callers: &[PrincipalKind], subject: &Subject, matches: &Matches, report: &mut Report) {
    let own = &subject.outline.principals;
    if callers.is_empty() || own.is_empty() || own.iter().any(|kind| callers.contains(kind)) {
        return;
    }
    let names = |kinds: &[PrincipalKind]| {
        kinds.iter().map(|kind| kind.entity_type()).collect::<Vec<_>>().join(" and ")
    };
    let message =
        format!("the policy is about {}, and the gateway's callers are {}", names(own), names(callers));
    let corrected = callers.first().and_then(|kind| subject.draft.clone().for_callers(*kind)?.text());
    // Claims are tags of callers with tokens alone: the other kind has none that conditions could ask for.
    let fits = callers == [PrincipalKind::OAuthUser] || !subject.draft.json.to_string().contains("Tag\"");
    report.findings.push(Finding {
        witness: matches.example().cloned(),
        correction: corrected.filter(|_| fits).map(Correction::Replace),
        ..finding(Kind::AbsentPrincipal, subject, message)
    });
}

fn finding(kind: Kind, subject: &Subject, message: String) -> Finding {
    Finding { kind, policy: subject.id.clone(), message, witness: None, correction: None }
}
