"""Control by tags: every operation of AgentCore that is about a resource with tags, or that gives tags to one.

The requests are those of surface_table.py. One user may do everything, but nothing about what is tagged `env=prod`, and
nothing that tags so: each operation is refused about a resource of production, and the same request is then done about
the same resource of development.
"""

import json

import pytest
from botocore.exceptions import ClientError

import echo_service
import shapes
from outbound import api_key, with_credential
from scenery import GATEWAY_TRUST, refusal, until
from surface_table import AGENTCORE, DIRECTORY, ROWS, TABLE, VAULT, Stage
from wire import Wire

CONTROL = "bedrock-agentcore-control"
ABOUT_PROD = "DenyProd"
# They make something, list all of a kind, or are about what has no tags: the one vault of an account.
ABOUT_NOTHING_TAGGED = {
    *("CreateGateway", "CreatePolicyEngine", "CreateAgentRuntime", "CreateWorkloadIdentity"),
    *("CreateApiKeyCredentialProvider", "CreateOauth2CredentialProvider"),
    *("ListGateways", "ListPolicyEngines", "ListPolicyEngineSummaries", "ListAgentRuntimes", "ListWorkloadIdentities"),
    *("ListApiKeyCredentialProviders", "ListOauth2CredentialProviders"),
    *("GetTokenVault", "SetTokenVaultCMK", "ResetTokenVaultKeyMaterial"),
}

AGENTCORE_ROWS = [row for row in ROWS if row.service in (CONTROL, "bedrock-agentcore")]
about_something = pytest.mark.parametrize(
    "row",
    [row for row in AGENTCORE_ROWS if row.operation not in ABOUT_NOTHING_TAGGED],
    ids=lambda row: row.operation,
)
giving_tags = pytest.mark.parametrize(
    "row",
    [
        row
        for row in AGENTCORE_ROWS
        if "tags" in shapes.model(row.service).operation_model(row.operation).input_shape.members
    ],
    ids=lambda row: row.operation,
)


def deny(**condition) -> dict:
    return {"Effect": "Deny", "Action": "bedrock-agentcore:*", "Resource": "*", "Condition": condition}


@pytest.fixture(scope="module")
def stage(server):
    return Stage(server)


@pytest.fixture(scope="module")
def user(stage):
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        deny(StringEquals={"aws:ResourceTag/env": "prod"}),
        deny(StringEquals={"aws:RequestTag/env": "prod"}),
        deny(**{"ForAnyValue:StringEquals": {"aws:TagKeys": ["owner"]}}),
    ]
    return stage.user({"Version": "2012-10-17", "Statement": statements})


def tagged_by(stage, row, request: dict) -> list[str]:
    """The ARNs whose tags count for a request."""
    match request:
        case {"resourceArn": arn}:
            return [arn]
        case {"gatewayIdentifier": gateway}:
            return [f"{AGENTCORE}:gateway/{gateway}"]
        case {"policyEngineId": engine}:
            return [f"{AGENTCORE}:policy-engine/{engine}"]
        case {"agentRuntimeId": runtime, "endpointName": endpoint}:
            return [f"{AGENTCORE}:runtime/{runtime}/runtime-endpoint/{endpoint}"]
        case {"agentRuntimeId": runtime}:
            return [f"{AGENTCORE}:runtime/{runtime}"]
        case {"workloadIdentityToken": _, "resourceCredentialProviderName": provider}:
            kind = "oauth2credentialprovider" if "oauth2Flow" in request else "apikeycredentialprovider"
            workload = stage.shared_agent.workload if "resourceOauth2ReturnUrl" in request else stage.shared_workload
            return [f"{DIRECTORY}/workload-identity/{workload}", f"{VAULT}/{kind}/{provider}"]
        case {"workloadName": workload}:
            return [f"{DIRECTORY}/workload-identity/{workload}"]
        case {"sessionUri": _}:
            return [f"{DIRECTORY}/workload-identity/{stage.shared_agent.workload}"]
        case {"name": named}:
            kinds = {
                "WorkloadIdentity": f"{DIRECTORY}/workload-identity",
                "ApiKeyCredentialProvider": f"{VAULT}/apikeycredentialprovider",
                "Oauth2CredentialProvider": f"{VAULT}/oauth2credentialprovider",
            }
            [kind] = [arn for kind, arn in kinds.items() if row.operation.endswith(kind)]
            return [f"{kind}/{named}"]
    raise AssertionError(f"{row.operation} is about nothing that is known to have tags: {request}")


def tag(stage, arn: str, env: str):
    stage.agentcore.tag_resource(resourceArn=arn, tags={"env": env})


def is_denied(call, *arguments, **keywords):
    status, code, message = refusal(call, *arguments, **keywords)
    assert (status, code) == (403, "AccessDeniedException"), (status, code, message)
    assert "with an explicit deny in an identity-based policy" in message, message


@about_something
def test_what_is_tagged_is_decided_by_its_tags(stage, user, row):
    for make in filter(None, [row.request, row.bare]):
        request = make(stage)
        arns = tagged_by(stage, row, request)
        call = user.client(row.service)._make_api_call
        for arn in arns:
            tag(stage, arn, "prod")
            is_denied(call, row.operation, request)
            tag(stage, arn, "dev")
        call(row.operation, request)


@giving_tags
def test_what_is_given_tags_is_decided_by_them(stage, user, row):
    call = user.client(row.service)._make_api_call
    for tags in ({"env": "prod"}, {"team": "a", "env": "prod"}, {"owner": "ann"}):
        is_denied(call, row.operation, {**row.request(stage), "tags": tags})
    call(row.operation, {**row.request(stage), "tags": {"env": "dev"}})


@giving_tags
def test_no_tag_hides_behind_another(stage, user, row):
    """Conditions know no upper and lower case in a tag's key: of two such tags they would see one."""
    call = user.client(row.service)._make_api_call
    request = {**row.request(stage), "tags": {"ENV": "dev", "env": "prod"}}
    status, code, message = refusal(call, row.operation, request)
    assert (status, code) == (400, "ValidationException") and "upper and lower case" in message, (status, code, message)


def test_no_tag_is_put_before_another(stage, user):
    arn = stage.shared_engine.arn
    tag(stage, arn, "dev")
    assert "upper and lower case" in refusal(user.client(CONTROL).tag_resource, resourceArn=arn, tags={"ENV": "x"})[2]
    assert "ENV" not in stage.agentcore.list_tags_for_resource(resourceArn=arn)["tags"]


def test_operations_that_give_tags_are_all_here():
    """What makes something that can have tags takes them; a new operation shows up by itself."""
    given = {row.operation for row in giving_tags.args[1]}
    assert {operation for operation in ABOUT_NOTHING_TAGGED if operation.startswith("Create")} < given
    assert {"TagResource", "CreateAgentRuntimeEndpoint"} < given
    assert {operation for service, operation in TABLE if service.startswith("bedrock-agentcore")} >= ABOUT_NOTHING_TAGGED


def test_tags_that_are_allowed_allow_nothing_else(stage):
    """The other way around: who is allowed by a tag is allowed about what has it, and about nothing else."""
    condition = {"StringEquals": {"aws:ResourceTag/env": "dev"}}
    statement = {"Effect": "Allow", "Action": "bedrock-agentcore:*", "Resource": "*", "Condition": condition}
    client = stage.user({"Version": "2012-10-17", "Statement": [statement]}).client(CONTROL)
    policy = {"policyEngineId": stage.shared_engine.id, "policyId": stage.shared_policy}
    runtime = {"agentRuntimeId": stage.shared_runtime.id}
    tag(stage, stage.shared_engine.arn, "dev")
    tag(stage, f"{AGENTCORE}:runtime/{stage.shared_runtime.id}", "dev")
    assert client.get_policy(**policy)["policyId"] == stage.shared_policy
    assert client.get_agent_runtime(**runtime)
    tag(stage, stage.shared_engine.arn, "prod")
    tag(stage, f"{AGENTCORE}:runtime/{stage.shared_runtime.id}", "prod")
    for call, request in ((client.get_policy, policy), (client.get_agent_runtime, runtime)):
        with pytest.raises(ClientError, match="no identity-based policy allows"):
            call(**request)
    tag(stage, stage.shared_engine.arn, "dev")
    tag(stage, f"{AGENTCORE}:runtime/{stage.shared_runtime.id}", "dev")


def test_a_gateways_tags_count_for_policies_about_it(stage, user):
    """To manage its policies, and to learn what its tools are, is about the gateway."""
    client, gateway = user.client(CONTROL), stage.shared_gateway.arn
    policy = TABLE[CONTROL, "CreatePolicy"].request(stage)
    generation = stage.start()
    tag(stage, gateway, "prod")
    is_denied(client.create_policy, **policy)
    is_denied(client.start_policy_generation, **generation)
    tag(stage, gateway, "dev")
    client.create_policy(**policy)
    client.start_policy_generation(**generation)


def test_a_gateways_role_is_decided_by_the_providers_tags(server, stage):
    """What the role of a gateway may use, at each call, by the tags that the provider has by then."""
    service = echo_service.Service()
    statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, deny(StringEquals={"aws:ResourceTag/env": "prod"})]
    role = stage.role(GATEWAY_TRUST, {"Version": "2012-10-17", "Statement": statements})
    gateway = stage.gateway(roleArn=role, exceptionLevel="DEBUG")
    credential = api_key(server)
    provider = credential["credentialProvider"]["apiKeyCredentialProvider"]["providerArn"]
    schema = {"openApiSchema": {"inlinePayload": json.dumps(echo_service.document(service.url))}}
    with_credential(gateway, "Echo", schema, credential)
    wire = Wire(gateway.url)
    wire.initialize()
    fails = lambda: wire.tool("Echo___echo", id="1", amount=1)["result"]["isError"]
    for env, refused in (("dev", False), ("prod", True), ("dev", False)):
        tag(stage, provider, env)
        until(f"the call with a provider of {env}", fails, lambda seen: seen == refused)
    assert service.seen
    service.end()
