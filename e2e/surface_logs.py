"""The rows of surface_table.py for CloudWatch Logs and X-Ray."""

import time

from portcullis import ACCOUNT, REGION
from scenery import name

LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}"
GROUP = LOGS + ":log-group:{logGroupName}"
STREAM = GROUP + ":log-stream:{logStreamName}"
NO_GROUP = {"logGroupName": "/no/such/group"}
NO_NAME = {"name": "no-such-name"}
POLICY = '{"Version": "2012-10-17", "Statement": []}'


def group(on) -> str:
    made = f"/tests/{name('group')}"
    on.server.client("logs").create_log_group(logGroupName=made)
    return made


def stream(on) -> dict:
    made = {"logGroupName": group(on), "logStreamName": "a-stream"}
    on.server.client("logs").create_log_stream(**made)
    return made


def events(on) -> dict:
    made = stream(on)
    written = [{"timestamp": int(time.time() * 1000), "message": "a message"}]
    on.server.client("logs").put_log_events(**made, logEvents=written)
    return made


def policy(on) -> str:
    logs = on.server.client("logs")
    for known in logs.describe_resource_policies()["resourcePolicies"]:
        logs.delete_resource_policy(policyName=known["policyName"])
    made = name("policy")
    logs.put_resource_policy(policyName=made, policyDocument=POLICY)
    return made


def source_request(on, **more) -> dict:
    return {"name": name("source"), "resourceArn": on.shared_gateway.arn, "logType": "APPLICATION_LOGS", **more}


def source(on) -> str:
    return on.server.client("logs").put_delivery_source(**source_request(on))["deliverySource"]["name"]


def destination_request(on) -> dict:
    to = {"destinationResourceArn": f"{LOGS}:log-group:{group(on)}"}
    return {"name": name("to"), "deliveryDestinationType": "CWL", "deliveryDestinationConfiguration": to}


def destination(on) -> dict:
    return on.server.client("logs").put_delivery_destination(**destination_request(on))["deliveryDestination"]


def delivery_request(on) -> dict:
    return {"deliverySourceName": source(on), "deliveryDestinationArn": destination(on)["arn"]}


def delivery(on) -> str:
    return on.server.client("logs").create_delivery(**delivery_request(on))["delivery"]["id"]


def rows(row) -> list:
    """The rows, made by `row`, which is surface_table's class."""
    there, new = "it names nothing: it lists what there is", "it names nothing that must exist: it makes something new"
    logs = lambda *given, **more: row("logs", *given, **{"missing_code": "ResourceNotFoundException", **more})
    xray = lambda *given, **more: row("xray", *given, on="*", **more)
    bad_group, bad_name, bad_limit = {"logGroupName": "no name"}, {"name": "no name"}, {"limit": 0}
    return [
        logs("CreateLogGroup", lambda on: {"logGroupName": f"/tests/{name('group')}"}, bad_group, new, GROUP),
        logs(
            "DescribeLogGroups",
            lambda on: (group(on), {"logGroupNamePrefix": "/tests", "limit": 1})[1],
            bad_limit,
            there,
            f"{LOGS}:log-group:*",
            bare=lambda on: {},
        ),
        logs("DeleteLogGroup", lambda on: {"logGroupName": group(on)}, bad_group, NO_GROUP, GROUP),
        logs(
            "PutRetentionPolicy",
            lambda on: {"logGroupName": group(on), "retentionInDays": 7},
            bad_group,
            NO_GROUP,
            GROUP,
        ),
        logs("DeleteRetentionPolicy", lambda on: {"logGroupName": group(on)}, bad_group, NO_GROUP, GROUP),
        logs(
            "CreateLogStream",
            lambda on: {"logGroupName": group(on), "logStreamName": "a-stream"},
            bad_group,
            NO_GROUP,
            STREAM,
        ),
        logs(
            "DescribeLogStreams",
            lambda on: {"logGroupName": stream(on)["logGroupName"], "logStreamNamePrefix": "a", "limit": 1},
            bad_limit,
            NO_GROUP,
            GROUP,
        ),
        logs("DeleteLogStream", stream, bad_group, NO_GROUP, STREAM),
        logs(
            "PutLogEvents",
            lambda on: {**stream(on), "logEvents": [{"timestamp": int(time.time() * 1000), "message": "a message"}]},
            {"logEvents": []},
            NO_GROUP,
            STREAM,
        ),
        logs(
            "GetLogEvents",
            lambda on: {**events(on), "startFromHead": True, "limit": 1, "startTime": 0},
            bad_limit,
            NO_GROUP,
            STREAM,
        ),
        logs(
            "FilterLogEvents",
            lambda on: {"logGroupName": events(on)["logGroupName"], "filterPattern": "message", "limit": 1},
            bad_limit,
            NO_GROUP,
            GROUP,
        ),
        logs(
            "PutResourcePolicy",
            lambda on: {"policyName": policy(on), "policyDocument": POLICY},
            {"policyDocument": ""},
            new,
            "*",
        ),
        logs(
            "DescribeResourcePolicies",
            lambda on: (policy(on), {"limit": 1})[1],
            bad_limit,
            there,
            "*",
            bare=lambda on: {},
        ),
        logs(
            "DeleteResourcePolicy",
            lambda on: {"policyName": policy(on)},
            {"policyName": 5},
            {"policyName": "no-such-policy"},
            "*",
        ),
        logs(
            "PutDeliverySource",
            source_request,
            bad_name,
            {"resourceArn": f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:gateway/no-such-gateway-0123456789"},
            LOGS + ":delivery-source:{name}",
        ),
        logs("GetDeliverySource", lambda on: {"name": source(on)}, bad_name, NO_NAME, LOGS + ":delivery-source:{name}"),
        logs(
            "DescribeDeliverySources",
            lambda on: (source(on), {"limit": 1, "resourceArns": [on.shared_gateway.arn]})[1],
            bad_limit,
            there,
            "*",
            bare=lambda on: {},
        ),
        logs("DeleteDeliverySource", lambda on: {"name": source(on)}, bad_name, NO_NAME, LOGS + ":delivery-source:{name}"),
        logs(
            "PutDeliveryDestination",
            destination_request,
            bad_name,
            {"deliveryDestinationConfiguration": {"destinationResourceArn": f"{LOGS}:log-group:/no/such"}},
            LOGS + ":delivery-destination:{name}",
        ),
        logs(
            "GetDeliveryDestination",
            lambda on: {"name": destination(on)["name"]},
            bad_name,
            NO_NAME,
            LOGS + ":delivery-destination:{name}",
        ),
        logs(
            "DescribeDeliveryDestinations",
            lambda on: (destination(on), {"limit": 1})[1],
            bad_limit,
            there,
            "*",
            bare=lambda on: {},
        ),
        logs(
            "DeleteDeliveryDestination",
            lambda on: {"name": destination(on)["name"]},
            bad_name,
            NO_NAME,
            LOGS + ":delivery-destination:{name}",
        ),
        logs(
            "CreateDelivery",
            delivery_request,
            {"deliverySourceName": "no name"},
            {"deliverySourceName": "no-such-source"},
            LOGS + ":delivery:*",
        ),
        logs("GetDelivery", lambda on: {"id": delivery(on)}, {"id": "no-id"}, {"id": "nosuchid"}, LOGS + ":delivery:{id}"),
        logs(
            "DescribeDeliveries",
            lambda on: (delivery(on), {"limit": 1})[1],
            bad_limit,
            there,
            "*",
            bare=lambda on: {},
        ),
        logs("DeleteDelivery", lambda on: {"id": delivery(on)}, {"id": "no-id"}, {"id": "nosuchid"}, LOGS + ":delivery:{id}"),
        xray(
            "GetTraceSegmentDestination",
            lambda on: {},
            malformed="it has no members, so that no constraint can be broken",
            missing="it names nothing: the setting is always there",
        ),
        xray(
            "UpdateTraceSegmentDestination",
            lambda on: {"Destination": "CloudWatchLogs"},
            malformed={"Destination": "Nowhere"},
            missing="it names nothing: the setting is always there",
        ),
        xray(
            "GetIndexingRules",
            lambda on: (
                on.server.client("xray").update_indexing_rule(
                    Name="Default", Rule={"Probabilistic": {"DesiredSamplingPercentage": 1}}
                ),
                {},
            )[1],
            malformed={"NextToken": 5},
            missing=there,
        ),
        row(
            "xray",
            "UpdateIndexingRule",
            lambda on: {"Name": "Default", "Rule": {"Probabilistic": {"DesiredSamplingPercentage": 1}}},
            malformed={"Rule": {}},
            missing={"Name": "Other"},
            missing_code="ResourceNotFoundException",
            on=f"arn:aws:xray:{REGION}:{ACCOUNT}:indexing-rule/{{Name}}",
        ),
    ]
