//! A small gateway, and a prover to ask about it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of what is here")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use policy::{GatewayTools, Schema, ToolDefinition};
use prover::{Prover, SolverSettings, SolverUse, Statement, World};

pub const GATEWAY: &str = "arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/bank-a1b2c3d4e5";

const TRANSFER: &str = r#"{"type": "object", "required": ["amount", "to"], "properties": {
    "amount": {"type": "integer"}, "to": {"type": "string"}, "note": {"type": "string"},
    "rate": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}}}}"#;
const BALANCE: &str = r#"{"type": "object", "properties": {"account": {"type": "string"}}}"#;

pub fn tools() -> Vec<ToolDefinition<'static>> {
    vec![
        ToolDefinition { name: "Bank___transfer", input_schema: TRANSFER },
        ToolDefinition { name: "Bank___balance", input_schema: BALANCE },
    ]
}

pub fn schema() -> Schema {
    Schema::build(&[GatewayTools { arn: GATEWAY, tools: tools() }]).unwrap()
}

pub fn world() -> World {
    World { schema: schema().to_cedar().to_owned(), gateways: vec![GATEWAY.to_owned()] }
}

/// A prover that cannot do without its solver: a test that needs one fails where there is none.
pub fn prover() -> Prover {
    Prover::new(SolverSettings { solver_use: SolverUse::Required, ..SolverSettings::default() })
}

/// A statement with `TRANSFER`, `BALANCE` and `HERE` for the tools and the gateway.
pub fn whole(text: &str) -> String {
    text.replace("TRANSFER", "AgentCore::Action::\"Bank___transfer\"")
        .replace("BALANCE", "AgentCore::Action::\"Bank___balance\"")
        .replace("HERE", &format!("resource == AgentCore::Gateway::\"{GATEWAY}\""))
}

/// Such statements, called `p0`, `p1` and so on.
pub fn set(statements: &[&str]) -> Vec<Statement> {
    let named = statements.iter().enumerate();
    named.map(|(number, text)| Statement::new(format!("p{number}"), whole(text))).collect()
}
