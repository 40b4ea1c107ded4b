"""The AgentCore SDK's and starter toolkit's own clients, unmodified.

Deviations, each disclosed: the toolkit's sleeps are shortened (`impatience`), and of its defaults one is declined here
because it is a later feature (semantic search, which is refused by name).
"""

import json
import re

import pytest
import requests
from botocore.exceptions import ClientError

import scenery
from portcullis import ACCOUNT, REGION, Server, pointed_at
from scenery import tool
from wire import Wire, text_of

pytestmark = pytest.mark.usefixtures("module_as_root", "impatience")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own: the toolkit's role has one name, and the toolkit changes what it did before."""
    with Server(tmp_path_factory.mktemp("toolkit")) as own:
        yield own


@pytest.fixture(scope="module")
def module_as_root(server):
    with pointed_at(server):
        yield server


# --- the starter toolkit ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toolkit(module_as_root, impatience):
    from bedrock_agentcore_starter_toolkit.operations.gateway.client import GatewayClient

    return GatewayClient(region_name=REGION)


@pytest.fixture(scope="module")
def authorizer(toolkit):
    return toolkit.create_oauth_authorizer_with_cognito(scenery.name("toolkit"))


@pytest.fixture(scope="module")
def gateway(toolkit, authorizer):
    return toolkit.create_mcp_gateway(
        name=scenery.name("toolkit"), authorizer_config=authorizer["authorizer_config"], enable_semantic_search=False
    )


@pytest.fixture(scope="module")
def target(toolkit, gateway):
    """The toolkit's default: a function of its own, with two tools."""
    return toolkit.create_mcp_gateway_target(gateway=gateway, name="Default", target_type="lambda")


def token(server, authorizer: dict) -> str:
    """What the toolkit's `get_access_token_for_cognito` asks for. Its host is AWS's; here it is the Host header's."""
    client = authorizer["client_info"]
    host = re.fullmatch(r"https://([^/]+)/oauth2/token", client["token_endpoint"])[1]
    form = {
        "grant_type": "client_credentials",
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
        "scope": client["scope"],
    }
    answer = requests.post(f"{server.endpoint}/oauth2/token", data=form, headers={"Host": host}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def test_the_toolkit_makes_an_authorizer(server, authorizer):
    client = authorizer["client_info"]
    jwt = authorizer["authorizer_config"]["customJWTAuthorizer"]
    assert jwt["allowedClients"] == [client["client_id"]]
    assert client["user_pool_id"] in jwt["discoveryUrl"]
    assert token(server, authorizer).count(".") == 2


def test_the_toolkit_makes_a_gateway_and_its_default_role(server, toolkit, gateway):
    role = gateway["roleArn"].rpartition("/")[2]
    assert gateway["roleArn"] == f"arn:aws:iam::{ACCOUNT}:role/AgentCoreGatewayExecutionRole"
    iam = server.client("iam")
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert "BedrockAgentCoreGatewayExecutionPolicy" in [policy["PolicyName"] for policy in attached]
    assert toolkit.get_gateway(gateway_identifier=gateway["gatewayId"])["gateway"]["status"] == "READY"


def test_the_toolkits_default_search(server, toolkit, authorizer):
    """The toolkit asks for semantic search unless it is told not to: the tool that searches is there, and the first."""
    made = toolkit.create_mcp_gateway(
        name=scenery.name("toolkit"), role_arn=None, authorizer_config=authorizer["authorizer_config"]
    )
    names = [found["name"] for found in Wire(made["gatewayUrl"], token(server, authorizer)).tools()]
    assert names == ["x_amz_bedrock_agentcore_search"]


def test_the_toolkits_default_function_answers(server, authorizer, gateway, target):
    wire = Wire(gateway["gatewayUrl"], token(server, authorizer))
    names = [found["name"] for found in wire.tools()]
    assert names == ["Default___get_weather", "Default___get_time"]
    for tool_name, argument in (("get_weather", {"location": "Berlin"}), ("get_time", {"timezone": "CET"})):
        answer = wire.tool(f"Default___{tool_name}", **argument)
        assert answer["result"]["isError"] is False, answer
        assert list(argument.values())[0] in text_of(answer), answer


def test_the_toolkit_fixes_its_role(server, toolkit, authorizer, gateway, target):
    """`fix_iam_permissions` swallows its errors: what it did is looked at."""
    iam, role = server.client("iam"), gateway["roleArn"].rpartition("/")[2]
    before = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    toolkit.fix_iam_permissions(gateway)
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    source = trust["Statement"][0]["Condition"]["ArnLike"]["aws:SourceArn"]
    assert source == f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:*"
    assert "LambdaInvokePolicy" in iam.list_role_policies(RoleName=role)["PolicyNames"]
    answer = Wire(gateway["gatewayUrl"], token(server, authorizer)).tool("Default___get_time", timezone="CET")
    assert answer["result"]["isError"] is False, answer
    # The toolkit itself does not reuse the role that it fixed: it wants the trust policy that it first wrote.
    with pytest.raises(RuntimeError, match="Refusing to reuse existing IAM role"):
        toolkit.create_mcp_gateway(name=scenery.name("toolkit"), authorizer_config=authorizer["authorizer_config"])
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(before))


def test_the_toolkit_finds_what_there_is(toolkit, gateway, target):
    listed = toolkit.list_gateways(name=gateway["name"])
    assert [item["gatewayId"] for item in listed["items"]] == [gateway["gatewayId"]]
    found = toolkit.list_gateway_targets(name=gateway["name"])
    assert [item["targetId"] for item in found["items"]] == [target["targetId"]]
    shown = toolkit.get_gateway_target(gateway_identifier=gateway["gatewayArn"], target_name="Default")
    assert shown["target"]["targetId"] == target["targetId"]


def test_the_toolkit_guards_a_gateway(server, toolkit, authorizer, gateway, target):
    from bedrock_agentcore_starter_toolkit.operations.policy.client import PolicyClient

    client = PolicyClient(region_name=REGION)
    name = scenery.name("Toolkit").replace("-", "_")
    engine = client.create_or_get_policy_engine(name=name, description="Of the toolkit.")
    assert client.create_or_get_policy_engine(name=name)["policyEngineId"] == engine["policyEngineId"]
    engine_id = engine["policyEngineId"]
    statement = (
        'permit(principal, action == AgentCore::Action::"Default___get_time", '
        f'resource == AgentCore::Gateway::"{gateway["gatewayArn"]}") when {{ principal.hasTag("scope") }};'
    )
    wanted = {"policy_engine_id": engine_id, "name": "only_time", "definition": {"cedar": {"statement": statement}}}
    policy = client.create_or_get_policy(**wanted)
    assert client.create_or_get_policy(**wanted)["policyId"] == policy["policyId"]
    toolkit.update_gateway_policy_engine(
        gateway_identifier=gateway["gatewayId"], policy_engine_arn=engine["policyEngineArn"], mode="ENFORCE"
    )
    wire = Wire(gateway["gatewayUrl"], token(server, authorizer))
    assert [found["name"] for found in wire.tools()] == ["Default___get_time"]
    assert "Tool Execution Denied" in text_of(wire.tool("Default___get_weather", location="Berlin"))
    bad = {"cedar": {"statement": "permit(principal, action, resource);"}}
    with pytest.raises(Exception, match="CREATE_FAILED"):
        client.create_or_get_policy(policy_engine_id=engine_id, name="everything", definition=bad)
    [failed] = [found for found in client.list_policies(engine_id)["policies"] if found["name"] == "everything"]
    assert "overly permissive" in " ".join(failed["statusReasons"]).lower(), failed
    # In the order in which one takes a guard away: from the gateway, with its policies, itself.
    control = server.client("bedrock-agentcore-control")
    settings = control.get_gateway(gatewayIdentifier=gateway["gatewayId"])
    kept = ("name", "roleArn", "protocolType", "authorizerType", "authorizerConfiguration", "exceptionLevel")
    control.update_gateway(gatewayIdentifier=gateway["gatewayId"], **{name: settings[name] for name in kept})
    client.cleanup_policy_engine(engine_id)
    with pytest.raises(ClientError) as raised:
        control.get_policy_engine(policyEngineId=engine_id)
    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_the_toolkit_cleans_up(server, toolkit, caplog):
    """`cleanup_gateway` swallows its errors too; what is left over tells."""
    authorizer = toolkit.create_oauth_authorizer_with_cognito(scenery.name("toolkit"))
    made = toolkit.create_mcp_gateway(
        name=scenery.name("toolkit"), authorizer_config=authorizer["authorizer_config"], enable_semantic_search=False
    )
    toolkit.create_mcp_gateway_target(gateway=made, name="Default", target_type="lambda")
    toolkit.cleanup_gateway(made["gatewayId"], authorizer["client_info"])
    for call in (
        lambda: server.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=made["gatewayId"]),
        lambda: server.client("cognito-idp").describe_user_pool(UserPoolId=authorizer["client_info"]["user_pool_id"]),
    ):
        with pytest.raises(ClientError) as raised:
            call()
        assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"


# --- the SDK ---------------------------------------------------------------------------------------------------------


def test_the_sdks_clients_make_wait_and_delete(make):
    from bedrock_agentcore.gateway import GatewayClient
    from bedrock_agentcore.policy import PolicyEngineClient

    gateways, engines = GatewayClient(region_name=REGION), PolicyEngineClient(region_name=REGION)
    name = scenery.name("sdk")
    gateway = gateways.create_gateway_and_wait(
        name=name, role_arn=make.gateway_role(), authorizer_type="AWS_IAM", protocol_type="MCP"
    )
    assert gateways.get_gateway_by_name(name=name)["gatewayId"] == gateway["gatewayId"]
    target = gateways.create_gateway_target_and_wait(
        gateway_identifier=gateway["gatewayId"],
        name="Sdk",
        target_configuration={
            "mcp": {"lambda": {"lambdaArn": make.function(), "toolSchema": {"inlinePayload": [tool("echo")]}}}
        },
        credential_provider_configurations=[{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
    )
    assert target["status"] == "READY"
    engine = engines.create_or_get_policy_engine(name=name.replace("-", "_"))
    assert engines.create_or_get_policy_engine(name=name.replace("-", "_"))["policyEngineId"] == engine["policyEngineId"]
    # The name is taken: that is told before anything is said about the statement.
    wanted = {"policy_engine_id": engine["policyEngineId"], "name": "one"}
    statement = (
        'permit(principal, action == AgentCore::Action::"Sdk___echo", '
        f'resource == AgentCore::Gateway::"{gateway["gatewayArn"]}") when {{ principal.id like "*user/*" }};'
    )
    policy = engines.create_or_get_policy(**wanted, definition={"cedar": {"statement": statement}})
    again = engines.create_or_get_policy(**wanted, definition={"cedar": {"statement": "this is no Cedar, whichever way one reads it"}})
    assert (again["policyId"], again["status"]) == (policy["policyId"], "ACTIVE")
    engines.delete_policy_and_wait(policy_engine_id=engine["policyEngineId"], policy_id=policy["policyId"])
    engines.delete_policy_engine_and_wait(policy_engine_id=engine["policyEngineId"])
    gateways.delete_gateway_target_and_wait(gateway_identifier=gateway["gatewayId"], target_id=target["targetId"])
    gateways.delete_gateway_and_wait(gateway_identifier=gateway["gatewayId"])
    assert gateways.get_gateway_by_name(name=name) is None
