"""A real MCP server that lets in whoever shows a header: an upstream for targets with credentials.

`python guarded_server.py` prints its port, then reads lines of JSON: `{"header": "x-key", "accepts": ["value", …]}`
changes who is let in (`"accepts": null` is everyone), and is answered with what was shown since the last line.
Its tools give back what they were shown.
"""

import asyncio
import json
import socket
import sys

import uvicorn
from mcp.server.fastmcp import Context, FastMCP

GUARD = {"header": "authorization", "accepts": None}
SHOWN: list = []


def tools(server: FastMCP):
    @server.tool()
    def leak(context: Context) -> str:
        """Gives back what it was shown."""
        return json.dumps(dict(context.request_context.request.headers))

    @server.tool()
    async def chatter(context: Context) -> str:
        """Says what it was shown while it works."""
        shown = context.request_context.request.headers.get(GUARD["header"])
        await context.info(f"I was shown {shown}")
        await context.report_progress(1, 2, f"still {shown}")
        raise ValueError(f"and failed with {shown}")


class Guard:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            shown = headers.get(GUARD["header"])
            SHOWN.append(shown)
            if GUARD["accepts"] is not None and shown not in GUARD["accepts"]:
                body = json.dumps({"error": "invalid_token", "shown": shown}).encode()
                kind = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
                await send({"type": "http.response.start", "status": 401, "headers": kind})
                return await send({"type": "http.response.body", "body": body})
        return await self.app(scope, receive, send)


async def follow_orders():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        shown = list(SHOWN)
        SHOWN.clear()
        GUARD.update(json.loads(line))
        print(json.dumps(shown), flush=True)


async def main():
    server = FastMCP("guarded")
    tools(server)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    running = uvicorn.Server(uvicorn.Config(Guard(server.streamable_http_app()), log_level="warning"))
    orders = asyncio.create_task(follow_orders())
    await running.serve([listener])
    orders.cancel()


if __name__ == "__main__":
    asyncio.run(main())
