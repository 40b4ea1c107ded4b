//! A gateway like the one in AgentCore's policy examples, and the people who call it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of what is here")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use domain::{Arn, PolicyId, Timestamp};
use policy::{
    Call, Checked, Decision, Engine, GatewayTools, Principal, Problem, Schema, ToolDefinition, Validation,
};
use serde_json::{Value, json};

pub const GATEWAY: &str = "arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/insurance-gw-a1b2c3d4e5";
pub const OTHER_GATEWAY: &str =
    "arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/other-gw-a1b2c3d4e5";

/// The moment at which every call is made, unless it says otherwise: 2025-01-15T12:00:00Z.
pub const NOON: Timestamp = Timestamp::from_seconds(1_736_942_400);

/// A gateway under construction.
pub struct House {
    arn: &'static str,
    tools: Vec<(String, String)>,
}

impl House {
    pub fn new(arn: &'static str) -> Self {
        Self { arn, tools: Vec::new() }
    }

    pub fn tool(mut self, name: &str, schema: &Value) -> Self {
        self.tools.push((name.to_owned(), schema.to_string()));
        self
    }

    pub fn gateway(&self) -> GatewayTools<'_> {
        let tools = self.tools.iter().map(|(name, input_schema)| ToolDefinition { name, input_schema });
        GatewayTools { arn: self.arn, tools: tools.collect() }
    }

    pub fn schema(&self) -> Schema {
        Schema::build(&[self.gateway()]).unwrap()
    }

    pub fn check(&self, statement: &str) -> Result<Checked, Vec<Problem>> {
        policy::check(statement, &self.schema(), Validation::FailOnAnyFindings)
    }

    /// What is said to a statement that is refused.
    pub fn refuse(&self, statement: &str) -> String {
        let problems = self.check(statement).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        problems.join("\n")
    }

    pub fn engine(&self, statements: &[&str]) -> Engine {
        let policies = statements.iter().enumerate();
        let policies =
            policies.map(|(number, statement)| (PolicyId::from_text(format!("p{number}")), *statement));
        Engine::compile(&self.gateway(), policies).unwrap()
    }

    /// An engine with statements that pass every check.
    pub fn checked_engine(&self, statements: &[&str]) -> Engine {
        for statement in statements {
            self.check(statement).unwrap_or_else(|problems| panic!("{statement}\n{problems:?}"));
        }
        self.engine(statements)
    }
}

/// A tool schema, short: `amount:number` is required, `note?:string` is not.
pub fn takes(properties: &[&str]) -> Value {
    let mut schemas = serde_json::Map::new();
    let mut required = Vec::new();
    for property in properties {
        let (name, of) = property.split_once(':').unwrap();
        let (name, optional) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let schema = match of.strip_prefix("[]") {
            Some(element) => json!({"type": "array", "items": {"type": element}}),
            None => json!({"type": of}),
        };
        schemas.insert(name.to_owned(), schema);
        if !optional {
            required.push(name);
        }
    }
    json!({"type": "object", "properties": schemas, "required": required})
}

/// The gateway of "Resource configuration for examples" in the AgentCore developer guide.
pub fn insurance() -> House {
    let risk = json!({
        "type": "object",
        "properties": {
            "coverageType": {"type": "string"},
            "coverageAmount": {"type": "number"},
            "riskFactors": {
                "type": "object",
                "properties": {"region": {"type": "string"}, "priorClaims": {"type": "integer"}},
            },
        },
        "required": ["coverageType", "coverageAmount"],
    });
    House::new(GATEWAY)
        .tool("InsuranceAPI___get_contract", &takes(&["contractId:string"]))
        .tool(
            "InsuranceAPI___file_claim",
            &takes(&[
                "contractId:string",
                "claimType:string",
                "amount:number",
                "policyTermMonths:integer",
                "description?:string",
            ]),
        )
        .tool(
            "InsuranceAPI___update_coverage",
            &takes(&["contractId:string", "coverageType:string", "newLimit:number"]),
        )
        .tool("InsuranceAPI___get_claim_status", &takes(&["claimId:string"]))
        .tool("InsuranceAPI___calculate_premium", &risk)
        .tool(
            "InsuranceAPI___approve_claim",
            &takes(&["claimId:string", "approved:boolean", "approvedAmountCents:integer"]),
        )
        .tool("InsuranceAPI___disburse_payment", &takes(&["claimId:string", "amountCents:integer"]))
        .tool("InsuranceAPI___delete_claim", &takes(&["claimId:string"]))
        .tool("ClaimsAgent___POST:/invocations", &takes(&["prompt:string", "sessionAttributes?:object"]))
        .tool("ClaimsChat___POST:/v1/chat/completions", &takes(&["model?:string", "messages?:[]object"]))
}

pub fn user(claims: &Value) -> Principal {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or("user-1");
    Principal::oauth(subject, claims.as_object().unwrap()).unwrap()
}

pub fn role(name: &str) -> Principal {
    let arn = format!("arn:aws:sts::123456789012:assumed-role/{name}/some-session");
    Principal::iam(&Arn::parse(&arn).unwrap()).unwrap()
}

pub fn call(engine: &Engine, principal: &Principal, tool: &str, arguments: &Value) -> Decision {
    call_text(engine, principal, tool, &arguments.to_string())
}

pub fn call_text(engine: &Engine, principal: &Principal, tool: &str, arguments: &str) -> Decision {
    let call = Call { tool, arguments, now: NOON };
    engine.decide(principal, &call)
}

/// The tools that the caller sees.
pub fn list<'e>(engine: &'e Engine, principal: &Principal) -> Vec<&'e str> {
    let visible = engine.visible(principal);
    let tools = engine.tools().zip(visible);
    tools.filter(|(_, visible)| *visible).map(|(tool, _)| tool).collect()
}
