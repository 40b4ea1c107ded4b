"""An MCP client that knows the URL of a gateway and nothing else: the MCP SDK finds out where to sign in, and how.

Runs with either generation of the SDK. Reads `{"url", "tool", "arguments", "metadata_url"}` from the first line of
standard input, prints `{"open": URL}` for whoever has a browser, and then `{"tools", "text", "granted", "client_id"}`; for
every further line it calls the tool again.
"""

import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from mcp.client import streamable_http
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import OAuthClientMetadata

FIRST_GENERATION = hasattr(streamable_http, "streamablehttp_client")


class Callback(HTTPServer):
    """Where the browser is sent with a code."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.came = []
        self.seen = threading.Condition()
        self.uri = f"http://127.0.0.1:{self.server_port}/callback"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self) -> dict:
        with self.seen:
            assert self.seen.wait_for(lambda: self.came, 60), "nobody came back from the browser"
            return self.came.pop(0)


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        # A browser asks for an icon, too.
        if url.path == "/callback":
            with self.server.seen:
                self.server.came.append({key: value[0] for key, value in parse_qs(url.query).items()})
                self.server.seen.notify()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this page.")

    def log_message(self, *_):
        pass


class Memory:
    """Keeps what the SDK wants kept."""

    def __init__(self):
        self.tokens = self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


def say(**words):
    print(json.dumps(words), flush=True)


async def open_browser(url: str):
    say(open=url)


def came(answer: dict):
    if FIRST_GENERATION:
        return answer["code"], answer.get("state")
    from mcp.client.auth.oauth2 import AuthorizationCodeResult

    return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))


async def main():
    asked = json.loads(sys.stdin.readline())
    callback, memory = Callback(), Memory()

    async def back():
        return came(await asyncio.to_thread(callback.take))

    metadata = OAuthClientMetadata(client_name="Test <b>client</b>", redirect_uris=[callback.uri])
    more = {"client_metadata_url": asked["metadata_url"]} if asked.get("metadata_url") else {}
    auth = OAuthClientProvider(asked["url"], metadata, memory, open_browser, back, **more)
    await (first if FIRST_GENERATION else second)(asked, auth, memory)


async def work(asked: dict, memory: Memory, names, call):
    tools = await names()
    while True:
        text = await call()
        say(tools=tools, text=text, granted=memory.tokens.scope, client_id=memory.client.client_id)
        if not await asyncio.to_thread(sys.stdin.readline):
            return


async def first(asked: dict, auth, memory: Memory):
    from mcp import ClientSession

    async with (
        streamable_http.streamablehttp_client(asked["url"], auth=auth) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()

        async def names():
            return [tool.name for tool in (await session.list_tools()).tools]

        async def call():
            return (await session.call_tool(asked["tool"], asked["arguments"])).content[0].text

        await work(asked, memory, names, call)


async def second(asked: dict, auth, memory: Memory):
    import httpx2
    from mcp.client import Client

    http = httpx2.AsyncClient(auth=auth, timeout=60)
    async with Client(streamable_http.streamable_http_client(asked["url"], http_client=http)) as client:

        async def names():
            return [tool.name for tool in (await client.list_tools()).tools]

        async def call():
            return (await client.call_tool(asked["tool"], asked["arguments"])).content[0].text

        await work(asked, memory, names, call)


if __name__ == "__main__":
    asyncio.run(main())
