//! Policies about what does not exist: tools, gateways, callers.

use std::collections::BTreeSet;

use cedar_policy::Schema;
use policy::{PrincipalKind, ResourceScope};

use super::overlap::Matches;
use super::{Correction, Finding, Kind, Report, Subject};
use crate::compare::Search;
use crate::environment::World;

/// Looks at the scope of one policy. `matches` are what it matches in each environment of its scope.
pub(super) fn look(
    world: &World,
    callers: &[PrincipalKind],
    schema: &Schema,
    subject: &Subject,
    matches: &Matches,
    report: &mut Report,
) {
    gateway(world, subject, report);
    actions(schema, subject, matches, report);
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
fn actions(schema: &Schema, subject: &Subject, matches: &Matches, report: &mut Report) {
    let known: BTreeSet<String> = schema.actions().map(|action| action.id().unescaped().to_owned()).collect();
    let named = subject.outline.actions();
    let is_unknown = |name: &&String| !known.contains(*name);
    let unknown: Vec<&String> = named.iter().filter(is_unknown).collect();
    let idle: Vec<&String> = if matches.example().is_some() {
        let never = |name: &&String| {
            let mut own = matches.0.iter().filter(|(environment, _)| environment.action == **name).peekable();
            own.peek().is_some() && own.all(|(_, search)| *search == Search::Nothing)
        };
        named.iter().filter(never).collect()
    } else {
        Vec::new()
    };
    for (names, why) in
        [(&unknown, "which no gateway has"), (&idle, "for which its conditions are never true")]
    {
        if names.is_empty() {
            continue;
        }
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("the policy names {}, {why}", quoted.join(", "));
        let left: Vec<&str> = named
            .iter()
            .filter(|name| !unknown.contains(name) && !idle.contains(name))
            .map(String::as_str)
            .collect();
        let correction = if left.is_empty() {
            Some(Correction::Remove)
        } else {
            subject.draft.clone().about(&left).text().map(Correction::Replace)
        };
        report.findings.push(Finding { correction, ..finding(Kind::UnreachableAction, subject, message) });
    }
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
