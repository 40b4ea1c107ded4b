"""Every promised operation: unauthenticated, unauthorized, malformed, for something that does not exist, and happily.

The rows are in surface_table.py. A row that has no such outcome says why, and the last tests hold the table against
models/surface.toml.
"""

import contextlib
import io
import json
import re
import xml.etree.ElementTree as ElementTree

import botocore
import pytest
from awscli.clidriver import create_clidriver
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

import shapes
from keys import KMS
from portcullis import ONCE
from scenery import allow
from surface_table import COGNITO, IAM, LAMBDA, NOBODY_SIGNS, ROWS, SECRETS, TABLE, Stage

UNCHECKED = ONCE.merge(Config(parameter_validation=False))
UNSIGNED = UNCHECKED.merge(Config(signature_version=botocore.UNSIGNED))

PROTOCOLS = {service: shapes.model(service).metadata["protocol"] for service in shapes.SURFACE}
each = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.service}-{row.operation}")


@pytest.fixture(scope="module")
def stage(server):
    return Stage(server)


@pytest.fixture(scope="module")
def stranger(stage):
    """A user whom nobody allowed anything."""
    return stage.user()


def send(client, operation: str, request: dict):
    """Sends a request; gives what came over the wire, and the error that botocore read in it."""
    seen = []
    client.meta.events.register_last("response-received", lambda response_dict, **_: seen.append(response_dict))
    try:
        answer, error = client._make_api_call(operation, request), None
    except ClientError as raised:
        answer, error = raised.response, raised
    [wire] = seen
    body = wire["body"]
    if not isinstance(body, bytes):
        body = answer["Payload"].read()
    return wire["status_code"], wire["headers"], body, error


def refused(client, row, request: dict, code: str) -> str:
    """Sends a request that must be refused with a code, whole in every respect; gives the message."""
    status, headers, body, error = send(client, row.operation, request)
    assert error is not None, f"{row.operation} was done: {body!r}"
    told = error.response["Error"]
    assert (told["Code"], bool(told["Message"])) == (code, True), f"{status} {body!r}"
    assert headers["x-amzn-requestid"], headers
    protocol = PROTOCOLS[row.service]
    if protocol == "query":
        assert headers["content-type"] == "text/xml"
        root = ElementTree.fromstring(body)
        assert root.tag.endswith("ErrorResponse") and root.find("{*}Error/{*}Type").text == "Sender", body
        assert root.findtext("{*}RequestId") == headers["x-amzn-requestid"], body
    else:
        assert headers["x-amzn-errortype"] == code, headers
        assert json.loads(body)["message"] == told["Message"], body
    if protocol == "json":
        assert json.loads(body)["__type"] == code, body
    modelled = {
        shape.metadata.get("error", {}).get("code", shape.name): shape.metadata.get("error", {}).get("httpStatusCode")
        for shape in shapes.model(row.service).operation_model(row.operation).error_shapes
    }
    if modelled.get(code):
        assert status == modelled[code], f"{code} has the status {status}"
    assert 400 <= status < 500, status
    return told["Message"]


# --- unauthenticated -------------------------------------------------------------------------------------------------


@each
def test_unsigned_calls_are_refused(stage, row):
    code = "MissingAuthenticationToken" if PROTOCOLS[row.service] == "query" else "MissingAuthenticationTokenException"
    client = stage.server.client(row.service, config=UNSIGNED)
    if row.unauthorized == NOBODY_SIGNS:
        *_, error = send(client, row.operation, row.request(stage))
        assert error is None
        return
    refused(client, row, row.request(stage), code)


@each
def test_unknown_keys_are_refused(stage, row):
    code = "InvalidClientTokenId" if PROTOCOLS[row.service] == "query" else "UnrecognizedClientException"
    client = stage.server.client(row.service, "AKIANOSUCHKEY0000000", "secret", config=UNCHECKED)
    if row.unauthorized == NOBODY_SIGNS:
        *_, error = send(client, row.operation, row.request(stage))
        assert error is None
        return
    message = refused(client, row, row.request(stage), code)
    assert message == "The security token included in the request is invalid."


# --- unauthorized ----------------------------------------------------------------------------------------------------


@each
def test_callers_without_permission_are_refused(stage, stranger, row):
    client = stranger.client(row.service, config=UNCHECKED)
    request = row.request(stage)
    if row.unauthorized:
        *_, error = send(client, row.operation, request)
        assert error is None, row.unauthorized
        return
    code = "AccessDenied" if PROTOCOLS[row.service] == "query" else "AccessDeniedException"
    message = refused(client, row, request, code)
    prefix = shapes.SURFACE[row.service]["iam_prefix"]
    action = row.action or f"{prefix}:{row.operation}"
    resource = re.escape(row.on(request) if callable(row.on) else row.on.format(**request))
    told = rf"User: {re.escape(stranger.arn)} is not authorized to perform: {action} on resource: {resource}"
    # STS says nothing about why: whether there is such a role must not be found out.
    because = "" if action == "sts:AssumeRole" else f" because no identity-based policy allows the {action} action"
    assert re.fullmatch(told + re.escape(because), message), message


def test_actions_without_a_resource_need_the_star(stage):
    """A policy about every pool, every function and every secret allows none of them, as on AWS."""
    kms = [f"{KMS}:key/*", f"{KMS}:alias/*"]
    arns = [f"{COGNITO}:userpool/*", f"{LAMBDA}:function:*", f"{SECRETS}:*", f"{IAM}:*", *kms]
    actions = ["cloudtrail:*", "cognito-idp:*", "lambda:*", "secretsmanager:*", "iam:*", "kms:*", "sts:*"]
    actions += ["logs:*", "xray:*", "ses:*", "bedrock:*"]
    for resource, allowed in ((arns, False), ("*", True)):
        user = stage.user(allow(*actions, resource=resource))
        for row in ROWS:
            if row.on == "*" and not row.unauthorized:
                *_, error = send(user.client(row.service, config=UNCHECKED), row.operation, row.request(stage))
                assert (error is None) == allowed, f"{row.operation} on {resource}: {error}"


# --- malformed -------------------------------------------------------------------------------------------------------


@each
def test_broken_constraints_are_told(stage, row):
    if isinstance(row.malformed, str):
        shape = shapes.model(row.service).operation_model(row.operation).input_shape
        assert shape is None or not shape.members, row.malformed
        return
    codes = {"cognito-idp": "InvalidParameterException", "query": "ValidationError"}
    code = codes.get(row.service) or codes.get(PROTOCOLS[row.service]) or "ValidationException"
    client = stage.server.client(row.service, config=UNCHECKED)
    request = {**row.request(stage), **row.malformed}
    [member] = row.malformed
    seen = []
    client.meta.events.register_last("response-received", lambda response_dict, **_: seen.append(response_dict))
    message = refused(client, row, request, code)
    counted = re.match(r"(\d+) validation errors? detected\. ", message)
    assert counted, message
    assert member.lower() in message.lower(), message
    if row.service == "bedrock-agentcore-control":
        body = json.loads(seen[0]["body"])
        assert body["reason"] == "FieldValidationFailed", body
        assert len(body["fieldList"]) == int(counted[1]), body
        for field in body["fieldList"]:
            assert field["name"].startswith(f"/{member}") and field["message"] in message, body


# --- not found -------------------------------------------------------------------------------------------------------


@each
def test_what_does_not_exist_is_not_found(stage, row):
    if isinstance(row.missing, str):
        return
    code = row.missing_code or ("NoSuchEntity" if row.service == "iam" else "ResourceNotFoundException")
    client = stage.server.client(row.service, config=UNCHECKED)
    refused(client, row, {**row.request(stage), **row.missing}, code)


# --- happy -----------------------------------------------------------------------------------------------------------


@each
def test_answers_have_aws_shape(stage, row):
    for request in filter(None, [row.request, row.bare]):
        client = stage.server.client(row.service)
        asked = request(stage)
        if row.ready:
            row.ready(stage)
        status, headers, body, error = send(client, row.operation, asked)
        assert error is None, body
        wrong = shapes.problems(row.service, row.operation, status, headers, body)
        assert not wrong, f"{wrong} in {body!r}"


@each
def test_the_aws_cli_drives_it(stage, row, command_line, tmp_path):
    """The CLI's own code, in this process: a process a command would take longer than all the rest."""
    request = dict(row.request(stage))
    arguments = [row.service, xform_name(row.operation, "-")]
    if row.operation == "CreateFunction":
        (tmp_path / "code.zip").write_bytes(request.pop("Code")["ZipFile"])
        arguments += ["--zip-file", f"fileb://{tmp_path}/code.zip"]
    if row.operation == "UpdateFunctionCode":
        (tmp_path / "code.zip").write_bytes(request.pop("ZipFile"))
        arguments += ["--zip-file", f"fileb://{tmp_path}/code.zip"]
    if row.operation == "Invoke":
        # The one command that takes no JSON, but a file for the answer.
        for member, value in request.items():
            arguments += [f"--{xform_name(member, '-')}", value if isinstance(value, str) else value.decode()]
        arguments += [str(tmp_path / "answer")]
    elif row.operation == "Decrypt":
        (tmp_path / "ciphertext").write_bytes(request["CiphertextBlob"])
        arguments += ["--key-id", request["KeyId"], "--ciphertext-blob", f"fileb://{tmp_path}/ciphertext"]
    elif request:
        arguments += ["--cli-input-json", json.dumps(request, default=bytes.decode)]
    if row.ready:
        row.ready(stage)
    status, printed, complained = command_line(*arguments)
    assert status == 0, complained
    shape = shapes.model(row.service).operation_model(row.operation).output_shape
    if shape is not None and shape.required_members:
        assert set(shape.required_members) <= set(json.loads(printed)), printed
    if row.operation == "Invoke":
        assert "hello" in (tmp_path / "answer").read_text()


@pytest.fixture(scope="module")
def command_line(module_as_root):
    driver = create_clidriver()

    def run(*arguments):
        out, complaints = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaints):
            status = driver.main([*arguments, "--output", "json", "--no-paginate"])
        return status, out.getvalue(), complaints.getvalue()

    return run


# --- the table itself ------------------------------------------------------------------------------------------------


def test_the_table_is_the_promise():
    assert set(TABLE) == shapes.promised()
    assert len(TABLE) == len(ROWS), "an operation has two rows"


def test_what_has_no_outcome_says_why():
    """Silence must not pass for a test: only these rows have an outcome less."""
    without = {row.operation: row.missing for row in ROWS if isinstance(row.missing, str)}
    assert all(len(why) > 15 for why in without.values())
    assert [row.operation for row in ROWS if row.unauthorized] == [
        "InitiateAuth",
        "RespondToAuthChallenge",
        "AssumeRoleWithWebIdentity",
        "GetSessionToken",
        "GetCallerIdentity",
    ]
    federation = ("EnableOutboundWebIdentityFederation", "DisableOutboundWebIdentityFederation")
    more = ["ListOpenIDConnectProviders", "GetCallerIdentity"]
    memberless = [*federation, "GetOutboundWebIdentityFederationInfo", *more, "GetTraceSegmentDestination"]
    assert [row.operation for row in ROWS if isinstance(row.malformed, str)] == memberless


@pytest.mark.parametrize(
    ("service", "operation", "request_", "code", "status"),
    [
        ("bedrock-agentcore-control", "ListBrowsers", {}, "UnknownOperationException", 404),
        ("bedrock-agentcore-control", "ListMemories", {}, "UnknownOperationException", 404),
        ("lambda", "ListLayers", {}, "UnknownOperationException", 404),
        ("cognito-idp", "ListIdentityProviders", {"UserPoolId": "us-west-2_a"}, "UnknownOperationException", 400),
        ("iam", "ListServerCertificates", {}, "InvalidAction", 400),
        ("sts", "GetFederationToken", {"Name": "ann"}, "InvalidAction", 400),
        ("secretsmanager", "RotateSecret", {"SecretId": "a"}, "UnknownOperationException", 400),
        ("kms", "Sign", {"KeyId": "a"}, "UnknownOperationException", 400),
        ("ses", "ListIdentities", {}, "InvalidAction", 400),
    ],
)
def test_other_operations_are_unknown(server, service, operation, request_, code, status):
    assert (service, operation) not in TABLE
    answered, headers, body, error = send(server.client(service, config=UNCHECKED), operation, request_)
    assert error is not None and error.response["Error"]["Code"] == code, body
    assert answered == status, answered
    assert headers["x-amzn-requestid"], headers


def test_other_services_are_unknown(server):
    """A service that is not ours answers quickly, and not with an error that a client tries again."""
    with pytest.raises(ClientError) as raised:
        server.client("sqs").list_queues()
    assert raised.value.response["Error"]["Code"] == "UnknownOperationException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
