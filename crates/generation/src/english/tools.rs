//! Which tools a phrase names.
//!
//! By the full name, by the name without its target, by the words of its name, by some of them, or by what its description
//! says first: the first of these ways that leads to a tool decides, and one that leads to several is ambiguous. Every word of
//! the phrase has to be a word of the tool, and in its place ([`Words`]).

use super::cursor::{Cursor, Misunderstood, Understood, shown, written};
use super::intent::What;
use super::names::Words;
use super::stems;
use super::tokens::Token;
use super::verbs::{CALL, EMPTY, EVERY_TOOL, TOOL_ENDS};
use crate::GatewayTools;

/// A gateway's tools by their words.
pub(crate) struct Catalogue {
    tools: Vec<Known>,
}

struct Known {
    full: String,
    target: String,
    short: String,
    short_words: Words,
    target_words: Words,
    /// What its description says first.
    description: Option<Words>,
}

impl Catalogue {
    pub(crate) fn new(gateway: &GatewayTools) -> Self {
        let tools = gateway.tools.iter().map(|tool| {
            let (target, short) = tool.name.split_once("___").unwrap_or(("", &tool.name));
            Known {
                full: tool.name.clone(),
                target: target.to_owned(),
                short: short.to_owned(),
                short_words: Words::of(short),
                target_words: Words::of(target),
                description: Words::of_description(&tool.description),
            }
        });
        Self { tools: tools.collect() }
    }

    /// The words of a tool's name, by which the words around its arguments are known to say nothing more. Its description
    /// is written by others, and a word of it may well say more.
    pub(crate) fn words_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a String> {
        let tools = self.tools.iter().filter(move |tool| tool.full == name);
        tools.flat_map(|tool| tool.short_words.stems.iter().chain(&tool.target_words.stems))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|tool| tool.full.as_str())
    }

    fn only(&self, what: &Token) -> Vec<&Known> {
        let said = what.lower.replace('-', "_");
        let is =
            |name: &str| name.to_lowercase() == what.lower || name.to_lowercase().replace('-', "_") == said;
        let full: Vec<_> = self.tools.iter().filter(|tool| is(&tool.full)).collect();
        if full.is_empty() { self.tools.iter().filter(|tool| is(&tool.short)).collect() } else { full }
    }

    /// The tools that a phrase may mean: none, one, or several when it is ambiguous.
    fn candidates(&self, phrase: &[Token], target: Option<&str>) -> Vec<&Known> {
        let telling: Vec<&Token> =
            phrase.iter().filter(|token| token.quoted || !EMPTY.contains(&token.lower.as_str())).collect();
        let here = |tool: &&Known| target.is_none_or(|target| tool.target == target);
        if let [only] = telling.as_slice() {
            let named: Vec<_> = self.only(only).into_iter().filter(here).collect();
            if !named.is_empty() {
                return named;
            }
        }
        let Some(words) = Words::of_phrase(phrase) else { return Vec::new() };
        let tools: Vec<&Known> = self.tools.iter().filter(here).collect();
        let ways: [&dyn Fn(&Known) -> bool; 4] = [
            &|tool| tool.short_words.is_named_by(&words),
            &|tool| tool.short_words.is_named_in_part_by(&words),
            &|tool| {
                let rest = tool.target_words.taken_from(&words, &tool.short_words);
                let named = |words| {
                    tool.short_words.is_named_by(words) || tool.short_words.is_named_in_part_by(words)
                };
                rest.is_empty() || named(&rest)
            },
            &|tool| tool.description.as_ref().is_some_and(|said| said.is_named_by(&words)),
        ];
        for way in ways {
            let found: Vec<&Known> = tools.iter().copied().filter(|tool| way(tool)).collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// The tool whose name consists of the words from `begin` on to some place behind `end`, and that place.
    fn longest(&self, cursor: &Cursor<'_>, begin: usize, end: usize) -> Option<(String, usize)> {
        const LONGEST_NAME: usize = 12;
        let last = (begin + LONGEST_NAME).min(cursor.end);
        (end + 1..=last).rev().find_map(|longer| {
            let phrase = cursor.slice(begin..longer);
            // A name does not end with a word that names nothing.
            phrase.last().filter(|last| last.quoted || !EMPTY.contains(&last.lower.as_str()))?;
            let words = Words::of_phrase(phrase)?;
            let mut named = self.tools.iter().filter(|tool| tool.short_words.is_named_by(&words));
            let tool = named.next().filter(|_| named.next().is_none())?;
            Some((tool.full.clone(), longer))
        })
    }

    fn target(&self, phrase: &[Token]) -> Option<&str> {
        let telling: Vec<&Token> = phrase
            .iter()
            .filter(|token| {
                token.quoted || !(EMPTY.contains(&token.lower.as_str()) || token.lower == "target")
            })
            .collect();
        let targets =
            || self.tools.iter().map(|tool| tool.target.as_str()).filter(|target| !target.is_empty());
        if let [only] = telling.as_slice()
            && let Some(target) = targets().find(|target| target.to_lowercase() == only.lower)
        {
            return Some(target);
        }
        let words = stems::of_phrase(phrase)?;
        let mut found: Vec<&str> = targets()
            .filter(|target| {
                let mut stems = stems::of(target);
                stems.retain(|stem| stem != "target" && stem != "tool");
                let words: Vec<String> = words.iter().filter(|word| *word != "target").cloned().collect();
                !words.is_empty() && words == stems
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        if let [only] = found.as_slice() { Some(only) } else { None }
    }
}

/// The tools that come next, up to a word that begins something else.
pub(crate) fn what(cursor: &mut Cursor<'_>, catalogue: &Catalogue) -> Understood<What> {
    let begin = *cursor;
    // A verb such as "invoke" may belong to the tool's name.
    let _ = cursor.take_any(CALL);
    let with_verb = cursor.at > begin.at;
    let plain = phrase(cursor, catalogue);
    if plain.is_ok() || !with_verb {
        return plain;
    }
    let mut again = begin;
    let other = phrase(&mut again, catalogue);
    if other.is_ok() {
        *cursor = again;
        return other;
    }
    plain
}

fn phrase(cursor: &mut Cursor<'_>, catalogue: &Catalogue) -> Understood<What> {
    if cursor.take_any(EVERY_TOOL).is_some() {
        return match target_behind(cursor, catalogue)? {
            Some(target) => Ok(What::Target(target)),
            None => Ok(What::Everything),
        };
    }
    let every = cursor.take_any(&["all", "any", "every", "each", "all of the", "all the"]).is_some();
    let begin = cursor.at;
    let mut end = begin;
    while let Some(token) = cursor.next() {
        let of_a_target = token.lower == "of" && cursor.sees_any(&["target", "the target"]);
        if !token.quoted && (of_a_target || TOOL_ENDS.contains(&token.lower.as_str())) {
            cursor.at -= 1;
            break;
        }
        end = cursor.at;
    }
    // A comma at the end belongs to what follows.
    while end > begin && cursor.slice(end - 1..end).iter().all(|token| token.text == "," && !token.quoted) {
        end -= 1;
    }
    cursor.at = end;
    // Words that usually end a tool's name are part of some ("markdown to email").
    if let Some((tool, longer)) = catalogue.longest(cursor, begin, end) {
        cursor.at = longer;
        let _ = cursor.take_any(&["tool", "function", "action", "operation"]);
        let target = target_behind(cursor, catalogue)?;
        let is_there = |target: String| tool.split_once("___").is_some_and(|(its, _)| its == target);
        if !every && target.is_none_or(is_there) {
            return Ok(What::Tools(vec![tool]));
        }
        cursor.at = end;
    }
    let tokens = cursor.slice(begin..end);
    if tokens.is_empty() {
        let why = match cursor.word() {
            Some(word) => format!("a tool should be named before `{word}`"),
            None => "no tool is named".to_owned(),
        };
        return cursor.fail(format!("{why}; the tools are {}", some(catalogue.names())));
    }
    let target = target_behind(cursor, catalogue)?;
    if every {
        let named = tokens.iter().filter(|token| token.lower != "tools" && token.lower != "tool");
        let named: Vec<Token> = named.cloned().collect();
        return match catalogue.target(&named) {
            Some(name) if target.is_none() && named.len() < tokens.len() => Ok(What::Target(name.to_owned())),
            _ => {
                let why = format!("{} is no target; name the tools one by one", shown(&written(tokens)));
                Err(Misunderstood { reached: begin, why })
            }
        };
    }
    list(tokens, target.as_deref(), catalogue, begin)
}

/// `on target X`, `of the X target`.
fn target_behind(cursor: &mut Cursor<'_>, catalogue: &Catalogue) -> Understood<Option<String>> {
    let before = *cursor;
    if cursor.take_any(&["on", "of", "in", "from", "at", "for"]).is_none() {
        return Ok(None);
    }
    cursor.skip_article();
    let named_after = cursor.take("target");
    let begin = cursor.at;
    let Some(name) = cursor.next() else {
        *cursor = before;
        return Ok(None);
    };
    let named_before = !named_after && cursor.take("target");
    let known = catalogue.target(std::slice::from_ref(name));
    match known {
        Some(target) => Ok(Some(target.to_owned())),
        None if named_after || named_before => {
            let targets = catalogue.tools.iter().map(|tool| tool.target.as_str());
            let mut targets: Vec<&str> = targets.collect();
            targets.sort_unstable();
            targets.dedup();
            let why = format!(
                "there is no target {}; the targets are {}",
                shown(&name.text),
                some(targets.into_iter())
            );
            Err(Misunderstood { reached: begin, why })
        }
        None => {
            *cursor = before;
            Ok(None)
        }
    }
}

/// One tool, or several with commas and `and` or `or` between them.
fn list(tokens: &[Token], target: Option<&str>, catalogue: &Catalogue, at: usize) -> Understood<What> {
    let whole = catalogue.candidates(tokens, target);
    if let [only] = whole.as_slice() {
        return Ok(What::Tools(vec![only.full.clone()]));
    }
    let separates =
        |token: &Token| !token.quoted && matches!(token.lower.as_str(), "," | "and" | "or" | "&" | "nor");
    let parts: Vec<&[Token]> = tokens.split(separates).filter(|part| !part.is_empty()).collect();
    if parts.len() < 2 {
        return one(tokens, &whole, catalogue, at).map(|tool| What::Tools(vec![tool]));
    }
    let mut tools = Vec::new();
    for part in parts {
        let skipped = part.iter().take_while(|token| CALL.contains(&token.lower.as_str())).count();
        let bare = part.get(skipped..).unwrap_or_default();
        let found = catalogue.candidates(if bare.is_empty() { part } else { bare }, target);
        let found = if found.len() == 1 { found } else { catalogue.candidates(part, target) };
        let tool = one(part, &found, catalogue, at)?;
        if !tools.contains(&tool) {
            tools.push(tool);
        }
    }
    Ok(What::Tools(tools))
}

fn one(phrase: &[Token], found: &[&Known], catalogue: &Catalogue, at: usize) -> Understood<String> {
    let said = shown(&written(phrase));
    let why = match found {
        [only] => return Ok(only.full.clone()),
        [] => format!("{said} names no tool; the tools are {}", some(catalogue.names())),
        several => format!(
            "{said} may be any of several tools: {}; use the whole name",
            some(several.iter().map(|tool| tool.full.as_str()))
        ),
    };
    Err(Misunderstood { reached: at, why })
}

/// The first few names, for a message.
pub(crate) fn some<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 8;
    let all: Vec<&str> = names.collect();
    let mut shown: Vec<String> = all.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if all.len() > MOST {
        shown.push(format!("and {} more", all.len() - MOST));
    }
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}
