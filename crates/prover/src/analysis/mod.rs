//! What policies do that is hardly meant.
//!
//! Findings of AgentCore's kinds are about one policy (`effects.rs`) and block it where its author asked for
//! that. Ours are advice, mostly about policies beside others (`overlap.rs`, `reach.rs`, `words.rs`). Each says
//! what was found, shows a request, and offers what to write instead where that is known. What is not known
//! is said too: a report without open questions and without findings is a proof.

mod effects;
mod overlap;
mod places;
mod reach;
mod subject;
mod words;

use cedar_policy::Schema;
use reach::Names;

use crate::compare::Search;
use crate::session::Session;
use crate::undecided::Undecided;
use crate::witness::Witness;
pub(crate) use effects::effects;
pub use places::Place;
pub(crate) use places::analyse;
pub(crate) use subject::Subject;

/// What was found about a set of policies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The findings, in the order of the policies.
    pub findings: Vec<Finding>,
    /// What could not be decided.
    pub open: Vec<Open>,
}

impl Report {
    /// Whether a finding is one that keeps a policy from being accepted.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind.severity() == Severity::Blocking)
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its kind.
    pub kind: Kind,
    /// The policy that it is about.
    pub policy: String,
    /// What the policy does.
    pub message: String,
    /// A request that shows it. Where a policy does nothing there is none.
    pub witness: Option<Witness>,
    /// What to do about it, where that is known.
    pub correction: Option<Correction>,
}

/// The kind of a [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One of AgentCore's.
    Effect(policy::FindingKind),
    /// Policies of the same effect match whatever this one matches.
    Shadowed,
    /// Whatever it permits, others forbid.
    Contradicted,
    /// It names a tool or a gateway that no call is about, or that its conditions never let through.
    UnreachableAction,
    /// It is about callers that the gateway does not have.
    AbsentPrincipal,
    /// It looks for a part of a word where words are meant.
    PartOfWord,
}

/// Whether a finding is more than advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `FAIL_ON_ANY_FINDINGS` refuses the policy.
    Blocking,
    /// Advice.
    Advisory,
}

/// What to do about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correction {
    /// Write this instead.
    Replace(String),
    /// Remove the policy: nothing is decided differently without it.
    Remove,
}

/// A question without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The policy that it is about.
    pub policy: String,
    /// The question, as the end of a sentence that begins with "whether the policy".
    pub question: &'static str,
    /// Why there is no answer.
    pub why: Undecided,
}

impl Kind {
    /// Whether it blocks.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Effect(_) => Severity::Blocking,
            _ => Severity::Advisory,
        }
    }

    /// The kind as reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Effect(kind) => kind.as_str(),
            Self::Shadowed => "SHADOWED",
            Self::Contradicted => "CONTRADICTED",
            Self::UnreachableAction => "UNREACHABLE_ACTION",
            Self::AbsentPrincipal => "ABSENT_PRINCIPAL",
            Self::PartOfWord => "PART_OF_WORD",
        }
    }
}

/// Looks at policies together, in one place.
async fn look(
    session: &mut Session,
    place: &Place,
    schema: &Schema,
    subjects: &[&Subject],
) -> Result<Report, Undecided> {
    let Place { world, callers } = place;
    let mut report = Report::default();
    let mut known = Vec::new();
    for subject in subjects {
        known.push(reach::names(schema, subject, &mut report));
    }
    let mut sound = Vec::new();
    for (whole, known) in subjects.iter().zip(&known) {
        let subject = match known {
            Names::AllKnown => *whole,
            Names::Only(rest) => rest,
            Names::Unknown => continue,
        };
        match effects(session, world, schema, subject).await {
            // What does not fit the schema would only stand in the way of the others.
            Err(why @ Undecided::Invalid(_)) => {
                report.leave_open(subject, "does what is meant", why);
                continue;
            }
            Err(why) => report.leave_open(subject, "applies to everything, or to nothing", why),
            Ok(found) => report.findings.extend(found.into_iter().map(|found| Finding {
                kind: Kind::Effect(found.kind),
                policy: subject.id.clone(),
                message: found.message,
                witness: None,
                correction: None,
            })),
        }
        sound.push(subject);
    }
    let matches = overlap::look(session, world, schema, &sound, &mut report).await?;
    for (subject, matches) in sound.iter().zip(&matches) {
        reach::look(world, callers, subject, matches, &mut report);
        words::look(session, world, schema, subject, &mut report).await;
    }
    report.show_effects(&matches, &sound);
    let position = |finding: &Finding| subjects.iter().position(|subject| subject.id == finding.policy);
    report.findings.sort_by_key(|finding| (position(finding), finding.kind));
    Ok(report)
}

impl Report {
    fn leave_open(&mut self, subject: &Subject, question: &'static str, why: Undecided) {
        let open = Open { policy: subject.id.clone(), question, why };
        if !self.open.contains(&open) {
            self.open.push(open);
        }
    }

    /// What applies to everything is shown by any request that it matches; what applies to nothing can go.
    fn show_effects(&mut self, matches: &[overlap::Matches], subjects: &[&Subject]) {
        use policy::FindingKind::{AllowAll, AllowNone, DenyAll, DenyNone};
        for finding in &mut self.findings {
            let matched = subjects.iter().zip(matches).find(|(subject, _)| subject.id == finding.policy);
            match finding.kind {
                Kind::Effect(AllowAll | DenyAll) => {
                    finding.witness = matched.and_then(|(_, matches)| matches.example().cloned());
                }
                Kind::Effect(AllowNone | DenyNone) => finding.correction = Some(Correction::Remove),
                _ => {}
            }
        }
    }
}

impl Search {
    fn witness(&self) -> Option<&Witness> {
        match self {
            Self::Found(witness) => Some(witness),
            Self::Nothing | Self::Undecided(_) => None,
        }
    }
}
