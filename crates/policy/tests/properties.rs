//! The promises, against Cedar itself.
//!
//! Policies and calls are generated; the whole policy set, as it was written, goes through Cedar's authorizer
//! and partial evaluator with contexts that Cedar made from JSON by the schema; and the compiled engine must
//! agree: in its decision, in the policies that decided, in the policies that failed, and in what it lists.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

mod support;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision as CedarDecision, Effect as CedarEffect, Entities,
    EntityUid, PartialEntities, PartialEntityUid, PartialRequest, Policy, PolicyId as CedarPolicyId,
    PolicySet, Request, Schema as CedarSchema,
};
use domain::{PolicyId, Timestamp};
use policy::{Access, Call, Effect, Engine, Holds, Observer, Principal, Reason, Schema, Validation};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use support::{GATEWAY, House, NOON, OTHER_GATEWAY, role, takes, user};

const TOOLS: [&str; 5] = ["A___one", "A___two", "B___one", "B___two", "D-d___x:/y"];

fn house() -> House {
    let one = takes(&["n:integer", "s:string", "d?:number"]);
    let mut other = takes(&["n:integer", "flag?:boolean", "tags?:[]string", "sizes?:[]integer"]);
    other["properties"]["ship"] = json!({
        "type": "object",
        "properties": {
            "to": {"type": "object", "properties": {"country": {"type": "string"}, "zip": {"type": "integer"}},
                   "required": ["country"]},
            "cost": {"type": "number"},
        },
        "required": ["to"],
    });
    House::new(GATEWAY)
        .tool(TOOLS[0], &one)
        .tool(TOOLS[1], &one)
        .tool(TOOLS[2], &other)
        .tool(TOOLS[3], &takes(&[]))
        .tool(TOOLS[4], &other)
}

static OURS: LazyLock<Schema> = LazyLock::new(|| house().schema());

/// The schema as Cedar reads it, with the actions of another gateway that policies may name.
static SCHEMA: LazyLock<CedarSchema> = LazyLock::new(|| {
    let elsewhere = "namespace AgentCore {\n  action \"C\";\n  action \"C___elsewhere\";";
    let text = OURS.to_cedar().replace("namespace AgentCore {", elsewhere);
    CedarSchema::from_cedarschema_str(&text).unwrap().0
});

static ACTIONS: LazyLock<Entities> = LazyLock::new(|| SCHEMA.action_entities().unwrap());

static PRINCIPALS: LazyLock<Vec<Principal>> = LazyLock::new(|| {
    vec![
        user(&json!({"sub": "u1", "role": "admin", "level": 7})),
        user(&json!({"sub": "u2", "role": "clerk", "scope": "read write"})),
        user(&json!({"sub": "u3"})),
        role("u1"),
    ]
});

/// What Cedar is told of the caller, written down once more.
fn entity_of(principal: &Principal) -> Value {
    let (kind, tags) = match principal.id() {
        "u1" => ("OAuthUser", json!({"sub": "u1", "role": "admin", "level": "7"})),
        "u2" => ("OAuthUser", json!({"sub": "u2", "role": "clerk", "scope": "read write"})),
        "u3" => ("OAuthUser", json!({"sub": "u3"})),
        _ => ("IamEntity", json!({})),
    };
    json!({
        "uid": {"type": format!("AgentCore::{kind}"), "id": principal.id()},
        "attrs": {"id": principal.id()},
        "tags": tags,
        "parents": [],
    })
}

fn entities_of(principal: &Principal) -> Entities {
    let caller = Entities::from_json_value(json!([entity_of(principal)]), None).unwrap();
    caller.add_entities(ACTIONS.iter().cloned(), None).unwrap()
}

fn uid(entity_type: &str, id: &str) -> EntityUid {
    EntityUid::from_json(json!({"type": format!("AgentCore::{entity_type}"), "id": id})).unwrap()
}

fn caller_uid(principal: &Principal) -> EntityUid {
    EntityUid::from_json(entity_of(principal)["uid"].clone()).unwrap()
}

// ── Policies ────────────────────────────────────────────────────────────────────────────────────────────────

fn action_scope() -> impl Strategy<Value = String> {
    let tools = vec!["A___one", "A___two", "B___one", "D-d___x:/y", "C___elsewhere"];
    let groups = vec!["A", "B", "D-d", "CallTool", "Mcp", "C"];
    let any = [tools.clone(), groups.clone()].concat();
    let literal = |name: &str| format!("AgentCore::Action::\"{name}\"");
    prop_oneof![
        2 => Just("action".to_owned()),
        4 => select(tools).prop_map(move |name| format!("action == {}", literal(name))),
        1 => select(groups.clone()).prop_map(move |name| format!("action == {}", literal(name))),
        2 => select(groups).prop_map(move |name| format!("action in {}", literal(name))),
        3 => prop::collection::vec(select(any), 0..4).prop_map(move |names| {
            let names: Vec<String> = names.into_iter().map(literal).collect();
            format!("action in [{}]", names.join(", "))
        }),
    ]
}

fn scope() -> impl Strategy<Value = String> {
    let principal = select(vec![
        "principal".to_owned(),
        "principal".to_owned(),
        "principal is AgentCore::OAuthUser".to_owned(),
        "principal is AgentCore::IamEntity".to_owned(),
        "principal == AgentCore::OAuthUser::\"u1\"".to_owned(),
        "principal in AgentCore::OAuthUser::\"u2\"".to_owned(),
        "principal == AgentCore::IamEntity::\"u1\"".to_owned(),
        format!("principal == AgentCore::Gateway::\"{GATEWAY}\""),
    ]);
    let resource = select(vec![
        "resource".to_owned(),
        "resource is AgentCore::Gateway".to_owned(),
        format!("resource == AgentCore::Gateway::\"{GATEWAY}\""),
        format!("resource == AgentCore::Gateway::\"{GATEWAY}\""),
        format!("resource in AgentCore::Gateway::\"{GATEWAY}\""),
        format!("resource is AgentCore::Gateway in AgentCore::Gateway::\"{GATEWAY}\""),
        format!("resource == AgentCore::Gateway::\"{OTHER_GATEWAY}\""),
        "resource is AgentCore::OAuthUser".to_owned(),
    ]);
    let scoped = (principal, action_scope(), resource)
        .prop_map(|(principal, action, resource)| format!("{principal}, {action}, {resource}"));
    prop_oneof![2 => scoped, 1 => Just("principal, action, resource".to_owned())]
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    select(words)
}

/// Comparisons of arguments of every type, of claims and of the time, with values around those that calls have. What is
/// optional is asked for first, mostly.
fn comparison() -> impl Strategy<Value = String> {
    let order = || one_of(&["<", "<=", ">", ">=", "==", "!="]);
    let number = || select(vec![i64::MIN, -1, 0, 1, 2, 3, 5, 4_000_000, i64::MAX]);
    let country = || one_of(&["DE", "FR", "D", ""]);
    let decimal = || one_of(&["-2.25", "0.0", "0.5", "1.4999", "1.5", "99.5"]);
    let fraction = || one_of(&["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"]);
    let behind = |guard: &'static str, rest: String, guarded: bool| {
        if guarded { format!("({guard} && {rest})") } else { rest }
    };
    prop_oneof![
        (order(), number()).prop_map(|(op, n)| format!("context.input.n {op} {n}")),
        (one_of(&["+", "-", "*"]), number(), order(), number())
            .prop_map(|(sum, a, op, b)| format!("context.input.n {sum} {a} {op} {b}")),
        (number(), number(), number())
            .prop_map(|(a, b, c)| format!("[{a}, {b}, {c}].contains(context.input.n)")),
        one_of(&["a*", "*b*", "*", "a\\**", ""]).prop_map(|p| format!("context.input.s like \"{p}\"")),
        one_of(&[r#"["a", "b"]"#, r#"["abc"]"#, "[\"\"]"])
            .prop_map(|set| format!("{set}.contains(context.input.s)")),
        (fraction(), decimal(), prop::bool::weighted(0.8)).prop_map(move |(op, d, guarded)| {
            behind("context.input has d", format!("context.input.d.{op}(decimal(\"{d}\"))"), guarded)
        }),
        (
            one_of(&["containsAll", "containsAny"]),
            one_of(&[r#"["x"]"#, r#"["x", "y"]"#, r#"["z"]"#]),
            prop::bool::weighted(0.8),
        )
            .prop_map(move |(op, set, guarded)| {
                behind("context.input has tags", format!("context.input.tags.{op}({set})"), guarded)
            }),
        (number(), any::<bool>()).prop_map(|(n, empty)| {
            let question = if empty { "isEmpty()".to_owned() } else { format!("contains({n})") };
            format!("(context.input has sizes && context.input.sizes.{question})")
        }),
        (order(), number()).prop_map(|(op, n)| {
            format!("(context.input has ship.to.zip && context.input.ship.to.zip {op} {n})")
        }),
        (country(), prop::bool::weighted(0.8)).prop_map(move |(country, guarded)| {
            let rest = format!("context.input.ship.to.country == \"{country}\"");
            behind("context.input has ship", rest, guarded)
        }),
        (fraction(), decimal()).prop_map(|(op, d)| {
            format!("(context.input has ship && context.input.ship has cost && context.input.ship.cost.{op}(decimal(\"{d}\")))")
        }),
        (one_of(&["role", "level", "scope", "none"]), one_of(&["*", "admin", "*write*", "7", "cl*k"]))
            .prop_map(|(tag, p)| format!("(principal.hasTag(\"{tag}\") && principal.getTag(\"{tag}\") like \"{p}\")")),
        (order(), one_of(&["2024-02-29", "2025-01-15T12:00:00Z", "2025-06-01", "2026-11-22T23:59:59Z"]))
            .prop_map(|(op, time)| format!("context.system.now {op} datetime(\"{time}\")")),
        (order(), one_of(&["0h", "9h", "12h", "17h30m"]))
            .prop_map(|(op, hours)| format!("context.system.now.toTime() {op} duration(\"{hours}\")")),
        (order(), one_of(&["-1d", "1d", "400d"])).prop_map(|(op, days)| {
            format!("context.system.now.durationSince(datetime(\"2025-01-15\")) {op} duration(\"{days}\")")
        }),
    ]
}

/// Conditions that may hold, not hold, or fail; most of them fit the schema.
fn condition() -> impl Strategy<Value = String> {
    let atoms = vec![
        "true",
        "false",
        r#"principal.hasTag("role")"#,
        r#"(principal.hasTag("role") && principal.getTag("role") == "admin")"#,
        r#"(principal.hasTag("scope") && principal.getTag("scope") like "*write*")"#,
        r#"principal.getTag("level") == "7""#,
        r#"principal.id == "u1""#,
        "principal is AgentCore::IamEntity",
        "context.input.n < 3",
        "(context.input has n && context.input.n >= 3)",
        "context.input.n + 9223372036854775806 > 0",
        r#"context.input.s like "a*""#,
        r#"(context.input has s && context.input.s == "b")"#,
        r#"(context.input has d && context.input.d.lessThan(decimal("1.5")))"#,
        "context.input has flag",
        "context.input.flag",
        r#"(context.input has tags && context.input.tags.contains("x"))"#,
        r#"(context has input && context["input"] has n)"#,
        "context.input has n",
        "context.input has s",
        "context.input has d",
        "context.input has tags",
        "context.input == context.input",
        "context has system",
        r#"context.system.now < datetime("2025-06-01")"#,
        r#"context.system.now.toTime() > duration("13h")"#,
        r#"action == AgentCore::Action::"A___one""#,
        r#"action in AgentCore::Action::"A""#,
        r#"action in [AgentCore::Action::"B", AgentCore::Action::"C___elsewhere"]"#,
        r#"resource in AgentCore::Gateway::"nowhere""#,
        "(if context.input has n then context else context) has input",
        "context.input has ship.to.country",
        "(context.input has ship && context.input.ship == context.input.ship)",
        r#"principal in [AgentCore::OAuthUser::"u1", AgentCore::OAuthUser::"u3"]"#,
        r#"[AgentCore::Action::"A___one", AgentCore::Action::"B"].contains(action)"#,
        r#"principal.hasTag(if context.input has flag then "role" else "scope")"#,
    ];
    let leaf = prop_oneof![2 => select(atoms).prop_map(str::to_owned), 3 => comparison()];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
            inner.clone().prop_map(|inner| format!("!({inner})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(cond, then, other)| format!("(if {cond} then {then} else {other})")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let effect = select(vec!["permit", "permit", "forbid"]);
    let clause = (select(vec!["when", "when", "unless"]), condition());
    let clauses = prop::collection::vec(clause, 0..3);
    (effect, scope(), clauses).prop_map(|(effect, scope, clauses)| {
        let clauses: Vec<String> =
            clauses.into_iter().map(|(word, condition)| format!("{word} {{ {condition} }}")).collect();
        format!("{effect}({scope}) {};", clauses.join(" "))
    })
}

// ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────

/// Arguments that fit their tool: as a caller sends them, and as Cedar reads them with a schema.
#[derive(Clone, Debug)]
struct Arguments {
    tool: &'static str,
    sent: Value,
    typed: Value,
    now: Timestamp,
}

/// Moments before, on and after those that policies name.
fn moment() -> impl Strategy<Value = Timestamp> {
    let named = select(vec![1_709_164_800, 1_736_899_200, 1_736_942_400, 1_748_736_000, 1_795_391_999]);
    let near = (named, select(vec![-1_i64, 0, 1, 3_600, 43_200]));
    prop_oneof![
        1 => Just(NOON),
        3 => near.prop_map(|(named, off)| Timestamp::from_seconds(named + off)),
        1 => (0_i64..4_000_000_000).prop_map(Timestamp::from_seconds),
    ]
}

fn arguments() -> impl Strategy<Value = Arguments> {
    let n = select(vec![-1_i64, 0, 2, 3, 5, i64::MAX]);
    let s = select(vec!["a", "b", "abc", ""]);
    let d = prop::option::of(select(vec!["0.5", "1.5", "-2.25", "100.0"]));
    let flag = prop::option::of(any::<bool>());
    let tags = prop::option::of(prop::collection::vec(select(vec!["x", "y"]), 0..3));
    let sizes = prop::option::of(prop::collection::vec(select(vec![-1_i64, 0, 3, i64::MIN]), 0..3));
    let ship = prop::option::of((
        select(vec!["DE", "FR", "US", ""]),
        prop::option::of(select(vec![0_i64, 3, i64::MAX])),
        prop::option::of(select(vec!["0.5", "99.4999"])),
    ));
    let rest = (flag, tags, sizes, ship);
    (select(&TOOLS[..]), n, s, d, rest, moment()).prop_map(|(tool, n, s, d, rest, now)| {
        let (flag, tags, sizes, ship) = rest;
        let mut typed = serde_json::Map::new();
        if tool != TOOLS[3] {
            typed.insert("n".to_owned(), json!(n));
        }
        if tool.starts_with("A___") {
            typed.insert("s".to_owned(), json!(s));
            typed.extend(d.map(|d| ("d".to_owned(), json!(d))));
        } else if tool != TOOLS[3] {
            typed.extend(flag.map(|flag| ("flag".to_owned(), json!(flag))));
            typed.extend(tags.map(|tags| ("tags".to_owned(), json!(tags))));
            typed.extend(sizes.map(|sizes| ("sizes".to_owned(), json!(sizes))));
            if let Some((country, zip, cost)) = ship {
                let mut ship = json!({"to": {"country": country}});
                if let Some(zip) = zip {
                    ship["to"]["zip"] = json!(zip);
                }
                if let Some(cost) = cost {
                    ship["cost"] = json!(cost);
                }
                typed.insert("ship".to_owned(), ship);
            }
        }
        let mut sent = typed.clone();
        if let Some(Value::String(d)) = typed.get("d") {
            sent.insert("d".to_owned(), d.parse().map(Value::Number).unwrap());
        }
        if let Some(Value::String(cost)) = typed.get("ship").and_then(|ship| ship.get("cost")) {
            sent["ship"]["cost"] = cost.parse().map(Value::Number).unwrap();
        }
        sent.insert("extra".to_owned(), json!({"n": "nobody asked"}));
        Arguments { tool, sent: Value::Object(sent), typed: Value::Object(typed), now }
    })
}

/// Arguments of any kind.
fn wild_arguments() -> impl Strategy<Value = (&'static str, String)> {
    let value = select(vec![
        "1",
        "4",
        "\"a\"",
        "\"b\"",
        "true",
        "null",
        "[\"x\"]",
        "[1]",
        "{}",
        "0.5",
        "1e400",
        "99999999999999999999",
        r#"{"to": {"country": "DE", "zip": 3}, "cost": 0.5}"#,
        r#"{"to": {"country": "DE", "country": "US"}}"#,
        r#"{"to": null}"#,
    ]);
    let names = select(vec!["n", "s", "d", "flag", "tags", "n", "sizes", "ship"]);
    let fields = prop::collection::vec((names, value), 0..5);
    (select(&TOOLS[..]), fields).prop_map(|(tool, fields)| {
        let fields: Vec<String> =
            fields.into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        (tool, format!("{{{}}}", fields.join(", ")))
    })
}

// ── The reference ───────────────────────────────────────────────────────────────────────────────────────────

fn id(number: usize) -> String {
    format!("p{number}")
}

fn whole_set(statements: &[String]) -> PolicySet {
    let policies = statements
        .iter()
        .enumerate()
        .map(|(number, text)| Policy::parse(Some(CedarPolicyId::new(id(number))), text).unwrap());
    PolicySet::from_policies(policies).unwrap()
}

fn engine(statements: &[String]) -> Engine {
    let policies = statements.iter().enumerate();
    let policies = policies.map(|(number, text)| (PolicyId::from_text(id(number)), text));
    Engine::compile(&house().gateway(), policies).unwrap()
}

fn context(arguments: &Arguments, action: &EntityUid) -> Context {
    let context = json!({"input": arguments.typed, "system": {"now": arguments.now.to_string()}});
    Context::from_json_value(context, Some((&*SCHEMA, action))).unwrap()
}

fn failed_policy(error: &AuthorizationError) -> &CedarPolicyId {
    let AuthorizationError::PolicyEvaluationError(error) = error;
    error.policy_id()
}

fn ids<'a>(ids: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    ids.map(str::to_owned).collect()
}

proptest! {
    // PROPTEST_CASES=4000 asks for ten times as many.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 3, ..ProptestConfig::default() })]

    /// An indexed decision is the decision of the whole set, and a forbid is never outvoted.
    #[test]
    fn the_engine_decides_as_cedar_does(
        statements in prop::collection::vec(statement(), 0..8),
        calls in prop::collection::vec(arguments(), 1..6),
    ) {
        let set = whole_set(&statements);
        let engine = engine(&statements);
        for (arguments, principal) in calls.iter().flat_map(|call| PRINCIPALS.iter().map(move |who| (call, who))) {
            let action = uid("Action", arguments.tool);
            let context = context(arguments, &action);
            let request = Request::new(
                caller_uid(principal), action, uid("Gateway", GATEWAY), context, Some(&SCHEMA),
            ).unwrap();
            let expected = Authorizer::new().is_authorized(&request, &set, &entities_of(principal));
            let sent = arguments.sent.to_string();
            let call = Call { tool: arguments.tool, arguments: &sent, now: arguments.now };
            let decided = engine.decide(principal, &call);

            let failed: Vec<&CedarPolicyId> = expected.diagnostics().errors().map(failed_policy).collect();
            let expected_errors = ids(failed.iter().map(|id| AsRef::<str>::as_ref(*id)));
            let errors = ids(decided.errors.iter().map(|error| error.policy.as_str()));
            prop_assert_eq!(errors, expected_errors, "{:?}", decided);

            let forbid_failed = failed.iter().any(|id| set.policy(id).unwrap().effect() == CedarEffect::Forbid);
            let allowed = expected.decision() == CedarDecision::Allow;
            prop_assert_eq!(decided.allow, allowed && !forbid_failed, "{:?}", decided);

            let reasons = ids(expected.diagnostics().reason().map(AsRef::<str>::as_ref));
            let determining = ids(decided.determining.iter().map(PolicyId::as_str));
            match decided.reason {
                Reason::ForbidFailed => prop_assert!(forbid_failed && (allowed || reasons.is_empty())),
                Reason::PermittedBy => prop_assert!(allowed && determining == reasons),
                Reason::ForbiddenBy => prop_assert!(!allowed && !reasons.is_empty() && determining == reasons),
                Reason::DefaultDeny => prop_assert!(!allowed && reasons.is_empty() && determining.is_empty()),
                Reason::Arguments(error) => prop_assert!(false, "{error}"),
            Reason::Unseen(argument) => prop_assert!(false, "{argument}"),
            }
        }
    }

    /// A permit all of whose conditions hold decides where no forbid does, and what an explanation says of each policy is
    /// what the decision says of it.
    #[test]
    fn an_explanation_says_what_the_decision_says(
        statements in prop::collection::vec(statement(), 0..6),
        calls in prop::collection::vec(arguments(), 1..3),
    ) {
        let engine = engine(&statements);
        for (arguments, principal) in calls.iter().flat_map(|call| PRINCIPALS.iter().map(move |who| (call, who))) {
            let sent = arguments.sent.to_string();
            let call = Call { tool: arguments.tool, arguments: &sent, now: arguments.now };
            let explained = engine.explain(principal, &call);
            let decided = engine.decide(principal, &call);
            prop_assert_eq!(&explained.decision, &decided);
            let position = TOOLS.iter().position(|known| *known == arguments.tool).unwrap();
            prop_assert_eq!(explained.listed, engine.visible(principal)[position]);
            prop_assert_eq!(explained.accounts.len(), statements.len());

            let which = |effect: Effect, meant: &dyn Fn(&Holds) -> bool| {
                let accounts = explained.accounts.iter();
                let found = accounts.filter(move |it| it.effect == effect && meant(&it.outcome));
                ids(found.map(|it| it.policy.as_str()))
            };
            let applies = |holds: &Holds| *holds == Holds::Yes;
            let fails = |holds: &Holds| matches!(holds, Holds::Fails(_));
            let (permits, forbids) = (which(Effect::Permit, &applies), which(Effect::Forbid, &applies));
            let failed = which(Effect::Forbid, &fails);
            prop_assert_eq!(decided.allow, !permits.is_empty() && forbids.is_empty() && failed.is_empty());
            let determining = ids(decided.determining.iter().map(PolicyId::as_str));
            match decided.reason {
                Reason::PermittedBy => prop_assert_eq!(determining, permits),
                Reason::ForbiddenBy => prop_assert_eq!(determining, forbids),
                Reason::ForbidFailed => prop_assert!(!failed.is_empty() && forbids.is_empty()),
                _ => prop_assert!(permits.is_empty() && forbids.is_empty() && failed.is_empty()),
            }
            let all_failed: BTreeSet<String> = failed.into_iter().chain(which(Effect::Permit, &fails)).collect();
            prop_assert_eq!(ids(decided.errors.iter().map(|error| error.policy.as_str())), all_failed);

            for account in &explained.accounts {
                prop_assert!(account.outcome != Holds::Unknown, "{account:?}");
                prop_assert_eq!(account.outcome == Holds::Yes, account.missing() == 0);
                for condition in &account.conditions {
                    prop_assert_eq!(condition.remedy.is_none(), condition.holds == Holds::Yes);
                }
            }
            // What holds whatever the arguments holds with these.
            let outlooks = engine.outlooks(principal);
            let outlook = &outlooks[position];
            prop_assert_eq!(&outlook.tool, arguments.tool);
            prop_assert_eq!(outlook.listed, explained.listed);
            prop_assert!(outlook.listed || outlook.access == Access::Denied, "{outlook:?}");
            match outlook.access {
                Access::Allowed => prop_assert!(decided.allow, "{outlook:?}"),
                Access::Denied => prop_assert!(!decided.allow, "{outlook:?}"),
                Access::Conditional => {}
            }
            // The permit that the audit trail names does not apply, and it is about this tool.
            if let Some(nearest) = engine.nearest_permit(principal, &call) {
                let account = explained.accounts.iter().find(|it| it.policy == nearest.policy).unwrap();
                prop_assert!(account.effect == Effect::Permit && account.outcome != Holds::Yes);
                prop_assert_eq!(nearest.of - nearest.held, account.missing());
                prop_assert_eq!(nearest.of, account.conditions.len());
            }
        }
    }

    /// What is settled is decided alike, whatever is asked and whenever.
    #[test]
    fn what_is_settled_is_decided_alike(
        statements in prop::collection::vec(statement(), 0..4),
        calls in prop::collection::vec((wild_arguments(), moment()), 2..6),
    ) {
        let engine = engine(&statements);
        for (tool, principal) in TOOLS.iter().flat_map(|tool| PRINCIPALS.iter().map(move |who| (*tool, who))) {
            if engine.settled(principal, tool).is_some() {
                let decide = |((_, arguments), now): &((_, String), Timestamp)| {
                    engine.decide(principal, &Call { tool, arguments, now: *now })
                };
                let decisions: Vec<_> = calls.iter().map(decide).collect();
                prop_assert!(decisions.windows(2).all(|pair| pair[0] == pair[1]), "{tool}: {decisions:?}");
            }
        }
    }

    /// A forbid that matches by itself denies, whatever is permitted beside it and wherever it stands.
    #[test]
    fn a_forbid_is_never_outvoted(
        statements in prop::collection::vec(statement(), 1..8),
        calls in prop::collection::vec(arguments(), 1..6),
    ) {
        let everything = "permit(principal, action, resource);".to_owned();
        let outvoted = [vec![everything.clone()], statements.clone(), vec![everything]].concat();
        let engine = engine(&outvoted);
        let forbids = statements.iter().filter(|text| text.starts_with("forbid("));
        let questions: Vec<PolicySet> =
            forbids.map(|text| whole_set(&[text.replacen("forbid(", "permit(", 1)])).collect();
        for (arguments, principal) in calls.iter().flat_map(|call| PRINCIPALS.iter().map(move |who| (call, who))) {
            let action = uid("Action", arguments.tool);
            let context = context(arguments, &action);
            let request = Request::new(
                caller_uid(principal), action, uid("Gateway", GATEWAY), context, Some(&SCHEMA),
            ).unwrap();
            let stopped = questions.iter().any(|question| {
                let said = Authorizer::new().is_authorized(&request, question, &entities_of(principal));
                said.decision() == CedarDecision::Allow || said.diagnostics().errors().next().is_some()
            });
            let sent = arguments.sent.to_string();
            let call = Call { tool: arguments.tool, arguments: &sent, now: arguments.now };
            prop_assert_eq!(engine.decide(principal, &call).allow, !stopped);
        }
    }

    /// What is said of a policy that does not bind is what its promotion does: of each by itself, beside those that bind.
    #[test]
    fn a_promotion_changes_what_was_foretold(
        binding in prop::collection::vec(statement(), 0..5),
        watched in prop::collection::vec(statement(), 1..4),
        calls in prop::collection::vec(arguments(), 1..5),
    ) {
        let before = engine(&binding);
        let name = |number: usize| PolicyId::from_text(format!("w{number}"));
        let named = watched.iter().enumerate().map(|(number, text)| (name(number), text));
        let observer = Observer::compile(&house().gateway(), named).unwrap();
        for (number, promoted) in watched.iter().enumerate() {
            let after = engine(&[binding.clone(), vec![promoted.clone()]].concat());
            let last = PolicyId::from_text(id(binding.len()));
            for (arguments, principal) in
                calls.iter().flat_map(|call| PRINCIPALS.iter().map(move |who| (call, who)))
            {
                let sent = arguments.sent.to_string();
                let call = Call { tool: arguments.tool, arguments: &sent, now: arguments.now };
                let (was, is) = (before.decide(principal, &call), after.decide(principal, &call));
                let observed = observer.observe(principal, &call, &was);
                let says = |policies: &[PolicyId]| policies.contains(&name(number));
                prop_assert_eq!(says(&observed.flips), was.allow != is.allow, "{:?} {:?}", observed, is);
                let failed = observed.errors.iter().any(|error| error.policy == name(number));
                prop_assert_eq!(failed, is.errors.iter().any(|error| error.policy == last));
                if is.determining.contains(&last) {
                    prop_assert!(says(&observed.matched), "{:?} {:?}", observed, is);
                }
            }
        }
    }

    /// A tool that could be called is listed, whatever is sent and whenever: one that is absent cannot be called.
    #[test]
    fn no_tool_that_could_be_called_is_hidden(
        statements in prop::collection::vec(statement(), 1..5),
        fitting in prop::collection::vec(arguments(), 1..12),
        wild in prop::collection::vec((wild_arguments(), moment()), 1..24),
    ) {
        let engine = engine(&statements);
        let fitting = fitting.into_iter().map(|call| (call.tool, call.sent.to_string(), call.now));
        let wild = wild.into_iter().map(|((tool, arguments), now)| (tool, arguments, now));
        let calls: Vec<(&str, String, Timestamp)> = fitting.chain(wild).collect();
        for principal in PRINCIPALS.iter() {
            let visible = engine.visible(principal);
            for (tool, arguments, now) in &calls {
                let decided = engine.decide(principal, &Call { tool, arguments, now: *now });
                let position = TOOLS.iter().position(|known| known == tool).unwrap();
                prop_assert!(!decided.allow || visible[position], "{tool} {arguments} {decided:?}");
            }
        }
    }

    /// What Cedar proves of the whole set is what the list shows.
    #[test]
    fn the_list_is_what_cedar_proves(statements in prop::collection::vec(statement(), 1..5)) {
        let set = whole_set(&statements);
        let engine = engine(&statements);
        for principal in PRINCIPALS.iter() {
            let caller = Entities::from_json_value(json!([entity_of(principal)]), None).unwrap();
            let gateway = cedar_policy::Entity::with_uid(uid("Gateway", GATEWAY));
            let entities = caller.add_entities([gateway], None).unwrap();
            let entities = PartialEntities::from_concrete(entities, &SCHEMA).unwrap();
            let visible = engine.visible(principal);
            for (tool, visible) in TOOLS.iter().zip(visible) {
                let request = PartialRequest::new(
                    PartialEntityUid::from_concrete(caller_uid(principal)),
                    uid("Action", tool),
                    PartialEntityUid::from_concrete(uid("Gateway", GATEWAY)),
                    None,
                    &SCHEMA,
                ).unwrap();
                // Nothing is proven of a set in which some policy does not fit the schema.
                let Ok(response) = set.tpe(&request, &entities, &SCHEMA) else { continue };
                match response.decision() {
                    Some(CedarDecision::Deny) => prop_assert!(!visible, "{tool}"),
                    Some(CedarDecision::Allow) | None => prop_assert!(visible, "{tool}"),
                }
            }
        }
    }

    /// Whatever is written, nothing ends the process.
    #[test]
    fn any_text_can_be_checked(text in "\\PC{0,200}", statement in statement(), cut in 0_usize..200) {
        let cut: String = statement.chars().take(cut).collect();
        for text in [&text, &cut, &statement] {
            let _ = policy::check(text, &OURS, Validation::FailOnAnyFindings);
        }
    }
}
