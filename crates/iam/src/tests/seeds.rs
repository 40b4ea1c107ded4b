//! The policies of the documents that Portcullis implements, as they print them, with what they allow and refuse.

use super::*;

const GATEWAY: &str = "arn:aws:bedrock-agentcore:us-west-2:111122223333:gateway/mygateway-abcdefghij";
const GATEWAYS: &str = "arn:aws:bedrock-agentcore:us-west-2:111122223333:gateway/*";
const ENGINE: &str = "arn:aws:bedrock-agentcore:us-west-2:111122223333:policy-engine/engine-abcdefghij";

fn holding(text: &str) -> Ask {
    let mut asked = Ask::by(session(HOME, "Developer", "s"));
    asked.identity = vec![document("P", text, PolicyKind::Identity)];
    asked
}

#[test]
fn gateway_full_access() {
    let asked = holding(
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "bedrock-agentcore:*Gateway*",
        "bedrock-agentcore:*WorkloadIdentity",
        "bedrock-agentcore:*CredentialProvider",
        "bedrock-agentcore:*Token*",
        "bedrock-agentcore:*Access*"
      ],
      "Resource": "arn:aws:bedrock-agentcore:*:*:*gateway*"
    }
  ]
}"#,
    );
    for (action, resource) in [
        ("bedrock-agentcore:CreateGateway", GATEWAYS),
        ("bedrock-agentcore:ListGateways", GATEWAYS),
        ("bedrock-agentcore:DeleteGateway", GATEWAY),
        ("bedrock-agentcore:CreateGatewayTarget", GATEWAY),
        ("bedrock-agentcore:SynchronizeGatewayTargets", GATEWAY),
        ("bedrock-agentcore:InvokeGateway", GATEWAY),
        ("BEDROCK-AGENTCORE:getgateway", GATEWAY),
    ] {
        asked.clone().to(action).on(resource).is_allowed();
    }
    for (action, resource) in [
        ("bedrock-agentcore:CreatePolicyEngine", ENGINE),
        ("bedrock-agentcore:GetGateway", ENGINE),
        ("bedrock-agentcore:GetGateway", "*"),
        ("iam:PassRole", "arn:aws:iam::111122223333:role/gateway"),
        ("lambda:InvokeFunction", "arn:aws:lambda:us-west-2:111122223333:function:gateway"),
    ] {
        asked.clone().to(action).on(resource).is_denied(NO_IDENTITY);
    }
}

#[test]
fn gateway_read_only() {
    let asked = holding(
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "bedrock-agentcore:ListGateways",
        "bedrock-agentcore:GetGateway",
        "bedrock-agentcore:ListGatewayTargets",
        "bedrock-agentcore:GetGatewayTarget"
      ],
      "Resource": "arn:aws:bedrock-agentcore:*:*:*gateway*"
    }
  ]
}"#,
    );
    for action in ["GetGateway", "ListGatewayTargets", "GetGatewayTarget"] {
        asked.clone().to(&format!("bedrock-agentcore:{action}")).on(GATEWAY).is_allowed();
    }
    for action in ["CreateGateway", "UpdateGateway", "DeleteGateway", "InvokeGateway", "GetGatewayTargets"] {
        asked.clone().to(&format!("bedrock-agentcore:{action}")).on(GATEWAY).is_denied(NO_IDENTITY);
    }
}

#[test]
fn core_gateway_permissions() {
    let asked = holding(
        r#"{
"Version": "2012-10-17",
"Statement": [
{
"Sid": "VisualEditor0",
"Effect": "Allow",
"Action": [
"bedrock-agentcore:*",
"iam:PassRole"
],
"Resource": "*"
}
]
}"#,
    );
    asked.clone().to("bedrock-agentcore:CreateGateway").on(GATEWAYS).is_allowed();
    asked.clone().to("bedrock-agentcore:CreatePolicyEngine").on("*").is_allowed();
    asked.clone().to("iam:PassRole").on("arn:aws:iam::111122223333:role/R").is_allowed();
    asked.clone().to("iam:CreateRole").on("arn:aws:iam::111122223333:role/R").is_denied(NO_IDENTITY);
    asked.to("bedrock:InvokeModel").on("*").is_denied(NO_IDENTITY);
}

#[test]
fn s3_schema_access() {
    let asked = holding(
        r#"{"Version": "2012-10-17", "Statement": [{"Sid": "VisualEditor0", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}]}"#,
    );
    asked.clone().on("arn:aws:s3:::schemas/openapi.json").is_allowed();
    asked.to("s3:PutObject").on("arn:aws:s3:::schemas/openapi.json").is_denied(NO_IDENTITY);
}

const LAMBDA_TARGET: &str = r#"{
"Version": "2012-10-17",
"Statement": [
{
"Sid": "VisualEditor0",
"Effect": "Allow",
"Action": "lambda:InvokeFunction",
"Resource": "arn:aws:lambda:us-west-2:444455556666:function:TestLambda"
}
]
}"#;

const TEST_LAMBDA: &str = "arn:aws:lambda:us-west-2:444455556666:function:TestLambda";

#[test]
fn a_lambda_of_another_account_needs_both_policies() {
    let execution = |role: &str| {
        let mut asked = Ask::by(session(HOME, role, "gateway")).to("lambda:InvokeFunction").on(TEST_LAMBDA);
        asked.identity = vec![document("P", LAMBDA_TARGET, PolicyKind::Identity)];
        asked
    };
    let cross_account = document(
        "policy of TestLambda",
        r#"{
"Version": "2012-10-17",
"Id": "default",
"Statement": [
{
"Sid": "cross-account-access",
"Effect": "Allow",
"Principal": {
"AWS": "arn:aws:iam::111122223333:role/AgentCoreBetaLambdaExecuteRole"
},
"Action": "lambda:InvokeFunction",
"Resource": "arn:aws:lambda:us-west-2:444455556666:function:TestLambda"
}
]
}"#,
        PolicyKind::Resource,
    );
    execution("AgentCoreBetaLambdaExecuteRole").is_denied(NO_RESOURCE);
    let mut opened = execution("AgentCoreBetaLambdaExecuteRole");
    opened.resource_policy = Some(cross_account.clone());
    opened.is_allowed();
    let mut stranger = execution("SomeOtherRole");
    stranger.resource_policy = Some(cross_account.clone());
    stranger.is_denied(NO_RESOURCE);
    let mut powerless = opened.clone();
    powerless.identity.clear();
    powerless.is_denied(NO_IDENTITY);
    opened.on("arn:aws:lambda:us-west-2:444455556666:function:OtherLambda").is_denied(NO_IDENTITY);
}

#[test]
fn a_lambda_of_the_same_account_needs_the_role_alone() {
    let mut asked =
        Ask::by(session(AWAY, "Execution", "gateway")).to("lambda:InvokeFunction").on(TEST_LAMBDA);
    asked.identity = vec![document("P", LAMBDA_TARGET, PolicyKind::Identity)];
    asked.is_allowed();
}

fn assumed_by_agentcore(trust: &str) -> Ask {
    let mut asked = Ask::by(Who::Service("bedrock-agentcore.amazonaws.com"))
        .to("sts:AssumeRole")
        .on("arn:aws:iam::111122223333:role/GatewayRole");
    asked.resource_policy = Some(document("trust policy of GatewayRole", trust, PolicyKind::Trust));
    asked
}

#[test]
fn gateway_trust_with_source_account_and_source_arn() {
    let asked = assumed_by_agentcore(
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "GatewayAssumeRolePolicy",
      "Effect": "Allow",
      "Principal": {
        "Service": "bedrock-agentcore.amazonaws.com"
      },
      "Action": "sts:AssumeRole",
      "Condition": {
        "StringEquals": {
          "aws:SourceAccount": "111122223333"
        },
        "ArnLike": {
          "aws:SourceArn": "arn:aws:bedrock-agentcore:us-west-2:111122223333:gateway/mygateway-*"
        }
      }
    }
  ]
}"#,
    );
    let from = |account: &str, arn: &str| {
        asked.clone().with("aws:SourceAccount", account).with("aws:SourceArn", arn)
    };
    from(HOME, GATEWAY).is_allowed();
    from(AWAY, GATEWAY).is_denied(NO_TRUST);
    from(HOME, &GATEWAY.replace("mygateway", "other")).is_denied(NO_TRUST);
    from(HOME, &GATEWAY.replace("us-west-2", "eu-west-1")).is_denied(NO_TRUST);
    asked.clone().with("aws:SourceAccount", HOME).is_denied(NO_TRUST);
    asked.clone().with("aws:SourceArn", GATEWAY).is_denied(NO_TRUST);
    asked.is_denied(NO_TRUST);
}

#[test]
fn runtime_trust_with_any_source_of_the_account() {
    let asked = assumed_by_agentcore(
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {
        "Service": "bedrock-agentcore.amazonaws.com"
      },
      "Action": "sts:AssumeRole",
      "Condition": {
        "StringEquals": {
          "aws:SourceAccount": "111122223333"
        },
        "ArnLike": {
          "aws:SourceArn": "arn:aws:bedrock-agentcore:us-west-2:111122223333:*"
        }
      }
    }
  ]
}"#,
    )
    .with("aws:SourceAccount", HOME);
    asked.clone().with("aws:SourceArn", GATEWAY).is_allowed();
    asked.clone().with("aws:SourceArn", ENGINE).is_allowed();
    asked
        .with("aws:SourceArn", "arn:aws:bedrock-agentcore:us-west-2:444455556666:runtime/r")
        .is_denied(NO_TRUST);
}

/// The workshop's trust policy, which has a trailing comma: as printed it is refused, without it it works.
#[test]
fn trust_for_the_service_alone() {
    let printed = r#"{
"Version": "2012-10-17",
"Statement": [
{
"Effect": "Allow",
"Principal": {
"Service": "bedrock-agentcore.amazonaws.com"
},
"Action": "sts:AssumeRole"
},
]
}"#;
    let refused = Policy::parse(printed, PolicyKind::Trust).unwrap_err();
    assert_eq!(refused.text(), "This policy contains invalid Json");
    assert!(refused.hint().contains("trailing comma at line 11"), "{refused}");
    assumed_by_agentcore(&printed.replace("},\n]", "}\n]")).is_allowed();
}

#[test]
fn developers_policy() {
    let asked = holding(
        r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["bedrock-agentcore:*", "bedrock-agentcore-control:*", "cognito-idp:*"], "Resource": "*"},
            {"Effect": "Allow", "Action": ["iam:CreateRole", "iam:PutRolePolicy", "iam:PassRole"], "Resource": "arn:aws:iam::*:role/AgentCoreRole-*"},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::bedrock-agentcore-*"}
        ]}"#,
    );
    asked.clone().to("iam:PassRole").on("arn:aws:iam::111122223333:role/AgentCoreRole-mine").is_allowed();
    asked.clone().to("iam:PassRole").on("arn:aws:iam::111122223333:role/Admin").is_denied(NO_IDENTITY);
    asked.clone().to("s3:PutObject").on("arn:aws:s3:::bedrock-agentcore-artifacts/a/b").is_allowed();
    asked.to("s3:PutObject").on("arn:aws:s3:::other/a").is_denied(NO_IDENTITY);
}

/// `AWS_IAM` gateways: "callers must have the bedrock-agentcore:InvokeGateway permission on the specific gateway".
#[test]
fn invoking_one_gateway() {
    let asked = Ask::by(user(HOME, "agent")).to("bedrock-agentcore:InvokeGateway").holding(&format!(
        r#"{{"Effect": "Allow", "Action": "bedrock-agentcore:InvokeGateway", "Resource": "{GATEWAY}"}}"#
    ));
    asked.clone().on(GATEWAY).is_allowed();
    asked.on(&GATEWAY.replace("mygateway", "yourgateway")).is_denied(NO_IDENTITY);
}
