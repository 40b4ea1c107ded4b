# AgentCore Implementation Guide, part 2, section 5.3, as printed (2 blocks).

import boto3
import time
from bedrock_agentcore_starter_toolkit.operations.gateway.client import GatewayClient

def create_mcp_gateway(
    gateway_name: str,
    discovery_url: str,
    allowed_client_ids: list[str],
    region: str
) -> dict:
    """Create an MCP Gateway with JWT authentication."""
    gateway_client = GatewayClient(region_name=region)

    gateway_response = gateway_client.create_mcp_gateway(
        name=gateway_name,
        authorizer_config={
            "customJWTAuthorizer": {
                "discoveryUrl": discovery_url,
                "allowedClients": allowed_client_ids
            }
        },
        enable_semantic_search=False
    )

    gateway_id = gateway_response['gatewayId']
    gateway_url = gateway_response['gatewayUrl']

    # Wait for IAM role propagation (~15 seconds)
    # Gateway creation automatically creates AgentCoreGatewayExecutionRole,
    # but a short wait is needed before it can invoke Lambda.
    print("Waiting for IAM role propagation (15 seconds)...")
    time.sleep(15)

    return {"id": gateway_id, "url": gateway_url}


def create_gateway_target(
    gateway_id: str,
    lambda_arn: str,
    target_name: str,
    region: str
) -> str:
    """Register a Lambda function as a Gateway Target."""
    control_client = boto3.client('bedrock-agentcore-control', region_name=region)

    # toolSchema is placed inside targetConfiguration.mcp.lambda
    # inlinePayload is a list of tool definitions (a Python list, not a JSON string)
    response = control_client.create_gateway_target(
        gatewayIdentifier=gateway_id,
        name=target_name,
        description="Lambda target providing Markdown email sending tools",
        targetConfiguration={
            "mcp": {
                "lambda": {
                    "lambdaArn": lambda_arn,
                    "toolSchema": {
                        "inlinePayload": [
                            {
                                "name": "markdown_to_email",
                                "description": (
                                    "Converts Markdown text to HTML and sends it as an email. "
                                    "Use this when you want to send a report or notification via email."
                                ),
                                "inputSchema": {
                                    "type": "object",
                                    "properties": {
                                        "markdown_content": {
                                            "type": "string",
                                            "description": "The Markdown content to send"
                                        },
                                        "recipient_email": {
                                            "type": "string",
                                            "description": "The recipient email address"
                                        },
                                        "subject": {
                                            "type": "string",
                                            "description": "The email subject line"
                                        }
                                    },
                                    "required": ["markdown_content", "recipient_email"]
                                }
                            }
                        ]
                    }
                }
            }
        },
        credentialProviderConfigurations=[{
            "credentialProviderType": "GATEWAY_IAM_ROLE"
        }]
    )

    return response['targetId']
