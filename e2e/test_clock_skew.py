"""Clocks that differ by minutes: leases, decisions and the audit trail do not mind; what a token or a signature says of time is held
against the clock of whoever is asked.
"""

import time

import pytest

from clocks import Clock
from faults import ROUNDS, under_load
from idp import Idp
from replicas import LEASE, on_postgres, replicas
from scenery import Scenery, refusal, tool, until
from test_rate_limits import limit, requests, status
from wire import Wire

pytestmark = on_postgres

MINUTES = 180


@pytest.fixture(scope="module")
def clocks(tmp_path_factory):
    """Behind, right, ahead."""
    folder = tmp_path_factory.mktemp("clocks")
    return [Clock(folder / f"clock{ahead}", ahead) for ahead in (-MINUTES, 0, MINUTES)]


@pytest.fixture(scope="module")
def three(clocks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("skew")
    with replicas(folder, environments=[clock.environment for clock in clocks]) as started:
        yield started


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_clocks_that_differ_change_nothing_about_what_is_acknowledged(three, clocks, turn):
    def disturb(load):
        time.sleep(1)
        for victim in (three[2], three[0]):
            victim.line.cut()
            time.sleep((0.3, 1.3)[turn % 2] * LEASE)
            victim.line.mend()
            until("it is back", victim.is_ready, lambda seen: seen)
        # Somebody sets a clock while all is well.
        clocks[1].set(MINUTES)
        time.sleep(1)
        clocks[1].set(0)

    under_load(three, disturb)


def test_the_time_of_tokens_and_signatures_is_that_of_whoever_is_asked(three, clocks):
    idp = Idp()
    try:
        make = Scenery(three[1])
        gateway = make.gateway(
            {"customJWTAuthorizer": {"discoveryUrl": idp.discovery_url, "allowedAudience": ["tools"]}}
        )
        now = int(time.time())
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        asks = lambda token: [
            Wire(server.at(gateway.url), token, "2025-11-25").post(ping).status_code for server in three
        ]
        assert asks(idp.token()) == [401, 200, 200], "just issued, which is the future where a clock is behind"
        assert asks(idp.token(iat=None)) == [200, 200, 200]
        assert asks(idp.token(iat=now - 900, exp=now + 60)) == [200, 200, 401]
        assert asks(idp.token(iat=now - 900, exp=now - 90)) == [200, 401, 401]
    finally:
        idp.close()
    # Signatures may differ by a quarter of an hour.
    listing = three[1].client("bedrock-agentcore-control").list_gateways
    try:
        for minutes in (14, -14):
            clocks[1].set(60 * minutes)
            listing()
        for minutes in (16, -16):
            clocks[1].set(60 * minutes)
            assert refusal(listing)[0] == 403
    finally:
        clocks[1].set(0)
    listing()


def test_a_limit_holds_for_all_whatever_their_clocks_say(three):
    most, turns = 20, 40
    make = Scenery(three[1])
    gateway = make.gateway()
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    limit(gateway, ["$.context.request.header.x-tenant"], (["blocked"], requests(0)), (["*"], requests(most)))
    wires = [Wire(server.at(gateway.url)) for server in three]
    call = lambda wire, tenant: status(wire, "Tools___echo", **{"X-Tenant": tenant}).status_code
    for wire in wires:
        until("the limit", lambda wire=wire: call(wire, "blocked"), lambda seen: seen == 429)
    three.know_each_other()
    began = time.monotonic()
    answers = [call(wire, "one") for _ in range(turns) for wire in wires]
    took = time.monotonic() - began
    allowed = answers.count(200)
    assert set(answers) == {200, 429}
    # A burst, what was paid for meanwhile, and what is paid for while it may be kept.
    assert most <= allowed <= most + took * most / 60 + most / 30 + 1, (allowed, took)
