"""A real MCP server, of the SDK that runs it: an upstream for `mcpServer` targets.

`python upstream_server.py stateful|stateless` listens on a free port of this machine and prints it. `stateful` keeps
sessions and answers with event streams; `stateless` keeps none and answers with JSON.
"""

import asyncio
import socket
import sys

import uvicorn


def with_sdk_1(stateless: bool):
    from mcp.server.fastmcp import FastMCP
    from mcp.server.fastmcp.exceptions import ToolError

    server = FastMCP("upstream", stateless_http=stateless, json_response=stateless)
    add_tools(server, ToolError)
    return server.streamable_http_app()


def with_sdk_2(stateless: bool):
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    server = MCPServer("upstream")
    add_tools(server, ToolError)
    return server.streamable_http_app(stateless_http=stateless, json_response=stateless)


def add_tools(server, error):
    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    @server.tool()
    def greet(name: str) -> str:
        """Greets someone."""
        return f"Hello, {name}!"

    @server.tool()
    def fail(why: str) -> str:
        """Fails."""
        raise error(why)


def main(mode: str):
    stateless = {"stateful": False, "stateless": True}[mode]
    try:
        app = with_sdk_1(stateless)
    except ImportError:
        app = with_sdk_2(stateless)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    asyncio.run(uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve([listener]))


if __name__ == "__main__":
    main(sys.argv[1])
