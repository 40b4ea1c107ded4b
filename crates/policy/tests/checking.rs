//! What is refused when a policy is written, where it says the fault is, and what it says to do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod support;

use policy::{
    Effect, FindingKind, Location, PrincipalKind, ProblemKind, ResourceScope, Schema, Validation, check,
    named_gateways,
};
use serde_json::json;
use support::{GATEWAY, House, OTHER_GATEWAY, insurance, takes};

fn about(action: &str, rest: &str) -> String {
    format!("permit(principal, {action}, resource == AgentCore::Gateway::\"{GATEWAY}\") {rest};")
}

fn on_claim(condition: &str) -> String {
    about("action == AgentCore::Action::\"InsuranceAPI___file_claim\"", &format!("when {{ {condition} }}"))
}

#[test]
fn what_was_checked_is_told() {
    let checked =
        insurance().check(&on_claim("principal.id == \"x\" && context.input.claimType == \"auto\"")).unwrap();
    assert_eq!(checked.effect, Effect::Permit);
    assert_eq!(checked.actions, ["InsuranceAPI___file_claim"]);
    assert_eq!(checked.gateway(), Some(GATEWAY));
    assert_eq!(checked.principals, PrincipalKind::ALL);
    assert!(checked.uses_context);

    let text = "forbid(principal is AgentCore::IamEntity, action, resource is AgentCore::Gateway) \
                when { principal.id like \"*x*\" };";
    let checked = insurance().check(text).unwrap();
    assert_eq!(checked.effect, Effect::Forbid);
    assert!(checked.actions.is_empty() && !checked.uses_context);
    assert_eq!(checked.resource, ResourceScope::AnyGateway);
    assert_eq!(checked.principals, [PrincipalKind::IamEntity]);
}

#[test]
fn gateways_are_found_before_there_is_a_schema() {
    assert_eq!(named_gateways(&about("action", "")), [GATEWAY]);
    let unknown = "permit(principal, action == AgentCore::Action::\"No___such\", \
                   resource == AgentCore::Gateway::\"arn:nothing\");";
    assert_eq!(named_gateways(unknown), ["arn:nothing"]);
    for none in ["permit(principal, action, resource is AgentCore::Gateway);", "not a policy", ""] {
        assert!(named_gateways(none).is_empty(), "{none}");
    }
}

#[test]
fn exactly_one_static_policy() {
    let permit = about("action", "when { principal.id == \"x\" }");
    for (text, said) in [
        (
            format!("{permit}\nforbid(principal, action, resource);"),
            "line 2, column 1: unexpected token `forbid`",
        ),
        (format!("{permit}\n\n{permit}"), "line 3, column 1: unexpected token `permit`"),
        (String::new(), "unexpected end of input"),
        ("// nothing here".to_owned(), "unexpected end of input"),
        ("permit(principal == ?principal, action, resource);".to_owned(), "expected a static policy"),
        ("allow(principal, action, resource);".to_owned(), "line 1, column 1: invalid policy effect: allow"),
        ("permit(principal, action, resource".to_owned(), "line 1, column 35: unexpected end of input"),
        (on_claim("context.input.amount.sqrt()"), "`sqrt` is not a valid method"),
        (on_claim("true } when guardrails { true"), "unexpected token `guardrails`"),
    ] {
        let problems = insurance().check(&text).unwrap_err();
        assert_eq!(problems[0].kind, ProblemKind::Syntax, "{text}");
        let said_instead = insurance().refuse(&text);
        assert!(said_instead.contains(said), "{text}\n{said_instead}");
    }
}

#[test]
fn two_statements_are_told_apart() {
    let text = "permit(principal, action, resource); forbid(principal, action, resource);";
    assert_eq!(
        insurance().refuse(text),
        "line 1, column 38: unexpected token `forbid`; a policy is exactly one permit or forbid statement: make \
         each statement a policy"
    );
}

#[test]
fn an_unknown_tool_is_named_with_those_that_resemble_it() {
    let text = about("action == AgentCore::Action::\"InsuranceAPI__file_claim\"", "");
    assert_eq!(
        insurance().refuse(&text),
        "line 1, column 29: unrecognized action `AgentCore::Action::\"InsuranceAPI__file_claim\"`; did you mean \
         `InsuranceAPI___file_claim`?"
    );
    let text = about("action == AgentCore::Action::\"delete_claim\"", "");
    assert!(insurance().refuse(&text).ends_with("did you mean `InsuranceAPI___delete_claim`?"));
    let text = about("action in AgentCore::Action::\"Insurance\"", "");
    assert!(insurance().refuse(&text).contains("did you mean `InsuranceAPI`?"));
    let text = about("action == Action::\"InsuranceAPI___file_claim\"", "");
    assert!(
        insurance().refuse(&text).contains("unrecognized action `Action::\"InsuranceAPI___file_claim\"`")
    );
}

#[test]
fn naming_a_tool_takes_naming_its_gateway() {
    for resource in ["resource", "resource is AgentCore::Gateway"] {
        let text = format!(
            "permit(principal, action == AgentCore::Action::\"InsuranceAPI___file_claim\", {resource}) \
             when {{ principal.id == \"x\" }};"
        );
        let problems = check(&text, &insurance().schema(), Validation::IgnoreAllFindings).unwrap_err();
        assert_eq!(problems[0].kind, ProblemKind::Scope);
        assert!(problems[0].message.contains("a constrained action scope was encountered"));
    }
    let every_tool = "forbid(principal, action in AgentCore::Action::\"CallTool\", resource is AgentCore::Gateway) \
                      when { principal.id == \"x\" };";
    assert!(insurance().check(every_tool).is_ok());
}

#[test]
fn a_group_is_no_tool() {
    let text = about("action == AgentCore::Action::\"InsuranceAPI\"", "");
    assert!(insurance().refuse(&text).contains("write `action in AgentCore::Action::\"InsuranceAPI\"`"));
}

#[test]
fn a_gateway_must_be_known() {
    let text = about("action", "when { principal.id == \"x\" }").replace(GATEWAY, OTHER_GATEWAY);
    assert!(insurance().refuse(&text).starts_with(&format!("unrecognized gateway `{OTHER_GATEWAY}`")));
}

#[test]
fn only_agentcores_types_exist() {
    let text = "permit(principal is Foo::User, action, resource is AgentCore::Gateway);";
    assert!(insurance().refuse(text).starts_with("line 1, column 21: unrecognized entity type `Foo::User`"));
    let text = "permit(principal, action, resource is Foo::Gateway);";
    assert!(insurance().refuse(text).contains("unrecognized entity type `Foo::Gateway`"));
    let text = on_claim("principal in User::\"ann\"");
    assert!(insurance().refuse(&text).contains("unrecognized entity type `User`"));
    let text = about("action == AgentCore::Action::\"InsuranceAPI___file_claim\"", "")
        .replace("principal,", "principal is AgentCore::Gateway,");
    assert!(insurance().check(&text).is_err());
}

#[test]
fn types_are_checked_with_a_place() {
    for (condition, said) in [
        ("context.input.amount < 500", "expected Long but saw decimal"),
        ("context.input.policyTermMonths < \"12\"", "expected Long but saw String"),
        ("context.input.approved", "attribute `input.approved` in context for AgentCore::Action::"),
        (
            "context.input.description == \"\"",
            "unable to guarantee safety of access to optional attribute `input.description`",
        ),
        ("principal.getTag(\"scope\") == \"x\"", "unable to guarantee safety of access to tag `\"scope\"`"),
        ("principal.email == \"x\"", "attribute `email` on entity type `AgentCore::IamEntity` not found"),
        ("context.output.x == 1", "attribute `output` in context"),
        ("context.input.amount.lessThan(decimal(\"1.23456\"))", "failed to parse as a decimal value"),
        (
            "decimal(context.input.claimType) == decimal(\"1.0\")",
            "extension constructors may not be called with non-literal",
        ),
    ] {
        let problems = insurance().check(&on_claim(condition)).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(told[0].contains(said), "{condition}\n{told:?}");
        assert_eq!(problems[0].kind, ProblemKind::Schema);
        assert!(!told[0].contains("for policy"), "{told:?}");
    }
    let problems =
        insurance().check(&on_claim("\n  context.input.amount < 500").replace("; ", ";")).unwrap_err();
    assert_eq!(problems[0].location, Some(Location { line: 2, column: 3 }));
}

#[test]
fn who_comes_from_json_and_tokens_is_told_what_to_write() {
    let of_users =
        |condition: &str| on_claim(condition).replace("principal,", "principal is AgentCore::OAuthUser,");
    for (condition, hint) in [
        ("context.input.amount < 500", "`.lessThan(decimal(\"1.5\"))`"),
        ("context.input.amount < 12.50", "write a decimal, such as `decimal(\"12.50\")`"),
        ("context.input.amount.lessThan(500)", "write a decimal, such as `decimal(\"2.0\")`"),
        ("context.input.amount == 500", "write `== decimal(\"1.0\")`"),
        (
            "principal.role == \"x\"",
            "claims are tags: write `principal.hasTag(\"role\") && principal.getTag(\"role\") ==",
        ),
    ] {
        let problems = insurance().check(&of_users(condition)).unwrap_err();
        assert!(
            problems[0].help.as_ref().is_some_and(|help| help.contains(hint)),
            "{condition}: {problems:?}"
        );
    }
    let problems = insurance().check(&on_claim("principal.role == \"x\"")).unwrap_err();
    let helps: Vec<&str> = problems.iter().filter_map(|problem| problem.help.as_deref()).collect();
    assert!(helps.iter().any(|help| help.contains("only callers with a token have claims")), "{problems:?}");
    // What is written as it is told is accepted.
    let told = "principal.hasTag(\"role\") && principal.getTag(\"role\") == \"x\" && context.input.amount.lessThan(decimal(\"1.5\"))";
    insurance().check(&of_users(told)).unwrap();
}

#[test]
fn a_policy_about_every_tool_fits_every_tool() {
    let text = about("action", "when { context.input.claimId == \"x\" }");
    assert!(insurance().refuse(&text).contains("attribute `input.claimId` in context"));
    let text = about(
        "action in AgentCore::Action::\"CallTool\"",
        "when { context.input has claimId && context.input.claimId == \"x\" }",
    );
    assert!(insurance().check(&text).is_ok());
}

#[test]
fn a_gateway_without_tools_can_have_policies() {
    let empty = House::new(GATEWAY);
    assert!(empty.check(&about("action", "when { principal.id == \"x\" }")).is_ok());
    assert!(empty.schema().to_cedar().contains("Any Future Tools"));
    let text = about("action == AgentCore::Action::\"Any Future Tools\"", "");
    assert!(empty.refuse(&text).contains("unrecognized action"));
}

#[test]
fn what_cannot_be_read_is_not_silently_false() {
    let house = House::new(GATEWAY)
        .tool(
            "T___upload",
            &json!({"type": "object", "properties": {
                "file": {"anyOf": [{"type": "string"}, {"type": "object"}]},
                "name": {"type": "string"},
            }}),
        )
        .tool("T___broken", &json!("no schema"));
    let policy = |tool: &str, condition: &str| {
        about(&format!("action == AgentCore::Action::\"{tool}\""), &format!("when {{ {condition} }}"))
    };
    assert!(house.check(&policy("T___upload", "context.input has name")).is_ok());
    assert!(house.check(&policy("T___broken", "principal.id == \"x\"")).is_ok());
    assert_eq!(
        house.refuse(&policy("T___upload", "context.input has file")),
        "argument `file` of tool `T___upload` cannot be read by a policy: it may have one of several types"
    );
    assert!(
        house
            .refuse(&policy("T___broken", "context.input has file"))
            .starts_with("the arguments of tool `T___broken` cannot be read by a policy: ")
    );
    let unreadable: Vec<String> = house.schema().unreadable().map(|part| part.tool).collect();
    assert_eq!(unreadable, ["T___broken", "T___upload"]);
}

#[test]
fn everything_and_nothing_are_findings() {
    let kinds = |text: &str| -> Vec<FindingKind> {
        let strict = insurance().check(text);
        let lenient = check(text, &insurance().schema(), Validation::IgnoreAllFindings).unwrap();
        let found: Vec<FindingKind> = lenient.findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(strict.is_err(), !found.is_empty(), "{text}");
        found
    };
    let all = "resource is AgentCore::Gateway";
    for (text, expected) in [
        ("permit(principal, action, resource);".to_owned(), vec![FindingKind::AllowAll; 2]),
        (format!("permit(principal, action, {all}) when {{ true }};"), vec![FindingKind::AllowAll; 2]),
        (
            format!(
                "permit(principal is AgentCore::OAuthUser, action in AgentCore::Action::\"Mcp\", {all});"
            ),
            vec![FindingKind::AllowAll],
        ),
        (format!("forbid(principal, action, {all}) unless {{ false }};"), vec![FindingKind::DenyAll; 2]),
        (format!("permit(principal, action, {all}) when {{ false }};"), vec![FindingKind::AllowNone]),
        (format!("forbid(principal, action, {all}) when {{ 1 == 2 }};"), vec![FindingKind::DenyNone]),
        (on_claim("context.input has nothing"), vec![FindingKind::AllowNone]),
        (
            on_claim("principal is AgentCore::IamEntity && principal.hasTag(\"role\")"),
            vec![FindingKind::AllowNone],
        ),
        (on_claim("context.input.claimType == \"auto\""), vec![]),
        (about("action", ""), vec![]),
        (format!("permit(principal, action, {all}) when {{ principal.id == \"x\" }};"), vec![]),
    ] {
        assert_eq!(kinds(&text), expected, "{text}");
    }
    assert_eq!(
        insurance()
            .refuse("permit(principal is AgentCore::OAuthUser, action, resource is AgentCore::Gateway);"),
        "Overly Permissive: Policy Engine will allow every request for the specified principal \
         (AgentCore::OAuthUser), action (Any Future Tools) and resource (gateway/*) combination if the policy is \
         added or updated"
    );
}

#[test]
fn size_and_depth() {
    let words: Vec<String> = (0..1_100).map(|number| format!("\"{number:04}\"")).collect();
    let wide = on_claim(&format!("[{}].contains(context.input.claimType)", words.join(", ")));
    assert!(wide.len() > 9_000 && wide.len() < 10_000);
    assert!(insurance().check(&wide).is_ok());

    let long = vec!["context.input.claimType==\"auto\""; 265].join("\n|| ");
    let long = on_claim(&long);
    assert!(long.len() > 9_000 && long.len() < 10_000);
    assert!(insurance().check(&long).is_ok());
    assert!(!insurance().engine(&[&long]).visible(&support::user(&json!({}))).is_empty());

    let brackets = format!("{}true{}", "(".repeat(60), ")".repeat(60));
    assert!(
        insurance()
            .check(&about("action", &format!("when {{ principal.id == \"x\" && {brackets} }}")))
            .is_ok()
    );

    for deep in [
        format!("{}true{}", "(".repeat(4_000), ")".repeat(4_000)),
        vec!["true"; 1_500].join(" && "),
        format!("context.input{}", ".a".repeat(4_000)),
    ] {
        let problems = insurance().check(&on_claim(&deep)).unwrap_err();
        assert!(problems[0].message.contains("nests too deep"), "{}", problems[0]);
        assert!(problems[0].location.is_some());
    }
}

/// Whatever passes the bound must be safe to work on, on a test's small stack and in unoptimised code.
#[test]
fn what_just_passes_the_bound_does_not_end_the_process() {
    type Shape = fn(usize) -> String;
    let shapes: [(&str, Shape); 11] = [
        ("brackets", |depth| format!("{}true{}", "(".repeat(depth), ")".repeat(depth))),
        ("negations", |depth| format!("{}true{}", "!(".repeat(depth), ")".repeat(depth))),
        ("sets", |depth| format!("{}1{} == [1]", "[".repeat(depth), "]".repeat(depth))),
        ("records", |depth| format!("{}1{} == 1", "{a:".repeat(depth), "}".repeat(depth))),
        ("conjunction", |depth| vec!["context.input has contractId"; depth].join(" && ")),
        ("disjunction", |depth| vec!["context.input.claimType == \"x\""; depth].join(" || ")),
        ("sum", |depth| format!("{} == 1", vec!["context.input.policyTermMonths"; depth].join(" + "))),
        ("accesses", |depth| format!("context{}", ".input".repeat(depth))),
        ("calls", |depth| format!("context.input{}", ".contains(1)".repeat(depth))),
        ("alternatives", |depth| format!("{}true", "if context has input then true else ".repeat(depth))),
        ("both", |depth| {
            let half = vec!["true"; depth].join(" && ");
            format!("{}{half}{} && {half}", "(".repeat(depth.min(60)), ")".repeat(depth.min(60)))
        }),
    ];
    let house = insurance();
    let schema = house.schema();
    let too_deep = |text: &str| match check(text, &schema, Validation::IgnoreAllFindings) {
        Ok(_) => false,
        Err(problems) => problems[0].message.contains("nests too deep"),
    };
    for (name, shape) in shapes {
        let deepest = (1..=500).rev().map(|depth| on_claim(&shape(depth))).find(|text| !too_deep(text));
        let text = deepest.unwrap_or_else(|| panic!("{name}"));
        let engine = house.engine(&[&text]);
        let anyone = support::user(&json!({}));
        let _ = engine.visible(&anyone);
        let arguments = json!({"contractId": "1", "claimType": "x", "amount": 1, "policyTermMonths": 1});
        let _ = support::call(&engine, &anyone, "InsuranceAPI___file_claim", &arguments);
    }
}

#[test]
fn two_gateways_with_one_tool() {
    let first = House::new(GATEWAY).tool("T___x", &takes(&["same:string", "mine:integer", "kind:string"]));
    let second = House::new(OTHER_GATEWAY)
        .tool("T___x", &takes(&["same:string", "kind:integer"]))
        .tool("T___y", &takes(&[]));
    let schema = Schema::build(&[first.gateway(), second.gateway()]).unwrap();
    assert!(schema.to_cedar().contains("type T___xInput = { mine?: Long, same: String };"));
    assert_eq!(schema.tools().collect::<Vec<_>>(), ["T___x", "T___y"]);
    assert_eq!(schema.unreadable().next().unwrap().argument, "kind");

    let on = |gateway: &str, tool: &str, condition: &str| {
        let text = format!(
            "permit(principal, action == AgentCore::Action::\"{tool}\", resource == AgentCore::Gateway::\"{gateway}\") \
             when {{ {condition} }};"
        );
        check(&text, &schema, Validation::FailOnAnyFindings)
    };
    assert!(on(GATEWAY, "T___x", "context.input.mine == 1 && context.input.kind == \"a\"").is_ok());
    assert!(on(OTHER_GATEWAY, "T___x", "context.input.kind == 1").is_ok());
    assert!(on(OTHER_GATEWAY, "T___x", "context.input.mine == 1").is_err());
    let elsewhere = on(GATEWAY, "T___y", "true").unwrap_err();
    assert!(elsewhere[0].message.contains("unrecognized action"), "a tool of another gateway");

    let every = |condition: &str| {
        let text =
            format!("permit(principal, action, resource is AgentCore::Gateway) when {{ {condition} }};");
        check(&text, &schema, Validation::FailOnAnyFindings)
    };
    assert!(every("context.input has mine && context.input.mine == 1").is_ok());
    assert!(every("context.input has kind").is_err());
}

#[test]
fn the_schema_reads_like_the_documentation() {
    let house = House::new(GATEWAY)
        .tool("RefundTool___process_refund", &takes(&["orderId:string", "amount:integer", "reason?:string"]))
        .tool(
            "my-target___get-weather",
            &takes(&["in:string", "x-day?:[]integer", "price:number", "now:boolean"]),
        );
    assert_eq!(
        house.schema().to_string(),
        r#"namespace AgentCore {
  entity OAuthUser = { id: String } tags String;
  entity IamEntity = { id: String };
  entity Gateway;

  type SystemContext = { now: datetime };

  type RefundTool___process_refundInput = { amount: Long, orderId: String, reason?: String };
  type my_target___get_weatherInput = { "in": String, now: Bool, price: decimal, "x-day"?: Set<Long> };

  action "Mcp";
  action "CallTool" in [Action::"Mcp"];
  action "RefundTool" in [Action::"CallTool"];
  action "my-target" in [Action::"CallTool"];
  action "RefundTool___process_refund" in [Action::"CallTool", Action::"RefundTool"] appliesTo {
    principal: [OAuthUser, IamEntity],
    resource: [Gateway],
    context: { input: RefundTool___process_refundInput, system: SystemContext }
  };
  action "my-target___get-weather" in [Action::"CallTool", Action::"my-target"] appliesTo {
    principal: [OAuthUser, IamEntity],
    resource: [Gateway],
    context: { input: my_target___get_weatherInput, system: SystemContext }
  };
}
"#
    );
}

#[test]
fn strange_names_are_no_obstacle() {
    let house = House::new(GATEWAY)
        .tool("T___a\"b\\c\n", &takes(&["q\"uote:string", "ünï\u{301}:string", ":string", "__cedar:string"]))
        .tool("1___2", &takes(&["a b:string"]))
        .tool("T___x-y", &takes(&["a:string"]))
        .tool("T___x_y", &takes(&["b:string"]))
        .tool("Mcp___x", &takes(&[]))
        .tool("CallTool", &takes(&[]))
        .tool("__cedar___x", &takes(&[]));
    let schema = house.schema();
    assert_eq!(schema.tools().count(), 6, "a tool cannot have a group's name");
    let text = about("action == AgentCore::Action::\"1___2\"", "when { context.input[\"a b\"] == \"x\" }");
    assert!(house.check(&text).is_ok());
    assert!(!house.engine(&[&text]).visible(&support::user(&json!({}))).is_empty());
}

#[test]
fn a_schema_has_a_limit() {
    let mut house = House::new(GATEWAY);
    let properties: Vec<String> =
        (0..100).map(|number| format!("a_rather_long_name_{number}:string")).collect();
    let properties: Vec<&str> = properties.iter().map(String::as_str).collect();
    for number in 0..150 {
        house = house.tool(&format!("T___{number}"), &takes(&properties));
    }
    let error = Schema::build(&[house.gateway()]).unwrap_err();
    assert!(error.to_string().contains("the limit is 409600"), "{error}");
}
