"""What becomes of gateways, targets, engines and policies over time: made twice, replaced, taken down in the wrong order;
keys that are revoked while the server runs; policies that only watch."""

import base64
import io
import json
import sys
import time
import zipfile

import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from portcullis import ACCOUNT
from scenery import ECHO, audited, name, tool, until
from wire import Wire, text_of


def code_of(error) -> str:
    return error.value.response["Error"]["Code"]


# --- made once -------------------------------------------------------------------------------------------------------------


def test_a_client_token_makes_one_gateway(make, control):
    request = {"name": name("gateway"), "roleArn": make.gateway_role(), "protocolType": "MCP", "authorizerType": "NONE"}
    token = name("token-that-is-long-enough-for-the-model-x")
    first = control.create_gateway(**request, clientToken=token)
    again = control.create_gateway(**request, clientToken=token)
    assert again["gatewayId"] == first["gatewayId"]
    with pytest.raises(ClientError) as error:
        control.create_gateway(**request | {"description": "another"}, clientToken=token)
    assert code_of(error) == "ValidationException", error.value
    assert error.value.response["reason"] == "IdempotentParameterMismatchException", error.value.response
    with pytest.raises(ClientError) as error:
        control.create_gateway(**request)
    assert code_of(error) == "ConflictException" and request["name"] in str(error.value)


def test_a_target_name_is_taken_once_in_a_gateway(make, control):
    function = make.function()
    gateway, other = make.gateway(), make.gateway()
    gateway.lambda_target("Tools", function, [tool("echo")])
    with pytest.raises(ClientError) as error:
        gateway.lambda_target("Tools", function, [tool("echo")])
    assert code_of(error) == "ConflictException"
    other.lambda_target("Tools", function, [tool("echo")])


# --- listed ----------------------------------------------------------------------------------------------------------------


def test_lists_are_followed_page_by_page(make, control):
    gateway, function = make.gateway(), make.function()
    wanted = {gateway.lambda_target(f"Tools{number}", function, [tool("echo")]) for number in range(5)}
    seen, token, pages = [], {}, 0
    while True:
        page = control.list_gateway_targets(gatewayIdentifier=gateway.id, maxResults=2, **token)
        seen += [item["targetId"] for item in page["items"]]
        pages += 1
        assert len(page["items"]) <= 2
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert pages == 3 and len(seen) == 5 and set(seen) == wanted
    with pytest.raises(ClientError) as error:
        control.list_gateway_targets(gatewayIdentifier=gateway.id, nextToken="nonsense")
    assert code_of(error) == "ValidationException"


# --- replaced --------------------------------------------------------------------------------------------------------------


def test_an_update_replaces_everything(make, control):
    gateway = make.gateway(description="the first", exceptionLevel="DEBUG")
    before = control.get_gateway(gatewayIdentifier=gateway.id)
    assert before["description"] == "the first" and before["exceptionLevel"] == "DEBUG"
    kept = {key: gateway.request[key] for key in ("name", "roleArn", "protocolType", "authorizerType")}
    control.update_gateway(gatewayIdentifier=gateway.id, **kept)
    after = gateway.until_ready()
    assert "description" not in after and "exceptionLevel" not in after, after
    assert after["createdAt"] == before["createdAt"] and after["updatedAt"] > before["updatedAt"]


def test_the_kind_of_authorizer_stays(make, control):
    gateway, pool = make.gateway(), make.pool()
    with pytest.raises(ClientError) as error:
        gateway.update(authorizerType="CUSTOM_JWT", authorizerConfiguration=pool.authorizer(pool.client("invoke")))
    assert code_of(error) == "ValidationException" and "authorizerType" in str(error.value), error.value
    assert control.get_gateway(gatewayIdentifier=gateway.id)["authorizerType"] == "NONE"


# --- taken down in order ---------------------------------------------------------------------------------------------------


def test_what_is_used_is_not_deleted(make, control):
    pool, engine = make.pool(), make.engine()
    gateway = make.gateway(pool.authorizer(pool.client("invoke")))
    target = gateway.lambda_target("Tools", make.function(), [tool("echo")])
    policy = engine.policy(f'permit(principal, action, resource == AgentCore::Gateway::"{gateway.arn}") when {{ principal is AgentCore::OAuthUser }};', validationMode="IGNORE_ALL_FINDINGS")
    gateway.enforce(engine.arn)
    with pytest.raises(ClientError) as error:
        control.delete_gateway(gatewayIdentifier=gateway.id)
    assert code_of(error) in ("ConflictException", "ValidationException") and "target" in str(error.value), error.value
    with pytest.raises(ClientError) as error:
        control.delete_policy_engine(policyEngineId=engine.id)
    assert code_of(error) == "ConflictException", error.value
    control.delete_gateway_target(gatewayIdentifier=gateway.id, targetId=target)
    control.delete_gateway(gatewayIdentifier=gateway.id)
    with pytest.raises(ClientError) as error:
        control.delete_policy_engine(policyEngineId=engine.id)
    assert code_of(error) == "ConflictException", error.value
    control.delete_policy(policyEngineId=engine.id, policyId=policy)
    control.delete_policy_engine(policyEngineId=engine.id)
    with pytest.raises(ClientError) as error:
        control.get_gateway(gatewayIdentifier=gateway.id)
    assert code_of(error) == "ResourceNotFoundException"
    assert requests.post(gateway.url, json={}, timeout=10).status_code == 404


# --- policies that change, and that only watch -----------------------------------------------------------------------------


def permit(gateway, condition="principal is AgentCore::OAuthUser", action='== AgentCore::Action::"Tools___echo"', effect="permit"):
    return f'{effect}(principal, action {action}, resource == AgentCore::Gateway::"{gateway.arn}") when {{ {condition} }};'


@pytest.fixture
def guarded(make):
    """A guarded gateway with two tools, of which one may be called."""
    pool = make.pool()
    client = pool.client("invoke")
    gateway, engine = make.gateway(pool.authorizer(client)), make.engine()
    gateway.lambda_target("Tools", make.function(), [tool("echo", amount="integer"), tool("other", text="string")])
    policy = engine.policy(permit(gateway))
    gateway.enforce(engine.arn)
    return gateway, engine, policy, Wire(gateway.url, client.token(), version="2025-11-25")


def events_of(server, gateway) -> list:
    return audited(server, lambda event: event.get("resource") == gateway.arn and event.get("tool"))


def test_log_only_denies_nothing_and_says_what_it_would(server, guarded):
    gateway, engine, _, wire = guarded
    assert [entry["name"] for entry in wire.tools()] == ["Tools___echo"]
    assert wire.tool("Tools___other", text="a")["result"]["isError"] is True
    gateway.enforce(engine.arn, "LOG_ONLY")
    assert {entry["name"] for entry in wire.tools()} == {"Tools___echo", "Tools___other"}
    assert json.loads(text_of(wire.tool("Tools___other", text="a")))["arguments"] == {"text": "a"}
    assert json.loads(text_of(wire.tool("Tools___echo", amount=1)))["arguments"] == {"amount": 1}
    decided = lambda events: [(event["tool"], event["decision"]) for event in events]
    look = lambda: decided(events_of(server, gateway))
    wanted = [("Tools___other", "deny"), ("Tools___other", "wouldDeny"), ("Tools___echo", "allow")]
    assert until("the decisions", look, lambda seen: len(seen) >= 3) == wanted


def test_an_update_of_a_policy_that_fails_leaves_the_former_in_force(control, guarded):
    gateway, engine, policy, wire = guarded
    wrong = {"cedar": {"statement": permit(gateway, "context.input.nothing == 1")}}
    control.update_policy(policyEngineId=engine.id, policyId=policy, definition=wrong)
    look = lambda: control.get_policy(policyEngineId=engine.id, policyId=policy)
    failed = until("the update", look, lambda seen: seen["status"] != "UPDATING")
    assert failed["status"] == "UPDATE_FAILED" and "nothing" in failed["statusReasons"][0], failed
    assert text_of(wire.tool("Tools___echo", amount=1))
    right = {"cedar": {"statement": permit(gateway, "context.input has amount && context.input.amount < 10")}}
    control.update_policy(policyEngineId=engine.id, policyId=policy, definition=right)
    until("the update", look, lambda seen: seen["status"] == "ACTIVE")
    assert wire.tool("Tools___echo", amount=9)["result"]["isError"] is False
    assert "not allowed due to policy" in text_of(wire.tool("Tools___echo", amount=10))


def test_no_policy_is_passed_by_another_spelling(guarded):
    gateway, engine, _, wire = guarded
    engine.policy(permit(gateway, "context.input has amount && context.input.amount > 100", effect="forbid"))
    assert "not allowed due to policy" in text_of(wire.tool("Tools___echo", amount=101))
    for disguised in ("Amount", "AMOUNT"):
        assert "must be spelt 'amount'" in text_of(wire.tool("Tools___echo", **{disguised: 101}))


def test_a_signing_caller_is_an_iam_entity(make):
    engine, gateway = make.engine(), make.gateway("AWS_IAM")
    gateway.lambda_target("Tools", make.function(), [tool("echo"), tool("other")])
    caller = make.user({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "bedrock-agentcore:InvokeGateway", "Resource": gateway.arn}]})
    engine.policy(permit(gateway, f'principal.id == "{caller.arn}"').replace("permit(principal,", "permit(principal is AgentCore::IamEntity,"))
    gateway.enforce(engine.arn)

    def call(method, params):
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        request = AWSRequest("POST", gateway.url, headers, body)
        SigV4Auth(Credentials(caller.key, caller.secret), "bedrock-agentcore", "us-west-2").add_auth(request)
        return requests.post(gateway.url, data=body, headers=dict(request.headers), timeout=30).json()["result"]

    assert [entry["name"] for entry in call("tools/list", {})["tools"]] == ["Tools___echo"]
    assert call("tools/call", {"name": "Tools___echo", "arguments": {}})["isError"] is False
    assert call("tools/call", {"name": "Tools___other", "arguments": {}})["isError"] is True


# --- keys and sessions that are revoked ------------------------------------------------------------------------------------


def test_a_revoked_key_of_a_pool_lets_nobody_in(server, make):
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client))
    stolen = client.token()
    status = lambda token: Wire(gateway.url, token).post({"jsonrpc": "2.0", "id": 1, "method": "ping"}).status_code
    kid = lambda token: json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]
    assert status(stolen) == 200
    server.run("pool", "rotate-key", pool.id)
    until("the new key signs", client.token, lambda token: kid(token) != kid(stolen), 5)
    assert status(stolen) == 200 and status(client.token()) == 200
    server.run("pool", "revoke-former-keys", pool.id)
    until("the former key is refused", lambda: status(stolen), lambda seen: seen == 401, 5)
    assert status(client.token()) == 200


def test_older_sessions_are_revoked_as_on_aws(server, make):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = make.role(trust, everything)
    leaked = make.assume(role).client("bedrock-agentcore-control")
    leaked.list_gateways()
    time.sleep(1.1)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    revoke = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": moment}}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [revoke]})
    server.client("iam").put_role_policy(RoleName=role.split("/")[-1], PolicyName="AWSRevokeOlderSessions", PolicyDocument=document)
    with pytest.raises(ClientError) as error:
        leaked.list_gateways()
    assert code_of(error) == "AccessDeniedException"
    make.assume(role).client("bedrock-agentcore-control").list_gateways()


# --- bounds ----------------------------------------------------------------------------------------------------------------


def test_what_only_costs_is_cut_short(server, make):
    gateway = make.gateway()
    gateway.lambda_target("Tools", make.function(ECHO), [tool("echo")])
    wide = ",".join(f'"m{number}":0' for number in range(400_000))
    body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"Tools___echo","arguments":{%s,"m1":0}}}' % wide
    answer = Wire(gateway.url).post(body)
    assert "given more than once" in answer.text, answer.text[:300]
    # A stranger's large body is not read, and a list of faults has an end.
    strangers = requests.post(f"{server.endpoint}/gateways/", data=b"{" + b" " * 100_000 + b"}", timeout=10)
    assert strangers.status_code == 413, strangers.text
    client = server.client("bedrock-agentcore-control", config=Config(parameter_validation=False))
    request = {"name": name("gateway"), "roleArn": make.gateway_role(), "protocolType": "MCP", "authorizerType": "CUSTOM_JWT"}
    jwt = {"discoveryUrl": "http://127.0.0.1/.well-known/openid-configuration", "allowedAudience": [None] * 100_000}
    with pytest.raises(ClientError) as error:
        client.create_gateway(**request, authorizerConfiguration={"customJWTAuthorizer": jwt})
    assert code_of(error) == "ValidationException" and len(str(error.value)) < 20_000


def test_what_a_function_raises_is_in_no_log(server, make):
    function = make.function('def lambda_handler(event, context):\n    raise ValueError("hush-" + event["word"])\n')
    gateway = make.gateway()
    gateway.lambda_target("Tools", function, [tool("do", word="string")])
    assert Wire(gateway.url).tool("Tools___do", word="abracadabra")["result"]["isError"] is True
    failed = [line for line in server.log().splitlines() if "A call of an upstream failed" in line]
    assert failed and not any("abracadabra" in line for line in failed), failed


def test_a_provided_runtime_answers_and_its_nonsense_is_an_error(make):
    bootstrap = f"""#!{sys.executable}
import os, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as asked:
        request, event = asked.headers["Lambda-Runtime-Aws-Request-Id"], asked.read()
    answer = b"this is no JSON" if b"nonsense" in event else event
    urllib.request.urlopen(base + request + "/response", answer).close()
"""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, bootstrap)
    code = packed.getvalue()
    function = make.function(Runtime="provided.al2023", Handler="bootstrap", Code={"ZipFile": code})
    gateway = make.gateway(exceptionLevel="DEBUG")
    gateway.lambda_target("Tools", function, [tool("do", word="string")])
    wire = Wire(gateway.url)
    assert json.loads(text_of(wire.tool("Tools___do", word="sense"))) == {"word": "sense"}
    answer = wire.tool("Tools___do", word="nonsense")
    assert answer["result"]["isError"] is True and "not JSON" in text_of(answer), answer
