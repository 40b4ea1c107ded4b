# AgentCore Implementation Guide, part 2, section 4.5, as printed.

from bedrock_agentcore.identity.auth import requires_access_token
from strands import tool
import requests

# Configuration
OAUTH_PROVIDER = "my-oauth-provider"
OAUTH_SCOPE = "my-resource-server/invoke"
RUNTIME_URL = "https://bedrock-agentcore.us-west-2.amazonaws.com/runtimes/..."

# Inner function: @requires_access_token automatically injects the token
@requires_access_token(
    provider_name=OAUTH_PROVIDER,
    scopes=[OAUTH_SCOPE],
    auth_flow="M2M",
    force_authentication=False  # Cache the token (default behavior)
)
async def _call_api_with_auth(
    user_input: str,
    access_token: str = None  # Automatically injected by AgentCore Identity
) -> str:
    """Call the Runtime using an access token."""
    import datetime
    session_id = f"runtime-{datetime.datetime.now().strftime('%Y%m%dT%H%M%S')}"

    headers = {
        "Authorization": f"Bearer {access_token}",
        "Content-Type": "application/json",
        "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": session_id,
    }
    response = requests.post(
        RUNTIME_URL,
        headers=headers,
        json={"prompt": user_input}
    )
    response.raise_for_status()
    return response.text


# Public tool: the access_token parameter is hidden from the LLM
@tool(
    name="call_remote_agent",
    description="Query a remote agent"
)
async def call_remote_agent(user_input: str) -> str:
    """
    The tool that the LLM calls.
    The access_token is hidden inside _call_api_with_auth
    and is never exposed in the agent's context.
    """
    return await _call_api_with_auth(user_input)
