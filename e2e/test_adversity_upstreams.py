"""Upstreams that are slow, huge, endless, malformed or lying, and upstreams that come back: each call ends in the
documented error, in time and in bounded memory, and the next one works."""

import time
from pathlib import Path

import pytest

from hostile_upstream import TRAPS, HostileUpstream
from scenery import Scenery
from wire import Wire, text_of

INTERNAL = "An internal error occurred. Please retry later."


@pytest.fixture
def upstream():
    made = HostileUpstream()
    yield made
    made.stop()


@pytest.fixture
def impatient(start_server):
    """A server that waits for an upstream for two seconds."""
    return start_server(settings="[gateway]\ncall-timeout-seconds = 2")


def resident(server) -> int:
    """How much memory a server holds, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) // 1024


def test_every_trap_ends_in_an_error_and_nothing_else(impatient, upstream):
    gateway = Scenery(impatient).gateway()
    gateway.mcp_target("Trap", upstream.url)
    wire = Wire(gateway.url)
    wire.initialize()
    assert text_of(wire.tool("Trap___fine")) == "fine, by 1"
    before = resident(impatient)
    for trap in TRAPS[1:]:
        began = time.monotonic()
        answer = wire.tool(f"Trap___{trap}")
        took = time.monotonic() - began
        assert answer["result"]["isError"] and text_of(answer) == INTERNAL, (trap, answer)
        assert took < 8, (trap, took)
        assert text_of(wire.tool("Trap___fine")) == "fine, by 1", trap
    assert resident(impatient) - before < 120, "a lying upstream costs a bounded amount of memory"
    assert "panicked" not in impatient.log()
    gateway.update(exceptionLevel="DEBUG")
    told = text_of(wire.tool("Trap___error_500"))
    assert "the target Trap" in told and "500" in told and upstream.url in told


@pytest.mark.parametrize("forgotten", [404, 400])
def test_an_upstream_that_comes_back_is_greeted_anew(make, forgotten):
    one, other = HostileUpstream(forgotten), HostileUpstream(forgotten)
    try:
        settings = {"protocolConfiguration": {"mcp": {"sessionConfiguration": {"sessionTimeoutInSeconds": 900}}}}
        gateway = make.gateway(**settings)
        gateway.mcp_target("One", one.url)
        gateway.mcp_target("Other", other.url)
        wire = Wire(gateway.url)
        message = wire.message("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1"}})
        wire.http.headers["Mcp-Session-Id"] = wire.post(message).headers["Mcp-Session-Id"]
        wire.http.headers["MCP-Protocol-Version"] = "2025-11-25"
        assert text_of(wire.tool("One___fine")) == "fine, by 1"
        assert text_of(wire.tool("Other___fine")) == "fine, by 1"
        one.stop()
        # While it is away its tools fail, and the other's do not.
        assert wire.tool("One___fine")["result"]["isError"]
        assert text_of(wire.tool("Other___fine")) == "fine, by 1"
        assert len(wire.tools()) == 2 * len(TRAPS)
        one.start()
        assert text_of(wire.tool("One___fine")) == "fine, by 2"
        assert text_of(wire.tool("Other___fine")) == "fine, by 1"
        # It forgets its sessions and stays.
        other.server.sessions.clear()
        assert text_of(wire.tool("Other___fine")) == "fine, by 1"
    finally:
        one.stop()
        other.stop()


def test_an_interceptor_gives_the_credential_and_allowed_headers(make, upstream):
    source = '''
def lambda_handler(event, context):
    request = event["mcp"]["gatewayRequest"]
    headers = {"Authorization": "Bearer of the function", "X-Tenant": "function", "X-Other": "function"}
    changed = {"headers": headers, "body": request["body"]}
    return {"interceptorOutputVersion": "1.0", "mcp": {"transformedGatewayRequest": changed}}
'''
    interceptor = {
        "interceptor": {"lambda": {"arn": make.function(source)}},
        "interceptionPoints": ["REQUEST"],
        "inputConfiguration": {"passRequestHeaders": False},
    }
    gateway = make.gateway(interceptorConfigurations=[interceptor])
    target = gateway.mcp_target("Trap", upstream.url)
    gateway.control.update_gateway_target(
        gatewayIdentifier=gateway.id,
        targetId=target,
        name="Trap",
        targetConfiguration={"mcp": {"mcpServer": {"endpoint": upstream.url}}},
        metadataConfiguration={"allowedRequestHeaders": ["X-Tenant"]},
    )
    wire = Wire(gateway.url, "of the client", **{"X-Tenant": "client", "X-Other": "client"})
    assert text_of(wire.tool("Trap___fine")) == "fine, by 1"
    seen = upstream.server.seen[-1]
    assert seen["authorization"] == "Bearer of the function" and seen["x-tenant"] == "function"
    assert "x-other" not in seen
