"""Targets whose tools change under the policies that are about them: who is told, what is refused, what an approval asks for,
and what can be known before anything is done."""

import json
import secrets

import pytest

from portcullis import ACCOUNT, REGION
from scenery import Scenery, refusal, tool, until
from test_pinning import PINS, Changing, synchronized

AMOUNT = [tool("pay", required=["amount"], amount="integer"), tool("show", text="string")]
SUM = [tool("pay", required=["sum"], sum="integer"), tool("show", text="string")]


@pytest.fixture
def changing():
    server = Changing()
    yield server
    server.end()


class Guarded:
    """A gateway that enforces, with nothing behind it yet."""

    def __init__(self, make):
        self.make, self.server = make, make.server
        # Names of policies are an account's alone.
        self.mark = "_" + secrets.token_hex(4)
        self.gateway = make.gateway("AWS_IAM")
        self.control = self.gateway.control
        self.engine = make.engine()
        self.gateway.enforce(self.engine.arn)

    def policy(self, effect: str, of: str, policy_name: str, conditions: str = "") -> str:
        action = f'action == AgentCore::Action::"{of}"'
        return self.engine.policy(
            f'{effect}(principal, {action}, resource == AgentCore::Gateway::"{self.gateway.arn}") {conditions};',
            f"{policy_name}{self.mark}",
            validationMode="IGNORE_ALL_FINDINGS",
        )

    def seen(self, target: str) -> dict:
        return self.control.get_gateway_target(gatewayIdentifier=self.gateway.id, targetId=target)

    def delete(self, target: str) -> list:
        return self.control.delete_gateway_target(gatewayIdentifier=self.gateway.id, targetId=target).get("statusReasons", [])

    def verb(self, verb: str, *more: str, target: str = "Up"):
        return self.server.run("target", verb, "--gateway", self.gateway.id, "--target", target, *more, check=False)

    def audited(self, action: str) -> list:
        about = lambda event: event["action"].split(":")[-1] == action and self.gateway.id in (event.get("resource") or "")
        return [event.get("reason") or "" for event in self.make.audited(about)]


@pytest.fixture
def guarded(make):
    return Guarded(make)


def test_another_target_of_the_same_name_is_the_same_change(guarded):
    """Taken away and made again, a target would be another one under the policies of the first."""
    function = guarded.make.function()
    first = guarded.gateway.lambda_target("Up", function, AMOUNT)
    binding = guarded.policy("forbid", "Up___pay", "no_riches", "when { context.input.amount > 1000 }")
    guarded.policy("permit", "Up___show", "shows")
    told = guarded.delete(first)
    assert [reason.split(" does not fit")[0] for reason in told] == [
        f"The forbid policy no_riches{guarded.mark}",
        f"The permit policy shows{guarded.mark}",
    ]
    assert "no_riches" in guarded.audited("DeleteGatewayTarget")[0]
    status, code, message = refusal(guarded.gateway.lambda_target, "Up", function, SUM)
    assert (status, code) == (409, "ConflictException")
    assert f"The forbid policy no_riches{guarded.mark} does not fit the changed tools" in message and "amount" in message, message
    assert guarded.control.list_gateway_targets(gatewayIdentifier=guarded.gateway.id)["items"] == []
    # Another name is nothing that the policy is about, and what fits may come back.
    guarded.delete(guarded.gateway.lambda_target("Other", function, SUM))
    again = guarded.gateway.lambda_target("Up", function, AMOUNT)
    assert "statusReasons" not in guarded.seen(again)
    # A permit that is left behind, or a forbid that does not bind, is told of and stops nothing.
    guarded.control.update_policy(policyEngineId=guarded.engine.id, policyId=binding, enforcementMode="LOG_ONLY")
    look = lambda: guarded.control.get_policy(policyEngineId=guarded.engine.id, policyId=binding)
    until("the policy", look, lambda it: it["status"] == "ACTIVE")
    guarded.delete(again)
    other = guarded.gateway.lambda_target("Up", function, SUM)
    [reason] = guarded.seen(other)["statusReasons"]
    assert reason.startswith(f"The forbid policy no_riches{guarded.mark} does not fit"), reason
    assert "no_riches" in guarded.audited("CreateGatewayTarget")[-1]


def test_an_approval_that_leaves_policies_behind_asks_for_consent(guarded, changing):
    target = guarded.gateway.mcp_target("Up", changing.url)
    guarded.policy("forbid", "Up___b", "never_b")
    guarded.policy("permit", "Up___a", "anybody_a")
    assert guarded.verb("check").returncode == 0, "nothing is held"
    changing.lists(a="Does a.", c="Does b.")
    held, told = synchronized(guarded.gateway, target)["statusReasons"]
    assert "renamed b to c" in held
    assert told.startswith(f"Held for approval: an approval leaves a policy behind. The forbid policy never_b{guarded.mark} does not fit")
    assert "never_b" in guarded.audited("target.hold")[0]

    looked = guarded.verb("check", "--json")
    assert looked.returncode == 1
    [broken] = json.loads(looked.stdout)["policies"]
    assert (broken["name"], broken["effect"], broken["binds"]) == (f"never_b{guarded.mark}", "forbid", True) and "Up___b" in broken["problem"]
    refused = guarded.verb("approve")
    assert refused.returncode == 1 and "never_b" in refused.stderr and "--force" in refused.stderr
    assert guarded.seen(target)["statusReasons"] == [held, told], "nothing was approved"
    assert guarded.verb("approve", "--force").returncode == 0
    [reason] = guarded.seen(target)["statusReasons"]
    assert reason.startswith(f"The forbid policy never_b{guarded.mark} does not fit the changed tools"), reason
    approved = guarded.audited("target.approve")[0]
    assert "renamed b to c" in approved and "never_b" in approved


def test_a_list_that_nobody_holds_is_told_of(start_server, changing):
    """As on AWS, what a server lists is in force; here somebody is told what it does."""
    guarded = Guarded(Scenery(start_server(settings=PINS.format('"off"'))))
    target = guarded.gateway.mcp_target("Up", changing.url)
    guarded.policy("forbid", "Up___b", "never_b")
    changing.lists(a="Does a.", c="Does b.")
    [reason] = synchronized(guarded.gateway, target)["statusReasons"]
    assert reason.startswith(f"The forbid policy never_b{guarded.mark} does not fit"), reason
    assert any("never_b" in settled for settled in guarded.audited("target.settle"))
    assert "A change of a target leaves a policy behind" in guarded.server.log()
    # The same in two steps: what is read first is what appears.
    guarded.delete(target)
    anew = guarded.gateway.mcp_target("Up", changing.url)
    [reason] = guarded.seen(anew)["statusReasons"]
    assert reason.startswith(f"The forbid policy never_b{guarded.mark} does not fit"), reason


def test_a_change_can_be_tried(guarded, tmp_path):
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:any"
    guarded.gateway.lambda_target("Up", guarded.make.function(), AMOUNT)
    guarded.policy("forbid", "Up___pay", "no_riches", "when { context.input.amount > 1000 }")
    guarded.policy("permit", "Up___show", "shows")

    def tried(configuration, target: str = "Up", *more: str):
        file = tmp_path / "target.json"
        file.write_text(configuration if isinstance(configuration, str) else json.dumps(configuration))
        return guarded.verb("check", str(file), *more, target=target)

    of = lambda tools: {"mcp": {"lambda": {"lambdaArn": function, "toolSchema": {"inlinePayload": tools}}}}
    more = [*AMOUNT, tool("more", text="string")]
    assert tried(of(more)).returncode == 0
    done = tried({"name": "Up", "targetConfiguration": of(SUM)})
    assert done.returncode == 1 and "1 policies" in done.stderr
    assert done.stdout.startswith(f"forbid no_riches{guarded.mark} (") and "binds" in done.stdout and "amount" in done.stdout, done.stdout
    both = json.loads(tried(of([tool("none", text="string")]), "Up", "--json").stdout)["policies"]
    assert {policy["name"] for policy in both} == {f"no_riches{guarded.mark}", f"shows{guarded.mark}"}
    assert tried(of(SUM), "New").returncode == 0
    document = {
        "openapi": "3.0.0",
        "info": {"title": "t", "version": "1"},
        "servers": [{"url": "https://api.example.com"}],
        "paths": {"/": {"get": {"operationId": "show", "responses": {"200": {"description": "d"}}}}},
    }
    rest = tried({"mcp": {"openApiSchema": {"inlinePayload": json.dumps(document)}}})
    assert rest.returncode == 1 and "no_riches" in rest.stdout and "shows" not in rest.stdout, rest.stderr
    for wrong, says in [
        ("{", "no JSON"),
        ({"mcp": {"lambda": {}}}, "targetConfiguration"),
        ({"mcp": {"mcpServer": {"endpoint": "https://up.example.com/mcp"}}}, "lists its tools itself"),
        ({"mcp": {"openApiSchema": {"s3": {"uri": "s3://bucket/key"}}}}, "inlinePayload"),
    ]:
        refused = tried(wrong)
        assert refused.returncode == 2 and says in refused.stderr, refused.stderr
    assert guarded.verb("check", target="None").returncode == 2
    # Nothing was done.
    [item] = guarded.control.list_gateway_targets(gatewayIdentifier=guarded.gateway.id)["items"]
    assert item["name"] == "Up" and guarded.audited("CreateGatewayTarget") and "statusReasons" not in guarded.seen(item["targetId"])
