# AgentCore Implementation Guide, part 2, section 4.4, as printed.

import boto3

def create_oauth2_credential_provider(
    provider_name: str,
    client_id: str,
    client_secret: str,
    discovery_url: str,
    region: str
) -> str:
    """Create an OAuth2 Credential Provider in AgentCore Identity."""
    identity_client = boto3.client('bedrock-agentcore-control', region_name=region)

    response = identity_client.create_oauth2_credential_provider(
        name=provider_name,
        credentialProviderVendor='CustomOauth2',
        oauth2ProviderConfigInput={
            'customOauth2ProviderConfig': {
                'clientId': client_id,
                'clientSecret': client_secret,
                'oauthDiscovery': {
                    'discoveryUrl': discovery_url
                }
            }
        }
    )

    return response['credentialProviderArn']
