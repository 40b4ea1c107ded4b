//! The examples of AWS's pages and samples as data: what each statement allows and denies, as its page says.
//!
//! Every statement passes the check under `FAIL_ON_ANY_FINDINGS`, unless its page says that it is for an emergency. In each
//! the gateway's ARN stands as `GATEWAY`. Where a page gives no call, the calls are the two sides of what it says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

mod support;

use domain::Timestamp;
use policy::{Call, Engine, Principal, Validation};
use serde_json::{Value, json};
use support::{GATEWAY, House, NOON, insurance, list, role, takes, user};

/// Statements, and calls with what becomes of them.
struct Example {
    /// The page of the AgentCore developer guide, or the path of the sample, and what of it.
    origin: &'static str,
    statements: &'static [&'static str],
    calls: Vec<(Who, &'static str, Value, Expected)>,
}

use Expected::{Allowed, Denied};
use Who::{Role, User};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Allowed,
    Denied,
}

#[derive(Debug)]
enum Who {
    /// A caller with a token of these claims.
    User(Value),
    /// A caller with a session of a role of the examples' account.
    Role(&'static str),
}

impl Who {
    fn principal(&self) -> Principal {
        match self {
            User(claims) => user(claims),
            Role(name) => role(name),
        }
    }
}

fn anyone() -> Who {
    User(json!({}))
}

fn filled(statement: &str) -> String {
    statement.replace("GATEWAY", &format!("AgentCore::Gateway::\"{GATEWAY}\""))
}

fn engine(house: &House, statements: &[&str]) -> Engine {
    let statements: Vec<String> = statements.iter().map(|statement| filled(statement)).collect();
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    house.checked_engine(&statements)
}

fn hold(house: &House, examples: &[Example]) {
    for Example { origin, statements, calls } in examples {
        let engine = engine(house, statements);
        for (who, tool, arguments, expected) in calls {
            let arguments = arguments.to_string();
            let principal = who.principal();
            let decided = engine.decide(&principal, &Call { tool, arguments: &arguments, now: NOON });
            assert_eq!(
                decided.allow,
                *expected == Allowed,
                "{origin}: {who:?} {tool} {arguments} {decided:?}"
            );
            let listed = list(&engine, &principal).contains(tool);
            assert!(listed || *expected == Denied, "{origin}: {who:?} may call {tool} and does not see it");
        }
        let expected = |wanted: Expected| calls.iter().any(|(.., expected)| *expected == wanted);
        assert!(expected(Allowed) || statements.iter().all(|text| text.starts_with("forbid")), "{origin}");
        assert!(expected(Denied), "{origin}: nothing is denied");
    }
}

const EVERY: &str = r#"permit(principal, action in AgentCore::Action::"InsuranceAPI", resource == GATEWAY);"#;

fn claims(claims: Value) -> Who {
    User(claims)
}

fn filing(change: &Value) -> Value {
    let mut filing = json!({"contractId": "C-1", "claimType": "auto", "amount": 10, "policyTermMonths": 12});
    for (name, value) in change.as_object().unwrap() {
        filing[name] = value.clone();
    }
    filing
}

#[test]
fn principal_scoped_policies() {
    const CLAIM: &str = "InsuranceAPI___file_claim";
    const COVERAGE: &str = "InsuranceAPI___update_coverage";
    const DELETE: &str = "InsuranceAPI___delete_claim";
    const CONTRACT: &str = "InsuranceAPI___get_contract";
    const STATUS: &str = "InsuranceAPI___get_claim_status";
    const PAY: &str = "InsuranceAPI___disburse_payment";
    let page = |section| section;
    let none = || json!({});
    hold(
        &insurance(),
        &[
            Example {
                origin: page("example-policies-principal: require an OAuth scope"),
                statements: &[
                    r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___file_claim", resource == GATEWAY)
                    when { principal.hasTag("scope") && principal.getTag("scope") like "*insurance:claim*" };"#,
                ],
                calls: vec![
                    (claims(json!({"scope": "openid insurance:claim"})), CLAIM, none(), Allowed),
                    (claims(json!({"scope": ["insurance:claim", "insurance:view"]})), CLAIM, none(), Allowed),
                    // The page warns of it: the pattern is a part of this one too.
                    (claims(json!({"scope": "insurance:claim:admin"})), CLAIM, none(), Allowed),
                    (claims(json!({"scope": "insurance:view"})), CLAIM, none(), Denied),
                    (claims(json!({"scope": null})), CLAIM, none(), Denied),
                    (Role("ClaimsProcessorRole"), CLAIM, none(), Denied),
                ],
            },
            Example {
                origin: page("example-policies-principal: permit a specific user"),
                statements: &[
                    r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___update_coverage", resource == GATEWAY)
                    when { principal.hasTag("username") && principal.getTag("username") == "clare" };"#,
                ],
                calls: vec![
                    (claims(json!({"username": "clare"})), COVERAGE, none(), Allowed),
                    (claims(json!({"username": "Clare"})), COVERAGE, none(), Denied),
                    (claims(json!({"username": "clare"})), DELETE, none(), Denied),
                ],
            },
            Example {
                origin: page("example-policies-principal: permit a set of roles"),
                statements: &[
                    r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___delete_claim", resource == GATEWAY)
                    when { principal.hasTag("role") && (principal.getTag("role") == "admin" || principal.getTag("role") == "manager") };"#,
                ],
                calls: vec![
                    (claims(json!({"role": "admin"})), DELETE, none(), Allowed),
                    (claims(json!({"role": "manager"})), DELETE, none(), Allowed),
                    (claims(json!({"role": "adjuster"})), DELETE, none(), Denied),
                ],
            },
            Example {
                origin: page("example-policies-principal: forbid everyone except a set of roles"),
                statements: &[
                    EVERY,
                    r#"forbid(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___update_coverage", resource == GATEWAY)
                    unless { principal.hasTag("role") && (principal.getTag("role") == "senior-adjuster" || principal.getTag("role") == "manager") };"#,
                ],
                calls: vec![
                    (claims(json!({"role": "senior-adjuster"})), COVERAGE, none(), Allowed),
                    (claims(json!({"role": "adjuster"})), COVERAGE, none(), Denied),
                    (anyone(), COVERAGE, none(), Denied),
                    (anyone(), CONTRACT, none(), Allowed),
                ],
            },
            Example {
                origin: page("example-policies-principal: block a user everywhere on the gateway"),
                statements: &[
                    EVERY,
                    r#"forbid(principal is AgentCore::OAuthUser, action, resource is AgentCore::Gateway)
                    when { principal.hasTag("username") && principal.getTag("username") == "suspended-user" };"#,
                ],
                calls: vec![
                    (claims(json!({"username": "suspended-user"})), CONTRACT, none(), Denied),
                    (claims(json!({"username": "clare"})), CONTRACT, none(), Allowed),
                ],
            },
            Example {
                origin: page("example-policies-principal: permit any IAM caller"),
                statements: &[
                    r#"permit(principal is AgentCore::IamEntity, action == AgentCore::Action::"InsuranceAPI___get_contract", resource == GATEWAY);"#,
                ],
                calls: vec![
                    (Role("Whatever"), CONTRACT, none(), Allowed),
                    (anyone(), CONTRACT, none(), Denied),
                ],
            },
            Example {
                origin: page("example-policies-principal: permit one specific IAM role"),
                statements: &[
                    r#"permit(principal == AgentCore::IamEntity::"arn:aws:sts::123456789012:assumed-role/ClaimsProcessorRole",
                    action == AgentCore::Action::"InsuranceAPI___disburse_payment", resource == GATEWAY);"#,
                ],
                calls: vec![
                    (Role("ClaimsProcessorRole"), PAY, none(), Allowed),
                    (Role("ClaimsProcessorRole2"), PAY, none(), Denied),
                ],
            },
            Example {
                origin: page("example-policies-principal: match a family of IAM roles"),
                statements: &[
                    r#"permit(principal is AgentCore::IamEntity, action == AgentCore::Action::"InsuranceAPI___get_claim_status", resource == GATEWAY)
                    when { principal.id like "arn:aws:sts::*:assumed-role/ClaimsProcessor*" };"#,
                ],
                calls: vec![
                    (Role("ClaimsProcessorRole"), STATUS, none(), Allowed),
                    (Role("ClaimsProcessorNight"), STATUS, none(), Allowed),
                    (Role("Triage"), STATUS, none(), Denied),
                ],
            },
            Example {
                origin: page("example-policies-principal: forbid a read-only role from write operations"),
                statements: &[
                    EVERY,
                    r#"forbid(principal == AgentCore::IamEntity::"arn:aws:sts::123456789012:assumed-role/ReadOnlyAgentRole",
                    action in [AgentCore::Action::"InsuranceAPI___file_claim", AgentCore::Action::"InsuranceAPI___update_coverage",
                      AgentCore::Action::"InsuranceAPI___approve_claim", AgentCore::Action::"InsuranceAPI___disburse_payment",
                      AgentCore::Action::"InsuranceAPI___delete_claim"],
                    resource == GATEWAY);"#,
                ],
                calls: vec![
                    (Role("ReadOnlyAgentRole"), STATUS, none(), Allowed),
                    (Role("ReadOnlyAgentRole"), PAY, none(), Denied),
                    (Role("ReadOnlyAgentRole"), DELETE, none(), Denied),
                    (Role("AnotherRole"), DELETE, none(), Allowed),
                ],
            },
            Example {
                origin: page("example-policies-principal: give each agent its own tool set"),
                statements: &[
                    r#"permit(principal == AgentCore::IamEntity::"arn:aws:sts::123456789012:assumed-role/TriageAgentRole",
                    action in [AgentCore::Action::"InsuranceAPI___get_contract", AgentCore::Action::"InsuranceAPI___get_claim_status"],
                    resource == GATEWAY);"#,
                    r#"permit(principal == AgentCore::IamEntity::"arn:aws:sts::123456789012:assumed-role/ProcessingAgentRole",
                    action in [AgentCore::Action::"InsuranceAPI___get_contract", AgentCore::Action::"InsuranceAPI___get_claim_status",
                      AgentCore::Action::"InsuranceAPI___approve_claim", AgentCore::Action::"InsuranceAPI___disburse_payment"],
                    resource == GATEWAY);"#,
                ],
                calls: vec![
                    (Role("TriageAgentRole"), CONTRACT, none(), Allowed),
                    (Role("TriageAgentRole"), PAY, none(), Denied),
                    (Role("ProcessingAgentRole"), PAY, none(), Allowed),
                    (Role("ProcessingAgentRole"), DELETE, none(), Denied),
                ],
            },
        ],
    );
}

#[test]
fn action_and_resource_scoped_policies() {
    const CLAIM: &str = "InsuranceAPI___file_claim";
    const PREMIUM: &str = "InsuranceAPI___calculate_premium";
    const COVERAGE: &str = "InsuranceAPI___update_coverage";
    let body = takes(&["model:string", "max_tokens?:integer", "messages?:[]object"]);
    let house = insurance()
        .tool("ClaimsResponses___POST:/v1/responses", &body)
        .tool("ClaimsMessages___POST:/v1/messages", &body);
    let premium = |kind: &str| json!({"coverageType": kind, "coverageAmount": 1});
    let change = |kind: &str, limit: &str| {
        let limit: Value = serde_json::from_str(limit).unwrap();
        json!({"contractId": "C-1", "coverageType": kind, "newLimit": limit})
    };
    let senior = || claims(json!({"role": "senior-adjuster"}));
    hold(
        &house,
        &[
            Example {
                origin: "example-policies-action-resource: inference requests on every path",
                statements: &[
                    r#"permit(principal, action in [AgentCore::Action::"ClaimsChat___POST:/v1/chat/completions",
                    AgentCore::Action::"ClaimsResponses___POST:/v1/responses", AgentCore::Action::"ClaimsMessages___POST:/v1/messages"],
                    resource == GATEWAY);"#,
                ],
                calls: vec![
                    (anyone(), "ClaimsResponses___POST:/v1/responses", json!({"model": "m"}), Allowed),
                    (anyone(), "ClaimsMessages___POST:/v1/messages", json!({"model": "m"}), Allowed),
                    (anyone(), "ClaimsAgent___POST:/invocations", json!({"prompt": "x"}), Denied),
                ],
            },
            Example {
                origin: "example-policies-action-resource: pattern matching",
                statements: &[
                    r#"permit(principal, action == AgentCore::Action::"InsuranceAPI___calculate_premium", resource == GATEWAY)
                    when { context.input.coverageType like "auto*" };"#,
                ],
                calls: vec![
                    (anyone(), PREMIUM, premium("auto"), Allowed),
                    (anyone(), PREMIUM, premium("auto-liability"), Allowed),
                    (anyone(), PREMIUM, premium("semi-auto-salvage"), Denied),
                ],
            },
            Example {
                origin: "example-policies-action-resource: decimal comparison",
                statements: &[
                    r#"permit(principal, action == AgentCore::Action::"InsuranceAPI___file_claim", resource == GATEWAY)
                    when { context.input.amount.lessThan(decimal("1000.00")) };"#,
                ],
                calls: vec![
                    (anyone(), CLAIM, filing(&json!({"amount": 999.99})), Allowed),
                    (anyone(), CLAIM, filing(&json!({"amount": 1000})), Denied),
                ],
            },
            Example {
                origin: "example-policies-action-resource: require an optional parameter",
                statements: &[
                    EVERY,
                    r#"forbid(principal, action == AgentCore::Action::"InsuranceAPI___file_claim", resource == GATEWAY)
                    unless { context.input has description };"#,
                ],
                calls: vec![
                    (anyone(), CLAIM, filing(&json!({"description": "a dent"})), Allowed),
                    (anyone(), CLAIM, filing(&json!({})), Denied),
                    (anyone(), CLAIM, filing(&json!({"description": null})), Denied),
                ],
            },
            Example {
                origin: "example-policies-action-resource: constrain a job title and its input together",
                statements: &[
                    r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___update_coverage", resource == GATEWAY)
                    when { principal.hasTag("role") && principal.getTag("role") == "senior-adjuster" &&
                      ["liability", "collision"].contains(context.input.coverageType) &&
                      context.input.newLimit.lessThanOrEqual(decimal("50000.00")) };"#,
                ],
                calls: vec![
                    (senior(), COVERAGE, change("liability", "50000"), Allowed),
                    (senior(), COVERAGE, change("liability", "50000.01"), Denied),
                    (senior(), COVERAGE, change("flood", "1"), Denied),
                    (claims(json!({"role": "adjuster"})), COVERAGE, change("liability", "1"), Denied),
                ],
            },
        ],
    );
    // Stopping everything is what an emergency wants and the check of findings does not.
    let stop = "forbid(principal, action, resource is AgentCore::Gateway);";
    assert!(policy::check(stop, &house.schema(), Validation::FailOnAnyFindings).is_err());
    assert!(policy::check(stop, &house.schema(), Validation::IgnoreAllFindings).is_ok());
    let stopped = house.engine(&[&filled(EVERY), stop]);
    assert!(list(&stopped, &anyone().principal()).is_empty());
}

/// "Example policies", test scenarios 1 to 6: eight policies together.
#[test]
fn the_insurance_scenarios() {
    let house = House::new(GATEWAY)
        .tool("InsuranceAPI___get_policy", &takes(&["policyId:string"]))
        .tool(
            "InsuranceAPI___file_claim",
            &takes(&["policyId:string", "claimType:string", "amount:number", "description?:string"]),
        )
        .tool(
            "InsuranceAPI___update_coverage",
            &takes(&["policyId:string", "coverageType:string", "newLimit:number"]),
        )
        .tool("InsuranceAPI___get_claim_status", &takes(&["claimId:string"]))
        .tool(
            "InsuranceAPI___calculate_premium",
            &takes(&["coverageType:string", "coverageAmount:number", "riskFactors?:object"]),
        );
    let file = |description: Option<&str>| {
        let mut claim = json!({"policyId": "P-1", "claimType": "health", "amount": 120.5});
        if let Some(description) = description {
            claim["description"] = json!(description);
        }
        claim
    };
    let update = json!({"policyId": "P-1", "coverageType": "liability", "newLimit": 1000});
    let jane = || claims(json!({"username": "jane", "scope": "insurance:claim"}));
    let agent = |role: &str| claims(json!({"username": "insurance-agent", "role": role}));
    hold(
        &house,
        &[Example {
            origin: "example-policies: test scenarios",
            statements: &[
                r#"permit(principal is AgentCore::OAuthUser, action in [AgentCore::Action::"InsuranceAPI___get_policy",
                AgentCore::Action::"InsuranceAPI___get_claim_status"], resource == GATEWAY);"#,
                r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___file_claim", resource == GATEWAY)
                when { principal.hasTag("scope") && principal.getTag("scope") like "*insurance:claim*" };"#,
                r#"forbid(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___update_coverage", resource == GATEWAY)
                unless { principal.hasTag("role") && (principal.getTag("role") == "senior-adjuster" || principal.getTag("role") == "manager") };"#,
                r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___file_claim", resource == GATEWAY)
                when { context.input has claimType && (context.input.claimType == "health" ||
                  context.input.claimType == "property" || context.input.claimType == "auto") };"#,
                r#"forbid(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___file_claim", resource == GATEWAY)
                unless { context.input has description };"#,
                r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___update_coverage", resource == GATEWAY)
                when { principal.hasTag("username") && principal.getTag("username") == "Clare" };"#,
                r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___calculate_premium", resource == GATEWAY)
                when { context.input has coverageType && context.input.coverageType like "*auto*" };"#,
                r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"InsuranceAPI___update_coverage", resource == GATEWAY)
                when { context.input has coverageType && context.input has newLimit &&
                  (context.input.coverageType == "liability" || context.input.coverageType == "collision") };"#,
            ],
            calls: vec![
                (
                    claims(json!({"username": "john", "scope": "insurance:view"})),
                    "InsuranceAPI___get_policy",
                    json!({"policyId": "P-1"}),
                    Allowed,
                ),
                (jane(), "InsuranceAPI___file_claim", file(Some("Medical expenses")), Allowed),
                (jane(), "InsuranceAPI___file_claim", file(None), Denied),
                (agent("senior-adjuster"), "InsuranceAPI___update_coverage", update.clone(), Allowed),
                (agent("agent"), "InsuranceAPI___update_coverage", update, Denied),
                (
                    claims(json!({"username": "anyone", "scope": "any"})),
                    "InsuranceAPI___calculate_premium",
                    json!({"coverageType": "auto-liability", "coverageAmount": 1}),
                    Allowed,
                ),
            ],
        }],
    );
}

/// "Common policy patterns" and "Understanding Cedar policies".
#[test]
fn common_patterns() {
    let house = House::new(GATEWAY)
        .tool("RefundTool___process_refund", &takes(&["orderId:string", "amount:integer", "reason?:string"]))
        .tool("TravelAPI___search_flights", &takes(&["passengers:integer"]))
        .tool("PaymentAPI___process_payment", &takes(&["paymentMethod:string"]))
        .tool("ShippingAPI___calculate_rate", &takes(&["country:string"]))
        .tool("AdminAPI___delete_resource", &takes(&["id:string"]));
    const REFUND: &str = "RefundTool___process_refund";
    let john = || claims(json!({"username": "John"}));
    let refund = |amount: i64| json!({"orderId": "O-1", "amount": amount});
    hold(
        &house,
        &[
            Example {
                origin: "policy-understanding-cedar: John's refunds",
                statements: &[
                    r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"RefundTool___process_refund", resource == GATEWAY)
                    when { principal.hasTag("username") && principal.getTag("username") == "John" && context.input.amount < 500 };"#,
                ],
                calls: vec![
                    (john(), REFUND, refund(450), Allowed),
                    (john(), REFUND, refund(500), Denied),
                    (claims(json!({"username": "Jane"})), REFUND, refund(1), Denied),
                ],
            },
            Example {
                origin: "policy-common-patterns: disable a specific tool",
                statements: &[
                    r#"permit(principal, action in AgentCore::Action::"CallTool", resource == GATEWAY);"#,
                    r#"forbid(principal, action == AgentCore::Action::"RefundTool___process_refund", resource == GATEWAY);"#,
                ],
                calls: vec![
                    (john(), REFUND, refund(1), Denied),
                    (john(), "TravelAPI___search_flights", json!({"passengers": 2}), Allowed),
                ],
            },
            Example {
                origin: "policy-common-patterns: integers",
                statements: &[
                    r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"TravelAPI___search_flights", resource == GATEWAY)
                    when { context.input.passengers == 2 };"#,
                ],
                calls: vec![
                    (anyone(), "TravelAPI___search_flights", json!({"passengers": 2}), Allowed),
                    (anyone(), "TravelAPI___search_flights", json!({"passengers": 3}), Denied),
                ],
            },
            Example {
                origin: "policy-common-patterns: strings",
                statements: &[
                    r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"PaymentAPI___process_payment", resource == GATEWAY)
                    when { context.input.paymentMethod == "credit-card" };"#,
                ],
                calls: vec![
                    (
                        anyone(),
                        "PaymentAPI___process_payment",
                        json!({"paymentMethod": "credit-card"}),
                        Allowed,
                    ),
                    (anyone(), "PaymentAPI___process_payment", json!({"paymentMethod": "cash"}), Denied),
                ],
            },
            Example {
                origin: "policy-common-patterns: lists",
                statements: &[
                    r#"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"ShippingAPI___calculate_rate", resource == GATEWAY)
                    when { ["US", "CA", "MX"].contains(context.input.country) };"#,
                ],
                calls: vec![
                    (anyone(), "ShippingAPI___calculate_rate", json!({"country": "CA"}), Allowed),
                    (anyone(), "ShippingAPI___calculate_rate", json!({"country": "DE"}), Denied),
                ],
            },
            Example {
                origin: "policy-common-patterns: one role administers",
                statements: &[
                    r#"permit(principal == AgentCore::IamEntity::"arn:aws:sts::123456789012:assumed-role/AdminRole",
                    action == AgentCore::Action::"AdminAPI___delete_resource", resource == GATEWAY);"#,
                ],
                calls: vec![
                    (Role("AdminRole"), "AdminAPI___delete_resource", json!({"id": "1"}), Allowed),
                    (Role("OtherRole"), "AdminAPI___delete_resource", json!({"id": "1"}), Denied),
                ],
            },
        ],
    );
}

/// `01-features/06-centralize-and-govern-your-ai-infrastructure/02-policy/policy_demo.py` of the samples, part B, and the
/// tutorial `01-tutorials/08-AgentCore-policy/03-Fine-Grained-Access-Control`.
#[test]
fn the_samples_of_attributes() {
    const APPLY: &str = "ApplicationToolTarget___create_application";
    const APPROVE: &str = "ApprovalToolTarget___approve_underwriting";
    const RISK: &str = "RiskModelToolTarget___invoke_risk_model";
    const REFUND: &str = "RefundToolTarget___refund";
    let house = House::new(GATEWAY)
        .tool(APPLY, &takes(&["applicant_region:string", "coverage_amount:integer"]))
        .tool(APPROVE, &takes(&["claim_amount:integer", "risk_level:string"]))
        .tool(RISK, &takes(&["API_classification:string", "data_governance_approval:boolean"]))
        .tool(REFUND, &takes(&["amount:integer"]));
    let apply = |amount: i64| json!({"applicant_region": "US", "coverage_amount": amount});
    let of = |department: &str| claims(json!({"sub": "client-1", "department_name": department}));
    let approve = || json!({"claim_amount": 50000, "risk_level": "low"});
    let risk = || json!({"API_classification": "internal", "data_governance_approval": true});
    let machine = |id: &str| claims(json!({"sub": id, "client_id": id, "token_use": "access"}));
    hold(
        &house,
        &[
            Example {
                origin: "policy_demo.py: B1",
                statements: &[
                    r#"permit(principal, action == AgentCore::Action::"ApplicationToolTarget___create_application", resource == GATEWAY)
                    when { principal.hasTag("department_name") && principal.getTag("department_name") == "finance" };"#,
                ],
                calls: vec![
                    (of("finance"), APPLY, apply(500_000), Allowed),
                    (of("engineering"), APPLY, apply(500_000), Denied),
                ],
            },
            Example {
                origin: "policy_demo.py: B2",
                statements: &[
                    r#"permit(principal, action == AgentCore::Action::"ApprovalToolTarget___approve_underwriting", resource == GATEWAY)
                    when { principal.hasTag("groups") && principal.getTag("groups") like "*admins*" };"#,
                ],
                calls: vec![
                    (
                        claims(json!({"groups": ["admins", "developers", "team-alpha"]})),
                        APPROVE,
                        approve(),
                        Allowed,
                    ),
                    (claims(json!({"groups": ["developers", "team-alpha"]})), APPROVE, approve(), Denied),
                ],
            },
            Example {
                origin: "policy_demo.py: B3",
                statements: &[
                    r#"permit(principal, action == AgentCore::Action::"RiskModelToolTarget___invoke_risk_model", resource == GATEWAY)
                    when { principal.hasTag("sub") && principal.getTag("sub") == "client-1" };"#,
                ],
                calls: vec![
                    (machine("client-1"), RISK, risk(), Allowed),
                    (machine("client-2"), RISK, risk(), Denied),
                    (Role("client-1"), RISK, risk(), Denied),
                ],
            },
            Example {
                origin: "policy_demo.py: B4",
                statements: &[
                    r#"permit(principal, action == AgentCore::Action::"ApplicationToolTarget___create_application", resource == GATEWAY)
                    when { principal.hasTag("department_name") && principal.getTag("department_name") == "finance" &&
                      context.input.coverage_amount <= 1000000 };"#,
                ],
                calls: vec![
                    (of("finance"), APPLY, apply(500_000), Allowed),
                    (of("finance"), APPLY, apply(2_000_000), Denied),
                    (of("engineering"), APPLY, apply(500_000), Denied),
                ],
            },
            Example {
                origin: "policy_demo.py: B5",
                statements: &[
                    r#"permit(principal, action == AgentCore::Action::"ApplicationToolTarget___create_application", resource == GATEWAY)
                    when { principal.hasTag("groups") && principal.getTag("groups") like "*team-finance*" };"#,
                ],
                calls: vec![
                    (
                        claims(json!({"groups": ["team-finance", "developers"]})),
                        APPLY,
                        apply(100_000),
                        Allowed,
                    ),
                    (claims(json!({"groups": ["team-risk"]})), APPLY, apply(100_000), Denied),
                ],
            },
            Example {
                origin: "policy_demo.py: C",
                statements: &[
                    r#"permit(principal, action == AgentCore::Action::"ApplicationToolTarget___create_application", resource == GATEWAY)
                    when { context.input.coverage_amount <= 1000000 };"#,
                ],
                calls: vec![
                    (of("finance"), APPLY, apply(750_000), Allowed),
                    (of("finance"), APPLY, apply(2_000_000), Denied),
                ],
            },
            Example {
                origin: "03-Fine-Grained-Access-Control: scenario 1",
                statements: &[
                    r#"permit(principal, action == AgentCore::Action::"RefundToolTarget___refund", resource == GATEWAY)
                    when { principal.hasTag("department_name") && principal.getTag("department_name") == "finance" };"#,
                ],
                calls: vec![
                    (of("finance"), REFUND, json!({"amount": 1}), Allowed),
                    (of("engineering"), REFUND, json!({"amount": 1}), Denied),
                    (claims(json!({"sub": "client-1"})), REFUND, json!({"amount": 1}), Denied),
                ],
            },
        ],
    );
}

/// "Time-based policies": the moments on both sides of each window.
#[test]
fn windows_of_time() {
    const PREMIUM: &str = "InsuranceAPI___calculate_premium";
    const PAY: &str = "InsuranceAPI___disburse_payment";
    const COVERAGE: &str = "InsuranceAPI___update_coverage";
    let january = r#"permit(principal, action == AgentCore::Action::"InsuranceAPI___calculate_premium", resource == GATEWAY)
        when { context.system.now >= datetime("2025-01-01T00:00:00Z") && context.system.now < datetime("2025-02-01T00:00:00Z") };"#;
    let office = r#"permit(principal, action == AgentCore::Action::"InsuranceAPI___disburse_payment", resource == GATEWAY)
        when { duration("9h") <= context.system.now.toTime() && context.system.now.toTime() <= duration("17h") };"#;
    let february = r#"permit(principal, action == AgentCore::Action::"InsuranceAPI___update_coverage", resource == GATEWAY)
        when { context.system.now >= datetime("2025-02-01T00:00:00Z") && context.system.now < datetime("2025-03-01T00:00:00Z") &&
          duration("9h") <= context.system.now.toTime() && context.system.now.toTime() <= duration("21h") };"#;
    let engine = engine(&insurance(), &[january, office, february]);
    let caller = anyone().principal();
    for (tool, second, allowed) in [
        (PREMIUM, 1_735_689_599, false), // 2024-12-31T23:59:59Z
        (PREMIUM, 1_735_689_600, true),
        (PREMIUM, 1_738_367_999, true),
        (PREMIUM, 1_738_368_000, false), // 2025-02-01
        (PAY, 1_736_931_599, false),     // 2025-01-15T08:59:59Z
        (PAY, 1_736_931_600, true),
        (PAY, 1_736_960_400, true), // 17:00:00
        (PAY, 1_736_960_401, false),
        (PAY, 1_795_366_800, true),       // another year, at 17:00:00
        (COVERAGE, 1_738_368_000, false), // 2025-02-01T00:00:00Z
        (COVERAGE, 1_738_400_400, true),  // 09:00:00
        (COVERAGE, 1_738_443_600, true),  // 21:00:00
        (COVERAGE, 1_738_443_601, false),
        (COVERAGE, 1_740_819_600, false), // 2025-03-01T09:00:00Z
    ] {
        let call = Call { tool, arguments: "{}", now: Timestamp::from_seconds(second) };
        assert_eq!(engine.decide(&caller, &call).allow, allowed, "{tool} at {}", call.now);
    }
    // What is listed does not depend on when it is asked for: the calls come later.
    assert_eq!(list(&engine, &caller), [COVERAGE, PREMIUM, PAY]);
}
