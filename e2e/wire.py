"""MCP by hand, over plain HTTP: what a test says is what is sent."""

import itertools
import json

import requests

VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")


class Wire:
    """A caller of one MCP endpoint, with the headers it always sends."""

    def __init__(self, url: str, token: str | None = None, version: str | None = None, **headers: str):
        self.url = url
        self.http = requests.Session()
        self.http.headers.update(
            {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers}
        )
        if token:
            self.http.headers["Authorization"] = f"Bearer {token}"
        if version:
            self.http.headers["MCP-Protocol-Version"] = version
        self._ids = itertools.count(1)

    def post(self, message, **headers) -> requests.Response:
        """Sends one message, or a batch, or raw text."""
        body = message if isinstance(message, (str, bytes)) else json.dumps(message)
        return self.http.post(self.url, data=body, headers=headers, timeout=60)

    def message(self, method: str, params: dict | None = None) -> dict:
        message = {"jsonrpc": "2.0", "id": next(self._ids), "method": method}
        return message | ({"params": params} if params is not None else {})

    def call(self, method: str, params: dict | None = None) -> dict:
        """Sends a request and gives its whole JSON-RPC answer."""
        message = self.message(method, params)
        response = self.post(message)
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        answer = read(response)
        assert answer["id"] == message["id"], answer
        return answer

    def initialize(self, version: str = "2025-11-25") -> dict:
        """The handshake; later requests carry the version that was agreed on."""
        client = {"name": "e2e", "version": "1"}
        answer = self.call("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": client})
        agreed = answer["result"]["protocolVersion"]
        if agreed != "2025-03-26":
            # The header came with 2025-06-18.
            self.http.headers["MCP-Protocol-Version"] = agreed
        told = self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert told.status_code == 202 and not told.content, f"{told.status_code} {told.text}"
        return answer["result"]

    def tools(self) -> list:
        """All pages of tools/list."""
        found, cursor = [], None
        while True:
            result = self.call("tools/list", {"cursor": cursor} if cursor else {})["result"]
            found += result["tools"]
            cursor = result.get("nextCursor")
            if cursor is None:
                return found

    def tool(self, tool_name: str, **arguments) -> dict:
        """Calls a tool, and gives the JSON-RPC answer."""
        return self.call("tools/call", {"name": tool_name, "arguments": arguments})


def read(response: requests.Response):
    """The JSON-RPC answer of a response, which may come as JSON or as an event stream."""
    if response.headers["Content-Type"].startswith("text/event-stream"):
        lines = [line[len("data:") :] for line in response.text.splitlines() if line.startswith("data:")]
        assert len(lines) == 1, response.text
        return json.loads(lines[0])
    return response.json()


def text_of(answer: dict) -> str:
    """The text of a tool's result."""
    [content] = answer["result"]["content"]
    assert content["type"] == "text", content
    return content["text"]
