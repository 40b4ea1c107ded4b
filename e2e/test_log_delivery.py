"""A gateway's records in CloudWatch Logs: set up by the starter toolkit and by boto3, read by boto3."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from portcullis import ACCOUNT, REGION, pointed_at
from scenery import allow, name, tool, until
from wire import Wire

pytestmark = pytest.mark.usefixtures("impatience")
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}"


@pytest.fixture(scope="module")
def logs(server):
    return server.client("logs")


def records(logs, group, least=2, **more):
    look = lambda: logs.filter_log_events(logGroupName=group, **more)["events"]
    return until("the records", look, lambda seen: len(seen) >= least)


def test_the_toolkit_enables_observability_and_records_arrive(server, make, logs):
    from bedrock_agentcore_starter_toolkit.operations.gateway.client import GatewayClient
    from bedrock_agentcore_starter_toolkit.services.xray import enable_transaction_search_if_needed

    with pointed_at(server):
        toolkit = GatewayClient(region_name=REGION)
        authorizer = toolkit.create_oauth_authorizer_with_cognito(name("toolkit"))
        made = toolkit.create_mcp_gateway(
            name=name("observed"), authorizer_config=authorizer["authorizer_config"], enable_semantic_search=False
        )
        # Both of its parts: what create_mcp_gateway does by default, and what a launch does.
        assert made["observability"]["status"] == "success", made["observability"]
        assert made["observability"]["logs_enabled"] and made["observability"]["traces_enabled"]
        assert enable_transaction_search_if_needed(REGION, ACCOUNT) is True
        again = toolkit.enable_observability(made["gatewayId"], made["gatewayArn"])
        assert again["status"] == "success", again

    group = f"/aws/vendedlogs/bedrock-agentcore/gateway/APPLICATION_LOGS/{made['gatewayId']}"
    assert made["observability"]["log_group"] == group
    refused = Wire(made["gatewayUrl"], "no-token-at-all").post({"jsonrpc": "2.0", "id": 7, "method": "ping"})
    assert refused.status_code == 401
    found = records(logs, group)
    last = json.loads(found[-1]["message"])
    assert last["resource_arn"] == made["gatewayArn"] and last["account_id"] == ACCOUNT
    assert last["body"]["isError"] is True and "no-token-at-all" not in str(found)


@pytest.fixture(scope="module")
def observed(server, make, logs):
    """A gateway whose records go to a group."""
    gateway, group = make.gateway(), f"/tests/{name('group')}"
    gateway.lambda_target("Target", make.function(), [tool("echo", text="string")])
    logs.create_log_group(logGroupName=group)
    source, to = name("source"), name("to")
    logs.put_delivery_source(name=source, resourceArn=gateway.arn, logType="APPLICATION_LOGS")
    destination = logs.put_delivery_destination(
        name=to,
        deliveryDestinationType="CWL",
        deliveryDestinationConfiguration={"destinationResourceArn": f"{LOGS}:log-group:{group}:*"},
    )["deliveryDestination"]
    delivery = logs.create_delivery(deliverySourceName=source, deliveryDestinationArn=destination["arn"])["delivery"]
    return gateway, group, source, to, delivery["id"]


def test_records_say_what_happened_within_which_trace(logs, observed):
    gateway, group, *_ = observed
    trace = "7" * 32
    wire = Wire(gateway.url, traceparent=f"00-{trace}-{'8' * 16}-01")
    wire.tool("Target___echo", text="an argument that nobody logs")
    started, done = records(logs, group, filterPattern=f'{{ $.trace_id = "{trace}" }}')
    first, last = json.loads(started["message"]), json.loads(done["message"])
    assert first["body"] == {"isError": False, "log": "Started processing request with requestId: 1", "id": "1"}
    assert last["body"]["log"] == "Successfully processed request with requestId: 1"
    assert set(last) == {
        "resource_arn", "event_timestamp", "body", "account_id", "request_id", "trace_id", "span_id",
    }
    assert last["event_timestamp"] == done["timestamp"] and len(last["span_id"]) == 16
    assert "nobody logs" not in str(logs.filter_log_events(logGroupName=group))

    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    page = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True, limit=1)
    rest = logs.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], nextToken=page["nextForwardToken"]
    )
    assert [it["message"] for it in page["events"] + rest["events"]][:2] == [started["message"], done["message"]]
    assert logs.filter_log_events(logGroupName=group, filterPattern="Failed")["events"] == []


def test_what_is_tied_together_goes_in_order(logs, observed):
    gateway, group, source, to, delivery = observed
    for call, arguments in (
        (logs.delete_delivery_source, {"name": source}),
        (logs.delete_delivery_destination, {"name": to}),
        (logs.create_delivery, {"deliverySourceName": source, "deliveryDestinationArn": f"{LOGS}:delivery-destination:{to}"}),
    ):
        with pytest.raises(ClientError) as refused:
            call(**arguments)
        assert refused.value.response["Error"]["Code"] == "ConflictException"
    logs.delete_delivery(id=delivery)
    before = len(logs.filter_log_events(logGroupName=group)["events"])
    Wire(gateway.url).call("ping")
    time.sleep(1)
    assert len(logs.filter_log_events(logGroupName=group)["events"]) == before, "it is not delivered any more"
    logs.delete_delivery_source(name=source)
    logs.delete_delivery_destination(name=to)
    logs.delete_log_group(logGroupName=group)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.filter_log_events(logGroupName=group)


def test_whose_records_are_delivered_must_be_allowed(make, logs, observed):
    """`bedrock-agentcore:AllowVendedLogDeliveryForResource`, beside the right to make a source."""
    gateway = observed[0]
    only = make.user(allow("logs:*")).client("logs")
    request = {"name": name("source"), "resourceArn": gateway.arn, "logType": "APPLICATION_LOGS"}
    with pytest.raises(ClientError, match="AllowVendedLogDeliveryForResource"):
        only.put_delivery_source(**request)
    both = make.user(allow("logs:*", "bedrock-agentcore:AllowVendedLogDeliveryForResource")).client("logs")
    both.put_delivery_source(**request)


def test_events_are_written_filtered_and_paged(logs):
    group, stream, now = f"/tests/{name('own')}", "a-stream", int(time.time() * 1000)
    logs.create_log_group(logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": now - 100 + number, "message": f"event {number}"} for number in range(25)]
    old = {"timestamp": now - 15 * 24 * 3600 * 1000, "message": "too old"}
    written = logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[old, *events])
    assert written["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] == 1
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, PaginationConfig={"PageSize": 10})
    assert [it["message"] for page in pages for it in page["events"]] == [it["message"] for it in events]
    some = logs.filter_log_events(
        logGroupName=group, startTime=events[3]["timestamp"], endTime=events[5]["timestamp"], filterPattern="?4 ?5"
    )
    assert [it["message"] for it in some["events"]] == ["event 4", "event 5"]
    last = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=2)
    assert [it["message"] for it in last["events"]] == ["event 23", "event 24"]
    before = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=2, nextToken=last["nextBackwardToken"])
    assert [it["message"] for it in before["events"]] == ["event 21", "event 22"]
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 1
    for wrong in (
        {"logEvents": [{"timestamp": now, "message": "b"}, {"timestamp": now - 1, "message": "a"}]},
        {"logEvents": [{"timestamp": now, "message": "x" * 1_048_576}]},
    ):
        with pytest.raises(logs.exceptions.InvalidParameterException):
            logs.put_log_events(logGroupName=group, logStreamName=stream, **wrong)
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
