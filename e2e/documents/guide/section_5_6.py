# AgentCore Implementation Guide, part 2, section 5.6, as printed.

# Create a Gateway Target from an OpenAPI specification
control_client = boto3.client('bedrock-agentcore-control')
control_client.create_gateway_target(
    gatewayIdentifier=gateway_id,
    name="openapi-tools",
    targetConfiguration={
        "mcp": {
            "openapi": {
                "specUri": "s3://my-bucket/api-spec.yaml",
            }
        }
    },
    credentialProviderConfigurations=[{
        "credentialProviderType": "GATEWAY_IAM_ROLE"
    }],
)
