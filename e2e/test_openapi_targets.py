"""OpenAPI targets: a document becomes tools, a call becomes a request with the target's credential on it, and nothing
of that credential comes back. Driven by boto3 and by MCP over plain HTTP, against a service that writes down what it
is sent."""

import base64
import json
import urllib.parse

import pytest
from botocore.exceptions import ClientError

import echo_service
from outbound import KEY, VAULT, api_key, assert_silent, oauth, with_credential
from portcullis import REGION, Server
from scenery import GATEWAY_TRUST, allow, name, trail, until
from wire import Wire, text_of


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own, with impatient calls; its log is searched at the end."""
    settings = "[gateway]\ncall-timeout-seconds = 3\n"
    own = Server(tmp_path_factory.mktemp("openapi"), settings=settings, environment={"RUST_LOG": "debug"})
    try:
        yield own.start()
        assert "panicked" not in own.log()
    finally:
        own.dispose()


@pytest.fixture(scope="module")
def gateway_role(make):
    return make.vault_role()


@pytest.fixture
def service():
    running = echo_service.Service()
    yield running
    running.end()


def schema(service, **more) -> dict:
    return {"openApiSchema": {"inlinePayload": json.dumps(echo_service.document(service.url, **more))}}


def test_a_call_is_one_request_as_the_document_says(server, make, service, gateway_role):
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client), roleArn=gateway_role)
    assert with_credential(gateway, "Echo", schema(service), None)["status"] == "READY"
    token = client.token()
    wire = Wire(gateway.url, token)
    wire.initialize()
    [tool] = [tool for tool in wire.tools() if tool["name"] == "Echo___echo"]
    assert tool["description"] == "Echoes what it is sent."
    assert set(tool["inputSchema"]["required"]) >= {"id"}
    arguments = {"id": "a/b ü", "q": "1&2", "tags": ["x", "y"], "X-Trace": "t", "flavour": "sweet", "amount": 3}
    answer = wire.tool("Echo___echo", **arguments)["result"]
    assert not answer["isError"], answer
    [seen] = service.seen
    assert answer["structuredContent"] == seen == json.loads(answer["content"][0]["text"])
    assert (seen["method"], seen["path"]) == ("POST", "/echo/a%2Fb%20%C3%BC")
    assert urllib.parse.parse_qsl(seen["query"]) == [("q", "1&2"), ("tags", "x"), ("tags", "y")]
    assert (seen["cookie"], seen["headers"]["x-trace"]) == ("flavour=sweet", "t")
    assert json.loads(base64.b64decode(seen["body"])) == {"amount": 3}
    assert "authorization" not in seen["headers"] and token not in json.dumps(seen)

    refused = wire.tool("Echo___echo", id="x", nonsense=1, amount=1)["result"]
    assert refused["isError"] and "nonsense" in refused["content"][0]["text"]
    refused = wire.tool("Echo___echo", amount=1)["result"]
    assert refused["isError"] and "id" in refused["content"][0]["text"]
    assert len(service.seen) == 1, "what is refused goes nowhere"


def test_policies_decide_by_the_arguments(server, make, service, gateway_role):
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client), roleArn=gateway_role)
    with_credential(gateway, "Echo", schema(service))
    engine = make.engine()
    engine.policy(
        f'permit(principal, action == AgentCore::Action::"Echo___echo", resource == AgentCore::Gateway::"{gateway.arn}")'
        " when { context.input has amount && context.input.amount < 10 };"
    )
    gateway.enforce(engine.arn)
    wire = Wire(gateway.url, client.token())
    wire.initialize()
    assert [tool["name"] for tool in wire.tools()] == ["Echo___echo"]
    assert not wire.tool("Echo___echo", id="1", amount=9)["result"]["isError"]
    assert "Denied" in text_of(wire.tool("Echo___echo", id="1", amount=10))
    assert "Denied" in text_of(wire.tool("Echo___leak"))
    assert len(service.seen) == 1


def test_a_document_in_the_object_store_needs_the_callers_own_permission(server, make, service, gateway_role):
    gateway = make.gateway(roleArn=gateway_role)
    s3, bucket = server.client("s3"), name("schemas")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="echo.json", Body=json.dumps(echo_service.document(service.url)).encode())
    at = {"openApiSchema": {"s3": {"uri": f"s3://{bucket}/echo.json"}}}
    stranger = make.user(allow("bedrock-agentcore:*"))
    with pytest.raises(ClientError, match="s3:GetObject") as caught:
        stranger.client("bedrock-agentcore-control").create_gateway_target(
            gatewayIdentifier=gateway.id, name="Stranger", targetConfiguration={"mcp": at}
        )
    assert f"arn:aws:s3:::{bucket}/echo.json" in str(caught.value)
    assert with_credential(gateway, "Stored", at)["status"] == "READY"
    wire = Wire(gateway.url)
    wire.initialize()
    assert not wire.tool("Stored___echo", id="1", amount=1)["result"]["isError"]
    assert service.seen[0]["path"] == "/echo/1"


@pytest.mark.parametrize(
    ("place", "header", "value"),
    [
        ({}, "authorization", f"Bearer {KEY}"),
        ({"credentialPrefix": "Token"}, "authorization", f"Token {KEY}"),
        ({"credentialLocation": "HEADER", "credentialParameterName": "X-Key"}, "x-key", KEY),
    ],
)
def test_an_api_key_goes_into_a_header(server, make, service, gateway_role, place, header, value):
    gateway = make.gateway(roleArn=gateway_role)
    with_credential(gateway, "Echo", schema(service), api_key(server, **place))
    wire = Wire(gateway.url, token="a-token-of-the-client")
    wire.initialize()
    answer = wire.tool("Echo___echo", id="1", amount=1)
    [seen] = service.seen
    assert seen["headers"][header] == value
    assert "a-token-of-the-client" not in json.dumps(seen)
    assert_silent("the answer", json.dumps(answer), KEY)
    assert "[masked]" in answer["result"]["structuredContent"]["headers"][header]


def test_an_api_key_goes_into_the_query_and_no_argument_takes_its_place(server, make, service, gateway_role):
    gateway = make.gateway(roleArn=gateway_role)
    key = api_key(server, credentialLocation="QUERY_PARAMETER")
    with_credential(gateway, "Echo", schema(service), key)
    wire = Wire(gateway.url)
    wire.initialize()
    answer = wire.tool("Echo___echo", id="1", amount=1, q="1", api_key="of-the-model")
    [seen] = service.seen
    assert urllib.parse.parse_qsl(seen["query"]) == [("q", "1"), ("api_key", KEY)]
    assert_silent("the answer", json.dumps(answer), KEY)


def test_a_role_that_may_not_use_the_provider_cannot(server, make, service):
    role = make.role(GATEWAY_TRUST, allow("bedrock-agentcore:GetResourceApiKey", resource=f"{VAULT}"))
    gateway = make.gateway(roleArn=role, exceptionLevel="DEBUG")
    with_credential(gateway, "Echo", schema(service), api_key(server))
    wire = Wire(gateway.url)
    wire.initialize()
    answer = wire.tool("Echo___echo", id="1", amount=1)["result"]
    assert answer["isError"]
    told = answer["content"][0]["text"]
    assert "bedrock-agentcore:GetResourceApiKey" in told and f"{VAULT}/apikeycredentialprovider/" in told
    assert "[leg credential]" in told
    assert service.seen == []


def test_a_token_is_got_shown_and_got_anew_when_it_is_refused(server, make, service, gateway_role):
    pool = make.pool(("invoke", "call"))
    of_gateway = pool.client("call")
    gateway = make.gateway(roleArn=gateway_role)
    with_credential(gateway, "Echo", schema(service), oauth(server, pool, of_gateway))
    wire = Wire(gateway.url)
    wire.initialize()
    assert not wire.tool("Echo___echo", id="1", amount=1)["result"]["isError"]
    assert not wire.tool("Echo___echo", id="2", amount=1)["result"]["isError"]
    first, second = (seen["headers"]["authorization"] for seen in service.seen)
    assert first == second and first.startswith("Bearer ey"), "one token serves many calls"

    refused = {first}
    service.accept(lambda seen: seen["headers"].get("authorization") not in refused)
    # A token that is seconds old is not replaced.
    until(
        "a fresh token",
        lambda: wire.tool("Echo___echo", id="3", amount=1)["result"],
        lambda result: not result["isError"],
        patience=15,
    )
    assert service.seen[-1]["headers"]["authorization"] not in refused
    answer = json.dumps(wire.tool("Echo___leak"))
    token = service.seen[-1]["headers"]["authorization"].split(" ")[1]
    assert_silent("the answer", answer, token)
    for secret in (token, of_gateway.secret):
        assert_silent("the log", server.log(), secret)


@pytest.mark.parametrize("level", [None, "DEBUG"])
def test_what_a_service_gives_back_is_masked(server, make, service, gateway_role, level):
    settings = {"exceptionLevel": level} if level else {}
    gateway = make.gateway(roleArn=gateway_role, **settings)
    metadata = {"metadataConfiguration": {"allowedResponseHeaders": ["X-Leak", "X-Seen"]}}
    key = api_key(server)
    with_credential(gateway, "Echo", schema(service), key, **metadata)
    wire = Wire(gateway.url)
    wire.initialize()
    for tool in ("leak", "leak_fail"):
        response = wire.post(wire.message("tools/call", {"name": f"Echo___{tool}", "arguments": {}}))
        assert response.json()["result"]["isError"] == (tool == "leak_fail")
        assert "[masked]" in response.text and response.headers["X-Seen"] == "Bearer [masked]"
        assert_silent("the answer", response.text + str(response.headers), KEY)
    assert_silent("the log", server.log(), KEY)
    make.audited(lambda event: event.get("resource") == gateway.arn and event.get("tool"))
    assert_silent("the audit trail", json.dumps(trail(server)), KEY)


def test_a_service_that_misbehaves_ends_in_an_error_that_says_how(server, make, service, gateway_role):
    gateway = make.gateway(roleArn=gateway_role, exceptionLevel="DEBUG")
    quiet = make.gateway(roleArn=gateway_role)
    elsewhere = echo_service.Service()
    service.http.elsewhere = f"{elsewhere.url}/stolen"
    for one in (gateway, quiet):
        with_credential(one, "Echo", schema(service), api_key(server))
    wire, other = Wire(gateway.url), Wire(quiet.url)
    wire.initialize()
    other.initialize()
    at = f"endpoint GET {service.url}"
    for tool, expected in [
        ("redirect", "redirect, which is not followed"),
        ("huge", "larger than 6291456 bytes"),
        ("endless", "larger than 6291456 bytes"),
        ("slow", "no answer within 3 seconds"),
        ("malformed", "the connection broke"),
        ("lying", "the connection broke"),
        ("gzip", "compressed"),
        ("status_404", "as you wished"),
        ("status_503", "as you wished"),
    ]:
        result = wire.tool(f"Echo___{tool}")["result"]
        assert result["isError"], (tool, result)
        assert expected in result["content"][0]["text"], (tool, result)
        debug = result["_meta"]["debug"]["text"]
        assert "leg target" in debug and at in debug, (tool, debug)
        if tool.startswith("status"):
            assert f"status {tool[-3:]}" in debug
    assert elsewhere.seen == [], "a redirect leads nowhere"
    elsewhere.end()
    told = text_of(other.tool("Echo___lying"))
    assert told == "An internal error occurred. Please retry later."
    assert "_meta" not in other.tool("Echo___status_404")["result"]


def test_headers_and_parameters_pass_as_configured_and_nothing_else(server, make, service, gateway_role):
    gateway = make.gateway(roleArn=gateway_role)
    passing = {
        "allowedRequestHeaders": ["X-Tenant", "X-Trace"],
        "allowedQueryParameters": ["region"],
        "allowedResponseHeaders": ["X-Seen"],
    }
    document = echo_service.document(service.url)
    document["paths"]["/echo/{id}"]["post"]["parameters"] = [
        it for it in document["paths"]["/echo/{id}"]["post"]["parameters"] if it["name"] != "X-Trace"
    ]
    configuration = {"openApiSchema": {"inlinePayload": json.dumps(document)}}
    with_credential(gateway, "Echo", configuration, metadataConfiguration=passing)
    wire = Wire(f"{gateway.url}?region=eu&other=1", token="of-the-client", **{"X-Tenant": "t1", "X-Other": "no"})
    wire.initialize()
    response = wire.post(wire.message("tools/call", {"name": "Echo___leak", "arguments": {}}))
    assert response.headers["X-Seen"] == "none" and "X-Leak" not in response.headers
    [seen] = service.seen
    assert seen["query"] == "region=eu"
    assert seen["headers"]["x-tenant"] == "t1"
    assert not {"x-other", "authorization", "mcp-protocol-version"} & set(seen["headers"])


def test_former_revisions_get_no_structured_content(server, make, service, gateway_role):
    gateway = make.gateway(roleArn=gateway_role)
    with_credential(gateway, "Echo", schema(service))
    wire = Wire(gateway.url)
    wire.initialize("2025-03-26")
    result = wire.tool("Echo___echo", id="1", amount=1)["result"]
    assert "structuredContent" not in result and json.loads(result["content"][0]["text"])["path"] == "/echo/1"
