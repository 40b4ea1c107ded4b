# AgentCore Implementation Guide, part 2, section 6.3, as printed.

import boto3

def create_role_clients(
    user_pool_id: str,
    resource_server_id: str,
    gateway_id: str,
    discovery_url: str,
    existing_client_ids: list[str],
    region: str
) -> dict:
    """Create M2M clients for manager and developer roles."""
    cognito_client = boto3.client('cognito-idp', region_name=region)
    control_client = boto3.client('bedrock-agentcore-control', region_name=region)

    # Add role-specific scopes to the resource server
    cognito_client.update_resource_server(
        UserPoolId=user_pool_id,
        Identifier=resource_server_id,
        Name="AgentCoreGatewayResource",
        Scopes=[
            {"ScopeName": "invoke", "ScopeDescription": "Invoke permission"},
            {"ScopeName": "manager", "ScopeDescription": "Manager permission"},
            {"ScopeName": "developer", "ScopeDescription": "Developer permission"},
        ]
    )

    clients = {}
    for role in ["manager", "developer"]:
        response = cognito_client.create_user_pool_client(
            UserPoolId=user_pool_id,
            ClientName=f"AgentCore-{role}",
            GenerateSecret=True,
            AllowedOAuthFlows=["client_credentials"],
            AllowedOAuthScopes=[
                f"{resource_server_id}/invoke",
                f"{resource_server_id}/{role}"
            ],
            AllowedOAuthFlowsUserPoolClient=True
        )
        clients[role] = {
            "client_id": response['UserPoolClient']['ClientId'],
            "client_secret": response['UserPoolClient']['ClientSecret'],
            "scopes": f"{resource_server_id}/invoke {resource_server_id}/{role}"
        }

    # Update the Gateway's allowedClients
    # Important: update_gateway requires all fields to be provided — omitted fields are reset
    all_client_ids = existing_client_ids + [
        c["client_id"] for c in clients.values()
    ]

    # Retrieve the existing Gateway configuration
    gateway = control_client.get_gateway(gatewayIdentifier=gateway_id)

    # Update allowedClients while preserving required fields
    update_request = {
        "gatewayIdentifier": gateway_id,
        "name": gateway["name"],
        "roleArn": gateway["roleArn"],
        "protocolType": gateway["protocolType"],
        "authorizerType": gateway["authorizerType"],
        "authorizerConfiguration": {
            "customJWTAuthorizer": {
                "discoveryUrl": discovery_url,
                "allowedClients": all_client_ids
            }
        },
    }
    # Preserve optional fields (all must be re-sent, as omitting them causes a reset)
    for field in ["description", "policyEngineConfiguration",
                  "protocolConfiguration", "interceptorConfigurations",
                  "kmsKeyArn", "customTransformConfiguration", "exceptionLevel"]:
        if field in gateway:
            update_request[field] = gateway[field]

    control_client.update_gateway(**update_request)

    return clients
