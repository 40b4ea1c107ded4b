"""Set-up scripts that are killed at each of their steps and run again: at the end there is one of each thing, and it
works.

`examples/set_up.py` and the guide's own script (section 8). cutting.py kills them from below, at every write and in
each of three ways, and each run goes on where the one before was killed.
"""

import json
import os
import signal
import subprocess
import sys

import pytest
import requests

from portcullis import PROJECT
from scenery import until
from wire import Wire, text_of

E2E = PROJECT / "e2e"
KINDS = ("sent", "unread", "read")
WRITES = [
    "CreateFunction {}",
    "CreateGateway {}",
    "CreateGatewayTarget Clock",
    "CreatePolicy {}",
    "CreatePolicyEngine {}",
    "CreateResourceServer {}",
    "CreateRole {}-function",
    "CreateRole {}-gateway",
    "CreateUserPool {}",
    "CreateUserPoolClient {}",
    "CreateUserPoolDomain",
    "PutRolePolicy {}-gateway",
    "UpdateGateway {}",
]


def cut(server, folder, kind: str, program, name: str) -> subprocess.Popen:
    """Starts a program that is killed at each of its writes, in a way, until it comes to its end."""
    command = [sys.executable, E2E / "cutting.py", kind, program, name]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen(command, cwd=folder, env={**server.env, "PYTHONDONTWRITEBYTECODE": "1"}, **pipes)


def end(running: subprocess.Popen):
    """Ends it with the process of the moment, which is of its group."""
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def ended(running: subprocess.Popen) -> list:
    """What it printed, when it has ended well. Twice it may wait ten seconds for what the server never began."""
    try:
        printed, said = running.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        end(running)
        raise
    assert running.returncode == 0, f"{printed}\n{said}"
    return printed.splitlines()


def set_up(server, name: str, *options: str) -> subprocess.CompletedProcess:
    """Runs the example and leaves it alone."""
    command = [sys.executable, PROJECT / "examples" / "set_up.py", name, *options]
    return subprocess.run(command, env=server.env, capture_output=True, text=True, timeout=60, check=True)


class Account:
    """What is there, by name."""

    def __init__(self, server):
        self.server = server
        services = ("iam", "lambda", "cognito-idp", "bedrock-agentcore-control")
        self.iam, self.functions, self.cognito, self.control = map(server.client, services)

    def every(self, client, operation: str, **request) -> list:
        pages = client.get_paginator(operation).paginate(**request)
        return [item for page in pages for value in page.values() if isinstance(value, list) for item in value]

    def called(self, client, operation: str, member: str, name: str, **request) -> list:
        return [item for item in self.every(client, operation, **request) if item[member].startswith(name)]

    def counted(self, name: str) -> dict:
        """How many there are of each thing."""
        cognito, control = self.cognito, self.control
        pools = self.called(cognito, "list_user_pools", "Name", name, MaxResults=60)
        gateways = self.called(control, "list_gateways", "name", name)
        engines = self.called(control, "list_policy_engines", "name", name)
        in_pools = lambda operation: sum((self.every(cognito, operation, UserPoolId=it["Id"]) for it in pools), [])
        targets = [
            self.every(control, "list_gateway_targets", gatewayIdentifier=it["gatewayId"]) for it in gateways
        ]
        policies = [self.every(control, "list_policies", policyEngineId=it["policyEngineId"]) for it in engines]
        return {
            "pools": len(pools),
            "resource servers": len(in_pools("list_resource_servers")),
            "clients": len(in_pools("list_user_pool_clients")),
            "roles": sorted(it["RoleName"] for it in self.called(self.iam, "list_roles", "RoleName", name)),
            "functions": len(self.called(self.functions, "list_functions", "FunctionName", name)),
            "gateways": len(gateways),
            "identities": len(self.called(control, "list_workload_identities", "name", name)),
            "targets": len(sum(targets, [])),
            "engines": len(engines),
            "policies": len(sum(policies, [])),
            "providers": len(self.called(control, "list_oauth2_credential_providers", "name", name)),
        }

    def token(self, told: dict) -> str:
        """A token of the client that was made, from where its pool gives tokens."""
        given = {"UserPoolId": told["userPoolId"], "ClientId": told["clientId"]}
        secret = self.cognito.describe_user_pool_client(**given)["UserPoolClient"]["ClientSecret"]
        form = {"grant_type": "client_credentials", "client_id": told["clientId"], "client_secret": secret}
        endpoint = f"{self.server.endpoint}/{told['userPoolId']}/oauth2/token"
        return requests.post(endpoint, data=form, timeout=30).json()["access_token"]


def one_of_each(name: str) -> dict:
    kinds = ("pools", "resource servers", "clients", "functions", "gateways", "identities", "targets", "engines")
    return {**dict.fromkeys(kinds, 1), "policies": 1, "roles": [f"{name}-function", f"{name}-gateway"], "providers": 0}


@pytest.fixture(scope="module")
def account(server):
    return Account(server)


@pytest.fixture(scope="module")
def runs(server, tmp_path_factory):
    """All at once, because each mostly waits."""
    folder, example = tmp_path_factory.mktemp("set-up"), PROJECT / "examples" / "set_up.py"
    started = {kind: cut(server, folder, kind, example, f"setup{kind}") for kind in KINDS}
    started["guide"] = cut(server, folder, "read", E2E / "guide_set_up.py", "setupguide")
    yield {"folder": folder, **started}
    for process in started.values():
        end(process)


@pytest.mark.parametrize("kind", KINDS)
def test_a_set_up_that_is_killed_at_each_step_leaves_one_of_each(server, account, runs, kind):
    name = f"setup{kind}"
    printed = ended(runs[kind])
    told = next(json.loads(line) for line in printed if line.startswith("{"))
    cuts = [line for line in printed if not line.startswith("{")]
    assert sorted(cuts) == sorted(write.format(name) for write in WRITES), "a step was not cut"
    assert account.counted(name) == one_of_each(name)
    wire = Wire(told["gatewayUrl"], account.token(told), "2025-11-25")
    assert "date" in json.loads(text_of(wire.tool("Clock___today")))


def test_what_was_deleted_is_made_again_and_nothing_else(server, account):
    name = "setupdeleted"
    told = json.loads(set_up(server, name).stdout)
    again = set_up(server, name)
    assert json.loads(again.stdout) == told and "made" not in again.stderr, again.stderr
    [gateway] = account.called(account.control, "list_gateways", "name", name)
    given = {"gatewayIdentifier": gateway["gatewayId"]}
    [target] = account.every(account.control, "list_gateway_targets", **given)
    account.control.delete_gateway_target(**given, targetId=target["targetId"])
    left = lambda: account.every(account.control, "list_gateway_targets", **given)
    until("the target", left, lambda seen: not seen)
    again = set_up(server, name, "--mode", "ENFORCE")
    made = [line.partition(":")[0] for line in again.stderr.splitlines() if line.endswith(": made")]
    assert made == ["target", "policies in ENFORCE"] and json.loads(again.stdout) == told, again.stderr
    assert account.counted(name) == one_of_each(name)
    # The policy binds, and lets the client through.
    wire = Wire(told["gatewayUrl"], account.token(told), "2025-11-25")
    assert [tool["name"] for tool in wire.tools()] == ["Clock___today"]
    assert "date" in json.loads(text_of(wire.tool("Clock___today")))


def test_the_guides_script_goes_on_where_it_was_killed(server, account, runs):
    cuts = ended(runs["guide"])
    later = ("CreatePolicy", "UpdateGateway", "CreateGatewayTarget")
    expected = [write.format("setupguide") for write in WRITES if not write.startswith(later)]
    assert sorted(cuts) == sorted([*expected, "CreateOauth2CredentialProvider setupguide"])
    none = dict.fromkeys(("targets", "engines", "policies"), 0)
    assert account.counted("setupguide") == one_of_each("setupguide") | none | {"providers": 1}
    saved = json.loads((runs["folder"] / "setup_config.json").read_text())
    assert list(saved) == ["cognito", "provider", "gateway"]
    [gateway] = account.called(account.control, "list_gateways", "name", "setupguide")
    assert saved["gateway"] == gateway["gatewayId"]
    # What is saved is not looked for: the script asks AWS nothing any more.
    alone = {**os.environ, **server.aws, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    command = [sys.executable, E2E / "guide_set_up.py", "setupguide"]
    subprocess.run(command, cwd=runs["folder"], env=alone, check=True, timeout=40)
