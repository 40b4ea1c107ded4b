# AgentCore Implementation Guide, part 2, section 6.6, as printed.

import requests
from strands.tools.mcp import MCPClient
from mcp.client.streamable_http import streamablehttp_client

def get_token_for_role(
    token_endpoint: str,
    client_id: str,
    client_secret: str,
    scopes: str
) -> str:
    """Obtain an access token via the Cognito client_credentials flow."""
    response = requests.post(
        token_endpoint,
        data={
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": scopes,
        },
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=30,
    )
    response.raise_for_status()
    return response.json()["access_token"]


def test_policy_enforcement(gateway_url: str, role_config: dict, role: str):
    """
    Verify tool visibility in ENFORCE mode.

    - manager: markdown_to_email tool is visible (Cedar PERMIT)
    - developer: markdown_to_email tool is not visible (Cedar DEFAULT-DENY)
    """
    access_token = get_token_for_role(
        token_endpoint=role_config["token_endpoint"],
        client_id=role_config["client_id"],
        client_secret=role_config["client_secret"],
        scopes=role_config["scopes"]
    )

    def create_transport():
        return streamablehttp_client(
            gateway_url,
            headers={"Authorization": f"Bearer {access_token}"}
        )

    mcp_client = MCPClient(create_transport)

    with mcp_client:
        tools = []
        pagination_token = None
        while True:
            result = mcp_client.list_tools_sync(
                pagination_token=pagination_token
            )
            tools.extend(result)
            if result.pagination_token is None:
                break
            pagination_token = result.pagination_token

        tool_names = [t.tool_name for t in tools]
        has_email = any("markdown_to_email" in n for n in tool_names)

        if role == "manager":
            assert has_email, "manager should have access to markdown_to_email"
            print(f"manager: markdown_to_email is accessible (Cedar PERMIT)")
        else:
            assert not has_email, "developer should not have access to markdown_to_email"
            print(f"developer: markdown_to_email excluded from tool list (Cedar DEFAULT-DENY)")
