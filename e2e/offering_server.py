"""A real MCP server that offers a prompt and a resource beside its tool. It listens on a free port of this machine and
prints it.
"""

import asyncio
import socket

import uvicorn
from mcp.server.fastmcp import FastMCP


def main():
    server = FastMCP("offering", stateless_http=True, json_response=True)

    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    @server.prompt()
    def summary() -> str:
        """Asks for a summary."""
        return "Summarise the plan."

    @server.resource("plan://today")
    def plan() -> str:
        """The plan."""
        return "the plan of today"

    app = server.streamable_http_app()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    asyncio.run(uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve([listener]))


if __name__ == "__main__":
    main()
