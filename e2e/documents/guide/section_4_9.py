# AgentCore Implementation Guide, part 2, section 4.9, as printed.

import requests
from bedrock_agentcore.identity.auth import requires_access_token

# 3LO: User delegation flow
@requires_access_token(
    provider_name="github-oauth",
    scopes=["repo", "read:user"],
    auth_flow="USER_FEDERATION",   # User delegation, not M2M
    user_id=user_id,    # Required for per-user token management
)
async def call_github_api(endpoint: str, access_token: str = None) -> str:
    """Call the GitHub API using the user's permissions."""
    headers = {"Authorization": f"Bearer {access_token}"}
    response = requests.get(f"https://api.github.com{endpoint}", headers=headers)
    return response.json()
