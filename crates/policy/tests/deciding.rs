//! Decisions at the edges: arguments that do not fit, policies that fail, tools that changed under a policy.

mod support;

use domain::PolicyId;
use policy::{ArgumentErrorKind, Call, CompileError, DENIED, Engine, Observer, Reason};
use serde_json::json;
use support::{GATEWAY, House, OTHER_GATEWAY, call, call_text, list, role, takes, user};

const PAY: &str = "Bank___pay";
const SHOW: &str = "Bank___show";

fn bank() -> House {
    House::new(GATEWAY)
        .tool(PAY, &takes(&["cents:integer", "to:string", "note?:string"]))
        .tool(SHOW, &takes(&["account:string"]))
}

fn on(tool: &str, effect: &str, conditions: &str) -> String {
    format!(
        "{effect}(principal, action == AgentCore::Action::\"{tool}\", resource == AgentCore::Gateway::\"{GATEWAY}\") \
         {conditions};"
    )
}

const ANYTHING: &str = "permit(principal, action, resource is AgentCore::Gateway);";

#[test]
fn an_argument_that_does_not_fit_cannot_dodge_a_forbid() {
    let engine = bank().engine(&[ANYTHING, &on(PAY, "forbid", "when { context.input.cents > 500 }")]);
    let anyone = user(&json!({}));
    assert!(call(&engine, &anyone, PAY, &json!({"cents": 500, "to": "x"})).allow);
    assert_eq!(call(&engine, &anyone, PAY, &json!({"cents": 501, "to": "x"})).reason, Reason::ForbiddenBy);
    for (arguments, kind) in [
        (r#"{"cents": "501"}"#, ArgumentErrorKind::WrongType { expected: "an integer" }),
        (r#"{"cents": 1e30}"#, ArgumentErrorKind::OutOfRange),
        (r#"{"cents": 1, "cents": 501}"#, ArgumentErrorKind::Repeated),
        (r#"{"to": "x"}"#, ArgumentErrorKind::Missing),
    ] {
        let denied = call_text(&engine, &anyone, PAY, arguments);
        let Reason::Arguments(error) = &denied.reason else { panic!("{arguments}: {denied:?}") };
        assert_eq!((error.argument.as_str(), error.kind), ("cents", kind));
        assert!(!denied.allow && denied.audit_text().contains("argument `cents` is"));
        assert_eq!(denied.caller_text(), Some(DENIED));
    }
    assert!(call_text(&engine, &anyone, SHOW, "not even JSON").allow, "nobody reads them");
}

#[test]
fn a_schema_that_hides_an_argument_hides_it_from_no_forbid() {
    let loose = json!({"type": "object", "properties": {"cents": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}});
    let house = House::new(GATEWAY).tool(PAY, &loose).tool(SHOW, &takes(&["account:string"]));
    let guard = on(PAY, "forbid", "when { context.input has cents && context.input.cents > 500 }");
    let engine = house.engine(&[ANYTHING, &guard]);
    let anyone = user(&json!({}));
    let denied = call(&engine, &anyone, PAY, &json!({"cents": 5000}));
    assert_eq!((denied.allow, &denied.reason), (false, &Reason::Unseen("cents".to_owned())));
    assert!(denied.audit_text().contains("`cents`"));
    assert_eq!(list(&engine, &anyone), [SHOW]);
    assert!(call(&engine, &anyone, SHOW, &json!({"account": "a"})).allow, "another tool is none the worse");
    let engine =
        house.engine(&[&on(PAY, "permit", "when { context.input has cents }"), &on(SHOW, "permit", "")]);
    assert_eq!(call(&engine, &anyone, PAY, &json!({"cents": 1})).reason, Reason::DefaultDeny);
}

#[test]
fn what_is_required_is_relied_on() {
    // The schema says that `cents` is always there: the forbid may count on it.
    let engine = bank().engine(&[ANYTHING, &on(PAY, "forbid", "when { context.input has cents }")]);
    let anyone = user(&json!({}));
    assert!(!call_text(&engine, &anyone, PAY, r#"{"to": "x"}"#).allow);
    assert!(!call_text(&engine, &anyone, PAY, r#"{"to": "x", "cents": null}"#).allow);
}

#[test]
fn one_policy_may_mean_different_things_for_different_tools() {
    let every = "permit(principal, action, resource is AgentCore::Gateway) \
                 when { context.input has note && context.input.note == \"please\" };";
    let engine = bank().checked_engine(&[every]);
    // Partial evaluation does not conclude from `has` and a type that a condition never holds.
    assert_eq!(list(&engine, &user(&json!({}))), [PAY, SHOW]);
    let arguments = json!({"cents": 1, "to": "x", "note": "please", "account": "1"});
    assert!(call(&engine, &user(&json!({})), PAY, &arguments).allow);
    let unknown = call(&engine, &user(&json!({})), SHOW, &arguments);
    assert_eq!(unknown.reason, Reason::DefaultDeny, "arguments that the tool does not know do not count");
}

#[test]
fn a_forbid_that_fails_denies() {
    let overflow = on(PAY, "forbid", "when { context.input.cents + 9223372036854775807 < 0 }");
    let engine =
        bank().checked_engine(&[&on(PAY, "permit", "when { context.input.to == \"x\" }"), &overflow]);
    let anyone = user(&json!({}));
    let denied = call(&engine, &anyone, PAY, &json!({"cents": 41_424_344, "to": "x"}));
    assert!(!denied.allow);
    assert_eq!(denied.reason, Reason::ForbidFailed);
    assert_eq!(denied.errors[0].policy.as_str(), "p1");
    assert_eq!(denied.audit_text(), "Policy evaluation failed: p1 (an integer overflowed)");
    assert!(!format!("{denied:?}").contains("41424344"), "an argument is not for the audit trail");
}

#[test]
fn a_permit_that_fails_permits_nothing_and_is_named() {
    let overflow = on(PAY, "permit", "when { context.input.cents + 9223372036854775807 > 0 }");
    let other = on(PAY, "permit", "when { context.input.to == \"x\" }");
    let engine = bank().checked_engine(&[&overflow, &other]);
    let anyone = user(&json!({}));
    let denied = call(&engine, &anyone, PAY, &json!({"cents": 1, "to": "y"}));
    assert_eq!(denied.reason, Reason::DefaultDeny);
    assert_eq!(denied.audit_text(), format!("{DENIED} Policies that failed: p0 (an integer overflowed)"));
    let allowed = call(&engine, &anyone, PAY, &json!({"cents": 1, "to": "x"}));
    assert!(allowed.allow);
    assert_eq!(allowed.determining, [PolicyId::from_text("p1")]);
    assert_eq!(allowed.errors.len(), 1);
    assert_eq!(allowed.audit_text(), "Policy evaluation allowed due to p1");
}

#[test]
fn policies_outlive_the_tools_they_were_written_for() {
    let forbid = on(PAY, "forbid", "when { context.input.amount > 500 }");
    let permit = on(PAY, "permit", "when { context.input.currency == \"EUR\" }");
    let engine = bank().engine(&[ANYTHING, &forbid, &permit]);
    let anyone = user(&json!({}));
    // Neither fits the tool any more: who can say whether they apply?
    assert_eq!(list(&engine, &anyone), [PAY, SHOW]);
    let denied = call(&engine, &anyone, PAY, &json!({"cents": 1, "to": "x", "amount": 1}));
    assert_eq!(denied.reason, Reason::ForbidFailed);
    assert_eq!(denied.errors.len(), 2);

    // The sound policy beside the unsound one still hides the tool.
    let banned = on(PAY, "forbid", "when { principal.hasTag(\"banned\") }");
    let engine = bank().engine(&[ANYTHING, &forbid, &banned]);
    assert_eq!(list(&engine, &user(&json!({"banned": true}))), [SHOW]);
    assert_eq!(list(&engine, &anyone), [PAY, SHOW]);
}

#[test]
fn policies_of_other_gateways_do_not_count() {
    let elsewhere = on(PAY, "permit", "").replace(GATEWAY, OTHER_GATEWAY);
    let engine = bank().engine(&[&elsewhere]);
    assert!(list(&engine, &user(&json!({}))).is_empty());
    assert!(!call(&engine, &user(&json!({})), PAY, &json!({"cents": 1, "to": "x"})).allow);
}

#[test]
fn the_kinds_of_caller_are_kept_apart() {
    let iam = on(SHOW, "permit", "").replace("principal,", "principal is AgentCore::IamEntity,");
    let oauth = on(PAY, "permit", "").replace("principal,", "principal == AgentCore::OAuthUser::\"user-1\",");
    let engine = bank().checked_engine(&[&iam, &oauth]);
    assert_eq!(list(&engine, &role("Any")), [SHOW]);
    assert_eq!(list(&engine, &user(&json!({"sub": "user-1"}))), [PAY]);
    assert!(list(&engine, &user(&json!({"sub": "user-2"}))).is_empty());
    let forged = user(&json!({"sub": "arn:aws:sts::123456789012:assumed-role/Any"}));
    assert!(list(&engine, &forged).is_empty());
}

#[test]
fn without_policies_nothing_is_allowed() {
    let engine = bank().engine(&[]);
    assert_eq!(engine.tools().collect::<Vec<_>>(), [PAY, SHOW]);
    assert_eq!(engine.visible(&user(&json!({}))), [false, false]);
    assert_eq!(call(&engine, &user(&json!({})), PAY, &json!({})).reason, Reason::DefaultDeny);
}

#[test]
fn many_policies_decide_together() {
    let engine = bank().engine(&[
        &on(PAY, "permit", "when { context.input.cents > 0 }"),
        ANYTHING,
        "permit(principal, action in AgentCore::Action::\"Bank\", resource is AgentCore::Gateway);",
        "forbid(principal, action, resource) when { principal.hasTag(\"banned\") };",
        "forbid(principal, action in AgentCore::Action::\"Mcp\", resource) when { principal.hasTag(\"banned\") };",
    ]);
    let ids = |claims| {
        let decided = call(&engine, &user(&claims), PAY, &json!({"cents": 1, "to": "x"}));
        decided.determining.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(ids(json!({})), ["p0", "p1", "p2"]);
    assert_eq!(ids(json!({"banned": true})), ["p3", "p4"]);
}

#[test]
fn sets_nested_records_and_decimals() {
    let schema = json!({
        "type": "object",
        "properties": {
            "labels": {"type": "array", "items": {"type": "string"}},
            "price": {"type": "number"},
            "ship": {"type": "object", "properties": {"to": {"type": "object", "properties": {
                "country": {"type": "string"}}, "required": ["country"]}}, "required": ["to"]},
        },
        "required": ["labels", "price", "ship"],
    });
    let house = House::new(GATEWAY).tool("Shop___order", &schema);
    let engine = house.checked_engine(&[&on(
        "Shop___order",
        "permit",
        r#"when {
          context.input.labels.containsAny(["gift", "book"]) &&
          !context.input.labels.contains("weapon") &&
          context.input.price.greaterThanOrEqual(decimal("0.01")) &&
          context.input.price.lessThan(decimal("99.99")) &&
          ["DE", "FR"].contains(context.input.ship.to.country)
        }"#,
    )]);
    let order = |labels: &[&str], price: &str, country: &str| {
        let text = format!(
            r#"{{"labels": {}, "price": {price}, "ship": {{"to": {{"country": "{country}", "zip": 1}}, "by": "air"}}}}"#,
            json!(labels)
        );
        call_text(&engine, &user(&json!({})), "Shop___order", &text).allow
    };
    assert!(order(&["book"], "99.9899", "DE"));
    assert!(order(&["x", "gift"], "1e-2", "FR"));
    assert!(!order(&["book"], "99.99", "DE"));
    assert!(!order(&["book"], "0.0099", "DE"));
    assert!(!order(&["book", "weapon"], "5", "DE"));
    assert!(!order(&[], "5", "DE"));
    assert!(!order(&["book"], "5", "US"));
}

#[test]
fn what_is_no_policy_stops_the_compiler() {
    let compile = |policies: &[(&str, &str)]| {
        let policies = policies.iter().map(|(id, text)| (PolicyId::from_text(*id), *text));
        Engine::compile(&bank().gateway(), policies).unwrap_err()
    };
    let broken = compile(&[("good", ANYTHING), ("bad", "permit(principal")]);
    assert!(broken.to_string().starts_with("policy `bad` cannot be compiled: line 1, column 17: "));
    assert!(matches!(compile(&[("twice", ANYTHING), ("twice", ANYTHING)]), CompileError::Repeated(_)));
}

#[test]
fn deep_policies_can_be_listed_and_decided() {
    let many = vec!["context.input.to == \"y\""; 20].join(" || ");
    let engine = bank().checked_engine(&[&on(
        PAY,
        "permit",
        &format!("when {{ {many} || context.input.to == \"x\" }}"),
    )]);
    let anyone = user(&json!({}));
    assert_eq!(list(&engine, &anyone), [PAY]);
    assert!(call(&engine, &anyone, PAY, &json!({"cents": 1, "to": "x"})).allow);
}

#[test]
fn an_engine_can_be_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Engine>();
    shared::<policy::Principal>();
    shared::<policy::Schema>();
}

#[test]
fn what_does_not_bind_is_told_of_each_by_itself() {
    let engine = bank().engine(&[&on(PAY, "permit", "when { context.input.cents < 100 }")]);
    let house = bank();
    let observer = |policies: &[(&str, &str)]| {
        let policies = policies.iter().map(|(id, text)| (PolicyId::from_text(*id), *text));
        Observer::compile(&house.gateway(), policies).unwrap()
    };
    let dear = on(PAY, "forbid", "when { context.input.cents > 50 }");
    let any = on(PAY, "permit", "");
    let overflow = on(PAY, "forbid", "when { context.input.cents + 9223372036854775807 < 0 }");
    let elsewhere = on(PAY, "forbid", "").replace(GATEWAY, OTHER_GATEWAY);
    let observer =
        observer(&[("dear", &dear), ("any", &any), ("overflow", &overflow), ("elsewhere", &elsewhere)]);
    let observe = |tool, arguments: &str| {
        let anyone = user(&json!({}));
        let call = Call { tool, arguments, now: support::NOON };
        let observed = observer.observe(&anyone, &call, &engine.decide(&anyone, &call));
        let names =
            |policies: &[PolicyId]| policies.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let failed: Vec<PolicyId> = observed.errors.iter().map(|error| error.policy.clone()).collect();
        (names(&observed.matched), names(&observed.flips), names(&failed))
    };
    let told =
        |matched: &str, flips: &str, failed: &str| (matched.to_owned(), flips.to_owned(), failed.to_owned());
    // Allowed: the forbids would stop it, also the one that cannot say; the permit changes nothing.
    assert_eq!(observe(PAY, r#"{"cents": 60, "to": "x"}"#), told("any dear", "dear overflow", "overflow"));
    assert_eq!(observe(PAY, r#"{"cents": 0, "to": "x"}"#), told("any", "", ""));
    // Denied by default: the permit alone would let it through, although the forbid beside it would not.
    assert_eq!(observe(PAY, r#"{"cents": 100, "to": "x"}"#), told("any dear", "any", "overflow"));
    // Arguments that cannot be read leave every one of them open.
    assert_eq!(observe(PAY, r#"{"cents": "60"}"#), told("", "", "any dear overflow"));
    assert_eq!(observe(SHOW, "{}"), told("", "", ""));
    assert_eq!(observe("Bank___nothing", "{}"), told("", "", ""));
}

/// An engine that is compiled after another one is as if it had been compiled alone: whatever of the former it takes.
#[test]
fn what_is_known_of_a_former_engine_changes_no_decision() {
    let below = |most: i64| on(PAY, "permit", &format!("when {{ context.input.cents < {most} }}"));
    let id = |text: &str| PolicyId::from_text(text);
    let compile = |house: &House, former: Option<&Engine>, policies: &[(&str, String)]| {
        let policies = policies.iter().map(|(name, text)| (id(name), text.as_str()));
        Engine::compile_after(former, &house.gateway(), policies).unwrap()
    };
    let anyone = user(&json!({}));
    let allows =
        |engine: &Engine, cents: i64| call(engine, &anyone, PAY, &json!({"cents": cents, "to": "x"})).allow;
    let guard = || on(PAY, "forbid", "when { context.input.cents == 3 }");
    let first = compile(&bank(), None, &[("a", below(10)), ("guard", guard())]);
    assert!(allows(&first, 9) && !allows(&first, 10) && !allows(&first, 3));

    // The same id with another statement, and a policy that is gone.
    let second = compile(&bank(), Some(&first), &[("a", below(100)), ("b", on(SHOW, "permit", ""))]);
    assert!(allows(&second, 99) && !allows(&second, 100) && allows(&second, 3));
    assert_eq!(list(&second, &anyone), [PAY, SHOW]);
    assert!(allows(&first, 3) != allows(&second, 3), "the former stays as it was");

    // The same policies under other tools: what a forbid can no longer read is found out anew.
    let hidden = json!({"type": "object", "properties": {"cents": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}});
    let changed = House::new(GATEWAY).tool(PAY, &hidden).tool(SHOW, &takes(&["account:string"]));
    let third = compile(&changed, Some(&first), &[("any", ANYTHING.to_owned()), ("guard", guard())]);
    let denied = call(&third, &anyone, PAY, &json!({"cents": 9}));
    assert_eq!(denied.reason, Reason::Unseen("cents".to_owned()));

    // What is known of another gateway's is about that one.
    let other = House::new(OTHER_GATEWAY).tool(PAY, &takes(&["cents:integer", "to:string"]));
    assert!(!allows(&compile(&other, Some(&first), &[("a", below(10))]), 9));
    assert!(matches!(
        Engine::compile_after(Some(&first), &bank().gateway(), [(id("a"), below(10)), (id("a"), below(10))]),
        Err(CompileError::Repeated(repeated)) if repeated == id("a")
    ));
}
