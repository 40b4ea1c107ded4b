//! How fast policies decide and list: in this process, on one core, beside Cedar as it is usually used, in the same run.
//!
//! Each engine guards so many tools with so many policies, of which one is about the tool that is called and the others
//! are about other tools. "Naive" is Cedar's authorizer over the whole set, with request and entities ready; its list asks
//! it about one tool after the other (about some of them, where that takes long, and multiplied). Neither the caller's
//! description nor the compiling is counted: both are made once and kept.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cedar_policy::{
    Authorizer, Context, Entities, EntityUid, Policy, PolicyId as CedarId, PolicySet, Request,
};
use domain::{Clock as _, PolicyId, SystemClock, Timestamp};
use policy::{Call, Engine, GatewayTools, Principal, ToolDefinition};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// How many policies an engine has.
const POLICIES: [usize; 4] = [10, 100, 1_000, 10_000];
/// How many tools a gateway has.
const TOOLS: [usize; 3] = [10, 100, 1_000];
/// How long one figure is measured.
const PATIENCE: Duration = Duration::from_millis(400);
/// How many tools the naive list asks about at most.
const SAMPLE: usize = 20;
/// How much slower a decision may be with the most unrelated policies than with the fewest.
const GROWTH_TARGET: f64 = 1.5;
/// How long a list of the most tools may take that nobody asked for before.
const LIST_TARGET_US: f64 = 50_000.0;

const GATEWAY: &str = "arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/bench-gw-a1b2c3d4e5";
const SUBJECT: &str = "12345678-1234-1234-1234-123456789012";
const ARGUMENTS: &str = r#"{"amount": 450, "orderId": "A-12345", "note": "please"}"#;

/// One engine's figures: medians, in microseconds.
#[derive(Serialize)]
struct Row {
    policies: usize,
    tools: usize,
    decide: f64,
    decide_naive: f64,
    list: f64,
    list_naive: f64,
    compile: f64,
}

/// Measures, prints the table, and writes the figures as JSON into a folder.
pub(crate) fn run(results: &Path) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for tools in TOOLS {
        for policies in POLICIES {
            rows.push(measure(policies, tools)?);
        }
    }
    say(&table(&rows));
    let targets = targets(&rows);
    for target in &targets {
        say(&format!("- {target}"));
    }
    let path = write(results, "policy", &json!({ "engines": rows, "targets": targets }))?;
    say(&format!("written to {}", path.display()));
    Ok(())
}

fn measure(policies: usize, tools: usize) -> Result<Row, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::new(format!("the policies: {error}"));
    let names: Vec<String> =
        (0..tools).map(|number| format!("Target{}___tool_{number}", number % 10)).collect();
    let schemas: Vec<String> = (0..tools).map(schema).collect();
    let statements: Vec<String> = (0..policies).map(|number| statement(&names, number)).collect();
    let definitions =
        names.iter().zip(&schemas).map(|(name, input_schema)| ToolDefinition { name, input_schema });
    let gateway = GatewayTools { arn: GATEWAY, tools: definitions.collect() };
    let numbered = || statements.iter().enumerate();
    let began = Instant::now();
    let engine = Engine::compile(
        &gateway,
        numbered().map(|(number, text)| (PolicyId::from_text(format!("policy-{number}")), text)),
    )
    .map_err(|error| wrong(&error))?;
    let compile = micros(began.elapsed());

    let claims = claims();
    let principal = Principal::oauth(SUBJECT, &claims).map_err(|error| wrong(&error))?;
    let tool = names.first().map(String::as_str).unwrap_or_default();
    let call = Call { tool, arguments: ARGUMENTS, now: Timestamp::from_seconds(1_736_942_400) };
    if !engine.decide(&principal, &call).allow
        || !engine.visible(&principal).first().is_some_and(|seen| *seen)
    {
        return Err(Failure::new("the engine denies what its policy permits"));
    }
    let mut set = PolicySet::new();
    for (number, text) in numbered() {
        let id = CedarId::new(number.to_string());
        let policy = Policy::parse(Some(id), text).map_err(|error| wrong(&error))?;
        set.add(policy).map_err(|error| wrong(&error))?;
    }
    let naive = Naive::new(set, &claims)?;
    let request = naive.request(tool)?;
    let sample: Vec<Request> = names
        .iter()
        .step_by(tools.div_ceil(SAMPLE))
        .map(|name| naive.request(name))
        .collect::<Result<_, _>>()?;
    let share = names.len() as f64 / sample.len() as f64;
    Ok(Row {
        policies,
        tools,
        decide: median(|| drop(black_box(engine.decide(black_box(&principal), &call)))),
        decide_naive: median(|| naive.ask(&request)),
        list: median(|| drop(black_box(engine.visible(black_box(&principal))))),
        list_naive: share * median(|| sample.iter().for_each(|request| naive.ask(request))),
        compile,
    })
}

/// Every tool has a property of its own, so that no two share an input.
fn schema(number: usize) -> String {
    json!({
        "type": "object",
        "properties": {
            "amount": {"type": "integer"},
            "orderId": {"type": "string"},
            "note": {"type": "string"},
            format!("own_{number}"): {"type": "string"},
        },
        "required": ["amount", "orderId"],
    })
    .to_string()
}

/// The first is about the first tool, the others about the others.
fn statement(names: &[String], number: usize) -> String {
    let others = names.len() - 1;
    let about = if number == 0 { 0 } else { 1 + (number - 1) % others };
    let name = names.get(about).map(String::as_str).unwrap_or_default();
    format!(
        "permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::\"{name}\", \
         resource == AgentCore::Gateway::\"{GATEWAY}\") \
         when {{ principal.hasTag(\"scope\") && principal.getTag(\"scope\") like \"*manager*\" && \
         context.input.amount < 500 && context.input.orderId like \"A-*\" }};"
    )
}

fn claims() -> Map<String, Value> {
    let claims = [
        ("sub", SUBJECT),
        ("iss", "https://idp.example.com/pool"),
        ("username", "refund-agent"),
        ("scope", "rs/invoke rs/manager"),
        ("role", "admin"),
    ];
    claims.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// Cedar with the whole set.
struct Naive {
    authorizer: Authorizer,
    set: PolicySet,
    entities: Entities,
}

impl Naive {
    fn new(set: PolicySet, claims: &Map<String, Value>) -> Result<Self, Failure> {
        let caller = json!([{
            "uid": {"type": "AgentCore::OAuthUser", "id": SUBJECT},
            "attrs": {"id": SUBJECT},
            "tags": claims,
            "parents": [],
        }]);
        let entities =
            Entities::from_json_value(caller, None).map_err(|error| Failure::of("the caller", error))?;
        Ok(Self { authorizer: Authorizer::new(), set, entities })
    }

    fn request(&self, tool: &str) -> Result<Request, Failure> {
        let uid = |kind: &str, id: &str| -> Result<EntityUid, Failure> {
            format!("AgentCore::{kind}::\"{id}\"").parse().map_err(|error| Failure::of("a name", error))
        };
        let context = Context::from_json_value(json!({"input": {"amount": 450, "orderId": "A-12345"}}), None)
            .map_err(|error| Failure::of("the context", error))?;
        Request::new(
            uid("OAuthUser", SUBJECT)?,
            uid("Action", tool)?,
            uid("Gateway", GATEWAY)?,
            context,
            None,
        )
        .map_err(|error| Failure::of("the request", error))
    }

    fn ask(&self, request: &Request) {
        drop(black_box(self.authorizer.is_authorized(black_box(request), &self.set, &self.entities)));
    }
}

/// The median of what the work takes, in microseconds: of batches that are long enough for the clock.
pub(crate) fn median(mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    work();
    let once = began.elapsed().max(Duration::from_nanos(100));
    let batch = u32::try_from(Duration::from_micros(200).as_nanos() / once.as_nanos()).unwrap_or(1).max(1);
    let mut times = Vec::new();
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end || times.len() < 3 {
        let began = Instant::now();
        for _ in 0..batch {
            work();
        }
        times.push(began.elapsed() / batch);
    }
    times.sort_unstable();
    times.get(times.len() / 2).copied().map_or(0.0, micros)
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| tools | policies | decide µs | naive µs | list µs | naive list µs | compile ms |\n\
         |---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} |",
            row.tools,
            row.policies,
            row.decide,
            row.decide_naive,
            row.list,
            row.list_naive,
            row.compile / 1e3
        );
    }
    text
}

/// How the figures stand to the targets, in words.
fn targets(rows: &[Row]) -> Vec<String> {
    let met = |met: bool| if met { "met" } else { "MISSED" };
    let find = |policies: usize, tools: usize| {
        rows.iter().find(|row| row.policies == policies && row.tools == tools)
    };
    let mut targets = Vec::new();
    for tools in TOOLS {
        if let (Some(few), Some(many)) = (find(POLICIES[0], tools), find(POLICIES[3], tools)) {
            let growth = many.decide / few.decide;
            targets.push(format!(
                "a decision among {tools} tools takes {growth:.2} times as long with {} unrelated policies as with {}, and at most {GROWTH_TARGET}: {}",
                POLICIES[3],
                POLICIES[0],
                met(growth <= GROWTH_TARGET)
            ));
        }
    }
    if let Some(row) = find(1_000, TOOLS[2]) {
        targets.push(format!(
            "a list of {} tools under {} policies that nobody asked for before takes {:.1} ms, and at most {:.0}: {}",
            row.tools,
            row.policies,
            row.list / 1e3,
            LIST_TARGET_US / 1e3,
            met(row.list <= LIST_TARGET_US)
        ));
    }
    targets
}

pub(crate) fn write(results: &Path, name: &str, document: &Value) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(results)?;
    let date = SystemClock.now().to_string().replace(':', "-");
    let path = results.join(format!("{name}-{date}.json"));
    std::fs::write(&path, serde_json::to_string_pretty(document)?)?;
    Ok(path)
}

pub(crate) fn say(line: &str) {
    // Nobody is left to tell when standard output is closed.
    let _ = writeln!(std::io::stdout(), "{line}");
}
