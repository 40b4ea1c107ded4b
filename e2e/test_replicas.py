"""Servers that share one database are one system: what was acknowledged by one is so at all, whatever fails."""

import http.server
import threading
import time

import pytest
import requests
from botocore.config import Config

from portcullis import ACCOUNT, REGION
from replicas import LEASE, replicas
from scenery import Scenery, allow, name, refusal, tool, until
from wire import Wire

# A client that does not wait for ever for one that is cut off.
IMPATIENT = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5 * LEASE)
CREDENTIALS = {"AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": {"USERNAME": "u", "PASSWORD": "p"}}
MESSAGES = [{"role": "user", "content": [{"text": "x"}]}]
PERMIT = "permit(principal is AgentCore::OAuthUser, action, resource is AgentCore::Gateway);"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with replicas(tmp_path_factory.mktemp("replicas")) as started:
        yield started


@pytest.fixture(scope="module")
def scene(three):
    """A gateway with a tool that everybody with a token may call, as long as no policy forbids it."""
    make = Scenery(three[0])
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client))
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    engine = make.engine()
    engine.policy(PERMIT, validationMode="IGNORE_ALL_FINDINGS")
    gateway.enforce(engine.arn)
    return make, gateway, engine, client.token()


def calls(replica, gateway, token) -> requests.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    message["params"] = {"name": "Tools___echo", "arguments": {"text": "x"}}
    return Wire(replica.at(gateway.url), token, "2025-11-25").post(message)


def permitted(response: requests.Response) -> bool:
    return response.status_code == 200 and not response.json().get("result", {"isError": True}).get("isError", False)


def all_permit(servers, gateway, token):
    for server in servers:
        answer = calls(server, gateway, token)
        assert permitted(answer), f"{server.endpoint}: {answer.status_code} {answer.text}"


def test_what_one_acknowledges_is_in_force_at_all(three, scene):
    _, gateway, engine, token = scene
    forbid = f'forbid(principal, action, resource == AgentCore::Gateway::"{gateway.arn}");'
    for turn in range(9):
        here = three[turn % 3].client("bedrock-agentcore-control")
        all_permit(three, gateway, token)
        engine.server = three[turn % 3]
        policy = engine.policy(forbid, validationMode="IGNORE_ALL_FINDINGS")
        for replica in three:
            answer = calls(replica, gateway, token)
            assert not permitted(answer), f"{replica.endpoint} does not know the policy: {answer.text}"
        here.delete_policy(policyEngineId=engine.id, policyId=policy)


def test_a_key_that_is_revoked_at_one_opens_nothing_at_another(three, scene):
    make = scene[0]
    caller = make.user(allow("bedrock-agentcore:ListGateways"))
    for turn in range(6):
        key = three[turn % 3].client("iam").create_access_key(UserName=caller.name)["AccessKey"]
        clients = [
            replica.client("bedrock-agentcore-control", key["AccessKeyId"], key["SecretAccessKey"]) for replica in three
        ]
        for client in clients:
            client.list_gateways()
        three[turn % 3].client("iam").delete_access_key(UserName=caller.name, AccessKeyId=key["AccessKeyId"])
        for client in clients:
            assert refusal(client.list_gateways)[0] == 403


def no_plane_serves(lost, caller, pool, token: str):
    """Asks every plane of a replica without its database, as somebody whom it does not know yet: each refuses at once, in
    its own words, and says what to do."""
    signed = lambda service: lost.client(service, caller.key, caller.secret, config=IMPATIENT)
    runtime = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:runtime/some_agent-abcdefghij"
    calls = {
        "control": (signed("bedrock-agentcore-control").list_gateways, {}),
        # Too large for a stranger: who sends it is not known to be one.
        "a large body": (signed("lambda").update_function_code, dict(FunctionName="f", ZipFile=bytes(200_000))),
        "iam": (signed("iam").list_users, {}),
        "sts": (signed("sts").get_caller_identity, {}),
        "an unsigned call": (signed("cognito-idp").initiate_auth, dict(CREDENTIALS, ClientId=26 * "a")),
        "objects": (signed("s3").list_buckets, {}),
        "a model": (signed("bedrock-runtime").converse, dict(modelId="m", messages=MESSAGES)),
        "an agent": (signed("bedrock-agentcore").invoke_agent_runtime, dict(agentRuntimeArn=runtime, payload=b"{}")),
    }
    for plane, (call, request) in calls.items():
        status, kind, message = refusal(call, **request)
        wanted = "ServiceUnavailable" if plane == "objects" else "ServiceUnavailableException"
        assert (status, kind) == (503, wanted) and "another replica" in message, f"{plane}: {status} {kind} {message}"
    form = {"grant_type": "client_credentials", "client_id": 26 * "a", "client_secret": "x"}
    for endpoint in ("oauth2/token", "oauth2/revoke"):
        answer = requests.post(lost.at(f"{pool.issuer}/{endpoint}"), data={**form, "token": "x"}, timeout=LEASE)
        said = answer.json()
        assert (answer.status_code, said["error"]) == (503, "temporarily_unavailable"), f"{endpoint}: {answer.text}"
        assert "another replica" in said["error_description"] and int(answer.headers["Retry-After"]) > 0
    bearer = {"Authorization": f"Bearer {token}"}
    user_info = requests.get(lost.at(f"{pool.issuer}/oauth2/userInfo"), headers=bearer, timeout=LEASE)
    assert (user_info.status_code, user_info.json()["error"]) == (503, "temporarily_unavailable"), user_info.text
    page = requests.get(lost.at(f"{pool.issuer}/oauth2/authorize"), params={"client_id": 26 * "a"}, timeout=LEASE)
    assert page.status_code == 503 and int(page.headers["Retry-After"]) > 0, page.text


def test_one_that_is_cut_off_serves_until_its_lease_is_over_and_comes_back(three, scene):
    make, gateway, engine, token = scene
    one, lost = three[0], three[2]
    caller, pool = make.user(allow("*")), make.pool()
    forbid = f'forbid(principal, action, resource == AgentCore::Gateway::"{gateway.arn}");'
    lost.line.cut()
    try:
        # What is acknowledged waits for its lease; no call that begins after that is let through.
        began = time.monotonic()
        engine.server = one
        policy = engine.policy(forbid, validationMode="IGNORE_ALL_FINDINGS")
        waited = time.monotonic() - began
        answer = calls(lost, gateway, token)
        assert answer.status_code == 503 and "cannot reach its database" in answer.text, answer.text
        assert waited < 5 * LEASE, f"one that is gone held the others up for {waited} s"
        ready = requests.get(f"{lost.endpoint}/readyz", timeout=5)
        assert ready.status_code == 503 and "lease" in ready.text
        metrics = requests.get(f"{lost.endpoint}/metrics", timeout=5).text
        assert "portcullis_server_current 0" in metrics and "portcullis_server_database_reachable 0" in metrics
        began = time.monotonic()
        status, kind, message = refusal(lost.client("bedrock-agentcore-control").list_gateways)
        assert (status, kind) == (503, "ServiceUnavailableException") and "another replica" in message
        assert time.monotonic() - began < LEASE, "it is refused at once"
        no_plane_serves(lost, caller, pool, token)
        # The others lack nothing.
        three[1].client("bedrock-agentcore-control").delete_policy(policyEngineId=engine.id, policyId=policy)
    finally:
        lost.line.mend()
    until("the lost one", lost.is_ready, lambda seen: seen)
    all_permit(three, gateway, token)


def test_changes_are_refused_at_once_while_the_lease_still_runs(three, scene):
    make, gateway, _, token = scene
    lost = three[1]
    caller, pool = make.user(allow("*")), make.pool()
    lost.line.cut()
    try:
        reachable = lambda: "portcullis_server_database_reachable 0" in requests.get(f"{lost.endpoint}/metrics").text
        until("it knows", reachable, lambda seen: seen)
        began = time.monotonic()
        client = lost.client("bedrock-agentcore-control", config=IMPATIENT)
        status, kind, _ = refusal(client.create_policy_engine, name=name("engine").replace("-", "_"))
        assert (status, kind) == (503, "ServiceUnavailableException")
        assert time.monotonic() - began < LEASE
        no_plane_serves(lost, caller, pool, token)
    finally:
        lost.line.mend()
    until("the lost one", lost.is_ready, lambda seen: seen)
    assert permitted(calls(lost, gateway, token))


def test_what_one_left_half_done_another_finishes(three, scene):
    make = scene[0]

    # An MCP server that says nothing holds a target's creation up.
    class Silent(http.server.BaseHTTPRequestHandler):
        asked, go_on = threading.Semaphore(0), threading.Event()

        def do_POST(self):
            self.asked.release()
            self.go_on.wait(60)
            self.send_error(500)

        def log_message(self, *_):
            pass

    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    try:
        gateway = make.gateway()
        doomed = three[2]
        asked = dict(
            gatewayIdentifier=gateway.id,
            name="Slow",
            targetConfiguration={"mcp": {"mcpServer": {"endpoint": f"http://127.0.0.1:{upstream.server_port}/mcp"}}},
        )
        made = doomed.client("bedrock-agentcore-control").create_gateway_target(**asked)
        assert Silent.asked.acquire(timeout=30), "the server was not asked"
        doomed.kill()
        # Somebody else asks, when the one that began is known to be gone.
        assert Silent.asked.acquire(timeout=30), "nobody went on"
        Silent.go_on.set()
        control = three[0].client("bedrock-agentcore-control")
        look = lambda: control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=made["targetId"])["status"]
        until("the target", look, lambda seen: seen != "CREATING")
    finally:
        Silent.go_on.set()
        upstream.shutdown()
        doomed.start()


def test_one_that_knows_what_the_database_does_not_ends(three, scene):
    doomed = three[2]
    make = scene[0]
    make.engine()
    connection = doomed.database.connect()
    connection.autocommit = True
    # What a standby does not have that becomes the primary; sequences go on well behind it.
    cursor = connection.cursor()
    cursor.execute("DELETE FROM changes WHERE seq = (SELECT MAX(seq) FROM changes)")
    cursor.execute("SELECT setval('changes_seq_seq', (SELECT MAX(seq) + 33 FROM changes))")
    cursor.execute(
        "INSERT INTO changes (account, region, kind, id) SELECT account, region, kind, id FROM changes WHERE seq = 1"
    )
    connection.close()
    for replica in three:
        assert replica.process.wait(30) != 0
        assert "lost changes that this replica has served" in replica.log()
        replica.start()
    assert permitted(calls(doomed, scene[1], scene[3]))
