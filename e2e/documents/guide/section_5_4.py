# AgentCore Implementation Guide, part 2, section 5.4, as printed.

from strands import Agent
from strands.tools.mcp import MCPClient
from mcp.client.streamable_http import streamablehttp_client

def run_agent_with_gateway(
    gateway_url: str,
    access_token: str,
    local_tools: list,
    prompt: str
):
    """Run an agent combining Gateway tools with local tools."""
    def create_transport():
        return streamablehttp_client(
            gateway_url,
            headers={"Authorization": f"Bearer {access_token}"}
        )

    # Create MCPClient in the constructor and manage the connection with a with block
    mcp_client = MCPClient(create_transport)

    with mcp_client:
        # Fetch all tools with pagination support
        all_tools = list(local_tools)
        pagination_token = None
        while True:
            tools_result = mcp_client.list_tools_sync(
                pagination_token=pagination_token
            )
            # tools_result is a PaginatedList: iterable with a pagination_token attribute
            all_tools.extend(tools_result)
            if tools_result.pagination_token is None:
                break
            pagination_token = tools_result.pagination_token

        # Run the agent inside the with block
        agent = Agent(
            system_prompt="You are a solutions architect.",
            tools=all_tools
        )
        return agent(prompt)
