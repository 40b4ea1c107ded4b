"""Quotas of the installation: how much is taken at all, whatever a gateway's own limits are."""

import json

import pytest

import echo_service
from outbound import with_credential
from portcullis import Server
from scenery import Scenery, tool
from wire import Wire, text_of

FEW = """
[quotas]
requests-per-second-per-gateway = 2
requests-per-second-per-account = 3
"""

SMALL = """
[gateway]
max-payload-megabytes = 1

[quotas]
searches-per-minute-per-gateway = 2
"""

LONG = """
def lambda_handler(event, context):
    return "x" * (700 * 1024)
"""


def scenery(folder, settings: str):
    running = Server(folder, settings=settings)
    try:
        yield Scenery(running.start())
    finally:
        running.dispose()


@pytest.fixture
def few(tmp_path):
    yield from scenery(tmp_path, FEW)


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    yield from scenery(tmp_path_factory.mktemp("quotas"), SMALL)


def gateway_of(make, code: str | None = None, **more):
    made = make.gateway(**more)
    made.lambda_target("Tools", make.function(code) if code else make.function(), [tool("echo", text="string")])
    return made


def calls(url: str, count: int, method: str = "tools/list", params: dict | None = None) -> list:
    """The answers to so many requests, as fast as one connection carries them."""
    wire = Wire(url)
    return [wire.post(wire.message(method, params or {})) for _ in range(count)]


def test_a_gateway_and_an_account_take_so_much_in_a_second(few):
    one, other = gateway_of(few), gateway_of(few)
    wires = [Wire(one.url), Wire(other.url)]
    answers = [wire.post(wire.message("tools/list", {})) for _ in range(20) for wire in wires]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert {answer.json()["error"]["code"] for answer in refused} == {-32003}
    assert {int(answer.headers["Retry-After"]) for answer in refused} == {1}
    said = " ".join(answer.json()["error"]["message"] for answer in refused)
    assert "requests-per-second-per-gateway" in said and "requests-per-second-per-account" in said
    # Nothing else is counted.
    assert {answer.status_code for answer in calls(other.url, 40, "ping")} == {200}


def test_so_many_searches_in_a_minute(make):
    search = {"mcp": {"searchType": "SEMANTIC"}}
    made = gateway_of(make, protocolConfiguration=search)
    asked = {"name": "x_amz_bedrock_agentcore_search", "arguments": {"query": "echo"}}
    answers = calls(made.url, 3, "tools/call", asked)
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "searches-per-minute-per-gateway" in answers[2].json()["error"]["message"]


def test_payloads_are_as_large_as_is_set(make):
    made, service = make.gateway(), echo_service.Service()
    with_credential(made, "Rest", {"openApiSchema": {"inlinePayload": json.dumps(echo_service.document(service.url))}})
    wire = Wire(made.url)
    echo = lambda size: {"name": "Rest___echo", "arguments": {"id": "1", "amount": 1, "note": "a" * size}}
    too_large = wire.post(wire.message("tools/call", echo(1 << 20)))
    assert too_large.status_code == 413 and "1 MB" in too_large.json()["error"]["message"]
    assert not service.seen
    # The service gives back in base64 what it was sent: four thirds of it are too many.
    assert wire.call("tools/call", echo(700 * 1024))["result"]["isError"] is False
    failed = wire.call("tools/call", echo(900 * 1024))["result"]
    assert failed["isError"] and len(service.seen) == 2
    service.end()


def test_the_answers_of_a_batch_are_bounded_together(make):
    made = gateway_of(make, LONG)
    wire = Wire(made.url)
    batch = [wire.message("tools/call", {"name": "Tools___echo", "arguments": {"text": "a"}}) for _ in range(4)]
    answers = wire.post(batch).json()
    assert [answer["id"] for answer in answers] == [message["id"] for message in batch]
    assert [len(text_of(answer)) > 700_000 for answer in answers[:2]] == [True, True]
    assert all("a batch of its own" in answer["error"]["message"] for answer in answers[2:])
