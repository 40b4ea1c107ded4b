"""The programs of `examples/`: its README from the top to the bottom, as a reader would follow it; the gateway with a
tenant of Auth0's; and the two-layer tool with an agent, whose model is shown no token."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys

import pytest

from auth0 import Auth0
from portcullis import PROJECT, binary, plain_environment
from scenery import name, tool
from scripted_model import ScriptedModel
from test_docs import RUN, SHOWN, Reader, blocks

EXAMPLES = PROJECT / "examples"
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


def copied(folder):
    """The examples without what a developer's own runs left there."""
    leftovers = shutil.ignore_patterns(".env", ".gateway_url", ".agentcore.json", "__pycache__")
    return shutil.copytree(EXAMPLES, folder / "examples", ignore=leftovers)


@pytest.fixture
def reader(tmp_path):
    copied(tmp_path)
    reading = Reader(tmp_path)
    yield reading
    reading.leave()


def test_the_readme_runs_from_top_to_bottom(reader):
    said = {}
    for block in blocks(EXAMPLES / "README.md"):
        assert block.info in (*RUN, *SHOWN), f"{block.line}: {block.info}"
        if block.info in RUN:
            said[block.code] = reader.run(block)
    printed = "\n".join(filter(None, said.values()))
    assert "Tools: Clock___add_days" in printed and 'Answer: {"date": "2028-03-01", "weekday": "Wednesday"}' in printed
    assert '"date"' in printed.rpartition("told when it has called it:")[2]
    assert '"access_token"' not in printed and not JWT.search(printed), "what was printed holds a token"


@pytest.fixture(scope="module")
def tenant():
    running = Auth0("dev-example.us.auth0.com")
    yield running
    running.close()


def main_of(server, tenant, folder, *arguments):
    """Runs main.py as a reader with a tenant of Auth0's does. The tenant has its name for the program, by `exec`; the server
    under test knows the tenant's documents by their address on this machine."""
    settings = {
        "COGNITO_DOMAIN": f"https://{tenant.host}",
        "COGNITO_CLIENT_ID": tenant.client_id,
        "COGNITO_CLIENT_SECRET": tenant.client_secret,
    }
    (folder / "examples" / ".env").write_text("\n".join(f"{key}={value}" for key, value in settings.items()))
    command = [binary(), "exec", "--offline", "--data-dir", str(server.data_dir)]
    command += ["--answer", f"{tenant.host}={tenant.issuer}", "--", sys.executable, "examples/main.py", *arguments]
    return subprocess.run(
        command, cwd=folder, env=plain_environment(), capture_output=True, text=True, timeout=120, check=False
    )


def test_auth0s_tokens_pass_by_their_audience(server, make, tenant, tmp_path):
    copied(tmp_path)
    gateway = name("Auth0Gateway")
    given = ["--discovery-url", tenant.discovery_url, "--role-arn", make.gateway_role()]
    done = main_of(server, tenant, tmp_path, gateway, "--allowed-audience", tenant.audience, "--scope", "invoke:gateway", *given)
    assert done.returncode == 0 and '"weekday": "Wednesday"' in done.stdout, f"{done.stdout}{done.stderr}"
    # Again, with what is there.
    done = main_of(server, tenant, tmp_path, gateway, "--allowed-audience", tenant.audience, *given)
    assert done.returncode == 0, done.stderr
    # The provider says no, in a sentence; another audience is one that the gateway is given too.
    done = main_of(server, tenant, tmp_path, gateway, "--allowed-audience", "another", *given)
    assert done.returncode != 0 and "The provider gives no token: 403" in done.stderr
    tenant.audience, kept = "elsewhere", tenant.audience
    try:
        done = main_of(server, tenant, tmp_path, gateway, "--allowed-audience", "elsewhere", *given)
        assert done.returncode == 0, done.stderr
    finally:
        tenant.audience = kept
    assert "/oauth/token" in tenant.asked


def test_the_model_of_an_agent_is_shown_no_token(make, as_root, tmp_path, monkeypatch):
    from strands import Agent

    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client))
    days = tool("add_days", date="string", days="integer")
    source = """
def lambda_handler(event, context):
    return {"date": "2028-03-01"}
"""
    gateway.lambda_target("Clock", make.function(source), [days])
    provider = name("provider")
    config = {"clientId": client.id, "clientSecret": client.secret, "oauthDiscovery": {"discoveryUrl": pool.discovery_url}}
    as_root.client("bedrock-agentcore-control").create_oauth2_credential_provider(
        name=provider,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={"customOauth2ProviderConfig": config},
    )
    # The SDK keeps its workload's name in the folder that it runs in.
    monkeypatch.chdir(tmp_path)
    for variable, value in {"OAUTH_PROVIDER": provider, "OAUTH_SCOPE": client.scopes[0], "GATEWAY_URL": gateway.url}.items():
        monkeypatch.setenv(variable, value)
    spec = importlib.util.spec_from_file_location("two_layer_tool", EXAMPLES / "two_layer_tool.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)

    shown = []

    class Watched(ScriptedModel):
        tool, arguments = "add_days", {"date": "2028-02-28", "days": 2}

        async def stream(self, messages, tool_specs=None, system_prompt=None, **more):
            shown.append(json.dumps([messages, tool_specs, system_prompt], default=str))
            async for event in super().stream(messages, tool_specs, system_prompt, **more):
                yield event

    result = str(Agent(model=Watched(), tools=[example.add_days], callback_handler=None)("What is two days later?"))
    assert "success: " in result and "2028-03-01" in result, result
    assert len(shown) == 2, "one turn for the question, one for the tool's answer"
    parameters = example.add_days.tool_spec["inputSchema"]["json"]["properties"]
    assert set(parameters) == {"date", "days"}
    for text in shown:
        assert not JWT.search(text) and "access_token" not in text and client.secret not in text
    # A token that the service refuses is not told to the model either.
    gateway.update(authorizerConfiguration=pool.authorizer(pool.client("invoke")))
    shown.clear()
    Agent(model=Watched(), tools=[example.add_days], callback_handler=None)("And now?")
    assert "the service answered 401" in shown[-1] and not JWT.search(shown[-1])
