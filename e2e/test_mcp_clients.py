"""Real MCP clients, of both generations of the SDK, through gateways of every authorizer, to functions and MCP servers.

The first generation runs in this process, the second in its own environment (`modern_client.py`); the TypeScript SDK and
the Inspector run in Node (`typescript_client.mjs`, `node.py`).
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import httpx
import pytest
import requests
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from strands.tools.mcp import MCPClient

import node
import scenery
from portcullis import PROJECT, REGION, plain_environment
from scenery import allow, tool
from wire import VERSIONS, Wire, read, text_of

ENVIRONMENT = "PORTCULLIS_E2E_MODERN_PYTHON"
MANY = 250


class SigV4(httpx.Auth):
    """Signs each request as AWS's SDKs do."""

    requires_request_body = True

    def __init__(self, caller):
        self.credentials = botocore.credentials.Credentials(caller.key, caller.secret, caller.token)

    def auth_flow(self, request):
        request.headers.update(self.signature(request.method, str(request.url), request.content))
        yield request

    def signature(self, method: str, url: str, body: bytes) -> dict:
        signed = botocore.awsrequest.AWSRequest(
            method=method, url=url, data=body, headers={"Content-Type": "application/json"}
        )
        botocore.auth.SigV4Auth(self.credentials, "bedrock-agentcore", REGION).add_auth(signed)
        return dict(signed.headers)


@dataclass
class Door:
    """A gateway with an echoing function behind it, and what a client needs to get in."""

    gateway: scenery.Gateway
    token: str | None = None
    auth: httpx.Auth | None = None
    headers: dict = field(init=False)

    def __post_init__(self):
        self.headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def transport(self):
        return streamablehttp_client(self.gateway.url, headers=self.headers, auth=self.auth)


@pytest.fixture(scope="module")
def function(make):
    return make.function()


@pytest.fixture(scope="module")
def doors(make, function):
    """One gateway of each authorizer."""
    pool = make.pool(["invoke"])
    client = pool.client("invoke")
    made = {
        "CUSTOM_JWT": Door(make.gateway(pool.authorizer(client)), token=client.token()),
        "NONE": Door(make.gateway("NONE")),
    }
    guarded = make.gateway("AWS_IAM")
    caller = make.user(allow("bedrock-agentcore:InvokeGateway", resource=guarded.arn))
    made["AWS_IAM"] = Door(guarded, auth=SigV4(caller))
    for door in made.values():
        door.gateway.lambda_target("T", function, [tool("echo", required=["word"], word="string"), tool("other")])
    return made


@pytest.fixture(params=["CUSTOM_JWT", "NONE", "AWS_IAM"])
def door(doors, request):
    return doors[request.param]


def with_sdk(door: Door, name: str, arguments: dict) -> dict:
    """Lists all tools and calls one, with the MCP SDK 1.x."""

    async def work():
        async with door.transport() as (reading, writing, _), ClientSession(reading, writing) as session:
            initialized = await session.initialize()
            assert initialized.serverInfo.name == "agentcore-gateway"
            tools, cursor, pages = [], None, 0
            while True:
                page = await session.list_tools(cursor=cursor)
                tools, cursor, pages = tools + page.tools, page.nextCursor, pages + 1
                if cursor is None:
                    break
            await session.send_ping()
            result = await session.call_tool(name, arguments)
            names = [tool.name for tool in tools]
            return {"tools": names, "text": result.content[0].text, "error": bool(result.isError), "pages": pages}

    return asyncio.run(asyncio.wait_for(work(), 60))


def with_strands(door: Door, name: str, arguments: dict) -> dict:
    """The same, with Strands."""
    client = MCPClient(door.transport)
    with client:
        tools, token, pages = [], None, 0
        while True:
            page = client.list_tools_sync(pagination_token=token)
            tools, token, pages = tools + list(page), page.pagination_token, pages + 1
            if token is None:
                break
        result = client.call_tool_sync("call-1", name, arguments)
        names = [tool.tool_name for tool in tools]
        text, error = result["content"][0]["text"], result["status"] == "error"
        return {"tools": names, "text": text, "error": error, "pages": pages}


def modern(client: str, door: Door, name: str, arguments: dict) -> dict:
    """The same, with a client of the second generation."""
    assert door.auth is None, "the second generation signs nothing here"
    asked = {"client": client, "url": door.gateway.url, "token": door.token, "tool": name, "arguments": arguments}
    done = subprocess.run(
        [modern_python(), str(PROJECT / "e2e" / "modern_client.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        env=plain_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def modern_python() -> str:
    python = os.environ.get(ENVIRONMENT)
    assert python, f"set {ENVIRONMENT} to the Python of an environment with e2e/requirements-mcp2.txt"
    return python


def typescript(client: str, door: Door, name: str, arguments: dict) -> dict:
    """The same, with the TypeScript SDK."""
    asked = {"client": client, "url": door.gateway.url, "token": door.token, "tool": name, "arguments": arguments}
    script = node.among_packages("typescript_client.mjs")
    done = node.run(script, input=json.dumps(asked), timeout=120)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def inspector(door: Door, name: str, arguments: dict) -> dict:
    """The same, with the command line of the MCP Inspector."""

    def ask(*method) -> dict:
        program = node.PACKAGES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
        headers = [f"{key}: {value}" for key, value in door.headers.items()]
        options = ["--transport", "http", *(["--header", *headers] if headers else []), "--method", *method]
        done = node.run(program, "--cli", door.gateway.url, *options, timeout=120)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    tools = [found["name"] for found in ask("tools/list")["tools"]]
    pairs = [part for key, value in arguments.items() for part in ("--tool-arg", f"{key}={json.dumps(value)}")]
    result = ask("tools/call", "--tool-name", name, *pairs)
    return {"tools": tools, "text": result["content"][0]["text"], "error": bool(result.get("isError"))}


FIRST = {"sdk-1": with_sdk, "strands": with_strands}
SECOND = {
    "sdk-2": lambda *asked: modern("sdk", *asked),
    "strands-2": lambda *asked: modern("strands", *asked),
    "typescript-1": lambda *asked: typescript("sdk-1", *asked),
    "typescript-2": lambda *asked: typescript("sdk-2", *asked),
    "typescript-2-auto": lambda *asked: typescript("sdk-2-auto", *asked),
    "inspector": inspector,
}


# --- functions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", FIRST)
def test_the_first_generation_lists_and_calls(door, client):
    seen = FIRST[client](door, "T___echo", {"word": "hello"})
    assert seen["tools"] == ["T___echo", "T___other"] and seen["error"] is False
    assert json.loads(seen["text"]) == {"tool": "T___echo", "arguments": {"word": "hello"}}


@pytest.mark.parametrize("authorizer", ["CUSTOM_JWT", "NONE"])
@pytest.mark.parametrize("client", SECOND)
def test_the_second_generation_lists_and_calls(doors, client, authorizer):
    seen = SECOND[client](doors[authorizer], "T___echo", {"word": "hello"})
    assert seen["tools"] == ["T___echo", "T___other"] and seen["error"] is False
    assert json.loads(seen["text"]) == {"tool": "T___echo", "arguments": {"word": "hello"}}


def test_who_may_not_invoke_is_turned_away(doors, make):
    """Signed by somebody with other permissions; signed by nobody; a token where a signature is wanted."""
    gateway = doors["AWS_IAM"].gateway
    other = make.user(allow("bedrock-agentcore:InvokeGateway", resource=doors["NONE"].gateway.arn))
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    signed = SigV4(other).signature("POST", gateway.url, body.encode())
    assert Wire(gateway.url).post(body, **signed).status_code == 403
    assert Wire(gateway.url).post(body).status_code in (401, 403)
    assert Wire(gateway.url, doors["CUSTOM_JWT"].token).post(body).status_code in (401, 403)
    stranger = make.pool(["invoke"]).client("invoke")
    refused = Wire(doors["CUSTOM_JWT"].gateway.url, stranger.token()).post(body)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.fixture(scope="module")
def many(make, function):
    """A gateway with more tools than a page holds, in two targets."""
    gateway = make.gateway("NONE")
    for target, count in (("First", MANY - 50), ("Second", 50)):
        gateway.lambda_target(target, function, [tool(f"tool_{number:03}", word="string") for number in range(count)])
    return Door(gateway)


@pytest.mark.parametrize("client", [*FIRST, *SECOND])
def test_every_page_is_listed(many, client):
    seen = {**FIRST, **SECOND}[client](many, "Second___tool_049", {"word": "last"})
    expected = [f"First___tool_{number:03}" for number in range(MANY - 50)]
    expected += [f"Second___tool_{number:03}" for number in range(50)]
    assert sorted(seen["tools"]) == sorted(expected)
    assert seen.get("pages", 2) > 1, "all tools came in one page"
    assert json.loads(seen["text"])["tool"] == "Second___tool_049"


def test_pages_can_be_switched_off(make, function):
    gateway = make.gateway("NONE", protocolConfiguration={"mcp": {"disableMcpListToolsPagination": True}})
    gateway.lambda_target("All", function, [tool(f"tool_{number:03}") for number in range(MANY)])
    seen = with_sdk(Door(gateway), "All___tool_000", {})
    assert (len(seen["tools"]), seen["pages"]) == (MANY, 1)


# --- MCP servers -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["sdk-1 stateful", "sdk-1 stateless", "sdk-2 stateful", "sdk-2 stateless"])
def upstream(request):
    """A real MCP server of this machine; gives its endpoint."""
    sdk, mode = request.param.split()
    python = sys.executable if sdk == "sdk-1" else modern_python()
    command = [python, str(PROJECT / "e2e" / "upstream_server.py"), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain_environment()) as process:
        try:
            port = process.stdout.readline().strip()
            assert port.isdigit(), "the upstream did not start"
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def behind(make, upstream):
    """The MCP server as a target of a gateway with tokens."""
    pool = make.pool(["invoke"])
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client))
    gateway.mcp_target("Up", upstream)
    return Door(gateway, token=client.token())


@pytest.mark.parametrize("client", [*FIRST, *SECOND])
def test_tools_of_mcp_servers_are_listed_and_called(behind, client):
    ask = {**FIRST, **SECOND}[client]
    seen = ask(behind, "Up___add", {"a": 2, "b": 3})
    assert seen["tools"] == ["Up___add", "Up___greet", "Up___fail"]
    assert (seen["text"], seen["error"]) == ("5", False)


def test_an_upstreams_own_error_is_the_callers_to_see(behind):
    seen = with_sdk(behind, "Up___fail", {"why": "out of ink"})
    assert seen["error"] is True and "out of ink" in seen["text"]


def test_upstream_schemas_arrive_whole(behind):
    [add] = [found for found in Wire(behind.gateway.url, behind.token).tools() if found["name"] == "Up___add"]
    assert add["description"] == "Adds two numbers."
    assert set(add["inputSchema"]["properties"]) == {"a", "b"}
    assert add["inputSchema"]["required"] == ["a", "b"]
    result = Wire(behind.gateway.url, behind.token).tool("Up___add", a=1, b=1)["result"]
    assert result["structuredContent"] == {"result": 2}, result


def test_an_upstream_that_is_not_there_fails_its_target(make):
    gateway = make.gateway("NONE")
    target = gateway.mcp_target("Gone", "http://127.0.0.1:9/mcp", ready=False)
    look = lambda: gateway.control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=target)
    failed = scenery.until("the target", look, lambda seen: seen["status"] == "FAILED")
    assert "127.0.0.1:9" in failed["statusReasons"][0]


# --- the protocol by hand --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_by_hand(doors, version):
    door = doors["CUSTOM_JWT"]
    wire = Wire(door.gateway.url, door.token)
    initialized = wire.initialize(version)
    assert initialized["protocolVersion"] == version
    assert initialized["serverInfo"]["name"] == "agentcore-gateway" and "tools" in initialized["capabilities"]
    assert wire.call("ping")["result"] == {}
    assert [found["name"] for found in wire.tools()] == ["T___echo", "T___other"]
    answer = wire.tool("T___echo", word="hello")
    assert answer["result"]["isError"] is False
    assert json.loads(text_of(answer))["arguments"] == {"word": "hello"}
    # Not whole yet, and so refused whole: a client of 2026-07-28 falls back to the handshake.
    assert wire.call("server/discover")["error"]["code"] == -32601
    assert wire.call("no/such/method")["error"]["code"] == -32601


def test_batches_belong_to_one_version(doors):
    door = doors["NONE"]
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "x"}},
        {"jsonrpc": "2.0", "id": "b", "method": "tools/call", "params": {"name": "T___echo", "arguments": {"word": "x"}}},
    ]
    for headers in ({}, {"MCP-Protocol-Version": "2025-03-26"}):
        answers = read(Wire(door.gateway.url).post(batch, **headers))
        by_id = {answer["id"]: answer["result"] for answer in answers}
        assert by_id.keys() == {"a", "b"} and by_id["b"]["isError"] is False
    for version in VERSIONS[1:]:
        refused = Wire(door.gateway.url, version=version).post(batch)
        assert refused.status_code == 400 and refused.json()["error"]["code"] == -32600
    only_notifications = Wire(door.gateway.url).post([batch[1]])
    assert only_notifications.status_code == 202 and not only_notifications.content


def test_a_version_that_is_not_spoken(doors):
    wire = Wire(doors["NONE"].gateway.url)
    hello = {"protocolVersion": "2099-01-01", "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1"}}
    assert wire.call("initialize", hello)["result"]["protocolVersion"] == "2025-11-25", "the newest is offered instead"
    refused = wire.post(wire.message("ping"), **{"MCP-Protocol-Version": "2099-01-01"})
    assert refused.status_code == 400 and "2025-11-25" in refused.text


def test_answers_come_as_the_client_takes_them(doors):
    wire = Wire(doors["NONE"].gateway.url)
    ping = wire.message("ping")
    json_only = wire.post(ping, Accept="application/json")
    assert json_only.headers["Content-Type"] == "application/json" and json_only.json()["result"] == {}
    stream_only = wire.post(ping, Accept="text/event-stream")
    assert stream_only.headers["Content-Type"].startswith("text/event-stream") and read(stream_only)["result"] == {}
    assert wire.post(ping, Accept="text/html").status_code == 406
    assert wire.post(ping, **{"Content-Type": "text/plain"}).status_code == 415


def test_what_is_no_message_is_refused(doors):
    url = doors["NONE"].gateway.url
    wire = Wire(url)
    for body, code in (
        ("{", -32700),
        ("[]", -32600),
        ("1", -32600),
        ('{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600),
        ('{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
        ('{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "ping"}', -32700),
    ):
        refused = wire.post(body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, code), f"{body} {refused.text}"
    assert requests.get(url, timeout=30).status_code == 405
    assert requests.delete(url, timeout=30).status_code == 405
    assert wire.post(wire.message("ping"), Origin="https://evil.example").status_code == 403
    assert wire.post(wire.message("ping"), Host="evil.example").status_code == 403
    assert wire.post(wire.message("ping"), Origin="http://localhost:3000").status_code == 200


def test_a_gateway_answers_at_its_aws_name(doors):
    door = doors["CUSTOM_JWT"]
    host = f"{door.gateway.id}.gateway.bedrock-agentcore.{REGION}.amazonaws.com"
    here = door.gateway.url.rpartition("/gateways/")[0]
    wire = Wire(f"{here}/mcp", door.token, Host=host)
    assert [found["name"] for found in wire.tools()] == ["T___echo", "T___other"]


def test_strangers_are_shown_the_way(doors):
    """RFC 9728: the challenge leads to metadata that leads to the issuer, whose own metadata has the token endpoint."""
    door = doors["CUSTOM_JWT"]
    refused = Wire(door.gateway.url).post({"jsonrpc": "2.0", "id": 7, "method": "ping"})
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == -32001
    challenge = dict(part.split("=", 1) for part in refused.headers["WWW-Authenticate"][len("Bearer ") :].split(", "))
    metadata = requests.get(challenge["resource_metadata"].strip('"'), timeout=30).json()
    assert metadata["resource"] == door.gateway.url
    [issuer] = metadata["authorization_servers"]
    described = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=30).json()
    assert described["issuer"] == issuer
    assert requests.get(described["jwks_uri"], timeout=30).json()["keys"]
    assert described["token_endpoint"].startswith(door.gateway.server.endpoint)
