//! What is found about policies, with a request and a correction for each.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod support;

use policy::{FindingKind, PrincipalKind};
use prover::{Correction, Finding, Kind, Place, Prover, Report, SolverSettings, SolverUse};
use serde_json::json;
use support::{GATEWAY, prover, set, whole, world};

async fn analyse(callers: Vec<PrincipalKind>, statements: &[&str]) -> Report {
    prover().analyse(vec![Place { world: world(), callers }], set(statements)).await.unwrap()
}

async fn report(statements: &[&str]) -> Report {
    let report = analyse(Vec::new(), statements).await;
    assert_eq!(report.open, [], "{statements:?}");
    report
}

fn kinds(report: &Report) -> Vec<(&str, Kind)> {
    report.findings.iter().map(|finding| (finding.policy.as_str(), finding.kind)).collect()
}

async fn effects(statement: &str) -> Vec<FindingKind> {
    let schema = support::schema().to_cedar().to_owned();
    let found = prover().effects(schema, whole(statement)).await.unwrap();
    found.iter().map(|finding| finding.kind).collect()
}

#[tokio::test]
async fn what_does_everything_or_nothing_is_found() {
    let everyone = vec![FindingKind::AllowAll; 2];
    for (statement, expected) in [
        ("permit(principal, action, resource);", everyone.clone()),
        (
            "permit(principal, action, resource) when { principal is AgentCore::OAuthUser };",
            vec![FindingKind::AllowAll],
        ),
        (
            "permit(principal, action, resource) when { principal is AgentCore::OAuthUser || principal is AgentCore::IamEntity };",
            everyone.clone(),
        ),
        (
            "forbid(principal, action, resource) unless { principal.id == \"b\" && principal.id == \"c\" };",
            vec![FindingKind::DenyAll; 2],
        ),
        (
            "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 500 || context.input.amount >= 500 };",
            everyone.clone(),
        ),
        (
            "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 500 || context.input.amount > 400 };",
            everyone.clone(),
        ),
        ("permit(principal, action == TRANSFER, HERE) when { context.input has amount };", everyone),
        (
            "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 5 && context.input.amount > 10 };",
            vec![FindingKind::AllowNone],
        ),
        (
            "forbid(principal, action == TRANSFER, HERE) when { context.input.to like \"a*\" && context.input.to == \"b\" };",
            vec![FindingKind::DenyNone],
        ),
        // What names its gateway and has no conditions says openly what it does.
        ("permit(principal, action, HERE);", vec![]),
        ("permit(principal, action == TRANSFER, HERE) when { true };", vec![]),
        ("permit(principal, action == TRANSFER, HERE) when { principal is AgentCore::OAuthUser };", vec![]),
        (
            "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 500 || context.input.amount > 600 };",
            vec![],
        ),
        ("permit(principal == AgentCore::OAuthUser::\"ann\", action, resource);", vec![]),
        ("permit(principal, action, resource) when { principal.id like \"a*b\" };", vec![]),
        ("permit(principal, action, resource) when { resource == AgentCore::Gateway::\"x\" };", vec![]),
    ] {
        assert_eq!(effects(statement).await, expected, "{statement}");
    }
}

#[tokio::test]
async fn plain_findings_need_no_solver() {
    let off = Prover::new(SolverSettings { solver_use: SolverUse::Off, ..SolverSettings::default() });
    let schema = support::schema().to_cedar().to_owned();
    for statement in [
        "permit(principal, action, resource);",
        "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 500 || context.input.amount >= 500 };",
    ] {
        let found = off.effects(schema.clone(), whole(statement)).await.unwrap();
        assert_eq!(found.len(), 2, "{statement}");
        assert!(found[0].message.starts_with("Overly Permissive: Policy Engine will allow every request"));
    }
}

#[tokio::test]
async fn what_others_permit_already_is_shadowed() {
    let wide = "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 1000 };";
    let narrow = "permit(principal is AgentCore::OAuthUser, action == TRANSFER, HERE) when { context.input.amount < 10 };";
    let report = report(&[
        narrow,
        wide,
        "forbid(principal, action == TRANSFER, HERE) when { context.input.to == \"x\" };",
    ])
    .await;
    assert_eq!(kinds(&report), [("p0", Kind::Shadowed)]);
    let Finding { witness, correction, .. } = &report.findings[0];
    assert!(witness.as_ref().unwrap().arguments["amount"].as_i64().unwrap() < 10);
    assert_eq!(*correction, Some(Correction::Remove));
}

#[tokio::test]
async fn several_together_shadow_one() {
    let low = "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 10 };";
    let high = "permit(principal, action == TRANSFER, HERE) when { context.input.amount >= 5 };";
    let middle = "permit(principal, action == TRANSFER, HERE) when { context.input.amount > 2 && context.input.amount < 20 };";
    assert_eq!(kinds(&report(&[low, middle, high]).await), [("p1", Kind::Shadowed)]);
    // Of two that say the same only one can go.
    assert_eq!(kinds(&report(&[low, low]).await), [("p1", Kind::Shadowed)]);
}

#[tokio::test]
async fn what_others_forbid_is_contradicted() {
    let permit = "permit(principal, action == TRANSFER, HERE) when { context.input.amount > 1000 };";
    let forbid = "forbid(principal, action == TRANSFER, HERE) when { context.input.amount > 500 };";
    let found = report(&[permit, forbid]).await;
    assert_eq!(kinds(&found), [("p0", Kind::Contradicted)]);
    assert!(found.findings[0].witness.as_ref().unwrap().arguments["amount"].as_i64().unwrap() > 1000);
    let partly = "permit(principal, action == TRANSFER, HERE) when { context.input.amount > 400 };";
    assert_eq!(kinds(&report(&[partly, forbid]).await), []);
}

#[tokio::test]
async fn what_no_call_is_about_is_unreachable() {
    let two = "permit(principal, action in [TRANSFER, BALANCE], HERE) when { \
        context.input has to && context.input.to == \"ann\" };";
    let found = report(&[two]).await;
    assert_eq!(kinds(&found), [("p0", Kind::UnreachableAction)]);
    let Some(Correction::Replace(text)) = &found.findings[0].correction else { panic!("{found:?}") };
    assert!(text.contains("Bank___transfer") && !text.contains("Bank___balance"), "{text}");

    let elsewhere = "permit(principal, action, resource == AgentCore::Gateway::\"arn:aws:other\") when { principal.id == \"ann\" };";
    let found = report(&[elsewhere]).await;
    assert_eq!(kinds(&found), [("p0", Kind::UnreachableAction)]);
    assert!(found.findings[0].message.contains("arn:aws:other"));
}

#[tokio::test]
async fn callers_that_a_gateway_does_not_have_are_noticed() {
    let statements = [
        "permit(principal is AgentCore::IamEntity, action == TRANSFER, HERE) when { context.input.amount < 5 };",
        "permit(principal, action == BALANCE, HERE);",
    ];
    let found = analyse(vec![PrincipalKind::OAuthUser], &statements).await;
    assert_eq!(kinds(&found), [("p0", Kind::AbsentPrincipal)]);
    let Some(Correction::Replace(text)) = &found.findings[0].correction else { panic!("{found:?}") };
    assert!(text.contains("principal is AgentCore::OAuthUser"), "{text}");
    assert_eq!(found.findings[0].witness.as_ref().unwrap().principal_type, "AgentCore::IamEntity");
}

#[tokio::test]
async fn a_part_of_a_word_is_a_trap() {
    let trap = "permit(principal is AgentCore::OAuthUser, action == TRANSFER, HERE) when { \
        principal.hasTag(\"scope\") && principal.getTag(\"scope\") like \"*manager*\" && context.input.amount < 5 };";
    let found = report(&[trap]).await;
    assert_eq!(kinds(&found), [("p0", Kind::PartOfWord)]);
    let witness = found.findings[0].witness.as_ref().unwrap();
    assert_eq!(witness.tags["scope"], "not-manager");
    assert!(witness.arguments["amount"].as_i64().unwrap() < 5);
    assert_eq!(witness.resource, GATEWAY);
    let Some(Correction::Replace(corrected)) = &found.findings[0].correction else { panic!("{found:?}") };
    for part in ["== \"manager\"", "like \"manager *\"", "like \"* manager\"", "like \"* manager *\""] {
        assert!(corrected.contains(part), "{part}: {corrected}");
    }
    // What is corrected is right: it is accepted, and matches words.
    assert_eq!(kinds(&report(&[corrected]).await), []);
    let schema = support::schema();
    policy::check(corrected, &schema, policy::Validation::FailOnAnyFindings).unwrap();
    let [engine] = [policy::Engine::compile(
        &policy::GatewayTools { arn: GATEWAY, tools: support::tools() },
        [(domain::PolicyId::from_text("p".to_owned()), corrected.as_str())],
    )
    .unwrap()];
    for (scope, allow) in [
        ("manager", true),
        ("a manager", true),
        ("manager b", true),
        ("a manager b", true),
        ("not-manager", false),
        ("managers", false),
        ("a not-manager b", false),
    ] {
        let claims = json!({"scope": scope});
        let caller = policy::Principal::oauth("ann", claims.as_object().unwrap()).unwrap();
        let call = policy::Call {
            tool: "Bank___transfer",
            arguments: r#"{"amount": 1, "to": "b"}"#,
            now: domain::Timestamp::from_seconds(0),
        };
        assert_eq!(engine.decide(&caller, &call).allow, allow, "{scope}");
    }
}

#[tokio::test]
async fn words_written_with_their_spaces_are_no_trap() {
    for pattern in ["* manager *", "*:*", "manager", "*/*"] {
        let text = format!(
            "permit(principal is AgentCore::OAuthUser, action == TRANSFER, HERE) when {{ \
             principal.hasTag(\"scope\") && principal.getTag(\"scope\") like \"{pattern}\" }};"
        );
        assert_eq!(kinds(&report(&[&text]).await), [], "{pattern}");
    }
    let other = "permit(principal is AgentCore::OAuthUser, action == TRANSFER, HERE) when { \
        principal.hasTag(\"department\") && principal.getTag(\"department\") like \"*sales*\" };";
    assert_eq!(kinds(&report(&[other]).await), []);
}

#[tokio::test]
async fn tools_that_no_gateway_has_are_named() {
    let statement = "permit(principal, action in [TRANSFER, AgentCore::Action::\"Bank___gone\"], HERE) \
        when { context.input.amount < 5 };";
    let found = report(&[statement]).await;
    assert_eq!(kinds(&found), [("p0", Kind::UnreachableAction)]);
    assert!(found.findings[0].message.contains("`Bank___gone`"));
    let Some(Correction::Replace(text)) = &found.findings[0].correction else { panic!("{found:?}") };
    assert!(!text.contains("Bank___gone"), "{text}");
    let all = "permit(principal, action == AgentCore::Action::\"Bank___gone\", HERE);";
    let found = report(&[all]).await;
    assert_eq!(kinds(&found), [("p0", Kind::UnreachableAction)]);
    assert_eq!(found.findings[0].correction, Some(Correction::Remove));
}

#[tokio::test]
async fn what_does_not_fit_the_schema_does_not_hide_the_others() {
    let wrong = "permit(principal, action == TRANSFER, HERE) when { context.input.nothing == 1 };";
    let wide = "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 1000 };";
    let narrow = "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 10 };";
    let found = analyse(Vec::new(), &[wrong, wide, narrow]).await;
    assert_eq!(kinds(&found), [("p2", Kind::Shadowed)]);
    assert_eq!(found.open.len(), 1);
    assert_eq!(found.open[0].policy, "p0");
}

#[tokio::test]
async fn a_finding_counts_where_a_policy_reaches() {
    let other = "arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/other-a1b2c3d4e5";
    let wide = "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 1000 };";
    let everywhere = "permit(principal, action, resource) when { principal.id == \"ann\" && context.input has amount && context.input.amount < 5 };";
    let places = |gateways: &[&str]| {
        let place = |arn: &&str| Place {
            world: prover::World { gateways: vec![(*arn).to_owned()], ..world() },
            callers: Vec::new(),
        };
        gateways.iter().map(place).collect::<Vec<_>>()
    };
    let here = prover().analyse(places(&[GATEWAY]), set(&[wide, everywhere])).await.unwrap();
    assert_eq!(kinds(&here), [("p1", Kind::Shadowed)]);
    let both = prover().analyse(places(&[GATEWAY, other]), set(&[wide, everywhere])).await.unwrap();
    assert_eq!(kinds(&both), []);
}

#[tokio::test]
async fn a_forbid_that_only_fails_does_something() {
    let permit =
        "permit(principal, action == TRANSFER, HERE) when { context.input.amount > 9223372036854775 };";
    // It is never true, and fails for whatever the permit is about.
    let product = "forbid(principal, action == TRANSFER, HERE) when { \
        context.input.amount > 0 && context.input.amount * 1000 < 0 };";
    assert_eq!(effects(product).await, []);
    let found = report(&[permit, product]).await;
    assert_eq!(kinds(&found), [("p0", Kind::Contradicted)]);
    // A forbid of all that and more leaves nothing to it.
    let wide = "forbid(principal, action == TRANSFER, HERE) when { context.input.amount > 5 };";
    assert_eq!(kinds(&report(&[product, wide]).await), [("p0", Kind::Shadowed)]);
    // One that is wide as Cedar has it, and on a gateway too.
    let narrow =
        "forbid(principal, action == TRANSFER, HERE) when { context.input.amount > 9223372036854775 };";
    assert_eq!(kinds(&report(&[product, narrow]).await), [("p1", Kind::Shadowed)]);
}
