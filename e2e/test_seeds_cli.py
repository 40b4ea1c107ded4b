"""The AWS CLI blocks, policies and trust policies of the gateway's prerequisites and of the samples' setup page, as printed.

The blocks are in documents/prerequisites and documents/setup, word for word; placeholders are filled. One thing is
changed: the token request's host has a name on AWS, which is given as the Host header to the server under test here.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest
import requests
from botocore.exceptions import ClientError

import documents
import scenery
from portcullis import ACCOUNT, REGION
from scenery import Scenery, allow, tool, until
from wire import Wire, text_of


def run(server, path: str, **placeholders):
    """Runs a shell block with its placeholders filled; gives what its last command printed, if any did."""
    script = documents.text(path)
    for name, value in placeholders.items():
        script = script.replace(f"<{name}>", value)
    assert not re.search(r"<\w+>", script), script
    # The CLI of the environment that runs the tests.
    folder = os.path.dirname(sys.executable)
    environment = {**server.env, "PATH": f"{folder}{os.pathsep}{server.env['PATH']}"}
    done = subprocess.run(
        ["sh", "-euc", script], capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    decoder, rest, answers = json.JSONDecoder(), done.stdout.strip(), []
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].lstrip()
    return answers[-1] if answers else None


def ask_for_token(server, path: str, pool_id: str, client: dict) -> dict:
    """Sends a page's token request: with curl where there is one, and else the same request by other means."""
    block = documents.text(path)
    [host] = re.findall(r"https://(\S+)/oauth2/token", block)
    [form] = re.findall(r'-d "([^"]+)"', block)
    filled = {
        "UserPoolIdWithoutUnderscore": pool_id.replace("_", ""),
        "ClientId": client["ClientId"],
        "ClientSecret": client["ClientSecret"],
    }
    here, named = f"{server.endpoint}/oauth2/token", host
    for name, value in filled.items():
        named, form, block = (text.replace(f"<{name}>", value) for text in (named, form, block))
    if shutil.which("curl") is None:
        headers = {"Host": named, "Content-Type": "application/x-www-form-urlencoded"}
        return requests.post(here, data=form, headers=headers, timeout=30).json()
    command = block.replace(f"https://{named}/oauth2/token", f"{here} --silent --show-error -H 'Host: {named}'")
    done = subprocess.run(["sh", "-euc", command], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def claims_of(token: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def policy(path: str, **placeholders) -> dict:
    """A JSON document, with its placeholders filled."""
    text = documents.text(path)
    for name, value in placeholders.items():
        text = text.replace(name, value)
    return json.loads(text)


class Setup:
    """The pool that a page sets up with the CLI."""

    def __init__(self, server, page: str):
        self.server = server
        self.page = page
        made = run(server, f"{page}/create_user_pool.sh")
        listed = made if "UserPools" in made else run(server, f"{page}/list_user_pools.sh")
        self.name = re.search(r'--pool-name "([^"]+)"', documents.text(f"{page}/create_user_pool.sh"))[1]
        [found] = [pool for pool in listed["UserPools"] if pool["Name"] == self.name]
        self.pool_id = found["Id"]
        filled = {"UserPoolId": self.pool_id}
        self.resource_server = run(server, f"{page}/create_resource_server.sh", **filled)["ResourceServer"]
        self.client = run(server, f"{page}/create_user_pool_client.sh", **filled)["UserPoolClient"]

    def token(self) -> dict:
        return ask_for_token(self.server, f"{self.page}/token.sh", self.pool_id, self.client)


@pytest.fixture(scope="module")
def prerequisites(server):
    setup = Setup(server, "prerequisites")
    without = setup.pool_id.replace("_", "")
    run(
        server, "prerequisites/create_user_pool_domain.sh", UserPoolId=setup.pool_id, UserPoolIdWithoutUnderscore=without
    )
    return setup


@pytest.fixture(scope="module")
def setup_page(server):
    return Setup(server, "setup")


# --- the commands ----------------------------------------------------------------------------------------------------


def test_the_prerequisites_make_a_pool(prerequisites):
    assert re.fullmatch(rf"{REGION}_[0-9a-z]+", prerequisites.pool_id)
    assert [scope["ScopeName"] for scope in prerequisites.resource_server["Scopes"]] == ["read", "write"]
    assert prerequisites.client["ClientSecret"] and prerequisites.client["SupportedIdentityProviders"] == ["COGNITO"]
    token = prerequisites.token()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    # No scope was asked for: all that the client has are granted.
    assert set(claims_of(token["access_token"])["scope"].split()) == {
        "gateway-resource-server/read",
        "gateway-resource-server/write",
    }


def test_the_claims_are_those_of_the_sample(server, setup_page):
    sample = json.loads(documents.text("setup/token_claims.json"))
    claims = claims_of(setup_page.token()["access_token"])
    assert claims.keys() == sample.keys()
    assert {name: type(value) for name, value in claims.items()} == {
        name: type(value) for name, value in sample.items()
    }
    assert (claims["token_use"], claims["version"]) == (sample["token_use"], sample["version"])
    assert claims["sub"] == claims["client_id"] == setup_page.client["ClientId"]
    assert claims["exp"] - claims["iat"] == sample["exp"] - sample["iat"] == 3600
    assert claims["auth_time"] == claims["iat"] and abs(claims["iat"] - time.time()) < 60
    assert claims["iss"] == f"{server.endpoint}/{setup_page.pool_id}"
    assert claims["scope"] == "test-agentcore-server/read test-agentcore-server/write"


def test_the_boto3_block_makes_a_gateway(prerequisites, make, as_root):
    gateway_name = scenery.name("ProductSearch")
    code = documents.text("prerequisites/create_gateway.py")
    for printed, value in {
        "<target-name e.g. ProductSearch>": gateway_name,
        "<existing role ARN e.g. arn:aws:iam::123456789012:role/MyRole>": make.gateway_role(),
        "<existing discovery URL e.g. https://cognito-idp.us-west-2.amazonaws.com/some-user-pool/.well-known/openid-configuration>": (
            f"https://cognito-idp.{REGION}.amazonaws.com/{prerequisites.pool_id}/.well-known/openid-configuration"
        ),
        "<clientId>": prerequisites.client["ClientId"],
    }.items():
        assert printed in code
        code = code.replace(printed, value)
    names = {}
    exec(compile(code, "create_gateway.py", "exec"), names)
    made = names["gateway"]
    control = as_root.client("bedrock-agentcore-control")
    look = lambda: control.get_gateway(gatewayIdentifier=made["gatewayId"])
    until("the gateway", look, lambda seen: seen["status"] == "READY")
    assert Wire(made["gatewayUrl"], prerequisites.token()["access_token"]).tools() == []
    assert Wire(made["gatewayUrl"]).post({}).status_code == 401


def test_the_authorizer_of_the_setup_page_accepts_its_token(server, setup_page, make):
    """Its JSON is what CreateGateway takes; a token of the client passes, and `allowedAudience` would not let it."""
    filled = {"<ClientId>": setup_page.client["ClientId"], "<UserPoolId>": setup_page.pool_id}
    authorizer = policy("setup/authorizer.json", **filled)["authorizerConfiguration"]
    token = setup_page.token()["access_token"]
    assert Wire(make.gateway(authorizer).url, token).tools() == []
    jwt = authorizer["customJWTAuthorizer"]
    audience = {"discoveryUrl": jwt["discoveryUrl"], "allowedAudience": jwt["allowedClients"]}
    refused = Wire(make.gateway({"customJWTAuthorizer": audience}).url, token).post({})
    assert refused.status_code == 401, "Cognito's tokens have no audience"


# --- the policies of callers -----------------------------------------------------------------------------------------


def refused(call, *mentioned: str):
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response["Error"]
    assert error["Code"] in ("AccessDeniedException", "AccessDenied"), error
    for word in mentioned:
        assert word in error["Message"], error


def lifecycle(control, role: str, function: str):
    """Everything that the pages let their users do with a gateway and a target."""
    gateway_name = scenery.name("managed")
    wanted = {"name": gateway_name, "roleArn": role, "authorizerType": "AWS_IAM", "protocolType": "MCP"}
    gateway = control.create_gateway(**wanted)["gatewayId"]
    look = lambda: control.get_gateway(gatewayIdentifier=gateway)
    until("the gateway", look, lambda seen: seen["status"] == "READY")
    control.update_gateway(gatewayIdentifier=gateway, description="Managed.", **wanted)
    until("the gateway", look, lambda seen: seen["status"] == "READY" and seen["description"] == "Managed.")
    configuration = {"lambda": {"lambdaArn": function, "toolSchema": {"inlinePayload": [tool("echo")]}}}
    credentials = [{"credentialProviderType": "GATEWAY_IAM_ROLE"}]
    target = control.create_gateway_target(
        gatewayIdentifier=gateway,
        name="managed",
        targetConfiguration={"mcp": configuration},
        credentialProviderConfigurations=credentials,
    )["targetId"]
    look = lambda: control.get_gateway_target(gatewayIdentifier=gateway, targetId=target)
    until("the target", look, lambda seen: seen["status"] == "READY")
    assert gateway in [item["gatewayId"] for item in control.list_gateways(maxResults=1000)["items"]]
    assert [item["targetId"] for item in control.list_gateway_targets(gatewayIdentifier=gateway)["items"]] == [target]
    control.delete_gateway_target(gatewayIdentifier=gateway, targetId=target)
    control.delete_gateway(gatewayIdentifier=gateway)


def test_full_access_manages_gateways(make):
    role, function = make.gateway_role(), make.function()
    full = policy("prerequisites/full_access.json")
    control = make.user(full).client("bedrock-agentcore-control")
    wanted = {"name": scenery.name("gateway"), "roleArn": role, "authorizerType": "NONE"}
    # "You may also need additional permissions for related services": whoever hands a role over may pass it.
    refused(lambda: control.create_gateway(**wanted), "iam:PassRole", role)
    both = {**full, "Statement": full["Statement"] + allow("iam:PassRole", resource=role)["Statement"]}
    control = make.user(both).client("bedrock-agentcore-control")
    lifecycle(control, role, function)
    refused(lambda: control.create_policy_engine(name="not_a_gateway"), "bedrock-agentcore:CreatePolicyEngine")
    refused(lambda: make.user(both).client("cognito-idp").list_user_pools(MaxResults=1), "cognito-idp:ListUserPools")


def test_read_only_reads(make):
    gateway = make.gateway()
    target = gateway.lambda_target("Read", make.function(), [tool("echo")])
    control = make.user(policy("prerequisites/read_only.json")).client("bedrock-agentcore-control")
    assert control.list_gateways(maxResults=1)["items"]
    assert control.get_gateway(gatewayIdentifier=gateway.id)["gatewayArn"] == gateway.arn
    assert control.list_gateway_targets(gatewayIdentifier=gateway.id)["items"]
    assert control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=target)["name"] == "Read"
    refused(lambda: control.create_gateway(**{**gateway.request, "name": "mine"}), "bedrock-agentcore:CreateGateway")
    refused(lambda: control.update_gateway(gatewayIdentifier=gateway.id, **gateway.request), "UpdateGateway", gateway.arn)
    refused(lambda: control.delete_gateway(gatewayIdentifier=gateway.id), "bedrock-agentcore:DeleteGateway")
    refused(lambda: control.delete_gateway_target(gatewayIdentifier=gateway.id, targetId=target), "DeleteGatewayTarget")
    refused(lambda: control.list_tags_for_resource(resourceArn=gateway.arn), "ListTagsForResource")


def test_the_core_permissions_are_enough(make):
    core, schema = policy("setup/core.json"), policy("setup/schema_access.json")
    user = make.user(core)
    iam = make.server.client("iam")
    iam.put_user_policy(UserName=user.name, PolicyName="schema", PolicyDocument=documents.text("setup/schema_access.json"))
    assert iam.get_user_policy(UserName=user.name, PolicyName="schema")["PolicyDocument"] == schema
    control = user.client("bedrock-agentcore-control")
    lifecycle(control, make.gateway_role(), make.function())
    engine = control.create_policy_engine(name=scenery.name("core").replace("-", "_"))["policyEngineId"]
    until(
        "the engine",
        lambda: control.get_policy_engine(policyEngineId=engine),
        lambda seen: seen["status"] == "ACTIVE",
    )
    control.delete_policy_engine(policyEngineId=engine)


def test_the_managed_policy_covers_agentcore(make):
    """"Consider using the BedrockAgentCoreFullAccess managed policy"."""
    user = make.user()
    make.server.client("iam").attach_user_policy(
        UserName=user.name, PolicyArn="arn:aws:iam::aws:policy/BedrockAgentCoreFullAccess"
    )
    control = user.client("bedrock-agentcore-control")
    assert control.list_gateways(maxResults=1)["items"] is not None
    engine = control.create_policy_engine(name=scenery.name("full").replace("-", "_"))["policyEngineId"]
    until(
        "the engine",
        lambda: control.get_policy_engine(policyEngineId=engine),
        lambda seen: seen["status"] == "ACTIVE",
    )
    control.delete_policy_engine(policyEngineId=engine)


# --- the policies of roles -------------------------------------------------------------------------------------------


def call_through(make, role: str, gateway_name: str, function: str) -> dict:
    """Calls a function's tool through a gateway of this name and role."""
    gateway = make.gateway(name=gateway_name, roleArn=role)
    gateway.lambda_target("T", function, [tool("echo", word="string")])
    return Wire(gateway.url).tool("T___echo", word="hello")


def test_the_trust_policy_is_about_one_gateway(make):
    """"{{gatewayName}}-*": a gateway of another name cannot borrow the role."""
    mine = scenery.name("mine")
    filled = {"{{accountId}}": ACCOUNT, "{{region}}": REGION, "{{gatewayName}}": mine}
    trust = policy("prerequisites/trust.json", **filled)
    role = make.role(trust, allow("lambda:InvokeFunction"))
    kept = make.server.client("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    assert kept == trust
    function = make.function()
    good = call_through(make, role, mine, function)
    assert json.loads(text_of(good)) == {"tool": "T___echo", "arguments": {"word": "hello"}}
    bad = call_through(make, role, scenery.name("theirs"), function)
    assert bad["result"]["isError"] is True and "hello" not in json.dumps(bad), bad


def test_the_setup_pages_trust_policy_has_a_comma_too_many(make):
    iam = make.server.client("iam")
    printed = documents.text("setup/trust.json")
    with pytest.raises(ClientError) as raised:
        iam.create_role(RoleName=scenery.name("role"), AssumeRolePolicyDocument=printed)
    assert raised.value.response["Error"]["Code"] == "MalformedPolicyDocument"
    role = make.role(json.loads(printed.replace("},\n]", "}\n]")), allow("lambda:InvokeFunction"))
    assert "hello" in text_of(call_through(make, role, scenery.name("any"), make.function()))


def test_the_execution_role_may_invoke_one_function(make):
    statement = policy("setup/lambda_target.json", **{"<account-with-lambda>": ACCOUNT})
    role = make.role(scenery.GATEWAY_TRUST, statement)
    theirs, other = make.function(FunctionName="TestLambda"), make.function()
    assert "hello" in text_of(call_through(make, role, scenery.name("gateway"), theirs))
    assert call_through(make, role, scenery.name("gateway"), other)["result"]["isError"] is True


def test_a_function_of_another_account(make, server):
    """The page's cross-account policy on the function, and the role that it names: both sides must agree."""
    other = Elsewhere(server)
    role_name = "AgentCoreBetaLambdaExecuteRole"
    statement = policy("setup/lambda_target.json", **{"<account-with-lambda>": other.account})
    role = make.role(scenery.GATEWAY_TRUST, statement, role_name)
    function = other.function(FunctionName="TestLambda")
    assert function == f"arn:aws:lambda:{REGION}:{other.account}:function:TestLambda"
    gateway_name = scenery.name("cross")
    before = call_through(make, role, gateway_name, function)
    assert before["result"]["isError"] is True, "the function's owner allowed nothing yet"
    client = other.server.client("lambda")
    client.add_permission(
        FunctionName="TestLambda", StatementId="cross-account-access", Action="lambda:InvokeFunction", Principal=role
    )
    printed = policy(
        "setup/cross_account_lambda.json", **{"<gateway-account>": ACCOUNT, "<account-with-lambda>": other.account}
    )
    assert json.loads(client.get_policy(FunctionName="TestLambda")["Policy"]) == printed
    assert "hello" in text_of(call_through(make, role, scenery.name("cross"), function))


class Elsewhere(Scenery):
    """Another account of the same server."""

    def __init__(self, server):
        made = json.loads(server.run("account", "create", "--json").stdout)
        super().__init__(OtherRoot(server, made["accessKeyId"], made["secretAccessKey"]))
        self.account = made["accountId"]


class OtherRoot:
    """A server as the root of another account sees it."""

    def __init__(self, server, key: str, secret: str):
        self._server, self._key = server, (key, secret)

    def client(self, service: str, **settings):
        return self._server.client(service, *self._key, **settings)

    def __getattr__(self, name):
        return getattr(self._server, name)
