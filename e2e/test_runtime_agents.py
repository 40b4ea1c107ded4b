"""Agents by their code: the SDK's app and a server of MCP in archives, one process a session; and agents that speak MCP."""

import asyncio
import os
import uuid
from pathlib import Path

import pytest
import requests
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

import documents
from converse import Converse, calls
from portcullis import REGION
from runtimes import RUNTIME_TRUST, agent, by_url, runtime
from scenery import allow, archive, name, refusal, until

APP = (Path(__file__).parent / "agent_app.py").read_text()

# Says what only a process of its own can say.
WHOAMI = """
import os
import boto3
from bedrock_agentcore.runtime import BedrockAgentCoreApp

app = BedrockAgentCoreApp()
seen = []

@app.entrypoint
def invoke(payload, context):
    seen.append(payload)
    if payload.get("fall"):
        os._exit(3)
    if payload.get("who"):
        return {"arn": boto3.client("sts").get_caller_identity()["Arn"], "stage": os.environ.get("STAGE")}
    return {"pid": os.getpid(), "calls": len(seen), "session": context.session_id}

if __name__ == "__main__":
    app.run()
"""

SERVER = """
import sys
from mcp.server.fastmcp import FastMCP

port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
mcp = FastMCP("agent", host="127.0.0.1", port=port, stateless_http=True)

@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b

mcp.run(transport="streamable-http")
"""


@pytest.fixture(scope="module")
def bucket(server):
    made = name("bucket")
    server.client("s3").create_bucket(Bucket=made, CreateBucketConfiguration={"LocationConstraint": REGION})
    return made


def code(server, bucket, files: dict, entry_point=("main.py",)) -> dict:
    """An archive in the object store, for the Python that runs the tests."""
    import sys

    key = f"{name('agent')}.zip"
    server.client("s3").put_object(Bucket=bucket, Key=key, Body=archive(files))
    language = f"PYTHON_3_{max(sys.version_info.minor, 10)}"
    return {
        "codeConfiguration": {
            "code": {"s3": {"bucket": bucket, "prefix": key}},
            "runtime": language,
            "entryPoint": list(entry_point),
        }
    }


@pytest.fixture(scope="module")
def whoami(make, server, bucket):
    role = make.role(RUNTIME_TRUST, allow("sts:GetCallerIdentity"))
    return runtime(
        make,
        code(server, bucket, {"main.py": WHOAMI}),
        roleArn=role,
        environmentVariables={"STAGE": "tests"},
        lifecycleConfiguration={"idleRuntimeSessionTimeout": 60, "maxLifetime": 120},
    )


def session() -> str:
    return f"session-{uuid.uuid4()}"


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_each_session_has_a_process_of_its_own(whoami, data):
    one, two = session(), session()
    first = whoami.invoke(data, {}, runtimeSessionId=one)
    again = whoami.invoke(data, {}, runtimeSessionId=one)
    other = whoami.invoke(data, {}, runtimeSessionId=two)
    assert first["pid"] == again["pid"] != other["pid"]
    assert (again["calls"], other["calls"]) == (2, 1)
    data.stop_runtime_session(agentRuntimeArn=whoami.arn, runtimeSessionId=one)
    until("the process", lambda: gone(first["pid"]), lambda seen: seen)
    assert not gone(other["pid"])
    # A session that was stopped begins anew, for the same caller.
    assert whoami.invoke(data, {}, runtimeSessionId=one)["calls"] == 1


def test_the_agent_works_as_its_role(whoami, data):
    told = whoami.invoke(data, {"who": True})
    assert ":assumed-role/role-" in told["arn"] and told["stage"] == "tests"


def test_an_agent_that_falls_is_started_again(whoami, data):
    mine = session()
    assert refusal(whoami.invoke, data, {"fall": True}, runtimeSessionId=mine)[1] == "RuntimeClientError"
    assert whoami.invoke(data, {}, runtimeSessionId=mine)["calls"] == 1


def test_code_that_does_not_start(make, server, bucket, data):
    broken = runtime(make, code(server, bucket, {"main.py": "raise SystemExit('s3cret words')"}))
    status, kind, message = refusal(broken.invoke, data, {})
    assert (status, kind) == (424, "RuntimeClientError") and "s3cret" not in message


def test_code_that_cannot_be_had_is_refused(make, server, bucket, control):
    request = lambda artifact: {
        "agentRuntimeName": name("agent").replace("-", "_"),
        "agentRuntimeArtifact": artifact,
        "roleArn": make.role(RUNTIME_TRUST),
    }
    absent = code(server, bucket, {"main.py": ""})
    absent["codeConfiguration"]["code"]["s3"]["prefix"] = "no-such.zip"
    assert refusal(control.create_agent_runtime, **request(absent))[1] == "ValidationException"
    climbing = code(server, bucket, {"main.py": ""}, ["../main.py"])
    assert "entryPoint" in refusal(control.create_agent_runtime, **request(climbing))[2]
    server.client("s3").put_object(Bucket=bucket, Key="text.zip", Body=b"no archive")
    text = code(server, bucket, {"main.py": ""})
    text["codeConfiguration"]["code"]["s3"]["prefix"] = "text.zip"
    assert "Not a zip archive" in refusal(control.create_agent_runtime, **request(text))[2]
    # Who may not read the object cannot have it run.
    policy = allow("bedrock-agentcore:CreateAgentRuntime", "iam:PassRole")
    caller = make.user(policy).client("bedrock-agentcore-control")
    good = code(server, bucket, {"main.py": ""})
    assert "s3:GetObject" in refusal(caller.create_agent_runtime, **request(good))[2]


def test_nothing_is_left_of_a_runtime_that_is_deleted(make, server, bucket, control, data):
    brief = runtime(make, code(server, bucket, {"main.py": WHOAMI}))
    pid = brief.invoke(data, {})["pid"]
    control.delete_agent_runtime(agentRuntimeId=brief.id)
    until("the process", lambda: gone(pid), lambda seen: seen)


def test_the_server_ends_its_agents(start_server):
    from scenery import Scenery

    # Processes of its own are reached although nothing else of this machine may be.
    own = start_server(settings="[outbound]\nloopback = false")
    make = Scenery(own)
    own.client("s3").create_bucket(Bucket="agents", CreateBucketConfiguration={"LocationConstraint": REGION})
    made = runtime(make, code(own, "agents", {"main.py": WHOAMI}))
    pid = made.invoke(own.client("bedrock-agentcore"), {})["pid"]
    own.stop()
    assert gone(pid)


# --- the guide ---------------------------------------------------------------------------------------------------------

# What the guide leaves to its reader: a prompt, and a tool that says for whom the agent works.
AROUND = """
import os
from strands import tool

os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = {model!r}
SYSTEM_PROMPT = "Say for whom you work."

@tool(context=True)
def for_whom(tool_context) -> str:
    \"\"\"Says for whom the agent works.\"\"\"
    return tool_context.agent.state.get("user_id")

tools = [for_whom]
"""


def test_the_guides_agent_as_printed_is_not_impersonated(as_root, make, bucket, pool):
    """Sections 4.6 and 7.1: the runtime, and the agent that believes the token's `sub` and not the payload."""
    model = Converse(calls("for_whom"))
    files = {"main.py": AROUND.format(model=model.url) + documents.text("guide/section_7_1.py") + "\napp.run()\n"}
    ada, eve = pool.client("invoke"), pool.client("invoke")
    names = {}
    exec(compile(documents.text("guide/section_4_6.py"), "section_4_6", "exec"), names)
    made = names["create_runtime_with_jwt_auth"](
        agent_name=name("guide").replace("-", "_"),
        execution_role=make.role(RUNTIME_TRUST, allow("bedrock:InvokeModel*")),
        artifact_config=code(as_root, bucket, files),
        discovery_url=pool.discovery_url,
        allowed_client_ids=[ada.id, eve.id],
        region=REGION,
    )
    url = made["url"].replace(f"https://bedrock-agentcore.{REGION}.amazonaws.com", as_root.endpoint)
    told = requests.post(
        url,
        json={"prompt": "Whose are you?", "userId": ada.id},
        headers={"Authorization": f"Bearer {eve.token()}"},
        timeout=120,
    )
    assert told.status_code == 200, told.text
    assert told.headers["Content-Type"].startswith("text/event-stream")
    assert f"success: {eve.id}" in told.text and f"success: {ada.id}" not in told.text
    model.close()


# --- MCP ---------------------------------------------------------------------------------------------------------------


def mcp_call(url, token, **headers):
    async def calling():
        headers_ = {"Authorization": f"Bearer {token}", **headers}
        async with streamablehttp_client(url, headers=headers_) as (read, write, get_session_id):
            async with ClientSession(read, write) as client:
                await client.initialize()
                tools = [tool.name for tool in (await client.list_tools()).tools]
                result = await client.call_tool("add", {"a": 2, "b": 3})
                return tools, result.content[0].text, get_session_id()

    return asyncio.run(asyncio.wait_for(calling(), 60))


@pytest.fixture(scope="module")
def pool(make):
    return make.pool(["invoke"])


def test_a_server_of_mcp_by_its_code(make, server, bucket, pool):
    ada, bob = pool.client("invoke"), pool.client("invoke")
    made = runtime(
        make,
        code(server, bucket, {"main.py": SERVER}),
        protocolConfiguration={"serverProtocol": "MCP"},
        authorizerConfiguration=pool.authorizer(ada, bob),
    )
    url = f"{made.url}?qualifier=DEFAULT"
    tools, answer, mine = mcp_call(url, ada.token())
    assert tools == ["add"] and answer == "5" and mine
    # The session that the platform gave is the caller's.
    both = {"Accept": "application/json, text/event-stream"}
    ping = {"jsonrpc": "2.0", "id": 9, "method": "ping"}
    refused = made.post(ping, bob.token(), headers={"Mcp-Session-Id": mine, **both})
    assert refused.status_code == 403 and refused.json()["error"]["code"] == -32002
    assert made.post(ping, ada.token(), headers={"Mcp-Session-Id": mine, **both}).status_code == 200
    nobody = made.post(ping, headers=both)
    assert nobody.status_code == 401 and nobody.json()["error"]["code"] == -32001
    assert "resource_metadata" in nobody.headers["WWW-Authenticate"]
    narrow = made.post(ping, ada.token(), headers={"Accept": "application/json"})
    assert narrow.status_code == 406 and narrow.json()["error"]["code"] == -32011


def test_a_server_of_mcp_that_is_gone_is_told_in_its_words(make, pool):
    ada = pool.client("invoke")
    made = runtime(
        make,
        by_url("http://127.0.0.1:1"),
        protocolConfiguration={"serverProtocol": "MCP"},
        authorizerConfiguration=pool.authorizer(ada),
    )
    both = {"Accept": "application/json, text/event-stream"}
    told = made.post({"jsonrpc": "2.0", "id": 9, "method": "ping"}, ada.token(), headers=both)
    assert told.status_code == 200
    assert told.json()["error"]["code"] == -32010 and told.json()["id"] == 9


# --- partners ----------------------------------------------------------------------------------------------------------


def test_a_partner_shows_a_key_where_the_operator_says_so(start_server):
    from scenery import Scenery, audited

    own = start_server()
    make = Scenery(own)
    control = own.client("bedrock-agentcore-control")
    with agent() as url:
        guarded, other = runtime(make, by_url(url)), runtime(make, by_url(url))
        key = f"key-{uuid.uuid4()}"
        made = control.create_api_key_credential_provider(name="acme", apiKey=key)
        shown = {"X-Partner-Key": key}
        assert guarded.post({}, headers=shown).status_code == 403, "it is off unless the operator says otherwise"
        own.config_file.write_text(
            own.config_file.read_text()
            + "[[runtimes.partner]]\n"
            + 'header = "X-Partner-Key"\n'
            + f'provider = "{made["credentialProviderArn"]}"\n'
            + 'principal = "acme"\n'
            + f'runtimes = ["{guarded.arn}"]\n'
        )
        own.restart()
        answer = guarded.post({}, headers=shown, session="s-1")
        assert answer.status_code == 200, answer.text
        assert key not in answer.text and "x-partner-key" not in answer.json()["headers"]
        assert guarded.post({}, headers={"X-Partner-Key": key[:-1]}).status_code == 403
        assert other.post({}, headers=shown).status_code == 403
        told = audited(own, lambda event: event["kind"] == "runtime" and event["outcome"] == "success")[-1]
        assert told["actor"]["subject"] == "acme" and told["actor"]["issuer"] == made["credentialProviderArn"]
        # A key that was changed is worth nothing at once.
        control.update_api_key_credential_provider(name="acme", apiKey=f"{key}-2")
        assert guarded.post({}, headers=shown).status_code == 403
        assert guarded.post({}, headers={"X-Partner-Key": f"{key}-2"}, session="s-1").status_code == 200
        assert key not in own.log()
