"""Lists the tools of an endpoint and calls one, with the clients of the second generation: MCP SDK 2.x and Strands.

Runs in the second environment. Reads `{"client": "sdk"|"strands", "url", "token", "tool", "arguments"}` from standard
input, and prints `{"tools": [names], "text", "error": bool}`.
"""

import asyncio
import json
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from strands.tools.mcp import MCPClient


def transport(asked: dict):
    headers = {"Authorization": f"Bearer {asked['token']}"} if asked.get("token") else {}
    return streamable_http_client(asked["url"], http_client=httpx2.AsyncClient(headers=headers, timeout=60))


async def with_sdk(asked: dict) -> dict:
    async with Client(transport(asked)) as client:
        tools, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            tools += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        result = await client.call_tool(asked["tool"], asked["arguments"])
        return {"tools": tools, "text": result.content[0].text, "error": bool(result.is_error)}


def with_strands(asked: dict) -> dict:
    client = MCPClient(lambda: transport(asked))
    with client:
        tools, token = [], None
        while True:
            page = client.list_tools_sync(pagination_token=token)
            tools += [tool.tool_name for tool in page]
            token = page.pagination_token
            if token is None:
                break
        result = client.call_tool_sync("call-1", asked["tool"], asked["arguments"])
        return {"tools": tools, "text": result["content"][0]["text"], "error": result["status"] == "error"}


def main():
    asked = json.load(sys.stdin)
    done = with_strands(asked) if asked["client"] == "strands" else asyncio.run(with_sdk(asked))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
