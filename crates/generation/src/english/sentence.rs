//! The forms of a sentence: who may do what under which condition.
//!
//! Each form is tried; the one that uses up every token is the meaning. When none does, the reason is the one of the form that
//! came furthest. "Only" makes a permit: nothing else is permitted by it, and nothing is forbidden that another policy permits.

use policy::Schema;

use super::arguments::Arguments;
use super::claims::Claims;
use super::cursor::{Cursor, Misunderstood, Understood};
use super::intent::{Effect, Expr, Intent, What};
use super::tails::{Said, Tails};
use super::tokens::Token;
use super::tools::{self, Catalogue};
use super::verbs::{
    ALLOW, CALL, CALLED, DENY, IS_ALLOWED, IS_FORBIDDEN, MAY, MAY_BE, MAY_NOT, MAY_NOT_BE, NEEDS,
};
use super::who::Who;
use super::words::{TIMES, UNLESS, WHEN};
use crate::GatewayTools;

/// What sentences may talk about.
pub(crate) struct World<'g> {
    pub(crate) gateway: &'g GatewayTools,
    pub(crate) schema: &'g Schema,
    pub(crate) catalogue: Catalogue,
    pub(crate) claims: Claims<'g>,
}

/// What a form has read before what comes behind the tools.
struct Core {
    effect: Effect,
    who: Option<Who>,
    what: What,
    only: bool,
}

/// A part of the sentence that says when, before the sentence itself.
type Lead<'t> = Option<Cursor<'t>>;

/// The meaning of a sentence.
pub(crate) fn read(tokens: &[Token], world: &World<'_>) -> Understood<Intent> {
    let mut cursor = Cursor::new(tokens);
    let _ = cursor.take_any(&["please", "also", "additionally", "furthermore", "moreover", "then", "and"]);
    let _ = cursor.take(",");
    let mut best: Option<Misunderstood> = None;
    let mut keep = |wrong: Misunderstood| {
        if best.as_ref().is_none_or(|best| best.reached < wrong.reached) {
            best = Some(wrong);
        }
    };
    let may = tokens
        .iter()
        .any(|token| !token.quoted && matches!(token.lower.as_str(), "may" | "can" | "must" | "should"));
    let mut forms = [verb_who_what, verb_what, who_may_what, what_may_be, no_what];
    if may {
        // Of reasons that came equally far the first one counts.
        forms.rotate_left(2);
    }
    for (lead, body) in bodies(cursor) {
        for form in forms {
            match form(body, world, lead) {
                Ok(intent) => return Ok(intent),
                Err(wrong) => keep(wrong),
            }
        }
    }
    Err(best
        .unwrap_or_else(|| Misunderstood { reached: 0, why: "the sentence was not understood".to_owned() }))
}

/// The sentence, or what is left of it behind a condition in front.
fn bodies(cursor: Cursor<'_>) -> Vec<(Lead<'_>, Cursor<'_>)> {
    if !(cursor.sees_any(WHEN) || cursor.sees_any(UNLESS) || cursor.sees_any(TIMES)) {
        return vec![(None, cursor)];
    }
    let mut bodies = Vec::new();
    for at in cursor.at..cursor.end {
        let is_comma = cursor.slice(at..at + 1).iter().any(|token| token.text == "," && !token.quoted);
        if is_comma {
            let mut body = cursor.within(at + 1..cursor.end);
            let _ = body.take("then");
            bodies.push((Some(cursor.within(cursor.at..at)), body));
        }
    }
    bodies.push((None, cursor));
    bodies
}

/// "Only allow users with X to call Y …", "Block everyone from Y".
fn verb_who_what(body: Cursor<'_>, world: &World<'_>, lead: Lead<'_>) -> Understood<Intent> {
    let mut cursor = body;
    let (effect, mut only) = verb(&mut cursor)?;
    only |= cursor.sees("only");
    let who = world.claims.who(&mut cursor)?;
    let _ = cursor.take(",");
    let _ = cursor.take_any(&[
        "to",
        "from",
        "the right to",
        "permission to",
        "the permission to",
        "the ability to",
        "to be able to",
        "the right of",
    ]);
    let what = tools::what(&mut cursor, &world.catalogue)?;
    let effect = effect_for(&who, effect, &cursor)?;
    finish(cursor, world, lead, Core { effect, who: Some(who), what, only })
}

/// "Allow Y for users with X …", "Permit refund processing".
fn verb_what(body: Cursor<'_>, world: &World<'_>, lead: Lead<'_>) -> Understood<Intent> {
    let mut cursor = body;
    let (effect, only) = verb(&mut cursor)?;
    let what = tools::what(&mut cursor, &world.catalogue)?;
    finish(cursor, world, lead, Core { effect, who: None, what, only })
}

/// "Users with X may call Y …", "Nobody but Z can …".
fn who_may_what(body: Cursor<'_>, world: &World<'_>, lead: Lead<'_>) -> Understood<Intent> {
    let mut cursor = body;
    let mut only = cursor.sees("only");
    let who = world.claims.who(&mut cursor)?;
    let _ = cursor.take(",");
    let longest = |cursor: &Cursor<'_>, phrases: &[&'static str]| {
        let seen = phrases.iter().filter(|phrase| cursor.sees(phrase));
        seen.map(|phrase| phrase.split(' ').count()).max().unwrap_or(0)
    };
    let (may, may_not) = (longest(&cursor, MAY), longest(&cursor, MAY_NOT));
    let effect = match (may, may_not) {
        (0, 0) => {
            return cursor
                .fail(format!("{} does not say whether they may; say `may` or `must not`", cursor.said()));
        }
        (may, not) if may > not => {
            only |= cursor.take_any(MAY).is_some_and(|said| said.contains("only"));
            let _ = cursor.take_any(&["only", "always"]).inspect(|said| only |= *said == "only");
            Effect::Permit
        }
        _ => {
            let _ = cursor.take_any(MAY_NOT);
            let _ = cursor.take_any(&["be allowed to", "be permitted to", "be able to", "ever"]);
            Effect::Forbid
        }
    };
    let what = tools::what(&mut cursor, &world.catalogue)?;
    let effect = effect_for(&who, effect, &cursor)?;
    finish(cursor, world, lead, Core { effect, who: Some(who), what, only })
}

/// "Y may only be called by users with X …", "Y requires the role X", "Refunds over 500 are forbidden".
fn what_may_be(body: Cursor<'_>, world: &World<'_>, lead: Lead<'_>) -> Understood<Intent> {
    let mut cursor = body;
    let what = tools::what(&mut cursor, &world.catalogue)?;
    let arguments = Arguments::new(&what, world.gateway, world.schema, &world.catalogue);
    let tails = Tails::new(&arguments, world.claims, &world.gateway.arn);
    let mut said = Said::default();
    tails.read(&mut cursor, &mut said)?;
    let mut needed = None;
    let effect = if let Some(may_not) = cursor.take_any(MAY_NOT_BE) {
        // What "may not be allowed" is perhaps allowed.
        if may_not.starts_with("may") || cursor.take_any(&["allowed", "permitted"]).is_none() {
            called(&mut cursor)?;
        }
        Effect::Forbid
    } else if let Some(may) = cursor.take_any(MAY_BE) {
        said.only |= may.contains("only");
        called(&mut cursor)?;
        Effect::Permit
    } else if cursor.take_any(IS_FORBIDDEN).is_some() {
        Effect::Forbid
    } else if let Some(is) = cursor.take_any(IS_ALLOWED) {
        said.only |= is.contains("only");
        Effect::Permit
    } else if cursor.take_any(NEEDS).is_some() {
        needed = Some(world.claims.qualifiers(&mut cursor)?);
        Effect::Forbid
    } else {
        return cursor.fail(format!("{} does not say what is allowed or forbidden", cursor.said()));
    };
    said.conditions.extend(needed.map(Expr::not));
    tails.read(&mut cursor, &mut said)?;
    conclude(cursor, &tails, lead, said, Core { effect, who: None, what, only: false })
}

/// "No refunds over 500", "No calls to Y are allowed after 17:00".
fn no_what(body: Cursor<'_>, world: &World<'_>, lead: Lead<'_>) -> Understood<Intent> {
    let mut cursor = body;
    if !cursor.take("no") {
        return cursor.fail(format!(
            "{} is no sentence about what is allowed; begin with `allow`, `only allow`, `never allow`, or say who `may` or `must not` do what",
            cursor.said()
        ));
    }
    let what = tools::what(&mut cursor, &world.catalogue)?;
    let arguments = Arguments::new(&what, world.gateway, world.schema, &world.catalogue);
    let tails = Tails::new(&arguments, world.claims, &world.gateway.arn);
    let mut said = Said::default();
    tails.read(&mut cursor, &mut said)?;
    if cursor.take_any(IS_ALLOWED).is_none() && cursor.take_any(MAY_BE).is_some() {
        called(&mut cursor)?;
    }
    tails.read(&mut cursor, &mut said)?;
    conclude(cursor, &tails, lead, said, Core { effect: Effect::Forbid, who: None, what, only: false })
}

fn called(cursor: &mut Cursor<'_>) -> Understood<()> {
    let _ = cursor.take("only");
    match cursor.take_any(CALLED) {
        Some(_) => Ok(()),
        None => cursor.fail(format!("{} was not understood; say `be called`", cursor.said())),
    }
}

/// The verb at the beginning, and whether it said "only".
fn verb(cursor: &mut Cursor<'_>) -> Understood<(Effect, bool)> {
    let begin = *cursor;
    let mut only = cursor.take("only");
    let never = cursor
        .take_any(&["never", "do not", "do not ever", "never ever", "you must not", "you may not"])
        .is_some();
    let always = cursor.take("always");
    let effect = match cursor.word() {
        Some(word) if ALLOW.contains(&word) => {
            cursor.next();
            if never { Effect::Forbid } else { Effect::Permit }
        }
        Some(word) if DENY.contains(&word) && never => {
            return begin.fail(format!("`never {word}` permits nothing; say what is allowed"));
        }
        Some(word) if DENY.contains(&word) => {
            cursor.next();
            Effect::Forbid
        }
        // "Never call Y when …".
        Some(_) if never && !always && cursor.sees_any(CALL) => Effect::Forbid,
        _ => {
            return begin
                .fail(format!("{} does not begin with a verb such as `allow` or `forbid`", begin.said()));
        }
    };
    only |= cursor.sees("only");
    if effect == Effect::Forbid && only && !never {
        return begin.fail("to forbid only something is to say nothing of the rest; leave `only` out");
    }
    Ok((effect, only))
}

/// Nobody who may is everybody who may not.
fn effect_for(who: &Who, effect: Effect, cursor: &Cursor<'_>) -> Understood<Effect> {
    match (who.nobody, effect) {
        (false, effect) => Ok(effect),
        (true, Effect::Permit) => Ok(Effect::Forbid),
        (true, Effect::Forbid) => cursor.fail("this says no twice; say what is allowed or what is forbidden"),
    }
}

fn finish(mut cursor: Cursor<'_>, world: &World<'_>, lead: Lead<'_>, core: Core) -> Understood<Intent> {
    let arguments = Arguments::new(&core.what, world.gateway, world.schema, &world.catalogue);
    let tails = Tails::new(&arguments, world.claims, &world.gateway.arn);
    let mut said = Said { who: core.who.clone(), ..Said::default() };
    tails.read(&mut cursor, &mut said)?;
    conclude(cursor, &tails, lead, said, core)
}

/// Everything has to be understood by now.
fn conclude(
    cursor: Cursor<'_>,
    tails: &Tails<'_>,
    lead: Lead<'_>,
    mut said: Said,
    core: Core,
) -> Understood<Intent> {
    if !cursor.is_done() {
        return tails.stuck(&cursor);
    }
    if let Some(mut lead) = lead {
        tails.lead(&mut lead, &mut said)?;
    }
    let mut effect = core.effect;
    if let Some(who) = said.who.as_ref().filter(|_| core.who.is_none()) {
        effect = effect_for(who, effect, &cursor)?;
    }
    let only = core.only || said.only;
    let callers = said.who.and_then(|who| who.expr);
    let condition = Expr::all(flat(callers.into_iter().chain(said.conditions)));
    Ok(Intent { effect, what: core.what, condition, only })
}

/// Conditions that all have to hold, without lists in lists.
fn flat(parts: impl Iterator<Item = Expr>) -> Vec<Expr> {
    parts.flat_map(|part| if let Expr::All(inner) = part { inner } else { vec![part] }).collect()
}
