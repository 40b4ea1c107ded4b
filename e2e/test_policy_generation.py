"""Policies from plain language, through the API: from a text to assets, and from an asset to a policy that decides."""

import json
import threading

import pytest

from keys import connect, rows
from portcullis import ACCOUNT, REGION, Server
from scenery import Scenery, name, refusal, tool, trail, until
from wire import Wire, text_of

AGENTCORE = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}"
TEXT = "Only allow users with the manager scope to call transfer when amount is less than 500. Make everybody happy."


@pytest.fixture(scope="module")
def place(make):
    """A gateway that moves money, its engine, and callers with and without the scope."""
    pool = make.pool(["manager", "staff"])
    manager, staff = pool.client("manager"), pool.client("staff")
    gateway = make.gateway(pool.authorizer(manager, staff))
    tools = [tool("transfer", "Moves money.", required=["amount"], amount="integer"), tool("balance", "Says what there is.")]
    gateway.lambda_target("Bank", make.function(), tools)
    engine = make.engine()
    gateway.enforce(engine.arn)
    return gateway, engine, manager, staff


def new_name() -> str:
    return name("generation").replace("-", "_")


def start(control, gateway, engine, text: str = TEXT, **more) -> dict:
    request = {"policyEngineId": engine.id, "name": new_name(), "resource": {"arn": gateway.arn}}
    return control.start_policy_generation(**{**request, "content": {"rawText": text}, **more})


def known(made: dict) -> dict:
    return {key: made[key] for key in ("policyEngineId", "policyGenerationId")}


def settled(control, made: dict) -> dict:
    look = lambda: control.get_policy_generation(**known(made))
    return until("the generation", look, lambda seen: seen["status"] != "GENERATING")


def assets_of(control, made: dict) -> list:
    pages = control.get_paginator("list_policy_generation_assets").paginate(**known(made), PaginationConfig={"PageSize": 1})
    return pages.build_full_result()["policyGenerationAssets"]


def test_a_text_becomes_assets_and_an_asset_a_policy_that_decides(control, place):
    gateway, engine, manager, staff = place
    made = start(control, gateway, engine)
    assert (made["status"], made["statusReasons"], made["resource"]) == ("GENERATING", [], {"arn": gateway.arn})
    assert made["policyGenerationArn"] == f"{engine.arn}/policy-generation/{made['policyGenerationId']}"
    control.get_waiter("policy_generation_completed").wait(**known(made), WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    seen = settled(control, made)
    assert seen["status"] == "GENERATED" and "NOT_TRANSLATABLE" in seen["findings"], seen
    short = control.get_policy_generation_summary(**known(made))
    assert set(seen) - set(short) == {"statusReasons"}
    for listed in (
        control.list_policy_generations(policyEngineId=engine.id)["policyGenerations"],
        control.list_policy_generation_summaries(policyEngineId=engine.id)["policyGenerations"],
    ):
        assert made["policyGenerationId"] in {it["policyGenerationId"] for it in listed}

    assets = assets_of(control, made)
    understood = [asset for asset in assets if "definition" in asset]
    [lost] = [asset for asset in assets if "definition" not in asset]
    assert [finding["type"] for finding in lost["findings"]] == ["NOT_TRANSLATABLE"]
    assert lost["rawTextFragment"] == "Make everybody happy" and lost["findings"][0]["description"]
    assert understood and all(asset["rawTextFragment"] in TEXT for asset in assets)
    assert {finding["type"] for asset in understood for finding in asset["findings"]} == {"VALID"}

    _, code, message = refusal(create, control, engine, made, lost)
    assert code == "ValidationException" and lost["findings"][0]["description"] in message
    for asset in understood:
        policy = create(control, engine, made, asset)
        look = lambda made=policy: control.get_policy(policyEngineId=engine.id, policyId=made["policyId"])
        active = until("the policy", look, lambda it: it["status"] != "CREATING")
        assert active["status"] == "ACTIVE", active
        assert active["definition"] == asset["definition"]
    allowed, above = Wire(gateway.url, manager.token()), Wire(gateway.url, staff.token())
    assert [it["name"] for it in allowed.tools()] == ["Bank___transfer"] and above.tools() == []
    assert json.loads(text_of(allowed.tool("Bank___transfer", amount=499)))["arguments"] == {"amount": 499}
    assert "not allowed due to policy" in text_of(allowed.tool("Bank___transfer", amount=500))
    assert "not allowed due to policy" in text_of(above.tool("Bank___transfer", amount=1))


def create(control, engine, made: dict, asset: dict) -> dict:
    reference = {
        "policyGenerationId": made["policyGenerationId"],
        "policyGenerationAssetId": asset["policyGenerationAssetId"],
    }
    return control.create_policy(
        policyEngineId=engine.id, name=name("policy"), definition={"policyGeneration": reference}
    )


def test_an_update_takes_an_asset_too(control, make, place):
    gateway, engine, *_ = place
    made = start(control, gateway, engine, "Nobody may call balance.")
    settled(control, made)
    [asset] = assets_of(control, made)
    policy = engine.policy(asset["definition"]["cedar"]["statement"])
    other = start(control, gateway, engine, "Nobody may call transfer.")
    settled(control, other)
    [asset] = assets_of(control, other)
    reference = {"policyGenerationId": other["policyGenerationId"], "policyGenerationAssetId": asset["policyGenerationAssetId"]}
    control.update_policy(policyEngineId=engine.id, policyId=policy, definition={"policyGeneration": reference})
    look = lambda: control.get_policy(policyEngineId=engine.id, policyId=policy)
    assert until("the policy", look, lambda it: it["status"] == "ACTIVE")["definition"] == asset["definition"]
    # A generation belongs to its engine.
    elsewhere = make.engine()
    assert refusal(create, control, elsewhere, other, asset)[1] == "ResourceNotFoundException"
    gone = {**asset, "policyGenerationAssetId": "asset-0123456789"}
    assert refusal(create, control, engine, other, gone)[1] == "ResourceNotFoundException"


def test_names_and_tokens(control, make, place):
    gateway, engine, *_ = place
    token = name("token-of-thirty-three-characters")
    first = start(control, gateway, engine, name="once", clientToken=token)
    again = start(control, gateway, engine, name="once", clientToken=token)
    assert again["policyGenerationId"] == first["policyGenerationId"]
    for more in ({}, {"clientToken": name("token-of-thirty-three-characters")}):
        status, code, message = refusal(start, control, gateway, engine, name="once", **more)
        assert (status, code) == (409, "ConflictException") and "once already exists" in message
    _, code, message = refusal(start, control, gateway, engine, "Something else.", name="once", clientToken=token)
    assert code == "ValidationException" and "client token" in message
    # Another engine has names of its own.
    assert start(control, gateway, make.engine(), name="once")["name"] == "once"


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        (f"{AGENTCORE}:gateway/no-such-gateway-0123456789", "ResourceNotFoundException"),
        (f"arn:aws:bedrock-agentcore:{REGION}:111122223333:gateway/of-others-0123456789", "ValidationException"),
        (f"arn:aws:bedrock-agentcore:eu-west-1:{ACCOUNT}:gateway/elsewhere-0123456789", "ValidationException"),
        (f"{AGENTCORE}:policy-engine/engine-0123456789", "ValidationException"),
        ("not an arn, but long enough to be one", "ValidationException"),
    ],
)
def test_the_resource_is_a_gateway_of_ours(control, place, resource, code):
    _, engine, *_ = place
    known_gateway = type("Gateway", (), {"arn": resource})
    assert refusal(start, control, known_gateway, engine)[1] == code


def test_the_text_has_bounds(control, place):
    gateway, engine, *_ = place
    assert refusal(start, control, gateway, engine, "x" * 2001)[1] == "ValidationException"
    # 2,000 characters of any alphabet, and of nothing that is understood.
    for text in ("é" * 2000, "\U0001f600 " * 1000, "). permit(principal, action, resource); //" * 40, "\n \n", '"' * 2000):
        made = start(control, gateway, engine, text)
        seen = settled(control, made)
        assert seen["status"] == "GENERATED", seen
        assert not [asset for asset in assets_of(control, made) if "definition" in asset]


def test_an_engine_takes_its_generations_with_it(control, make, place):
    gateway, *_ = place
    engine = make.engine()
    made = start(control, gateway, engine)
    settled(control, made)
    control.delete_policy_engine(policyEngineId=engine.id)
    assert refusal(control.get_policy_generation, **known(made))[1] == "ResourceNotFoundException"


def test_a_generation_whose_gateway_went_can_still_be_read(control, make):
    engine, gateway = make.engine(), make.gateway("AWS_IAM")
    made = start(control, gateway, engine)
    assert settled(control, made)["status"] == "GENERATED"
    control.delete_gateway(gatewayIdentifier=gateway.id)
    assert assets_of(control, made)
    assert refusal(start, control, gateway, engine)[1] == "ResourceNotFoundException"


def test_texts_are_sealed_under_the_engines_key(control, make, place):
    gateway, *_ = place
    kms = make.server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    made = control.create_policy_engine(name=name("engine").replace("-", "_"), encryptionKeyArn=key)
    engine = type("Engine", (), {"id": made["policyEngineId"]})
    secret = f"Nobody may call transfer when word is \"{name('sesame')}\"."
    generation = start(control, gateway, engine, secret)
    settled(control, generation)
    kept = rows(make.server, "SELECT document, summary FROM policy_generations")
    assert kept and not any("sesame" in column for row in kept for column in row), "a text is kept in the clear"
    kms.disable_key(KeyId=key)
    assert refusal(control.get_policy_generation, **known(generation))[1] == "ValidationException"
    assert control.get_policy_generation_summary(**known(generation))["status"] == "GENERATED"
    [listed] = control.list_policy_generation_summaries(policyEngineId=engine.id)["policyGenerations"]
    assert listed["policyGenerationId"] == generation["policyGenerationId"]
    kms.enable_key(KeyId=key)
    assert assets_of(control, generation)[0]["rawTextFragment"] in secret


def test_what_a_crash_interrupts_is_done_at_the_next_start(tmp_path):
    """Generations are begun while the server is killed; each that was accepted ends all the same."""
    with Server(tmp_path) as server:
        make = Scenery(server)
        control = server.client("bedrock-agentcore-control")
        engine, gateway = make.engine(), make.gateway("AWS_IAM")
        gateway.lambda_target("Bank", make.function(), [tool("transfer", amount="integer")])
        accepted = []

        def begin():
            while True:
                try:
                    accepted.append(start(server.client("bedrock-agentcore-control"), gateway, engine, TEXT))
                except Exception:
                    return

        beginning = threading.Thread(target=begin)
        beginning.start()
        until("generations", lambda: len(accepted), lambda count: count >= 5)
        server.kill()
        beginning.join()
        with connect(server) as database:
            # As if the crash had come in the middle of each.
            half = "UPDATE policy_generations SET status = 'GENERATING', document = REPLACE(document, 'GENERATED', 'GENERATING')"
            database.cursor().execute(half)
            database.commit()
        server.start()
        control = server.client("bedrock-agentcore-control")
        for made in accepted:
            assert settled(control, made)["status"] == "GENERATED"
            assert assets_of(control, made)
        done = [event for event in trail(server) if event["action"] == "policy-generation.settle"]
        assert len(done) >= len(accepted)
