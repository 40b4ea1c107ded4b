# AgentCore Implementation Guide, part 2, section 4.2, as printed.

from bedrock_agentcore_starter_toolkit.operations.gateway.client import GatewayClient
import boto3

region = boto3.Session().region_name
gateway_client = GatewayClient(region_name=region)

# Create Cognito User Pool + resource server + M2M client in one call
cognito_result = gateway_client.create_oauth_authorizer_with_cognito(
    "MyAgentIdentityAuthorizer"
)

# Values available from the result
client_id = cognito_result['client_info']['client_id']
client_secret = cognito_result['client_info']['client_secret']
token_endpoint = cognito_result['client_info']['token_endpoint']
scope = cognito_result['client_info']['scope']
user_pool_id = cognito_result['client_info']['user_pool_id']

# Build the OIDC Discovery URL
discovery_url = (
    f"https://cognito-idp.{region}.amazonaws.com/{user_pool_id}"
    "/.well-known/openid-configuration"
)
