"""Power cuts: the server is killed in the middle of writes, again and again, and started again on the same data.

Afterwards no resource is half there, no change is without its audit event, no event is without its change, what was
answered is there, and what was being made gets done. Several servers are cut side by side, each with data of its own. After
each cut everything that is listed is held against what was told and against the whole audit trail; what was found ready is
looked into once, and all of it again behind the last cut. `PORTCULLIS_E2E_FULL` has hundreds of cuts instead of dozens.
"""

import concurrent.futures
import contextlib
import json
import os
import random
import threading
import time

import botocore.config
from botocore.exceptions import BotoCoreError, ClientError

from portcullis import Server
from scenery import FUNCTION_TRUST, GATEWAY_TRUST, Scenery, allow, name, tool, until

CUTS = 500 if os.environ.get("PORTCULLIS_E2E_FULL") else 50
SIDE_BY_SIDE = 5
WRITERS = 3
# Seconds from the first thing that was made to the cut.
MOMENTS = (0.02, 0.4)
IMPATIENT = botocore.config.Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
# The answers of a server that is back wait for the lease of the one that was killed.
SETTINGS = "[replica]\nlease-seconds = 3\n"
SERVICES = ("bedrock-agentcore-control", "cognito-idp", "iam")
FUNCTION = "arn:aws:lambda:us-west-2:000000000000:function:of-the-cuts"


class Writers:
    """Clients that make, change and delete as fast as they can, and remember what they were told was done."""

    def __init__(self, server: Server, role: str, engine: str):
        self.server, self.role, self.engine = server, role, engine
        self.made, self.deleted, self.settled = {}, set(), set()
        self.stopped, self.has_made = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.clients = [[server.client(it, config=IMPATIENT) for it in SERVICES] for _ in range(WRITERS)]

    def run(self, clients):
        while not self.stopped.is_set():
            with contextlib.suppress(ClientError, BotoCoreError):
                self.some_work(*clients)

    def some_work(self, agentcore, cognito, iam):
        match random.randrange(5):
            case 0:
                made = agentcore.create_gateway(
                    name=name("cut"), roleArn=self.role, protocolType="MCP", authorizerType="NONE"
                )
                self.told("gateway", made["gatewayId"])
                schema = {"inlinePayload": [tool("echo", text="string")]}
                agentcore.create_gateway_target(
                    gatewayIdentifier=made["gatewayId"],
                    name="Tools",
                    targetConfiguration={"mcp": {"lambda": {"lambdaArn": FUNCTION, "toolSchema": schema}}},
                    credentialProviderConfigurations=[{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
                )
            case 1:
                statement = "permit(principal is AgentCore::OAuthUser, action, resource is AgentCore::Gateway);"
                made = agentcore.create_policy(
                    policyEngineId=self.engine,
                    name=name("cut"),
                    definition={"cedar": {"statement": statement}},
                    validationMode="IGNORE_ALL_FINDINGS",
                )
                self.told("policy", made["policyId"])
                if random.random() < 0.5:
                    agentcore.delete_policy(policyEngineId=self.engine, policyId=made["policyId"])
                    self.gone("policy", made["policyId"])
            case 2:
                pool = cognito.create_user_pool(PoolName=name("cut"))["UserPool"]["Id"]
                self.told("pool", pool)
                cognito.create_user_pool_client(UserPoolId=pool, ClientName="app", GenerateSecret=True)
            case 3:
                user = name("cut")
                iam.create_user(UserName=user)
                self.told("user", user)
                iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(allow("s3:*")))
                iam.create_access_key(UserName=user)
            case 4:
                role = name("cut")
                iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(FUNCTION_TRUST))
                iam.delete_role(RoleName=role)
                self.gone("role", role)

    def told(self, kind: str, made: str):
        with self.lock:
            self.made[made] = kind
        self.has_made.set()

    def gone(self, kind: str, deleted: str):
        with self.lock:
            self.deleted.add((kind, deleted))


def test_a_power_cut_leaves_nothing_half_done(tmp_path):
    broken = threading.Event()
    shares = [CUTS // SIDE_BY_SIDE + (place < CUTS % SIDE_BY_SIDE) for place in range(SIDE_BY_SIDE)]
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        cutting = [pool.submit(cut, tmp_path / f"server-{place}", cuts, broken) for place, cuts in enumerate(shares)]
        for one in concurrent.futures.as_completed(cutting):
            if one.exception() is not None:
                broken.set()
        assert sum(one.result() for one in cutting) == CUTS


def cut(folder, cuts: int, broken: threading.Event) -> int:
    """Cuts one server so many times, unless another one broke; gives how many times it was."""
    server = Server(folder, settings=SETTINGS)
    try:
        server.start()
        make = Scenery(server)
        role = make.role(GATEWAY_TRUST, allow("lambda:InvokeFunction"))
        make.function(FunctionName="of-the-cuts")
        writers = Writers(server, role, make.engine().id)
        seed = random.randrange(1 << 32)
        print(f"the seed of {folder.name} is {seed}")
        moments = random.Random(seed)
        for number in range(cuts):
            if broken.is_set():
                return number
            cut_once(server, writers, moments.uniform(*MOMENTS))
            whole(server, writers)
        writers.settled.clear()
        whole(server, writers)
        assert len(writers.made) >= cuts
        return cuts
    finally:
        server.dispose()


def cut_once(server: Server, writers: Writers, moment: float):
    writers.stopped.clear()
    writers.has_made.clear()
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        working = [pool.submit(writers.run, clients) for clients in writers.clients]
        try:
            # A slow machine has to have made something before it can lose anything.
            assert writers.has_made.wait(60), f"nothing is made\n{server.log_tail()}"
            time.sleep(moment)
            server.kill()
        finally:
            writers.stopped.set()
        for work in working:
            work.result()
    verified = server.run("audit", "verify", check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    server.start()


def whole(server: Server, writers: Writers):
    """Holds what is there against what was told and against the audit trail."""
    agentcore, cognito, iam = (server.client(it) for it in SERVICES)
    there = {"gateway": set(), "policy": set(), "pool": set(), "user": set(), "role": set()}
    for item in every(agentcore, "list_gateways"):
        gateway = item["gatewayId"]
        there["gateway"].add(gateway)
        if gateway not in writers.settled:
            look = lambda: agentcore.get_gateway(gatewayIdentifier=gateway)
            until("the gateway is done", look, lambda seen: seen["status"] == "READY")
            for target in every(agentcore, "list_gateway_targets", gatewayIdentifier=gateway):
                one = dict(gatewayIdentifier=gateway, targetId=target["targetId"])
                look = lambda: agentcore.get_gateway_target(**one)
                until("the target is done", look, lambda seen: seen["status"] == "READY")
            writers.settled.add(gateway)
        else:
            assert item["status"] == "READY", item
    for item in every(agentcore, "list_policies", policyEngineId=writers.engine):
        policy = item["policyId"]
        there["policy"].add(policy)
        if policy not in writers.settled:
            look = lambda: agentcore.get_policy(policyEngineId=writers.engine, policyId=policy)
            until("the policy is done", look, lambda seen: seen["status"] == "ACTIVE")
            writers.settled.add(policy)
        else:
            assert item["status"] == "ACTIVE", item
    for page in cognito.get_paginator("list_user_pools").paginate(MaxResults=60):
        for pool in (item["Id"] for item in page["UserPools"]):
            there["pool"].add(pool)
            if pool not in writers.settled:
                cognito.describe_user_pool(UserPoolId=pool)
                writers.settled.add(pool)
    for page in iam.get_paginator("list_users").paginate():
        there["user"] |= {item["UserName"] for item in page["Users"]}
    for page in iam.get_paginator("list_roles").paginate():
        there["role"] |= {item["RoleName"] for item in page["Roles"]}

    for made, kind in writers.made.items():
        if (kind, made) not in writers.deleted:
            assert made in there[kind] or deleted_by_a_cut(kind), f"the {kind} {made} was answered and is not there"
    for kind, deleted in writers.deleted:
        assert deleted not in there[kind], f"the {kind} {deleted} was deleted and is there"

    created, removed = changes_of_the_trail(server)
    for kind, found in there.items():
        assert found <= created[kind], f"without an event: {kind} {found - created[kind]}"
        assert created[kind] - removed[kind] == found, (
            f"without its change: {kind} {created[kind] - removed[kind] - found}"
        )


def deleted_by_a_cut(kind: str) -> bool:
    """A policy whose deletion was cut may be gone or not: nobody was told."""
    return kind == "policy"


ACTIONS = {
    "bedrock-agentcore:CreateGateway": ("gateway", True),
    "bedrock-agentcore:CreatePolicy": ("policy", True),
    "bedrock-agentcore:DeletePolicy": ("policy", False),
    "cognito-idp:CreateUserPool": ("pool", True),
    "iam:CreateUser": ("user", True),
    "iam:CreateRole": ("role", True),
    "iam:DeleteRole": ("role", False),
}


def changes_of_the_trail(server: Server):
    """What the audit trail says was made and deleted, by kind."""
    created = {kind: set() for kind, _ in ACTIONS.values()}
    removed = {kind: set() for kind, _ in ACTIONS.values()}
    told = server.run("audit", "tail", "--json", "--lines", "1000000").stdout
    for event in map(json.loads, told.splitlines()):
        if event["action"] in ACTIONS and event["outcome"] == "success":
            kind, made = ACTIONS[event["action"]]
            (created if made else removed)[kind].add(event["resource"].rsplit("/", 1)[-1])
    return created, removed


def every(client, operation: str, **request):
    for page in client.get_paginator(operation).paginate(**request):
        yield from next(value for key, value in page.items() if isinstance(value, list))
