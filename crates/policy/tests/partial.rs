//! Decisions about calls of which not everything is known, against those about the same calls with everything known.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may stop")]

mod support;

use domain::PolicyId;
use policy::{
    Call, Depends, KnownCaller, PartialCall, PartialDecision, PolicySetOnTrial, Principal, Reason, Rehearsal,
    Replayed,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use support::{GATEWAY, House, NOON, role, takes, user};

const TOOLS: [&str; 3] = ["A___one", "A___two", "B___bare"];

fn house() -> House {
    House::new(GATEWAY)
        .tool(TOOLS[0], &takes(&["n:integer", "s?:string"]))
        .tool(TOOLS[1], &takes(&["n:integer", "flag?:boolean"]))
        .tool(TOOLS[2], &takes(&[]))
}

fn permit(condition: &str) -> String {
    format!("permit(principal, action == AgentCore::Action::\"A___one\", resource) when {{ {condition} }};")
}

fn forbid(condition: &str) -> String {
    format!("forbid(principal, action == AgentCore::Action::\"A___one\", resource) when {{ {condition} }};")
}

const MANAGER: &str = r#"principal.hasTag("role") && principal.getTag("role") == "manager""#;

fn ask(statements: &[String], caller: KnownCaller<'_>, arguments: Option<&str>) -> PartialDecision {
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    let call = PartialCall { tool: TOOLS[0], arguments, now: NOON };
    house().engine(&statements).decide_partially(caller, &call)
}

fn anybody() -> KnownCaller<'static> {
    KnownCaller::Named(policy::PrincipalKind::OAuthUser, "u1")
}

fn certain(decided: &PartialDecision) -> (bool, &Reason) {
    match decided {
        PartialDecision::Certain(decision) => (decision.allow, &decision.reason),
        PartialDecision::Depends(depends) => panic!("{depends:?}"),
    }
}

fn depends(decided: PartialDecision) -> (Vec<String>, bool, bool) {
    match decided {
        PartialDecision::Depends(Depends { policies, on_claims, on_arguments }) => {
            (policies.iter().map(ToString::to_string).collect(), on_claims, on_arguments)
        }
        PartialDecision::Certain(decision) => panic!("{decision:?}"),
    }
}

#[test]
fn claims_that_are_not_known_leave_open_what_asks_for_them() {
    let manager = [permit(MANAGER)];
    assert_eq!(depends(ask(&manager, anybody(), Some(r#"{"n": 1}"#))), (vec!["p0".to_owned()], true, false));
    let known = user(&json!({"sub": "u1", "role": "manager"}));
    assert_eq!(
        certain(&ask(&manager, KnownCaller::Whole(&known), Some(r#"{"n": 1}"#))),
        (true, &Reason::PermittedBy)
    );
    // A name is known, and whoever signs has no claims.
    assert_eq!(
        certain(&ask(&[permit(r#"principal.id == "u2""#)], anybody(), None)),
        (false, &Reason::DefaultDeny)
    );
    let signer = KnownCaller::Named(policy::PrincipalKind::IamEntity, "arn:aws:iam::000000000000:root");
    assert_eq!(certain(&ask(&manager, signer, None)), (false, &Reason::DefaultDeny));
}

#[test]
fn arguments_that_are_not_known_leave_open_what_reads_them() {
    let small = permit("context.input.n < 3");
    let known = user(&json!({"sub": "u1", "role": "manager"}));
    let known = KnownCaller::Whole(&known);
    assert_eq!(depends(ask(std::slice::from_ref(&small), known, None)), (vec!["p0".to_owned()], false, true));
    let decided = ask(std::slice::from_ref(&small), known, Some(r#"{"n": 1}"#));
    assert_eq!(certain(&decided), (true, &Reason::PermittedBy));
    // What is known decides although other things are not.
    let small_for_managers = permit(&format!("context.input.n < 3 && {MANAGER}"));
    let decided = ask(std::slice::from_ref(&small_for_managers), anybody(), Some(r#"{"n": 7}"#));
    assert_eq!(certain(&decided), (false, &Reason::DefaultDeny));
    assert_eq!(depends(ask(&[small_for_managers], anybody(), None)), (vec!["p0".to_owned()], true, true));
    let everybody = permit("true");
    assert_eq!(certain(&ask(&[small.clone(), everybody], anybody(), None)), (true, &Reason::PermittedBy));
    let decided = ask(&[small], anybody(), Some(r#"{"n": "one"}"#));
    assert!(matches!(certain(&decided), (false, Reason::Arguments(_))), "{decided:?}");
}

#[test]
fn a_forbid_that_is_certain_or_fails_decides() {
    let everybody = permit("true");
    let decided = ask(&[everybody.clone(), forbid("principal.id == \"u1\"")], anybody(), None);
    assert_eq!(certain(&decided), (false, &Reason::ForbiddenBy));
    let decided = ask(&[everybody.clone(), forbid(MANAGER)], anybody(), None);
    assert_eq!(depends(decided), (vec!["p0".to_owned(), "p1".to_owned()], true, false));
    // An overflow: nobody can say that it would not have forbidden.
    let fails = forbid(&format!("context.input.n + 9223372036854775807 > 0 && {MANAGER}"));
    let decided = ask(&[everybody, fails], anybody(), Some(r#"{"n": 1}"#));
    assert_eq!(certain(&decided), (false, &Reason::ForbidFailed));
}

#[test]
fn no_tool_and_no_policy_deny() {
    let engine = house().engine(&[]);
    for tool in ["A___one", "A___three"] {
        let decided = engine.decide_partially(anybody(), &PartialCall { tool, arguments: None, now: NOON });
        assert_eq!(certain(&decided), (false, &Reason::DefaultDeny));
    }
}

// ── Against everything known ────────────────────────────────────────────────────────────────────────────────

fn condition() -> impl Strategy<Value = String> {
    let atoms = vec![
        "true",
        "false",
        r#"principal.hasTag("role")"#,
        r#"(principal.hasTag("role") && principal.getTag("role") == "manager")"#,
        r#"(principal.hasTag("scope") && principal.getTag("scope") like "*write*")"#,
        r#"principal.getTag("level") == "7""#,
        r#"principal.id == "u1""#,
        "principal is AgentCore::IamEntity",
        "context.input.n < 3",
        "(context.input has n && context.input.n >= 3)",
        "context.input.n + 9223372036854775806 > 0",
        r#"(context.input has s && context.input.s == "b")"#,
        "(context.input has flag && context.input.flag)",
        "context.input has flag",
        r#"context.system.now < datetime("2025-06-01")"#,
        r#"action == AgentCore::Action::"A___one""#,
        r#"action in AgentCore::Action::"A""#,
    ];
    let leaf = select(atoms).prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
            inner.clone().prop_map(|inner| format!("!({inner})")),
            (inner.clone(), inner.clone())
                .prop_map(|(cond, then)| format!("(if {cond} then {then} else false)")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let principals = vec![
        "principal",
        "principal is AgentCore::OAuthUser",
        "principal == AgentCore::OAuthUser::\"u2\"",
        "principal is AgentCore::IamEntity",
    ];
    let actions = vec![
        "action",
        "action == AgentCore::Action::\"A___one\"",
        "action in AgentCore::Action::\"A\"",
        "action in [AgentCore::Action::\"A___two\", AgentCore::Action::\"B___bare\"]",
    ];
    let parts =
        (select(vec!["permit", "permit", "forbid"]), select(principals), select(actions), condition());
    parts.prop_map(|(effect, principal, action, condition)| {
        format!("{effect}({principal}, {action}, resource) when {{ {condition} }};")
    })
}

fn callers() -> Vec<Principal> {
    vec![
        user(&json!({"sub": "u1", "role": "manager", "level": 7})),
        user(&json!({"sub": "u1", "scope": "read write"})),
        user(&json!({"sub": "u2"})),
        role("u1"),
    ]
}

fn arguments() -> impl Strategy<Value = Value> {
    let text = select(vec!["a", "b"]);
    (-2_i64..6, prop::option::of(text), prop::option::of(any::<bool>())).prop_map(|(n, s, flag)| {
        let mut arguments = json!({ "n": n });
        if let Some(s) = s {
            arguments["s"] = json!(s);
        }
        if let Some(flag) = flag {
            arguments["flag"] = json!(flag);
        }
        arguments
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What is certain of a call is what is decided of it, whoever of that name calls with whatever arguments.
    #[test]
    fn what_is_certain_is_what_is_decided(
        statements in prop::collection::vec(statement(), 1..6),
        calls in prop::collection::vec(arguments(), 1..4),
    ) {
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let engine = house().engine(&statements);
        for tool in TOOLS {
            for principal in callers() {
                for arguments in &calls {
                    let arguments = arguments.to_string();
                    let decided = engine.decide(&principal, &Call { tool, arguments: &arguments, now: NOON });
                    let named = KnownCaller::Named(principal.kind(), principal.id());
                    for caller in [KnownCaller::Whole(&principal), named] {
                        for known in [Some(arguments.as_str()), None] {
                            let call = PartialCall { tool, arguments: known, now: NOON };
                            match engine.decide_partially(caller, &call) {
                                PartialDecision::Certain(certain) => prop_assert_eq!(
                                    certain.allow, decided.allow,
                                    "{} {} {:?} {:?}", tool, arguments, certain, decided
                                ),
                                PartialDecision::Depends(depends) => {
                                    prop_assert!(depends.on_claims || depends.on_arguments, "{:?}", depends);
                                    prop_assert!(
                                        known.is_none() || matches!(caller, KnownCaller::Named(..)),
                                        "everything is known"
                                    );
                                    // What decides is among what may decide.
                                    for policy in &decided.determining {
                                        prop_assert!(depends.policies.contains(policy), "{policy}");
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Calls that are decided again by the policies that decided them are decided as they were, whatever was recorded.
    #[test]
    fn the_same_policies_change_nothing(
        statements in prop::collection::vec(statement(), 1..6),
        calls in prop::collection::vec(arguments(), 1..4),
    ) {
        let texts: Vec<&str> = statements.iter().map(String::as_str).collect();
        let engine = house().engine(&texts);
        let rehearsal = Rehearsal { present: Some(on_trial(&texts)), candidate: on_trial(&texts) };
        let unaided = Rehearsal { present: None, candidate: on_trial(&texts) };
        for tool in TOOLS {
            for principal in callers() {
                for arguments in &calls {
                    let arguments = arguments.to_string();
                    let decided = engine.decide(&principal, &Call { tool, arguments: &arguments, now: NOON });
                    let named = KnownCaller::Named(principal.kind(), principal.id());
                    for caller in [KnownCaller::Whole(&principal), named] {
                        for arguments in [Some(arguments.as_str()), None] {
                            let call = PartialCall { tool, arguments, now: NOON };
                            let replayed = rehearsal.replay(caller, &call, decided.allow);
                            prop_assert!(
                                matches!(replayed, Replayed::Same | Replayed::Unaffected),
                                "{:?}", replayed
                            );
                            let replayed = unaided.replay(caller, &call, decided.allow);
                            prop_assert!(
                                matches!(replayed, Replayed::Same | Replayed::Undecidable(_)),
                                "{:?}", replayed
                            );
                        }
                    }
                }
            }
        }
    }

    /// What is said to change by other policies, with little recorded, is what they decide.
    #[test]
    fn what_is_said_to_change_changes(
        before in prop::collection::vec(statement(), 1..4),
        more in prop::collection::vec(statement(), 1..3),
        arguments in arguments(),
    ) {
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let after: Vec<&str> = before.iter().copied().chain(more.iter().map(String::as_str)).collect();
        let (engine, candidate) = (house().engine(&before), house().engine(&after));
        let rehearsal = Rehearsal { present: Some(on_trial(&before)), candidate: on_trial(&after) };
        let text = arguments.to_string();
        for tool in TOOLS {
            for principal in callers() {
                let call = Call { tool, arguments: &text, now: NOON };
                let was = engine.decide(&principal, &call).allow;
                let would = candidate.decide(&principal, &call).allow;
                let named = KnownCaller::Named(principal.kind(), principal.id());
                for caller in [KnownCaller::Whole(&principal), named] {
                    for arguments in [Some(text.as_str()), None] {
                        let call = PartialCall { tool, arguments, now: NOON };
                        match rehearsal.replay(caller, &call, was) {
                            Replayed::Same | Replayed::Unaffected => prop_assert_eq!(was, would),
                            Replayed::NewlyAllowed(_) => prop_assert!(!was && would),
                            Replayed::NewlyDenied(_) => prop_assert!(was && !would),
                            Replayed::Undecidable(_) => {}
                            Replayed::ToolGone => prop_assert!(false, "{tool}"),
                        }
                    }
                }
            }
        }
    }
}

fn on_trial(statements: &[&str]) -> PolicySetOnTrial {
    let named = statements.iter().enumerate();
    let policies =
        named.map(|(number, text)| (PolicyId::from_text(format!("p{number}")), (*text).to_owned()));
    PolicySetOnTrial::compile(&house().gateway(), policies.collect()).unwrap()
}

#[test]
fn a_rehearsal_says_what_changes_and_what_nobody_can_say() {
    let manager = permit(MANAGER);
    let forbidden = forbid("principal.id == \"u1\"");
    let small = forbid("context.input.n > 3");
    let rehearse = |after: &[&str], caller, arguments, allowed| {
        let (present, candidate) = (Some(on_trial(&[&manager])), on_trial(after));
        let call = PartialCall { tool: TOOLS[0], arguments, now: NOON };
        Rehearsal { present, candidate }.replay(caller, &call, allowed)
    };
    assert!(matches!(rehearse(&[&manager, &forbidden], anybody(), None, true), Replayed::NewlyDenied(_)));
    // Nobody knows whether u2 is a manager, but that is so with both.
    let other = KnownCaller::Named(policy::PrincipalKind::OAuthUser, "u2");
    assert_eq!(rehearse(&[&manager, &forbidden], other, None, true), Replayed::Unaffected);
    let Replayed::Undecidable(depends) = rehearse(&[&manager, &small], other, None, true) else { panic!() };
    assert!(depends.on_claims && depends.on_arguments);
    let known = rehearse(&[&manager, &small], other, Some(r#"{"n": 7}"#), true);
    assert!(matches!(known, Replayed::NewlyDenied(_)), "{known:?}");
    let everybody = permit("true");
    assert!(matches!(rehearse(&[&everybody], other, None, false), Replayed::NewlyAllowed(_)));
    let call = PartialCall { tool: "Gone___tool", arguments: None, now: NOON };
    let rehearsal = Rehearsal { present: None, candidate: on_trial(&[]) };
    assert_eq!(rehearsal.replay(other, &call, true), Replayed::ToolGone);
}
