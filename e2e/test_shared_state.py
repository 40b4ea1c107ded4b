"""Several servers on one database, and clients that never come to the same one twice: sessions go on, limits hold for all of
them together, a token is refreshed by one of them, and an empty database becomes one installation."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from authorization_server import AuthorizationServer
from federation import Agent, walk
from hostile_upstream import HostileUpstream
from portcullis import Server
from replicas import on_postgres, replicas
from scenery import Scenery, tool, until
from test_rate_limits import limit, requests, status
from wire import Wire, text_of

pytestmark = on_postgres

SESSIONS = {"protocolConfiguration": {"mcp": {"sessionConfiguration": {"sessionTimeoutInSeconds": 900}}}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with replicas(tmp_path_factory.mktemp("replicas"), 2) as made:
        yield made


@pytest.fixture(scope="module")
def server(shared):
    return shared[0]


def at(server: Server, gateway, token=None, **headers) -> Wire:
    """A caller of a gateway at one server."""
    return Wire(f"{server.endpoint}/gateways/{gateway.id}/mcp", token, **headers)


def opened(wire: Wire) -> str:
    client = {"name": "e2e", "version": "1"}
    message = wire.message("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
    return wire.post(message).headers["Mcp-Session-Id"]


def test_a_session_goes_on_at_every_replica_and_the_server_behind_sees_one(make, shared):
    first, second = shared[:2]
    upstream = HostileUpstream()
    try:
        pool = make.pool()
        ada, eve = pool.client("invoke"), pool.client("invoke")
        gateway = make.gateway(pool.authorizer(ada, eve), **SESSIONS)
        gateway.mcp_target("Up", upstream.url)
        until("the gateway", lambda: at(second, gateway).post({}).status_code, lambda seen: seen == 401, 5)
        token = ada.token()
        wire = at(first, gateway, token)
        session = {"Mcp-Session-Id": opened(wire), "MCP-Protocol-Version": "2025-11-25"}
        here, there = (at(server, gateway, token, **session) for server in (first, second))
        until("the tools", there.tools, len)
        before = upstream.server.initialised
        for one in (here, there, here):
            assert text_of(one.tool("Up___fine")) == "fine, by 1"
        assert upstream.server.initialised == before + 1
        used = {seen["mcp-session-id"] for seen in upstream.server.seen}
        assert len(used) == 1
        # One that the server has forgotten is opened again by whoever notices first, for both.
        upstream.server.sessions.clear()
        for one in (there, here, there):
            assert text_of(one.tool("Up___fine")) == "fine, by 1"
        assert upstream.server.initialised == before + 2
        # It is nobody else's anywhere.
        for server in (first, second):
            stranger = at(server, gateway, eve.token(), **session)
            assert stranger.post(stranger.message("tools/list")).status_code == 404
        # A third replica has never seen it; the one that opened it may be gone.
        third = shared.another().start()
        last = at(third, gateway, token, **session)
        assert text_of(last.tool("Up___fine")) == "fine, by 1"
        assert upstream.server.initialised == before + 2
        third.kill()
        # Its end is its end everywhere.
        assert there.http.delete(there.url, timeout=30).status_code in (200, 204)
        listed = lambda one: one.post(one.message("tools/list")).status_code
        assert listed(there) == 404
        until("the end", lambda: listed(here), lambda seen: seen == 404, 5)
        assert shared.rows("SELECT COUNT(*) FROM mcp_upstream_sessions") == [[0]]
    finally:
        upstream.stop()


def test_a_session_outlives_the_replica_that_opened_it(make, shared):
    _, second = shared[:2]
    third = shared.another().start()
    gateway = make.gateway(**SESSIONS)
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    for server in (second, third):
        until("the target", lambda: at(server, gateway).post({}).status_code, lambda seen: seen == 400)
    wire = at(third, gateway)
    session = {"Mcp-Session-Id": opened(wire), "MCP-Protocol-Version": "2025-11-25"}
    third.kill()
    went_on = at(second, gateway, **session)
    until("the tools", went_on.tools, lambda seen: [one["name"] for one in seen] == ["Tools___echo"])
    # Nothing of it stands in the database: it is its id.
    assert shared.rows("SELECT COUNT(*) FROM mcp_sessions WHERE ended = 0") == [[0]]


def limited(make, shared, *entries):
    """A gateway with a limit that is in force at the first two replicas, and how to call it at each."""
    gateway = make.gateway()
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    # What is blocked costs nothing, and shows that the limit is there.
    limit(gateway, ["$.context.request.header.x-tenant"], (["blocked"], requests(0)), *entries)
    wires = [at(server, gateway) for server in shared[:2]]
    for wire in wires:
        blocked = lambda wire=wire: status(wire, "Tools___echo", **{"X-Tenant": "blocked"}).status_code
        until("the limit", blocked, lambda seen: seen == 429, 5)
    return wires


def test_a_limit_holds_for_all_replicas_together(make, shared):
    shared.know_each_other()
    most = 30
    wires = limited(make, shared, (["*"], requests(most)))
    call = lambda wire: status(wire, "Tools___echo", **{"X-Tenant": "one"})
    call(wires[0])
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(call, wires * most))
    took = time.monotonic() - began
    allowed = 1 + sum(answer.status_code == 200 for answer in answers)
    assert {answer.status_code for answer in answers} == {200, 429}
    # A burst, what was paid for meanwhile, and what is paid for while it may be kept.
    assert most <= allowed <= most + took * most / 60 + most / 30 + 1, (allowed, took)
    refused = answers[-1]
    assert refused.status_code == 429 and 1 <= int(refused.headers["Retry-After"]) <= 3
    # Each value for itself.
    assert status(wires[1], "Tools___echo", **{"X-Tenant": "other"}).status_code == 200


def test_what_cannot_be_taken_is_not_let_through(make, shared):
    shared.know_each_other()
    wires = limited(make, shared, (["*"], requests(1000)))
    call = lambda wire, tenant: status(wire, "Tools___echo", **{"X-Tenant": tenant}).status_code
    assert call(wires[0], "before") == 200
    with contextlib.closing(shared.database.connect()) as connection:
        # The database answers to nobody about rates.
        connection.cursor().execute(f"SELECT pg_advisory_lock({0x50434C52})")
        assert [call(wire, "meanwhile") for wire in wires] == [429, 429]
    for wire in wires:
        until("the limit", lambda wire=wire: call(wire, "after"), lambda seen: seen == 200, 10)


def test_people_are_refreshed_by_one_replica(shared):
    first, second = shared[:2]
    abroad = AuthorizationServer()
    try:
        agent = Agent(first, abroad.provider)
        abroad.lives = 0
        begun = agent.asks()
        walk(begun["authorizationUrl"])
        agent.completes(begun["sessionUri"])
        abroad.lives = 3600
        token, here, there = agent.for_id(), agent.data, second.client("bedrock-agentcore", *first.root_key)
        meet = threading.Barrier(8)

        def ask(client):
            mine = Agent.__new__(Agent)
            mine.__dict__.update(agent.__dict__, data=client)
            meet.wait()
            return mine.asks(token)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, [here, there] * 4))
        assert answers == [{"accessToken": abroad.given[2]}] * 8
        assert [form["grant_type"] for form in abroad.exchanged] == ["authorization_code", "refresh_token"]
    finally:
        abroad.close()


def test_an_empty_database_becomes_one_installation(tmp_path):
    with replicas(tmp_path, at_once=True) as servers:
        keys = {server.root_key for server in servers}
        assert len(keys) == 1
        assert servers.rows("SELECT COUNT(*) FROM sealed_meta WHERE name = 'data_key'") == [[1]]
        assert servers.rows("SELECT COUNT(*) FROM access_keys") == [[1]]
        assert servers.rows("SELECT COUNT(*) FROM accounts") == [[1]]
        # What one seals, the others open.
        servers[0].client("secretsmanager").create_secret(Name="of-all", SecretString="hunter2")
        for server in servers:
            found = server.client("secretsmanager").get_secret_value(SecretId="of-all")
            assert found["SecretString"] == "hunter2"
        gateway = Scenery(servers[0]).gateway()
        for server in servers:
            Wire(server.at(gateway.url)).initialize()
