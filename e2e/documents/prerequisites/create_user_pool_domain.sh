# AgentCore Gateway developer guide, prerequisites and inbound authorization, as printed.

aws cognito-idp create-user-pool-domain \
  --domain <UserPoolIdWithoutUnderscore> \
  --user-pool-id <UserPoolId> \
  --region us-west-2
