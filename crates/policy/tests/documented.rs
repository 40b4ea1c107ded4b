//! The policies that people will write first: those printed in the documents this project follows, and the
//! examples of the AgentCore developer guide ("Example policies"), each with calls that it allows and denies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

mod support;

use policy::{DENIED, Reason};
use serde_json::json;
use support::{GATEWAY, House, call, insurance, list, role, takes, user};

const TUTORIAL_GATEWAY: &str =
    "arn:aws:bedrock-agentcore:us-west-2:123456789012:gateway/my-gateway-abcdefghij";

/// As printed, with the account and the gateway filled in.
fn tutorial(statement: &str) -> String {
    statement.replace("ACCOUNT_ID", "123456789012").replace("GATEWAY_ID", "my-gateway-abcdefghij")
}

const MANAGER: &str = r#"// Permit only users with manager scope
permit(
  principal,
  action == AgentCore::Action::"MyTarget___markdown_to_email",
  resource == AgentCore::Gateway::"arn:aws:bedrock-agentcore:us-west-2:ACCOUNT_ID:gateway/GATEWAY_ID"
) when {
  principal.hasTag("scope") &&
  principal.getTag("scope") like "*manager*"
};"#;

const DEVELOPER: &str = r#"// Always deny developers from the sensitive tool (overrides any permit)
forbid(
  principal,
  action == AgentCore::Action::"MyTarget___sensitive_tool",
  resource == AgentCore::Gateway::"arn:aws:bedrock-agentcore:us-west-2:ACCOUNT_ID:gateway/GATEWAY_ID"
) when {
  principal.hasTag("scope") &&
  principal.getTag("scope") like "*developer*"
};"#;

fn tutorial_house() -> House {
    House::new(TUTORIAL_GATEWAY)
        .tool("MyTarget___markdown_to_email", &takes(&["markdown_text:string", "subject?:string"]))
        .tool("MyTarget___sensitive_tool", &takes(&[]))
}

#[test]
fn the_tutorials_manager_sees_the_tool_and_the_developer_does_not() {
    let engine = tutorial_house().checked_engine(&[&tutorial(MANAGER)]);
    let manager = user(&json!({"sub": "m2m-manager", "scope": "rs/invoke rs/manager"}));
    let developer = user(&json!({"sub": "m2m-developer", "scope": "rs/invoke rs/developer"}));
    let mail = json!({"markdown_text": "# Hello"});

    assert_eq!(list(&engine, &manager), ["MyTarget___markdown_to_email"]);
    let allowed = call(&engine, &manager, "MyTarget___markdown_to_email", &mail);
    assert!(allowed.allow);
    assert_eq!(allowed.determining[0].as_str(), "p0");
    assert_eq!(allowed.caller_text(), None);

    assert!(list(&engine, &developer).is_empty());
    let denied = call(&engine, &developer, "MyTarget___markdown_to_email", &mail);
    assert_eq!(denied.reason, Reason::DefaultDeny);
    assert_eq!(denied.audit_text(), "No policy applies to the request (denied by default).");
    assert_eq!(denied.caller_text(), Some(DENIED));
}

#[test]
fn the_tutorials_forbid_overrides_any_permit() {
    let permit = tutorial(
        r#"permit(principal, action, resource == AgentCore::Gateway::"arn:aws:bedrock-agentcore:us-west-2:ACCOUNT_ID:gateway/GATEWAY_ID");"#,
    );
    let engine = tutorial_house().checked_engine(&[&permit, &tutorial(DEVELOPER)]);
    let both = user(&json!({"scope": "rs/manager rs/developer"}));
    assert_eq!(list(&engine, &both), ["MyTarget___markdown_to_email"]);
    let denied = call(&engine, &both, "MyTarget___sensitive_tool", &json!({}));
    assert_eq!(denied.reason, Reason::ForbiddenBy);
    assert_eq!(denied.audit_text(), "Policy evaluation denied due to p1");
    assert_eq!(denied.caller_text(), Some(DENIED), "a caller does not learn the policy");
}

#[test]
fn a_tool_that_does_not_exist_is_denied_like_any_other() {
    let engine = tutorial_house().checked_engine(&[&tutorial(MANAGER)]);
    let developer = user(&json!({"scope": "rs/developer"}));
    let nothing = call(&engine, &developer, "MyTarget___nothing", &json!({}));
    let forbidden = call(&engine, &developer, "MyTarget___markdown_to_email", &json!({}));
    assert_eq!(nothing, forbidden);
}

/// One example of the developer guide, with the calls that it allows and those that it denies.
struct Example {
    scope: &'static str,
    conditions: &'static str,
}

impl Example {
    fn engine(&self) -> policy::Engine {
        let text = format!(
            "permit({}, resource == AgentCore::Gateway::\"{GATEWAY}\") {};",
            self.scope, self.conditions
        );
        insurance().checked_engine(&[&text])
    }
}

const FILE: &str = "InsuranceAPI___file_claim";

fn claim(change: &serde_json::Value) -> serde_json::Value {
    let mut claim =
        json!({"contractId": "C-1", "claimType": "auto", "amount": 999.99, "policyTermMonths": 12});
    for (name, value) in change.as_object().unwrap() {
        claim[name] = value.clone();
    }
    claim
}

#[test]
fn conditions_on_the_arguments() {
    let anyone = user(&json!({}));
    for (conditions, allowed, denied) in [
        (
            r#"when { ["health", "property", "auto"].contains(context.input.claimType) }"#,
            json!({}),
            json!({"claimType": "boat"}),
        ),
        (
            r#"when { context.input.policyTermMonths >= 12 }"#,
            json!({"policyTermMonths": 12}),
            json!({"policyTermMonths": 11}),
        ),
        (
            r#"when { context.input.amount.lessThan(decimal("1000.00")) }"#,
            json!({"amount": 999.9999}),
            json!({"amount": 1000}),
        ),
        (
            r#"when { context.input has description }"#,
            json!({"description": "a dent"}),
            json!({"description": null}),
        ),
        (
            r#"when { context has input && context.input has description && context.input.description != "" }"#,
            json!({"description": "a dent"}),
            json!({}),
        ),
    ] {
        let text = format!(
            "permit(principal, action == AgentCore::Action::\"{FILE}\", \
             resource == AgentCore::Gateway::\"{GATEWAY}\") {conditions};"
        );
        let engine = insurance().checked_engine(&[&text]);
        assert!(call(&engine, &anyone, FILE, &claim(&allowed)).allow, "{conditions}");
        assert_eq!(call(&engine, &anyone, FILE, &claim(&denied)).reason, Reason::DefaultDeny, "{conditions}");
        assert_eq!(list(&engine, &anyone), [FILE], "{conditions}");
    }
}

#[test]
fn nested_members_behind_has() {
    let example = Example {
        scope: r#"principal, action == AgentCore::Action::"InsuranceAPI___calculate_premium""#,
        conditions: r#"when {
          context.input has riskFactors &&
          context.input.riskFactors has priorClaims &&
          context.input.riskFactors.priorClaims == 0 &&
          context.input.riskFactors has region &&
          ["us-west", "us-east"].contains(context.input.riskFactors.region)
        }"#,
    };
    let engine = example.engine();
    let allow = |risk: &serde_json::Value| {
        let arguments = json!({"coverageType": "auto", "coverageAmount": 1, "riskFactors": risk});
        call(&engine, &user(&json!({})), "InsuranceAPI___calculate_premium", &arguments).allow
    };
    assert!(allow(&json!({"priorClaims": 0, "region": "us-west", "age": 40})));
    assert!(!allow(&json!({"priorClaims": 1, "region": "us-west"})));
    assert!(!allow(&json!({"region": "us-west"})));
    assert!(!allow(&json!({})));
    assert!(!allow(&json!(null)));
}

#[test]
fn a_boolean_is_a_condition() {
    let example = Example {
        scope: r#"principal, action == AgentCore::Action::"InsuranceAPI___approve_claim""#,
        conditions: "when { context.input.approved }",
    };
    let engine = example.engine();
    let arguments = |approved| json!({"claimId": "C-1", "approved": approved, "approvedAmountCents": 1});
    assert!(call(&engine, &user(&json!({})), "InsuranceAPI___approve_claim", &arguments(true)).allow);
    assert!(!call(&engine, &user(&json!({})), "InsuranceAPI___approve_claim", &arguments(false)).allow);
}

#[test]
fn several_tools_a_target_and_paths() {
    let anyone = user(&json!({}));
    let two = Example {
        scope: r#"principal, action in [
            AgentCore::Action::"InsuranceAPI___get_contract",
            AgentCore::Action::"InsuranceAPI___get_claim_status"
        ]"#,
        conditions: "",
    };
    assert_eq!(
        list(&two.engine(), &anyone),
        ["InsuranceAPI___get_contract", "InsuranceAPI___get_claim_status"]
    );
    let target =
        Example { scope: r#"principal, action in AgentCore::Action::"InsuranceAPI""#, conditions: "" };
    assert_eq!(list(&target.engine(), &anyone).len(), 8);
    let path = Example {
        scope: r#"principal, action == AgentCore::Action::"ClaimsAgent___POST:/invocations""#,
        conditions: "",
    };
    assert_eq!(list(&path.engine(), &anyone), ["ClaimsAgent___POST:/invocations"]);
    let every = Example { scope: r#"principal, action in AgentCore::Action::"CallTool""#, conditions: "" };
    assert_eq!(list(&every.engine(), &anyone).len(), 10);
}

#[test]
fn the_model_that_may_be_invoked() {
    const CHAT: &str = "ClaimsChat___POST:/v1/chat/completions";
    let engine = Example {
        scope: r#"principal, action == AgentCore::Action::"ClaimsChat___POST:/v1/chat/completions""#,
        conditions: r#"when { context.input has model && context.input.model like "openai.gpt-oss-*" }"#,
    }
    .engine();
    let anyone = user(&json!({}));
    let body = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
    assert!(call(&engine, &anyone, CHAT, &body("openai.gpt-oss-120b-1:0")).allow);
    assert!(!call(&engine, &anyone, CHAT, &body("anthropic.claude")).allow);
}

#[test]
fn who_calls_with_a_token() {
    let tool = "InsuranceAPI___delete_claim";
    let arguments = json!({"claimId": "C-1"});
    for (conditions, allowed, denied) in [
        (
            r#"principal.hasTag("scope") && principal.getTag("scope") like "*insurance:claim*""#,
            json!({"scope": "openid insurance:claim"}),
            json!({"scope": "openid insurance:view"}),
        ),
        (
            r#"principal.hasTag("scope") && principal.getTag("scope") like "*insurance:claim*""#,
            json!({"scope": ["insurance:claim", "insurance:view"]}),
            json!({"scope": null}),
        ),
        (
            r#"principal.hasTag("role") &&
               (principal.getTag("role") == "admin" || principal.getTag("role") == "manager")"#,
            json!({"role": "manager"}),
            json!({"role": ["manager"]}),
        ),
        (
            r#"principal.hasTag("email_verified") && principal.getTag("email_verified") == "true""#,
            json!({"email_verified": true}),
            json!({}),
        ),
    ] {
        let engine = insurance().checked_engine(&[&format!(
            "permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::\"{tool}\", \
             resource == AgentCore::Gateway::\"{GATEWAY}\") when {{ {conditions} }};"
        )]);
        assert!(call(&engine, &user(&allowed), tool, &arguments).allow, "{conditions}");
        assert!(!call(&engine, &user(&denied), tool, &arguments).allow, "{conditions}");
        assert!(!call(&engine, &role("Admin"), tool, &arguments).allow, "{conditions}");
    }
}

#[test]
fn who_calls_with_aws_credentials() {
    let anything = json!({"contractId": "C-1"});
    let tool = "InsuranceAPI___get_contract";
    for (principal, conditions) in [
        ("principal is AgentCore::IamEntity", ""),
        (
            r#"principal == AgentCore::IamEntity::"arn:aws:sts::123456789012:assumed-role/ClaimsProcessorRole""#,
            "",
        ),
        (
            "principal is AgentCore::IamEntity",
            r#"when { principal.id like "arn:aws:sts::*:assumed-role/ClaimsProcessor*" }"#,
        ),
        (
            "principal",
            r#"when { (principal is AgentCore::OAuthUser || principal is AgentCore::IamEntity) &&
                      principal.id like "*:123456789012:*" }"#,
        ),
    ] {
        let engine = insurance().checked_engine(&[&format!(
            "permit({principal}, action == AgentCore::Action::\"{tool}\", \
             resource == AgentCore::Gateway::\"{GATEWAY}\") {conditions};"
        )]);
        assert!(call(&engine, &role("ClaimsProcessorRole"), tool, &anything).allow, "{principal}");
        assert!(!call(&engine, &user(&json!({})), tool, &anything).allow, "{principal}");
    }
}

#[test]
fn forbids_everyone_except() {
    let permit = format!(
        "permit(principal, action in AgentCore::Action::\"InsuranceAPI\", resource == AgentCore::Gateway::\"{GATEWAY}\");"
    );
    let forbid = format!(
        r#"forbid(
          principal is AgentCore::OAuthUser,
          action == AgentCore::Action::"InsuranceAPI___update_coverage",
          resource == AgentCore::Gateway::"{GATEWAY}"
        ) unless {{
          principal.hasTag("role") &&
          (principal.getTag("role") == "senior-adjuster" || principal.getTag("role") == "manager")
        }};"#
    );
    let everywhere = r#"forbid(principal is AgentCore::IamEntity, action, resource is AgentCore::Gateway)
                        when { principal.id like "*:444455556666:*" };"#;
    let engine = insurance().checked_engine(&[&permit, &forbid, everywhere]);
    assert_eq!(list(&engine, &user(&json!({"role": "manager"}))).len(), 8);
    assert_eq!(list(&engine, &user(&json!({"role": "clerk"}))).len(), 7);
    assert_eq!(list(&engine, &role("Any")).len(), 8);
    let vendor = domain::Arn::parse("arn:aws:iam::444455556666:user/vendor").unwrap();
    assert!(list(&engine, &policy::Principal::iam(&vendor).unwrap()).is_empty());
}

#[test]
fn tiers_of_authority() {
    let tier = |role: &str, cents: u32| {
        format!(
            r#"permit(
              principal is AgentCore::OAuthUser,
              action == AgentCore::Action::"InsuranceAPI___disburse_payment",
              resource == AgentCore::Gateway::"{GATEWAY}"
            ) when {{
              principal.hasTag("role") &&
              principal.getTag("role") == "{role}" &&
              context.input.amountCents <= {cents}
            }};"#
        )
    };
    let engine = insurance().checked_engine(&[&tier("adjuster", 100_000), &tier("manager", 2_500_000)]);
    let pay = |role: &str, cents: u32| {
        let arguments = json!({"claimId": "C-1", "amountCents": cents});
        call(&engine, &user(&json!({"role": role})), "InsuranceAPI___disburse_payment", &arguments).allow
    };
    assert!(pay("adjuster", 100_000) && !pay("adjuster", 100_001));
    assert!(pay("manager", 2_500_000) && !pay("manager", 2_500_001));
    assert!(!pay("clerk", 1));
    assert!(list(&engine, &user(&json!({"role": "clerk"}))).is_empty());
    assert_eq!(list(&engine, &user(&json!({"role": "adjuster"}))).len(), 1);
}

#[test]
fn hours_of_the_day() {
    let office_hours = format!(
        r#"permit(
          principal,
          action == AgentCore::Action::"{FILE}",
          resource == AgentCore::Gateway::"{GATEWAY}"
        ) when {{
          context.system.now >= datetime("2025-01-01T00:00:00Z") &&
          duration("9h") <= context.system.now.toTime() &&
          context.system.now.toTime() <= duration("17h")
        }};"#
    );
    let engine = insurance().checked_engine(&[&office_hours]);
    let anyone = user(&json!({}));
    let at = |seconds: i64| {
        let arguments = "whatever: no policy reads the arguments";
        let now = domain::Timestamp::from_seconds(seconds);
        engine.decide(&anyone, &policy::Call { tool: FILE, arguments, now }).allow
    };
    let noon = 1_736_942_400;
    assert!(at(noon));
    assert!(!at(noon + 6 * 3600));
    assert!(!at(noon - 86_400 * 365));
    assert_eq!(list(&engine, &anyone), [FILE], "the time of a later call is unknown");
}
