//! The managed policies that every account has, as `arn:aws:iam::aws:policy/…`. They are put into the store at every
//! start, so that a newer Portcullis brings them up to date. Ids and dates are AWS's where AWS publishes them, and in
//! any case never change.
//!
//! They are AWS's in what they are for, not in every line: what they grant on services that Portcullis is not is left
//! out. Source: the AWS Managed Policy Reference Guide.

use std::collections::BTreeMap;

use domain::{Arn, Document, ManagedPolicy, Timestamp};

/// The managed policies that every account has: [`store::Tx::put_common_policy`] takes each.
#[must_use]
pub fn common_policies() -> Vec<ManagedPolicy> {
    [&AGENTCORE_FULL_ACCESS, &LAMBDA_BASIC_EXECUTION, &ADMINISTRATOR_ACCESS, &READ_ONLY_ACCESS]
        .map(Common::policy)
        .into()
}

/// A policy as it stands on this page.
struct Common {
    path: &'static str,
    name: &'static str,
    id: &'static str,
    description: &'static str,
    /// When AWS made it, in seconds since the epoch.
    created: i64,
    document: &'static str,
}

impl Common {
    fn policy(&self) -> ManagedPolicy {
        ManagedPolicy {
            arn: Arn::new("iam", "", "aws", &format!("policy{}{}", self.path, self.name)),
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            path: self.path.to_owned(),
            description: Some(self.description.to_owned()),
            document: Document(self.document.to_owned()),
            created_at: Timestamp::from_seconds(self.created),
            version: ManagedPolicy::FIRST,
            versions: Vec::new(),
            versions_made: ManagedPolicy::FIRST,
            updated_at: None,
            tags: BTreeMap::new(),
        }
    }
}

/// Modelled on AWS's version 5 of 2 December 2025, with its `Sid`s. As there, only roles with `BedrockAgentCore` in
/// their name may be passed, and no role may be created.
const AGENTCORE_FULL_ACCESS: Common = Common {
    path: "/",
    name: "BedrockAgentCoreFullAccess",
    id: "ANPAPORTCULLISAGENTCO",
    description: "Provides full access to Bedrock AgentCore",
    created: 1_752_624_000,
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "BedrockAgentCoreFullAccess",
      "Effect": "Allow",
      "Action": ["bedrock-agentcore:*"],
      "Resource": "arn:aws:bedrock-agentcore:*:*:*"
    },
    {
      "Sid": "IAMListAccess",
      "Effect": "Allow",
      "Action": [
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:ListRoles"
      ],
      "Resource": "arn:aws:iam::*:role/*"
    },
    {
      "Sid": "BedrockAgentCorePassRoleAccess",
      "Effect": "Allow",
      "Action": "iam:PassRole",
      "Resource": "arn:aws:iam::*:role/*BedrockAgentCore*",
      "Condition": {"StringEquals": {"iam:PassedToService": "bedrock-agentcore.amazonaws.com"}}
    },
    {
      "Sid": "SecretsManagerAccess",
      "Effect": "Allow",
      "Action": [
        "secretsmanager:CreateSecret",
        "secretsmanager:PutSecretValue",
        "secretsmanager:GetSecretValue",
        "secretsmanager:DeleteSecret"
      ],
      "Resource": "arn:aws:secretsmanager:*:*:secret:bedrock-agentcore*"
    },
    {
      "Sid": "BedrockAgentCoreGatewayLambdaAccess",
      "Effect": "Allow",
      "Action": ["lambda:ListFunctions"],
      "Resource": ["arn:aws:lambda:*:*:*"]
    }
  ]
}"#,
};

/// AWS's, to the letter.
const LAMBDA_BASIC_EXECUTION: Common = Common {
    path: "/service-role/",
    name: "AWSLambdaBasicExecutionRole",
    id: "ANPAJNCQGXC42545SKXIK",
    description: "Provides write permissions to CloudWatch Logs.",
    created: 1_428_591_823,
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
      "Resource": "*"
    }
  ]
}"#,
};

/// AWS's, to the letter.
const ADMINISTRATOR_ACCESS: Common = Common {
    path: "/",
    name: "AdministratorAccess",
    id: "ANPAIWMBCKSKIEE64ZLYK",
    description: "Provides full access to AWS services and resources.",
    created: 1_423_247_986,
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
}"#,
};

/// What AWS's grants on the services that are here. Where some of a service's `Get…` and `Describe…` hand out tokens,
/// keys or clients' secrets, the others are named one by one.
const READ_ONLY_ACCESS: Common = Common {
    path: "/",
    name: "ReadOnlyAccess",
    id: "ANPAILL3HVNFSB6DCOWYQ",
    description: "Provides read-only access to AWS services and resources.",
    created: 1_423_247_988,
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadOnlyActions",
      "Effect": "Allow",
      "Action": [
        "bedrock-agentcore:GetGateway",
        "bedrock-agentcore:GetGatewayTarget",
        "bedrock-agentcore:GetPolicy",
        "bedrock-agentcore:GetPolicyEngine",
        "bedrock-agentcore:GetTokenVault",
        "bedrock-agentcore:List*",
        "cognito-idp:DescribeResourceServer",
        "cognito-idp:DescribeUserPool",
        "cognito-idp:DescribeUserPoolDomain",
        "cognito-idp:List*",
        "iam:Get*",
        "iam:List*",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:List*",
        "lambda:Get*",
        "lambda:List*",
        "s3:Get*",
        "s3:List*",
        "sts:GetCallerIdentity"
      ],
      "Resource": "*"
    }
  ]
}"#,
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ::iam::{Policy, PolicyKind};

    use super::*;

    #[test]
    fn every_document_is_one_that_create_policy_would_take() {
        for policy in common_policies() {
            let parsed = Policy::parse(&policy.document.0, PolicyKind::Identity);
            let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", policy.name));
            assert!(parsed.require_current_version().is_ok(), "{}", policy.name);
        }
    }

    #[test]
    fn ids_are_distinct_and_have_the_form_of_awss() {
        let ids: HashSet<_> = common_policies().into_iter().map(|policy| policy.id).collect();
        assert_eq!(ids.len(), common_policies().len());
        assert!(ids.iter().all(|id| id.len() == 21 && id.starts_with("ANPA")), "{ids:?}");
    }

    #[test]
    fn the_arns_are_those_that_the_toolkit_attaches() {
        let arns: Vec<_> = common_policies().iter().map(|policy| policy.arn.to_string()).collect();
        for arn in [
            "arn:aws:iam::aws:policy/BedrockAgentCoreFullAccess",
            "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        ] {
            assert!(arns.iter().any(|known| known == arn), "{arn}");
        }
    }
}
