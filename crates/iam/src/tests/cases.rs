//! Cases that were worked out by hand from AWS's documented logic, each with the rule that it shows; the data are in
//! `cases.json`. Both evaluators are held against them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::*;

/// A rule, and questions that show it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    rule: String,
    /// Where AWS documents it.
    source: String,
    by: String,
    #[serde(default)]
    pub(super) identity: Vec<Value>,
    /// The condition of the one statement that is held, which allows everything under it.
    when: Option<Value>,
    pub(super) boundary: Option<Vec<Value>>,
    pub(super) session: Option<Vec<Value>>,
    pub(super) resource: Option<Vec<Value>>,
    pub(super) trust: Option<Vec<Value>>,
    action: Option<String>,
    on: Option<String>,
    asks: Vec<Vec<Value>>,
}

/// One question of a rule.
struct Case {
    expected: Effect,
    context: Map<String, Value>,
    action: String,
    on: String,
}

fn rules() -> Vec<Rule> {
    let mut rules: Vec<Rule> = serde_json::from_str(include_str!("cases.json")).unwrap();
    for rule in &mut rules {
        if let Some(when) = rule.when.take() {
            rule.identity.push(json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": when}));
        }
    }
    rules
}

impl Rule {
    fn cases(&self) -> impl Iterator<Item = Case> {
        self.asks.iter().map(|row| {
            let text = |at: usize, usual: &Option<String>, otherwise: &str| {
                let given = row.get(at).and_then(Value::as_str).map(str::to_owned);
                given.or_else(|| usual.clone()).unwrap_or_else(|| otherwise.to_owned())
            };
            Case {
                expected: match row[0].as_str().unwrap() {
                    "allow" => Effect::Allow,
                    "implicit" => Effect::ImplicitDeny,
                    "explicit" => Effect::ExplicitDeny,
                    other => panic!("{other} is no outcome"),
                },
                context: row[1].as_object().unwrap().clone(),
                action: text(2, &self.action, "s3:GetObject"),
                on: text(3, &self.on, "arn:aws:s3:::bucket/key"),
            }
        })
    }

    fn who(&self) -> Who {
        let leaked = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        match self.by.split(' ').collect::<Vec<_>>()[..] {
            ["user", name] => user(HOME, name),
            ["session", role, name] => session(HOME, role, name),
            ["root"] => root(HOME),
            ["service", name] => Who::Service(leaked(name)),
            ["federated", name] => Who::Federated(leaked(name)),
            ["anonymous"] => Who::Nobody,
            _ => panic!("{} is nobody", self.by),
        }
    }

    fn ask(&self, case: &Case) -> Ask {
        let who = self.who();
        let mut asked = Ask::by(who.clone()).to(&case.action).on(&case.on);
        asked.context = context(context_of(&who), &case.context);
        let joined =
            |statements: &[Value]| statements.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        if !self.identity.is_empty() {
            asked = asked.holding(&joined(&self.identity));
        }
        if let Some(statements) = &self.boundary {
            asked = asked.bounded_by(&joined(statements));
        }
        if let Some(statements) = &self.session {
            asked = asked.in_session(&joined(statements));
        }
        if let Some(statements) = &self.resource {
            asked = asked.resource_says(&joined(statements));
        }
        if let Some(statements) = &self.trust {
            asked = asked.trusted_by(&joined(statements));
        }
        asked
    }
}

pub(super) fn context(base: Context, keys: &Map<String, Value>) -> Context {
    keys.iter().fold(base, |context, (key, value)| match value {
        Value::Array(values) => context.with_many(key, values.iter().map(|value| value.as_str().unwrap())),
        value => context.with(key, value.as_str().unwrap()),
    })
}

#[test]
fn every_case_comes_out_as_documented() {
    let (mut asked, mut wrong) = (0, Vec::new());
    for rule in rules() {
        assert!(rule.source.len() > 5 && rule.rule.len() > 3, "{}", rule.rule);
        for case in rule.cases() {
            asked += 1;
            let verdict = rule.ask(&case).verdict();
            if verdict.effect != case.expected {
                let Case { expected, context, action, on } = case;
                wrong.push(format!(
                    "{}: {action} on {on} with {context:?}: {verdict}, not {expected:?}",
                    rule.rule
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked >= 300, "{asked} cases");
}

/// The second evaluator is worth comparing with only if it knows the rules, too.
#[test]
fn the_second_evaluator_knows_the_cases() {
    for rule in rules() {
        for case in rule.cases() {
            let asked = rule.ask(&case);
            let found = naive::Naive::of(&rule, &asked, &case.context).decide();
            assert_eq!(
                found, case.expected,
                "{}: {} on {} with {:?}",
                rule.rule, case.action, case.on, case.context
            );
        }
    }
}

#[test]
fn no_rule_is_there_twice() {
    let mut names: Vec<_> = rules().into_iter().map(|rule| rule.rule).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}
