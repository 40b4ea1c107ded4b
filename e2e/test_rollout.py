"""The guide's phased introduction of security controls (section 8): a runtime behind signatures, then behind tokens,
then policies that only log, then policies that bind.

One story with one agent. Callers of every kind call without a pause while each phase gives way to the next: who may
not, never may; who may no longer, may not from the moment on that the change is in force; what was let in finishes.
"""

import asyncio
import collections
import itertools
import json
import threading
import time
from dataclasses import dataclass

import jwt
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

import documents
from portcullis import ACCOUNT
from runtimes import RUNTIME_TRUST, agent, by_url, runtime
from scenery import allow, audited, name, refusal, tool, until
from wire import Wire

INVOKE = "bedrock-agentcore:InvokeAgentRuntime"
EMAIL, REPORT = "MyTarget___markdown_to_email", "MyTarget___format_report"
# Calls of each caller that a phase must have, and seconds between them.
ENOUGH, PAUSE = 5, 0.02

# The guide's function calls it and leaves it to its reader.
FORMAT_REPORT = '''

def handle_format_report(event):
    return {"report": event["title"].upper()}
'''


@dataclass
class Call:
    """A call, from when to when it lasted, and what became of it."""

    begun: float
    ended: float
    outcome: object
    word: str


class Traffic:
    """Callers who call all the time, each in a thread: `calls[who]` is what became of their calls, in order."""

    def __init__(self, **callers):
        self.callers, self.calls = callers, {who: [] for who in callers}
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._call, args=(who,), daemon=True) for who in callers]

    def _call(self, who: str):
        for number in itertools.count():
            if self.stopped.is_set():
                return
            word, begun = f"{who}-{number}", time.monotonic()
            try:
                outcome = self.callers[who](word)
            except Exception as error:
                outcome = error
            self.calls[who].append(Call(begun, time.monotonic(), outcome, word))
            time.sleep(PAUSE)

    def __enter__(self) -> "Traffic":
        for thread in self.threads:
            thread.start()
        self.flows()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)

    def flows(self):
        """Waits until each of them has begun and ended some more calls."""
        now = time.monotonic()
        later = lambda: min(sum(call.begun > now for call in calls) for calls in list(self.calls.values()))
        until("the traffic", later, lambda seen: seen >= ENOUGH)

    def outcomes(self, who: str, after: float = 0.0, before: float = float("inf")) -> set:
        """What became of the calls that began after a moment and had ended before another."""
        seen = {call.outcome for call in self.calls[who] if call.begun > after and call.ended < before}
        assert seen, f"{who} did not call"
        return seen


class Rollout:
    """What the phases have built so far."""

    def __init__(self, make, url: str):
        self.make, self.server, self.url = make, make.server, url
        self.control = make.server.client("bedrock-agentcore-control")
        self.role = make.role(RUNTIME_TRUST)
        self.runtime = runtime(make, by_url(url), roleArn=self.role)
        self.operator = make.user(allow(INVOKE, resource=self.runtime.arn))
        self.stranger = make.user(allow("s3:*"))
        self.pool = make.pool(("invoke", "manager", "developer"))
        self.manager, self.developer = (self.pool.client("invoke", it) for it in ("manager", "developer"))
        self.unknown = self.pool.client("invoke", "manager")

    # --- the runtime ---------------------------------------------------------------------------------------------

    def signed(self, caller):
        """How somebody who signs fares at the runtime. A connection that ended with a refusal is not taken again."""
        client = caller.client("bedrock-agentcore", config=Config(retries={"total_max_attempts": 3}))

        def call(_word: str):
            try:
                return 200 if self.runtime.invoke(client, {})["session"] else None
            except ClientError as error:
                return error.response["ResponseMetadata"]["HTTPStatusCode"]

        return call

    def bearing(self, token: str | None):
        """How the bearer of a token fares there."""
        return lambda _word: self.runtime.post({}, token).status_code

    def at_runtime(self) -> Traffic:
        return Traffic(
            operator=self.signed(self.operator),
            stranger=self.signed(self.stranger),
            nobody=self.bearing(None),
            developer=self.bearing(self.developer.token()),
            unknown=self.bearing(self.unknown.token()),
        )

    def without_authorizer(self) -> list:
        """The audit of the page about runtimes: list them, get each, look for an authorizer."""
        listed = self.control.get_paginator("list_agent_runtimes").paginate().build_full_result()["agentRuntimes"]
        described = [self.control.get_agent_runtime(agentRuntimeId=it["agentRuntimeId"]) for it in listed]
        return [it["agentRuntimeId"] for it in described if "authorizerConfiguration" not in it]

    def ask_for_tokens(self):
        """The settings of the guide's section 4.6, and when they were asked for and were in force."""
        asked = time.monotonic()
        self.control.update_agent_runtime(
            agentRuntimeId=self.runtime.id,
            agentRuntimeArtifact=by_url(self.url),
            roleArn=self.role,
            networkConfiguration={"networkMode": "PUBLIC"},
            authorizerConfiguration=self.pool.authorizer(self.manager, self.developer),
            requestHeaderConfiguration={"requestHeaderAllowlist": ["Authorization"]},
        )
        look = lambda: self.control.get_agent_runtime(agentRuntimeId=self.runtime.id)
        ready = until("the runtime", look, lambda seen: seen["status"] == "READY")
        assert ready["agentRuntimeVersion"] == "2"
        return asked, time.monotonic()

    # --- the gateway -----------------------------------------------------------------------------------------------

    def open_gateway(self):
        """Sections 5 and 6: the tools, and an engine with the manager's policy, in LOG_ONLY from the first call on."""
        self.engine = self.make.engine()
        self.gateway = self.make.gateway(
            self.pool.authorizer(self.manager, self.developer),
            policyEngineConfiguration={"arn": self.engine.arn, "mode": "LOG_ONLY"},
        )
        source = documents.text("guide/section_5_2.py") + FORMAT_REPORT
        function = self.make.function(source, environment={"SES_SENDER_EMAIL": "reports@example.com"}, MemorySize=512)
        email = tool("markdown_to_email", markdown_content="string", recipient_email="string")
        self.gateway.lambda_target("MyTarget", function, [email, tool("format_report", title="string")])
        permit = documents.text("guide/section_6_4_permit.cedar")
        self.engine.policy(permit.replace("ACCOUNT_ID", ACCOUNT).replace("GATEWAY_ID", self.gateway.id))

    def through_agent(self, client, tool_name: str = EMAIL, **arguments) -> dict:
        """A tool, by the agent, with the token of whom it works for."""
        arguments = arguments or {"markdown_content": "# Done", "recipient_email": self.address(name("agent"))}
        asked = {"gateway": self.gateway.url, "tool": tool_name, "arguments": arguments}
        answer = self.runtime.post(asked, client.token())
        assert answer.status_code == 200, answer.text
        return answer.json()

    def address(self, word: str) -> str:
        return f"{word}@{self.gateway.id}.example.com"

    def mailing(self, token: str | None):
        """How the bearer of a token fares who sends mail through the gateway: a status, or whether it was refused."""
        wire = Wire(self.gateway.url, token, "2025-11-25", Connection="close")

        def call(word: str):
            arguments = {"markdown_content": "# Done", "recipient_email": self.address(word)}
            answer = wire.post(wire.message("tools/call", {"name": EMAIL, "arguments": arguments}))
            if answer.status_code != 200:
                return answer.status_code
            return "refused" if answer.json()["result"]["isError"] else "sent"

        return call

    def mailed(self) -> set:
        """To whom mail went, by the words of their addresses."""
        sent = itertools.chain(*(mail["message"]["Destination"]["ToAddresses"] for mail in self.make.mails(5000)))
        return {address.partition("@")[0] for address in sent if address.endswith(self.address(""))}

    def decisions(self, wanted: int) -> collections.Counter:
        """What the audit trail says of calls of tools: subject, tool and decision, counted."""
        asked = ("audit", "query", "--resource", self.gateway.arn, "--action", "tools/call", "-n", "9999", "--json")
        look = lambda: [json.loads(line) for line in self.server.run(*asked).stdout.splitlines()]
        decided = lambda: [event for event in look() if event.get("tool") and event.get("decision")]
        events = until("the events", decided, lambda seen: len(seen) >= wanted)
        return collections.Counter((it["actor"]["subject"], it["tool"], it["decision"]) for it in events)

    def would_deny(self) -> dict:
        """Whom `policy promote` says that the policies would deny, and how often."""
        told = self.server.run("policy", "promote", "--gateway", self.gateway.id, "--dry-run", "--json")
        shown = json.loads(told.stdout)
        assert all(it["wouldBe"] == "denied" for it in shown["changes"]), shown
        return {(it["caller"]["id"], it["tool"]): it["calls"] for it in shown["changes"]}


@pytest.fixture(scope="module")
def rollout(make):
    with agent() as url:
        yield Rollout(make, url)


def test_the_controls_come_phase_by_phase(rollout):
    signatures(rollout)
    tokens(rollout)
    policies_that_log(rollout)
    policies_that_bind(rollout)
    assert rollout.server.run("audit", "verify").returncode == 0


def signatures(rollout):
    """Deploy the Runtime with SigV4 authentication only and verify basic operation."""
    operator = rollout.operator.client("bedrock-agentcore")
    # "With SigV4, IAM policies separately control access, so trusting the userId in the payload is safe."
    assert rollout.runtime.invoke(operator, {"userId": "ada"})["user"] == "ada"
    stranger = rollout.stranger.client("bedrock-agentcore")
    assert refusal(rollout.runtime.invoke, stranger, {})[:2] == (403, "AccessDeniedException")
    assert rollout.runtime.post({}).status_code == 403
    assert rollout.runtime.post({}, rollout.developer.token()).status_code == 403, "nobody asked for tokens yet"
    trail = lambda event: event.get("resource", "").startswith(rollout.runtime.arn) and event["action"] == INVOKE
    told = collections.Counter(
        (event["actor"].get("arn"), event["decision"]) for event in audited(rollout.server, trail, 4)
    )
    assert told == {(rollout.operator.arn, "allow"): 1, (rollout.stranger.arn, "deny"): 1, (None, "deny"): 2}, told


def tokens(rollout):
    """Add Cognito JWT authentication to enable end-user authentication."""
    operator, mine = rollout.operator.client("bedrock-agentcore"), f"session-{name('of-the-operator-of-the-agent')}"
    stream = operator.invoke_agent_runtime(
        agentRuntimeArn=rollout.runtime.arn, runtimeSessionId=mine, payload=json.dumps({"stream": True}).encode()
    )
    events = stream["response"].iter_lines(1)
    assert next(events) == b'data: {"event": 1}'
    assert rollout.runtime.id in rollout.without_authorizer()
    with rollout.at_runtime() as traffic:
        asked, in_force = rollout.ask_for_tokens()
        traffic.flows()
    assert rollout.runtime.id not in rollout.without_authorizer()
    for never in ("stranger", "nobody", "unknown"):
        assert traffic.outcomes(never) <= {401, 403}, (never, traffic.outcomes(never))
    assert traffic.outcomes("operator", before=asked) == {200}
    assert traffic.outcomes("developer", before=asked) == {403}
    assert traffic.outcomes("operator", after=in_force) == {403}
    assert traffic.outcomes("developer", after=in_force) == {200}
    assert traffic.outcomes("operator") | traffic.outcomes("developer") == {200, 403}, "nothing else amid the change"
    # The operator's session is nobody else's now; what was let in finishes.
    developer = rollout.developer.token()
    assert rollout.runtime.post({}, developer, mine).status_code == 403
    assert rollout.runtime.post({"goOn": True}, developer).status_code == 200
    assert b'data: {"event": 2}' in list(events)
    # The payload names whom it likes, and the agent believes the token.
    told = rollout.runtime.post({"userId": rollout.manager.id}, developer).json()
    assert told["user"] == jwt.decode(developer, options={"verify_signature": False})["sub"] == rollout.developer.id


def policies_that_log(rollout):
    """Test Cedar policies with Gateway + LOG_ONLY mode (log without denying)."""
    rollout.open_gateway()
    developer, manager = rollout.developer, rollout.manager
    for client in (developer, manager):
        seen = rollout.through_agent(client)
        assert set(seen["tools"]) == {EMAIL, REPORT} and not seen["refused"], seen
        assert "REVIEW" in rollout.through_agent(client, REPORT, title="review")["text"]
    assert len(rollout.mailed()) == 2
    assert rollout.decisions(4) == {
        (manager.id, EMAIL, "allow"): 1,
        (developer.id, EMAIL, "wouldDeny"): 1,
        (manager.id, REPORT, "wouldDeny"): 1,
        (developer.id, REPORT, "wouldDeny"): 1,
    }
    # "Analyze logs, confirm there are no false positives": the two reports are.
    assert rollout.would_deny() == {(developer.id, EMAIL): 1, (manager.id, REPORT): 1, (developer.id, REPORT): 1}
    rollout.engine.policy(
        f'permit(principal, action == AgentCore::Action::"{REPORT}", '
        f'resource == AgentCore::Gateway::"{rollout.gateway.arn}") '
        'when { principal.hasTag("scope") && principal.getTag("scope") like "*invoke*" };'
    )
    for client in (developer, manager):
        assert not rollout.through_agent(client)["refused"]
        assert not rollout.through_agent(client, REPORT, title="review")["refused"]
    assert rollout.decisions(8)[(developer.id, REPORT, "allow")] == 1
    assert rollout.would_deny() == {(developer.id, EMAIL): 1}, "what is left is meant"


def policies_that_bind(rollout):
    """… then switch to ENFORCE mode."""
    before, mailed = rollout.decisions(8), rollout.mailed()
    callers = {"manager": rollout.manager.token(), "developer": rollout.developer.token(), "nobody": None}
    callers["unknown"] = rollout.unknown.token()
    with Traffic(**{who: rollout.mailing(token) for who, token in callers.items()}) as traffic:
        session = asyncio.run(across_the_switch(rollout, callers["developer"]))
        asked, in_force, kept = session
        traffic.flows()
    assert kept == {"before": (True, False), "after": (False, True)}, "a session that was open is no way around"
    assert traffic.outcomes("nobody") == traffic.outcomes("unknown") == {401}
    assert traffic.outcomes("manager") == {"sent"}, "whom the policies permit notices nothing"
    assert traffic.outcomes("developer", before=asked) == {"sent"}
    assert traffic.outcomes("developer", after=in_force) == {"refused"}
    assert traffic.outcomes("developer") == {"sent", "refused"}

    # What was refused did nothing, what was told to be sent was sent, and the trail has each call as it was decided.
    calls = traffic.calls["manager"] + traffic.calls["developer"]
    sent = {call.word for call in calls if call.outcome == "sent"}
    assert rollout.mailed() - mailed == sent | {"session-before"}
    logged = rollout.decisions(before.total() + len(calls) + 2) - before
    of_developer = collections.Counter(call.outcome for call in traffic.calls["developer"])
    assert logged == {
        (rollout.manager.id, EMAIL, "allow"): len(traffic.calls["manager"]),
        (rollout.developer.id, EMAIL, "wouldDeny"): of_developer["sent"] + 1,
        (rollout.developer.id, EMAIL, "deny"): of_developer["refused"] + 1,
    }

    # "They disappear entirely": from what the agent sees for the developer, too.
    seen = rollout.through_agent(rollout.developer)
    assert seen["tools"] == [REPORT] and seen["refused"], seen
    assert not rollout.through_agent(rollout.developer, REPORT, title="review")["refused"]
    seen = rollout.through_agent(rollout.manager)
    assert set(seen["tools"]) == {EMAIL, REPORT} and not seen["refused"], seen


async def across_the_switch(rollout, token: str):
    """Switches while a session of MCP is open; gives when, and what its user saw and could do before and after."""
    headers, kept = {"Authorization": f"Bearer {token}"}, {}
    async with (
        streamablehttp_client(rollout.gateway.url, headers=headers) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()

        async def look(moment: str):
            tools = [it.name for it in (await session.list_tools()).tools]
            mail = {"markdown_content": "# Done", "recipient_email": rollout.address(f"session-{moment}")}
            kept[moment] = EMAIL in tools, (await session.call_tool(EMAIL, mail)).isError

        await look("before")
        asked = time.monotonic()
        await asyncio.to_thread(rollout.gateway.enforce, rollout.engine.arn)
        in_force = time.monotonic()
        await look("after")
    return asked, in_force, kept
