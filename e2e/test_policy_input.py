"""Policies that somebody sends who knows no better, or knows too well: what is refused, how, and that nothing else suffers."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from portcullis import REGION
from scenery import Scenery, name, refusal, tool, until

BURST = 100
UNCHECKED = Config(parameter_validation=False, retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def place(make):
    gateway = make.gateway("AWS_IAM")
    gateway.lambda_target("Tools", make.function(), [tool("echo", required=["amount", "text"], amount="integer", text="string")])
    engine = make.engine()
    return gateway, engine


def about(gateway, when: str, action: str = "Tools___echo") -> str:
    scope = f'action == AgentCore::Action::"{action}", resource == AgentCore::Gateway::"{gateway.arn}"'
    return f"permit(principal, {scope}) when {{ {when} }};"


def outcome(control, engine, statement: str, **more) -> tuple:
    """The status of a policy and what it says of it; a refusal is a status too."""
    request = {"policyEngineId": engine.id, "name": name("policy"), "definition": {"cedar": {"statement": statement}}}
    try:
        made = control.create_policy(**request, **more)
    except control.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    look = lambda: control.get_policy(policyEngineId=engine.id, policyId=made["policyId"])
    seen = until("the policy", look, lambda it: it["status"] != "CREATING")
    return seen["status"], " ".join(seen["statusReasons"])


@pytest.mark.parametrize(
    ("when", "action", "says"),
    [
        ('context.input.text == "a"', "Tools___ech", "unrecognized action `AgentCore::Action::\"Tools___ech\"`"),
        ('context.input.amount == "1"', "Tools___echo", "Long"),
        ("context.input.text < 3", "Tools___echo", "String"),
        ("context.input.nothing == 1", "Tools___echo", "nothing"),
        ("context.output.text == 1", "Tools___echo", "output"),
        ('principal.role == "admin"', "Tools___echo", "role"),
        ('principal.getTag("scope") == "a"', "Tools___echo", "scope"),
        ("context.input.amount == 9223372036854775808", "Tools___echo", ""),
    ],
)
def test_what_the_schema_does_not_have_is_named(control, place, when, action, says):
    gateway, engine = place
    status, reasons = outcome(control, engine, about(gateway, when, action))
    assert status == "CREATE_FAILED" and reasons, (status, reasons)
    assert says in reasons, reasons


def test_one_policy_is_one_statement(control, place):
    gateway, engine = place
    one = about(gateway, "context.input.amount < 1")
    status, reasons = outcome(control, engine, one + one.replace("permit", "forbid"))
    assert status == "CREATE_FAILED" and "unexpected token" in reasons and "forbid" in reasons, reasons
    status, reasons = outcome(control, engine, one.replace("principal,", "principal == ?principal,"))
    assert status == "CREATE_FAILED", reasons


def test_a_statement_has_at_most_ten_thousand_characters(control, place):
    gateway, engine = place
    short = about(gateway, 'context.input.text != ""')
    most = short.replace('""', f'"{"x" * (10_000 - len(short))}"')
    assert len(most) == 10_000
    assert outcome(control, engine, most) == ("ACTIVE", "")
    status, message = outcome(control, engine, most.replace('"x', '"xx', 1))
    assert status == "ValidationException" and "10000" in message, message
    # 10 KB are bytes.
    wide = short.replace('""', f'"{"€" * 4_000}"')
    status, message = outcome(control, engine, wide)
    assert status == "ServiceQuotaExceededException" and "10240 bytes per policy" in message


@pytest.mark.parametrize("shape", ["(", "!", "[", "if true then ", "context.input", "a && "])
def test_deep_nesting_ends_in_a_reason(control, place, shape):
    gateway, engine = place
    depth = 4_000
    deep = {
        "(": "(" * depth + "true" + ")" * depth,
        "!": "!" * depth + "true",
        "[": "[" * depth + "]" * depth + " == 1",
        "if true then ": "if true then " * 500 + "true" + " else false" * 500,
        "context.input": "context.input" + ".a" * depth + " == 1",
        "a && ": "true && " * 1_000 + "true",
    }[shape]
    status, reasons = outcome(control, engine, about(gateway, deep)[:10_000], validationMode="IGNORE_ALL_FINDINGS")
    assert status in ("CREATE_FAILED", "ACTIVE"), (status, reasons)
    assert status == "ACTIVE" or reasons
    assert control.get_policy_engine(policyEngineId=engine.id)["status"] == "ACTIVE"


@pytest.mark.parametrize("text", ["\u202epermit", "permit\x00", "\ufeff", "\x1b[31m", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")])
def test_odd_characters_are_no_policy(control, place, text):
    gateway, engine = place
    status, reasons = outcome(control, engine, text + about(gateway, "context.input.amount < 1"))
    assert status in ("CREATE_FAILED", "ValidationException") and reasons, (status, reasons)


def sent(server, path: str, body: bytes, method: str = "POST") -> requests.Response:
    """A signed request with a body that no client writes."""
    key, secret = server.root_key
    request = AWSRequest(method, f"{server.endpoint}{path}", data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(key, secret), "bedrock-agentcore", REGION).add_auth(request)
    prepared = request.prepare()
    return requests.request(method, prepared.url, data=body, headers=dict(prepared.headers), timeout=30)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "p_1", "definition": {"cedar": {"statement": "\xff\xfe\xfd permit(principal, action, resource);"}}}',
        b'{"name": "p_2", "definition": {"cedar": {"statement": "\\ud800 permit(principal, action, resource); //"}}}',
        b'{"name": "p_3", "definition": {"cedar": {"statement": 7}}}',
        b'{"name": "p_4", "definition": {"cedar": {"statement": null}}}',
        b'{"name": "p_5", "definition": {}}',
        b'{"name": "p_6", "definition": {"cedar": {"statement": "permit(principal, action, resource);...."}, "policyGeneration": {}}}',
        b'{"name": "p_7", "definition": {"policy": {"statement": "permit(principal, action, resource); ......"}}}',
        b'{"name": "p_8", "definition": ' + b'{"cedar":' * 5_000 + b"1" + b"}" * 5_001,
        b'{"name": "p_9"',
        b"\x00\x01\x02",
        b"[]",
    ],
)
def test_bodies_that_are_no_request_are_refused(server, control, place, body):
    _, engine = place
    answer = sent(server, f"/policy-engines/{engine.id}/policies", body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["x-amzn-errortype"].split(":")[0] in ("ValidationException", "SerializationException"), answer.headers
    listed = control.get_paginator("list_policy_summaries").paginate(policyEngineId=engine.id).build_full_result()
    assert not [policy for policy in listed["policies"] if policy["name"].startswith("p_")]


MANY = f"""
[quotas]
policies-per-engine = {BURST}
policy-bytes-per-resource = 10000000
"""


def test_a_burst_of_policies_ends_at_the_quota(start_server):
    """Whoever asks for more than there may be gets exactly what there may be, from many hands at once; each is checked, decides,
    and can be taken away."""
    make = Scenery(start_server(settings=MANY))
    control = make.server.client("bedrock-agentcore-control")
    gateway, engine = make.gateway("AWS_IAM"), make.engine()
    gateway.lambda_target("Tools", make.function(), [tool("echo", required=["amount"], amount="integer")])
    gateway.enforce(engine.arn)

    def create(number: int) -> str:
        request = {
            "policyEngineId": engine.id,
            "name": f"policy_{number}",
            "definition": {"cedar": {"statement": about(gateway, f"context.input.amount == {number}")}},
        }
        try:
            return control.create_policy(**request)["policyId"]
        except control.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(create, range(BURST + 20)))
    made = {answer for answer in answers if answer.startswith("policy_")}
    assert len(made) == BURST
    assert {answer for answer in answers if answer not in made} == {"ServiceQuotaExceededException"}
    summaries = control.get_paginator("list_policy_summaries").paginate(policyEngineId=engine.id, PaginationConfig={"PageSize": 100})
    look = lambda: summaries.build_full_result()["policies"]
    seen = until("the policies", look, lambda it: {policy["status"] for policy in it} == {"ACTIVE"}, patience=120)
    assert {policy["policyId"] for policy in seen} == made
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    listed = sent(make.server, f"/gateways/{gateway.id}/mcp", body)
    assert [it["name"] for it in listed.json()["result"]["tools"]] == ["Tools___echo"], listed.text
    with ThreadPoolExecutor(8) as many:
        list(many.map(lambda policy: control.delete_policy(policyEngineId=engine.id, policyId=policy), made))
    assert look() == []
    assert refusal(control.delete_policy_engine, policyEngineId=engine.id)[1] == "ConflictException"
