//! What is proven is what trying everything shows: on a schema so small that everything can be tried.
//!
//! Conditions look at a flag, a small number that may be absent, one tag and the caller's id, and compare them with few
//! values; the requests that are tried have each of these values, what lies between and beyond them, and one that is none
//! of them. So no condition can tell two requests apart of which only one is tried. Sums overflow from some number on. The
//! decisions are the engine's, for which a forbid that fails denies.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use domain::{Arn, PolicyId, Timestamp};
use policy::{Call, Engine, FindingKind, GatewayTools, Principal, PrincipalKind, Schema, ToolDefinition};
use proptest::prelude::*;
use prover::{Equivalence, Kind, Place, Prover, Search, SolverSettings, SolverUse, Statement, World};
use serde_json::{Value, json};

const GATEWAY: &str = "arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/small-a1b2c3d4e5";
const ROLE: &str = "arn:aws:iam::123456789012:role/r";
const INPUT: &str = r#"{"type": "object", "required": ["flag"], "properties": {"flag": {"type": "boolean"}, "n": {"type": "integer"}}}"#;
const TOOLS: [&str; 2] = ["T___a", "T___b"];

fn gateway() -> GatewayTools<'static> {
    let tools = TOOLS.iter().map(|name| ToolDefinition { name, input_schema: INPUT });
    GatewayTools { arn: GATEWAY, tools: tools.collect() }
}

fn world() -> World {
    let schema = Schema::build(&[gateway()]).unwrap();
    World { schema: schema.to_cedar().to_owned(), gateways: vec![GATEWAY.to_owned()] }
}

fn prover() -> Prover {
    Prover::new(SolverSettings { solver_use: SolverUse::Required, ..SolverSettings::default() })
}

/// A request, and the kind of its caller.
struct Tried {
    caller: Principal,
    tool: &'static str,
    arguments: String,
}

fn everything() -> Vec<Tried> {
    let mut callers = vec![Principal::iam(&Arn::parse(ROLE).unwrap()).unwrap()];
    for id in ["ann", "somebody"] {
        // Each way in which the tests of a role can go together, and each of the named values beside another such one.
        let roles = ["clerk", "cook", "boss", "guest", "cast", "nobody"];
        for role in roles.into_iter().map(Some).chain([None]) {
            let claims = role.map_or(json!({}), |role| json!({"role": role}));
            callers.push(Principal::oauth(id, claims.as_object().unwrap()).unwrap());
        }
    }
    let mut tried = Vec::new();
    for caller in &callers {
        for tool in TOOLS {
            for flag in [true, false] {
                for n in [None, Some(-1), Some(0), Some(1), Some(2), Some(3)] {
                    let arguments: Value = n.map_or(json!({"flag": flag}), |n| json!({"flag": flag, "n": n}));
                    tried.push(Tried { caller: caller.clone(), tool, arguments: arguments.to_string() });
                }
            }
        }
    }
    tried
}

/// A policy without its effect.
#[derive(Clone, Debug)]
struct Rule {
    forbids: bool,
    scope: String,
    condition: String,
}

impl Rule {
    fn text(&self) -> String {
        let effect = if self.forbids { "forbid" } else { "permit" };
        format!("{effect}({}) when {{ {} }};", self.scope, self.condition)
    }

    /// To which of the requests it applies: as a permit allows them, as a forbid denies what is allowed otherwise.
    fn applied(&self, tried: &[Tried]) -> Vec<bool> {
        if !self.forbids {
            return decide(std::slice::from_ref(self), tried);
        }
        let scope = "principal, action, resource".to_owned();
        let anything = Self { forbids: false, scope, condition: "true".to_owned() };
        decide(&[anything, self.clone()], tried).into_iter().map(|allowed| !allowed).collect()
    }

    fn is_about_everything(&self) -> bool {
        self.scope.ends_with("action, resource")
    }
}

fn engine(rules: &[Rule]) -> Engine {
    let policies = rules.iter().enumerate();
    let policies: Vec<(PolicyId, String)> =
        policies.map(|(number, rule)| (PolicyId::from_text(format!("p{number}")), rule.text())).collect();
    Engine::compile(&gateway(), policies.iter().map(|(id, text)| (id.clone(), text.as_str()))).unwrap()
}

/// What the policies decide about each of the requests.
fn decide(rules: &[Rule], tried: &[Tried]) -> Vec<bool> {
    let engine = engine(rules);
    let decide = |it: &Tried| {
        let call = Call { tool: it.tool, arguments: &it.arguments, now: Timestamp::from_seconds(0) };
        engine.decide(&it.caller, &call).allow
    };
    tried.iter().map(decide).collect()
}

fn statements(rules: &[Rule]) -> Vec<Statement> {
    rules.iter().enumerate().map(|(number, rule)| Statement::new(format!("p{number}"), rule.text())).collect()
}

fn condition() -> impl Strategy<Value = String> {
    let number = (prop::sample::select(vec!["<", "<=", "==", ">", ">=", "!="]), 0..3)
        .prop_map(|(operator, bound)| format!("(context.input has n && context.input.n {operator} {bound})"));
    let role = prop::sample::select(vec!["== \"clerk\"", "== \"boss\"", "like \"*s*\"", "like \"c*\""])
        .prop_map(|test| format!("(principal.hasTag(\"role\") && principal.getTag(\"role\") {test})"));
    // It overflows for all numbers above 1.
    let sum = (prop::sample::select(vec!["<", "==", ">="]), 9_223_372_036_854_775_806_i64..=i64::MAX)
        .prop_map(|(operator, bound)| {
            format!("(context.input has n && context.input.n + 9223372036854775806 {operator} {bound})")
        });
    let plain = prop::sample::select(vec![
        "context.input.flag",
        // Of a caller with a token: the other kind is named by an ARN, which no formula knows.
        "(principal is AgentCore::OAuthUser && principal.id == \"ann\")",
        "principal is AgentCore::OAuthUser",
        "context.input has n",
        "action == AgentCore::Action::\"T___a\"",
    ]);
    let atom = prop_oneof![number, sum, role, plain.prop_map(str::to_owned)];
    atom.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} && {other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} || {other})")),
            inner.prop_map(|one| format!("!({one})")),
        ]
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let principal = prop::sample::select(vec!["principal", "principal is AgentCore::OAuthUser"]);
    let scope = prop::sample::select(vec!["action, resource", "action == T, HERE", "action, HERE"]);
    (any::<bool>(), principal, scope, condition()).prop_map(|(forbids, principal, scope, condition)| {
        let scope = scope
            .replace("== T", "== AgentCore::Action::\"T___a\"")
            .replace("HERE", &format!("resource == AgentCore::Gateway::\"{GATEWAY}\""));
        Rule { forbids, scope: format!("{principal}, {scope}"), condition }
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sets_are_compared_as_trying_everything_does(
        before in prop::collection::vec(rule(), 0..3),
        after in prop::collection::vec(rule(), 0..3),
    ) {
        let tried = everything();
        let (was, is) = (decide(&before, &tried), decide(&after, &tried));
        let equivalence = block_on(prover().equivalent(world(), statements(&before), statements(&after)));
        prop_assert_eq!(was == is, equivalence == Equivalence::Equivalent, "{:?}", equivalence);
        prop_assert!(!matches!(equivalence, Equivalence::Undecided(_)), "{:?}", equivalence);
        let comparison = block_on(prover().compare(world(), statements(&before), statements(&after))).unwrap();
        for (number, request) in tried.iter().enumerate() {
            let difference = comparison.differences.iter().find(|difference| {
                difference.environment.action == request.tool
                    && difference.environment.principal == request.caller.kind().entity_type()
            });
            if was[number] != is[number] {
                let difference = difference.unwrap();
                let search = if is[number] { &difference.newly_allowed } else { &difference.newly_denied };
                prop_assert!(matches!(search, Search::Found(_)), "{:?}", difference);
            }
        }
        for difference in &comparison.differences {
            let own = |number: &usize| {
                tried[*number].tool == difference.environment.action
                    && tried[*number].caller.kind().entity_type() == difference.environment.principal
            };
            let numbers: Vec<usize> = (0..tried.len()).filter(own).collect();
            let allowed = numbers.iter().any(|number| is[*number] && !was[*number]);
            let denied = numbers.iter().any(|number| was[*number] && !is[*number]);
            prop_assert_eq!(allowed, difference.newly_allowed != Search::Nothing, "{:?}", difference);
            prop_assert_eq!(denied, difference.newly_denied != Search::Nothing, "{:?}", difference);
        }
    }

    #[test]
    fn everything_and_nothing_are_what_trying_everything_shows(rule in rule()) {
        let tried = everything();
        let matched = rule.applied(&tried);
        let in_scope = |number: &usize| {
            (!rule.scope.contains("is AgentCore::OAuthUser") || tried[*number].caller.kind() == PrincipalKind::OAuthUser)
                && (!rule.scope.contains("T___a") || tried[*number].tool == "T___a")
        };
        let numbers: Vec<usize> = (0..tried.len()).filter(in_scope).collect();
        let all_of = |kind: PrincipalKind| {
            let mut own = numbers.iter().filter(|number| tried[**number].caller.kind() == kind).peekable();
            own.peek().is_some() && own.all(|number| matched[*number])
        };
        let (every, none) = if rule.forbids {
            (FindingKind::DenyAll, FindingKind::DenyNone)
        } else {
            (FindingKind::AllowAll, FindingKind::AllowNone)
        };
        let kinds: Vec<PrincipalKind> = PrincipalKind::ALL
            .into_iter()
            .filter(|kind| numbers.iter().any(|number| tried[*number].caller.kind() == *kind))
            .collect();
        let complete = kinds.iter().filter(|kind| all_of(**kind)).count();
        let expected = if !matched.contains(&true) {
            vec![none]
        } else if rule.is_about_everything() || complete == kinds.len() {
            vec![every; complete]
        } else {
            Vec::new()
        };
        let found = block_on(prover().effects(world().schema, rule.text())).unwrap();
        let found: Vec<FindingKind> = found.into_iter().map(|finding| finding.kind).collect();
        prop_assert_eq!(found, expected);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn overlaps_are_what_trying_everything_shows(rules in prop::collection::vec(rule(), 2..4)) {
        let tried = everything();
        let matched: Vec<Vec<bool>> = rules.iter().map(|rule| rule.applied(&tried)).collect();
        let any_other = |number: usize, others: &[usize]| {
            (0..tried.len()).all(|at| !matched[number][at] || others.iter().any(|other| matched[*other][at]))
        };
        let mut shadowed: Vec<usize> = Vec::new();
        let mut contradicted = Vec::new();
        for number in (0..rules.len()).rev().filter(|number| matched[*number].contains(&true)) {
            let alike = |other: &usize| *other != number && rules[*other].forbids == rules[number].forbids;
            let others: Vec<usize> =
                (0..rules.len()).filter(alike).filter(|other| !shadowed.contains(other)).collect();
            if any_other(number, &others) {
                shadowed.push(number);
            }
            let forbids: Vec<usize> = (0..rules.len()).filter(|other| rules[*other].forbids).collect();
            if !rules[number].forbids && any_other(number, &forbids) {
                contradicted.push(number);
            }
        }
        let places = vec![Place { world: world(), callers: Vec::new() }];
        let report = block_on(prover().analyse(places, statements(&rules))).unwrap();
        prop_assert_eq!(&report.open, &[]);
        for (kind, mut expected) in [(Kind::Shadowed, shadowed), (Kind::Contradicted, contradicted)] {
            expected.sort_unstable();
            let of_kind = report.findings.iter().filter(|finding| finding.kind == kind);
            let found: Vec<String> = of_kind.map(|finding| finding.policy.clone()).collect();
            let expected: Vec<String> = expected.into_iter().map(|number| format!("p{number}")).collect();
            prop_assert_eq!(found, expected, "{:?}", kind);
        }
        for finding in &report.findings {
            let removes = finding.kind == Kind::Shadowed || finding.kind == Kind::Contradicted;
            prop_assert!(!removes || finding.witness.is_some());
        }
    }
}
