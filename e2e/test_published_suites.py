"""The integration tests that the AgentCore SDK and the starter toolkit carry in their source distributions, unmodified, under
`portcullis exec`: by the hosts that they name, and without a skip.

What is left out, and why, is in README.md.
"""

import importlib.metadata
import os
import re
import subprocess
import sys

import pytest

import converse
from auth0 import Auth0
from portcullis import PROJECT, REGION, Server, binary, plain_environment
from runtimes import RUNTIME_TRUST, agent, by_url, runtime
from scenery import archive, name
from sources import packages, source


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own: the toolkit's role has one name."""
    with Server(tmp_path_factory.mktemp("suites")) as own:
        yield own


def run(server, folder, *command, impatient=False, path=(), region=REGION, **environment) -> subprocess.CompletedProcess:
    """Runs a command under `exec`, offline."""
    variables = {**plain_environment(), "AWS_REGION": region, "AWS_DEFAULT_REGION": region, **environment}
    # Nothing of this machine's, and nothing written beside the sources.
    variables |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "PYTHONDONTWRITEBYTECODE": "1"}
    shim = [PROJECT / "e2e" / "impatience"] if impatient else []
    variables["PYTHONPATH"] = os.pathsep.join(map(str, [*shim, *path]))
    return subprocess.run(
        [binary(), "exec", "--offline", "--data-dir", str(server.data_dir), "--", sys.executable, *map(str, command)],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def passes(server, folder, tests: int, *suites: str, **settings):
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "-o", "addopts=", *suites]
    done = run(server, folder, *command, **settings)
    assert re.search(rf"^{tests} passed in", done.stdout, re.MULTILINE), f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


def sources_of(package: str):
    return source(package, importlib.metadata.version(package))


@pytest.mark.parametrize(
    ("suite", "tests"),
    [
        ("policy/test_policy_engine_client.py", 12),
        ("gateway/test_gateway_client.py", 15),
        ("identity/test_identity_client.py", 9),
    ],
)
def test_the_sdks_suites(server, make, suite, tests):
    """Their later tests skip when an earlier one made nothing: none may."""
    pool = make.pool()
    client = pool.client("invoke")
    environment = {
        "BEDROCK_TEST_REGION": REGION,
        "GATEWAY_ROLE_ARN": make.gateway_role(),
        "GATEWAY_LAMBDA_ARN": make.function(),
        "COGNITO_POOL_ID": pool.id,
        "COGNITO_CLIENT_ID": client.id,
        "COGNITO_CLIENT_SECRET": client.secret,
    }
    passes(server, sources_of("bedrock-agentcore"), tests, f"tests_integ/{suite}", **environment)


def test_the_sdks_suite_of_runtimes(server, make):
    """Its later tests skip when an earlier one made nothing: none may."""
    bucket = name("agents")
    s3 = server.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="agent.zip", Body=archive({"agent.py": ""}))
    environment = {
        "BEDROCK_TEST_REGION": REGION,
        "RUNTIME_ROLE_ARN": make.role(RUNTIME_TRUST),
        "RUNTIME_S3_CODE_URI": f"s3://{bucket}/agent.zip",
    }
    suite = "tests_integ/runtime/test_runtime_passthrough.py"
    passes(server, sources_of("bedrock-agentcore"), 10, suite, **environment)


def test_the_sdks_suite_of_resource_policies(server, make):
    with agent() as url:
        environment = {
            "BEDROCK_TEST_REGION": REGION,
            "RESOURCE_POLICY_TEST_ARN": runtime(make, by_url(url)).arn,
            "RESOURCE_POLICY_TEST_PRINCIPAL": make.user().arn,
        }
        passes(
            server, sources_of("bedrock-agentcore"), 6, "tests_integ/services/test_resource_policy.py", **environment
        )


def test_the_sdks_plugin_finds_tools(server, make):
    """Signed by AWS's own client of gateways, at the host that a gateway has on AWS; the agent's default model is a script."""
    model = converse.Converse(lambda request: "That is all.")
    environment = {
        "BEDROCK_TEST_REGION": REGION,
        "GATEWAY_ROLE_ARN": make.gateway_role(),
        "GATEWAY_LAMBDA_ARN": make.function(),
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
    }
    folder, path = sources_of("bedrock-agentcore"), [packages("requirements-proxy.txt")]
    try:
        passes(server, folder, 10, "tests_integ/gateway/integrations", impatient=True, path=path, **environment)
    finally:
        model.close()


DECORATED = """
import asyncio, runpy, sys
flows = runpy.run_path(sys.argv[1], run_name="flows")
asyncio.run(flows["need_api_key"](api_key=""))
asyncio.run(flows["need_token_2LO_async"](access_token=""))
"""


def test_the_sdks_decorators_get_a_key_and_a_token(server, tmp_path):
    """`identity/test_auth_flows.py` is a program: its functions for a key and for a client's token are called. The providers
    that it names are made here."""
    issuer = Auth0("as.example", audience=None, scope="default")
    metadata = {
        "issuer": issuer.issuer,
        "authorizationEndpoint": f"{issuer.issuer}/authorize",
        "tokenEndpoint": f"{issuer.issuer}/oauth/token",
        "tokenEndpointAuthMethods": ["client_secret_post"],
    }
    config = {"clientId": issuer.client_id, "clientSecret": issuer.client_secret}
    control = server.client("bedrock-agentcore-control")
    control.create_api_key_credential_provider(name="test-api-key-provider", apiKey="the-key-of-the-suite")
    control.create_oauth2_credential_provider(
        name="custom-provider-3",
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={
            "customOauth2ProviderConfig": {**config, "oauthDiscovery": {"authorizationServerMetadata": metadata}}
        },
    )
    flows = sources_of("bedrock-agentcore") / "tests_integ/identity/test_auth_flows.py"
    done = run(server, tmp_path, "-c", DECORATED, flows)
    issuer.close()
    assert "received api key for async func: the-key-of-the-suite\n" in done.stdout, done.stderr
    assert "received 2LO token for async func: eyJ" in done.stdout, done.stderr


def test_the_toolkits_suites(server, make):
    pool = make.pool()
    client = pool.client("invoke")
    domain = name("domain")
    server.client("cognito-idp").create_user_pool_domain(Domain=domain, UserPoolId=pool.id)
    environment = {
        "TEST_COGNITO_CLIENT_ID": client.id,
        "TEST_COGNITO_CLIENT_SECRET": client.secret,
        "TEST_COGNITO_TOKEN_ENDPOINT": f"https://{domain}.auth.{REGION}.amazoncognito.com/oauth2/token",
        "TEST_COGNITO_SCOPE": client.scopes[0],
    }
    suites = ["gateway/test_create_gateway_role.py", "gateway/test_cognito_token.py", "cli/identity/test_identity_m2m.py"]
    folder = sources_of("bedrock-agentcore-starter-toolkit")
    passes(server, folder, 3, *(f"tests_integ/{suite}" for suite in suites), impatient=True, **environment)


def refund(request: dict):
    """A model that does as it is told, and says what came of it."""
    got = converse.results(request)
    if got:
        return f"The tool said: {' '.join(part.get('text', '') for part in got[0]['content'])}"
    amount = int(re.search(r"\$(\d+)", converse.said(request))[1])
    return converse.named(request, "process_refund"), {"amount": amount}


def test_the_toolkits_story_of_a_gateway_and_its_policies(server, tmp_path):
    """As it is, from set-up to clean-up: it prints what happens, and asserts nothing; what it prints is looked at."""
    model = converse.Converse(refund)
    try:
        story = sources_of("bedrock-agentcore-starter-toolkit") / "tests_integ/policy/test_policy_gateway_integration.py"
        done = run(
            server,
            tmp_path,
            story,
            impatient=True,
            region="us-east-1",
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME=model.url,
        )
    finally:
        model.close()
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    told = done.stdout.splitlines()
    tries = {line.partition(": ")[0]: line.partition(": ")[2] for line in told if re.match(r"(🧪 )?Test \$", line)}
    allowed, denied = ("Test $500", "🧪 Test $300 (should succeed)"), ("Test $2000", "🧪 Test $600 (should fail)")
    assert set(tries) == {*allowed, *denied}, tries
    for line in allowed:
        amount = re.search(r"\$(\d+)", line)[1]
        assert f"Refund of ${amount} processed successfully" in tries[line], tries
    for line in denied:
        assert '"isError":true' in tries[line] and "processed" not in tries[line], tries
    # It catches what goes wrong, and goes on.
    assert "❌" not in done.stdout and "⚠️" not in done.stdout, done.stdout
    assert "📜 Generated 1 Cedar Policies:" in told and "  context.input.amount < 500" in told, done.stdout
    assert "✅ Policy is now ACTIVE" in told and any(line.startswith("🏷️  Tags: ") for line in told)
    said = {}
    for line in told:
        if line.startswith("=== $"):
            part = said.setdefault(line, [])
        elif line == "Testing Policy Generation":
            break
        elif said:
            part.append(line)
    first, denied, again = ("\n".join(lines) for lines in said.values())
    assert "Refund of $500 processed successfully" in first and "Refund of $500 processed successfully" in again
    assert "The tool said: " in denied and "processed successfully" not in denied, denied
    assert "✅ Cleanup complete" in told
    elsewhere = server.session().client("bedrock-agentcore-control", region_name="us-east-1", endpoint_url=server.endpoint)
    assert elsewhere.list_gateways()["items"] == []
