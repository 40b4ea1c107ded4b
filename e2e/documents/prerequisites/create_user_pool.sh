# AgentCore Gateway developer guide, prerequisites and inbound authorization, as printed.

aws cognito-idp create-user-pool \
  --region us-west-2 \
  --pool-name "gateway-user-pool"
