//! Prints how long decisions and lists take: `cargo run --release -p portcullis-policy --example timings`.
//!
//! One thread, one core, the median of many rounds. "Naive" is Cedar's authorizer over the whole policy set
//! with request and entities ready, which is how the crate is usually used. `-- denial` prints the part about denials alone.
#![expect(clippy::print_stdout, reason = "an example that prints")]
#![expect(clippy::unwrap_used, reason = "an example may stop")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use cedar_policy::{
    Authorizer, Context, Entities, EntityUid, Policy, PolicyId as CedarPolicyId, PolicySet, Request,
};
use domain::{PolicyId, Timestamp};
use policy::{Call, Engine, GatewayTools, Principal, Schema, ToolDefinition, Validation, check};
use serde_json::json;

const GATEWAY: &str = "arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/bench-gw-a1b2c3d4e5";

fn main() {
    let principal = principal();
    println!("deny, and say which permit came nearest, permits about one tool");
    for count in [1, 10, 100, 1_000] {
        denial(&principal, count);
    }
    if std::env::args().any(|argument| argument == "denial") {
        return;
    }
    println!("decide, one policy a tool on its claims, policies = tools");
    for count in [10, 100, 1_000, 10_000] {
        decide(&principal, count, Condition::Claims);
    }
    println!("decide, one policy a tool on its claims and an argument, 2 KB of arguments");
    for count in [10, 100, 1_000, 10_000] {
        decide(&principal, count, Condition::Argument);
    }
    println!("decide, the same and one that reads all 2 KB");
    decide(&principal, 1_000, Condition::EveryArgument);
    println!("decide, 100 tools, unscoped forbids on claims besides");
    for count in [1, 10, 100] {
        unscoped(&principal, count);
    }
    println!("list, one policy a tool");
    for condition in [Condition::Claims, Condition::Argument] {
        for count in [10, 100, 1_000] {
            list(&principal, count, condition);
        }
    }
    println!("list, 1000 tools of one input under 10 policies about every tool");
    shared(&principal);
    println!("check, against 10, 100, 1000 tools");
    for count in [10, 100, 1_000] {
        checking(count);
    }
}

#[derive(Clone, Copy, Debug)]
enum Condition {
    Claims,
    Argument,
    EveryArgument,
}

fn principal() -> Principal {
    let claims = json!({
        "sub": "12345678-1234-1234-1234-123456789012",
        "iss": "https://idp.example.com/pool",
        "username": "refund-agent",
        "scope": "rs/invoke rs/manager",
        "role": "admin",
    });
    Principal::oauth("12345678-1234-1234-1234-123456789012", claims.as_object().unwrap()).unwrap()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("Target{}___tool_{number}", number % 10)).collect()
}

/// Every tool has a property of its own, so that no two share an input.
fn schemas(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| {
            json!({
                "type": "object",
                "properties": {
                    "amount": {"type": "integer"},
                    "orderId": {"type": "string"},
                    "body": {"type": "string"},
                    format!("own_{number}"): {"type": "string"},
                },
                "required": ["amount", "orderId"],
            })
            .to_string()
        })
        .collect()
}

fn policies(names: &[String], condition: Condition) -> Vec<String> {
    let argument = match condition {
        Condition::Claims => "",
        Condition::EveryArgument => " && context.input.amount < 500 && context.input == context.input",
        Condition::Argument => " && context.input.amount < 500 && context.input.orderId like \"A-*\"",
    };
    names
        .iter()
        .map(|name| {
            format!(
                "permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::\"{name}\", \
                 resource == AgentCore::Gateway::\"{GATEWAY}\") \
                 when {{ principal.hasTag(\"scope\") && principal.getTag(\"scope\") like \"*manager*\"{argument} }};"
            )
        })
        .collect()
}

fn gateway<'a>(names: &'a [String], schemas: &'a [String]) -> GatewayTools<'a> {
    let tools = names.iter().zip(schemas);
    GatewayTools {
        arn: GATEWAY,
        tools: tools.map(|(name, input_schema)| ToolDefinition { name, input_schema }).collect(),
    }
}

fn compile(gateway: &GatewayTools<'_>, policies: &[String]) -> (Engine, Duration) {
    let started = Instant::now();
    let numbered = policies.iter().enumerate();
    let engine = Engine::compile(
        gateway,
        numbered.map(|(number, text)| (PolicyId::from_text(format!("policy_{number}-abcdefghij")), text)),
    )
    .unwrap();
    (engine, started.elapsed())
}

fn arguments() -> String {
    json!({"amount": 450, "orderId": "A-12345", "body": "x".repeat(1_950)}).to_string()
}

fn decide(principal: &Principal, count: usize, condition: Condition) {
    let (names, schemas) = (names(count), schemas(count));
    let policies = policies(&names, condition);
    let (engine, compiling) = compile(&gateway(&names, &schemas), &policies);
    let arguments = arguments();
    let tool = names.get(count / 2).unwrap();
    let call = Call { tool, arguments: &arguments, now: Timestamp::from_seconds(1_736_942_400) };
    assert!(engine.decide(principal, &call).allow);
    let ours = median(20_000, || {
        black_box(engine.decide(principal, black_box(&call)));
    });
    let naive = naive(principal, tool, &policies);
    println!("  {count:>6} policies: {ours:>10.2?}   naive {naive:>10.2?}   compiled in {compiling:.2?}");
}

fn naive(principal: &Principal, tool: &str, policies: &[String]) -> Duration {
    let mut set = PolicySet::new();
    for (number, text) in policies.iter().enumerate() {
        set.add(Policy::parse(Some(CedarPolicyId::new(number.to_string())), text).unwrap()).unwrap();
    }
    let uid = |kind: &str, id: &str| -> EntityUid { format!("AgentCore::{kind}::\"{id}\"").parse().unwrap() };
    let request = Request::new(
        uid("OAuthUser", principal.id()),
        uid("Action", tool),
        uid("Gateway", GATEWAY),
        Context::from_json_value(json!({"input": {"amount": 450, "orderId": "A-12345"}}), None).unwrap(),
        None,
    )
    .unwrap();
    let entities = Entities::from_json_value(
        json!([{
            "uid": {"type": "AgentCore::OAuthUser", "id": principal.id()},
            "attrs": {"id": principal.id()},
            "tags": {"scope": "rs/invoke rs/manager", "role": "admin"},
            "parents": [],
        }]),
        None,
    )
    .unwrap();
    let authorizer = Authorizer::new();
    median(20_000 / policies.len().max(10), || {
        black_box(authorizer.is_authorized(&request, &set, &entities));
    })
}

fn unscoped(principal: &Principal, count: usize) {
    let (names, schemas) = (names(100), schemas(100));
    let mut policies = policies(&names, Condition::Claims);
    policies.extend((0..count).map(|number| {
        format!(
            "forbid(principal, action, resource is AgentCore::Gateway) \
             when {{ principal.hasTag(\"username\") && principal.getTag(\"username\") == \"suspended-{number}\" }};"
        )
    }));
    let (engine, _) = compile(&gateway(&names, &schemas), &policies);
    let call = Call { tool: names.first().unwrap(), arguments: "{}", now: Timestamp::from_seconds(0) };
    let ours = median(10_000, || {
        black_box(engine.decide(principal, black_box(&call)));
    });
    println!("  {count:>6} forbids: {ours:>10.2?}");
}

/// What the audit trail's words of a denial cost beside the denial, the first time and afterwards.
fn denial(principal: &Principal, count: usize) {
    let (names, schemas) = (names(1), schemas(1));
    let policies: Vec<String> = (0..count)
        .map(|number| {
            let argument =
                format!(" && context.input.amount < 500 && context.input.orderId like \"{number}-*\"");
            policies(&names, Condition::Claims).remove(0).replace(" };", &format!("{argument} }};"))
        })
        .collect();
    let (engine, _) = compile(&gateway(&names, &schemas), &policies);
    let arguments = arguments();
    let call = Call { tool: names.first().unwrap(), arguments: &arguments, now: Timestamp::from_seconds(0) };
    assert!(!engine.decide(principal, &call).allow);
    let started = Instant::now();
    assert!(engine.nearest_permit(principal, &call).is_some());
    let first = started.elapsed();
    let decided = median(2_000, || {
        black_box(engine.decide(principal, black_box(&call)));
    });
    let told = median(2_000, || {
        black_box(engine.nearest_permit(principal, black_box(&call)));
    });
    println!(
        "  {count:>6} permits: decided {decided:>10.2?}, told {told:>10.2?}, the first time {first:>10.2?}"
    );
}

fn list(principal: &Principal, count: usize, condition: Condition) {
    let (names, schemas) = (names(count), schemas(count));
    let (engine, compiling) = compile(&gateway(&names, &schemas), &policies(&names, condition));
    assert!(engine.visible(principal).iter().all(|visible| *visible));
    let cold = median(20, || {
        black_box(engine.visible(black_box(principal)));
    });
    println!("  {count:>6} tools, on {condition:?}: {cold:>10.2?}   compiled in {compiling:.2?}");
}

fn shared(principal: &Principal) {
    let names = names(1_000);
    let schema = schemas(1).pop().unwrap();
    let schemas = vec![schema; 1_000];
    let policies: Vec<String> = (0..10)
        .map(|number| {
            format!(
                "permit(principal, action, resource is AgentCore::Gateway) \
                 when {{ context.input.amount == {number} && principal.hasTag(\"scope\") }};"
            )
        })
        .collect();
    let (engine, compiling) = compile(&gateway(&names, &schemas), &policies);
    assert!(engine.visible(principal).iter().all(|visible| *visible));
    let cold = median(50, || {
        black_box(engine.visible(black_box(principal)));
    });
    println!("    1000 tools: {cold:>10.2?}   compiled in {compiling:.2?}");
}

fn checking(count: usize) {
    let (names, schemas) = (names(count), schemas(count));
    let started = Instant::now();
    let schema = Schema::build(&[gateway(&names, &schemas)]).unwrap();
    let building = started.elapsed();
    let statement = policies(&names, Condition::Argument).pop().unwrap();
    let checked = || check(&statement, &schema, Validation::FailOnAnyFindings).unwrap();
    checked();
    let once = median(10, || {
        black_box(checked());
    });
    let bytes = schema.to_cedar().len();
    println!("  {count:>6} tools: {once:>10.2?}   schema of {bytes} bytes built in {building:.2?}");
}

/// The median of the time that `work` takes, measured in batches long enough for the clock.
fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    let batch = if rounds >= 1_000 { 20 } else { 1 };
    let mut times: Vec<Duration> = (0..rounds / batch)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..batch {
                work();
            }
            started.elapsed() / u32::try_from(batch).unwrap()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap()
}
