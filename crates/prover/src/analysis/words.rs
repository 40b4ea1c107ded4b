//! The trap of `like "*manager*"`: a claim of words in a row, searched for a part of one.
//!
//! `scope` is one text of words with spaces between (RFC 6749, section 3.3), so that policies look for a word
//! with wildcards around it, and also find it inside of another word: `not-manager`. What is meant is written
//! with the spaces: the word alone, at the beginning, at the end, or in between.

use cedar_policy::Schema;
use serde_json::{Value, json};

use super::{Correction, Finding, Kind, Report, Subject};
use crate::compare::Search;
use crate::environment::{self, World};
use crate::failing::{self, Weighed};
use crate::identity;
use crate::rewrite::Draft;
use crate::session::Session;

/// The claims that are words with spaces between.
const CLAIMS: [&str; 2] = ["scope", "scp"];

/// A pattern that finds parts of words.
struct Trap {
    claim: String,
    pattern: String,
    /// A claim that it finds and is hardly meant to.
    caught: String,
}

/// Looks at the conditions of one policy.
pub(super) async fn look(
    session: &mut Session,
    world: &World,
    schema: &Schema,
    subject: &Subject,
    report: &mut Report,
) {
    let mut corrected = subject.draft.clone();
    let mut traps = Vec::new();
    correct(&mut corrected.json, &mut traps);
    let Some(trap) = traps.first() else { return };
    let tag =
        |operator: &str| json!({operator: {"left": {"Var": "principal"}, "right": {"Value": trap.claim}}});
    let is_caught = json!({"&&": {
        "left": tag("hasTag"),
        "right": {"==": {"left": tag("getTag"), "right": {"Value": trap.caught}}},
    }});
    let shown = subject.draft.clone().when(&is_caught);
    let mut found = search(session, world, schema, subject, &shown, &corrected).await;
    if found == Search::Nothing {
        found = search(session, world, schema, subject, &subject.draft, &corrected).await;
    }
    if found == Search::Nothing {
        return;
    }
    report.findings.push(Finding {
        kind: Kind::PartOfWord,
        policy: subject.id.clone(),
        message: format!(
            "`like \"{}\"` finds a part of a word: `{}` is {} that it matches too",
            trap.pattern,
            trap.caught,
            a(&trap.claim)
        ),
        witness: found.witness().cloned(),
        correction: corrected.text().map(Correction::Replace),
    });
    if let Search::Undecided(why) = found {
        report.leave_open(subject, "matches a request by a part of a word", why);
    }
}

fn a(claim: &str) -> String {
    format!("a claim `{claim}`")
}

/// Looks for a request that the policy matches as it is and not as it is corrected.
async fn search(
    session: &mut Session,
    world: &World,
    schema: &Schema,
    subject: &Subject,
    policy: &Draft,
    corrected: &Draft,
) -> Search {
    let question = |draft: &Draft| {
        Weighed::of(identity::by_name(draft.policy(&subject.id)?))
            .and_then(|it| failing::as_applied([&it]))
            .ok()
    };
    let (Some(policy), Some(corrected)) = (question(policy), question(corrected)) else {
        return Search::Nothing;
    };
    let mut open = None;
    for (environment, concrete) in environment::list(world, schema) {
        if !subject.is_about(&environment) {
            continue;
        }
        let found = match session.requests(&environment, concrete, schema) {
            Ok(requests) => {
                let both = (
                    session.compile(&policy, &requests, schema),
                    session.compile(&corrected, &requests, schema),
                );
                match both {
                    (Ok(policy), Ok(corrected)) => session.allowed_beyond(&policy, &corrected).await,
                    (Err(why), _) | (_, Err(why)) => Search::Undecided(why),
                }
            }
            Err(why) => Search::Undecided(why),
        };
        match found {
            Search::Nothing => {}
            Search::Found(_) => return found,
            Search::Undecided(why) => open = Some(why),
        }
    }
    open.map_or(Search::Nothing, Search::Undecided)
}

/// Replaces patterns that find parts of words, and notes them.
fn correct(value: &mut Value, traps: &mut Vec<Trap>) {
    if let Some((trap, instead)) = value.get("like").and_then(trap) {
        traps.push(trap);
        *value = instead;
        return;
    }
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| correct(element, traps)),
        Value::Object(members) => members.values_mut().for_each(|member| correct(member, traps)),
        _ => {}
    }
}

/// What is wrong with a `like`, and what to write instead.
fn trap(like: &Value) -> Option<(Trap, Value)> {
    let left = like.get("left")?;
    let tag = left.get("getTag")?;
    let claim = tag.get("right")?.get("Value")?.as_str()?;
    if *tag.get("left")? != json!({"Var": "principal"}) || !CLAIMS.contains(&claim) {
        return None;
    }
    let pattern = like.get("pattern")?.as_array()?;
    let is_wildcard = |element: &&Value| element.as_str() == Some("Wildcard");
    let (open, ends) = (
        pattern.first().is_some_and(|it| is_wildcard(&it)),
        pattern.last().is_some_and(|it| is_wildcard(&it)),
    );
    let inner = pattern.iter().skip(usize::from(open));
    let inner: Vec<&Value> =
        inner.take(pattern.len().checked_sub(usize::from(open) + usize::from(ends))?).collect();
    let word: String = inner.iter().map(|element| element.get("Literal")?.as_str()).collect::<Option<_>>()?;
    let cuts_before = open && word.starts_with(char::is_alphanumeric);
    let cuts_after = ends && word.ends_with(char::is_alphanumeric);
    if !(cuts_before || cuts_after) || word.contains(' ') {
        return None;
    }
    let starts: &[&str] = match (open, cuts_before) {
        (_, true) => &["", "* "],
        (true, false) => &["*"],
        (false, false) => &[""],
    };
    let endings: &[&str] = match (ends, cuts_after) {
        (_, true) => &["", " *"],
        (true, false) => &["*"],
        (false, false) => &[""],
    };
    let pairs = starts.iter().flat_map(|start| endings.iter().map(move |end| (*start, *end)));
    let instead = pairs.map(|(start, end)| alternative(left, start, &word, end));
    let instead = instead.reduce(|one, other| json!({"||": {"left": one, "right": other}}))?;
    let star = |there: bool| if there { "*" } else { "" };
    let trap = Trap {
        claim: claim.to_owned(),
        pattern: format!("{}{word}{}", star(open), star(ends)),
        caught: if cuts_before { format!("not-{word}") } else { format!("{word}-not") },
    };
    Some((trap, instead))
}

fn alternative(left: &Value, start: &str, word: &str, end: &str) -> Value {
    if start.is_empty() && end.is_empty() {
        return json!({"==": {"left": left, "right": {"Value": word}}});
    }
    let mut pattern = Vec::new();
    for part in [start, word, end] {
        let mut literal = String::new();
        for character in part.chars() {
            if character == '*' && part != word {
                if !literal.is_empty() {
                    pattern.push(json!({"Literal": std::mem::take(&mut literal)}));
                }
                pattern.push(json!("Wildcard"));
            } else {
                literal.push(character);
            }
        }
        if !literal.is_empty() {
            pattern.push(json!({"Literal": literal}));
        }
    }
    json!({"like": {"left": left, "pattern": pattern}})
}
