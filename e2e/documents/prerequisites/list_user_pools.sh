# AgentCore Gateway developer guide, prerequisites and inbound authorization, as printed.

aws cognito-idp list-user-pools \
  --region us-west-2 \
  --max-results 60
