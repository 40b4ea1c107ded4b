"""Hundreds of policies are asked for at once: there are as many as the quota lets there be, and every call in between is
decided rightly. `PORTCULLIS_E2E_FULL` asks for two thousand."""

import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from botocore.config import Config

from scenery import Scenery, tool, until
from wire import Wire, text_of

ASKED, MOST = (2000, 250) if os.environ.get("PORTCULLIS_E2E_FULL") else (400, 60)
SETTINGS = f"""
[quotas]
policies-per-engine = {MOST}
policy-bytes-per-resource = 10000000
"""
DENIED = "Tool Execution Denied"
ONCE = Config(retries={"total_max_attempts": 1}, max_pool_connections=16)


def test_a_burst_of_policies(start_server):
    make = Scenery(start_server(settings=SETTINGS))
    control = make.server.client("bedrock-agentcore-control", config=ONCE)
    client = make.pool().client("invoke")
    gateway, engine = make.gateway(client.pool.authorizer(client)), make.engine()
    gateway.lambda_target("Tools", make.function(), [tool("echo", required=["amount"], amount="integer")])
    gateway.enforce(engine.arn)
    wire = Wire(gateway.url, client.token())
    about = f'action == AgentCore::Action::"Tools___echo", resource == AgentCore::Gateway::"{gateway.arn}"'
    engine.policy(f"permit(principal, {about}) when {{ context.input.amount >= 0 }};", "base")
    engine.policy(f"forbid(principal, {about}) when {{ context.input.amount == 13 }};", "unlucky")
    refused = Counter()

    def create(number: int) -> str | None:
        """Each permits one amount that nothing else permits."""
        statement = f"permit(principal, {about}) when {{ context.input.amount == -{number + 1} }};"
        request = {"policyEngineId": engine.id, "name": f"p_{number}", "definition": {"cedar": {"statement": statement}}}
        try:
            return control.create_policy(**request, validationMode="IGNORE_ALL_FINDINGS")["policyId"]
        except control.exceptions.ServiceQuotaExceededException as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 402
            refused[error.response["Error"]["Message"]] += 1
            return None

    wrong, decided, over = [], Counter(), threading.Event()

    def call():
        while not over.is_set():
            for amount, allowed in ((5, True), (13, False), (-5000, False)):
                answer = text_of(wire.tool("Tools___echo", amount=amount))
                decided[amount] += 1
                if (DENIED not in answer) != allowed:
                    wrong.append((amount, answer))
            time.sleep(0.05)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        with ThreadPoolExecutor(16) as many:
            answers = list(many.map(create, range(ASKED)))
    finally:
        over.set()
        caller.join()
    made = {policy: number for number, policy in enumerate(answers) if policy}
    assert len(made) == MOST - 2
    assert sum(refused.values()) == ASKED - len(made) and len(refused) == 1 and f"{MOST}" in next(iter(refused)), refused
    assert wrong == [] and min(decided.values()) > 5, (wrong[:3], decided)
    # What was refused left nothing behind, and what was made is whole.
    pages = control.get_paginator("list_policies").paginate(policyEngineId=engine.id, PaginationConfig={"PageSize": 100})
    look = lambda: {it["policyId"]: it for it in pages.build_full_result()["policies"] if it["name"].startswith("p_")}
    seen = until("the policies", look, lambda it: {policy["status"] for policy in it.values()} == {"ACTIVE"})
    assert set(seen) == set(made)
    assert all(f"== -{made[policy] + 1} " in it["definition"]["cedar"]["statement"] for policy, it in seen.items())
    # They decide, the first, the last and one between; those that were refused do not.
    numbers = sorted(made.values())
    for number in (numbers[0], numbers[len(numbers) // 2], numbers[-1]):
        assert DENIED not in text_of(wire.tool("Tools___echo", amount=-number - 1)), number
    missing = next(number for number in range(ASKED) if number not in set(numbers))
    assert DENIED in text_of(wire.tool("Tools___echo", amount=-missing - 1))
    # A name that was refused is free, and there is room again when one goes.
    control.delete_policy(policyEngineId=engine.id, policyId=next(iter(made)))
    assert create(missing), refused
