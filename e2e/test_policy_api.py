"""Policies through the API: what binds and what is only recorded, what may be known without the key, what a change of a target
does to them, engines and the gateways that they guard, and quotas."""

import pytest

from portcullis import ACCOUNT, REGION
from scenery import Scenery, name, refusal, tool, until
from wire import Wire, text_of

AGENTCORE = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}"


@pytest.fixture
def guarded(make):
    """A gateway with two tools, an engine in front of it, and a caller."""
    client = make.pool().client("invoke")
    gateway = make.gateway(client.pool.authorizer(client))
    target = gateway.lambda_target("Tools", make.function(), two_tools())
    engine = make.engine()
    gateway.enforce(engine.arn)
    return gateway, target, engine, Wire(gateway.url, client.token())


def two_tools() -> list:
    return [tool("echo", required=["amount"], amount="integer"), tool("other", text="string")]


def about(gateway, effect: str, tool_name: str, when: str = "") -> str:
    scope = f'action == AgentCore::Action::"Tools___{tool_name}", resource == AgentCore::Gateway::"{gateway.arn}"'
    return f"{effect}(principal, {scope})" + (f" when {{ {when} }};" if when else ";")


def settled(control, engine, policy: str) -> dict:
    look = lambda: control.get_policy(policyEngineId=engine.id, policyId=policy)
    return until("the policy", look, lambda seen: seen["status"] not in ("CREATING", "UPDATING"))


def retarget(control, gateway, target: str, tools: list, function: str) -> dict:
    control.update_gateway_target(
        gatewayIdentifier=gateway.id,
        targetId=target,
        name="Tools",
        targetConfiguration={"mcp": {"lambda": {"lambdaArn": function, "toolSchema": {"inlinePayload": tools}}}},
        credentialProviderConfigurations=[{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
    )
    look = lambda: control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=target)
    return until("the target", look, lambda seen: seen["status"] == "READY")


# --- modes and summaries ---------------------------------------------------------------------------------------------


def test_every_reading_tells_whether_a_policy_binds(control, guarded):
    gateway, _, engine, _ = guarded
    usual = engine.policy(about(gateway, "permit", "echo", "context.input.amount < 10"))
    watched = engine.policy(about(gateway, "forbid", "other", 'context.input has text'), enforcementMode="LOG_ONLY")
    modes = {usual: "ACTIVE", watched: "LOG_ONLY"}

    def told() -> list:
        gets = control.get_policy, control.get_policy_summary
        each = [{policy: get(policyEngineId=engine.id, policyId=policy)["enforcementMode"] for policy in modes} for get in gets]
        lists = control.list_policies, control.list_policy_summaries
        every = [
            {policy["policyId"]: policy["enforcementMode"] for policy in listing(policyEngineId=engine.id, **scope)["policies"]}
            for listing in lists
            for scope in ({}, {"targetResourceScope": gateway.arn})
        ]
        return [*each, *every]

    assert told() == [modes] * 6
    assert control.list_policy_summaries(policyEngineId=engine.id, targetResourceScope=gateway.arn + "x")["policies"] == []
    control.update_policy(policyEngineId=engine.id, policyId=watched, enforcementMode="ACTIVE")
    assert settled(control, engine, watched)["status"] == "ACTIVE"
    modes[watched] = "ACTIVE"
    assert told() == [modes] * 6
    # What an update does not name stays.
    control.update_policy(policyEngineId=engine.id, policyId=usual, description={"optionalValue": "words"})
    assert settled(control, engine, usual)["enforcementMode"] == "ACTIVE"


def test_summaries_say_nothing_of_statements(control, guarded):
    gateway, _, engine, _ = guarded
    policy = engine.policy(about(gateway, "permit", "echo", "context.input.amount < 10"), description="words")
    whole = control.get_policy(policyEngineId=engine.id, policyId=policy)
    short = control.get_policy_summary(policyEngineId=engine.id, policyId=policy)
    assert set(whole) - set(short) == {"definition", "description", "statusReasons"}
    assert {key: whole[key] for key in short if key != "ResponseMetadata"} == {
        key: short[key] for key in short if key != "ResponseMetadata"
    }
    whole = control.get_policy_engine(policyEngineId=engine.id)
    short = control.get_policy_engine_summary(policyEngineId=engine.id)
    assert set(whole) - set(short) == {"statusReasons"}
    pages = control.get_paginator("list_policy_engine_summaries").paginate(PaginationConfig={"PageSize": 1})
    listed = pages.build_full_result()["policyEngines"]
    assert short["policyEngineArn"] in {it["policyEngineArn"] for it in listed}


def test_summaries_need_no_key(control, make):
    """With its key disabled, an engine's policies cannot be read; what is in it still can be seen."""
    kms = make.server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    made = control.create_policy_engine(name=name("engine").replace("-", "_"), encryptionKeyArn=key)
    engine = made["policyEngineId"]
    gateway = make.gateway("AWS_IAM")
    statement = f'forbid(principal, action, resource == AgentCore::Gateway::"{gateway.arn}");'
    policy = control.create_policy(
        policyEngineId=engine,
        name=name("policy"),
        definition={"cedar": {"statement": statement}},
        validationMode="IGNORE_ALL_FINDINGS",
    )["policyId"]
    look = lambda: control.get_policy(policyEngineId=engine, policyId=policy)
    until("the policy", look, lambda seen: seen["status"] == "ACTIVE")
    kms.disable_key(KeyId=key)
    _, code, _ = refusal(control.get_policy, policyEngineId=engine, policyId=policy)
    assert code == "ValidationException"
    assert control.get_policy_summary(policyEngineId=engine, policyId=policy)["status"] == "ACTIVE"
    [listed] = control.list_policy_summaries(policyEngineId=engine)["policies"]
    assert listed["policyId"] == policy
    assert control.get_policy_engine_summary(policyEngineId=engine)["encryptionKeyArn"] == key
    kms.enable_key(KeyId=key)
    assert look()["definition"]["cedar"]["statement"] == statement


# --- changes of a target ---------------------------------------------------------------------------------------------


def test_a_change_that_would_leave_a_forbid_behind_is_refused(control, make, guarded):
    gateway, target, engine, wire = guarded
    function = make.function()
    engine.policy(about(gateway, "permit", "other", "context.input has text"))
    binding = engine.policy(about(gateway, "forbid", "echo", "context.input.amount > 1000"), policy_name="no_riches")
    renamed = [tool("echo", required=["sum"], sum="integer"), tool("other", text="string")]
    status, code, message = refusal(retarget, control, gateway, target, renamed, function)
    assert (status, code) == (409, "ConflictException")
    assert "The forbid policy no_riches does not fit the changed tools: " in message and "amount" in message, message
    assert "LOG_ONLY" in message
    # Nothing was changed.
    seen = control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=target)
    [first, _] = seen["targetConfiguration"]["mcp"]["lambda"]["toolSchema"]["inlinePayload"]
    assert "amount" in first["inputSchema"]["properties"] and seen["status"] == "READY"
    # The way out: the policy no longer binds, and says so itself.
    control.update_policy(policyEngineId=engine.id, policyId=binding, enforcementMode="LOG_ONLY")
    assert settled(control, engine, binding)["status"] == "ACTIVE"
    [reason] = retarget(control, gateway, target, renamed, function)["statusReasons"]
    assert reason.startswith("The forbid policy no_riches does not fit the changed tools"), reason
    # It cannot bind again as it is; but it can stay as it is.
    control.update_policy(policyEngineId=engine.id, policyId=binding, enforcementMode="ACTIVE")
    failed = settled(control, engine, binding)
    assert failed["status"] == "UPDATE_FAILED" and "amount" in " ".join(failed["statusReasons"]), failed
    assert text_of(wire.tool("Tools___other", text="a"))


def test_a_change_that_leaves_a_permit_behind_is_reported(control, make, guarded):
    gateway, target, engine, wire = guarded
    engine.policy(about(gateway, "permit", "echo", "context.input.amount < 10"), policy_name="small_ones")
    assert wire.tool("Tools___echo", amount=1)["result"]["isError"] is False
    [reason] = retarget(control, gateway, target, [tool("other", text="string")], make.function())["statusReasons"]
    assert reason.startswith("The permit policy small_ones does not fit the changed tools"), reason
    # With the tool back, nothing is to be said.
    assert "statusReasons" not in retarget(control, gateway, target, two_tools(), make.function())
    assert wire.tool("Tools___echo", amount=1)["result"]["isError"] is False


def test_a_target_says_at_its_end_who_misses_it(control, guarded):
    gateway, target, engine, _ = guarded
    engine.policy(about(gateway, "forbid", "other"), policy_name="never_other")
    gone = control.delete_gateway_target(gatewayIdentifier=gateway.id, targetId=target)
    assert "The forbid policy never_other" in gone["statusReasons"][0]
    _, code, _ = refusal(control.get_gateway_target, gatewayIdentifier=gateway.id, targetId=target)
    assert code == "ResourceNotFoundException"


def test_without_binding_decisions_a_change_is_only_reported(control, make, guarded):
    gateway, target, engine, _ = guarded
    engine.policy(about(gateway, "forbid", "echo", "context.input.amount > 1000"))
    gateway.enforce(engine.arn, "LOG_ONLY")
    seen = retarget(control, gateway, target, [tool("other", text="string")], make.function())
    assert len(seen["statusReasons"]) == 1


# --- engines and gateways --------------------------------------------------------------------------------------------


def test_engines_guard_only_what_has_callers(control, make):
    engine = make.engine()
    policy = {"arn": engine.arn, "mode": "ENFORCE"}
    open_door = make.gateway("NONE")
    for refused in (
        lambda: open_door.update(policyEngineConfiguration=policy),
        lambda: make.gateway("NONE", policyEngineConfiguration=policy),
    ):
        status, code, message = refusal(refused)
        assert (status, code) == (400, "ValidationException") and "there is no caller to decide about" in message


def test_engines_of_others_and_gone_ones_cannot_be_attached(make):
    gateway = make.gateway("AWS_IAM")
    for arn, wanted in (
        (f"arn:aws:bedrock-agentcore:{REGION}:111122223333:policy-engine/other-0123456789", "ValidationException"),
        (f"arn:aws:bedrock-agentcore:eu-west-1:{ACCOUNT}:policy-engine/other-0123456789", "ValidationException"),
        (f"{AGENTCORE}:policy-engine/gone-0123456789", "ResourceNotFoundException"),
    ):
        _, code, message = refusal(gateway.enforce, arn)
        assert code == wanted, message


def test_an_engine_goes_last(control, make):
    engine, gateway = make.engine(), make.gateway("AWS_IAM")
    statement = f'forbid(principal, action, resource == AgentCore::Gateway::"{gateway.arn}");'
    policy = engine.policy(statement, validationMode="IGNORE_ALL_FINDINGS")
    gateway.enforce(engine.arn)
    delete = lambda: control.delete_policy_engine(policyEngineId=engine.id)
    _, code, message = refusal(delete)
    assert code == "ConflictException" and "still has policies" in message
    control.delete_policy(policyEngineId=engine.id, policyId=policy)
    _, code, message = refusal(delete)
    assert code == "ConflictException" and gateway.id in message
    control.delete_gateway(gatewayIdentifier=gateway.id)
    assert delete()["status"] == "DELETING"
    assert refusal(control.get_policy_engine_summary, policyEngineId=engine.id)[1] == "ResourceNotFoundException"


def test_a_gateway_that_goes_leaves_its_policies_behind(control, make):
    """They can be read, cannot be written anew, and can be deleted."""
    engine, gateway = make.engine(), make.gateway("AWS_IAM")
    statement = f'forbid(principal, action, resource == AgentCore::Gateway::"{gateway.arn}");'
    policy = engine.policy(statement, validationMode="IGNORE_ALL_FINDINGS")
    gateway.enforce(engine.arn)
    control.delete_gateway(gatewayIdentifier=gateway.id)
    assert control.get_policy(policyEngineId=engine.id, policyId=policy)["status"] == "ACTIVE"
    control.update_policy(policyEngineId=engine.id, policyId=policy, definition={"cedar": {"statement": statement}})
    failed = settled(control, engine, policy)
    assert failed["status"] == "UPDATE_FAILED" and "does not exist" in failed["statusReasons"][0]
    control.delete_policy(policyEngineId=engine.id, policyId=policy)
    control.delete_policy_engine(policyEngineId=engine.id)


# --- quotas ----------------------------------------------------------------------------------------------------------


FEW = """
[quotas]
policy-engines = 2
policies-per-engine = 30
policy-bytes = 400
policy-bytes-per-resource = 1200
policy-generations-per-engine = 1
"""


def test_quotas_hold_at_their_edge(start_server):
    make = Scenery(start_server(settings=FEW))
    control = make.server.client("bedrock-agentcore-control")
    engine, other = make.engine(), make.engine()
    assert refusal(make.engine)[1] == "ServiceQuotaExceededException"
    gateway = make.gateway("AWS_IAM")
    gateway.lambda_target("Tools", make.function(), [tool("other", required=["text"], text="string")])

    def create(statement: str, into=engine):
        definition = {"cedar": {"statement": statement}}
        return control.create_policy(policyEngineId=into.id, name=name("policy"), definition=definition)

    plain = about(gateway, "permit", "other", 'context.input.text == ""')
    sized = lambda size: plain.replace('""', f'"{"x" * (size - len(plain))}"')
    # Characters are not bytes.
    wide = plain.replace('""', f'"{"ü" * (350 - len(plain))}"')
    assert refusal(create, sized(401))[1] == "ServiceQuotaExceededException"
    assert len(wide) == 350 < 400 < len(wide.encode())
    assert refusal(create, wide)[1] == "ServiceQuotaExceededException"
    made = [create(sized(400)) for _ in range(3)]
    _, code, message = refusal(create, sized(len(plain)))
    assert code == "ServiceQuotaExceededException" and "1200 bytes of policies per resource" in message
    update = lambda size: control.update_policy(
        policyEngineId=engine.id, policyId=made[0]["policyId"], definition={"cedar": {"statement": sized(size)}}
    )
    assert settled(control, engine, made[0]["policyId"])["status"] == "ACTIVE"
    update(300)
    assert settled(control, engine, made[0]["policyId"])["status"] == "ACTIVE"
    assert refusal(update, 401)[1] == "ServiceQuotaExceededException"
    control.delete_policy(policyEngineId=engine.id, policyId=made[1]["policyId"])
    create(sized(400))
    # Another gateway, and another engine, have bytes of their own.
    create(sized(400), other)
    elsewhere = make.gateway("AWS_IAM")
    create(f'forbid(principal, action, resource == AgentCore::Gateway::"{elsewhere.arn}");')

    start = lambda: control.start_policy_generation(
        policyEngineId=engine.id, name=name("one"), resource={"arn": gateway.arn}, content={"rawText": "Allow everything."}
    )
    start()
    assert refusal(start)[1] == "ServiceQuotaExceededException"
