//! Two sets of policies, compared with a real solver.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod support;

use prover::{Equivalence, Search, Witness};
use serde_json::json;
use support::{GATEWAY, prover, set, world};

async fn equivalent(first: &[&str], second: &[&str]) -> bool {
    match prover().equivalent(world(), set(first), set(second)).await {
        Equivalence::Equivalent => true,
        Equivalence::Different { .. } => false,
        Equivalence::Undecided(why) => panic!("{first:?} {second:?}: {why}"),
    }
}

fn found(search: &Search) -> &Witness {
    match search {
        Search::Found(witness) => witness,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_same_in_other_words_is_the_same() {
    for (first, second) in [
        (
            &["permit(principal, action == TRANSFER, HERE) when { context.input.amount < 500 };"][..],
            &["permit(principal, action == TRANSFER, HERE) unless { context.input.amount >= 500 };"][..],
        ),
        (
            &["permit(principal, action, HERE);"],
            &["permit(principal, action == TRANSFER, HERE);", "permit(principal, action == BALANCE, HERE);"],
        ),
        (
            &[
                "permit(principal, action == TRANSFER, HERE) when { context.input has note && context.input.note like \"a*\" };",
            ],
            &[
                "permit(principal, action == TRANSFER, HERE) when { context.input has note };",
                "forbid(principal, action == TRANSFER, HERE) when { context.input has note && !(context.input.note like \"a*\") };",
            ],
        ),
        (
            &[
                "permit(principal, action == TRANSFER, HERE) when { context.input.amount < 1 && context.input.amount > 1 };",
            ],
            &[],
        ),
        (
            &["permit(principal == AgentCore::OAuthUser::\"ann\", action == BALANCE, HERE);"],
            &[
                "permit(principal is AgentCore::OAuthUser, action == BALANCE, HERE) when { principal == AgentCore::OAuthUser::\"ann\" };",
            ],
        ),
    ] {
        assert!(equivalent(first, second).await, "{first:?}\n{second:?}");
    }
}

#[tokio::test]
async fn what_differs_is_shown() {
    let before = set(&["permit(principal is AgentCore::OAuthUser, action == TRANSFER, HERE) when { \
        principal.hasTag(\"role\") && principal.getTag(\"role\") == \"clerk\" && context.input.amount < 500 };"]);
    let after = set(&["permit(principal is AgentCore::OAuthUser, action == TRANSFER, HERE) when { \
        principal.hasTag(\"role\") && principal.getTag(\"role\") == \"clerk\" && context.input.amount <= 500 };"]);
    let comparison = prover().compare(world(), before.clone(), after.clone()).await.unwrap();
    assert_eq!(comparison.environments, 4);
    let [difference] = comparison.differences.as_slice() else { panic!("{comparison:?}") };
    assert_eq!(difference.environment.action, "Bank___transfer");
    assert_eq!(difference.environment.principal, "AgentCore::OAuthUser");
    assert_eq!(difference.newly_denied, Search::Nothing);
    let witness = found(&difference.newly_allowed);
    assert_eq!(witness.tags["role"], "clerk");
    assert_eq!(witness.arguments["amount"], json!(500));
    assert_eq!(witness.resource, GATEWAY);
    assert_eq!(witness.to_json()["principal"]["type"], json!("AgentCore::OAuthUser"));

    let back = prover().compare(world(), after, before).await.unwrap();
    assert_eq!(back.differences[0].newly_allowed, Search::Nothing);
    assert_eq!(found(&back.differences[0].newly_denied).arguments["amount"], json!(500));
}

#[tokio::test]
async fn values_of_every_type_are_shown() {
    let set = set(&["permit(principal, action == TRANSFER, HERE) when { context.input has rate && \
        context.input.rate == decimal(\"1.5\") && context.input has tags && context.input.tags.contains(\"x\") && \
        context.system.now == datetime(\"2026-01-02T03:04:05Z\") };"]);
    let comparison = prover().compare(world(), Vec::new(), set).await.unwrap();
    let witness = found(&comparison.differences[0].newly_allowed);
    assert_eq!(witness.arguments["rate"], json!(1.5), "{witness:?}");
    assert!(witness.arguments["tags"].as_array().unwrap().contains(&json!("x")), "{witness:?}");
    assert_eq!(witness.now.as_deref(), Some("2026-01-02T03:04:05Z"), "{witness:?}");
}

#[tokio::test]
async fn a_caller_has_the_id_that_it_is_named_by() {
    let named = "permit(principal == AgentCore::OAuthUser::\"ann\", action == BALANCE, HERE);";
    let by_attribute = "permit(principal is AgentCore::OAuthUser, action == BALANCE, HERE) when { principal.id == \"ann\" };";
    assert!(equivalent(&[named], &[by_attribute]).await);
}

/// What a set of policies decides about calls with these amounts, as the engine of a gateway has it.
fn decided(statements: &[&str], amounts: &[i64]) -> Vec<bool> {
    let policies = set(statements);
    let policies = policies.iter().map(|it| (domain::PolicyId::from_text(it.id.as_str()), it.text.as_str()));
    let gateway = policy::GatewayTools { arn: GATEWAY, tools: support::tools() };
    let engine = policy::Engine::compile(&gateway, policies).unwrap();
    let caller = policy::Principal::oauth("ann", json!({}).as_object().unwrap()).unwrap();
    let decide = |amount: &i64| {
        let arguments = json!({"amount": amount, "to": "x"}).to_string();
        let now = domain::Timestamp::from_seconds(0);
        engine.decide(&caller, &policy::Call { tool: "Bank___transfer", arguments: &arguments, now }).allow
    };
    amounts.iter().map(decide).collect()
}

#[tokio::test]
async fn a_forbid_that_fails_denies_as_it_does_on_a_gateway() {
    let permit = "permit(principal, action == TRANSFER, HERE) when { context.input.amount > 0 };";
    // For amounts that are large enough the product is no number any more.
    let product = "forbid(principal, action == TRANSFER, HERE) when { context.input.amount * 1000 < 0 };";
    let amounts = [1, 9_223_372_036_854_775, 9_223_372_036_854_776, i64::MAX];
    assert_eq!(decided(&[permit], &amounts), [true; 4]);
    assert_eq!(decided(&[permit, product], &amounts), [true, true, false, false]);

    assert!(!equivalent(&[permit], &[permit, product]).await);
    let comparison = prover().compare(world(), set(&[permit]), set(&[permit, product])).await.unwrap();
    let denied: Vec<_> =
        comparison.differences.iter().map(|it| found(&it.newly_denied).arguments["amount"].clone()).collect();
    assert!(!denied.is_empty());
    for amount in denied {
        let amount = amount.as_i64().unwrap();
        assert_eq!(decided(&[permit, product], &[amount]), [false], "{amount}");
    }
    // The same in words that cannot fail.
    let bound =
        "forbid(principal, action == TRANSFER, HERE) when { context.input.amount > 9223372036854775 };";
    assert!(equivalent(&[permit, product], &[permit, bound]).await);
    // A permit that fails permits nothing.
    let failing = "permit(principal, action == TRANSFER, HERE) when { context.input.amount > 0 && context.input.amount * 1000 > 0 };";
    assert_eq!(decided(&[failing], &amounts), [true, true, false, false]);
    assert!(equivalent(&[failing], &[permit, bound]).await);
}
