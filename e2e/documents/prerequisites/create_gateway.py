# AgentCore Gateway developer guide, prerequisites and inbound authorization, as printed.

import boto3
# create the agentcore client
agentcore_client = boto3.client('bedrock-agentcore-control')
# create a gateway
gateway = agentcore_client.create_gateway(
    name="<target-name e.g. ProductSearch>",
    roleArn="<existing role ARN e.g. arn:aws:iam::123456789012:role/MyRole>",
    protocolType="MCP",
    authorizerType="CUSTOM_JWT",
    authorizerConfiguration= {
        "customJWTAuthorizer": {  
            "discoveryUrl": "<existing discovery URL e.g. https://cognito-idp.us-west-2.amazonaws.com/some-user-pool/.well-known/openid-configuration>",
            "allowedClients": ["<clientId>"]
        }
    }
)
