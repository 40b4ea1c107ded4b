"""The MCP endpoint under bad input: requests that are not MCP's, callers who are nobody, issuers that lie or are away,
functions that hang, crash or talk nonsense. Each gets a clear error, nothing is revealed, and each leaves its audit
event."""

import base64
import json
import threading
import time
import urllib.parse

import pytest
import requests
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from idp import Idp
from scenery import ECHO, archive, name, tool, trail, until
from wire import VERSIONS, Wire, read, text_of

ANY = {"echo": "string"}


@pytest.fixture(scope="module")
def open_gateway(make):
    """A gateway that takes everybody, with one tool."""
    gateway = make.gateway()
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    return gateway


@pytest.fixture
def idp():
    started = Idp()
    yield started
    started.close()


def initialize(wire, **headers):
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1"}}
    return wire.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}, **headers)


# --- what is no request of MCP's -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, status, code",
    [
        ("{", 400, -32700),
        ("", 400, -32700),
        ("nonsense", 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', 400, -32700),
        ('{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 400, -32700),
        ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}', 200, -32602),
        ('"ping"', 400, -32600),
        ("{}", 400, -32600),
        ('{"jsonrpc":"1.0","id":1,"method":"ping"}', 400, -32600),
        ('{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600),
        ('{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
        ('{"jsonrpc":"2.0","id":1,"method":7}', 400, -32600),
        ("[]", 400, -32600),
        ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600),
        ('{"jsonrpc":"2.0","id":1,"method":"nothing/such"}', 200, -32601),
        ('{"jsonrpc":"2.0","id":1,"method":"resources/list"}', 200, -32601),
        ('{"jsonrpc":"2.0","id":1,"method":"server/discover"}', 200, -32601),
        ('{"jsonrpc":"2.0","id":1,"method":"tools/call"}', 200, -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', 200, -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}', 200, -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":7}}', 200, -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"none such"}}', 200, -32602),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_is_no_request_is_refused(open_gateway, body, status, code):
    response = Wire(open_gateway.url, version="2025-11-25").post(body)
    assert response.status_code == status, response.text
    answer = read(response)
    assert answer["error"]["code"] == code and answer["error"]["message"], answer
    assert answer["jsonrpc"] == "2.0" and "result" not in answer


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Accept": "text/html"}, 406),
        ({"MCP-Protocol-Version": "2024-11-05"}, 400),
        ({"MCP-Protocol-Version": "2026-07-28"}, 400),
        ({"MCP-Protocol-Version": "nonsense"}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example:80"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "http://127.0.0.1:1"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Accept": "*/*"}, 200),
        ({"Accept": "application/json"}, 200),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
    ],
    ids=str,
)
def test_heads_that_are_not_taken(open_gateway, headers, status):
    wire = Wire(open_gateway.url, version="2025-11-25")
    response = wire.post(wire.message("ping"), **headers)
    assert response.status_code == status, response.text
    if status != 200:
        assert response.json()["error"]["message"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
def test_other_methods_are_not_allowed(open_gateway, method):
    response = requests.request(method, open_gateway.url, headers={"Accept": "text/event-stream"}, timeout=30)
    assert response.status_code == 405 and response.headers["Allow"] == "POST"


def test_a_body_over_the_bound(open_gateway):
    wire = Wire(open_gateway.url, version="2025-11-25")
    large = wire.message("tools/call", {"name": "Tools___echo", "arguments": {"text": "x" * (6 * 1024 * 1024)}})
    assert wire.post(large).status_code == 413
    # Just under it is none of anybody's business.
    fits = wire.tool("Tools___echo", text="x" * (2 * 1024 * 1024))
    assert not fits["result"].get("isError"), str(fits)[:200]


def test_batches_are_of_the_first_version_only(open_gateway):
    wire = Wire(open_gateway.url)
    pings = [{"jsonrpc": "2.0", "id": number, "method": "ping"} for number in range(3)]
    answers = read(wire.post(pings))
    assert [answer["id"] for answer in answers] == [0, 1, 2] and all(answer["result"] == {} for answer in answers)
    mixed = read(wire.post([pings[0], {"jsonrpc": "2.0", "id": 7}, {"jsonrpc": "2.0", "method": "notifications/x"}]))
    assert [("result" in answer, "error" in answer) for answer in mixed] == [(True, False), (False, True)]
    assert wire.post(pings * 40).status_code == 400
    told = wire.post([{"jsonrpc": "2.0", "method": "notifications/initialized"}])
    assert (told.status_code, told.content) == (202, b"")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_is_agreed_on(open_gateway, version):
    wire = Wire(open_gateway.url)
    assert wire.initialize(version)["protocolVersion"] == version
    assert [found["name"] for found in wire.tools()] == ["Tools___echo"]


def test_a_version_nobody_speaks_is_answered_with_one_that_is_spoken(open_gateway):
    assert Wire(open_gateway.url).initialize("1999-01-01")["protocolVersion"] == "2025-11-25"


def test_a_gateway_that_is_not_there(server):
    response = initialize(Wire(f"{server.endpoint}/gateways/no-such-gateway-0123456789/mcp"))
    assert response.status_code == 404 and "No gateway" in response.json()["error"]["message"]


# --- callers who are nobody ------------------------------------------------------------------------------------------------


def forged(pool, client, **changes) -> str:
    """A token of the pool's, with other claims and the old signature."""
    header, claims, signature = client.token().split(".")
    read_claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    written = base64.urlsafe_b64encode(json.dumps(read_claims | changes).encode()).rstrip(b"=").decode()
    return f"{header}.{written}.{signature}"


def test_without_a_good_token_there_is_a_challenge_and_nothing_else(make):
    pool = make.pool(["invoke", "other"])
    client, other = pool.client("invoke"), pool.client("other")
    gateway = make.gateway(pool.authorizer(client, other, allowedScopes=[f"{pool.resource_server}/invoke"]))
    metadata_url = f"{gateway.url.removesuffix('/mcp')}/.well-known/oauth-protected-resource"
    bad = {
        "none": {},
        "another scheme": {"Authorization": "Basic YTpi"},
        "empty": {"Authorization": "Bearer "},
        "nonsense": {"Authorization": "Bearer nonsense"},
        "forged": {"Authorization": f"Bearer {forged(pool, client, scope='admin')}"},
        "huge": {"Authorization": f"Bearer {'a.' * 20_000}"},
    }
    for what, headers in bad.items():
        response = initialize(Wire(gateway.url), **headers)
        assert response.status_code == 401, (what, response.text)
        challenge = response.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer ") and f'resource_metadata="{metadata_url}"' in challenge, challenge
        answer = response.json()
        assert answer["error"] == {"code": -32001, "message": "Invalid Bearer token"}, (what, answer)
    short = initialize(Wire(gateway.url, other.token()))
    assert short.status_code == 403 and 'error="insufficient_scope"' in short.headers["WWW-Authenticate"]
    metadata = requests.get(metadata_url, timeout=30).json()
    assert metadata["resource"] == gateway.url and metadata["authorization_servers"] == [pool.issuer]
    assert metadata["scopes_supported"] == [f"{pool.resource_server}/invoke"]
    parts = urllib.parse.urlsplit(gateway.url)
    inserted = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"
    assert requests.get(inserted, timeout=30).json() == metadata
    assert initialize(Wire(gateway.url, client.token())).status_code == 200


def test_tokens_of_an_issuer_elsewhere(make, idp):
    gateway = make.gateway({"customJWTAuthorizer": {"discoveryUrl": idp.discovery_url, "allowedAudience": ["tools"]}})
    now = int(time.time())
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good = [idp.token(), idp.token(aud=["other", "tools"]), idp.token(exp=now - 30), idp.token(nbf=now + 30)]
    bad = {
        "expired": idp.token(exp=now - 120),
        "no exp": idp.token(exp=None),
        "not yet": idp.token(nbf=now + 120),
        "audience": idp.token(aud="other"),
        "no audience": idp.token(aud=None),
        "issuer": idp.token(iss="https://elsewhere.example"),
        "stranger's key": idp.token(key=stranger),
        "stranger's kid": idp.token(key=stranger, kid="two"),
        "a path for a kid": idp.token(kid="../../etc/passwd"),
    }
    for token in good:
        assert initialize(Wire(gateway.url, token)).status_code == 200
    for what, token in bad.items():
        assert initialize(Wire(gateway.url, token)).status_code == 401, what
    assert set(idp.asked) == {"/.well-known/openid-configuration", "/keys"}


def redirect(handler):
    handler.send_response(302)
    handler.send_header("Location", "/elsewhere")
    handler.end_headers()


LIES = {
    "away": lambda handler: handler.send_error(500),
    "another issuer": lambda handler: handler.answer({"issuer": "https://elsewhere.example", "jwks_uri": "https://elsewhere.example/keys"}),
    "no json": lambda handler: handler.answer(b"<html>"),
    "no keys": lambda handler: handler.answer({}),
    "too large": lambda handler: handler.answer(b'{"issuer": "' + b"a" * 1_000_000 + b'"}'),
    "redirect": redirect,
    "slow": lambda handler: time.sleep(7),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_issuer_that_lies_or_is_away_lets_nobody_in(make, idp, lie):
    idp.instead["/.well-known/openid-configuration"] = LIES[lie]
    gateway = make.gateway({"customJWTAuthorizer": {"discoveryUrl": idp.discovery_url, "allowedAudience": ["tools"]}})
    # The gateway is made all the same, and says what keeps it from recognising anybody.
    [reason] = gateway.until_ready()["statusReasons"]
    assert reason.startswith("The discovery URL cannot be used yet") and idp.issuer in reason, reason
    response = initialize(Wire(gateway.url, idp.token()))
    assert response.status_code == 503 and "Try again" in response.json()["error"]["message"], response.text
    # A caller is not told what is wrong with the issuer.
    assert idp.issuer not in response.text
    # The issuer mends its ways: nothing else has to be done.
    idp.instead.clear()
    look = lambda: initialize(Wire(gateway.url, idp.token())).status_code
    until("the issuer is believed", look, lambda status: status == 200)


def test_an_issuer_that_goes_away_later_is_bridged_by_its_known_keys(make, idp):
    gateway = make.gateway({"customJWTAuthorizer": {"discoveryUrl": idp.discovery_url, "allowedAudience": ["tools"]}})
    first, second = idp.token(), idp.token(sub="grace")
    assert initialize(Wire(gateway.url, first)).status_code == 200
    idp.close()
    assert initialize(Wire(gateway.url, second)).status_code == 200
    assert initialize(Wire(gateway.url, idp.token(kid="unheard-of"))).status_code == 401


# --- functions that do not do what they should ----------------------------------------------------------------------------

MISBEHAVING = '''
import os, sys, time

def lambda_handler(event, context):
    how = event["how"]
    if how == "hangs":
        time.sleep(60)
    if how == "raises":
        raise ValueError("a detail: secret-of-the-function")
    if how == "exits":
        sys.exit(3)
    if how == "crashes":
        os.abort()
    if how == "is no json":
        return {1, 2}
    if how == "is too large":
        return "x" * (7 * 1024 * 1024)
    return {"how": how}
'''


@pytest.fixture(scope="module")
def misbehaving(make):
    function = make.function(MISBEHAVING, Timeout=2)
    tools = [tool("do", how="string")]
    quiet, telling = make.gateway(), make.gateway(exceptionLevel="DEBUG")
    for gateway in (quiet, telling):
        gateway.lambda_target("Tools", function, tools)
    return Wire(quiet.url, version="2025-11-25"), Wire(telling.url, version="2025-11-25"), function


@pytest.mark.parametrize(
    "how, detail",
    [
        ("hangs", "Task timed out after 2.00 seconds"),
        ("raises", "ValueError"),
        ("exits", "Runtime."),
        ("crashes", "Runtime."),
        ("is no json", "Runtime.MarshalError"),
        ("is too large", "Function.ResponseSizeTooLarge"),
    ],
)
def test_a_function_that_fails_is_a_tool_error(misbehaving, how, detail):
    quiet, telling, function = misbehaving
    answer = quiet.tool("Tools___do", how=how)["result"]
    assert answer["isError"] is True
    assert answer["content"] == [{"type": "text", "text": "An internal error occurred. Please retry later."}]
    told = telling.tool("Tools___do", how=how)
    assert told["result"]["isError"] is True
    assert detail.lower() in text_of(told).lower() and function in text_of(told), text_of(told)
    # The next call is none the worse for it.
    assert json.loads(text_of(quiet.tool("Tools___do", how="well"))) == {"how": "well"}


def test_arguments_that_do_not_fit_are_told_before_the_function_is_asked(misbehaving):
    quiet, _, _ = misbehaving
    answer = quiet.tool("Tools___do", how=7)
    assert answer["result"]["isError"] is True and "how" in text_of(answer), answer
    for arguments in ('{"how": "well", "how": "raises"}', '{"how": "well", "more": ' + "[" * 5000 + "]" * 5000 + "}"):
        body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"Tools___do","arguments":' + arguments + "}}"
        answer = read(quiet.post(body))
        assert answer["result"]["isError"] is True and "Invalid request parameters" in text_of(answer), answer


def test_a_zip_that_escapes_its_folder_makes_no_function(make):
    lambda_ = make.server.client("lambda")
    before = {function["FunctionName"] for function in lambda_.list_functions()["Functions"]}
    for path in ("../escaped.py", "/escaped.py", "a/../../escaped.py"):
        with pytest.raises(ClientError) as refused:
            make.function(files={path: "pass"})
        assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    with pytest.raises(ClientError) as refused:
        lambda_.create_function(
            FunctionName=name("function"),
            Runtime="python3.13",
            Handler="app.lambda_handler",
            Role=make.function_role(),
            Code={"ZipFile": archive({"app.py": ECHO})[:-30]},
        )
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    after = {function["FunctionName"] for function in lambda_.list_functions()["Functions"]}
    assert after == before


def test_a_gateways_role_that_may_not_is_an_error_of_the_tool(make):
    trusted = make.role(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "bedrock-agentcore.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    )
    gateway = make.gateway(roleArn=trusted, exceptionLevel="DEBUG")
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    answer = Wire(gateway.url, version="2025-11-25").tool("Tools___echo", text="a")
    assert answer["result"]["isError"] is True and "Access denied while invoking Lambda function" in text_of(answer)


# --- policies ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement, says",
    [
        ("permit(principal, action, resource /* where is the end? */", "line 1"),
        ("hello, this is a policy, is it not? I do hope so", "line 1, column 35"),
        ("permit(principal, action, resource) when { context.input.nothing == 1 };", ""),
        ('permit(principal, action == AgentCore::Action::"Tools___ech", resource is AgentCore::Gateway);', "please constrain the resource"),
        ("permit(principal is AgentCore::Robot, action, resource is AgentCore::Gateway);", "Robot"),
    ],
)
def test_a_policy_that_is_not_cedar_or_names_nothing_never_decides(make, open_gateway, statement, says):
    engine = make.engine()
    control = make.server.client("bedrock-agentcore-control")
    gateway = make.gateway("AWS_IAM")
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    gateway.enforce(engine.arn)
    request = {
        "policyEngineId": engine.id,
        "name": name("policy"),
        "definition": {"cedar": {"statement": statement}},
    }
    try:
        made = control.create_policy(**request)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationException", error
        assert control.list_policies(policyEngineId=engine.id)["policies"] == []
        return
    look = lambda: control.get_policy(policyEngineId=engine.id, policyId=made["policyId"])
    failed = until("the policy", look, lambda seen: seen["status"] != "CREATING")
    assert failed["status"] == "CREATE_FAILED" and failed["statusReasons"], failed
    assert says.lower() in " ".join(failed["statusReasons"]).lower(), failed["statusReasons"]


# --- what is left behind ----------------------------------------------------------------------------------------------------


def test_every_request_leaves_one_event_and_no_secret(make, idp):
    gateway = make.gateway({"customJWTAuthorizer": {"discoveryUrl": idp.discovery_url, "allowedAudience": ["tools"]}})
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    token, marker = idp.token(client_id="the-client"), name("argument")
    wire = Wire(gateway.url, token, version="2025-11-25")
    wire.initialize()
    wire.tools()
    wire.tool("Tools___echo", text=marker)
    wire.tool("Tools___nothing")
    wire.post("{")
    Wire(gateway.url, "forged").post(wire.message("ping"))
    events = make.audited(lambda event: event.get("resource") == gateway.arn and event["kind"] == "gateway", least=7)
    told = [(event["action"], event.get("tool"), event["decision"], event["outcome"]) for event in events]
    assert told == [
        ("initialize", None, "none", "success"),
        ("notifications/initialized", None, "none", "success"),
        ("tools/list", None, "none", "success"),
        ("tools/call", "Tools___echo", "allow", "success"),
        ("tools/call", "Tools___nothing", "none", "refused"),
        ("InvokeGateway", None, "none", "refused"),
        ("InvokeGateway", None, "deny", "refused"),
    ]
    known = {"type": "token", "issuer": idp.issuer, "subject": "ada", "clientId": "the-client"}
    assert [event["actor"] for event in events] == [known] * 6 + [{"type": "anonymous"}]
    assert all(event["latencyUs"] >= 0 and event["sourceIp"] == "127.0.0.1" for event in events)
    assert len({event["requestId"] for event in events}) == 7
    everything = json.dumps(trail(make.server)) + make.server.log()
    assert marker not in everything and token not in everything and token.split(".")[2] not in everything


def test_a_caller_who_hangs_up_is_audited_too(make):
    gateway = make.gateway()
    gateway.lambda_target("Tools", make.function(MISBEHAVING, Timeout=3), [tool("do", how="string")])
    wire = Wire(gateway.url, version="2025-11-25")
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(
            gateway.url,
            json=wire.message("tools/call", {"name": "Tools___do", "arguments": {"how": "hangs"}}),
            headers=dict(wire.http.headers),
            timeout=1,
        )
    [event] = make.audited(lambda event: event.get("resource") == gateway.arn and event.get("tool"))
    assert (event["tool"], event["outcome"]) == ("Tools___do", "abandoned")


def test_many_at_once_are_all_answered(make, open_gateway):
    """More callers than the function has instances: nobody is lost, and nobody gets another's answer."""
    answers = {}

    def call(number):
        wire = Wire(open_gateway.url, version="2025-11-25")
        answers[number] = json.loads(text_of(wire.tool("Tools___echo", text=str(number))))["arguments"]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: {"text": str(number)} for number in range(40)}
