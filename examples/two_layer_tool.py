"""A tool of an agent that calls a service with a token, in two functions: the model sees the outer one, and the token is
in the inner one alone.

Run, it shows what a model is told about the tool, calls the tool as an agent would, and shows what a model would be told
then. With a model of your own: `Agent(model=..., tools=[add_days])`.
"""

import asyncio
import json
import os
from pathlib import Path

import httpx
from bedrock_agentcore.identity.auth import requires_access_token
from strands import tool

PROVIDER = os.environ.get("OAUTH_PROVIDER", "my-oauth-provider")
SCOPE = os.environ.get("OAUTH_SCOPE", "my-resource-server/invoke")
SAVED = Path(__file__).resolve().parent / ".gateway_url"


# The inner function: the decorator asks the token vault for a token, and hands it over as `access_token`.
@requires_access_token(provider_name=PROVIDER, scopes=[SCOPE], auth_flow="M2M", force_authentication=False)
async def _call_with_token(name: str, arguments: dict, *, access_token: str) -> dict:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    headers = {
        "Authorization": f"Bearer {access_token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
    }
    url = os.environ.get("GATEWAY_URL") or SAVED.read_text().strip()
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(url, json=message, headers=headers)
    # Only the status of a failure: what an error says of its request may have the token in it.
    if answer.status_code != 200:
        raise RuntimeError(f"the service answered {answer.status_code}")
    return answer.json()["result"]


# The outer function: this one the model knows, with its two parameters, and what it gives is all that comes back.
@tool
async def add_days(date: str, days: int) -> str:
    """Gives the date that is a number of days after another.

    Args:
        date: The date, as YYYY-MM-DD.
        days: How many days later.
    """
    result = await _call_with_token("Clock___add_days", {"date": date, "days": days})
    return result["content"][0]["text"]


def main():
    print("What the model is told about the tool:")
    print(json.dumps(add_days.tool_spec, indent=2))
    print("What it is told when it has called it:")
    print(asyncio.run(add_days(date="2028-02-28", days=2)))


if __name__ == "__main__":
    main()
