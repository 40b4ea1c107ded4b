"""The tool that finds tools: first in the list, and silent about what its caller may not see."""

import json

import pytest

from scenery import tool
from wire import Wire, text_of

NAME = "x_amz_bedrock_agentcore_search"
TOOLS = [
    tool("refund_order", "Gives a customer the money of an order back.", order="string"),
    tool("list_orders", "Lists the orders of a customer.", customer="string"),
    tool("weather", "Tells the weather of a city.", city="string"),
]


@pytest.fixture
def gateway(make):
    settings = {"protocolConfiguration": {"mcp": {"searchType": "SEMANTIC"}}}
    made = make.gateway(**settings)
    made.lambda_target("Shop", make.function(), TOOLS)
    return made


def found(answer):
    result = answer["result"]
    assert json.loads(text_of(answer)) == result["structuredContent"]
    return result["structuredContent"]["tools"]


def test_the_search_is_listed_first_and_finds_what_fits(gateway, make):
    wire = Wire(gateway.url)
    listed = wire.tools()
    assert [one["name"] for one in listed] == [NAME, "Shop___refund_order", "Shop___list_orders", "Shop___weather"]
    assert listed[0]["inputSchema"]["required"] == ["query"]
    best = found(wire.tool(NAME, query="give the customer the money of an order back"))
    assert best[0] == listed[1]
    assert found(wire.tool(NAME, query="qqqqqqqq")) == []
    assert wire.call("tools/call", {"name": NAME, "arguments": {}})["result"]["isError"]
    make.audited(lambda event: event.get("tool") == NAME and event["decision"] == "allow")


def test_without_it_there_is_none(make):
    gateway = make.gateway()
    gateway.lambda_target("Shop", make.function(), TOOLS)
    wire = Wire(gateway.url)
    assert NAME not in [one["name"] for one in wire.tools()]
    assert wire.tool(NAME, query="weather")["error"]["code"] == -32602


def test_a_caller_finds_what_a_caller_may_see(make):
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client), protocolConfiguration={"mcp": {"searchType": "SEMANTIC"}})
    gateway.lambda_target("Shop", make.function(), TOOLS)
    engine = make.engine()
    gateway.enforce(engine.arn)
    engine.policy(
        f'permit(principal, action == AgentCore::Action::"Shop___weather", resource == AgentCore::Gateway::"{gateway.arn}");'
    )
    wire = Wire(gateway.url, client.token())
    assert [one["name"] for one in wire.tools()] == [NAME, "Shop___weather"]
    names = [one["name"] for one in found(wire.tool(NAME, query="weather, orders and refunds"))]
    assert names == ["Shop___weather"]
