"""What policies decide, against the built program: policies that do not bind, policies that fail, claims of every type,
callers who sign, the time, and what is offered besides tools. What is decided is counted.
"""

import json
import re
import subprocess
import sys

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from idp import Idp
from portcullis import PROJECT, REGION, plain_environment
from scenery import Scenery, allow, tool, until
from wire import Wire, text_of

DENIAL = (
    "AuthorizeActionException - Tool Execution Denied: Tool call not allowed due to policy enforcement "
    "[No policy applies to the request (denied by default).]"
)
TOOLS = [
    tool("pay", "Pays.", ("cents",), cents="integer"),
    tool("show", "Shows.", account="string"),
]
PAY, SHOW = "Bank___pay", "Bank___show"


class Bank:
    """A gateway of two tools under an engine, and somebody who may call it."""

    def __init__(self, make, mode="ENFORCE"):
        self.make = make
        self.client = make.pool().client("invoke")
        self.gateway = make.gateway(self.client.pool.authorizer(self.client))
        self.gateway.lambda_target("Bank", make.function(), TOOLS)
        self.engine = make.engine()
        self.gateway.enforce(self.engine.arn, mode)
        self.wire = Wire(self.gateway.url, self.client.token())

    def policy(self, effect: str, of: str, conditions: str = "", **more) -> str:
        action = f'action == AgentCore::Action::"{of}"'
        return self.engine.policy(
            f'{effect}(principal, {action}, resource == AgentCore::Gateway::"{self.gateway.arn}") {conditions};', **more
        )

    def change(self, policy: str, **changes):
        control = self.gateway.control
        control.update_policy(policyEngineId=self.engine.id, policyId=policy, **changes)
        look = lambda: control.get_policy(policyEngineId=self.engine.id, policyId=policy)
        until("the policy", look, lambda seen: seen["status"] == "ACTIVE")

    def listed(self) -> list:
        return [one["name"] for one in self.wire.tools()]

    def events(self, wanted, least=1) -> list:
        mine = lambda event: event.get("resource") == self.gateway.arn and event.get("tool")
        return self.make.audited(lambda event: mine(event) and wanted(event), least)

    def counts(self) -> dict:
        """The counts of this gateway: by name, and what else tells them apart."""
        text = requests.get(f"{self.make.server.endpoint}/metrics", timeout=20).text
        own = re.findall(r'^portcullis_policy_(\w+)\{gateway="([^"]+)",(.*)\} (\d+)$', text, re.MULTILINE)
        return {(name, rest): int(number) for name, gateway, rest, number in own if gateway == self.gateway.id}


def test_a_policy_that_does_not_bind_is_told_of_and_does_nothing(make):
    bank = Bank(make)
    bank.policy("permit", PAY, "when { context.input.cents < 1000 }")
    stop = bank.policy("forbid", PAY, "when { context.input.cents > 500 }", enforcementMode="LOG_ONLY")
    open_ = bank.policy("permit", SHOW, enforcementMode="LOG_ONLY")
    fail = bank.policy(
        "forbid", PAY, "when { context.input.cents + 9223372036854775807 < 0 }", enforcementMode="LOG_ONLY"
    )

    # Nobody is hindered and nobody is let in, in lists and in calls, also where the policy fails.
    assert bank.listed() == [PAY]
    paid = bank.wire.tool(PAY, cents=600)
    assert not paid["result"]["isError"], paid
    assert text_of(bank.wire.tool(PAY, cents=1000)) == DENIAL
    assert text_of(bank.wire.tool(SHOW, account="1")) == DENIAL
    assert stop not in json.dumps(paid) and "log" not in json.dumps(paid).lower()

    [event] = bank.events(lambda event: event["tool"] == PAY and event["decision"] == "allow")
    assert event["logOnly"] == {
        "matched": [stop],
        "wouldChange": sorted([stop, fail]),
        "failed": [f"{fail} (an integer overflowed)"],
    }
    [event] = bank.events(lambda event: event["tool"] == PAY and event["decision"] == "deny")
    assert event["logOnly"]["matched"] == [stop] and "wouldChange" not in event["logOnly"], event
    [event] = bank.events(lambda event: event["tool"] == SHOW)
    assert event["decision"] == "deny"
    assert event["logOnly"] == {"matched": [open_], "wouldChange": [open_]}

    counts = bank.counts()
    assert counts["decisions_total", 'mode="ENFORCE",decision="allow"'] == 1
    assert counts["decisions_total", 'mode="ENFORCE",decision="deny"'] == 2
    assert counts["undetermined_total", 'mode="ENFORCE"'] == 2
    assert counts["lists_total", 'mode="ENFORCE"'] == 1
    assert counts["log_only_matches_total", f'policy="{stop}"'] == 2
    assert counts["log_only_decision_flips_total", f'policy="{stop}"'] == 1
    assert counts["log_only_decision_flips_total", f'policy="{open_}"'] == 1
    assert counts["log_only_incomplete_total", f'policy="{fail}"'] == 2
    assert not any(name.startswith("mismatch") for name, _ in counts), "nothing that binds failed"

    # Promoted, each does what was foretold; taken back, nothing.
    bank.change(stop, enforcementMode="ACTIVE")
    bank.change(open_, enforcementMode="ACTIVE")
    assert bank.listed() == [PAY, SHOW]
    assert text_of(bank.wire.tool(PAY, cents=600)) == DENIAL
    assert not bank.wire.tool(SHOW, account="1")["result"]["isError"]
    bank.change(stop, enforcementMode="LOG_ONLY")
    assert not bank.wire.tool(PAY, cents=600)["result"]["isError"]


def test_a_policy_that_does_not_bind_under_a_gateway_that_does_not_either(make):
    bank = Bank(make, "LOG_ONLY")
    open_ = bank.policy("permit", SHOW, enforcementMode="LOG_ONLY")
    assert bank.listed() == [PAY, SHOW]
    assert not bank.wire.tool(SHOW, account="1")["result"]["isError"]
    [event] = bank.events(lambda event: event["tool"] == SHOW)
    assert event["decision"] == "wouldDeny"
    assert event["logOnly"] == {"matched": [open_], "wouldChange": [open_]}


def test_a_policy_that_fails_denies_and_is_counted(make):
    bank = Bank(make)
    bank.policy("permit", PAY, "when { context.input.cents > 0 }")
    fails = bank.policy("forbid", PAY, "when { context.input.cents + 9223372036854775807 < 0 }")
    assert text_of(bank.wire.tool(PAY, cents=1)) == DENIAL
    [event] = bank.events(lambda event: event["decision"] == "deny")
    assert event["reason"] == f"Policy evaluation failed: {fails} (an integer overflowed)"
    counts = bank.counts()
    assert counts["mismatch_errors_total", 'mode="ENFORCE"'] == 1
    assert counts["mismatched_policies_total", 'mode="ENFORCE"'] == 1
    assert counts["mismatches_total", f'policy="{fails}"'] == 1

    # Where decisions do not bind the call is made, and the log says what would have happened.
    bank.gateway.enforce(bank.engine.arn, "LOG_ONLY")
    assert not bank.wire.tool(PAY, cents=1)["result"]["isError"]
    bank.events(lambda event: event["decision"] == "wouldDeny" and fails in event["reason"])
    assert bank.counts()["mismatches_total", f'policy="{fails}"'] == 2, "counts outlive a change of the gateway"
    # A policy is named once a minute in either mode, however often it fails; what is counted and recorded is all of it.
    for _ in range(5):
        bank.wire.tool(PAY, cents=1)
    bank.events(lambda event: event["decision"] == "wouldDeny" and fails in event["reason"], least=6)
    assert bank.counts()["mismatches_total", f'policy="{fails}"'] == 7
    alarms = [line for line in bank.make.server.log().splitlines() if "A policy failed to evaluate" in line and fails in line]
    assert all(bank.gateway.id in line and "an integer overflowed" in line for line in alarms)
    assert [("Enforce" in line, "LogOnly" in line) for line in alarms] == [(True, False), (False, True)]


def test_counts_are_for_this_machine(make):
    endpoint = f"{make.server.endpoint}/metrics"
    told = requests.get(endpoint, timeout=20)
    assert told.status_code == 200 and told.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE portcullis_policy_decisions_total counter" in told.text
    for headers in ({"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}, {"Via": "1.1 proxy"}):
        refused = requests.get(endpoint, headers=headers, timeout=20)
        assert refused.status_code == 403 and "gateway" not in refused.text
    assert requests.post(endpoint, timeout=20).status_code == 405


@pytest.mark.parametrize(
    ("claims", "condition"),
    [
        ({"groups": ["admins", "team-alpha"]}, 'principal.getTag("groups") == "[\\"admins\\",\\"team-alpha\\"]"'),
        ({"level": 7}, 'principal.getTag("level") == "7"'),
        ({"ratio": 1.5}, 'principal.getTag("ratio") == "1.5"'),
        ({"verified": True}, 'principal.getTag("verified") == "true"'),
        ({"org": {"unit": {"id": 5}}}, 'principal.getTag("org") like "*\\"id\\":5*"'),
        ({"empty": None, "nothing": ""}, 'principal.getTag("nothing") == "" && !principal.hasTag("empty")'),
        ({"sub": "bob"}, 'principal == AgentCore::OAuthUser::"bob" && principal.getTag("sub") == "bob"'),
        ({"sub": None, "client_id": "m2m"}, 'principal.id == "" && principal.getTag("client_id") == "m2m"'),
        ({"big": "x" * 20000}, 'principal.getTag("big") like "*xxx*"'),
        ({"deep": json.loads("[" * 60 + "]" * 60)}, 'principal.getTag("deep") like "[[[*"'),
    ],
)
def test_claims_of_every_type_are_tags(make, claims, condition):
    issuer = Idp()
    try:
        authorizer = {"customJWTAuthorizer": {"discoveryUrl": issuer.discovery_url, "allowedAudience": ["tools"]}}
        gateway = make.gateway(authorizer)
        gateway.lambda_target("Bank", make.function(), TOOLS)
        engine = make.engine()
        gateway.enforce(engine.arn)
        engine.policy(
            f'permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"{SHOW}", '
            f'resource == AgentCore::Gateway::"{gateway.arn}") when {{ {guarded(condition)} }};'
        )
        given = Wire(gateway.url, issuer.token(**claims))
        assert [one["name"] for one in given.tools()] == [SHOW]
        assert not given.tool(SHOW, account="1")["result"]["isError"]
        other = Wire(gateway.url, issuer.token(sub="somebody-else"))
        assert other.tools() == []
        assert text_of(other.tool(SHOW, account="1")) == DENIAL
    finally:
        issuer.close()


def guarded(condition: str) -> str:
    """The condition behind questions for the tags that it reads."""
    tags = sorted(set(re.findall(r'getTag\("(\w+)"\)', condition)))
    return " && ".join([f'principal.hasTag("{tag}")' for tag in tags] + [f"({condition})"])


def test_a_machine_is_named_by_its_client(make):
    bank = Bank(make)
    bank.engine.policy(
        f'permit(principal == AgentCore::OAuthUser::"{bank.client.id}", action == AgentCore::Action::"{SHOW}", '
        f'resource == AgentCore::Gateway::"{bank.gateway.arn}") '
        f'when {{ principal.hasTag("sub") && principal.getTag("sub") == "{bank.client.id}" }};'
    )
    assert bank.listed() == [SHOW]


def test_callers_who_sign_see_what_their_role_may(make):
    gateway = make.gateway("AWS_IAM")
    gateway.lambda_target("Bank", make.function(), TOOLS)
    engine = make.engine()
    gateway.enforce(engine.arn)
    ann, bob = (make.user(allow("bedrock-agentcore:InvokeGateway")) for _ in range(2))

    def permit(who, of):
        return engine.policy(
            f'permit(principal == AgentCore::IamEntity::"{who.arn}", action == AgentCore::Action::"{of}", '
            f'resource == AgentCore::Gateway::"{gateway.arn}");'
        )

    permit(ann, PAY)
    permit(bob, SHOW)
    for _ in range(2):
        assert seen(gateway, ann) == [PAY]
        assert seen(gateway, bob) == [SHOW]
    # What is remembered of a caller ends with the policies it was made from.
    permit(ann, SHOW)
    assert seen(gateway, ann) == [PAY, SHOW]
    assert seen(gateway, bob) == [SHOW]


def seen(gateway, caller) -> list:
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    request = AWSRequest("POST", gateway.url, data=message, headers=headers)
    SigV4Auth(Credentials(caller.key, caller.secret), "bedrock-agentcore", REGION).add_auth(request)
    answer = requests.post(gateway.url, data=message, headers=dict(request.headers), timeout=20)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["result"]["tools"]]


def test_a_window_of_time_leaves_no_stale_grant(make):
    bank = Bank(make)
    over = bank.policy("permit", PAY, 'when { context.system.now < datetime("2020-01-01") }')
    bank.policy("permit", SHOW, 'when { context.system.now > datetime("2020-01-01") }')
    # Both are listed, because the time of a call is not the time of a list; one of the calls is too late.
    assert bank.listed() == [PAY, SHOW]
    assert text_of(bank.wire.tool(PAY, cents=1)) == DENIAL
    assert not bank.wire.tool(SHOW, account="1")["result"]["isError"]
    bank.gateway.control.delete_policy(policyEngineId=bank.engine.id, policyId=over)
    until("the list", bank.listed, lambda listed: listed == [SHOW])


@pytest.fixture
def offering():
    """The URL of a server with a prompt and a resource."""
    command = [sys.executable, str(PROJECT / "e2e" / "offering_server.py")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain_environment())
    port = process.stdout.readline().strip()
    assert port.isdigit(), "the server did not start"
    yield f"http://127.0.0.1:{port}/mcp"
    process.terminate()
    process.wait(20)


def offers(make, url, mode="ENFORCE"):
    client = make.pool().client("invoke")
    gateway = make.gateway(client.pool.authorizer(client))
    gateway.mcp_target("Plans", url)
    engine = make.engine()
    gateway.enforce(engine.arn, mode)
    return gateway, Wire(gateway.url, client.token())


def test_policies_are_about_tools(make, offering):
    gateway, wire = offers(make, offering)
    assert {"prompts", "resources"} <= wire.initialize()["capabilities"].keys()
    assert wire.tools() == []
    assert [one["name"] for one in wire.call("prompts/list")["result"]["prompts"]] == ["Plans___summary"]
    assert "Summarise" in json.dumps(wire.call("prompts/get", {"name": "Plans___summary"}))
    assert "the plan of today" in json.dumps(wire.call("resources/read", {"uri": "plan://today"}))


def test_what_no_policy_can_permit_can_be_refused(start_server, offering):
    server = start_server(settings='[policy]\nprompts-and-resources = "refuse"')
    make = Scenery(server)
    gateway, wire = offers(make, offering)
    assert wire.initialize()["capabilities"].keys() == {"tools"}
    for method in ("prompts/list", "resources/list", "resources/templates/list", "completion/complete"):
        assert wire.call(method, {})["error"]["code"] == -32601, method
    # One denial for what is there and for what is not.
    for method, params in (
        ("prompts/get", {"name": "Plans___summary"}),
        ("prompts/get", {"name": "Plans___nothing"}),
        ("resources/read", {"uri": "plan://today"}),
        ("resources/read", {"uri": "plan://never"}),
    ):
        assert wire.call(method, params)["error"] == {"code": -32002, "message": DENIAL}, method
    denied = make.audited(lambda event: event["action"] in ("prompts/get", "resources/read"), 4)
    assert {event["decision"] for event in denied} == {"deny"}

    # Where decisions do not bind it is said, and not done; without an engine there is nothing to say.
    gateway.enforce(gateway.request["policyEngineConfiguration"]["arn"], "LOG_ONLY")
    assert "the plan of today" in json.dumps(wire.call("resources/read", {"uri": "plan://today"}))
    make.audited(lambda event: event["action"] == "resources/read" and event["decision"] == "wouldDeny")
    free = make.gateway()
    free.mcp_target("Plans", offering)
    assert "the plan of today" in json.dumps(Wire(free.url).call("resources/read", {"uri": "plan://today"}))


def test_an_engine_of_several_gateways_knows_each_by_its_name(make):
    """A policy that names a gateway is about that one, attached or not; the others never meet it."""
    client = make.pool().client("invoke")
    one, other = (make.gateway(client.pool.authorizer(client)) for _ in range(2))
    for gateway in (one, other):
        gateway.lambda_target("Bank", make.function(), TOOLS)
    engine = make.engine()
    permit = 'permit(principal, action == AgentCore::Action::"{}", resource == AgentCore::Gateway::"{}");'
    engine.policy(permit.format(PAY, one.arn))
    one.enforce(engine.arn)
    # The other gateway is not attached yet, and its policy is written all the same.
    engine.policy(permit.format(SHOW, other.arn))
    listed = lambda gateway: [tool["name"] for tool in Wire(gateway.url, client.token()).tools()]
    assert listed(one) == [PAY]
    assert listed(other) == [PAY, SHOW], "no engine guards it yet"
    other.enforce(engine.arn)
    assert listed(one) == [PAY] and listed(other) == [SHOW]
