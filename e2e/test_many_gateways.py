"""A start with more gateways stored than are read together: each is served as itself, with its own tools, limits, role and
key, and what is wrong with one is nobody else's."""

import copy
import json

from scenery import GATEWAY_TRUST, Scenery, allow, tool, until
from wire import Wire

# What is read together is 64.
MANY = 67


def refused(gateway) -> bool:
    wire = Wire(gateway.url)
    return wire.post(wire.message("tools/list", {})).status_code >= 400


def outcome(gateway, number):
    """What comes of a call: its status, and whether the tool answered."""
    wire = Wire(gateway.url)
    message = wire.message("tools/call", {"name": f"T{number}___echo", "arguments": {"text": "a"}})
    response = wire.post(message)
    answered = response.status_code == 200 and not response.json().get("result", {"isError": True})["isError"]
    return response.status_code, answered


def test_each_of_many_gateways_is_served_as_itself_after_a_start(start_server):
    server = start_server()
    make, kms = Scenery(server), server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    shared = make.role(GATEWAY_TRUST, allow("lambda:InvokeFunction"))
    function = make.function()

    of_number = {0: {"roleArn": shared}, 1: {"roleArn": shared}, MANY - 1: {"kmsKeyArn": key}}
    gateways = [make.gateway(**of_number.get(number, {})) for number in range(MANY)]
    for number, gateway in enumerate(gateways):
        gateway.lambda_target(f"T{number}", function, [tool("echo", text="string")])
    trusted, not_trusted, limited, *_, sealed = gateways
    # Two have one role, which trusts one of them.
    trust = copy.deepcopy(GATEWAY_TRUST)
    trust["Statement"][0]["Condition"] = {"ArnEquals": {"aws:SourceArn": trusted.arn}}
    server.client("iam").update_assume_role_policy(
        RoleName=shared.rpartition("/")[2], PolicyDocument=json.dumps(trust)
    )
    limited.control.create_gateway_rate_limit(
        gatewayIdentifier=limited.id,
        rateLimitId="nothing",
        dimensionKeys=["toolName"],
        entries=[{"dimensions": {"toolName": "*"}, "requests": [{"rate": 0, "period": "minute"}]}],
    )
    kms.disable_key(KeyId=key)

    server.restart()
    for number, gateway in enumerate(gateways[:-1]):
        assert [found["name"] for found in Wire(gateway.url).tools()] == [f"T{number}___echo"], number
    assert outcome(trusted, 0) == (200, True)
    assert outcome(not_trusted, 1) == (200, False)
    assert outcome(limited, 2)[0] == 429
    assert outcome(gateways[3], 3) == (200, True)
    assert refused(sealed)
    server.client("kms").enable_key(KeyId=key)
    until("the gateway under the key", lambda: refused(sealed), lambda seen: not seen)
    assert outcome(sealed, MANY - 1) == (200, True)
