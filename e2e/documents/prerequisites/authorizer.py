# AgentCore Gateway developer guide, prerequisites and inbound authorization, as printed.

authorizerConfiguration= {
  "customJWTAuthorizer": {  
    "discoveryUrl": "https://cognito-idp.us-west-2.amazonaws.com/user-pool-id/.well-known/openid-configuration",
    "allowedClients": ["client-id"]
  }
}
