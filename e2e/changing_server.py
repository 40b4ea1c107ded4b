"""A real MCP server whose tools change while it runs: a line of JSON on its standard input, names and descriptions,
replaces them. It listens on a free port of this machine and prints it; each change is answered with `changed`.
"""

import asyncio
import json
import socket
import sys
import threading

import uvicorn
from mcp.server.fastmcp import FastMCP


def main():
    server = FastMCP("changing", stateless_http=True, json_response=True)

    def lists(tools: dict):
        for tool in server._tool_manager.list_tools():
            server._tool_manager._tools.pop(tool.name)
        for name, description in tools.items():

            def answer() -> str:
                return "done"

            server.add_tool(answer, name=name, description=description)

    lists({"a": "Does a.", "b": "Does b."})

    def follow():
        for line in sys.stdin:
            lists(json.loads(line))
            print("changed", flush=True)

    threading.Thread(target=follow, daemon=True).start()
    app = server.streamable_http_app()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    asyncio.run(uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve([listener]))


if __name__ == "__main__":
    main()
