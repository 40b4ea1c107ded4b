"""What IAM says about policies: who may write them, who may have them checked, and what a gateway's role needs."""

import json

import pytest

from portcullis import ACCOUNT, REGION
from scenery import GATEWAY_TRUST, Scenery, allow, name, refusal, tool, until
from wire import Wire, text_of

AGENTCORE = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}"
TRIO = ("bedrock-agentcore:AuthorizeAction", "bedrock-agentcore:PartiallyAuthorizeActions", "bedrock-agentcore:GetPolicyEngine")
WRITE = [f"bedrock-agentcore:{verb}Policy" for verb in ("Create", "Update", "Get", "Delete")]


@pytest.fixture(scope="module")
def gateway(make):
    gateway = make.gateway("AWS_IAM")
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    return gateway


@pytest.fixture(scope="module")
def engine(make):
    return make.engine()


def scoped(gateway) -> str:
    scope = f'action == AgentCore::Action::"Tools___echo", resource == AgentCore::Gateway::"{gateway.arn}"'
    return f'permit(principal, {scope}) when {{ context.input has text && context.input.text == "a" }};'


WILD = 'forbid(principal is AgentCore::OAuthUser, action, resource is AgentCore::Gateway) when { !principal.hasTag("scope") };'


def author(make, *actions: str, **more):
    return make.user(allow(*WRITE, *actions, **more)).client("bedrock-agentcore-control")


def create(client, engine, statement: str) -> str:
    definition = {"cedar": {"statement": statement}}
    made = client.create_policy(policyEngineId=engine.id, name=name("policy"), definition=definition)
    return made["policyId"]


def settled(client, engine, policy: str) -> dict:
    look = lambda: client.get_policy(policyEngineId=engine.id, policyId=policy)
    return until("the policy", look, lambda seen: seen["status"] not in ("CREATING", "UPDATING"))


def test_policies_about_a_gateway_are_for_who_may_manage_those(make, control, gateway, engine):
    without = author(make, "bedrock-agentcore:InvokeGateway", "bedrock-agentcore:ManageAdminPolicy")
    status, code, message = refusal(create, without, engine, scoped(gateway))
    assert (status, code) == (403, "AccessDeniedException")
    assert f"bedrock-agentcore:ManageResourceScopedPolicy on resource: {gateway.arn} " in message, message
    ours = engine.policy(scoped(gateway))
    for refused in (
        lambda: without.update_policy(policyEngineId=engine.id, policyId=ours, enforcementMode="LOG_ONLY"),
        lambda: without.delete_policy(policyEngineId=engine.id, policyId=ours),
    ):
        assert refusal(refused)[1] == "AccessDeniedException"
    assert control.get_policy(policyEngineId=engine.id, policyId=ours)["enforcementMode"] == "ACTIVE"
    may = author(make, "bedrock-agentcore:InvokeGateway", "bedrock-agentcore:ManageResourceScopedPolicy")
    assert settled(may, engine, create(may, engine, scoped(gateway)))["status"] == "ACTIVE"
    may.delete_policy(policyEngineId=engine.id, policyId=ours)


def test_policies_about_every_gateway_are_for_who_may_manage_all(make, engine):
    without = author(make, "bedrock-agentcore:InvokeGateway", "bedrock-agentcore:ManageResourceScopedPolicy")
    status, code, message = refusal(create, without, engine, WILD)
    assert (status, code) == (403, "AccessDeniedException")
    assert f"bedrock-agentcore:ManageAdminPolicy on resource: {AGENTCORE}:gateway/* " in message, message
    may = author(make, "bedrock-agentcore:ManageAdminPolicy")
    assert settled(may, engine, create(may, engine, WILD))["status"] == "ACTIVE"


def test_a_policy_of_one_gateway_does_not_become_one_of_all(make, engine, gateway):
    may = author(make, "bedrock-agentcore:InvokeGateway", "bedrock-agentcore:ManageResourceScopedPolicy")
    policy = create(may, engine, scoped(gateway))
    assert settled(may, engine, policy)["status"] == "ACTIVE"
    _, code, message = refusal(
        may.update_policy, policyEngineId=engine.id, policyId=policy, definition={"cedar": {"statement": WILD}}
    )
    assert code == "AccessDeniedException" and "ManageAdminPolicy" in message


def test_who_may_not_invoke_a_gateway_learns_nothing_of_its_tools(make, gateway, engine):
    blind = author(make, "bedrock-agentcore:ManageResourceScopedPolicy")
    told = [f"Insufficient permissions to call gateway with ID {gateway.id}"]
    for statement in (scoped(gateway), scoped(gateway).replace("echo", "no_such_tool")):
        policy = create(blind, engine, statement)
        failed = settled(blind, engine, policy)
        assert (failed["status"], failed["statusReasons"]) == ("CREATE_FAILED", told)
    # Once the author may, the same policy can be tried again; and an update without the permission leaves it in force.
    sighted = author(make, "bedrock-agentcore:ManageResourceScopedPolicy", "bedrock-agentcore:InvokeGateway")
    sighted.update_policy(policyEngineId=engine.id, policyId=policy, definition={"cedar": {"statement": scoped(gateway)}})
    assert settled(sighted, engine, policy)["status"] == "ACTIVE"
    blind.update_policy(policyEngineId=engine.id, policyId=policy, enforcementMode="LOG_ONLY")
    failed = settled(blind, engine, policy)
    assert (failed["status"], failed["statusReasons"]) == ("UPDATE_FAILED", told)


def test_a_policy_is_a_resource_of_its_own(make, gateway, engine):
    """Reading, changing and deleting are about the engine and the policy: a name can be kept from somebody."""
    secret, plain = (engine.policy(scoped(gateway), f"{kind}_{name('p').replace('-', '_')}") for kind in ("secret", "plain"))
    policy = allow("bedrock-agentcore:*")
    deny = {"Effect": "Deny", "Action": "bedrock-agentcore:*", "Resource": f"{engine.arn}/policy/secret_*"}
    policy["Statement"].append(deny)
    client = make.user(policy).client("bedrock-agentcore-control")
    assert client.get_policy(policyEngineId=engine.id, policyId=plain)["policyId"] == plain
    for verb in (client.get_policy, client.get_policy_summary, client.update_policy, client.delete_policy):
        _, code, message = refusal(verb, policyEngineId=engine.id, policyId=secret)
        assert code == "AccessDeniedException" and "explicit deny" in message, message


def test_generations_are_for_who_may_invoke_the_gateway(make, gateway, engine):
    actions = [f"bedrock-agentcore:{verb}" for verb in ("StartPolicyGeneration", "GetPolicyGeneration")]
    request = {
        "policyEngineId": engine.id,
        "name": name("generation"),
        "resource": {"arn": gateway.arn},
        "content": {"rawText": "Nobody may call echo."},
    }
    without = make.user(allow(*actions)).client("bedrock-agentcore-control")
    _, code, message = refusal(without.start_policy_generation, **request)
    assert code == "AccessDeniedException" and f"InvokeGateway on resource: {gateway.arn}" in message
    may = make.user(allow(*actions, "bedrock-agentcore:InvokeGateway")).client("bedrock-agentcore-control")
    made = may.start_policy_generation(**request)
    known = {"policyEngineId": engine.id, "policyGenerationId": made["policyGenerationId"]}
    assert may.get_policy_generation(**known)["name"] == request["name"]
    _, code, message = refusal(may.list_policy_generation_assets, **known)
    assert code == "AccessDeniedException"


# --- the gateway's role ----------------------------------------------------------------------------------------------


def test_a_gateway_says_what_its_role_lacks(make, engine):
    gateway = make.gateway("AWS_IAM")
    [reason] = gateway.enforce(engine.arn)["statusReasons"]
    for action in TRIO:
        assert f"{action} on {engine.arn}" in reason, reason
    assert f"bedrock-agentcore:AuthorizeAction on {gateway.arn}" in reason
    gateway.update(roleArn=make.role(GATEWAY_TRUST, allow(*TRIO)))
    assert "statusReasons" not in gateway.until_ready()
    # Both the engine and the gateway are asked about.
    gateway.update(roleArn=make.role(GATEWAY_TRUST, allow(*TRIO, resource=engine.arn)))
    [reason] = gateway.until_ready()["statusReasons"]
    assert f"AuthorizeAction on {gateway.arn}" in reason and f"on {engine.arn}" not in reason, reason


def test_what_is_in_force_is_guarded_although_another_statement_failed(make, control, gateway, engine):
    ours = engine.policy(scoped(gateway))
    broken = {"cedar": {"statement": "permit(principal, action, resource) when {"}}
    control.update_policy(policyEngineId=engine.id, policyId=ours, definition=broken)
    assert settled(control, engine, ours)["status"] == "UPDATE_FAILED"
    without = author(make, "bedrock-agentcore:InvokeGateway")
    for refused in (
        lambda: without.delete_policy(policyEngineId=engine.id, policyId=ours),
        lambda: without.update_policy(policyEngineId=engine.id, policyId=ours, enforcementMode="LOG_ONLY"),
    ):
        status, code, message = refusal(refused)
        assert (status, code) == (403, "AccessDeniedException") and "ManageResourceScopedPolicy" in message, message
    control.delete_policy(policyEngineId=engine.id, policyId=ours)


def test_an_installation_can_ask_for_the_roles_permissions(start_server):
    make = Scenery(start_server(settings='[gateway]\nguard-role = "required"\n'))
    engine = make.engine()
    bare = make.gateway("AWS_IAM")
    attach = {"policyEngineConfiguration": {"arn": engine.arn, "mode": "ENFORCE"}}
    for refused in (lambda: bare.update(**attach), lambda: make.gateway("AWS_IAM", **attach)):
        status, code, message = refusal(refused)
        assert (status, code) == (400, "ValidationException") and TRIO[0] in message, message
    trio = allow(*TRIO, resource=[engine.arn, f"{AGENTCORE}:gateway/*"])
    role = make.role(GATEWAY_TRUST, trio)
    assert "statusReasons" not in make.gateway("AWS_IAM", roleArn=role, **attach).until_ready()

    # A role that loses them later: nothing is decided any more, so all is denied until it has them again.
    pool = make.pool(["invoke"])
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client), roleArn=role, **attach)
    gateway.lambda_target("Tools", make.function(), [tool("echo", text="string")])
    engine.policy(scoped(gateway))
    iam, wire = make.server.client("iam"), Wire(gateway.url, client.token())
    grant = lambda policy: iam.put_role_policy(
        RoleName=role.rsplit("/", 1)[-1], PolicyName="inline", PolicyDocument=json.dumps(policy)
    )
    invoke = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    whole = {**trio, "Statement": [*trio["Statement"], invoke]}
    call = lambda: wire.call("tools/call", {"name": "Tools___echo", "arguments": {"text": "a"}})
    grant(whole)
    assert not call()["result"]["isError"]
    grant({**trio, "Statement": [invoke]})
    denied = call()
    assert denied["result"]["isError"] and "Tool Execution Denied" in text_of(denied), denied
    assert wire.call("tools/list")["result"]["tools"] == []
    grant(whole)
    assert not call()["result"]["isError"]
