"""MCP servers behind a key or a token: they are listed and called with it, and it does not come back."""

import json
import subprocess
import sys

import pytest

from outbound import api_key, assert_silent, oauth, with_credential
from portcullis import PROJECT, Server, plain_environment
from scenery import trail, until
from wire import Wire

KEY = "mcp/key+that-no-model-may-see-0123456789"


class Guarded:
    """A real MCP server that lets in whom it is told to."""

    def __init__(self):
        command = [sys.executable, str(PROJECT / "e2e" / "guarded_server.py")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain_environment()
        )
        port = self.process.stdout.readline().strip()
        assert port.isdigit(), "the server did not start"
        self.url = f"http://127.0.0.1:{port}/mcp"

    def accept(self, *values: str, header: str = "authorization") -> list:
        """Lets in who shows one of these; gives what was shown since the last time."""
        self.process.stdin.write(json.dumps({"header": header, "accepts": list(values) or None}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.terminate()
        self.process.stdin.close()
        self.process.wait(20)


@pytest.fixture
def guarded():
    running = Guarded()
    yield running
    running.end()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own; its log is searched."""
    with Server(tmp_path_factory.mktemp("mcp-credentials"), environment={"RUST_LOG": "debug"}) as own:
        yield own


@pytest.fixture(scope="module")
def gateway_role(make):
    return make.vault_role()


def test_a_server_behind_a_key(server, make, guarded, gateway_role):
    guarded.accept(KEY, header="x-key")
    streaming = {"mcp": {"streamingConfiguration": {"enableResponseStreaming": True}}}
    gateway = make.gateway(roleArn=gateway_role, exceptionLevel="DEBUG", protocolConfiguration=streaming)
    bare = with_credential(gateway, "Bare", {"mcpServer": {"endpoint": guarded.url}})
    assert bare["status"] == "FAILED" and "401" in " ".join(bare["statusReasons"])
    key = api_key(server, KEY, credentialLocation="HEADER", credentialParameterName="X-Key")
    target = with_credential(gateway, "Up", {"mcpServer": {"endpoint": guarded.url}}, key)
    assert target["status"] == "READY", target
    wire = Wire(gateway.url, token="of-the-client")
    wire.initialize()
    assert {tool["name"] for tool in wire.tools()} == {"Up___leak", "Up___chatter"}
    leaked = wire.tool("Up___leak")
    assert "[masked]" in leaked["result"]["content"][0]["text"]
    assert_silent("the answer", json.dumps(leaked), KEY)
    assert "of-the-client" not in json.dumps(leaked), "what the client presented goes no further"
    meta = {"name": "Up___chatter", "arguments": {}, "_meta": {"progressToken": "p"}}
    response = wire.post(wire.message("tools/call", meta))
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.text.count("[masked]") >= 3, response.text
    assert "notifications/progress" in response.text and "notifications/message" in response.text
    assert_silent("the stream", response.text, KEY)
    assert set(guarded.accept(header="x-key")) == {None, KEY}

    guarded.accept("something else", header="x-key")
    failed = wire.tool("Up___leak")["result"]
    assert failed["isError"]
    told = failed["content"][0]["text"]
    assert "[leg target, endpoint" in told and "status 401" in told
    for where, text in [("the log", server.log()), ("the trail", json.dumps(trail(server))), ("the error", told)]:
        assert_silent(where, text, KEY)


def test_a_server_behind_tokens_that_are_withdrawn(server, make, guarded, gateway_role):
    pool = make.pool(("call",))
    client = pool.client("call")
    gateway = make.gateway(roleArn=gateway_role)
    target = with_credential(gateway, "Up", {"mcpServer": {"endpoint": guarded.url}}, oauth(server, pool, client))
    assert target["status"] == "READY", target
    wire = Wire(gateway.url)
    wire.initialize()
    leaked = json.dumps(wire.tool("Up___leak"))
    shown = set(guarded.accept()) - {None}
    assert len(shown) == 1 and all(it.startswith("Bearer ey") for it in shown)
    [token] = [it.split(" ")[1] for it in shown]
    assert_silent("the answer", leaked, token)
    guarded.accept("nobody yet")
    # The first token is refused; what is shown afterwards is another, as soon as it may be replaced.
    def anew():
        wire.tool("Up___leak")
        return set(guarded.accept("nobody yet")) - shown

    fresh = until("a fresh token", anew, lambda seen: seen, patience=15)
    guarded.accept(*fresh)
    assert not wire.tool("Up___leak")["result"]["isError"]
    synchronized = gateway.control.synchronize_gateway_targets(gatewayIdentifier=gateway.id, targetIdList=[target["targetId"]])
    assert synchronized["targets"][0]["status"] == "SYNCHRONIZING"
    look = lambda: gateway.control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=target["targetId"])
    assert until("the synchronisation", look, lambda seen: seen["status"] != "SYNCHRONIZING")["status"] == "READY"
    for secret in (token, client.secret, *(it.split(" ")[1] for it in fresh)):
        assert_silent("the log", server.log(), secret)
