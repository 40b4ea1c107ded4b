"""Clients of several servers, while somebody makes faults; what they were told is kept, and checked afterwards.

The checker is not ours (`crates/store/examples/linearizable.rs` runs it): a resource behaves as one register whatever replica is
asked (linearizable), and a decision follows what was acknowledged (regular): no call that begins after a denial was
acknowledged is let through, and none that begins after a permission was is refused, while during the change replicas may
differ. Nothing that was acknowledged is lost, and the audit trail is whole.
"""

import concurrent.futures
import itertools
import json
import os
import random
import subprocess
import threading
import time

import pytest
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from portcullis import PROJECT
from replicas import LEASE
from scenery import Scenery, name, tool, until
from wire import Wire

# How often a fault is tried, where there is time.
ROUNDS = 12 if os.environ.get("PORTCULLIS_E2E_FULL") else 1
where_there_is_time = pytest.mark.skipif(ROUNDS == 1, reason="PORTCULLIS_E2E_FULL has it")
IMPATIENT = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=6 * LEASE)
CHECKER = os.environ.get("PORTCULLIS_E2E_LINEARIZABLE") or str(PROJECT / "target/debug/examples/linearizable")
# What a client says whose server is killed in the middle of its answer.
BROKEN = (BotoCoreError, ResponseParserError, HTTPError)
PERMIT = "permit(principal is AgentCore::OAuthUser, action, resource is AgentCore::Gateway);"


class History:
    """What clients asked and were told, and when."""

    def __init__(self):
        self.lines, self.lock, self.values = [], threading.Lock(), iter(range(1, 1 << 60))

    def value(self) -> int:
        with self.lock:
            return next(self.values)

    def read(self, register: str, ask):
        """A read that is not answered says nothing."""
        called = time.monotonic_ns()
        seen = ask()
        if seen is not None:
            self._keep(register=register, called=called, returned=time.monotonic_ns(), read=seen)

    def write(self, register: str, value: int, ask) -> bool:
        """A write that is not acknowledged may be done at any time, unless it was refused for certain."""
        called = time.monotonic_ns()
        line = {"register": register, "called": called, "write": value}
        try:
            ask()
            line["returned"] = time.monotonic_ns()
        except ClientError as refused:
            if not may_be_done(refused):
                return False
        except BROKEN:
            pass
        self._keep(**line)
        return "returned" in line

    def _keep(self, **line):
        with self.lock:
            self.lines.append(line)

    def check(self) -> subprocess.CompletedProcess:
        # What nobody was told of and nobody saw may never have been done: the checker need not try when it was.
        seen = {(line["register"], line["read"]) for line in self.lines if "read" in line}
        known = [line for line in self.lines if "returned" in line or (line["register"], line["write"]) in seen]
        lines = "\n".join(json.dumps(line) for line in known)
        return subprocess.run(
            [CHECKER, "decision"], input=lines, capture_output=True, text=True, timeout=120, check=False
        )


def may_be_done(refused: ClientError) -> bool:
    """Whether what was asked may have been done for all that the answer says. What was refused for what it says was not; of what
    failed on the way, the answer says so."""
    response = refused.response
    if response["ResponseMetadata"]["HTTPStatusCode"] == 503:
        return "may have been done" in response["Error"].get("Message", "")
    return response["ResponseMetadata"]["HTTPStatusCode"] >= 500


class Load:
    """Clients of all replicas at random."""

    def __init__(self, servers: list):
        self.servers, self.history, self.over = servers, History(), threading.Event()
        self.made, self.unclear = [], []
        make = Scenery(servers[0])
        pool = make.pool()
        self.caller = pool.client("invoke")
        self.gateway = make.gateway(pool.authorizer(self.caller))
        self.gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
        self.engine = make.engine()
        self.engine.policy(PERMIT, validationMode="IGNORE_ALL_FINDINGS")
        self.gateway.enforce(self.engine.arn)
        self.token = self.caller.token()
        self.registers = [make.engine().id for _ in range(2)]

    def client(self, service="bedrock-agentcore-control"):
        made = random.choice(self.servers).client(service, config=IMPATIENT)
        made.meta.events.register("after-call", self.saw)
        return made

    def saw(self, http_response, parsed, **_):
        """Whoever cannot do what is asked now says so, and that it may be tried again (503); nothing else is a fault's answer."""
        if http_response.status_code >= 500 and http_response.status_code != 503:
            self.unclear.append(parsed)

    def describe(self):
        """Writes a description, and reads others'."""
        while not self.over.is_set():
            engine = random.choice(self.registers)
            if random.random() < 0.3:
                value = self.history.value()
                update = dict(policyEngineId=engine, description={"optionalValue": str(value)})
                client = self.client()
                if not self.history.write(engine, value, lambda: client.update_policy_engine(**update)):
                    time.sleep(0.2)
            else:
                client = self.client()
                self.history.read(engine, lambda: described(client, engine))

    def forbid(self):
        """Forbids the tool and permits it again: 1 and 0 in the register of decisions."""
        while self.sure(1, self.with_forbid) and self.sure(0, self.without_forbids):
            time.sleep(random.uniform(0, 0.3))

    def sure(self, value: int, ask) -> bool:
        """Asks until it was told that it is done."""
        pauses = itertools.chain((0.2, 0.4, 0.8), itertools.repeat(1.6))
        while not self.over.is_set():
            client = self.client()
            if self.history.write("decision", value, lambda client=client: whole(ask, client)):
                time.sleep(random.uniform(0, 0.3))
                return True
            # The checker tries every moment at which each of these may have been done.
            time.sleep(next(pauses))
        return False

    def with_forbid(self, client):
        statement = f'forbid(principal, action, resource == AgentCore::Gateway::"{self.gateway.arn}");'
        made = client.create_policy(
            policyEngineId=self.engine.id,
            # Names are the account's: an engine of another load may have what it was not told of.
            name=name("forbid").replace("-", "_"),
            definition={"cedar": {"statement": statement}},
            validationMode="IGNORE_ALL_FINDINGS",
        )
        while client.get_policy(policyEngineId=self.engine.id, policyId=made["policyId"])["status"] != "ACTIVE":
            time.sleep(0.02)

    def without_forbids(self, client):
        for policy in client.list_policies(policyEngineId=self.engine.id, maxResults=100)["policies"]:
            if policy["name"].startswith("forbid_"):
                client.delete_policy(policyEngineId=self.engine.id, policyId=policy["policyId"])
        # Another attempt, of which nobody knows, may have come in between.
        left = client.list_policies(policyEngineId=self.engine.id, maxResults=100)["policies"]
        if any(policy["name"].startswith("forbid_") for policy in left):
            raise BotoCoreError()

    def call(self):
        """Calls the tool: what it is told is what it reads of the register of decisions."""
        while not self.over.is_set():
            self.history.read("decision", self.decided)

    def decided(self):
        return self.decided_by(random.choice(self.servers))

    def decided_by(self, server, token=None):
        """0 when the tool is called, 1 when it is forbidden, nothing when it is not said."""
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        message["params"] = {"name": "Tools___echo", "arguments": {"text": "x"}}
        wire = Wire(server.at(self.gateway.url), token or self.token, "2025-11-25")
        try:
            answer = wire.post(message)
        except requests.RequestException:
            return None
        if answer.status_code >= 500 and answer.status_code != 503:
            self.unclear.append(answer.text)
        if answer.status_code != 200 or "result" not in answer.json():
            return None
        result = answer.json()["result"]
        if not result.get("isError"):
            return 0
        return 1 if "Tool Execution Denied" in json.dumps(result) else None

    def make(self):
        """Makes things, and remembers what was acknowledged."""
        while not self.over.is_set():
            wanted = name("kept")
            try:
                self.client("iam").create_user(UserName=wanted)
            except (ClientError, *BROKEN):
                time.sleep(0.1)
                continue
            self.made.append(wanted)

    def under(self, disturb):
        """Lets clients work until all faults have been made, and checks what they were told."""
        work = [self.describe] * 3 + [self.forbid] + [self.call] * 2 + [self.make]

        def faults():
            try:
                disturb(self)
                until("permissions and denials", self.decisions, lambda seen: {0, 1} <= seen)
            finally:
                self.over.set()

        with concurrent.futures.ThreadPoolExecutor(len(work) + 1) as pool:
            working = [pool.submit(it) for it in (*work, faults)]
            concurrent.futures.wait(working, return_when=concurrent.futures.FIRST_EXCEPTION)
            self.over.set()
            for it in working:
                it.result()
        self.verify()

    def decisions(self) -> set:
        """What calls were told."""
        return {line["read"] for line in [*self.history.lines] if line["register"] == "decision" and "read" in line}

    def verify(self):
        for server in self.servers:
            until("all are back", server.is_ready, lambda seen: seen)
        assert not self.unclear, self.unclear
        checked = self.history.check()
        assert checked.returncode == 0, checked.stdout + checked.stderr
        pages = self.servers[0].client("iam").get_paginator("list_users").paginate()
        present = {user["UserName"] for page in pages for user in page["Users"]}
        assert set(self.made) <= present, set(self.made) - present
        verified = self.servers[0].run("audit", "verify", check=False)
        assert verified.returncode == 0, verified.stdout + verified.stderr


def whole(ask, client):
    """Of several requests one may have been done, although another was refused."""
    try:
        ask(client)
    except ClientError as refused:
        raise BotoCoreError() from refused


def under_load(servers: list, disturb) -> Load:
    """Clients of these servers, while `disturb(load)` makes faults; with a seed that is printed."""
    seed = random.randrange(1 << 32)
    print(f"the seed is {seed}")
    random.seed(seed)
    load = Load(servers)
    load.under(disturb)
    return load


def described(client, engine: str):
    try:
        return int(client.get_policy_engine(policyEngineId=engine).get("description") or 0)
    except (ClientError, *BROKEN):
        return None
