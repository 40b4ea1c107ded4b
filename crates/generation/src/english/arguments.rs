//! Which argument a phrase names.
//!
//! By its name or path, by the words of its name, by these with words of the tool around them ("the refund amount" is `amount`), or
//! by some of its words when no other argument has them. Where a sentence is about several tools, an argument has to be one of each.

use policy::{ArgumentKind, Schema, Step};
use serde_json::Value;

use super::cursor::{shown, written};
use super::intent::What;
use super::stems;
use super::tokens::Token;
use super::tools::{Catalogue, some};
use crate::GatewayTools;
use crate::enumerated::enumerated;

/// An argument that policies can read.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    pub(crate) path: Vec<Step>,
    pub(crate) kind: ArgumentKind,
    /// The only values that it may have, if it says so.
    pub(crate) values: Vec<String>,
    /// Why it cannot be compared with an amount of dollars, if it cannot.
    pub(crate) no_dollars: Option<String>,
    stems: Vec<String>,
    last_stems: Vec<String>,
}

/// The arguments that all tools of a sentence have.
pub(crate) struct Arguments {
    all: Vec<Argument>,
    tool_words: Vec<String>,
    about_several: bool,
}

/// Words that say that something is an argument.
const ARGUMENT: [&str; 10] = [
    "argument",
    "parameter",
    "field",
    "input",
    "value",
    "property",
    "arguments",
    "parameters",
    "inputs",
    "requested",
];

impl Argument {
    pub(crate) fn name(&self) -> String {
        self.path.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(".")
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self.kind, ArgumentKind::Whole | ArgumentKind::Decimal)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name() == other.name()
    }
}

impl Arguments {
    pub(crate) fn new(what: &What, gateway: &GatewayTools, schema: &Schema, catalogue: &Catalogue) -> Self {
        let is_meant = |name: &str| match what {
            What::Everything => true,
            What::Target(target) => name.split_once("___").is_some_and(|(its, _)| its == target),
            What::Tools(tools) => tools.iter().any(|tool| tool == name),
        };
        let tools: Vec<_> = gateway.tools.iter().filter(|tool| is_meant(&tool.name)).collect();
        let mut all: Option<Vec<Argument>> = None;
        for tool in &tools {
            let document: Value = serde_json::from_str(&tool.input_schema).unwrap_or_default();
            let its = schema.arguments(&tool.name).into_iter().map(|argument| known(argument, &document));
            let mut its: Vec<Argument> = its.collect();
            super::currency::mark(&mut its);
            all = Some(match all {
                None => its,
                Some(before) => before.into_iter().filter_map(|argument| common(argument, &its)).collect(),
            });
        }
        let tool_words = tools.iter().flat_map(|tool| catalogue.words_of(&tool.name)).cloned().collect();
        Self { all: all.unwrap_or_default(), tool_words, about_several: tools.len() > 1 }
    }

    /// The argument that a phrase names, of those that `fits` can be said of.
    pub(crate) fn named(
        &self,
        phrase: &[Token],
        fits: impl Fn(&Argument) -> bool,
    ) -> Result<&Argument, String> {
        let bare: Vec<Token> = phrase
            .iter()
            .filter(|token| {
                token.quoted
                    || !matches!(
                        token.lower.as_str(),
                        "a" | "an" | "the" | "their" | "its" | "any" | "some" | "of" | "each" | "his" | "her"
                    )
            })
            .cloned()
            .collect();
        let found = match self.ways(&bare) {
            found if found.is_empty() => {
                let fewer = bare.iter().filter(|token| !ARGUMENT.contains(&token.lower.as_str())).cloned();
                self.ways(&fewer.collect::<Vec<_>>())
            }
            found => found,
        };
        let fitting: Vec<&Argument> = found.iter().copied().filter(|argument| fits(argument)).collect();
        let said = shown(&written(phrase));
        match (fitting.as_slice(), found.as_slice()) {
            ([only], _) => Ok(only),
            ([], []) => Err(format!("{said} is no argument{}", self.known())),
            ([], [other, ..]) => {
                Err(format!("{said} is the argument `{}`, of which this cannot be said", other.name()))
            }
            (several, _) => {
                let names: Vec<String> = several.iter().map(|argument| argument.name()).collect();
                let names = some(names.iter().map(String::as_str));
                Err(format!("{said} may be any of several arguments: {names}"))
            }
        }
    }

    /// The only number among the arguments, for sentences that name none ("refunds over 500").
    pub(crate) fn only_number(&self) -> Result<&Argument, String> {
        let numbers: Vec<&Argument> = self.all.iter().filter(|argument| argument.is_number()).collect();
        match numbers.as_slice() {
            [only] => Ok(only),
            _ => Err(format!("it is not said which argument is compared{}", self.known())),
        }
    }

    /// The boolean that exactly these words name: "express shipping" or "the product is eligible".
    pub(crate) fn truth(&self, phrase: &[Token]) -> Option<&Argument> {
        let bare = phrase
            .iter()
            .filter(|token| !matches!(token.lower.as_str(), "a" | "an" | "the" | "it" | "is" | "are"));
        let words = stems::of_phrase(&bare.cloned().collect::<Vec<_>>())?;
        let plain = |stems: &[String]| {
            stems.iter().filter(|stem| *stem != "is" && *stem != "has").cloned().collect::<Vec<_>>()
        };
        let named = |argument: &&Argument| {
            argument.kind == ArgumentKind::Truth
                && [&argument.stems, &argument.last_stems]
                    .iter()
                    .any(|stems| stems::same(&words, &plain(stems)))
        };
        let mut found = self.all.iter().filter(named);
        found.next().filter(|_| found.next().is_none())
    }

    fn known(&self) -> String {
        let names: Vec<String> = self.all.iter().map(Argument::name).collect();
        let whose = if self.about_several { "all of these tools" } else { "the tool" };
        format!(
            "; the arguments of {whose} that a policy can read are {}",
            some(names.iter().map(String::as_str))
        )
    }

    fn ways(&self, phrase: &[Token]) -> Vec<&Argument> {
        if let [only] = phrase {
            let is = |name: &str| name == only.text || name.to_lowercase() == only.lower;
            let named = |argument: &&Argument| is(&argument.name());
            let exact: Vec<_> = self.all.iter().filter(named).collect();
            if !exact.is_empty() {
                return exact;
            }
        }
        let Some(words) = stems::of_phrase(phrase) else { return Vec::new() };
        let extra_is_known = |stems: &[String]| {
            let extra = words.iter().filter(|word| !stems.contains(word));
            stems::all_in(extra, &self.tool_words) && stems::all_in(stems, &words)
        };
        let ways: [&dyn Fn(&Argument) -> bool; 5] = [
            &|argument| stems::same(&words, &argument.stems),
            &|argument| stems::same(&words, &argument.last_stems),
            &|argument| extra_is_known(&argument.stems),
            &|argument| extra_is_known(&argument.last_stems),
            // What something is, is its last word: "the coverage" is no `coverageType`.
            &|argument| {
                stems::all_in(&words, &argument.stems)
                    && argument.last_stems.last().is_some_and(|last| words.contains(last))
            },
        ];
        for way in ways {
            let found: Vec<_> = self.all.iter().filter(|argument| way(argument)).collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }
}

/// What two tools have in common.
fn common(mut argument: Argument, others: &[Argument]) -> Option<Argument> {
    let other = others.iter().find(|other| other.is_same_as(&argument))?;
    for (step, its) in argument.path.iter_mut().zip(&other.path) {
        step.required &= its.required;
    }
    if argument.values != other.values {
        argument.values.clear();
    }
    argument.no_dollars = argument.no_dollars.or_else(|| other.no_dollars.clone());
    Some(argument)
}

fn known(argument: policy::Argument, document: &Value) -> Argument {
    let property =
        argument.path.iter().try_fold(document, |schema, step| schema.get("properties")?.get(&step.name));
    let described = property.and_then(|it| it.get("description")).and_then(Value::as_str).unwrap_or_default();
    let last = argument.path.last().map_or("", |step| step.name.as_str());
    Argument {
        stems: argument.path.iter().flat_map(|step| stems::of(&step.name)).collect(),
        last_stems: stems::of(last),
        values: enumerated(&argument.path, document).into_iter().map(str::to_owned).collect(),
        no_dollars: super::currency::another(last, described),
        path: argument.path,
        kind: argument.kind,
    }
}
