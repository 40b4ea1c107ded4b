"""The documents' blocks as they are printed, under `portcullis exec`: hosts of AWS are answered by the server under test,
hosts of others by local parties, and nothing but placeholders is filled in. docs/documents.md has the table.

`test_seeds_guide.py` and `test_seeds_cli.py` look closer at what some of the blocks make; here all of them are run, by the
names that they print.
"""

import ast
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import jwt
import pytest

import documents
import guide_story
import scenery
from auth0 import Auth0
from converse import Converse, calls
from documents import extract
from portcullis import PROJECT, REGION, Server, binary, plain_environment
from scenery import refusal
from wire import Wire

TENANT = "dev-example.us.auth0.com"
# A command of the setup page, which prints several in one line, too.
COMMAND = re.compile(r'python main\.py "\w+" --allowed-\w+ "[\w-]+" \.\.\.')


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose issuers are written as AWS writes them, with nothing in it yet."""
    with Server(tmp_path_factory.mktemp("documents"), settings='[oidc]\nissuer-style = "aws"') as own:
        yield own


@pytest.fixture(scope="module")
def tenant():
    running = Auth0(TENANT)
    yield running
    running.close()


class Runner:
    """Runs commands under `exec`, offline: what nobody here answers for is refused."""

    def __init__(self, server, tenant, folder: Path):
        self.server, self.tenant, self.folder = server, tenant, folder

    def __call__(self, *command, answers=(), timeout=120, **environment) -> subprocess.CompletedProcess:
        options = ["--offline", "--data-dir", str(self.server.data_dir), "--answer", f"*.us.auth0.com={self.tenant.issuer}"]
        for answer in answers:
            options += ["--answer", answer]
        # The CLI of the environment that runs the tests.
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [binary(), "exec", *options, "--", *map(str, command)],
            cwd=self.folder,
            env={**plain_environment(), "PATH": path, "AWS_PAGER": "", **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def block(self, path: str, filled: dict) -> list:
        """Runs a block of the shell; gives every JSON document that it printed."""
        script = documents.text(path)
        for placeholder, value in filled.items():
            script = script.replace(placeholder, value)
        assert not re.search(r"<[\w-]+>|YOUR_", script), script
        done = self("sh", "-euc", script)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        decoder, rest, printed = json.JSONDecoder(), done.stdout.strip(), []
        while rest:
            document, end = decoder.raw_decode(rest)
            printed.append(document)
            rest = rest[end:].lstrip()
        return printed


@pytest.fixture(scope="module")
def run(server, tenant, tmp_path_factory):
    return Runner(server, tenant, tmp_path_factory.mktemp("reader"))


# --- the documents ---------------------------------------------------------------------------------------------------


def test_the_blocks_are_as_they_are_printed():
    folder = os.environ.get("PORTCULLIS_E2E_DOCUMENTS")
    if not folder:
        pytest.skip("PORTCULLIS_E2E_DOCUMENTS names no folder with the documents' texts, which are not ours to give away")
    assert extract.differing(Path(folder)) == []


def test_every_block_is_in_the_table():
    table = (PROJECT / "docs" / "documents.md").read_text()
    missing = [path for path in extract.BLOCKS if f"`{path}`" not in table]
    assert not missing, missing


# --- the guide -------------------------------------------------------------------------------------------------------


class Runtime(http.server.BaseHTTPRequestHandler):
    """In the place of a runtime: says what it was asked, and whether it was shown a token."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        shown = self.headers["authorization"].removeprefix("Bearer ")
        body = json.dumps(asked | {"bearer": shown.count(".") == 2}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def guide(run):
    """What became of each section, by its name."""
    model = Converse(calls("markdown_to_email", markdown_content="# Done", recipient_email="reader@example.com"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Runtime) as runtime:
        threading.Thread(target=runtime.serve_forever, daemon=True).start()
        answers = [f"bedrock-agentcore.{REGION}.amazonaws.com=http://127.0.0.1:{runtime.server_port}"]
        environment = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url}
        done = run(sys.executable, PROJECT / "e2e" / "guide_story.py", answers=answers, **environment)
        runtime.shutdown()
    model.close()
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"section"')]
    assert done.returncode == 0 and told, f"{done.stdout}\n{done.stderr}"
    return {it["section"]: it for it in told}


@pytest.mark.parametrize("section", [section.__name__ for section in guide_story.STORY])
def test_a_section_of_the_guide(guide, section):
    assert not guide[section]["wrong"], guide[section]["wrong"]


def test_the_guides_advice_on_descriptions_is_the_posture_checks(make, server):
    """Section 8: a description that says what a tool does and not when to use it is bad; `audit posture` finds it."""
    snippets = documents.text("guide/section_8_descriptions.py").split("\n\n\n")
    bad, good = ("\n".join(line for line in it.splitlines() if not line.startswith("#")) for it in snippets)
    gateway = make.gateway("AWS_IAM")
    tools = [scenery.tool("mail", **ast.literal_eval(f"{{{snippet}}}")) for snippet in (bad, good)]
    function, names = make.function(), ("Vague", "Specific")
    vague, _ = (gateway.lambda_target(name, function, [tool]) for name, tool in zip(names, tools, strict=True))
    told = server.run("audit", "posture", "--format", "json", "--fail-on", "never").stdout
    found = [it["resource"] for it in json.loads(told)["findings"] if it["rule"] == "tool-description-without-when"]
    assert [it for it in found if gateway.id in it] == [f"{gateway.arn}/target/{vague}"], found


# --- the prerequisites -----------------------------------------------------------------------------------------------


def pool_by_commands(run, page: str) -> dict:
    """A page's commands from the pool to its client; gives what fills the placeholders of the rest."""
    [*_, listed] = run.block(f"{page}/create_user_pool.sh", {})
    if "UserPools" not in listed:
        [listed] = run.block(f"{page}/list_user_pools.sh", {})
    pool_name = re.search(r'--pool-name "([^"]+)"', documents.text(f"{page}/create_user_pool.sh"))[1]
    [pool] = [pool["Id"] for pool in listed["UserPools"] if pool["Name"] == pool_name]
    filled = {"<UserPoolId>": pool, "<UserPoolIdWithoutUnderscore>": pool.replace("_", "")}
    run.block(f"{page}/create_resource_server.sh", filled)
    [made] = run.block(f"{page}/create_user_pool_client.sh", filled)
    client = made["UserPoolClient"]
    return filled | {"<ClientId>": client["ClientId"], "<ClientSecret>": client["ClientSecret"]}


def test_the_prerequisites_from_the_pool_to_the_gateway(run, make, server):
    page = pool_by_commands(run, "prerequisites")
    run.block("prerequisites/create_user_pool_domain.sh", page)
    [token] = run.block("prerequisites/token.sh", page)
    discovery_url = documents.text("prerequisites/discovery_url.txt").strip().replace("<UserPoolId>", page["<UserPoolId>"])
    names = {}
    printed = documents.text("prerequisites/authorizer.py")
    exec(printed.replace("user-pool-id", page["<UserPoolId>"]).replace("client-id", page["<ClientId>"]), names)
    authorizer = names["authorizerConfiguration"]
    assert authorizer["customJWTAuthorizer"]["discoveryUrl"] == discovery_url
    assert Wire(make.gateway(authorizer).url, token["access_token"]).tools() == []
    code = documents.text("prerequisites/create_gateway.py")
    filled = {
        "<target-name e.g. ProductSearch>": scenery.name("ProductSearch"),
        "<existing role ARN e.g. arn:aws:iam::123456789012:role/MyRole>": make.gateway_role(),
        "<clientId>": page["<ClientId>"],
    }
    for placeholder, value in filled.items():
        code = code.replace(placeholder, value)
    code = re.sub("<existing discovery URL[^>]+>", discovery_url, code)
    done = run(sys.executable, "-c", f"{code}\nprint(gateway['gatewayUrl'])")
    assert done.returncode == 0, done.stderr
    url = done.stdout.strip()
    scenery.until("the gateway", lambda: Wire(url, token["access_token"]).post({}).status_code, lambda seen: seen == 400)
    assert Wire(url).post({}).status_code == 401


# --- the setup page --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def setup_page(run):
    return pool_by_commands(run, "setup")


def claims_of(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


def test_the_setup_page_with_cognito(run, make, setup_page):
    [token] = run.block("setup/token.sh", setup_page)
    sample = json.loads(documents.text("setup/token_claims.json"))
    claims = claims_of(token["access_token"])
    assert claims.keys() == sample.keys() and "aud" not in claims
    discovery_url = documents.text("setup/discovery_url.txt").strip().replace("<UserPoolId>", setup_page["<UserPoolId>"])
    assert f"{claims['iss']}/.well-known/openid-configuration" == discovery_url
    text = documents.text("setup/authorizer.json").replace("<ClientId>", setup_page["<ClientId>"])
    authorizer = json.loads(text.replace("<UserPoolId>", setup_page["<UserPoolId>"]))["authorizerConfiguration"]
    assert authorizer["customJWTAuthorizer"]["discoveryUrl"] == discovery_url
    assert Wire(make.gateway(authorizer).url, token["access_token"]).tools() == []


def test_the_setup_page_with_auth0(run, make, tenant):
    filled = {"<your-domain>": "example", "YOUR_CLIENT_ID": tenant.client_id, "YOUR_CLIENT_SECRET": tenant.client_secret}
    [token] = run.block("setup/auth0_token.sh", filled)
    sample = json.loads(documents.text("setup/auth0_token_claims.json"))
    claims = claims_of(token["access_token"])
    assert claims.keys() == sample.keys()
    assert (claims["aud"], type(claims["permissions"])) == (sample["aud"], list)
    done = run("curl", "-sS", documents.text("setup/auth0_discovery_url.txt").strip().replace("<your-domain>", TENANT))
    assert json.loads(done.stdout)["token_endpoint"] == f"https://{TENANT}/oauth/token"
    # The server is not under `exec`: it has the tenant's documents from their address on this machine.
    text = documents.text("setup/auth0_authorizer.json").replace("https://dev-<your-domain>.us.auth0.com", tenant.issuer)
    authorizer = json.loads(text)["authorizerConfiguration"]
    assert Wire(make.gateway(authorizer).url, token["access_token"]).tools() == []
    by_client = {"discoveryUrl": tenant.discovery_url, "allowedClients": ["another"]}
    gateway = make.gateway({"customJWTAuthorizer": by_client})
    assert Wire(gateway.url, token["access_token"]).post({}).status_code == 401


@pytest.mark.parametrize("provider", ["cognito", "auth0"])
def test_the_setup_pages_command_and_variables(run, make, setup_page, tenant, provider):
    """`python main.py "MyGateway" …`: the dots are filled, and `main.py` is the one of examples/. Then the page's own
    trouble, and what it says against it."""
    folder = run.folder / provider
    shutil.copytree(PROJECT / "examples", folder, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    commands, remedies = (COMMAND.findall(documents.text(f"setup/{it}.sh")) for it in ("main", "troubleshooting"))
    if provider == "cognito":
        variables = documents.text("setup/env.txt").replace("yourdomain", setup_page["<UserPoolIdWithoutUnderscore>"])
        client, secret = setup_page["<ClientId>"], setup_page["<ClientSecret>"]
        url = documents.text("setup/discovery_url.txt").strip().replace("<UserPoolId>", setup_page["<UserPoolId>"])
        flag = "--allowed-clients"
    else:
        variables = documents.text("setup/auth0_env.txt").replace("dev-yourdomain.us.auth0.com", TENANT)
        client, secret, url = tenant.client_id, tenant.client_secret, tenant.discovery_url
        flag = "--allowed-audience"
    variables = variables.replace("your-client-id", client).replace("your-client-secret", secret)
    (folder / ".env").write_text(variables)

    def main(commands: list, flag: str):
        [command] = [command for command in commands if flag in command]
        command = command.replace("your-client-id", client).replace("your-audience", tenant.audience)
        command = command.replace("...", f"--discovery-url {url} --role-arn {make.gateway_role()}")
        return run("sh", "-euc", f"cd {provider}; {command}")

    done = main(commands, flag)
    assert done.returncode == 0 and "Tools: Clock___add_days" in done.stdout, f"{done.stdout}{done.stderr}"
    if provider == "cognito":
        # "AgentCore Gateway with `allowedAudience` will reject Cognito tokens (401 error)".
        done = main(remedies, "--allowed-audience")
        assert done.returncode != 0 and "401" in done.stderr, f"{done.stdout}{done.stderr}"
    done = main(remedies, flag)
    assert done.returncode == 0 and "Tools: Clock___add_days" in done.stdout, f"{done.stdout}{done.stderr}"


# --- the audit page, which prints no code ----------------------------------------------------------------------------


def test_a_gateway_that_takes_everybody_is_found_and_replaced(make, server):
    """Audit: list, get, look at `authorizerType`. Remedy: it "cannot be changed after the gateway has been created", so
    delete and recreate."""
    control = server.client("bedrock-agentcore-control")
    open_one = make.gateway("NONE")
    listed = control.get_paginator("list_gateways").paginate().build_full_result()["items"]
    found = [it["gatewayId"] for it in listed if it["authorizerType"] == "NONE"]
    assert open_one.id in found
    assert control.get_gateway(gatewayIdentifier=open_one.id)["authorizerType"] == "NONE"
    changed = {**open_one.request, "authorizerType": "AWS_IAM"}
    assert refusal(control.update_gateway, gatewayIdentifier=open_one.id, **changed)[:2] == (400, "ValidationException")
    control.delete_gateway(gatewayIdentifier=open_one.id)
    closed = make.gateway("AWS_IAM", name=open_one.request["name"])
    assert Wire(closed.url).post({}).status_code in (401, 403)
