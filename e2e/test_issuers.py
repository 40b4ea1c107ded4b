"""Issuers elsewhere, and pools here, while replicas are under load: the issuer is down, its keys change and go. What a replica remembers
of them ends with time, so clocks are set forward instead of waiting.
"""

import pytest

from clocks import Clock
from faults import under_load
from idp import Idp, new_key
from replicas import on_postgres, replicas
from scenery import Scenery
from wire import Wire

pytestmark = on_postgres

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
DISCOVERY = "/.well-known/openid-configuration"
# Seconds: how long an unknown key is not asked for, keys are fresh, callers are known, and keys are good while the issuer is down.
PAUSE, FRESH, KNOWN, STALE = 30, 600, 600, 3600


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    return Clock(tmp_path_factory.mktemp("clock") / "clock")


@pytest.fixture(scope="module")
def three(clock, tmp_path_factory):
    with replicas(tmp_path_factory.mktemp("issuers"), environments=[clock.environment] * 3) as started:
        yield started


class Issuer(Idp):
    """An issuer with two keys, of which it publishes some."""

    def __init__(self):
        super().__init__()
        self.known = {"one": self.key, "two": new_key()}
        self.published = ["one"]

    def keys(self) -> dict:
        return {"keys": [self.jwk(self.known[kid], kid) for kid in self.published]}

    def signed_by(self, kid: str) -> str:
        return self.token(self.known[kid], kid, exp=2_000_000_000)

    def is_down(self):
        self.instead[DISCOVERY] = lambda handler: handler.send_error(503)

    def is_back(self):
        self.instead.clear()


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.close()


class Door:
    """A gateway of an issuer's, and what it answers at each replica."""

    def __init__(self, servers, issuer):
        self.servers, self.issuer = servers, issuer
        authorizer = {"discoveryUrl": issuer.discovery_url, "allowedAudience": ["tools"]}
        self.gateway = Scenery(servers[0]).gateway({"customJWTAuthorizer": authorizer})

    def shows(self, token) -> list:
        wires = [Wire(server.at(self.gateway.url), token, "2025-11-25") for server in self.servers]
        return [wire.post(PING).status_code for wire in wires]

    def says(self, kid: str) -> list:
        """To a token that nobody has seen."""
        return self.shows(self.issuer.signed_by(kid))

    def asked(self, kid: str, times: int) -> int:
        """How often the issuer was asked for so many tokens at each replica."""
        before = len(self.issuer.asked)
        for _ in range(times):
            assert self.says(kid) == [401] * len(self.servers)
        return len(self.issuer.asked) - before


def test_an_issuer_is_down_and_its_keys_change(three, clock, issuer):
    door = Door(three, issuer)

    def disturb(_):
        assert door.says("one") == [200, 200, 200] and len(issuer.asked) >= 2 * len(three)
        issuer.is_down()
        # Known keys go on; unknown ones are refused, and the issuer is asked once by each replica, and not again at once.
        assert door.says("one") == [200, 200, 200]
        clock.set(PAUSE + 1)
        assert door.asked("two", 10) <= 2 * len(three)
        assert door.says("one") == [200, 200, 200]
        clock.set(FRESH + PAUSE)
        assert door.says("one") == [200, 200, 200]
        issuer.published = ["one", "two"]
        issuer.is_back()
        clock.set(FRESH + 2 * PAUSE)
        assert door.says("two") == [200, 200, 200] and door.says("one") == [200, 200, 200]

    now = FRESH + 2 * PAUSE
    under_load(three, disturb)
    seen = issuer.signed_by("one")
    assert door.shows(seen) == [200, 200, 200]
    # A key that the issuer withdraws is believed as long as it is fresh, and who was known by it as long as callers are.
    issuer.published = ["two"]
    clock.set(now + FRESH + 1)
    assert door.says("two") == [200, 200, 200]
    assert door.says("one") == [401, 401, 401]
    clock.set(now + FRESH + KNOWN + 2)
    assert door.shows(seen) == [401, 401, 401]
    # One that is down for longer than its keys are good: nothing can be said about anybody, until it is back.
    assert door.says("two") == [200, 200, 200]
    issuer.is_down()
    now += FRESH + KNOWN + STALE + 3
    clock.set(now)
    assert door.says("two") == [503, 503, 503]
    issuer.is_back()
    clock.set(now + PAUSE)
    assert door.says("two") == [200, 200, 200]
