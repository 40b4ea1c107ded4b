# AgentCore Implementation Guide, part 2, section 4.6, as printed.

import boto3
import urllib.parse

def create_runtime_with_jwt_auth(
    agent_name: str,
    execution_role: str,
    artifact_config: dict,
    discovery_url: str,
    allowed_client_ids: list[str],
    region: str
) -> dict:
    """Create an AgentCore Runtime with JWT authentication."""
    deploy_client = boto3.client('bedrock-agentcore-control', region_name=region)

    authorizer_config = {
        "customJWTAuthorizer": {
            "discoveryUrl": discovery_url,
            "allowedClients": allowed_client_ids
        }
    }

    response = deploy_client.create_agent_runtime(
        agentRuntimeName=agent_name,
        agentRuntimeArtifact=artifact_config,
        networkConfiguration={"networkMode": "PUBLIC"},
        roleArn=execution_role,
        authorizerConfiguration=authorizer_config,
        # Required for Anti-Impersonation: forward the Authorization header to agent code
        requestHeaderConfiguration={
            "requestHeaderAllowlist": ["Authorization"]
        }
    )

    runtime_arn = response['agentRuntimeArn']
    # URL-encode the ARN to construct the invocation endpoint
    escaped_arn = urllib.parse.quote(runtime_arn, safe='')
    url = (
        f"https://bedrock-agentcore.{region}.amazonaws.com"
        f"/runtimes/{escaped_arn}/invocations?qualifier=DEFAULT"
    )

    return {"id": response['agentRuntimeId'], "arn": runtime_arn, "url": url}
