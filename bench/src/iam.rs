//! How fast IAM decides: in this process, on one core, with few statements and many.
//!
//! A caller holds so many statements, in policies of a hundred at most, because documents are bounded; each statement is
//! about actions and a resource of its own under a condition. The last one allows what is asked; nothing allows the other question, so that its answer also says what came near. Parsing
//! is not counted: policies are parsed when they are read, and kept.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use domain::{AccessKeyId, AccountId, Caller, Principal, SessionFacts, Timestamp};
use iam::{Context, Named, Policy, PolicyKind, PolicySets, Question, Requester, evaluate};
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::policy::{median, micros, say, write};

/// How many statements a caller's policies have.
const STATEMENTS: [usize; 3] = [10, 100, 1_000];
/// How many one policy has at most.
const A_POLICY: usize = 100;

/// Figures of one number of statements: medians, in microseconds.
#[derive(Serialize)]
struct Row {
    statements: usize,
    allowed: f64,
    denied: f64,
    parse: f64,
}

/// Measures, prints the table, and writes the figures as JSON into a folder.
pub(crate) fn run(results: &Path) -> Result<(), Failure> {
    let rows = STATEMENTS.into_iter().map(measure).collect::<Result<Vec<_>, _>>()?;
    let mut table =
        String::from("| statements | allowed, µs | denied, µs | parsed, µs |\n|---|---|---|---|\n");
    for row in &rows {
        let _ = writeln!(
            table,
            "| {} | {:.2} | {:.2} | {:.0} |",
            row.statements, row.allowed, row.denied, row.parse
        );
    }
    say(table.trim_end());
    let path = write(results, "iam", &json!({ "iam": rows }))?;
    say(&format!("written to {}", path.display()));
    Ok(())
}

fn measure(statements: usize) -> Result<Row, Failure> {
    let numbers: Vec<usize> = (0..statements).collect();
    let texts: Vec<String> = numbers.chunks(A_POLICY).map(document).collect();
    let began = Instant::now();
    let parsed: Result<Vec<_>, _> =
        texts.iter().map(|text| Policy::parse(text, PolicyKind::Identity)).collect();
    let parse = micros(began.elapsed());
    let policies = parsed.map_err(|error| Failure::new(error.to_string()))?;
    let named = |policy| Named { name: "policy of the bench".to_owned(), policy: Arc::new(policy) };
    let held: Vec<Named> = policies.into_iter().map(named).collect();
    let caller = caller();
    let context = Context::of(&Requester::Iam(&caller))
        .at(Timestamp::from_seconds(1_736_942_400))
        .with("aws:SourceIp", "203.0.113.9")
        .with("aws:RequestedRegion", "us-west-2");
    let sets = PolicySets { identity: &held, ..PolicySets::default() };
    let resource = arn(statements - 1);
    let ask = |action: &str| {
        let question = Question {
            requester: Requester::Iam(&caller),
            action,
            resource: &resource,
            resource_account: None,
            context: &context,
        };
        evaluate(black_box(&question), &sets).is_allowed()
    };
    let (fine, none) = ("bedrock-agentcore:InvokeGateway", "bedrock-agentcore:DeleteGateway");
    if !ask(fine) || ask(none) {
        return Err(Failure::new("IAM does not decide as the policy says"));
    }
    Ok(Row {
        statements,
        allowed: median(|| _ = black_box(ask(fine))),
        denied: median(|| _ = black_box(ask(none))),
        parse,
    })
}

fn document(numbers: &[usize]) -> String {
    let all: Vec<_> = numbers
        .iter()
        .map(|&number| {
            json!({
                "Effect": "Allow",
                "Action": ["bedrock-agentcore:InvokeGateway", "bedrock-agentcore:Get*"],
                "Resource": arn(number),
                "Condition": {
                    "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
                    "StringEquals": {"aws:RequestedRegion": "us-west-2"},
                },
            })
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": all}).to_string()
}

fn arn(number: usize) -> String {
    format!("arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/bench-{number:04}-a1b2c3d4e5")
}

fn caller() -> Caller {
    Caller {
        account: AccountId::first(),
        principal: Principal::User {
            name: "ann".to_owned(),
            path: "/".to_owned(),
            id: "AIDAEXAMPLE".to_owned(),
        },
        access_key: AccessKeyId::from_text("AKIAEXAMPLE"),
        session_policies: Vec::new(),
        issued_at: None,
        expires_at: None,
        session: SessionFacts::default(),
    }
}
