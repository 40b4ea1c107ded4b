"""Interceptors that are real functions: what they see, what they may change, and that nothing passes them by."""

import json

import pytest

from scenery import tool
from wire import Wire, read, text_of

SEE = '''
import json, os
def lambda_handler(event, context):
    """Puts what it sees of the request into the arguments of the call."""
    request = event["mcp"]["gatewayRequest"]
    body = request["body"]
    if body["method"] == "tools/call":
        body["params"]["arguments"]["text"] = json.dumps(event)
    return {"interceptorOutputVersion": "1.0", "mcp": {"transformedGatewayRequest": {"body": body}}}
'''

FILTER = '''
def lambda_handler(event, context):
    """Takes a tool out of lists, and stamps every other answer."""
    response = event["mcp"]["gatewayResponse"]
    body = response["body"]
    tools = (body.get("result") or {}).get("tools")
    if tools is None:
        assert response["statusCode"] == 200
        body["result"] = {"content": [{"type": "text", "text": "stamped"}], "isError": False}
        changed = {"statusCode": 201, "headers": {"X-Stamp": "yes", "Content-Length": "1"}, "body": body}
    else:
        body["result"]["tools"] = [tool for tool in tools if not tool["name"].endswith("hidden")]
        changed = {"body": body}
    return {"interceptorOutputVersion": "1.0", "mcp": {"transformedGatewayResponse": changed}}
'''

REDIRECT = '''
def lambda_handler(event, context):
    """Calls another tool than the client."""
    body = event["mcp"]["gatewayRequest"]["body"]
    if body["method"] == "tools/call":
        body["params"]["name"] = "Tools___" + body["params"]["arguments"]["text"]
    return {"interceptorOutputVersion": "1.0", "mcp": {"transformedGatewayRequest": {"body": body}}}
'''

REPLY = '''
def lambda_handler(event, context):
    """Answers in the place of the gateway."""
    body = event["mcp"]["gatewayRequest"]["body"]
    if body["method"] != "tools/call":
        return {}
    answer = {"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32000, "message": "not on Sundays"}}
    return {"interceptorOutputVersion": "1.0", "mcp": {"transformedGatewayResponse": {"statusCode": 403, "body": answer}}}
'''


def interceptor(arn, *points, headers=False):
    return {
        "interceptor": {"lambda": {"arn": arn}},
        "interceptionPoints": list(points),
        "inputConfiguration": {"passRequestHeaders": headers},
    }


@pytest.fixture
def intercepted(make):
    """A gateway with three tools and these interceptors."""

    def made(*interceptors, authorizer="NONE", **settings):
        gateway = make.gateway(authorizer, interceptorConfigurations=list(interceptors), **settings)
        tools = [tool(one, text="string") for one in ("echo", "other", "hidden")]
        gateway.lambda_target("Tools", make.function(), tools)
        return gateway

    return made


@pytest.mark.parametrize("headers", [True, False])
def test_an_interceptor_sees_the_request(make, intercepted, headers):
    gateway = intercepted(interceptor(make.function(SEE), "REQUEST", headers=headers))
    wire = Wire(gateway.url, **{"X-Tenant": "t-1"})
    answer = wire.tool("Tools___echo", text="mine")
    event = json.loads(json.loads(text_of(answer))["arguments"]["text"])
    assert event["interceptorInputVersion"] == "1.0"
    raw = json.loads(event["mcp"]["rawGatewayRequest"]["body"])
    request = event["mcp"]["gatewayRequest"]
    assert raw == request["body"] and raw["params"]["arguments"] == {"text": "mine"}
    assert (request["path"], request["httpMethod"]) == ("/mcp", "POST")
    assert "gatewayResponse" not in event["mcp"]
    if headers:
        assert request["headers"]["X-Tenant"] == "t-1" and request["headers"]["Content-Type"] == "application/json"
    else:
        assert "headers" not in request


def test_answers_and_lists_are_changed(make, intercepted):
    gateway = intercepted(interceptor(make.function(FILTER), "RESPONSE"))
    wire = Wire(gateway.url)
    assert [one["name"] for one in wire.tools()] == ["Tools___echo", "Tools___other"]
    response = wire.post(wire.message("tools/call", {"name": "Tools___echo", "arguments": {"text": "a"}}))
    assert response.status_code == 201 and response.headers["X-Stamp"] == "yes"
    assert text_of(read(response)) == "stamped"


def test_a_changed_request_is_authorized_as_changed(make, intercepted):
    pool = make.pool()
    client = pool.client("invoke")
    gateway = intercepted(interceptor(make.function(REDIRECT), "REQUEST"), authorizer=pool.authorizer(client))
    engine = make.engine()
    gateway.enforce(engine.arn)
    engine.policy(
        f'permit(principal, action == AgentCore::Action::"Tools___echo", resource == AgentCore::Gateway::"{gateway.arn}");'
    )
    wire = Wire(gateway.url, client.token())
    # The client may not call `other`, and the interceptor makes a call of `echo` of it.
    assert json.loads(text_of(wire.tool("Tools___other", text="echo")))["tool"] == "Tools___echo"
    # The client may call `echo`, and the interceptor makes a call of `other` of it.
    denied = wire.tool("Tools___echo", text="other")
    assert denied["result"]["isError"] and "AuthorizeActionException" in text_of(denied)


def test_an_interceptor_answers_and_the_other_still_sees_it(make, intercepted):
    gateway = intercepted(interceptor(make.function(REPLY), "REQUEST"))
    wire = Wire(gateway.url)
    response = wire.post(wire.message("tools/call", {"name": "Tools___echo", "arguments": {"text": "a"}}))
    assert response.status_code == 403 and response.json()["error"]["message"] == "not on Sundays"
    assert len(wire.tools()) == 3
    [event] = make.audited(lambda event: event.get("resource") == gateway.arn and event.get("decision") == "deny")
    assert event["tool"] == "Tools___echo"
    seen = '''
def lambda_handler(event, context):
    body = event["mcp"]["gatewayResponse"]["body"]
    if "error" in body:
        body["error"]["message"] += ", says the one"
    return {"interceptorOutputVersion": "1.0", "mcp": {"transformedGatewayResponse": {"body": body}}}
'''
    both = intercepted(
        interceptor(make.function(REPLY), "REQUEST"), interceptor(make.function(seen), "RESPONSE")
    )
    wire = Wire(both.url)
    response = wire.post(wire.message("tools/call", {"name": "Tools___echo", "arguments": {"text": "a"}}))
    assert response.status_code == 403 and response.json()["error"]["message"] == "not on Sundays, says the one"


BROKEN = {
    "raises": "raise ValueError('a secret of the interceptor')",
    "nothing": "return None",
    "text": "return 'ok'",
    "version": "return {'interceptorOutputVersion': '2.0', 'mcp': {}}",
    "body": "return {'interceptorOutputVersion': '1.0', 'mcp': {'transformedGatewayRequest': {'body': 'text'}, 'transformedGatewayResponse': {'body': 'text'}}}",
    "status": "return {'interceptorOutputVersion': '1.0', 'mcp': {'transformedGatewayResponse': {'statusCode': 99, 'body': {}}}}",
}


@pytest.mark.parametrize("point", ["REQUEST", "RESPONSE"])
@pytest.mark.parametrize("how", BROKEN)
def test_nothing_passes_a_broken_interceptor(make, intercepted, point, how):
    source = f"def lambda_handler(event, context):\n    {BROKEN[how]}\n"
    gateway = intercepted(interceptor(make.function(source), point))
    wire = Wire(gateway.url)
    answer = wire.tool("Tools___echo", text="a")
    assert answer["result"]["isError"] and text_of(answer) == "An internal error occurred. Please retry later."
    listed = wire.call("tools/list")
    assert "result" not in listed and listed["error"]["code"] == -32603
    assert "secret" not in json.dumps([answer, listed])
    gateway.update(exceptionLevel="DEBUG")
    assert "interceptor" in text_of(wire.tool("Tools___echo", text="a"))


def test_an_interceptor_that_says_nothing_changes_nothing(make, intercepted):
    silent = make.function("def lambda_handler(event, context):\n    return {}\n")
    gateway = intercepted(interceptor(silent, "REQUEST", "RESPONSE", headers=True))
    wire = Wire(gateway.url)
    wire.initialize()
    assert len(wire.tools()) == 3
    assert json.loads(text_of(wire.tool("Tools___echo", text="a")))["arguments"] == {"text": "a"}


BY_CLAIM = '''
import base64, json
def claims(event):
    token = event["mcp"]["gatewayRequest"]["headers"]["Authorization"].split(" ")[1].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
def lambda_handler(event, context):
    """Shows and calls `hidden` for one client alone."""
    mcp, mine = event["mcp"], claims(event)["client_id"] == "CLIENT"
    if "gatewayResponse" in mcp:
        body = mcp["gatewayResponse"]["body"]
        tools = (body.get("result") or {}).get("tools")
        if tools is not None and not mine:
            body["result"]["tools"] = [tool for tool in tools if not tool["name"].endswith("hidden")]
        return {"interceptorOutputVersion": "1.0", "mcp": {"transformedGatewayResponse": {"body": body}}}
    body = mcp["gatewayRequest"]["body"]
    if body["method"] == "tools/call" and body["params"]["name"].endswith("hidden") and not mine:
        error = {"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32002, "message": "not yours"}}
        return {"interceptorOutputVersion": "1.0", "mcp": {"transformedGatewayResponse": {"statusCode": 403, "body": error}}}
    return {}
'''


def test_an_interceptor_decides_by_the_claims_of_the_token(make, intercepted):
    pool = make.pool()
    mine, other = pool.client("invoke"), pool.client("invoke")
    function = make.function(BY_CLAIM.replace("CLIENT", mine.id))
    both = interceptor(function, "REQUEST", "RESPONSE", headers=True)
    gateway = intercepted(both, authorizer=pool.authorizer(mine, other))
    of_mine, of_other = Wire(gateway.url, mine.token()), Wire(gateway.url, other.token())
    assert len(of_mine.tools()) == 3 and len(of_other.tools()) == 2
    assert json.loads(text_of(of_mine.tool("Tools___hidden", text="a")))["tool"] == "Tools___hidden"
    refused = of_other.post(of_other.message("tools/call", {"name": "Tools___hidden", "arguments": {"text": "a"}}))
    assert refused.status_code == 403 and refused.json()["error"]["message"] == "not yours"


def test_a_stream_is_intercepted_event_by_event(make, intercepted):
    stamp = '''
def lambda_handler(event, context):
    response = event["mcp"]["gatewayResponse"]
    body = response["body"]
    body["result"]["stamp"] = {"streaming": response.get("isStreamingResponse"), "status": response.get("statusCode")}
    return {"interceptorOutputVersion": "1.0", "mcp": {"transformedGatewayResponse": {"headers": {"X-Stamp": "yes"}, "body": body}}}
'''
    settings = {"protocolConfiguration": {"mcp": {"streamingConfiguration": {"enableResponseStreaming": True}}}}
    gateway = intercepted(interceptor(make.function(stamp), "RESPONSE"), **settings)
    wire = Wire(gateway.url)
    response = wire.post(wire.message("tools/call", {"name": "Tools___echo", "arguments": {"text": "a"}}))
    assert response.headers["Content-Type"].startswith("text/event-stream") and response.headers["X-Stamp"] == "yes"
    assert read(response)["result"]["stamp"] == {"streaming": True, "status": 200}
