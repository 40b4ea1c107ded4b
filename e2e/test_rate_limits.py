"""Rate limits under real traffic: who is counted with whom, what is told to whoever is turned away, and that a change of
something else does not begin the counting anew."""

import time

import pytest

from scenery import name, tool
from wire import Wire, text_of


@pytest.fixture
def gateway(make):
    made = make.gateway()
    made.lambda_target("Tools", make.function(), [tool("echo", text="string"), tool("other", text="string")])
    return made


def limit(gateway, keys, *entries):
    """Limits a gateway: each entry is its values in the order of the keys, and what it allows."""
    written = [{"dimensions": dict(zip(keys, values)), **allowed} for values, allowed in entries]
    made = gateway.control.create_gateway_rate_limit(
        gatewayIdentifier=gateway.id, rateLimitId=name("limit"), dimensionKeys=keys, entries=written
    )
    return made["rateLimitId"]


def requests(rate, period="minute"):
    return {"requests": [{"rate": rate, "period": period}]}


def status(wire, tool_name, **headers):
    message = wire.message("tools/call", {"name": tool_name, "arguments": {"text": "a"}})
    return wire.post(message, **headers)


def test_the_one_too_many_is_told_which_limit_and_how_long(make, gateway):
    limit_id = limit(gateway, ["toolName"], (["*"], requests(2)))
    wire = Wire(gateway.url)
    assert [status(wire, "Tools___echo").status_code for _ in range(2)] == [200, 200]
    refused = status(wire, "Tools___echo")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    answer = refused.json()
    assert answer["error"]["code"] == -32003 and limit_id in answer["error"]["message"]
    assert answer["id"] is not None
    # Another tool is another count; a list is no call of a tool.
    assert status(wire, "Tools___other").status_code == 200
    assert wire.tools()
    # A tool that does not exist is counted like one that does.
    absent = [status(wire, "Tools___absent") for _ in range(3)]
    assert [one.status_code for one in absent] == [200, 200, 429]
    told = lambda one: one.json()["error"]["message"].split(". Try")[0]
    assert told(absent[2]) == told(refused)
    events = make.audited(lambda event: event.get("reason") == f"the rate limit {limit_id}", least=2)
    assert [(event["decision"], event["outcome"]) for event in events] == [("deny", "refused")] * 2


def test_exact_values_win_and_a_rate_of_nothing_blocks(gateway):
    key = "$.context.request.header.x-tenant"
    limit(gateway, [key], (["*"], requests(1)), (["good"], requests(3)), (["bad"], requests(0)))
    wire = Wire(gateway.url)
    calls = lambda times, **headers: [status(wire, "Tools___echo", **headers).status_code for _ in range(times)]
    assert calls(1, **{"X-Tenant": "bad"}) == [429]
    assert "Retry-After" not in status(wire, "Tools___echo", **{"X-Tenant": "bad"}).headers
    assert calls(4, **{"X-Tenant": "good"}) == [200, 200, 200, 429]
    assert calls(2, **{"X-Tenant": "one"}) == [200, 429]
    assert calls(2, **{"X-Tenant": "two"}) == [200, 429]
    # Whoever leaves it out is counted too.
    assert calls(2) == [200, 429]


def test_callers_are_counted_by_their_claims(make):
    pool = make.pool()
    ada, bob = pool.client("invoke"), pool.client("invoke")
    gateway = make.gateway(pool.authorizer(ada, bob))
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    limit(gateway, ["$.context.jwt.client_id"], (["*"], requests(1)))
    of_ada, of_bob = Wire(gateway.url, ada.token()), Wire(gateway.url, bob.token())
    assert [status(of_ada, "Tools___echo").status_code for _ in range(2)] == [200, 429]
    assert [status(of_bob, "Tools___echo").status_code for _ in range(2)] == [200, 429]


def test_bodies_tell_requests_apart(gateway):
    limit(gateway, ["$.context.request.body.params.arguments.text"], (["forbidden"], requests(0)))
    wire = Wire(gateway.url)
    assert text_of(wire.tool("Tools___echo", text="fine"))
    message = wire.message("tools/call", {"name": "Tools___echo", "arguments": {"text": "forbidden"}})
    assert wire.post(message).status_code == 429


def test_counting_goes_on_when_something_else_changes(gateway):
    first = limit(gateway, ["toolName"], (["*"], requests(1)))
    wire = Wire(gateway.url)
    assert [status(wire, "Tools___echo").status_code for _ in range(2)] == [200, 429]
    gateway.update(description="another description")
    limit(gateway, ["targetName"], (["*"], requests(1000)))
    assert status(wire, "Tools___echo").status_code == 429
    # Who changes the limit itself begins anew.
    gateway.control.update_gateway_rate_limit(
        gatewayIdentifier=gateway.id,
        rateLimitId=first,
        entries=[{"dimensions": {"toolName": "*"}, **requests(2)}],
    )
    assert status(wire, "Tools___echo").status_code == 200


def test_a_second_brings_another_request(gateway):
    limit(gateway, ["toolName"], (["*"], requests(1, "second")))
    wire = Wire(gateway.url)
    assert status(wire, "Tools___echo").status_code == 200
    refused = status(wire, "Tools___echo")
    if refused.status_code == 429:
        time.sleep(int(refused.headers["Retry-After"]))
    assert status(wire, "Tools___echo").status_code == 200
